"""What a machine runs out of: inodes, descriptors, processes, file size, a file system that may be written, somebody who
reads the log, time on the processor.  Temporary answers, no loss, no spinning, and service again by itself when it is back.
"""

import os
import signal
import socket
import subprocess
import time

import pytest

from crash.disks import MIB, run
from crash.inject import Injector
from crash.machines import RECIPIENTS, machine, subjects, submit
from crash.test_disk_full import codes, verify
from lib.load import Load
from lib.smtp_raw import RawClient
from lib.waiting import patience, wait_for

pytestmark = pytest.mark.root


@pytest.fixture
def mta(tmp_path):
    """A started machine with one smtpd."""
    with machine(tmp_path, tmp_path, workers=1) as one:
        yield one.start()


def try_one(mta, name, size=2000, timeout=20):
    """The code that decided about one message, "closed" if the connection ended."""
    try:
        with RawClient("127.0.0.1", mta.port, timeout=timeout) as client:
            client.hello()
            reply = client.command("MAIL FROM:<s@else.test>")
            if reply.code == "250":
                reply = client.command("RCPT TO:<bob@domain1.com>")
            if reply.code == "250":
                reply = client.command("DATA")
            if reply.code == "354":
                client.send(f"Subject: {name}\r\n\r\n".encode() + b"0123456789abcde\r\n" * (size // 17) + b".\r\n")
                reply = client.reply()
            return reply.code
    except (OSError, EOFError, AssertionError):
        return "closed"


def busy_seconds(pid):
    """Processor time that a process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def daemons(mta):
    """{pid: role} of what must not be restarted."""
    return {pid: role for role, pid in mta.processes() if role != "local-child"}


def test_inodes_exhausted(tmp_path):
    """CG-03: what needs no new file goes on; what does is put off with 452, and taken when there are inodes again."""
    spool = tmp_path / "small"
    spool.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=256m,nr_inodes=200,mode=0755", "postrider-test", spool, what="mounting a tmpfs")
    mta = machine(spool, tmp_path)
    try:
        with mta:
            mta.start()
            before = daemons(mta)
            submit(mta, "before")
            wait_for(lambda: subjects(mta) == ["before"], 10, "delivery")
            fillers = []
            try:
                while True:
                    path = spool / f"filler{len(fillers)}"
                    path.touch()
                    fillers.append(path)
            except OSError:
                pass
            assert try_one(mta, "large", size=2 * MIB) == "452"
            assert try_one(mta, "small") == "250"
            wait_for(lambda: subjects(mta) == ["before", "small"], 10, "delivery without inodes")
            for path in fillers:
                path.unlink()
            assert wait_for(lambda: try_one(mta, "large", size=2 * MIB) == "250", 5, "service")
            # 250 may be heard before the queue manager knows of it: an empty queue says nothing yet.
            wait_for(lambda: subjects(mta) == ["before", "large", "small"], 20, "delivery with inodes")
            mta.wait_queue_empty(20)
            assert daemons(mta) == before
    finally:
        mta.crash_if_running()
        subprocess.run(["umount", "-l", str(spool)], timeout=10, check=False)


@pytest.mark.limit(120)
def test_no_further_process(mta):
    """CG-06: fork fails where owners get their children: mail is taken, waits, and is delivered when processes can be made."""
    submit(mta, "before")
    wait_for(lambda: subjects(mta) == ["before"], 10, "delivery")
    before = daemons(mta)
    with Injector(mta.pid("spawner"), "clone:error=EAGAIN clone3:error=EAGAIN fork:error=EAGAIN vfork:error=EAGAIN") as injector:
        names = [f"carol {number}" for number in range(5)]
        mta.add_domain("domain3.com", ["carol"])
        for name in names:
            submit(mta, name, "carol@domain3.com")
        wait_for(lambda: injector.injected() > 0, 10, "a fork that fails")
        time.sleep(1)
        assert subjects(mta, "carol@domain3.com") == []
        assert "bounce=" not in mta.log()
    mta.wait_queue_empty(60)
    assert subjects(mta, "carol@domain3.com") == names
    assert daemons(mta) == before


@pytest.mark.limit(300)
def test_each_process_stops_for_a_while(mta, long_run):
    """CG-11: SIGSTOP and SIGCONT for each in turn, under load: sessions may end, nothing is lost, nothing delivered twice."""
    seconds = 60 if long_run else 3
    with Load(mta, RECIPIENTS, connections=10, pause=0.02) as load:
        wait_for(lambda: len(load.acked) > 50, 20, "traffic")
        for role in ("smtpd", "directory", "queue", "local", "remote", "keys"):
            if not mta.pids(role):
                continue
            pid = mta.kill(role, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)
            resumed = time.monotonic()
            wait_for(lambda: load.resumed(resumed) is not None, 15, f"service after {role} stood still")
    verify(mta, load)


@pytest.mark.limit(150)
def test_reload_storm(mta, long_run):
    """CG-13: SIGHUP every 100 ms under load: nothing lost, no session fails but for 421."""
    before = daemons(mta)
    with Load(mta, RECIPIENTS, connections=10, pause=0.01) as load:
        wait_for(lambda: len(load.acked) > 50, 20, "traffic")
        end = time.monotonic() + (60 if long_run else 6)
        while time.monotonic() < end:
            mta.reload()
            time.sleep(0.1)
    verify(mta, load)
    assert codes(load) <= {"220", "221", "250", "354", "421"}, load.replies
    assert daemons(mta) == before


@pytest.mark.limit(120)
def test_term_under_load(mta):
    """CG-12: stops within five seconds, every 250 is kept, and a start goes on where it stopped."""
    with Load(mta, RECIPIENTS, connections=30, pause=0.0) as load:
        wait_for(lambda: len(load.acked) > 100, 20, "traffic")
        assert mta.stop() == 0
        assert mta.stop_seconds < 5 * patience(), f"{mta.stop_seconds:.1f} s"
    mta.start_again()
    verify(mta, load)


@pytest.mark.limit(120)
def test_supervisor_killed(mta):
    """CG-14: its children end, nobody is left at the port, the next start has the spool at once."""
    with Load(mta, RECIPIENTS, connections=10, pause=0.01) as load:
        wait_for(lambda: len(load.acked) > 50, 20, "traffic")
        mta.crash_supervisor()
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", mta.port), timeout=2)
        began = time.monotonic()
        mta.start_again()
        wait_for(lambda: load.resumed(began) is not None, 10, "service")
    verify(mta, load)
