"""When deferred mail is tried again, and until when: schedules by destination and by status, lifetimes, and
what a restart keeps."""

import time

import pytest

from lib.dsn import Report
from lib.sink import Hold
from lib.waiting import patience, wait_for

SENDER = "bob@domain1.com"
MESSAGE = "From: <bob@domain1.com>\r\nSubject: again\r\nMessage-ID: <again@domain1.com>\r\n\r\nhello\r\n"


def entries(mta):
    """{address: what the queue says of it}."""
    return {one["address"]: one for message in mta.queue() for one in message["recipients"]}


def wait_deferred(mta, *addresses, timeout=20.0):
    """Wait until these are put off; returns what the queue says of all."""
    def look():
        found = entries(mta)
        return found if all(found.get(address, {}).get("state") == "deferred" for address in addresses) else None
    return wait_for(look, timeout, f"{addresses} deferred")


def times(sink, verb="MAIL"):
    """When sessions began to say something (monotonic): one a connection."""
    return [session.opened for session in list(sink.sessions) if verb in session.verbs()]


def test_the_interval_counts_from_the_answer(make_world):
    """An attempt that took three seconds is not followed by the next at once."""
    world = make_world(**{"retry": ["2s"], "reply-timeout": "3s"})
    sink = world.sink("remote.test", script={"RCPT": [Hold(20)]})
    mta = world.start()
    mta.send(SENDER, "x@remote.test", MESSAGE)
    sink.wait(1, timeout=20)
    first, second = sink.sessions[:2]
    assert second.opened - first.closed >= 1.7, f"{second.opened - first.closed:.2f} s after the first attempt's end"
    mta.wait_queue_empty()


SCHEDULES = """\
retry-status "4.2.2" { retry = 1000s }
retry-status "4.2"   { retry = 2000s }
retry-status "unreachable" { retry = 4000s }
destination "mine.test" { retry = { 8000s } }
destination ".below.test" { retry = { 16000s } }
"""


def test_the_schedule_is_the_most_specific(make_world):
    """Each destination and status has its own interval, seen in the next time and in what show says."""
    wanted = {"full@remote.test": 1000, "busy@remote.test": 2000, "other@remote.test": 500, "x@dead.test": 4000,
              "full@mine.test": 8000, "x@deep.below.test": 16000}
    world = make_world(retry=["500s"], **{"connect-timeout": "1s"})
    replies = {b"<full@": "452 4.2.2 full", b"<busy@": "450 4.2.1 busy"}
    script = {"RCPT": lambda session, line: replies.get(line[8:14], "450 4.7.1 later")}
    for domain in ("remote.test", "mine.test", "deep.below.test"):
        world.sink(domain, script=script)
    world.dns.route("dead.test", "127.0.0.250")
    world.mta.extra += SCHEDULES
    mta = world.start()
    now = time.time()
    for address in wanted:
        mta.send(SENDER, address, MESSAGE)
    found = wait_deferred(mta, *wanted)
    for address, seconds in wanted.items():
        delay = found[address]["next"] - now
        assert 0.89 * seconds - 2 <= delay <= 1.11 * seconds + 20, f"{address}: {delay:.0f} s, want about {seconds}"


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_a_restart_keeps_every_next_time(make_world, end):
    world = make_world(retry=["300s", "900s"])
    sink = world.sink("remote.test", script={"RCPT": "450 4.2.1 later"})
    mta = world.start()
    addresses = [f"u{number}@remote.test" for number in range(20)]
    for address in addresses:
        mta.send(SENDER, address, MESSAGE)
    before = wait_deferred(mta, *addresses)
    assert len({one["next"] for one in before.values()}) > 5, "all at one time: no jitter"
    time.sleep(0.5)  # the journal is flushed within 20 ms of a change
    getattr(mta, end)()
    mta.start_again()
    after = entries(mta)
    assert {address: (one["next"], one["attempts"], one["status"]) for address, one in after.items()} == \
        {address: (one["next"], one["attempts"], one["status"]) for address, one in before.items()}
    attempts = sum(session.refused for session in sink.sessions)
    time.sleep(1)
    assert sum(session.refused for session in sink.sessions) == attempts == len(addresses), "tried again at once"


def test_intervals_grow_and_the_last_repeats(make_world):
    world = make_world(retry=["500ms", "1s", "2s"])
    sink = world.sink("remote.test", script={"RCPT": ["450 4.2.1 later"] * 5})
    mta = world.start()
    mta.send(SENDER, "x@remote.test", MESSAGE)
    sink.wait(1, timeout=30)
    attempts = [one for one in times(sink)]
    gaps = [later - earlier for earlier, later in zip(attempts, attempts[1:])]
    for gap, wanted in zip(gaps, (0.5, 1, 2, 2, 2)):
        assert 0.85 * wanted <= gap <= 1.15 * wanted + 0.5 * patience(), gaps
    mta.wait_queue_empty()


