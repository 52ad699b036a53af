"""Peers that refuse, put off, hang and vanish: a real Postfix, and a scripted server for what none does by itself.

For each recipient: what was said about it is what became of it, a temporary word is tried again, a last one is
told to the sender once, and nobody gets a message twice.
"""

import email
import os
import re
import signal
import threading
import time

import pytest

from lib.dsn import Report
from lib.policy import Policy
from lib.sink import Close, Drop, Hold
from lib.waiting import descendants, wait_for

SENDER = "bob@domain1.com"
MESSAGE = "From: <bob@domain1.com>\r\nTo: all\r\nSubject: to many\r\nMessage-ID: <{}@domain1.com>\r\n\r\n.dot\r\nhello\r\n"


def access(**verdicts):
    """An access table of local parts at remote.test, in Postfix's form."""
    rows = ", ".join(f"{{ {user}@remote.test = {verdict} }}" for user, verdict in verdicts.items())
    return f"check_recipient_access inline:{{ {rows} }}, permit_mynetworks, reject"


def entries(mta):
    """{address: what the queue says of it}."""
    return {one["address"]: one for message in mta.queue() for one in message["recipients"]}


def wait_deferred(mta, *addresses, timeout=20.0):
    """Wait until these, and no others, are put off; returns what the queue says of them."""
    def look():
        found = entries(mta)
        return found if {one["state"] for one in found.values()} == {"deferred"} and sorted(found) == sorted(addresses) else None
    return wait_for(look, timeout, f"{addresses} deferred")


def reports(mta, count=1, address=SENDER, timeout=20.0):
    """The reports that a sender got, each read strictly."""
    found = mta.wait_messages(address, count, timeout=timeout)
    assert all(one["Return-Path"] == "<>" for one in found)
    return [Report(one.parsed) for one in found]


def reported(found):
    """Every address that reports tell of, as often as they do."""
    return sorted(address for report in found for address in report.recipients())


def boxes(far):
    """How many messages each Message-ID has at Postfix."""
    ids = [re.search(rb"(?im)^message-id: <(.*)@domain1.com>", path.read_bytes())[1].decode() for path in far.files()]
    return {name: ids.count(name) for name in ids}


# --- a real Postfix ---


def test_each_recipient_has_its_own_verdict(make_pair):
    """One message to five: two get it, two are told about, one is tried until it is taken."""
    world, far = make_pair(settings={"retry": ["1s"]}, smtpd_recipient_restrictions=access(
        no="550 5.1.1 no such user here", gone="551 5.1.6 moved away", full="452 4.2.2 mailbox full"))
    mta = world.mta
    mta.send(SENDER, [f"{user}@remote.test" for user in ("yes", "no", "full", "gone", "too")], MESSAGE.format("five"))
    assert all(b"five@domain1.com" in raw for raw in far.wait(2))
    one = reports(mta)[0]
    assert sorted(one.recipients()) == ["gone@remote.test", "no@remote.test"], "one report about both"
    for user, status, text in (("no", "5.1.1", "no such user here"), ("gone", "5.1.6", "moved away")):
        group = one.recipient(f"{user}@remote.test")
        assert (group["Action"], group["Status"].split()[0]) == ("failed", status)
        assert group["Diagnostic-Code"].startswith("smtp;") and text in group["Diagnostic-Code"]
        assert group["Remote-MTA"] == "dns; mx.remote.test" and text in " ".join(one.text.split())
    full = wait_deferred(mta, "full@remote.test")["full@remote.test"]
    assert full["status"] == "4.2.2" and "mailbox full" in full["text"]
    wait_for(lambda: entries(mta)["full@remote.test"]["attempts"] >= 2, 10, "a second attempt")
    far.change(smtpd_recipient_restrictions="permit_mynetworks, reject")
    far.wait(3)
    mta.wait_queue_empty()
    assert boxes(far) == {"five": 3} and len(mta.messages(SENDER)) == 1
    attempts = far.log().count("<full@remote.test>: Recipient address rejected: mailbox full")
    assert attempts >= 2 and far.log().count("no such user here") == 1, "who was refused is not asked for again"


def test_sender_refused(make_pair):
    """MAIL FROM is refused: for good it is told once for all, for now all wait."""
    world, far = make_pair(settings={"retry": ["300s"]}, smtpd_delay_reject="no", smtpd_sender_restrictions=(
        "check_sender_access inline:{ { bob@domain1.com = 553 5.1.8 not from you }, "
        "{ alice@domain1.com = 450 4.1.8 not now } }"))
    mta = world.mta
    to = ["a@remote.test", "b@remote.test", "c@remote.test"]
    mta.send(SENDER, to, MESSAGE.format("bob"))
    mta.send("alice@domain1.com", to[:2], MESSAGE.format("alice"))
    one = reports(mta)[0]
    assert one.recipients() == to
    assert {group["Status"].split()[0] for group in one.groups[1:]} == {"5.1.8"}
    for entry in wait_deferred(mta, *to[:2]).values():
        assert entry["status"] == "4.1.8" and "not now" in entry["text"] and entry["attempts"] == 1
    assert not far.files()


