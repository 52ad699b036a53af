"""A real Postfix on loopback: Debian's programs with a configuration directory, queue and port of its own.

The interoperability tests use it.  Needs root, since Postfix does.  Invariants: the system's own Postfix
and its directories are not touched; what was started is stopped by `postfix stop` of this instance.
"""

import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path

from lib.waiting import reserve_port, wait_for

MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
multi_instance_enable = yes
multi_instance_name = postfix-test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
myhostname = {hostname}
mydestination =
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
maillog_file = {root}/log/maillog
maillog_file_prefixes = {root}
transport_maps = inline:{{{transport}}}
smtp_host_lookup = native
alias_maps =
alias_database =
biff = no
{extra}
"""
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def missing():
    """Why Postfix cannot be used here, None if it can."""
    if os.geteuid() != 0:
        return "Postfix needs root"
    if not Path("/usr/lib/postfix/sbin/master").exists() or not shutil.which("postfix"):
        return "Postfix is not installed"
    return None


class Postfix:
    """One running Postfix that takes mail for `domains` into Maildirs and sends by `transport`."""

    def __init__(self, root, domains=("remote.test",), transport=None, host="127.0.0.1", port=None,
                 hostname="postfix.test", extra=""):
        """root: an empty directory below one that everybody may search.
        transport: {domain: "smtp:[host]:port"}.
        """
        self.root, self.host, self.port = Path(root), host, port or reserve_port(host)
        for name in ("config", "queue", "data", "mail", "log"):
            (self.root / name).mkdir(parents=True)
        self.root.chmod(0o755)
        owner = pwd.getpwnam("postfix")
        os.chown(self.root / "data", owner.pw_uid, owner.pw_gid)
        os.chown(self.root / "mail", owner.pw_uid, owner.pw_gid)
        routes = ", ".join(f"{{{domain} = {route}}}" for domain, route in (transport or {}).items())
        (self.root / "config/main.cf").write_text(MAIN.format(
            root=self.root, hostname=hostname, domains=" ".join(domains), uid=owner.pw_uid, gid=owner.pw_gid,
            transport=" " + routes + " " if routes else "", extra=extra).replace("{{", "{").replace("}}", "}"))
        (self.root / "config/master.cf").write_text(MASTER.format(port=self.port).replace("127.0.0.1:", f"{host}:"))

    def command(self, *args):
        """A Postfix command with this configuration."""
        return subprocess.run([args[0], "-c", str(self.root / "config"), *args[1:]], capture_output=True, text=True,
                              timeout=60, check=False)

    def start(self):
        """Start and wait for the port."""
        done = self.command("postfix", "start")
        assert done.returncode == 0, done.stdout + done.stderr + self.log()

        def answers():
            try:
                with socket.create_connection((self.host, self.port), 1):
                    return True
            except OSError:
                return False
        wait_for(answers, 15, "Postfix on its port")
        return self

    def log(self):
        path = self.root / "log/maillog"
        return path.read_text(errors="replace") if path.exists() else ""

    def files(self):
        """Paths of the messages delivered into its Maildirs."""
        return sorted(path for path in (self.root / "mail").rglob("*") if path.is_file() and path.parent.name == "new")

    def wait(self, count=1, timeout=20.0):
        """Wait for `count` messages; returns their octets."""
        wait_for(lambda: len(self.files()) >= count, timeout, f"{count} messages at Postfix; its log:\n{self.log()[-2000:]}")
        return [path.read_bytes() for path in self.files()]

    def stop(self):
        self.command("postfix", "stop")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
