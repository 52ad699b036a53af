"""Plays privs.tsv: what each process of a busy instance may do, one test a row.

What a row asks for is mostly looked up in /proc of the real processes; what is tried and has to fail is tried by
build/tests/breakout, which becomes a process of the table.  Checks that tests/integration has are called here, so
that each row has its line in the output.
"""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from integration import test_calls, test_install, test_privileges, test_sandbox, test_supervisor_alone, test_tls
from integration.test_calls import fixture_made  # noqa: F401
from integration.test_install import place as installation  # noqa: F401
from integration.test_privileges import UIDS, busy, descriptors, roles, status  # noqa: F401
from integration.test_sandbox import fixture_place, landlock_version  # noqa: F401
from integration.conftest import alone  # noqa: F401
from lib import instance, wrapped
from lib.instance import BIN
from lib.peer import Peer
from lib.secured import Secured
from lib.waiting import wait_for
from lib.world import World

pytestmark = [pytest.mark.root, pytest.mark.limit(120)]

SUPERVISOR_CAPS = sum(1 << number for number in (2, 5, 6, 7, 8, 10, 18))


def everybody(mta):
    """[(role, pid)] of every process, the supervisor too."""
    return [("supervisor", mta.process.pid)] + [(role, pid) for role, pids in roles(mta).items() for pid in pids]


def breaks_out(place, process, *attempts):
    """breakout tries each as that process: SIGSYS, or an error where the table says so."""
    for attempt in attempts:
        (place / "inside").write_text("x", encoding="ascii")
        done = test_sandbox.attempt(place, process, attempt)
        refused = (done.returncode, done.stdout) == (1, "Permission denied\n")
        assert refused or done.returncode == -signal.SIGSYS, f"{process} {attempt}: {done}"


# --- who the processes are ---

def test_pv_01(busy):
    assert status(busy.process.pid)["Uid"].split() == ["0"] * 4
    test_privileges.test_users(busy)


def test_pv_02(busy):
    for role, pid in everybody(busy):
        assert status(pid)["Groups"].split() == [], role


def test_pv_03(busy):
    test_privileges.test_capabilities(busy)
    own = status(busy.process.pid)
    for name in ("CapPrm", "CapEff", "CapBnd"):
        assert int(own[name], 16) & ~SUPERVISOR_CAPS == 0, f"{name} {own[name]}"
    assert int(own["CapInh"], 16) == int(own["CapAmb"], 16) == 0


def test_pv_04(busy):
    for role, pid in everybody(busy):
        assert status(pid)["NoNewPrivs"] == "1", role


def test_pv_05(busy):
    for role, pid in everybody(busy):
        if role != "supervisor":
            assert status(pid)["Seccomp"] == "2" and int(status(pid)["Seccomp_filters"]) >= 1, role


def test_pv_06(busy):
    test_privileges.test_root_directories(busy)


def test_pv_07(busy):
    for role, pid in everybody(busy):
        assert os.readlink(f"/proc/{pid}/cwd") == os.readlink(f"/proc/{pid}/root"), role


def test_pv_08(busy):
    """smtpd: the log, sockets, the event loop, write-only segments; the others as doc/IPC.md has it."""
    test_privileges.test_smtpd_can_read_no_queue_file(busy)
    test_privileges.test_queue_and_remote_hold_no_network(busy)
    test_privileges.test_children_of_local_see_no_other_domain(busy)
    spool = f"{busy.spool}/"
    for role, pid in everybody(busy):
        for number, target, access, what in descriptors(pid):
            if number <= 2:
                assert target in ("/dev/null", str(busy.log_path)), f"{role}: {number} -> {target}"
            elif role in ("smtpd", "remote", "keys", "local", "spawner", "supervisor"):
                lock = target == f"{spool}lock"
                held = role == "smtpd" and access == os.O_WRONLY and target.startswith(spool)
                large = role == "remote" and access == os.O_RDONLY and target.startswith(f"{spool}large/")
                watch = role == "supervisor" and lock
                kernel = target.startswith(("socket:", "pipe:", "anon_inode:"))
                assert kernel or held or large or watch or (role == "smtpd" and lock), f"{role}: {number} -> {target}"
            assert not target.endswith((".pem", ".key")), f"{role}: {number} -> {target}"