def test_postfix_that_is_busy_greets_with_421(make_pair):
    """Nothing was said about anybody: all wait, nobody is told, and it goes when Postfix is back."""
    world, far = make_pair(smtpd_delay_reject="no",
                           smtpd_client_restrictions="check_client_access static:{421 4.3.2 come back later}")
    mta = world.mta
    mta.send(SENDER, ["a@remote.test", "b@remote.test"], MESSAGE.format("busy"))
    for entry in wait_deferred(mta, "a@remote.test", "b@remote.test").values():
        assert entry["status"] == "4.3.2" and "come back later" in entry["text"]
    far.change(smtpd_client_restrictions="")
    far.wait(2, timeout=30)
    mta.wait_queue_empty()
    assert boxes(far) == {"busy": 2} and not mta.messages(SENDER)


def test_postfix_hangs_up_on_too_many_errors(make_pair):
    """421 in the middle of the recipients: those who were refused are done with, the others come again."""
    users = [f"bad{number}" for number in range(8)]
    world, far = make_pair(settings={"retry": ["1s"]}, smtpd_hard_error_limit="3", smtpd_error_sleep_time="0s",
                           smtpd_recipient_restrictions=access(**{user: "550 5.1.1 unknown" for user in users}))
    mta = world.mta
    mta.send(SENDER, [f"{user}@remote.test" for user in [*users, "good"]], MESSAGE.format("errors"))
    far.wait(1, timeout=30)
    mta.wait_queue_empty(timeout=30)
    assert boxes(far) == {"errors": 1}
    told = [Report(one.parsed) for one in mta.messages(SENDER)]
    assert reported(told) == sorted(f"{user}@remote.test" for user in users), "each told once"
    assert far.log().count("too many errors") >= 2


@pytest.mark.limit(90)
def test_postfix_that_hangs_at_a_recipient(make_pair):
    """A policy service that says nothing: time runs out, the message waits, other mail does not."""
    asleep = threading.Event()
    with Policy(lambda asked: "dunno" if asleep.is_set() or asked["recipient"].startswith("quick") else
                asleep.wait(60) and "dunno") as policy:
        world, far = make_pair(settings={"reply-timeout": "3s", "retry": ["2s"]},
                               smtpd_recipient_restrictions=f"{policy.check}, permit_mynetworks, reject")
        mta = world.mta
        mta.send(SENDER, "slow@remote.test", MESSAGE.format("slow"))
        policy.wait(1)
        mta.send(SENDER, "quick@remote.test", MESSAGE.format("quick"))
        far.wait(1, timeout=5)
        assert boxes(far) == {"quick": 1}
        entry = wait_deferred(mta, "slow@remote.test")["slow@remote.test"]
        assert entry["status"].startswith("4.4"), entry
        asleep.set()
        far.wait(2, timeout=30)
        mta.wait_queue_empty()
    assert boxes(far) == {"quick": 1, "slow": 1} and not mta.messages(SENDER)


def test_postfix_killed_before_its_last_reply(make_pair):
    """The content is there, the 250 is not: the message comes again, and is taken once."""
    hold = threading.Event()
    with Policy(lambda asked: "dunno" if hold.is_set() else hold.wait(60) and "dunno") as policy:
        world, far = make_pair(settings={"retry": ["1s"]}, smtpd_end_of_data_restrictions=policy.check)
        mta = world.mta
        mta.send(SENDER, ["a@remote.test", "b@remote.test"], MESSAGE.format("killed"))
        policy.wait(1)
        master = int((far.root / "queue/pid/master.pid").read_text())
        victims = [pid for pid in descendants(master) if process_name(pid) == "smtpd"]
        hold.set()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        far.wait(2, timeout=30)
        mta.wait_queue_empty()
    assert victims and not mta.messages(SENDER)
    assert boxes(far) == {"killed": 2}


def process_name(pid):
    with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
        return comm.read().strip()


def test_message_too_large_for_postfix(make_pair):
    """SIZE says so before a word of it is sent: one report, status 5.3.4."""
    world, far = make_pair(message_size_limit="20000")
    mta = world.mta
    mta.send(SENDER, ["a@remote.test", "b@remote.test"], MESSAGE.format("large") + "0123456789\r\n" * 5000)
    one = reports(mta)[0]
    assert one.recipients() == ["a@remote.test", "b@remote.test"]
    assert {group["Status"].split()[0] for group in one.groups[1:]} == {"5.3.4"}
    mta.wait_queue_empty()
    assert not far.files()


