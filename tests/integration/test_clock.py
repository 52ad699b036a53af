"""The wall clock is set, by an hour or by a month, forward and back: mail neither stalls nor floods, and nothing
becomes old or young by it.

Every program runs with tests/tools/clock_preload.c, whose offset the test changes.
"""

import shutil
import struct
import time

import pytest

from lib import instance, wrapped
from lib.dsn import Report
from lib.waiting import patience, wait_for

SENDER = "bob@domain1.com"
MESSAGE = "From: <bob@domain1.com>\r\nSubject: time\r\nMessage-ID: <time@domain1.com>\r\n\r\nhello\r\n"
HOUR, MONTH = 3600, 30 * 86400
JUMPS = [HOUR, -HOUR, MONTH, -MONTH]

pytestmark = [
    pytest.mark.limit(90),
    pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")]


class Clock:
    """The wall clock of the programs under test."""

    def __init__(self, path):
        self.path = path
        self.path.write_bytes(struct.pack("=q", 0))
        self.path.chmod(0o644)
        self.offset = 0

    def jump(self, seconds):
        """Set it so many seconds on."""
        self.offset += seconds
        with open(self.path, "r+b") as file:
            file.write(struct.pack("=q", self.offset * 1000))


@pytest.fixture
def make_clocked(make_world, monkeypatch):
    """A function that makes (World, Clock); the world is not started."""
    def make(**settings):
        world = make_world(**settings)
        root = world.mta.root
        clock = Clock(root / "clock")
        wrapped.compile_library("clock_preload.c", root / "clock.so")
        monkeypatch.setattr(instance, "BIN", wrapped.make(
            root, f"env LD_PRELOAD={root}/clock.so POSTRIDER_CLOCK={clock.path}"))
        return world, clock
    return make


def attempts(sink):
    """How often the sink said no to a recipient."""
    return sum(session.refused for session in list(sink.sessions))


def deferred(mta):
    return [one for message in mta.queue() for one in message["recipients"] if one["state"] == "deferred"]


@pytest.mark.parametrize("seconds", JUMPS)
def test_deferred_mail_keeps_its_pace(make_clocked, seconds):
    """Every two seconds, whatever the clock says; not given up, nobody warned."""
    world, clock = make_clocked(**{"retry": ["2s"], "queue-lifetime": "30m", "delay-warning": "20m"})
    sink = world.sink("remote.test", script={"RCPT": "450 4.2.1 later"})
    mta = world.start()
    for number in range(10):
        mta.send(SENDER, f"u{number}@remote.test", MESSAGE)
    wait_for(lambda: len(deferred(mta)) == 10, 10, "ten deferrals")
    before, began = attempts(sink), time.monotonic()
    clock.jump(seconds)
    time.sleep(7)
    each = (attempts(sink) - before) / 10
    expected = (time.monotonic() - began) / 2
    assert expected * 0.5 <= each <= expected * 1.25 + 1, f"{each} attempts for each in 7 s, about {expected:.1f} wanted"
    assert len(mta.queue()) == 10 and not mta.messages(SENDER), "given up, or told of a delay, by a clock"
    sink.script.clear()
    sink.wait(10)
    mta.wait_queue_empty()


@pytest.mark.parametrize("seconds", [MONTH, -MONTH])
def test_mail_that_comes_after_the_jump(make_clocked, seconds):
    """It lives as long as queue-lifetime says, by a clock that nobody sets."""
    world, clock = make_clocked(**{"retry": ["500ms"], "queue-lifetime": "3s", "delay-warning": "0s"})
    sink = world.sink("remote.test", script={"RCPT": "450 4.2.1 later"})
    mta = world.start()
    clock.jump(seconds)
    began = time.monotonic()
    mta.send(SENDER, "x@remote.test", MESSAGE)
    report = Report(mta.wait_messages(SENDER, 1, timeout=20)[0].parsed)
    lived = time.monotonic() - began
    assert report.recipient("x@remote.test")["Action"] == "failed"
    assert 2.9 <= lived <= 6 * patience(), f"it lived {lived:.1f} s"
    assert attempts(sink) >= 3
    mta.wait_queue_empty()


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_the_clock_goes_back_and_then_a_restart(make_clocked, end):
    """The journal says "in a month" then: pulled in to the longest interval, and nothing waits for a month."""
    world, clock = make_clocked(**{"retry": ["2s"], "queue-lifetime": "1h"})
    sink = world.sink("remote.test", script={"RCPT": "450 4.2.1 later"})
    mta = world.start()
    mta.send(SENDER, "x@remote.test", MESSAGE)
    wait_for(lambda: deferred(mta), 10, "a deferral")
    time.sleep(0.3)
    getattr(mta, end)()
    clock.jump(-MONTH)
    mta.start_again()
    before = attempts(sink)
    wait_for(lambda: attempts(sink) > before, 4, "the next attempt")
    assert deferred(mta) or mta.queue()
    sink.script.clear()
    sink.wait(1)
    mta.wait_queue_empty()
    assert not mta.messages(SENDER)


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_the_clock_goes_forward_and_then_a_restart(make_clocked, end):
    """Whatever age that gives the mail: an attempt comes before giving up, and here it succeeds."""
    world, clock = make_clocked(**{"retry": ["300s"], "queue-lifetime": "1h"})
    sink = world.sink("remote.test", script={"RCPT": "450 4.2.1 later"})
    mta = world.start()
    mta.send(SENDER, "x@remote.test", MESSAGE)
    wait_for(lambda: deferred(mta), 10, "a deferral")
    time.sleep(0.3)
    getattr(mta, end)()
    clock.jump(MONTH)
    sink.script.clear()
    mta.start_again()
    sink.wait(1, timeout=10)
    mta.wait_queue_empty()
    assert not mta.messages(SENDER)


def test_the_clock_of_the_test_is_set(make_clocked):
    """The seam works: what the programs write down is the date that the test has set."""
    world, clock = make_clocked()
    mta = world.start()
    clock.jump(-20 * 365 * 86400)
    mta.send("s@else.test", "bob@domain1.com", MESSAGE)
    year = time.gmtime(time.time() - 20 * 365 * 86400).tm_year
    assert str(year) in mta.wait_messages("bob@domain1.com")[0]["Received"]