def test_pv_09(alone):
    """What a started process finds: 0, 1, 2, its channel and, for those who hold the spool, the lock."""
    test_supervisor_alone.test_children_inherit_nothing(alone)


def test_pv_10(busy):
    for role, pid in everybody(busy):
        maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
        assert not re.search(r"(?m)^\S+ .?wx", maps), role


def test_pv_11():
    for path in sorted(BIN.iterdir()):
        headers = subprocess.run(["readelf", "-hlWd", path], capture_output=True, text=True, timeout=20, check=True).stdout
        assert re.search(r"Type:\s+DYN \(Position-Independent Executable", headers), f"{path.name}: no PIE"
        assert "GNU_RELRO" in headers and re.search(r"BIND_NOW|FLAGS.*NOW", headers), f"{path.name}: no full RELRO"
        assert not re.search(r"\((?:RPATH|RUNPATH)\)", headers), f"{path.name}: a search path for libraries"
        assert re.search(r"GNU_STACK\s.* RW +0x", headers), f"{path.name}: the stack is executable"


def test_pv_12(busy):
    """doc/ARCHITECTURE.md: no core files; descriptors up to the hard limit where a process holds many."""
    for role, pid in everybody(busy):
        limits = Path(f"/proc/{pid}/limits").read_text(encoding="utf-8")
        assert re.search(r"Max core file size\s+0\s+0", limits), role
        soft, hard = re.search(r"Max open files\s+(\d+)\s+(\d+)", limits).groups()
        if role in ("smtpd", "queue", "directory", "remote", "local-child"):
            assert soft == hard, f"{role}: {soft} of {hard} descriptors"


def test_pv_13(busy):
    """Not even its own user may look into a process: it is not dumpable."""
    probe = ("import ctypes, os, sys\n"
             "pid, uid = int(sys.argv[1]), int(sys.argv[2])\n"
             "os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)\n"
             "libc, open_ = ctypes.CDLL(None, use_errno=True), []\n"
             "for name in ('mem', 'maps', 'environ'):\n"
             "    try:\n"
             "        os.close(os.open(f'/proc/{pid}/{name}', os.O_RDONLY)); open_.append(name)\n"
             "    except PermissionError: pass\n"
             "if libc.ptrace(16, pid, None, None) == 0: open_.append('ptrace')\n"
             "elif ctypes.get_errno() != 1: open_.append(f'ptrace: errno {ctypes.get_errno()}')\n"
             "class Piece(ctypes.Structure):\n"
             "    _fields_ = [('base', ctypes.c_void_p), ('len', ctypes.c_size_t)]\n"
             "mine = ctypes.create_string_buffer(1)\n"
             "here = Piece(ctypes.cast(mine, ctypes.c_void_p), 1)\n"
             "if libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(here), 1, 0) != -1: open_.append('readv')\n"
             "elif ctypes.get_errno() != 1: open_.append(f'readv: errno {ctypes.get_errno()}')\n"
             "print(open_)\n")
    for role, pid in everybody(busy):
        uid = int(status(pid)["Uid"].split()[0]) or 65100
        done = subprocess.run([sys.executable, "-c", probe, str(pid), str(uid)], capture_output=True, text=True, timeout=20,
                              check=False)
        assert (done.returncode, done.stdout) == (0, "[]\n"), f"{role}: {done}"
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0, f"{role} is dumpable"


# --- what they try in vain ---

def test_pv_14(place):
    breaks_out(place, "smtpd", "read-passwd", "read-own", "write-inside", "mkdir", "unlink")


def test_pv_15(place):
    breaks_out(place, "smtpd", "socket-inet", "listen", "bind", "socket-packet", "socket-netlink")


def test_pv_16(place):
    breaks_out(place, "smtpd", "execve", "fork", "ptrace", "kill", "setuid", "mount", "unshare", "bpf", "keyctl", "perf",
               "io-uring", "userfaultfd")


def test_pv_17(place):
    for process in (*test_sandbox.STRANGERS, test_sandbox.CHILD):
        breaks_out(place, process, "mmap-exec", "mprotect-exec")