STRICT = {
    "strict_7bit_headers": "yes", "strict_8bitmime": "yes", "strict_mime_encoding_domain": "yes",
    "header_checks": r"regexp:{ {/^Subject:/ WARN seen-subject} }",
    "mime_header_checks": r"regexp:{ {/^Content-Type: +multipart\/report;.*report-type=\"?delivery-status/ WARN seen-report}, "
                          r"{/^Content-Type: +text\/plain/ WARN seen-text}, "
                          r"{/^Content-Type: +message\/delivery-status/ WARN seen-status}, "
                          r"{/^Content-Type: +(message\/rfc822|text\/rfc822-headers)/ WARN seen-returned} }",
    "nested_header_checks": r"regexp:{ {/^Message-ID: <strict@domain1.com>/ WARN seen-original} }",
}


@pytest.mark.parametrize("size", [10, 600000])
def test_a_strict_postfix_reads_our_reports(make_pair, size):
    """Postfix's MIME parser finds the three parts, and its strict rules find nothing to refuse; Python's reads the same."""
    world, far = make_pair(("remote.test", "sender.test"), smtpd_recipient_restrictions=access(no="550 5.1.1 né ici"),
                           **STRICT)
    mta = world.mta
    mta.send("s@sender.test", ["no@remote.test"], (MESSAGE.format("strict") + "0123456789\r\n" * (size // 12)).encode())
    raw = far.wait(1, timeout=20)[0]
    mta.wait_queue_empty()
    report = Report(email.message_from_bytes(raw))
    assert report.recipients() == ["no@remote.test"] and b"<strict@domain1.com>" in raw
    seen = set(re.findall(r"seen-\w+", far.log()))
    wanted = {"seen-report", "seen-text", "seen-status", "seen-returned", "seen-subject"}
    if report.returned.get_content_type() == "message/rfc822":
        wanted.add("seen-original")
    assert seen == wanted, far.log()[-3000:]
    assert re.search(r"from=<>", far.log()), "a report has no sender"


# --- a scripted peer ---


@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
@pytest.mark.parametrize("size", [1000, 100000, 3000000])
def test_dropped_in_mid_data(make_world, size, reset):
    """The connection ends after half of the message: it comes again whole, once, to all."""
    world = make_world()
    sink = world.sink("remote.test", script={"CONTENT": [Drop(size // 2, reset), Drop(size // 2, reset)]})
    mta = world.start()
    body = "0123456789\r\n" * (size // 12)
    mta.send(SENDER, ["a@remote.test", "b@remote.test"], MESSAGE.format("drop") + body)
    one = sink.wait(1, timeout=20)[0]
    mta.wait_queue_empty()
    assert len(sink.messages) == 1 and sorted(one.recipients) == ["a@remote.test", "b@remote.test"]
    assert one.content.endswith((".dot\r\nhello\r\n" + body).encode())
    assert len(sink.sessions) >= 3 and not mta.messages(SENDER)


@pytest.mark.parametrize("stage", ["BANNER", "EHLO", "MAIL", "RCPT", "DATA", "EOD"])
def test_hangs_at_each_stage(make_world, stage):
    """Silence is a temporary failure after reply-timeout, and other destinations do not notice it."""
    world = make_world(**{"reply-timeout": "2s", "retry": ["1s"]})
    sink = world.sink("remote.test", script={stage: [Hold(20)]})
    other = world.sink("other.test")
    mta = world.start()
    began = time.monotonic()
    mta.send(SENDER, "x@remote.test", MESSAGE.format("hang"))
    wait_for(lambda: sink.sessions, 5, "a connection")
    mta.send(SENDER, "x@other.test", MESSAGE.format("other"))
    other.wait(1, timeout=1.5)
    sink.wait(1, timeout=20)
    assert time.monotonic() - began >= 2
    mta.wait_queue_empty()
    assert len(sink.messages) == 1 and not mta.messages(SENDER)


@pytest.mark.parametrize("stage", ["BANNER", "EHLO", "MAIL", "RCPT", "DATA", "EOD"])
def test_vanishes_at_each_stage(make_world, stage):
    """A connection that ends without a reply is tried again."""
    world = make_world(**{"retry": ["1s"]})
    sink = world.sink("remote.test", script={stage: [Close(reset=True)]})
    mta = world.start()
    mta.send(SENDER, "x@remote.test", MESSAGE.format("gone"))
    sink.wait(1)
    mta.wait_queue_empty()
    assert len(sink.messages) == 1 and not mta.messages(SENDER)
