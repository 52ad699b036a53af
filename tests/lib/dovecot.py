"""A real Dovecot as submission proxy on loopback: Debian's programs with a configuration, sockets and ports of
their own.

Needs root, since Dovecot changes users.  Invariants: the system's own Dovecot and its directories are not
touched; what was started is stopped by the pid of this instance.
"""

import os
import signal
import socket
import subprocess
from pathlib import Path

from lib.waiting import alive, reserve_port, wait_for

CONFIGURATION = """\
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/log
auth_debug = yes
mail_debug = yes
protocols = submission
listen = 127.0.0.1
hostname = dovecot.test
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_uid = {uid}
mail_gid = {uid}
mail_home = {root}/home
mail_location = maildir:{root}/home/Maildir
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={uid} home={root}/home
}}
service anvil {{
  chroot =
}}
service submission-login {{
  chroot =
  inet_listener submission {{
    port = {port}
  }}
}}
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
submission_relay_trusted = yes
submission_relay_ssl = no
"""


def missing():
    """Why Dovecot cannot be used here, None if it can."""
    if os.geteuid() != 0:
        return "Dovecot needs root"
    if not Path("/usr/lib/dovecot/submission").exists() or not Path("/usr/sbin/dovecot").exists():
        return "Dovecot's submission service is not installed (apt-get install dovecot-submissiond)"
    return None


class Submission:
    """A Dovecot that takes every login with `password` and hands the mail on to a port of ours."""

    def __init__(self, root, relay, password="secret", uid=65533):
        self.root, self.port = Path(root), reserve_port("127.0.0.1")
        self.root.mkdir(mode=0o755)
        for name in ("run", "state", "home"):
            (self.root / name).mkdir(mode=0o755)
        os.chown(self.root / "home", uid, uid)
        self.conf = self.root / "dovecot.conf"
        self.conf.write_text(CONFIGURATION.format(root=self.root, port=self.port, relay=relay, password=password, uid=uid),
                             encoding="utf-8")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", str(self.conf)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for(self._answers, 15, "Dovecot's submission service")
        return self

    def _answers(self):
        assert self.process.poll() is None, self.log()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as one:
                return one.recv(4) == b"220 "
        except OSError:
            return False

    def log(self):
        path = self.root / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        assert not alive(self.process.pid)