def test_lifetimes(make_world):
    """Mail of a sender, mail without one, and mail for a destination with a lifetime of its own."""
    world = make_world(**{"queue-lifetime": "6s", "bounce-lifetime": "2s", "retry": ["500ms"], "delay-warning": "0s"})
    world.mta.extra += 'destination "brief.test" { lifetime = 2s }\ndestination "long.test" { lifetime = 1h }\n'
    sinks = {domain: world.sink(domain, script={"RCPT": "450 4.2.1 later"})
             for domain in ("remote.test", "null.test", "brief.test", "long.test")}
    mta = world.start()
    began = time.monotonic()
    mta.send(SENDER, "x@remote.test", MESSAGE)
    mta.send(SENDER, "x@brief.test", MESSAGE)
    mta.send(SENDER, "x@long.test", MESSAGE)
    mta.send("", "x@null.test", MESSAGE)
    gone = {}

    def look():
        for address in {"x@remote.test", "x@null.test", "x@brief.test", "x@long.test"} - set(entries(mta)) - set(gone):
            gone[address] = time.monotonic() - began
        return len(gone) == 3
    wait_for(look, 15, "the end of three lifetimes")
    assert "x@long.test" not in gone
    late = 2 * patience()
    assert 1.9 <= gone["x@null.test"] <= 2 + late and 1.9 <= gone["x@brief.test"] <= 2 + late, gone
    assert 5.9 <= gone["x@remote.test"] <= 7 + late, gone
    told = [Report(one.parsed).recipients() for one in mta.wait_messages(SENDER, 2)]
    assert sorted(told) == [["x@brief.test"], ["x@remote.test"]], "nobody is told of a report that is given up"
    assert all(not sink.messages for sink in sinks.values())
    assert mta.command("queue", "remove", "--yes", entries_ids(mta)[0]).returncode == 0
    mta.wait_queue_empty()


def entries_ids(mta):
    return [message["id"] for message in mta.queue()]


def test_a_delayed_message_is_told_once(make_world):
    """One warning, RFC 3464 `delayed`, long before the end; then the message is delivered and no more is said."""
    world = make_world(**{"delay-warning": "2s", "retry": ["500ms"], "queue-lifetime": "1h"})
    sink = world.sink("remote.test", script={"RCPT": "450 4.2.1 mailbox busy"})
    mta = world.start()
    mta.send(SENDER, ["a@remote.test", "b@remote.test"], MESSAGE)
    mta.send("", "null@remote.test", MESSAGE)
    one = mta.wait_messages(SENDER, 1, timeout=20)[0]
    report = Report(one.parsed)
    assert sorted(report.recipients()) == ["a@remote.test", "b@remote.test"]
    for group in report.groups[1:]:
        assert (group["Action"], group["Status"].split()[0]) == ("delayed", "4.2.1")
        assert group["Will-Retry-Until"] and "mailbox busy" in group["Diagnostic-Code"]
    time.sleep(2)
    assert mta.stop() == 0
    mta.start_again()
    time.sleep(2)
    assert len(mta.messages(SENDER)) == 1, "told again"
    sink.script.clear()
    sink.wait(2)
    mta.wait_queue_empty()
    assert len(mta.messages(SENDER)) == 1 and len(mta.domains.all_files()) == 1


def test_mail_for_a_dead_destination_is_delayed_too(make_world):
    """Most of it is never tried itself; its senders are told all the same, once, with what the last probe met."""
    world = make_world(**{"delay-warning": "2s", "retry": ["1s"], "queue-lifetime": "1h"})
    world.dns.route("dead.test", "127.0.0.250")
    mta = world.start()
    with mta.smtp() as client:
        for _ in range(25):
            client.sendmail(SENDER, ["x@dead.test"], MESSAGE)
    mta.wait_log("destination=dead.test does not answer")
    found = mta.wait_messages(SENDER, 25, timeout=30)
    for one in found:
        group = Report(one.parsed).recipient("x@dead.test")
        assert group["Action"] == "delayed" and group["Status"].startswith("4.4.1") and group["Will-Retry-Until"]
    time.sleep(3)
    assert len(mta.messages(SENDER)) == 25, "told twice"
    assert len(mta.queue()) == 25


def test_no_warning_about_what_is_nearly_over(make_world):
    """delay-warning = 0s, and one later than the lifetime: only the end is told."""
    for warning in ("0s", "1h"):
        world = make_world(**{"delay-warning": warning, "retry": ["500ms"], "queue-lifetime": "2s"})
        world.sink("remote.test", script={"RCPT": "450 4.2.1 later"})
        mta = world.start()
        mta.send(SENDER, "x@remote.test", MESSAGE)
        assert Report(mta.wait_messages(SENDER, 1)[0].parsed).recipient("x@remote.test")["Action"] == "failed"
        mta.wait_queue_empty()
        assert len(mta.messages(SENDER)) == 1
