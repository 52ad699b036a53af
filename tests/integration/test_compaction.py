"""Mail that stays among mail that goes: old segments are emptied, and what stays is what it was."""

import hashlib
import random
import signal

import pytest

from lib.waiting import wait_for

MESSAGES, STAYS = 400, 10
SEGMENT = 1 << 20


def body_of(number):
    rng = random.Random(number)
    return "".join("%032x\r\n" % rng.getrandbits(128) for _ in range(600))


@pytest.fixture
def sparse(make_world):
    """Segments in which one message of ten is left, deferred; and the queue manager has just started."""
    world = make_world(retry=["600s"], **{"segment-size": "1M", "connection-limit-per-client": 100})
    world.sink("late.test", script={"RCPT": "450 4.2.1 later please"})
    mta = world.start()
    smtp = mta.smtp()
    for number in range(MESSAGES):
        to = f"r{number}@late.test" if number % STAYS == 0 else "bob@domain1.com"
        smtp.sendmail("sender@else.test", [to], f"Subject: {number}\r\n\r\n{body_of(number)}")
    smtp.quit()
    wait_for(lambda: [one["state"] for message in mta.queue() for one in message["recipients"]]
             == ["deferred"] * (MESSAGES // STAYS), 60, "delivery of the others")
    pid = mta.pid("queue")
    # What was sealed before its start is old enough, and so is what its successor finds.
    mta.kill("queue", signal.SIGKILL)
    wait_for(lambda: mta.pids("queue") not in ([], [pid]), 10, "another queue manager")
    return world


def queue_status(mta):
    return mta.json("status")["queue"]


def digests(mta):
    """SHA-256 of the content of every message in the queue, by recipient."""
    return {message["recipients"][0]["address"]:
            hashlib.sha256(mta.command("queue", "cat", message["id"]).stdout.encode()).hexdigest()
            for message in mta.queue()}


@pytest.mark.limit(180)
def test_old_segments_are_emptied(sparse):
    mta = sparse.mta
    before = digests(mta)
    assert len(before) == MESSAGES // STAYS
    wait_for(lambda: queue_status(mta)["emptied"] > 0 and queue_status(mta)["compacting"] == "no", 60, "compaction",
             interval=0.5)
    status = queue_status(mta)
    assert status["moved"] > 0
    assert status["sealed"] <= status["live"] * 1.5 + 2 * SEGMENT
    assert "segments were emptied" in mta.log()
    assert digests(mta) == before
    # Twice killed: the journal knows where they stand.
    for _ in range(2):
        pid = mta.pid("queue")
        mta.kill("queue", signal.SIGKILL)
        wait_for(lambda: mta.pids("queue") not in ([], [pid]), 10, "another queue manager")
        wait_for(lambda: len(mta.queue()) == MESSAGES // STAYS, 10, "the queue")
        assert digests(mta) == before
    assert queue_status(mta)["damaged"] == 0
    # And in the end they are delivered, each as it was sent.
    sparse.sinks[0].script.clear()
    mta.command("queue", "retry", "--all", "--yes")
    mta.wait_queue_empty(60)
    arrived = {one.recipients[0]: one.content for one in sparse.sinks[0].wait(MESSAGES // STAYS)}
    for number in range(0, MESSAGES, STAYS):
        assert arrived[f"r{number}@late.test"].decode().endswith(body_of(number))
