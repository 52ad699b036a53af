"""Which calls of the kernel each process makes, seen by strace while an instance does all kinds of work, against those
that its filter allows (common/syscall_filter.c).  What is allowed and not made then has its reason in allowed_calls.tsv; a
reason for a call that is allowed no more is out of date."""

import re
import shutil
import signal
import smtplib
import subprocess
from pathlib import Path

import pytest

from lib import instance
from lib.certificates import client_context, make_certificate
from lib.instance import Listener
from lib.smtp_raw import RawClient
from lib.waiting import wait_for
from lib.world import World

pytestmark = [pytest.mark.root, pytest.mark.limit(240)]

REASONS = Path(__file__).with_name("allowed_calls.tsv")
PROCESSES = ("directory", "queue", "local", "remote", "keys", "smtpd", "local-child")
# What libraries try of their own accord, and hear an error.
ANSWERED = {"clone3", "open", "openat", "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink",
            "readlinkat"}
CALL = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(\(| resumed>)")
RESULT = re.compile(r"= (\d+)$")


def allowed():
    """{process: set of calls}."""
    done = subprocess.run([str(instance.BUILD / "tests/allowed")], capture_output=True, text=True, check=True, timeout=20)
    found = {}
    for line in done.stdout.splitlines():
        process, call = line.split()
        found.setdefault(process, set()).add(call)
    assert set(found) == set(PROCESSES), sorted(found)
    return found


def reasons():
    """{(process, call): reason}; a process of * means every one that may make it."""
    found = {}
    for line in REASONS.read_text(encoding="utf-8").splitlines()[1:]:
        process, call, reason = line.split("\t")
        assert reason and (process == "*" or process in PROCESSES), line
        assert (process, call) not in found, line
        found[process, call] = reason
    return found


class Trace:
    """What strace has written, read in order: who is which process, and what it has called behind its filter."""

    def __init__(self, lines):
        self.roles, self.confined, self.executed, self.made = {}, set(), set(), {}
        self.pending = {}
        self.parents = self.find_parents(lines)
        for line in lines:
            self.read(line)

    def find_parents(self, lines):
        parents = {}
        for line in lines:
            found = CALL.match(line)
            result = RESULT.search(line)
            if found and result and found[2] in ("clone", "clone3", "fork", "vfork"):
                parents[result[1]] = found[1]
        return parents

    def read(self, line):
        found = CALL.match(line)
        if not found:
            return
        pid, call, resumed = found[1], found[2], found[3] != "("
        parent = self.parents.get(pid)
        if pid not in self.roles and parent in self.roles:
            self.roles[pid] = self.roles[parent]
            if parent in self.confined:
                self.confined.add(pid)
        if resumed:
            line = self.pending.pop(pid, "") + line
        elif line.endswith("<unfinished ...>"):
            self.pending[pid] = line
        if pid in self.confined and not resumed:
            self.made.setdefault(self.roles[pid], set()).add(call)
        if call == "execve" and not resumed:
            self.on_execute(pid, line)
        elif call == "seccomp" and "SECCOMP_SET_MODE_FILTER" in line and line.endswith("= 0"):
            # A process that local's spawner has forked, and that is to be a child of local's.
            if self.roles[pid] == "local" and pid in self.confined and pid not in self.executed:
                self.roles[pid] = "local-child"
            self.confined.add(pid)

    def on_execute(self, pid, line):
        """The spawner, which local becomes a second time, may make what local may."""
        name = re.search(r'execve\("[^"]*/([\w-]+)"', line)
        if name and name[1] in PROCESSES:
            self.executed.add(pid)
            self.roles.setdefault(pid, name[1])


def traced_programs(root):
    """The programs, postriderd behind strace; returns their directory."""
    shutil.copytree(instance.BIN, root / "real")
    (root / "bin").mkdir(mode=0o755)
    for program in (root / "real").iterdir():
        (root / "bin" / program.name).symlink_to(program)
    wrapper = root / "bin/postriderd"
    wrapper.unlink()
    # -D: what postriderd's parent started is postriderd, not strace.
    wrapper.write_text(f'#!/bin/sh\nexec strace -D -f -qq -s 0 -e signal=none -o {root}/trace.$$ {root}/real/postriderd "$@"\n')
    wrapper.chmod(0o755)
    return root / "bin"


CHECKS = "/^Subject: hold/ HOLD to be looked at\n/^Subject: redirect/ REDIRECT alice@domain1.com\n"


class Work:
    """An instance that does all kinds of things, over two lives: `mta` is one that starts with traced programs."""

    def __init__(self, root):
        checks, access = root / "checks", root / "access"
        for parent in (root, *root.parents[:2]):
            parent.chmod(0o755)
        checks.write_text(CHECKS)
        access.write_text("Connect:10.9.8.7 REJECT\n")
        for path in (checks, access):
            path.chmod(0o644)
        self.world = World(**{
            "workers": 1, "segment-size": "1M", "header-checks": str(checks), "access": str(access), "client-name": "warn",
            "helo-resolves": "warn", "sender-domain": "warn", "check-header-from": "warn", "auth-scram": "yes",
            "greeting-delay": "10ms", "message-rate-per-client": "100000/hour", "delay-warning": "1s"})
        self.mta = self.world.mta
        self.mta.extra = 'dnsbl "bl.test" { action = warn }\n'
        self.mta.listeners = [Listener(), Listener(role="submission"), Listener(tls="implicit")]
        self.mta.certificate = make_certificate(self.mta.root)
        self.mta.add_domain("full.test", ["anna"], conf="quota = 10K\nmessage-rate = 1000/hour\n",
                            aliases="list: :include:etc/list\nboth: anna, bob@domain1.com\n")
        self.mta.domains.rewrite("full.test", "list", "anna\nbob@domain2.com\n")
        self.sink = self.world.sink("remote.test", tls=True)
        self.world.sink("late.test", script={"RCPT": "450 4.2.1 later"})
        self.world.sink("never.test", script={"RCPT": "550 5.1.1 no"})
        self.world.dns.behave("broken.test", "ANY", "servfail")
        # Too much for UDP.
        self.world.dns.mx("many.test", (10, "mx.many.test"), *((20, f"mx{n}.a-long-name-for-a-host.many.test") for n in range(99)))
        self.world.dns.a("mx.many.test", self.sink.host)

    def receive(self):
        big = b"Subject: big\r\n\r\n" + b"0123456789\r\n" * 60000
        for subject in ("x", "hold", "redirect"):
            self.mta.send("alice@domain1.com", ["bob@domain1.com", "bob@domain2.com", "list@full.test", "x@remote.test"],
                          f"Subject: {subject}\r\n\r\nx\r\n".encode())
        self.mta.send("alice@domain1.com", ["bob@domain1.com", "x@remote.test", "x@late.test", "x@never.test"], big)
        self.mta.send("alice@domain1.com", ["both@full.test", "x@many.test"], b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n")
        with RawClient("127.0.0.1", self.mta.port) as client:
            client.hello()
            client.command("MAIL FROM:<s@broken.test>", "250")
            client.command("RCPT TO:<bob@domain1.com>", "250")
            client.command("RCPT TO:<nobody@domain1.com>", "550")
            client.send(b"BDAT 16 LAST\r\nSubject: x\r\n\r\nx\r")
            client.read_reply()
        with RawClient("127.0.0.1", self.mta.port) as client:
            client.hello()
            client.command("MAIL FROM:<s@else.test>", "250")
            client.command("RCPT TO:<bob@domain1.com>", "250")
            client.command("DATA", "354")
            client.send(b"Subject: cut\r\n\r\n" + b"0123456789\r\n" * 60000)
        self.arrive("bob@domain1.com", 3)
        self.world.dns.wait_asked("many.test", "MX", 2)

    def arrive(self, address, count):
        wait_for(lambda: len(self.mta.domains.files(address)) >= count, 30, f"{count} messages of {address}")

    def submit(self):
        listener = self.mta.listeners[1]
        for password in ("wrong", "secret"):
            with smtplib.SMTP("127.0.0.1", listener.port, timeout=20) as client:
                client.starttls(context=client_context())
                try:
                    client.login("alice@domain1.com", password)
                except smtplib.SMTPAuthenticationError:
                    continue
                client.sendmail("alice@domain1.com", ["x@remote.test", "x@never.test"],
                                "From: <carl@else.test>\r\nSubject: x\r\n\r\nx\r\n",
                                rcpt_options=["NOTIFY=SUCCESS,FAILURE"])
        self.mta.sendmail("bob@domain1.com", stdin="Subject: x\n\nx\n")

    def administer(self):
        for args in (["status"], ["check"], ["queue", "list"], ["queue", "summary"], ["explain", "list@full.test"],
                     ["explain", "--client", "192.0.2.1", "--helo", "c.test", "--from", "s@broken.test", "--rcpt", "bob@domain1.com"],
                     ["queue", "pause", "--destination", "late.test"], ["queue", "resume", "--destination", "late.test"],
                     ["user", "quota", "anna@full.test"], ["queue", "retry", "--yes", "--domain", "late.test"]):
            self.mta.command(*args)
        for message in self.mta.queue()[:2]:
            for verb in ("show", "cat", "hold", "release"):
                self.mta.command("queue", verb, message["id"])
        one = next((message["id"] for message in self.mta.queue()), None)
        if one:
            self.mta.command("queue", "remove", "--yes", one)
        self.mta.domains.rewrite("domain1.com", "aliases", "new: bob\n")
        self.mta.add_domain("later.test", ["carl"])
        (self.mta.domains.root / "alias.test").symlink_to("later.test")
        self.mta.send("alice@domain1.com", ["postmaster", "carl@alias.test"], b"Subject: x\r\n\r\nx\r\n")
        self.mta.send("alice@domain1.com", ["new@domain1.com", "carl@later.test"], b"Subject: x\r\n\r\nx\r\n")
        self.arrive("carl@later.test", 1)
        make_certificate(self.mta.root)
        self.mta.command("reload", timeout=30)

    def die(self):
        """Every process but the supervisor once, to be started again; and mail goes on."""
        child = self.mta.kill("local-child", signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{child}").exists(), 10, "the end of a child")
        for role in ("spawner", "keys", "directory", "local", "remote", "queue", "smtpd"):
            pid = self.mta.kill(role, signal.SIGKILL)
            wait_for(lambda r=role, p=pid: self.mta.pids(r) not in ([], [p]), 20, f"another {role}")

    def live(self):
        self.mta.start()
        self.receive()
        self.submit()
        self.administer()
        assert self.mta.stop(30) == 0
        self.mta.sendmail("bob@domain2.com", stdin="Subject: dropped\n\nx\n")
        before = len(self.mta.messages("bob@domain2.com"))
        self.mta.start()
        self.arrive("bob@domain2.com", before + 1)
        self.die()
        self.receive()
        assert self.mta.stop(30) == 0


@pytest.fixture(name="made", scope="module")
def fixture_made(tmp_path_factory):
    """{process: set of calls} that were made."""
    before, work = instance.BIN, None
    try:
        work = Work(tmp_path_factory.mktemp("calls"))
        instance.BIN = traced_programs(work.mta.root)
        work.live()
        lines = [line for path in sorted(work.mta.root.glob("trace.*")) for line in path.read_text(errors="replace").splitlines()]
    finally:
        instance.BIN = before
        if work:
            work.world.close(clean=False)
    return Trace(lines).made


def test_nothing_is_allowed_without_a_reason(made):
    """What is allowed is made in this run, or has its reason; local's filter has to allow its children their own."""
    may, why = allowed(), reasons()
    for process in PROCESSES:
        seen = made[process] | (made["local-child"] if process == "local" else set())
        known = {call for who, call in why if who in ("*", process) or (who, process) == ("local-child", "local")}
        assert len(seen) > 15, f"{process} was not seen at work: {sorted(seen)}"
        assert not may[process] - seen - known, f"{process} may, and does not: {sorted(may[process] - seen - known)}"


def test_nothing_else_is_made(made):
    """Who made another call would not live any more: that the trace tells none shows that it is read rightly."""
    may = allowed()
    for process in PROCESSES:
        assert not made[process] - may[process] - ANSWERED, f"{process}: {sorted(made[process] - may[process] - ANSWERED)}"


def test_reasons_are_for_what_is_allowed():
    may = allowed()
    for process, call in reasons():
        who = PROCESSES if process == "*" else (process,)
        assert any(call in may[one] for one in who), f"{process} {call}: is allowed no more"
