"""A real Postfix on loopback: Debian's programs with a configuration directory, queue and port of its own.

`write` makes such an instance, for the benchmark too (tests/bench/servers.py, which runs and stops it in
its own way); `Postfix` is one that the interoperability tests start.  Needs root, since Postfix does.
Invariants: the system's own Postfix and its directories are not touched; what was started is stopped by
`postfix stop` of this instance.
"""

import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path

from lib.waiting import reserve_port, wait_for

# What holds for every instance.  Nothing but the domains given is its own, and nothing is looked up.
MAIN = {
    "compatibility_level": "3.6",
    "command_directory": "/usr/sbin",
    "daemon_directory": "/usr/lib/postfix/sbin",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "multi_instance_enable": "yes",
    "multi_instance_name": "postfix-test",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "mynetworks": "127.0.0.0/8",
    "mydestination": "",
    "append_dot_mydomain": "no",
    "smtp_host_lookup": "native",
    "alias_maps": "",
    "alias_database": "",
    "biff": "no",
}
# What Debian's package installs, without chroot and without what nobody here uses.
MASTER = """\
{host}:{port} inet n - n - - smtpd
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
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def missing():
    """Why Postfix cannot be used here, None if it can."""
    if os.geteuid() != 0:
        return "Postfix needs root"
    if not Path("/usr/lib/postfix/sbin/master").exists() or not shutil.which("postfix"):
        return "Postfix is not installed (apt-get install postfix)"
    return None


def write(root, port, host="127.0.0.1", log=None, **settings):
    """Configuration, queue and data of an instance below `root`, an empty directory that everybody may search.

    settings: main.cf, over MAIN; `{root}` in a value is the directory.  log: its log file.
    """
    root = Path(root)
    log = Path(log or root / "log/maillog")
    for path in (root / "config", root / "queue", root / "data", log.parent):
        path.mkdir(parents=True, exist_ok=True)
    shutil.chown(root / "data", "postfix")
    settings = {**MAIN, "queue_directory": "{root}/queue", "data_directory": "{root}/data", "maillog_file": str(log),
                "maillog_file_prefixes": "{root}", **settings}
    text = "".join(f"{key} = {str(value).replace('{root}', str(root))}\n" for key, value in settings.items())
    (root / "config/main.cf").write_text(text, encoding="utf-8")
    (root / "config/master.cf").write_text(MASTER.format(host=host, port=port), encoding="utf-8")


def command(root, program, *args):
    """The command line of one of Postfix's programs for the instance at `root`."""
    return [f"/usr/sbin/{program}", "-c", str(Path(root) / "config"), *args]


class Postfix:
    """One running Postfix that takes mail for `domains` into Maildirs and sends by `transport`."""

    def __init__(self, root, domains=("remote.test",), transport=None, host="127.0.0.1", port=None,
                 hostname="postfix.test", **settings):
        """transport: {domain: "smtp:[host]:port"}.  settings: see write."""
        self.root, self.host, self.port = Path(root), host, port or reserve_port(host)
        (self.root / "mail").mkdir(parents=True)
        self.root.chmod(0o755)
        shutil.chown(self.root / "mail", "postfix", "postfix")
        owner = pwd.getpwnam("postfix")
        routes = ", ".join(f"{{{domain} = {route}}}" for domain, route in (transport or {}).items())
        write(root, self.port, host, **{
            "myhostname": hostname, "virtual_mailbox_domains": " ".join(domains), "virtual_mailbox_base": "{root}/mail",
            "virtual_mailbox_maps": "static:box/", "virtual_uid_maps": f"static:{owner.pw_uid}",
            "virtual_gid_maps": f"static:{owner.pw_gid}",
            "transport_maps": f"inline:{{ {routes} }}" if routes else "", **settings})

    def command(self, program, *args):
        """Run one of its programs."""
        return subprocess.run(command(self.root, program, *args), capture_output=True, text=True, timeout=60, check=False)

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

    def change(self, **settings):
        """Other settings, in force for connections that are made from now on."""
        done = self.command("postconf", "-e", *(f"{key}={value}" for key, value in settings.items()))
        assert done.returncode == 0, done.stderr
        done = self.command("postfix", "reload")
        assert done.returncode == 0, done.stderr

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