def test_pv_18(busy):
    """A worker that has been taken over says what is not so: it loses its connection, the queue and the others nothing."""
    path = busy.spool / "sockets/smtpd/queue"
    queue = busy.pid("queue")
    segment = ["number=1", "generation=1"]
    lies = [("durable", *segment, "offset=18446744073709551615"), ("durable", "number=999", "generation=1", "offset=4096"),
            ("large-durable", "message=ffffffffffffffff"), ("sealed", "number=999", "generation=9", "offset=1", "why=full"),
            ("holding", "number=999", "generation=1", "offset=0"), ("durable",), ("nonsense",), ("retry 1", "all=yes"),
            ("list 1",), ("resolve 1", "address=bob@domain1.com"),
            ("count",) + tuple(f"rcpt=x{number}@remote.test" for number in range(100000))]
    for lie in lies:
        with Peer(path, UIDS["smtpd"], "smtpd") as peer:
            peer.say(*lie)
            peer.is_gone(0.3)
    with Peer(path, UIDS["smtpd"], "smtpd") as peer:
        peer.raw(b"\xff\xff\xff\xff\0\0\0\0\0\0\0\0")
        assert peer.is_gone(2), "a frame of 4 GiB was waited for"
    assert busy.pids("queue") == [queue] and busy.queue() is not None
    before = len(busy.messages("alice@domain1.com"))
    busy.send("s@else.test", ["alice@domain1.com"], b"Subject: still here\r\n\r\nx\r\n")
    busy.wait_messages("alice@domain1.com", before + 1)


def test_pv_19(place):
    breaks_out(place, "queue", "socket-inet", "socket-packet", "socket-netlink", "listen", "bind")


def test_pv_20(place):
    if landlock_version() < 2:
        pytest.skip("this kernel has no Landlock that can allow renames")
    (place / "link").symlink_to("../neighbour/inside")
    breaks_out(place, "queue", "read-passwd", "read-outside", "write-outside", "read-link")


def test_pv_21(place):
    breaks_out(place, test_sandbox.CHILD, "socket-inet", "socket-unix", "listen", "bind", "execve", "fork", "kill")
    if landlock_version() < 2:
        pytest.skip("this kernel has no Landlock that can allow renames: files are kept apart by users alone")
    breaks_out(place, test_sandbox.CHILD, "read-passwd", "read-outside", "write-outside")


def test_pv_22(busy, place):
    test_privileges.test_children_of_local_have_no_way_back(busy)
    breaks_out(place, test_sandbox.CHILD, "setuid")


def test_pv_23(place):
    """It connects out, as is its job; whom it may connect to is decided in deliver/route.c (no loopback unless configured)."""
    breaks_out(place, "remote", "read-passwd", "read-own", "write-inside", "listen", "accept",
               *["bind-port"] * (landlock_version() >= 4))
    assert test_sandbox.attempt(place, "remote", "socket-inet").returncode == 0
    world = World(**{"allow-loopback-destinations": False})
    try:
        sink = world.sink("remote.test")
        mta = world.start()
        mta.send("alice@domain1.com", ["x@remote.test"], b"Subject: x\r\n\r\nx\r\n")
        wait_for(lambda: any(one["recipients"][0]["attempts"] for one in mta.queue()) or mta.messages("alice@domain1.com"), 15,
                 "an attempt")
        assert not sink.sessions, "connected to a loopback address"
    finally:
        world.close()


def test_pv_24():
    """A second, false remote gets a job, decides about entries that are not in it, and about the job of the true one."""
    world = World(retry=["300s"])
    try:
        mta = world.start()
        os.kill(mta.pid("remote"), signal.SIGSTOP)
        with Peer(mta.spool / "sockets/remote/queue", UIDS["remote"], "remote") as peer:
            peer.say("ready", "slots=1")
            mta.send("alice@domain1.com", ["x@remote.test"], b"Subject: secret one\r\n\r\nx\r\n")
            mta.send("bob@domain1.com", ["y@other.test"], b"Subject: secret two\r\n\r\nx\r\n")
            peer.say("answer 12345678", "rcpt=1", "kind=ok", "code=250", "status=2.0.0", "text=done", "mta=x")
            peer.say("answer 1", "rcpt=4000000000", "kind=ok", "code=250", "status=2.0.0", "text=done", "mta=x")
            for verb in ("list 2", "show 3", "cat 4", "resolve 5"):
                peer.say(verb, "message=1", "address=bob@domain1.com")
            gone = peer.is_gone(2)
        assert gone, "the false remote was listened to"
        os.kill(mta.pid("remote"), signal.SIGCONT)
        states = wait_for(lambda: len(mta.queue()) == 2 and mta.queue(), 10, "both messages in the queue")
        assert {one["recipients"][0]["address"] for one in states} == {"x@remote.test", "y@other.test"}
    finally:
        world.close()


