"""An SMTP server that asks for a second TLS handshake in the middle of a session (row CR-35).

Python's own ssl module cannot do that, pyOpenSSL can.  Invariant: `renegotiated` is true only if the
client really took part in a second handshake.
"""

import socket
import threading

from lib.certificates import make_certificate


class Renegotiator:
    """One connection after another; after the EHLO inside TLS it sends a HelloRequest."""

    def __init__(self, openssl, folder, host, port):
        self.openssl, self.host = openssl, host
        self.asked, self.renegotiated, self.messages = False, False, []
        self.context = openssl.Context(openssl.TLS_METHOD)
        self.context.set_max_proto_version(openssl.TLS1_2_VERSION)
        certificate, key = make_certificate(folder, stem="renegotiating")
        self.context.use_certificate_file(certificate)
        self.context.use_privatekey_file(key)
        self._server = socket.create_server((host, port))
        self._server.settimeout(0.1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(10)
        self._server.close()

    def _accept(self):
        while not self._stop.is_set():
            try:
                peer, _ = self._server.accept()
            except TimeoutError:
                continue
            with peer:
                peer.settimeout(None)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, b"\x05" + b"\0" * 15)
                try:
                    self._talk(peer)
                except (OSError, self.openssl.Error):
                    pass

    def _talk(self, peer):
        peer.sendall(b"220 again.test\r\n")
        peer.recv(4096)
        peer.sendall(b"250-again.test\r\n250 STARTTLS\r\n")
        if not peer.recv(4096).startswith(b"STARTTLS"):
            return
        peer.sendall(b"220 go\r\n")
        tls = self.openssl.Connection(self.context, peer)
        tls.set_accept_state()
        tls.do_handshake()
        tls.recv(4096)
        self.asked = True
        before = tls.total_renegotiations()
        tls.renegotiate()
        tls.do_handshake()
        tls.sendall(b"250 again.test\r\n")
        tls.recv(4096)
        self.renegotiated = tls.total_renegotiations() > before and not tls.renegotiate_pending()
