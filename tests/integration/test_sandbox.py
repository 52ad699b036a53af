"""What the kernel is asked for: a process that does what its row in the process table does not allow is stopped.

build/tests/breakout becomes a process of the table and tries one thing; the running processes are looked at in
/proc.  Rows of tests/vectors/privs.tsv: PV-05, PV-10, PV-14 to PV-17, PV-19 to PV-21, PV-23, PV-32.
"""

import os
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from lib.domains import FIRST_OWNER
from lib.instance import BUILD
from lib.world import World

BREAKOUT = BUILD / "tests" / "breakout"
CHILD = "local-child"
STRANGERS = ("smtpd", "remote", "queue", "directory", "keys")
NOBODY = ("socket-packet", "socket-netlink", "listen", "execve", "ptrace", "setuid", "mount", "unshare", "bpf", "keyctl",
          "perf", "io-uring", "userfaultfd", "mmap-exec", "mprotect-exec", "read-memory", "dumpable")
# What else a process may not do, though others may; (attempt, process).
FORBIDDEN = [(attempt, process) for process in STRANGERS for attempt in NOBODY] + [
    ("socket-inet", "smtpd"), ("socket-inet", "keys"), ("fork", "keys"), ("unlink", "keys"), ("socket-inet", "queue"), ("socket-inet", "directory"), ("socket-inet", "local"),
    ("socket-packet", "local"), ("mount", "local"), ("unshare", "local"), ("bpf", "local"), ("io-uring", "local"),
    ("mmap-exec", "local"), ("read-memory", "local"),
    ("mkdir", "smtpd"), ("unlink", "smtpd"), ("mkdir", "remote"), ("unlink", "remote"),
    ("mkdir", "directory"), ("unlink", "directory"), ("write-inside", "directory"), ("write-outside", "directory"),
    ("socket-unix", "directory"), ("mkdir", "queue"),
    ("fork", "smtpd"), ("fork", "remote"), ("fork", "directory"),
    ("kill", "smtpd"), ("kill", "remote"), ("kill", "directory")] + [
    (attempt, CHILD) for attempt in (*NOBODY, "socket-inet", "socket-unix", "fork", "kill")]
# Refused with an error: libraries try these.
REFUSED = [("read-passwd", "keys"), ("write-inside", "keys"), ("read-passwd", "smtpd"), ("read-own", "smtpd"), ("write-inside", "smtpd"), ("read-passwd", "remote"),
           ("read-own", "remote"), ("write-inside", "remote")]
BEYOND = [("read-passwd", "queue"), ("write-outside", "queue"), ("read-passwd", CHILD), ("read-outside", CHILD),
          ("write-outside", CHILD)]
ALLOWED = [("memory", process) for process in STRANGERS + ("local", CHILD)] + [
    ("socket-unix", process) for process in (*STRANGERS, "local") if process != "directory"] + [
    (attempt, CHILD) for attempt in ("read-own", "write-inside", "mkdir", "unlink", "move")] + [
    ("log-to-socket", process) for process in (*STRANGERS, "local", CHILD)] + [
    ("socket-inet", "remote"), ("read-own", "queue"), ("write-inside", "queue"), ("unlink", "queue"),
    ("fork", "queue"), ("read-passwd", "directory"), ("fork", "local"), ("execve", "local")]


@pytest.fixture(name="place")
def fixture_place():
    """A directory of the owner of the first domain, and a neighbour's that its user's rights alone would let in."""
    with tempfile.TemporaryDirectory(prefix="prt-", dir="/tmp") as top:
        os.chmod(top, 0o755)
        for name in ("root", "root/sub", "neighbour"):
            os.mkdir(f"{top}/{name}")
        Path(top, "root/inside").write_text("x", encoding="ascii")
        Path(top, "neighbour/inside").write_text("x", encoding="ascii")
        for name in ("root", "root/inside", "root/sub", "neighbour", "neighbour/inside") if os.geteuid() == 0 else ():
            os.chown(f"{top}/{name}", FIRST_OWNER, FIRST_OWNER)
        yield Path(top, "root")


