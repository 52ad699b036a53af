"""An instance with a certificate, as clients see it, and openssl(1) as one of them."""

import os
import shutil
import socket
import subprocess

from lib.certificates import client_context, fingerprint, make_certificate
from lib.instance import Listener


class Secured:
    """An instance with a certificate: listener 0 does STARTTLS, listener 1 implicit TLS."""

    def __init__(self, world, kind="ec"):
        self.world, self.mta = world, world.mta
        self.mta.listeners = [Listener(), Listener(tls="implicit")]
        self.mta.certificate = make_certificate(self.mta.root, kind=kind)

    def start(self):
        self.mta.start()
        return self

    def domain_certificate(self, domain, pair, prefix=""):
        """Puts the pair into a domain's etc/tls, each file by rename as certificate tools do."""
        folder = self.mta.domains.root / domain / "etc/tls"
        folder.mkdir(exist_ok=True)
        for source, name in zip(pair, ("certificate.pem", "key.pem")):
            shutil.copy(source, folder / ".new")
            (folder / ".new").chmod(0o600 if name == "key.pem" else 0o644)
            self.give(folder / ".new", domain)
            (folder / ".new").rename(folder / f"{prefix}{name}")
        folder.chmod(0o755)
        self.give(folder, domain)

    def give(self, path, domain):
        if self.mta.privileged:
            os.chown(path, self.mta.domains.owners[domain], self.mta.domains.owners[domain])

    def connect(self, context=None, name=None, session=None):
        """A client behind the handshake of listener 1, its greeting read."""
        listener = self.mta.listeners[1]
        sock = (context or client_context()).wrap_socket(
            socket.create_connection((listener.host, listener.port), 10), server_hostname=name, session=session)
        assert sock.recv(512).startswith(b"220 ")
        return sock

    def shown(self, name=None):
        """The fingerprint of the certificate that a client with this SNI gets."""
        with self.connect(name=name) as sock:
            return fingerprint(sock.getpeercert(True))


def s_client(secured, *args, say="QUIT\n", port=None):
    """openssl s_client against listener 0 (STARTTLS), or another port without; its output."""
    where = ["-connect", f"127.0.0.1:{port}"] if port else ["-starttls", "smtp", "-connect", f"127.0.0.1:{secured.mta.port}"]
    done = subprocess.run(["openssl", "s_client", *where, "-crlf", "-ign_eof", *args], input=say, capture_output=True,
                          text=True, timeout=20, check=False)
    return done.stdout + done.stderr
