"""Throw-away certificates for tests, made by openssl(1) at run time; none is kept in the repository."""

import hashlib
import ssl
import subprocess
from pathlib import Path


KINDS = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], "rsa": ["rsa:2048"], "ed25519": ["ed25519"]}


def make_certificate(folder, name="mx.test", stem="cert", kind="ec", names=(), issuer=None, authority=False):
    """Make a certificate for `name` and `names`, signed by `issuer` (a pair made before, with authority=True) or by
    itself; returns (certificate, key) paths, the key mode 0600.  kind: "ec", "rsa" or "ed25519"."""
    folder = Path(folder)
    cert, key = folder / f"{stem}.pem", folder / f"{stem}.key"
    alternatives = ",".join(f"DNS:{one}" for one in (name, *names))
    command = ["openssl", "req", "-x509", "-newkey", *KINDS[kind], "-nodes", "-days", "2", "-subj", f"/CN={name}",
               "-addext", f"subjectAltName={alternatives}", "-addext", f"basicConstraints=critical,CA:{str(authority).upper()}",
               "-keyout", str(key), "-out", str(cert)]
    if issuer:
        command += ["-CA", issuer[0], "-CAkey", issuer[1]]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    key.chmod(0o600)
    return str(cert), str(key)


def fingerprint(certificate):
    """SHA-256 of a certificate: of a PEM file, or of DER octets as getpeercert(True) gives them."""
    der = certificate if isinstance(certificate, bytes) else ssl.PEM_cert_to_DER_cert(Path(certificate).read_text())
    return hashlib.sha256(der).hexdigest()


def server_context(pair):
    """A TLS server context with the (certificate, key) pair."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


def client_context():
    """A TLS client context that accepts any certificate, as opportunistic TLS does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
