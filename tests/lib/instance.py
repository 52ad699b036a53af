"""One Postrider under test: its configuration, its processes, its log, its mailboxes.

    with Instance() as mta:
        mta.add_domain("domain1.com", ["bob"])
        mta.start()
        with mta.smtp() as client: ...
        mta.wait_messages("bob@domain1.com", 1)

Every suite that needs a live daemon starts it here.  Invariants: loopback and a temporary directory
only; every wait is bounded; only processes started here are ever signalled; an instance that does
not stop by itself within its time, or whose log holds a sanitizer report, fails the test.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
import weakref
from pathlib import Path

from lib import control
from lib.domains import Domains, Message
from lib.waiting import alive, descendants, patience, reserve_port, wait_for

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("POSTRIDER_BUILD", TOP / "build"))
BIN = BUILD / "bin"

# Who the processes become when root runs the tests: numbers without an account.
TEST_USERS = {"smtpd": "64001", "directory": "64002", "queue": "64003", "remote": "64004", "keys": "64005"}
START_LIMIT = 15.0
STOP_LIMIT = 12.0
BAD_LOG = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|assertion .* failed|Assertion .* failed")

LIVE = weakref.WeakSet()
PRCTL = ctypes.CDLL(None).prctl
PR_SET_PDEATHSIG = 1


class Listener:
    """One `listen` block of the configuration."""

    def __init__(self, role=None, tls=None, host="127.0.0.1", port=None, extra=""):
        self.role, self.tls, self.host, self.extra = role, tls, host, extra
        self.port = port or reserve_port(host)

    def render(self):
        keys = []
        if self.role:
            keys.append(f"role = {self.role}")
        if self.tls:
            keys.append(f"tls = {self.tls}")
        if self.extra:
            keys.append(self.extra)
        return f'listen "{self.host}:{self.port}" {{ {"  ".join(keys)} }}\n'


def render_value(value):
    """A Python value as the configuration writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "{ " + ", ".join(render_value(str(item)) for item in value) + " }"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


