"""The client dies at each stage of a delivery elsewhere, or the queue manager before it has written down
what became of it.

What holds: the recipient stays in the queue until an outcome is durable; no death is a failure; mail is sent
twice only if the death fell between the far server's 250 and its record, which nobody can avoid (RFC 5321 6.1),
and then once more for each death; what is recorded is not done again.
"""

import os
import signal
import time

import pytest

from crash.inject import Injector
from lib.sink import Drop
from lib.waiting import wait_for
from lib.world import World

BODY = "Subject: one\r\n\r\n" + "0123456789abcdef\r\n" * 60000


@pytest.fixture
def world():
    """A far end at remote.test, and a Postrider that tries again each second."""
    one = World(retry=["1s"])
    one.sink("remote.test")
    one.start()
    yield one
    one.close()


def once(action, result=None):
    """A script entry that acts at the first time only."""
    done = []

    def act(_session, _line):
        if done:
            return None
        done.append(True)
        action()
        return result
    return act


def restarted(mta, role, gone):
    wait_for(lambda: mta.pids(role) not in ([], [gone]), 10, f"a new {role}")


def copies(sink, recipient):
    return sum(recipient in one.recipients for one in list(sink.messages))


@pytest.mark.parametrize("stage", ["BANNER", "EHLO", "MAIL", "RCPT", "DATA", "CONTENT"])
def test_killed_before_the_end_of_the_message(world, stage):
    """CC-01: tried again, delivered once; nothing was recorded, nobody heard of a failure."""
    sink, mta = world.sinks[0], world.mta
    gone = mta.pid("remote")
    sink.script[stage] = once(lambda: mta.kill("remote"))
    mta.send("bob@domain1.com", "r@remote.test", BODY)
    restarted(mta, "remote", gone)
    mta.wait_queue_empty(20)
    assert copies(sink, "r@remote.test") == 1
    assert mta.messages("bob@domain1.com") == []


def test_killed_in_the_middle_of_content(world):
    """CC-01: the connection ends after so many octets, and the client with it."""
    sink, mta = world.sinks[0], world.mta
    for after in (1, 4096, 400_000):
        gone = mta.pid("remote")
        sink.script["CONTENT"] = once(lambda: None, Drop(after))
        mta.send("bob@domain1.com", "r@remote.test", BODY)
        wait_for(lambda: any(one.closed for one in sink.sessions), 10, "the end of the connection")
        mta.kill("remote")
        restarted(mta, "remote", gone)
        mta.wait_queue_empty(20)
    assert copies(sink, "r@remote.test") == 3


def test_killed_between_the_last_dot_and_its_reply(world):
    """CC-02: nobody knows whether the server took it: it is sent again, and the log says that its client died."""
    sink, mta = world.sinks[0], world.mta
    gone = mta.pid("remote")
    sink.script["EOD"] = once(lambda: mta.kill("remote"))
    mta.send("bob@domain1.com", "r@remote.test", BODY)
    restarted(mta, "remote", gone)
    mta.wait_queue_empty(20)
    assert copies(sink, "r@remote.test") == 2
    mta.wait_log("agent=remote .* is gone with 1 jobs: they are tried again", 5)


@pytest.mark.root
def test_killed_between_the_reply_and_the_report(world):
    """CC-03: as above: one copy more for one death, no further one."""
    sink, mta = world.sinks[0], world.mta
    gone = mta.pid("remote")
    # What a new process and the others have to tell each other is said when one message has gone through.
    mta.send("bob@domain1.com", "first@remote.test", "Subject: x\r\n\r\nx\r\n")
    mta.wait_queue_empty(20)
    with Injector(gone, "sendmsg:signal=SIGKILL:when=1") as injector:
        mta.send("bob@domain1.com", "r@remote.test", "Subject: x\r\n\r\nx\r\n")
        restarted(mta, "remote", gone)
        assert injector.injected() == 1
    mta.wait_queue_empty(20)
    assert 1 <= copies(sink, "r@remote.test") <= 2


def test_queue_manager_killed_between_the_report_and_its_record(world):
    """CC-04: the report stands in its socket when it dies."""
    sink, mta = world.sinks[0], world.mta
    for turn in range(3):
        gone = mta.pid("queue")
        sink.script["EOD"] = once(lambda pid=gone: os.kill(pid, signal.SIGSTOP))
        mta.send("bob@domain1.com", f"r{turn}@remote.test", "Subject: x\r\n\r\nx\r\n")
        wait_for(lambda: copies(sink, f"r{turn}@remote.test") == 1, 10, "delivery")
        time.sleep(0.3)
        os.kill(gone, signal.SIGKILL)
        restarted(mta, "queue", gone)
        mta.wait_queue_empty(20)
    # One more for each death at most, and what was recorded meanwhile was not sent again.
    assert all(1 <= copies(sink, f"r{turn}@remote.test") <= 2 for turn in range(3))


def test_each_recipient_has_its_own_record(world):
    """CC-06: one delivered, one refused, one put off; the queue manager dies when that is on disk."""
    sink, mta = world.sinks[0], world.mta
    world.mta.settings["retry"] = ["3s"]
    mta.reload()
    late = ["450 4.2.1 later", "450 4.2.1 later"]
    sink.script["RCPT"] = lambda _session, line: (
        "550 5.1.1 nobody" if b"<b@" in line else late.pop() if b"<c@" in line and late else None)
    mta.send("bob@domain1.com", ["a@remote.test", "b@remote.test", "c@remote.test"], "Subject: x\r\n\r\nx\r\n")
    wait_for(lambda: mta.messages("bob@domain1.com"), 15, "the report")
    wait_for(lambda: [one["address"] for message in mta.queue() for one in message["recipients"]] == ["c@remote.test"], 10,
             "only the third in the queue")
    for _ in range(2):
        gone = mta.pid("queue")
        mta.kill("queue")
        restarted(mta, "queue", gone)
    mta.wait_queue_empty(30)
    assert {one: copies(sink, f"{one}@remote.test") for one in "abc"} == {"a": 1, "b": 0, "c": 1}
    assert len(mta.messages("bob@domain1.com")) == 1
