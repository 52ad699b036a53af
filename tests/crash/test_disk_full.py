"""A disk that fills up, or dies, under load: 452 or 451, nothing lost, and service again without a restart."""

import errno
import os
import signal
import time

import pytest

from crash.disks import MIB
from crash.machines import RECIPIENTS, machine, subjects, submit
from lib.load import Load
from lib.waiting import patience, wait_for

pytestmark = pytest.mark.root


def fill(folder, leave):
    """A file that takes all the room of a file system but `leave` octets."""
    path, free = folder / "filler", os.statvfs(folder)
    size = max(free.f_bfree * free.f_frsize - leave, 4096)
    with open(path, "wb") as filler:
        while size > 0:
            try:
                os.posix_fallocate(filler.fileno(), filler.tell(), size)
                filler.seek(0, os.SEEK_END)
            except OSError:
                size //= 2
            if os.statvfs(folder).f_bfree * free.f_frsize <= max(leave, 1 << 20):
                break
    return path


def fill_to_the_last_byte(folder, path=None):
    """As fill, with nothing left: no block, and no room in the last one.  Called again it takes what has become free."""
    path = path or folder / "filler"
    with open(path, "ab") as filler:
        for part in (1 << 20, 1 << 16, 1 << 12):
            while True:
                try:
                    os.posix_fallocate(filler.fileno(), os.fstat(filler.fileno()).st_size, part)
                except OSError:
                    break
        filler.seek(0, os.SEEK_END)
        try:
            while True:
                os.write(filler.fileno(), b"x")
        except OSError:
            pass
    return path


def is_full(folder):
    """Whether not even root can store one octet more, after taking what has become free."""
    fill_to_the_last_byte(folder)
    probe = folder / "probe"
    try:
        with open(probe, "wb", buffering=0) as file:
            file.write(b"x")
            os.fsync(file.fileno())
        return False
    except OSError as error:
        return error.errno == errno.ENOSPC
    finally:
        probe.unlink(missing_ok=True)


def codes(load):
    """The reply codes that the load has seen."""
    return {name for name in load.replies if name.isdigit()}


def verify(mta, load):
    """Everything acknowledged has arrived, once; what was refused not at all, or whole."""
    try:
        mta.wait_queue_empty(40)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{mta.command('queue', 'list').stdout[:1000]}") from error
    copies = load.copies()
    missing = load.missing(copies)
    assert not missing, f"{len(missing)} of {len(load.acked)} acknowledged messages lost"
    twice = {name: count for name, count in copies.items() if count > 1}
    assert not twice, twice


def drained(mta, load, since):
    """Whether everything that was acknowledged at a moment has left the queue."""
    copies = load.copies()
    return not [name for name in since if not copies[name]]


@pytest.mark.limit(240)
def test_spool_full_under_load(disks, long_run):
    """CG-01, CA-12: an ext4 of 96 MiB, full to the last byte under twenty connections: 452, no loss, and service again
    by itself, both when deliveries make room and when somebody frees blocks.  The daemon is never restarted."""
    spool = disks.mount(disks.image("spool", 96 * MIB), "spool")
    mail = disks.mount(disks.image("mail", 1024 * MIB), "mail")
    with machine(spool.path, mail.path) as mta:
        mta.start()
        before = {pid for role, pid in mta.processes() if role != "local-child"}
        with Load(mta, RECIPIENTS, connections=20, pause=0.02, size=10_000) as load:
            wait_for(lambda: len(load.acked) > 50, 20, "traffic")
            for turn in range(6 if long_run else 2):
                # A backlog takes segments of its own, and the filler would not be worth one when it goes.
                backlog = list(load.acked)
                wait_for(lambda: drained(mta, load, backlog), 40, "deliveries before the disk is full", interval=0.2)
                # Deliveries would give segments back, and the full disk would never be met.
                local = mta.kill("local", signal.SIGSTOP)
                try:
                    filler = fill_to_the_last_byte(spool.path)
                    seen = load.replies["452"]
                    wait_for(lambda: load.replies["452"] > seen, 30, f"a 452 on the full disk, turn {turn}")
                    wait_for(lambda: is_full(spool.path), 10, "a disk without room for an octet")
                    held = list(load.acked)
                finally:
                    os.kill(local, signal.SIGCONT)
                # Still full: what was taken is delivered, that is recorded, and its room is used again.
                drain = time.monotonic()
                wait_for(lambda: drained(mta, load, held), 40, "deliveries while the disk is full", interval=0.2)
                took = wait_for(lambda: load.resumed(drain), 20, "service from the room that deliveries made")
                print(f"turn {turn}: {len(held)} acknowledged, drained, a message taken {took:.1f} s after that began")
                local = mta.kill("local", signal.SIGSTOP)
                try:
                    seen = load.replies["452"]
                    fill_to_the_last_byte(spool.path)
                    wait_for(lambda: load.replies["452"] > seen, 30, f"a second 452, turn {turn}")
                    filler.unlink()
                    freed = time.monotonic()
                    took = wait_for(lambda: load.resumed(freed), 10, "service when there is room again")
                    assert took < 5 * patience(), f"service came back after {took:.1f} s"
                finally:
                    os.kill(local, signal.SIGCONT)
                time.sleep(0.3)
        verify(mta, load)
        print(f"{len(load.acked)} acknowledged, {len(load.sent)} sent, replies {dict(load.replies)}")
        after = {pid for role, pid in mta.processes() if role != "local-child"}
        assert after == before, "a process was restarted"
        assert codes(load) == {"220", "221", "250", "354", "452"}, load.replies


