"""System calls of the process that delivers fail: mail is put off, never bounced, never there twice.

Each case: the call fails once (or goes on failing) in the child of one mailbox owner; the message stays in
the queue with a temporary reason, tmp/ is left clean, and when the call works again there is exactly one copy.
"""

import time

import pytest

from crash.inject import Injector
from crash.machines import machine, subjects, submit
from lib.waiting import patience, wait_for

pytestmark = pytest.mark.root


@pytest.fixture
def mta(tmp_path):
    """A machine in which bob@domain1.com has had mail, so that there is a child of his domain's owner."""
    with machine(tmp_path, tmp_path) as one:
        one.start()
        submit(one, "before")
        wait_for(lambda: subjects(one) == ["before"], 10, "delivery")
        one.wait_queue_empty()
        yield one


def child(mta):
    pids = mta.pids("local-child")
    assert len(pids) == 1, pids
    return pids[0]


def put_off(mta, rules, status=r"4\.\d+\.\d+", meanwhile=None):
    """One message while the rules hold: deferred with this status, delivered once afterwards."""
    seen = len(mta.log())
    with Injector(child(mta), rules) as injector:
        submit(mta, "faulty")
        mta.wait_log(r"to=<bob@domain1.com> deferred .*status=" + status, 10, start=seen)
        if meanwhile:
            meanwhile()
        assert injector.injected() >= 1, injector.seen()
    mta.wait_queue_empty(20)
    assert subjects(mta) == ["before", "faulty"]
    assert " failed " not in mta.log()[seen:] and "bounce=" not in mta.log()[seen:]
    for folder in mta.domains.root.glob("*/home/*/Maildir/tmp"):
        assert not list(folder.iterdir()), "something was left in tmp/"


@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT", "EIO"])
def test_content_cannot_be_written(mta, error):
    """CB-10."""
    put_off(mta, f"writev:error={error}:when=1", r"4\.(2\.2|3\.\d)")


def test_flush_of_the_file_fails(mta):
    """CB-11: the file that was not flushed is not renamed, ever: another is written."""
    put_off(mta, "fsync:error=EIO:when=1")


def test_flush_of_new_fails(mta):
    """CB-12: the copy is there already; the next attempt finds it."""
    put_off(mta, "fsync:error=EIO:when=2")


@pytest.mark.parametrize("error", ["EXDEV", "ENOENT", "EACCES", "EROFS"])
def test_it_cannot_be_renamed(mta, error):
    """CB-13: a mistake of the administrator bounces no mail."""
    put_off(mta, f"renameat2:error={error}:when=1 renameat:error={error}:when=1")


def test_one_owner_without_space_delays_nobody_else(mta):
    """CB-15."""
    def others_go_on():
        began = time.monotonic()
        submit(mta, "other", "bob@domain2.com")
        wait_for(lambda: subjects(mta, "bob@domain2.com") == ["other"], 10, "the other owner's mail")
        assert time.monotonic() - began < 5 * patience()
    put_off(mta, "writev:error=EDQUOT", r"4\.(2\.2|3\.\d)", others_go_on)


def test_no_further_child_can_be_forked(mta):
    """CG-06: mail of who has no child yet waits; intake, and delivery by the children there are, go on."""
    with Injector(mta.pid("spawner"), "clone:error=EAGAIN clone3:error=EAGAIN fork:error=EAGAIN") as injector:
        submit(mta, "waits", "bob@domain2.com")
        wait_for(lambda: injector.injected() >= 1, 10, "a fork that fails")
        submit(mta, "goes on")
        wait_for(lambda: subjects(mta) == ["before", "goes on"], 10, "delivery by the child there is")
        assert subjects(mta, "bob@domain2.com") == []
    mta.wait_queue_empty(30)
    assert subjects(mta, "bob@domain2.com") == ["waits"]
    assert "bounce=" not in mta.log()