# --- secrets ---

def test_pv_25():
    worlds = []

    def make_secured(kind):
        worlds.append(World())
        return Secured(worlds[-1], kind)
    try:
        test_tls.test_no_private_key_outside_keys(make_secured)
    finally:
        for world in worlds:
            world.close()


def test_pv_26(busy):
    """etc/passwd of a domain, closed to the world: the directory reads it, the users of the others cannot."""
    path = busy.domains.root / "domain1.com/etc/passwd"
    path.chmod(0o600)
    try:
        for role, uid in UIDS.items():
            probe = ("import os, sys\nos.setgroups([]); os.setresgid(*[int(sys.argv[2])] * 3); os.setresuid(*[int(sys.argv[2])] * 3)\n"
                     "try: open(sys.argv[1], 'rb').read(1); print('read')\nexcept PermissionError: print('refused')\n")
            if uid != 0:
                done = subprocess.run([sys.executable, "-c", probe, str(path), str(uid)], capture_output=True, text=True,
                                      timeout=20, check=True)
                assert done.stdout == "refused\n", role
        for role in ("smtpd", "queue", "remote", "keys", "local"):
            for pid in roles(busy)[role]:
                assert int(status(pid)["CapEff"], 16) & 1 << test_privileges.CAP_DAC_READ_SEARCH == 0, role
        assert busy.command("explain", "bob@domain1.com").returncode == 0
    finally:
        path.chmod(0o644)


def test_pv_27(busy):
    """While mail passes the supervisor opens no file and talks to no network."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    trace = busy.root / "strace"
    with subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=%network,%file", "-o", trace, "-p", str(busy.process.pid)],
                          stderr=subprocess.PIPE) as tracer:
        try:
            time.sleep(0.5)
            assert tracer.poll() is None, tracer.stderr.read()
            before = len(busy.messages("alice@domain1.com"))
            for _ in range(20):
                busy.send("s@else.test", ["alice@domain1.com"], b"Subject: traced\r\n\r\n" + b"x" * 900 + b"\r\n")
            busy.wait_messages("alice@domain1.com", before + 20)
            time.sleep(0.5)
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(10)
    lines = [line for line in trace.read_text(errors="replace").splitlines() if not re.search(r"---|\+\+\+|resumed", line)]
    assert lines == [], lines[:5]


# --- what is installed ---

def test_pv_28(installation):
    assert installation("install").returncode == 0
    for path in [installation.root, *installation.root.rglob("*")]:
        assert path.is_symlink() or path.lstat().st_mode & 0o6000 == 0, path
    test_privileges.test_programs_are_not_set_id(None)


def test_pv_29(installation):
    assert installation("install").returncode == 0
    for path in installation.root.rglob("*"):
        about = path.lstat()
        assert about.st_uid == 0 and (path.is_symlink() or about.st_mode & 0o022 == 0), f"{path} {oct(about.st_mode)}"
    assert stat.S_IMODE((installation.root / "etc/postrider").stat().st_mode) == 0o755


# --- the filter and its limits ---

def test_pv_30(made):
    """Not of the whole suite, but of an instance that does some of everything it can do."""
    test_calls.test_nothing_is_allowed_without_a_reason(made)
    test_calls.test_nothing_else_is_made(made)


def kills_of(pids):
    """Lines of the kernel's log about calls of these processes."""
    text = subprocess.run(["dmesg"], capture_output=True, text=True, timeout=20, check=False).stdout
    return [line for line in text.splitlines() if re.search(rf"pid=(?:{'|'.join(map(str, pids))}) ", line) and "sig=31" in line]


def test_pv_31(busy):
    """After all that work no process of the instance was ended for a call."""
    pids = [pid for _, pid in everybody(busy)]
    assert not kills_of(pids), kills_of(pids)
    assert "ended by signal 31" not in busy.log()


