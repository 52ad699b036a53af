"""Queue and mailboxes on file systems of their own: what is recorded as delivered is delivered.

Two ext4 lose power after only the queue's has been flushed once more; and the queue manager dies between
a delivery and its record.  An MTA that does not flush the directory new/ loses mail in the first case
(a control shows that the test would see it), one that names its files anew delivers twice in the second.
"""

import os
import signal
import time

import pytest

from crash.inject import Injector
from crash.machines import machine, subjects, submit
from lib.waiting import wait_for

pytestmark = pytest.mark.root


def cut_after_delivery(disks, flushes_count=True):
    """Deliver A, flush the queue's disk, cut both; returns the subjects in the mailbox before and after a start.

    flushes_count False: the deliverer's flushes are pretended."""
    spool = disks.mount(disks.image("spool"), "spool")
    mail = disks.mount(disks.image("mail"), "mail")
    mta = machine(spool.path, mail.path)
    try:
        mta.start()
        submit(mta, "first")
        wait_for(lambda: subjects(mta) == ["first"], 10, "delivery")
        mta.wait_queue_empty()
        mail.sync()
        injector = None if flushes_count else Injector(
            mta.pids("local") + mta.pids("local-child"), "fsync:retval=0 fdatasync:retval=0 syncfs:retval=0")
        submit(mta, "A", "alice@domain1.com")
        wait_for(lambda: subjects(mta, "alice@domain1.com") == ["A"], 20, "delivery")
        mta.wait_queue_empty()
        if injector:
            assert injector.injected() >= 2, injector.seen()
            injector.close()
        time.sleep(0.2)  # the record that it was delivered is written within 20 ms
        spool.sync()
        mail.cut_power()
        spool.cut_power()
        mta.crash()
    finally:
        mta.crash_if_running()
    disks.unmount(mail)
    disks.unmount(spool)
    spool = disks.mount(disks.folder / "spool.img", "spool")
    mail = disks.mount(disks.folder / "mail.img", "mail")
    again = machine(spool.path, mail.path, domains=False)
    at_once = subjects(again, "alice@domain1.com")
    with again:
        again.start()
        again.wait_queue_empty(20)
        later = subjects(again, "alice@domain1.com")
    mta.destroy()
    disks.unmount(mail)
    disks.unmount(spool)
    return at_once, later


@pytest.mark.limit(600)
def test_power_cut_of_both_after_only_the_queue_was_flushed(disks, long_run):
    for turn in range(20 if long_run else 3):
        at_once, later = cut_after_delivery(disks)
        assert at_once == ["A"], f"turn {turn}: recorded as delivered, and not in new/: {at_once}"
        assert later == ["A"], f"turn {turn}: {later}"


@pytest.mark.limit(120)
def test_control_without_flushes_the_message_would_be_lost(disks):
    # Anything else on the host that calls sync(2) meanwhile flushes the mailboxes after all.
    assert any(cut_after_delivery(disks, flushes_count=False)[1] == [] for _ in range(4)), \
        "the test does not see what a missing flush does"


@pytest.fixture
def pair(disks):
    """A started machine with two disks."""
    spool = disks.mount(disks.image("spool"), "spool")
    mail = disks.mount(disks.image("mail"), "mail")
    with machine(spool.path, mail.path) as mta:
        yield mta.start()


def deliver_unrecorded(mta, name):
    """The message is in new/ and the queue manager is stopped before it knows."""
    submit(mta, "before", "alice@domain1.com")
    mta.wait_queue_empty(10)  # queue and local know each other: a job is sent without waiting for local
    local, queue = mta.pid("local"), mta.pid("queue")
    known = set(mta.domains.files("bob@domain1.com"))
    os.kill(local, signal.SIGSTOP)
    try:
        submit(mta, name)
        time.sleep(0.5)  # the job stands in local's socket
        os.kill(queue, signal.SIGSTOP)
    finally:
        os.kill(local, signal.SIGCONT)
    wait_for(lambda: set(mta.domains.files("bob@domain1.com")) - known, 10, "delivery")
    return queue, (set(mta.domains.files("bob@domain1.com")) - known).pop()


def kill_and_wait(mta, queue):
    """kill -9 of the stopped queue manager, and the end of what its successor does."""
    os.kill(queue, signal.SIGKILL)
    wait_for(lambda: mta.pids("queue") not in ([], [queue]), 5, "a new queue manager")
    mta.wait_queue_empty(20)


def test_killed_between_delivery_and_record_delivers_no_second_copy(pair):
    for turn in range(3):
        queue, _ = deliver_unrecorded(pair, f"turn {turn}")
        kill_and_wait(pair, queue)
    assert subjects(pair) == ["turn 0", "turn 1", "turn 2"]


def test_nor_when_the_user_has_read_it(pair):
    queue, path = deliver_unrecorded(pair, "read")
    kept = path.parent.parent / "cur" / f"{path.name}:2,RS"
    path.rename(kept)
    kill_and_wait(pair, queue)
    assert pair.domains.files("bob@domain1.com") == [kept]


@pytest.mark.limit(120)
def test_power_cut_between_delivery_and_record(disks):
    """As before, but everything loses power: the copy in new/ was flushed, the outcome was not."""
    spool = disks.mount(disks.image("spool"), "spool")
    mail = disks.mount(disks.image("mail"), "mail")
    mta = machine(spool.path, mail.path)
    try:
        mta.start()
        mail.sync()  # the domains just made
        deliver_unrecorded(mta, "A")
        time.sleep(0.3)  # local's verdict comes after its flushes
        mail.cut_power()
        spool.cut_power()
        mta.crash()
    finally:
        mta.crash_if_running()
    disks.unmount(mail)
    disks.unmount(spool)
    spool = disks.mount(disks.folder / "spool.img", "spool")
    mail = disks.mount(disks.folder / "mail.img", "mail")
    with machine(spool.path, mail.path, domains=False) as again:
        again.start()
        again.wait_queue_empty(20)
        assert subjects(again) == ["A"]
    mta.destroy()
