"""What a process may have ends: descriptors, memory, the size of files, a disk that takes no more, random numbers.

What holds: the right temporary answer, nothing acknowledged lost, no spinning, and service again by itself within
seconds of the return of what was missing; rather no service than numbers that can be guessed.
"""

import concurrent.futures
import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from crash.disks import MIB, Unavailable
from crash.machines import RECIPIENTS, machine, subjects
from crash.test_disk_full import verify
from crash.test_inject import try_one
from lib.instance import BIN
from lib.load import Load
from lib.smtp_raw import Closed, RawClient, Silent
from lib.waiting import alive, patience, wait_for

pytestmark = pytest.mark.root


@pytest.fixture
def mta(tmp_path):
    """A started machine with one smtpd."""
    with machine(tmp_path, tmp_path, workers=1) as one:
        yield one.start()


def cpu_seconds(pid):
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Limit:
    """A soft limit of a process that another user may own: without CAP_SYS_RESOURCE only he may set it."""

    def __init__(self, pid, what):
        self.pid, self.what = pid, what
        line = next(one for one in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
                    if one.startswith("Uid:"))
        self.uid = line.split()[1]
        self.gid = Path(f"/proc/{pid}/status").read_text(encoding="ascii").partition("\nGid:")[2].split()[0]
        self.usual = self.ask("SOFT,HARD").split()

    def ask(self, columns):
        return subprocess.run(["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "prlimit",
                               "--pid", str(self.pid), f"--{self.what}", "--noheadings", "--raw", "-o", columns],
                              capture_output=True, text=True, check=True, timeout=10).stdout

    def set(self, soft):
        """Set it, if the process is still there."""
        done = subprocess.run(["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "prlimit", "--pid",
                               str(self.pid), f"--{self.what}={soft}:{self.usual[1]}"],
                              capture_output=True, text=True, check=False, timeout=10)
        assert done.returncode == 0 or not alive(self.pid), done.stderr

    def lift(self):
        """As it was."""
        self.set(self.usual[0])


@pytest.mark.limit(120)
def test_spool_becomes_read_only(disks):
    """CG-04: as ext4 does after an error: 4xx, and no process dies of it; what was promised is there after a repair."""
    image = disks.image("spool", 96 * MIB)
    spool = disks.mount(image, "spool", "errors=remount-ro")
    mail = disks.mount(disks.image("mail"), "mail")
    mta = machine(spool.path, mail.path)
    try:
        mta.start()
        before = sorted(pid for role, pid in mta.processes() if role != "local-child")
        with Load(mta, RECIPIENTS, connections=6, pause=0.01) as load:
            wait_for(lambda: len(load.acked) > 50, 20, "traffic")
            spool.make_read_only()
            wait_for(lambda: load.replies["451"] + load.replies["452"] > 20, 20, "temporary refusals")
            promised = len(load.acked)
            time.sleep(1)
            assert len(load.acked) == promised, "a 250 on a disk that takes nothing"
        assert sorted(pid for role, pid in mta.processes() if role != "local-child") == before
        mta.crash()
    finally:
        mta.crash_if_running()
    disks.unmount(spool)
    spool = disks.mount(image, "spool")
    with machine(spool.path, mail.path, domains=False) as again:
        again.start()
        load.mta = again
        verify(again, load)
    mta.destroy()


def greeted(client):
    """The code of the first reply within a second, "" if there is none."""
    try:
        return client.reply(timeout=patience()).code
    except (Silent, Closed, OSError):
        return ""


@pytest.mark.limit(120)
def test_descriptors_exhausted(mta):
    """CG-05: some are served, some wait or hear 421, nobody spins; all are served when there are descriptors."""
    pid, clients = mta.pid("smtpd"), []
    used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
    limit = Limit(pid, "nofile")
    limit.set(used + 12)
    try:
        clients = [RawClient("127.0.0.1", mta.port) for _ in range(40)]
        with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
            codes = list(pool.map(greeted, clients))
        assert codes.count("220") >= 5 and codes.count("220") <= 12, codes
        assert set(codes) <= {"220", "421", ""}, codes
        began = cpu_seconds(pid)
        time.sleep(2)
        assert cpu_seconds(pid) - began < 0.3, "it spins"
        assert mta.pid("smtpd") == pid
    finally:
        for client in clients:
            client.close()
    limit.lift()
    wait_for(lambda: try_one(mta, "after")[0] == 250, 5, "service")
    assert mta.pid("smtpd") == pid
    mta.wait_queue_empty(20)
    assert subjects(mta) == ["after"]


@pytest.mark.limit(120)
def test_queue_manager_may_write_no_large_files(mta):
    """CG-09: EFBIG, and no death by SIGXFSZ: no further segment, 452; service again by itself."""
    pid = mta.pid("queue")
    limit = Limit(pid, "fsize")
    limit.set(MIB)
    local = mta.kill("local", signal.SIGSTOP)
    try:
        reply = wait_for(lambda: (lambda one: one if one[0] != 250 else None)(try_one(mta, "fill", size=200_000)), 30,
                         "the end of the segments in hand", interval=0)
        assert reply[0] == 452, reply
    finally:
        os.kill(local, signal.SIGCONT)
    limit.lift()
    wait_for(lambda: try_one(mta, "after")[0] == 250, 10, "service")
    assert mta.pid("queue") == pid
    mta.wait_queue_empty(60)
    assert "after" in subjects(mta)


@pytest.mark.limit(120)
@pytest.mark.parametrize("role", ["smtpd", "queue", "local", "directory"])
def test_memory_exhausted(mta, role):
    """CG-07, CG-08: a process that gets no memory ends, and is started again; no 250 is broken by that."""
    with Load(mta, RECIPIENTS, connections=10, pause=0.01, size=30_000) as load:
        wait_for(lambda: len(load.acked) > 30, 20, "traffic")
        pid = mta.pid(role)
        size = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        limit = Limit(pid, "as")
        for more in (2 * MIB, 256 << 10, 0):
            limit.set(size + more)
            time.sleep(0.5)
            if mta.pids(role) != [pid]:
                break
        survived = mta.pids(role) == [pid]
        if survived:
            limit.lift()
        print(role, "survived" if survived else "died")
        since = time.monotonic()
        wait_for(lambda: load.resumed(since), 15, "service")
    verify(mta, load)


def test_no_entropy(tmp_path):
    """CG-15: without random octets nothing starts: rather no service than numbers that can be guessed."""
    if shutil.which("strace") is None:
        raise Unavailable("strace is not installed")
    mta = machine(tmp_path, tmp_path, workers=1)
    try:
        mta.write_config()
        for error in ("ENOSYS", "EINTR"):
            when = ":when=1" if error == "EINTR" else ""
            process = subprocess.Popen(
                ["strace", "-f", "-o", str(tmp_path / "trace"), "-e", "trace=getrandom", "-e",
                 f"inject=getrandom:error={error}{when}", str(BIN / "postriderd"), "-c", str(mta.conf)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                env=mta.environment(), start_new_session=True)
            try:
                if error == "EINTR":  # is asked again
                    wait_for(lambda: try_one(mta, "interrupted")[0] == 250, 20, "service")
                    continue
                output = process.communicate(timeout=40)[0]
                assert process.returncode != 0
                assert "getrandom" in output or "random" in output, output[-1000:]
                assert try_one(mta, "none")[0] == 0, "served without random numbers"
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM)
                    process.communicate(timeout=20)
        assert "(INJECTED)" in (tmp_path / "trace").read_text(encoding="utf-8", errors="replace")
    finally:
        mta.destroy()
