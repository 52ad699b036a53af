"""The two mail servers that are measured, each in a directory of its own and nowhere else.

bench.py makes one per run: `start` writes a configuration for the work, starts the server and waits
for its greeting; `stop` ends it and everything it started.  Invariants: loopback only; both serve
the same domains and users, into Maildirs that exist beforehand, with default durability; no process
is signalled that was not started here.
"""

import os
import pathlib
import secrets
import signal
import socket
import subprocess
import time

import tools
from lib import postfix
from lib.certificates import make_certificate
from lib.waiting import alive, descendants, reserve_port, wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
START_LIMIT = 20.0
STOP_LIMIT = 20.0

# Numbers without accounts: who Postrider's processes become, and who owns the mailboxes.
USERS = {"smtpd": 64001, "directory": 64002, "queue": 64003, "remote": 64004, "keys": 64005}
FIRST_OWNER = 64100


class Fixture:
    """The hosted domains dom1.test..domD.test with users user1..userU, and who owns them."""

    def __init__(self, domains, users, owners):
        self.domains, self.users, self.owners = domains, users, owners

    def names(self):
        """Domain names with their owner's number."""
        for number in range(1, self.domains + 1):
            yield f"dom{number}.test", FIRST_OWNER + (number if self.owners == "domain" else 0)

    def user_names(self):
        """Local parts, the same in each domain."""
        return [f"user{number}" for number in range(1, self.users + 1)]


class Server:
    """What both have in common.  A subclass gives `name`, `write` and `command`."""

    name = ""

    def __init__(self, directory, fixture):
        # The name decides the part of the disk (tools.make_place): no earlier run's.
        self.dir = pathlib.Path(directory) / f"{self.name.lower()}-{secrets.token_hex(4)}"
        self.fixture = fixture
        self.port = reserve_port()
        self.process = self.guard = None
        self.launched = 0.0  # when its program was started, in seconds since 1970
        self.maildirs = []
        self.log = self.dir / "log"

    def write(self, work, next_hop):
        """Write the configuration for `work`; `next_hop` is (address, port) for what is not hosted."""
        raise NotImplementedError

    def command(self):
        """The command that runs the server in the foreground."""
        raise NotImplementedError

    def start(self, work, next_hop, fill=None):
        """From an empty directory to the greeting; fill: called when everything is written, before it starts."""
        self.dir.mkdir(parents=True)
        self.dir.chmod(0o755)
        self.maildirs = []
        self.write(work, next_hop)
        if fill is not None:
            fill()
        self.launched = time.time()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd="/", start_new_session=True)
        # Stops the server when its own stdin ends: by ask_to_stop, or because this process died.
        self.guard = subprocess.Popen(["/bin/sh", "-c", 'read -r line; exec "$@"', "sh", *self.stop_command()],
                                      stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL, cwd="/", start_new_session=True)
        try:
            wait_for(self.greets, START_LIMIT, f"greeting of {self.name}", 0.05)
        except AssertionError as error:
            self.stop()
            raise RuntimeError(f"{error}\n{self.log_tail()}") from None

    def greets(self):
        """Whether a client that connects is greeted."""
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.log_tail()}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as client:
                client.settimeout(5)
                greeting = client.recv(512)
                client.sendall(b"QUIT\r\n")
                return greeting.startswith(b"220")
        except OSError:
            return False

    def stop_command(self):
        """The command that begins an orderly end."""
        return ["/bin/kill", "-TERM", str(self.process.pid)]

    def ask_to_stop(self):
        """Begin an orderly end."""
        self.guard.stdin.close()
        try:
            self.guard.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.guard.kill()
            self.guard.wait(5)

    def stop(self):
        """End the server; what does not end by itself in time is killed."""
        if self.process is None:
            return
        below = list(descendants(self.process.pid))
        if self.process.poll() is None:
            self.ask_to_stop()
        else:
            self.guard.kill()  # it would signal a number that may be another's by now
            self.guard.wait(5)
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        end = time.monotonic() + STOP_LIMIT
        while any(alive(pid) for pid in below) and time.monotonic() < end:
            time.sleep(0.05)
        for pid in below:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        self.process = None

    def end(self):
        """Stop, and make room for the next start."""
        self.stop()
        tools.put_aside(self.dir)

    def log_tail(self):
        """The end of the log, for an error message."""
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")[-3000:]
        except OSError:
            return ""

    def pids(self):
        """The server's processes, the first one included."""
        return [self.process.pid, *descendants(self.process.pid)]

    def held_messages(self):
        """How many messages the queue holds, whatever they wait for; None if that cannot be told."""
        return None

    def new_directories(self):
        """Names of the Maildirs' new/ directories."""
        return [os.path.join(path, "new") for path in self.maildirs]

    def make_maildir(self, path, owner):
        """An empty Maildir, so that neither server has to make it while it is measured."""
        for part in ("", "tmp", "new", "cur"):
            os.mkdir(os.path.join(path, part), 0o700)
            give(os.path.join(path, part), owner)
        self.maildirs.append(str(path))


