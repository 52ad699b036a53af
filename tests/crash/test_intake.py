"""What becomes of mail on its way in when the client, smtpd, the disk or the power goes.

Invariants: a message without its 250 is absent or whole; one with it survives a power cut; what was
begun and not finished leaves nothing behind; and a slow disk makes nobody else wait.
"""

import os
import signal
import socket
import struct
import threading
import time

import pytest

from crash.inject import Injector
from crash.machines import machine, subjects, submit
from lib.smtp_raw import RawClient
from lib.waiting import patience, wait_for

ENVELOPE = (b"EHLO c.test\r\n", b"MAIL FROM:<s@else.test>\r\n", b"RCPT TO:<bob@domain1.com>\r\n", b"DATA\r\n")


@pytest.fixture
def mta(tmp_path):
    """A started machine with one smtpd."""
    with machine(tmp_path, tmp_path, workers=1) as one:
        yield one.start()


def begin(mta):
    """A client that has just read 354."""
    client = RawClient("127.0.0.1", mta.port)
    client.reply(code="220")
    for line in ENVELOPE:
        client.send(line)
        client.reply()
    return client


def nothing_left(mta, name):
    """No message, no large file, no copy; and the next message is taken."""
    wait_for(lambda: not list((mta.spool / "large").iterdir()), 10, "the room of the unfinished message")
    assert mta.queue() == [] and name not in subjects(mta)


@pytest.mark.root
@pytest.mark.limit(1800)
def test_smtpd_killed_while_a_large_message_comes(mta, long_run):
    """CA-01, CA-02: at every 4 KiB of 1 MiB (a sample of these in a short run)."""
    piece, count = b"0123456789abcde\r\n" * 241, 256
    for stop in range(0, count, 1 if long_run else 37):
        client = begin(mta)
        try:
            client.send(f"Subject: cut {stop}\r\n\r\n".encode())
            for _ in range(stop):
                client.send(piece)
            time.sleep(0.02)
            pid = mta.pid("smtpd")
            mta.kill("smtpd", signal.SIGKILL)
        finally:
            client.close()
        wait_for(lambda gone=pid: mta.pids("smtpd") not in ([], [gone]), 5, "a new smtpd")
        nothing_left(mta, f"cut {stop}")
    submit(mta, "after")
    mta.wait_queue_empty(20)
    assert subjects(mta) == ["after"]


def test_client_resets_at_every_octet(mta):
    """CA-03: RST at every octet of a message of some 200; only with the last dot, and perhaps then, it counts."""
    content = b"Subject: reset\r\n\r\n" + b"0123456789abcdef\r\n" * 10 + b".\r\n"
    for upto in range(len(content)):
        client = begin(mta)
        client.send(content[:upto])
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    submit(mta, "after")
    mta.wait_queue_empty(20)
    assert subjects(mta) == ["after"]


@pytest.mark.root
@pytest.mark.limit(120)
def test_power_cut_after_the_twentieth_250(disks):
    """CA-08: twenty were acknowledged one after the other, then the power goes: twenty are there."""
    spool = disks.mount(disks.image("spool", 96 << 20), "spool")
    mail = disks.mount(disks.image("mail"), "mail")
    mta = machine(spool.path, mail.path)
    try:
        mta.start()
        mail.sync()
        os.kill(mta.pid("local"), signal.SIGSTOP)  # the queue must hold everything
        for number in range(20):
            submit(mta, f"{number:02}")
        spool.cut_power()
        mta.crash()
    finally:
        mta.crash_if_running()
    disks.unmount(spool)
    spool = disks.mount(disks.folder / "spool.img", "spool")
    with machine(spool.path, mail.path, domains=False) as again:
        again.start()
        again.wait_queue_empty(20)
        assert subjects(again) == [f"{number:02}" for number in range(20)]
    mta.destroy()


@pytest.mark.root
@pytest.mark.limit(120)
def test_slow_flush_makes_nobody_else_wait(mta, long_run):
    """CA-17: no 250 before the flush has ended; other sessions talk on; those that wait share the next."""
    seconds = 30 if long_run else 3
    codes, times = [], []

    def one(name):
        client = begin(mta)
        began = time.monotonic()
        client.send(f"Subject: {name}\r\n\r\nx\r\n.\r\n".encode())
        codes.append(client.reply(timeout=4 * seconds + 10).code)
        times.append(time.monotonic() - began)
        client.close()
    with Injector(mta.pid("smtpd"), f"fdatasync:delay_enter={seconds * 1000000}"):
        threads = [threading.Thread(target=one, args=(f"slow {number}",)) for number in range(6)]
        for thread in threads:
            thread.start()
            time.sleep(0.05)
        until, slowest = time.monotonic() + seconds * 0.6, 0
        while time.monotonic() < until:
            began = time.monotonic()
            with RawClient("127.0.0.1", mta.port) as client:
                client.reply(code="220")
                client.send(b"EHLO c.test\r\n")
                client.reply(code="250")
                client.send(b"NOOP\r\n")
                client.reply(code="250")
            slowest = max(slowest, time.monotonic() - began)
            assert not codes, "a 250 before the flush"
        for thread in threads:
            thread.join(4 * seconds + 20)
    assert codes == ["250"] * 6
    assert min(times) >= seconds * 0.9
    assert slowest < 1 * patience(), f"another session waited {slowest:.2f} s"
    # Six flushes of their own would have taken six times as long.
    assert max(times) < seconds * 3
    mta.wait_queue_empty(20)
    assert subjects(mta) == [f"slow {number}" for number in range(6)]
