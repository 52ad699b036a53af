"""Throw-away certificates for tests, made by openssl(1) at run time; none is kept in the repository."""

import ssl
import subprocess
from pathlib import Path


def make_certificate(folder, name="mx.test", stem="cert"):
    """Make a self-signed certificate for `name`; returns (certificate, key) paths, the key mode 0600."""
    folder = Path(folder)
    cert, key = folder / f"{stem}.pem", folder / f"{stem}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
                    "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True, timeout=30)
    key.chmod(0o600)
    return str(cert), str(key)


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
