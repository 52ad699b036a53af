"""A policy service for a real Postfix: it decides about each question by a function of the test's.

    with Policy(lambda asked: "dunno") as policy:
        Postfix(..., smtpd_recipient_restrictions=f"{policy.check}, permit_mynetworks, reject")

The protocol is Postfix's SMTPD_POLICY_README: `name=value` lines up to an empty one, answered by
`action=...` and an empty line.  Invariant: every question is recorded before it is answered.
"""

import socketserver
import threading

from lib.waiting import reserve_port, wait_for


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        asked = {}
        for line in self.rfile:
            name, _, value = line.decode(errors="replace").rstrip("\n").partition("=")
            if name:
                asked[name] = value
                continue
            self.server.policy.asked.append(asked)
            action = self.server.policy.decide(asked)
            try:
                self.wfile.write(f"action={action}\n\n".encode())
            except OSError:
                return
            asked = {}


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False


class Policy:
    """See the top of the file.  decide: {name: value} -> action; it may wait as long as it likes."""

    def __init__(self, decide):
        self.decide, self.asked = decide, []
        self.port = reserve_port()
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.policy = self
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def check(self):
        """The restriction that asks here."""
        return f"check_policy_service inet:127.0.0.1:{self.port}"

    def wait(self, count=1, timeout=10.0):
        """Wait for so many questions."""
        wait_for(lambda: len(self.asked) >= count, timeout, f"{count} questions to the policy service")
        return list(self.asked)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
