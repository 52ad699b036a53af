"""A full file system: 452 before a message is lost, deliveries go on, service returns by itself."""

import os
import re
import subprocess

import pytest

from lib.smtp_raw import RawClient
from lib.waiting import wait_for

pytestmark = pytest.mark.root


@pytest.fixture
def small(make_world):
    """A world whose spool is a tmpfs of 48 MiB."""
    world = make_world(**{"segment-size": "4M", "retry": ["300s"]})
    world.sink("remote.test", script={"RCPT": "450 4.2.1 later"})
    spool = world.mta.spool
    spool.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=0755", "postrider-test", str(spool)],
                          capture_output=True, text=True, timeout=10, check=False)
    if done.returncode != 0:
        pytest.skip(f"cannot mount a tmpfs: {done.stderr.strip()}")
    try:
        world.start()
        yield world
        assert world.mta.stop() == 0
    finally:
        world.mta.crash_if_running()
        subprocess.run(["umount", "-l", str(spool)], timeout=10, check=False)


def submit(mta, number, size=20000, to="bob@domain1.com"):
    """The reply that decided about one message."""
    with RawClient("127.0.0.1", mta.port) as client:
        client.hello()
        reply = client.command("MAIL FROM:<s@else.test>")
        if reply.code != "250":
            return reply
        client.command(f"RCPT TO:<{to}>", "250")
        reply = client.command("DATA")
        if reply.code != "354":
            return reply
        client.send(f"Subject: {number}\r\n\r\n".encode() + b"0123456789abcdef0123456789abcd\r\n" * (size // 32) + b".\r\n")
        return client.reply()


def fill(spool, leave=0):
    """A file that takes all room but about `leave` octets; the daemon may be making segments meanwhile."""
    path = spool / "filler"
    with open(path, "wb") as filler:
        size = 0
        for part in (1 << 20, 1 << 16, 1 << 12):
            while os.statvfs(spool).f_bavail * 4096 >= part + leave:
                try:
                    os.posix_fallocate(filler.fileno(), size, part)
                except OSError:
                    break
                size += part
    return path


@pytest.mark.limit(120)
def test_full_then_free(small):
    """Mail that stays (deferred) fills the spool until 452; what can be delivered still is; room comes back."""
    mta, sink = small.mta, small.sinks[0]
    for number in range(5):
        assert submit(mta, f"here {number}").code == "250"
    filler = fill(mta.spool)
    accepted, refused = [], None
    for number in range(4000):
        reply = submit(mta, number, to="x@remote.test")
        if reply.code != "250":
            refused = reply
            break
        accepted.append(str(number))
    assert refused is not None, "4000 messages of 20 kB taken by a full disk"
    assert refused.code == "452" and refused.enhanced == "4.3.1", refused
    wait_for(lambda: len(mta.domains.files("bob@domain1.com")) == 5, 10, "delivery while the disk is full")
    filler.unlink()
    wait_for(lambda: submit(mta, "after").code == "250", 5, "service after room is back")
    wait_for(lambda: len(mta.domains.files("bob@domain1.com")) == 6, 10, "delivery of what came after")
    wait_for(lambda: {rcpt["state"] for one in mta.queue() for rcpt in one["recipients"]} == {"deferred"}, 30,
             "the end of all first attempts")
    sink.script.clear()
    assert mta.command("queue", "retry", "--all", "--yes").returncode == 0
    mta.wait_queue_empty(30)
    subjects = [re.search(rb"Subject: (\d+)", one.wire).group(1).decode() for one in sink.messages]
    assert sorted(subjects) == sorted(accepted)


def test_large_message_on_a_full_spool(small):
    mta = small.mta
    filler = fill(mta.spool, leave=1 << 20)
    with RawClient("127.0.0.1", mta.port, timeout=20) as client:
        client.hello()
        reply = client.command("MAIL FROM:<s@else.test> SIZE=20000000")
        if reply.code == "250":
            client.command("RCPT TO:<bob@domain1.com>", "250")
            reply = client.command("DATA")
        if reply.code == "354":
            client.send(b"Subject: large\r\n\r\n" + (b"x" * 998 + b"\r\n") * 20000 + b".\r\n")
            reply = client.reply()
    assert (reply.code, reply.enhanced) == ("452", "4.3.1"), reply
    filler.unlink()
    wait_for(lambda: not list((mta.spool / "large").iterdir()), 5, "the piece of the large file gone")
    wait_for(lambda: submit(mta, "small").code == "250", 5, "service after room is back")
    mta.wait_messages("bob@domain1.com")


def test_full_at_start(small):
    """A daemon that starts on a full disk serves what it can and says 452, and recovers."""
    mta = small.mta
    assert submit(mta, "first").code == "250"
    mta.wait_messages("bob@domain1.com")
    assert mta.stop() == 0
    for path in (mta.spool / "segments").iterdir():
        assert path.is_file()
    filler = fill(mta.spool)
    mta.start_again()
    codes = {submit(mta, number).code for number in range(3)}
    assert codes <= {"250", "452"}
    filler.unlink()
    wait_for(lambda: submit(mta, "again").code == "250", 5, "service")