class Instance:
    """A Postrider in a temporary directory of its own."""

    def __init__(self, hostname="mx.test", settings=None, listeners=None, dns=None, certificate=None,
                 privileged=None, extra="", spool=None):
        """settings: configuration keys and values, laid over the defaults below; None takes one out.
        listeners: Listener objects (default: one MX listener).  dns: a StubDNS.
        certificate: (certificate, key) paths.  privileged: change users (default: when root).
        extra: text appended to the configuration.  spool: another directory for the queue.
        """
        self.root = Path(tempfile.mkdtemp(prefix="prt-", dir="/tmp"))
        self.root.chmod(0o755)
        self.privileged = os.geteuid() == 0 if privileged is None else privileged
        self.hostname = hostname
        self.listeners = list(listeners) if listeners else [Listener()]
        self.spool = Path(spool) if spool else self.root / "spool"
        self.conf = self.root / "postrider.conf"
        self.log_path, self.pid_file = self.root / "log", self.root / "pid"
        self.domains = Domains(self.root / "virtual", self.privileged)
        self.settings = {"hostname": hostname, "domains": str(self.domains.root), "spool": str(self.spool),
                         "workers": 2, "greeting-delay": "0s", "log-level": "debug", "segment-size": "4M"}
        if dns:
            self.settings["resolver"] = [dns.address]
        self.settings.update(settings or {})
        self.certificate, self.extra = certificate, extra
        self.process, self.exit_status, self.stop_seconds = None, None, None
        # A uid to start the daemon as, when root plays an ordinary user.
        self.run_as = None
        LIVE.add(self)

    # --- configuration ---

    def render(self):
        """The text of postrider.conf."""
        text = "".join(f"{key} = {render_value(value)}\n" for key, value in self.settings.items()
                       if value is not None)
        text += "".join(listener.render() for listener in self.listeners)
        if self.certificate:
            text += 'tls { certificate = "%s"  key = "%s" }\n' % tuple(self.certificate)
        if self.privileged:
            text += "users { " + "  ".join(f'{role} = "{uid}"' for role, uid in TEST_USERS.items()) + " }\n"
        return text + self.extra

    def write_config(self, text=None):
        """Write postrider.conf in one step."""
        new = self.conf.with_suffix(".new")
        new.write_text(self.render() if text is None else text, encoding="utf-8")
        new.rename(self.conf)

    def add_domain(self, name, users=(), aliases=None, conf=None, password="secret"):
        """See Domains.add."""
        return self.domains.add(name, users, aliases, conf, password)

    # --- life ---

    def start(self):
        """Write the configuration, start the daemon and wait until it says that it is ready."""
        self.write_config()
        return self.start_again()

    def start_again(self):
        """Start with the configuration as it lies there."""
        notify = self.root / "notify"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, open(self.log_path, "ab") as log:
            ready.bind(str(notify))
            os.chmod(notify, 0o666)
            self.process = subprocess.Popen(
                [str(BIN / "postriderd"), "-c", str(self.conf), "-p", str(self.pid_file)], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd="/", env=self.environment(NOTIFY_SOCKET=str(notify)), start_new_session=True,
                preexec_fn=_die_with_parent, **self.identity())
            self.await_ready(ready)
        return self

    def identity(self):
        """Arguments of subprocess for a program that is to run as who started the daemon."""
        if self.run_as is None:
            return {}
        return {"user": self.run_as, "group": self.run_as, "extra_groups": []}

    def environment(self, **more):
        """What the programs see of the environment."""
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC"}
        env.update({key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")})
        env.update(more)
        return env

    def await_ready(self, ready):
        """Wait for READY=1 on the notification socket; a daemon that ends first is a failure."""
        ready.settimeout(0.02)
        end = time.monotonic() + START_LIMIT * patience()
        while time.monotonic() < end:
            try:
                if b"READY=1" in ready.recv(4096).split(b"\n"):
                    return
            except TimeoutError:
                pass
            if self.process.poll() is not None:
                raise AssertionError(f"postriderd ended with {self.process.returncode}:\n{self.log()[-4000:]}")
        raise AssertionError(f"postriderd not ready within {START_LIMIT} s:\n{self.log()[-4000:]}")

    def reload(self):
        """SIGHUP."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self, limit=STOP_LIMIT):
        """SIGTERM, then wait; returns the exit status, None if it had to be killed."""
        if self.process is None or self.process.poll() is not None:
            self.exit_status = self.process.returncode if self.process else None
            return self.exit_status
        below = descendants(self.process.pid)
        began = time.monotonic()
        self.process.terminate()
        try:
            self.exit_status = self.process.wait(limit * patience())
        except subprocess.TimeoutExpired:
            self.exit_status = None
            self._kill_all(below)
        self.stop_seconds = time.monotonic() - began
        return self.exit_status

    def crash(self):
        """SIGKILL to every process at once, supervisor first: what a power cut does to the processes."""
        below = descendants(self.process.pid)
        self._kill_all(below)

    def crash_supervisor(self, limit=5.0):
        """SIGKILL to the supervisor alone; its children must end by themselves."""
        below = descendants(self.process.pid)
        self.process.kill()
        self.process.wait(5)
        wait_for(lambda: not any(alive(pid) for pid in below), limit, "end of the children without a supervisor")

    def _kill_all(self, below):
        self.process.kill()
        self.process.wait(5)
        for pid in below:
            _signal(pid, signal.SIGKILL)
        wait_for(lambda: not any(alive(pid) for pid in below), 5, "end of the killed processes")

    def crash_if_running(self):
        """crash(), for tear-downs that may come after a stop."""
        if self.process is not None and self.process.poll() is None:
            self.crash()

    def destroy(self):
        """End whatever still runs and remove the directory."""
        self.crash_if_running()
        LIVE.discard(self)
        if not os.environ.get("POSTRIDER_TEST_KEEP"):
            shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, _value, _trace):
        """Stop; if the test passed so far, the stop must be clean as well."""
        try:
            running = self.process is not None and self.process.poll() is None
            below = descendants(self.process.pid) if running else {}
            status = self.stop()
            if kind is None and running:
                assert status == 0, f"stopped with {status} after {self.stop_seconds:.1f} s\n{self.log()[-3000:]}"
                wait_for(lambda: not any(alive(pid) for pid in below), 2, "end of all processes after stop")
            if kind is None:
                found = BAD_LOG.search(self.log())
                assert not found, f"in the log: {found.group(0)}\n{self.log()[-6000:]}"
        finally:
            self.destroy()

    # --- processes ---

    def processes(self):
        """[(role, pid)] of everything below the supervisor: the names of the process table, spawner and
        local-child for what `local` starts."""
        found = []
        for pid in descendants(self.process.pid):
            role = process_role(pid)
            if role:
                found.append((role, pid))
        return found

    def pids(self, role):
        """Process ids of one role: smtpd, directory, queue, remote, local, spawner, local-child."""
        if role == "supervisor":
            return [self.process.pid]
        return sorted(pid for name, pid in self.processes() if name == role)

    def pid(self, role):
        """The process id of a role that has one process, waiting for a restart to bring it back."""
        return wait_for(lambda: self.pids(role), 5, f"a process of role {role}")[0]

    def kill(self, role, sig=signal.SIGKILL, which=0):
        """Signal one process of a role; returns its id."""
        pid = wait_for(lambda: self.pids(role), 5, f"a process of role {role}")[which]
        os.kill(pid, sig)
        return pid

    # --- log ---

    def log(self):
        """Everything logged so far."""
        try:
            return self.log_path.read_text(encoding="utf-8", errors="backslashreplace")
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, timeout=10.0, count=1, start=0):
        """Wait until `pattern` is in the log (from octet `start`) `count` times; returns the matches."""
        compiled = re.compile(pattern)

        def look():
            found = list(compiled.finditer(self.log(), start))
            return found if len(found) >= count else None
        return wait_for(look, timeout, f"{pattern!r} in the log")

    # --- mail ---

    @property
    def port(self):
        """Port of the first listener."""
        return self.listeners[0].port

    def smtp(self, listener=0, timeout=10.0):
        """A connected smtplib client."""
        one = self.listeners[listener]
        return smtplib.SMTP(one.host, one.port, local_hostname="client.test", timeout=timeout * patience())

    def send(self, sender, recipients, message, options=()):
        """One message by smtplib; returns the refused recipients, as smtplib does."""
        if isinstance(recipients, str):
            recipients = [recipients]
        with self.smtp() as client:
            return client.sendmail(sender, recipients, message, mail_options=options)

    def messages(self, address):
        """Delivered messages of user@domain."""
        return self.domains.messages(address)

    def wait_messages(self, address, count=1, timeout=10.0):
        """Wait for `count` messages in a mailbox, no more, and return them."""
        wait_for(lambda: len(self.domains.files(address)) >= count, timeout, f"{count} messages of {address}")
        found = self.messages(address)
        assert len(found) == count, f"{len(found)} messages of {address}, want {count}"
        return found

    # --- commands ---

    def command(self, *args, stdin=None, timeout=15.0):
        """`postrider -c FILE args`; the finished process with text output."""
        return subprocess.run([str(BIN / "postrider"), "-c", str(self.conf), *args], input=stdin, text=True,
                              capture_output=True, timeout=timeout * patience(), env=self.environment(), cwd="/", check=False)

    def json(self, *args):
        """The parsed answer of `postrider --json args`."""
        done = self.command("--json", *args)
        assert done.returncode == 0, f"postrider {args}: {done.returncode} {done.stderr}"
        return json.loads(done.stdout)

    def queue(self):
        """What the queue manager holds: see lib.control.queue."""
        return control.queue(self.spool / "sockets/control/queue")

    def wait_queue_empty(self, timeout=15.0):
        """Wait until the queue holds nothing, and nothing is on the way to it."""
        empty_since = None

        def look():
            nonlocal empty_since
            if self.queue():
                empty_since = None
                return False
            empty_since = empty_since or time.monotonic()
            # Not every end of a message is logged at every level.
            return not self.on_the_way() or time.monotonic() - empty_since > patience()
        wait_for(look, timeout, "an empty queue", interval=0.02)

    def on_the_way(self):
        """Ids of messages that were accepted and of which the queue manager, since it started, has not said anything:
        the client hears 250 when a message is on disk, which is before the queue manager has read it."""
        log = self.log()
        log = log[max(0, log.rfind(" damaged\n")):]
        known = set(re.findall(r"(?m)^\S+ queue\[\d+\]: (?:debug: )?id=(\w+) ", log))
        return set(re.findall(r"(?m)^\S+ smtpd\[\d+\]: .* id=(\w+) .* accepted$", log)) - known

    def sendmail(self, *args, stdin="", name="sendmail", timeout=15.0, **more):
        """The sendmail command (or `name`, one of its other names) against this instance."""
        done = subprocess.run([name, *args], executable=str(BIN / "sendmail"),
                              input=stdin if isinstance(stdin, bytes) else stdin.encode(), capture_output=True,
                              timeout=timeout * patience(), env=self.environment(POSTRIDER_CONFIG=str(self.conf)), cwd="/",
                              check=False, **more)
        done.stdout, done.stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        return done


def process_role(pid):
    """What a process calls itself: its argv[0], or "spawner" for the helper that local starts."""
    try:
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    if argv[1:2] == [b"spawner"]:
        return "spawner"
    return argv[0].decode(errors="replace").rpartition("/")[2].partition(" ")[0]


def _die_with_parent():
    """In the child: a daemon never outlives the tests that started it, even if they are killed."""
    PRCTL(PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal(pid, sig):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


def two_bobs(**more):
    """A started Instance with domain1.com and domain2.com, each with its own bob."""
    mta = Instance(**more)
    try:
        mta.add_domain("domain1.com", ["bob", "alice"])
        mta.add_domain("domain2.com", ["bob"])
        return mta.start()
    except BaseException:
        mta.destroy()
        raise


__all__ = ["BIN", "BUILD", "Instance", "LIVE", "Listener", "Message", "TOP", "process_role", "two_bobs"]