@pytest.mark.limit(120)
def test_started_on_a_full_disk_it_delivers_and_makes_room(disks):
    """Nobody frees a block: what is in the queue must leave it all the same."""
    spool = disks.mount(disks.image("spool", 64 * MIB), "spool")
    mail = disks.mount(disks.image("mail", 64 * MIB), "mail")
    with machine(spool.path, mail.path) as mta:
        mta.start()
        local = mta.pid("local")
        os.kill(local, signal.SIGSTOP)  # mail stays in the queue
        try:
            for number in range(10):
                submit(mta, f"{number}", size=3000)
            mta.crash()
        finally:
            mta.crash_if_running()
        fill(spool.path, leave=0)
        mta.start_again()
        mta.wait_queue_empty(30)
        assert subjects(mta) == sorted(str(number) for number in range(10))


@pytest.mark.limit(120)
def test_mailboxes_full(disks):
    """The queue keeps what the mailboxes cannot take, and delivers it when they can."""
    spool = disks.mount(disks.image("spool", 96 * MIB), "spool")
    mail = disks.mount(disks.image("mail", 16 * MIB), "mail")
    with machine(spool.path, mail.path) as mta:
        mta.start()
        submit(mta, "first")
        wait_for(lambda: subjects(mta) == ["first"], 10, "delivery")
        filler = fill(mail.path, leave=0)
        for number in range(5):
            submit(mta, f"held {number}", size=200_000)
        mta.wait_log(r"deferred .*status=4\.(2\.2|3\.1)", 15)
        assert "bounce=" not in mta.log()
        filler.unlink()
        mta.wait_queue_empty(30)
        assert subjects(mta) == ["first"] + [f"held {number}" for number in range(5)]
        for folder in mail.path.glob("virtual/*/home/*/Maildir/tmp"):
            assert not list(folder.iterdir()), "something was left in tmp/"


@pytest.mark.limit(120)
def test_disk_below_the_spool_fails(disks):
    """Real EIO below ext4: nothing is promised any more, and what had been is there after a repair."""
    image = disks.image("spool", 96 * MIB)
    recorder = disks.recorder(image)
    spool = disks.mount(recorder.disk, "spool")
    mail = disks.mount(disks.image("mail", 64 * MIB), "mail")
    mta = machine(spool.path, mail.path)
    try:
        mta.start()
        with Load(mta, RECIPIENTS, connections=8, pause=0.01) as load:
            wait_for(lambda: len(load.acked) > 50, 20, "traffic")
            recorder.fail(True)
            wait_for(lambda: load.replies["451"] + load.replies["452"] > 20, 20, "temporary refusals")
            promised = len(load.acked)
            time.sleep(1)
            assert len(load.acked) == promised, "a 250 on a disk that does not work"
        assert codes(load) <= {"220", "221", "250", "354", "451", "452", "421"}, load.replies
        spool.cut_power()
        mta.crash()
    finally:
        mta.crash_if_running()
    recorder.fail(False)
    disks.unmount(spool)
    spool = disks.mount(recorder.disk, "spool")
    with machine(spool.path, mail.path, domains=False) as again:
        again.start()
        load.mta = again
        verify(again, load)
    mta.destroy()