class Postrider(Server):
    """build/bin/postriderd, as root with its users, as anyone else without."""

    name = "Postrider"

    def __init__(self, directory, fixture, binaries=TOP / "build/bin"):
        super().__init__(directory, fixture)
        self.binaries = pathlib.Path(binaries)

    def missing(self):
        """Why this server cannot be measured, or None."""
        program = self.binaries / "postriderd"
        return None if program.is_file() else f"{program} is not built"

    def command(self):
        return [str(self.binaries / "postriderd"), "-c", str(self.dir / "postrider.conf")]

    def write(self, work, next_hop):
        lines = [
            'hostname = "mx.bench.test"',
            f'domains = "{self.dir}/virtual"',
            f'spool = "{self.dir}/spool"',
            f'listen "127.0.0.1:{self.port}" {{ role = mx  tls = {"starttls" if work == "tls" else "none"} }}',
            'relay-from = { "127.0.0.0/8" }',
            f'smarthost = "[{next_hop[0]}]:{next_hop[1]}"',
            "allow-loopback-destinations = yes",
        ]
        if work in ("idle", "crowd"):
            # The default of 1000 a worker is there to stop what this work does.
            lines.append("connection-limit = 20000")
        if work == "crowd":
            lines += ["workers = 1", "connection-limit-per-client = 20000"]
        if work == "slow":
            lines += ["connection-limit-per-client = 1000", "connection-limit = 2000"]
        if work == "tls":
            certificate, key = make_certificate(self.dir, kind="rsa")
            lines += [f'tls {{ certificate = "{certificate}"  key = "{key}" }}', "connection-limit = 20000"]
        if os.geteuid() == 0:
            lines.append("users { " + "  ".join(f'{key} = "{uid}"' for key, uid in USERS.items()) + " }")
        (self.dir / "postrider.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.write_domains()

    def write_domains(self):
        """A directory per domain, as an administrator makes them."""
        root = self.dir / "virtual"
        root.mkdir()
        for domain, owner in self.fixture.names():
            home = root / domain / "home"
            home.mkdir(parents=True)
            (root / domain / "etc").mkdir()
            passwd = "".join(f"{user}:!:::::\n" for user in self.fixture.user_names())
            (root / domain / "etc/passwd").write_text(passwd, encoding="utf-8")
            for path in (root / domain, root / domain / "etc", root / domain / "etc/passwd", home):
                give(path, owner)
            for user in self.fixture.user_names():
                (home / user).mkdir(mode=0o700)
                give(home / user, owner)
                self.make_maildir(home / user / "Maildir", owner)


# Puts every message into the hold queue, which no queue manager looks at.
HOLD = {"smtpd_recipient_restrictions": "check_client_access static:HOLD"}


class Postfix(Server):
    """Debian's Postfix with configuration, queue and data directory here.  Needs root."""

    name = "Postfix"

    def missing(self):
        """Why this server cannot be measured, or None."""
        return postfix.missing()

    def command(self):
        # What `postfix start-fg` runs in the end, without a shell in between.
        return ["/usr/lib/postfix/sbin/master", "-s", "-c", str(self.dir / "config")]

    def stop_command(self):
        return postfix.command(self.dir, "postfix", "stop")

    def write(self, work, next_hop):
        etc = self.dir / "config"
        owners = f"static:{FIRST_OWNER}" if self.fixture.owners == "one" else f"hash:{etc}/owners"
        postfix.write(self.dir, self.port, log=self.log, **{
            "myhostname": "mx.bench.test", "local_recipient_maps": "", "smtpd_peername_lookup": "no",
            "smtp_dns_support_level": "disabled", "relayhost": f"[{next_hop[0]}]:{next_hop[1]}",
            "virtual_mailbox_base": "{root}/virtual", "virtual_mailbox_domains": f"hash:{etc}/domains",
            "virtual_mailbox_maps": f"hash:{etc}/mailboxes", "virtual_uid_maps": owners, "virtual_gid_maps": owners,
            **(HOLD if work == "hold" else {}), **(self.tls_settings() if work == "tls" else {})})
        (self.dir / "virtual").mkdir()
        self.write_domains()
        # Makes the directories of the queue, and complains of what is wrong.
        subprocess.run(postfix.command(self.dir, "postfix", "check"), stdin=subprocess.DEVNULL, check=True)

    def tls_settings(self):
        """STARTTLS with a certificate as Postrider's, and a session cache as it is recommended."""
        certificate, key = make_certificate(self.dir, kind="rsa")
        return {"smtpd_tls_security_level": "may", "smtpd_tls_cert_file": certificate, "smtpd_tls_key_file": key,
                "smtpd_tls_session_cache_database": "btree:{root}/data/smtpd_scache"}

    def write_domains(self):
        """The tables, and the Maildirs they point to."""
        etc, tables = self.dir / "config", {"domains": [], "mailboxes": [], "owners": []}
        for domain, owner in self.fixture.names():
            tables["domains"].append(f"{domain} hosted\n")
            tables["owners"].append(f"@{domain} {owner}\n")
            (self.dir / "virtual" / domain).mkdir()
            give(self.dir / "virtual" / domain, owner)
            for user in self.fixture.user_names():
                tables["mailboxes"].append(f"{user}@{domain} {domain}/{user}/\n")
                self.make_maildir(self.dir / "virtual" / domain / user, owner)
        for name, lines in tables.items():
            (etc / name).write_text("".join(lines), encoding="utf-8")
            subprocess.run(postfix.command(self.dir, "postmap", f"hash:{etc / name}"), check=True)

    def held_messages(self):
        found = set()  # of names: a file that moves meanwhile may be seen in two places
        for name in ("maildrop", "incoming", "active", "deferred", "hold"):
            for _, _, files in os.walk(self.dir / "queue" / name):
                found.update(files)
        return len(found)


def give(path, owner):
    """Give one file to `owner`; without root it stays the caller's."""
    if os.geteuid() == 0:
        os.chown(path, owner, owner)