def attempt(place, process, name):
    return subprocess.run([BREAKOUT, process, place, name], capture_output=True, text=True, timeout=20, check=False)


def landlock_version():
    """Of this kernel; 0 without."""
    import ctypes
    return max(0, ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1))


@pytest.mark.parametrize("name,process", FORBIDDEN)
def test_forbidden(place, name, process):
    done = attempt(place, process, name)
    assert done.returncode == -signal.SIGSYS, f"{process} {name}: status {done.returncode} {done.stdout}{done.stderr}"


@pytest.mark.parametrize("name,process", REFUSED)
def test_refused(place, name, process):
    done = attempt(place, process, name)
    assert (done.returncode, done.stdout) == (1, "Permission denied\n"), f"{process} {name}: {done}"


@pytest.mark.parametrize("name,process", BEYOND)
def test_files_elsewhere(place, name, process):
    if landlock_version() == 0:
        pytest.skip("this kernel has no Landlock")
    done = attempt(place, process, name)
    assert (done.returncode, done.stdout) == (1, "Permission denied\n"), f"{process} {name}: {done}"


@pytest.mark.parametrize("name,process", ALLOWED)
def test_allowed(place, name, process):
    done = attempt(place, process, name)
    assert done.returncode == 0, f"{process} {name}: status {done.returncode} {done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def running():
    world = World()
    try:
        mta = world.start()
        mta.send("alice@domain1.com", ["bob@domain2.com"], b"Subject: x\r\n\r\nx\r\n")
        mta.wait_messages("bob@domain2.com", 1)
        yield mta
    finally:
        world.close()


def field(pid, name):
    text = open(f"/proc/{pid}/status", encoding="utf-8").read()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)[name]


def test_every_process_has_a_filter(running):
    """PV-05."""
    seen = set()
    for role, pid in running.processes():
        seen.add(role)
        assert field(pid, "Seccomp") == "2", role
        assert int(field(pid, "Seccomp_filters")) >= (2 if role == "local-child" else 1), role
    assert {"smtpd", "directory", "queue", "local", "remote", "spawner", "local-child"} <= seen


def test_a_child_for_each_domain(running):
    """What one owner's two domains are given shares no process, since each sees its own domain alone."""
    twins = ("twin1.test", "twin2.test")
    for name in twins:
        running.add_domain(name, ["bob"])
        if running.privileged:
            running.domains.owners[name] = running.domains.owners[twins[0]]
            running.domains.give(running.domains.root / name, running.domains.owners[name])
    running.send("alice@domain1.com", [f"bob@{name}" for name in twins], b"Subject: x\r\n\r\nx\r\n")
    for name in twins:
        running.wait_messages(f"bob@{name}", 1)
    children = [pid for pid in running.pids("local-child")
                if field(pid, "Uid").split()[0] == str(running.domains.owners[twins[0]] if running.privileged else os.getuid())]
    assert len(children) >= 2, children


def test_status_says_what_is_enforced(running):
    """PV-32."""
    text = running.command("status").stdout
    assert "system calls: filtered" in text
    version = landlock_version()
    assert (f"Landlock version {version}" if version else "Landlock: not in this kernel") in text


def test_log_mode_stops_nobody():
    world = World(**{"system-call-filter": "log"})
    try:
        mta = world.start()
        mta.send("alice@domain1.com", ["bob@domain2.com"], b"Subject: x\r\n\r\nx\r\n")
        mta.wait_messages("bob@domain2.com", 1)
        assert field(mta.pids("smtpd")[0], "Seccomp") == "2"
    finally:
        world.close()


def test_off_means_off():
    world = World(**{"system-call-filter": "off"})
    try:
        mta = world.start()
        assert field(mta.pids("smtpd")[0], "Seccomp") == "0"
        assert "system calls: not filtered" in mta.command("status").stdout
    finally:
        world.close()