WITHOUT_LANDLOCK = """
import ctypes, ctypes.util, os, sys
lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
context = ctypes.c_void_p(lib.seccomp_init(0x7fff0000))
for name in (b"landlock_create_ruleset", b"landlock_add_rule", b"landlock_restrict_self"):
    number = lib.seccomp_syscall_resolve_name(name)
    assert lib.seccomp_rule_add(context, 0x00050000 | 38, number, 0) == 0, name
assert lib.seccomp_load(context) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_pv_32():
    """A kernel without Landlock (ENOSYS to its calls): mail is delivered, and status says what is missing."""
    world = World()
    before = instance.BIN
    try:
        script = world.mta.root / "without.py"
        script.write_text(WITHOUT_LANDLOCK)
        instance.BIN = wrapped.make(world.mta.root, f"{sys.executable} {script}")
        mta = world.start()
        mta.send("alice@domain1.com", ["bob@domain2.com"], b"Subject: x\r\n\r\nx\r\n")
        mta.wait_messages("bob@domain2.com", 1)
        assert "Landlock: not in this kernel" in mta.command("status").stdout
        assert status(mta.pid("smtpd"))["Seccomp"] == "2"
    finally:
        instance.BIN = before
        world.close()


# --- what they show ---

def test_pv_33(busy):
    for role, pid in everybody(busy):
        if role == "supervisor":
            continue
        lines = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        fixed = [b"PATH=/usr/sbin:/usr/bin:/sbin:/bin", b"TZ=UTC", b""]
        assert lines in ([b""], fixed), f"{role}: {lines}"


def test_pv_34(busy):
    for role, pid in everybody(busy):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert not any(b"@" in word or b"secret" in word for word in words), f"{role}: {words}"
        if role != "supervisor":
            assert len([word for word in words if word]) <= 3, f"{role}: {words}"


ATTACH_AND_CALL = """
import ctypes, os, signal, sys
pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
PEEKTEXT, CONT, GETREGS, SETREGS, ATTACH = 1, 7, 12, 13, 16
RAX, ORIG_RAX, RIP, RDI = 10, 15, 16, 14
registers = (ctypes.c_ulonglong * 27)()
assert libc.ptrace(ATTACH, pid, None, None) == 0, os.strerror(ctypes.get_errno())
os.waitpid(pid, 0)
assert libc.ptrace(GETREGS, pid, None, registers) == 0
# It sleeps in a system call: the instruction before this one makes calls.
registers[RIP] -= 2
assert libc.ptrace(PEEKTEXT, pid, registers[RIP], None) & 0xffff == 0x050f, "not after a call"
registers[RAX], registers[RDI], registers[ORIG_RAX] = 59, 0, 2 ** 64 - 1
assert libc.ptrace(SETREGS, pid, None, registers) == 0
assert libc.ptrace(CONT, pid, None, None) == 0
end = os.waitpid(pid, 0)[1]
while os.WIFSTOPPED(end) and os.WSTOPSIG(end) != signal.SIGSYS:
    libc.ptrace(CONT, pid, None, os.WSTOPSIG(end))
    end = os.waitpid(pid, 0)[1]
print("killed by", os.WTERMSIG(end) if os.WIFSIGNALED(end) else f"nothing: status {end:x}")
"""


def test_pv_35():
    """Root takes a running smtpd by ptrace and has it call execve: the kernel ends it, the supervisor starts another."""
    if os.uname().machine != "x86_64":
        pytest.skip("the registers are those of x86-64")
    world = World(workers=1)
    try:
        mta = world.start()
        pid = mta.pid("smtpd")
        done = subprocess.run([sys.executable, "-c", ATTACH_AND_CALL, str(pid)], capture_output=True, text=True, timeout=40,
                              check=False)
        assert done.stdout == f"killed by {int(signal.SIGSYS)}\n", done
        wait_for(lambda: mta.pids("smtpd") not in ([], [pid]), 10, "another smtpd")
        mta.send("alice@domain1.com", ["bob@domain2.com"], b"Subject: x\r\n\r\nx\r\n")
        mta.wait_messages("bob@domain2.com", 1)
    finally:
        world.close()
