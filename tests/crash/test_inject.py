"""System calls of the running program fail, or are its last (strace -e inject).

A failed flush: the whole batch hears 4xx and nothing of it is believed.  A process killed at its Nth call of
a kind: what was acknowledged is delivered, once; what was not is delivered whole, once, or not at all.
"""

import smtplib
import socket
import threading
import time

import pytest

from crash.inject import Injector
from crash.machines import machine, subjects
from lib.waiting import wait_for

pytestmark = pytest.mark.root


@pytest.fixture
def mta(tmp_path):
    """A started machine with one smtpd, so that it is known which process to tamper with."""
    with machine(tmp_path, tmp_path, workers=1) as one:
        yield one.start()


def try_one(mta, name, size=2000):
    """The reply to one message as (code, text); (0, reason) if the connection broke."""
    try:
        with smtplib.SMTP("127.0.0.1", mta.port, local_hostname="client.test", timeout=15) as client:
            client.ehlo()
            for verb, argument in (("MAIL", "FROM:<s@else.test>"), ("RCPT", "TO:<bob@domain1.com>")):
                reply = client.docmd(verb, argument)
                if reply[0] != 250:
                    return reply
            return client.data(f"Subject: {name}\r\n\r\n".encode() + b"0123456789abcde\r\n" * (size // 17))
    except (smtplib.SMTPException, OSError, socket.timeout) as error:
        return 0, repr(error)


def try_many(mta, names):
    """All at once; {name: reply}."""
    replies = {}

    def work(name):
        replies[name] = try_one(mta, name)
    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(replies) == len(names), "a client hangs"
    return replies


def check_delivered(mta, replies):
    """Acknowledged: once.  Else: at most once."""
    mta.wait_queue_empty(30)
    have = subjects(mta)
    lost = [name for name, reply in replies.items() if reply[0] == 250 and name not in have]
    assert not lost, f"acknowledged and lost: {lost}; {replies}"
    assert len(set(have)) == len(have), f"delivered twice: {have}"
    assert set(have) <= set(replies)


def test_flush_fails_once(mta):
    """CA-14: the batch hears 451, the next one is taken; the segment is never flushed again."""
    with Injector(mta.pid("smtpd"), "fdatasync:error=EIO:when=1") as injector:
        replies = try_many(mta, [f"a{number}" for number in range(12)])
        assert injector.injected() == 1
        later = {name: try_one(mta, name) for name in ("b0", "b1")}
    refused = [name for name, reply in replies.items() if reply[0] != 250]
    assert refused and all(replies[name][0] == 451 for name in refused), replies
    assert all(reply[0] == 250 for reply in later.values()), later
    mta.wait_log("could not be written and is retired", 5)
    mta.wait_queue_empty(20)
    assert not set(refused) & set(subjects(mta)), "refused, and delivered all the same"
    check_delivered(mta, {**replies, **later})


def test_what_a_failed_flush_left_is_not_taken_in_after_a_restart(mta):
    """The octets may well be in the file: their client heard 451 and sends again."""
    with Injector(mta.pid("smtpd"), "fdatasync:error=EIO:when=1"):
        replies = {"refused": try_one(mta, "refused")}
    assert replies["refused"][0] == 451, replies
    mta.wait_log("could not be written and is retired", 5)
    time.sleep(0.1)
    mta.crash()
    mta.start_again()
    replies["after"] = try_one(mta, "after")
    check_delivered(mta, replies)
    assert subjects(mta) == ["after"]


@pytest.mark.parametrize("rule, code", [("fdatasync:error=EIO", 451), ("pwritev:error=ENOSPC", 452),
                                        ("pwritev:error=EDQUOT", 452), ("pwritev:error=EIO", 451)])
def test_disk_fails_for_a_time(mta, rule, code):
    """CA-12, CA-13, CA-15: every message is refused for now, the process lives, service returns."""
    before = mta.pid("smtpd")
    with Injector(before, rule) as injector:
        first = try_one(mta, "first")
        replies = [try_one(mta, f"{number}") for number in range(6)]
        assert injector.injected() >= 1
    assert first[0] == code, first
    assert all(reply[0] in (451, 452) for reply in replies), replies
    wait_for(lambda: try_one(mta, "after")[0] == 250, 5, "service")
    assert mta.pid("smtpd") == before, "smtpd was restarted"
    mta.wait_queue_empty(20)
    assert subjects(mta) == ["after"]


def test_interrupted_flush_is_repeated(mta):
    """CA-18: EINTR, and only EINTR, is no failure."""
    with Injector(mta.pid("smtpd"), "fdatasync:error=EINTR:when=1") as injector:
        replies = {"x": try_one(mta, "x")}
        assert injector.injected() == 1
    assert replies["x"][0] == 250, replies
    check_delivered(mta, replies)


# The process, the call that is its last, and up to which one in the long run.
KILLS = [("smtpd", "pwritev", 6), ("smtpd", "fdatasync", 6), ("smtpd", "sendmsg", 10), ("smtpd", "write", 10),
         ("queue", "pwrite64", 8), ("queue", "fdatasync", 8), ("queue", "sendmsg", 20), ("queue", "pread64", 10),
         ("local", "sendmsg", 12), ("local", "openat", 12), ("local", "write", 8), ("local", "fsync", 10),
         ("local", "renameat2", 5), ("local", "renameat", 5), ("local", "linkat", 5)]
SHORT = [("smtpd", "pwritev", 1), ("smtpd", "fdatasync", 1), ("smtpd", "fdatasync", 2), ("queue", "pwrite64", 1),
         ("queue", "fdatasync", 2), ("queue", "sendmsg", 4), ("local", "write", 3), ("local", "fsync", 1),
         ("local", "fsync", 2), ("local", "renameat", 1), ("local", "sendmsg", 1)]


def kill_at(mta, role, call, when, turn):
    """Six messages, three at a time, while the process dies at call number `when`; whether it did."""
    pids = mta.pids(role) + (mta.pids("local-child") if role == "local" else [])
    replies = {}
    with Injector(pids, f"{call}:signal=SIGKILL:when={when}") as injector:
        for group in range(2):
            replies.update(try_many(mta, [f"{turn}.{group}.{number}" for number in range(3)]))
        time.sleep(0.2)
        died = injector.injected() > 0
    return died, replies


@pytest.mark.limit(3000)
def test_killed_at_every_call(mta, long_run):
    cases = [(role, call, when) for role, call, upto in KILLS for when in range(1, upto + 1)] if long_run else SHORT
    everything, deaths = {}, 0
    for turn, (role, call, when) in enumerate(cases):
        died, replies = kill_at(mta, role, call, when, turn)
        deaths += died
        everything.update(replies)
        wait_for(lambda: try_one(mta, f"{turn}.after")[0] == 250, 6, f"service after the death of {role} at {call} {when}")
        everything[f"{turn}.after"] = (0, b"tried until taken")
        mta.wait_queue_empty(30)
        have = subjects(mta)
        assert len(set(have)) == len(have), f"{role} killed at {call} {when}: twice: {sorted(have)}"
        lost = [name for name, reply in replies.items() if reply[0] == 250 and name not in have]
        assert not lost, f"{role} killed at {call} {when}: lost {lost}"
    print(f"{deaths} deaths in {len(cases)} cases")
    assert deaths >= len(cases) / 3, "the injector kills too rarely: the calls have changed"
    check_delivered(mta, everything)
