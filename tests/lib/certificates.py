"""Throw-away certificates for tests, made by openssl(1) at run time; none is kept in the repository."""

import hashlib
import ssl
import subprocess
import time
from pathlib import Path


KINDS = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], "rsa": ["rsa:2048"], "ed25519": ["ed25519"]}


def make_certificate(folder, name="mx.test", stem="cert", kind="ec", names=(), issuer=None, authority=False, days=30,
                     valid=None):
    """Make a certificate for `name` and `names`, signed by `issuer` (a pair made before, with authority=True) or by
    itself; returns (certificate, key) paths, the key mode 0600.  kind: "ec", "rsa" or "ed25519".  Valid for `days` from
    now on, or for valid=(from, to), in days from now, which may be negative."""
    folder = Path(folder)
    cert, key = folder / f"{stem}.pem", folder / f"{stem}.key"
    alternatives = ",".join(f"DNS:{one}" for one in (name, *names))
    command = ["openssl", "req", "-x509", "-newkey", *KINDS[kind], "-nodes", "-days", str(days), "-subj", f"/CN={name}",
               "-addext", f"subjectAltName={alternatives}", "-addext", f"basicConstraints=critical,CA:{str(authority).upper()}",
               "-keyout", str(key), "-out", str(cert)]
    if valid:
        return make_dated(command, cert, key, valid, issuer)
    if issuer:
        command += ["-CA", issuer[0], "-CAkey", issuer[1]]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    key.chmod(0o600)
    return str(cert), str(key)


def make_dated(command, cert, key, valid, issuer):
    """As openssl(1) of before 3.4 has no option for dates in `req`: a request, signed by `ca`."""
    request, extensions = cert.with_suffix(".csr"), cert.with_suffix(".ext")
    command = [one for one in command if one != "-x509"]
    command[command.index("-out") + 1] = str(request)
    added = [command[i + 1] for i, one in enumerate(command) if one == "-addext"]
    extensions.write_text("\n".join(added) + "\n")
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    settings = cert.with_suffix(".cnf")
    database = cert.with_suffix(".db")
    database.write_text("")
    settings.write_text(f"[ca]\ndefault_ca = one\n[one]\ndatabase = {database}\nnew_certs_dir = {cert.parent}\n"
                        "default_md = sha256\nrand_serial = yes\npolicy = any\n[any]\ncommonName = supplied\n")
    dates = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400)) for days in valid]
    signer = ["-cert", issuer[0], "-keyfile", issuer[1]] if issuer else ["-selfsign", "-keyfile", str(key)]
    subprocess.run(["openssl", "ca", "-batch", "-notext", "-config", str(settings), "-in", str(request), "-out", str(cert),
                    "-extfile", str(extensions), "-startdate", dates[0], "-enddate", dates[1], *signer],
                   check=True, capture_output=True, timeout=30)
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
