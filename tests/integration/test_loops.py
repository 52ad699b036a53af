"""Mail that goes in circles ends: by the count of Received fields, by Delivered-To, and with one report each."""

import smtplib

import pytest

from lib.dsn import Report
from lib.waiting import wait_for

SENDER = "alice@domain1.com"
MESSAGE = "From: <alice@domain1.com>\r\nSubject: round\r\nMessage-ID: <round@domain1.com>\r\n\r\nhello\r\n"


def received(raw):
    """How many hosts a message says it has been through."""
    header = raw.partition(b"\n\n")[0]
    return sum(line.startswith(b"Received:") for line in header.split(b"\n"))


@pytest.mark.parametrize("limit,fields,taken", [(10, 10, True), (10, 11, False), (30, 30, True), (30, 31, False)])
def test_received_fields_are_counted(make_world, limit, fields, taken):
    mta = make_world(**{"hop-limit": limit}).start()
    content = "Received: by x; Mon, 1 Jan 2024 00:00:00 +0000\r\n" * fields + MESSAGE
    if taken:
        mta.send(SENDER, "bob@domain1.com", content)
        assert received(mta.wait_messages("bob@domain1.com")[0].raw) == fields + 1
        return
    with pytest.raises(smtplib.SMTPDataError) as refused:
        mta.send(SENDER, "bob@domain1.com", content)
    assert refused.value.smtp_code == 554 and b"5.4.6" in refused.value.smtp_error
    assert mta.queue() == []


def test_a_circle_through_postfix_ends_with_one_report(make_pair):
    """An alias here sends to there, a virtual alias there sends back: hop-limit ends it, the sender is told once."""
    world, far = make_pair(settings={"hop-limit": 12}, virtual_alias_maps="inline:{ { x@remote.test = round@domain1.com } }")
    world.mta.domains.rewrite("domain1.com", "aliases", "round: x@remote.test\n")
    mta = world.mta
    mta.send(SENDER, "round@domain1.com", MESSAGE)
    one = mta.wait_messages(SENDER, timeout=40)[0]
    assert one["Return-Path"] == "<>"
    assert b"5.4.6" in one.raw and b"Too many" in one.raw, one.raw.decode()
    mta.wait_queue_empty()
    wait_for(lambda: not list((far.root / "queue/deferred").rglob("*[0-9A-F]")), 5, "an empty queue at Postfix")
    passes = far.log().count("to=<round@domain1.com>, orig_to=<x@remote.test>")
    assert 5 <= passes <= 8, f"{passes} times round with hop-limit 12, two hosts each"
    assert len(mta.messages(SENDER)) == 1


@pytest.mark.parametrize("field", ["Delivered-To: bob@domain1.com", "Delivered-To: BOB@Domain1.COM",
                                   "delivered-to:bob@domain1.com", "Delivered-To:   bob@domain1.com  "])
@pytest.mark.parametrize("size", [10, 600000])
def test_delivered_to_is_refused(make_world, field, size):
    """What has been in the mailbox that it is for comes round: refused, 5.4.6, and whoever brings it tells its sender."""
    mta = make_world().start()
    with pytest.raises(smtplib.SMTPDataError) as refused:
        mta.send(SENDER, "bob@domain1.com", f"{field}\r\n{MESSAGE}" + "0123456789\r\n" * (size // 12))
    assert refused.value.smtp_code == 554 and b"5.4.6" in refused.value.smtp_error
    assert mta.queue() == [] and not mta.domains.all_files()


@pytest.mark.parametrize("size", [10, 600000])
def test_delivered_to_behind_an_alias(make_world, size):
    """Nobody knew at the door whose mailbox it is for: local finds it, and a sender who is known is told, once."""
    world = make_world()
    world.mta.domains.rewrite("domain1.com", "aliases", "round: bob\n")
    mta = world.start()
    content = "Delivered-To: BOB@domain1.com\n" + MESSAGE.replace("\r\n", "\n") + "0123456789\n" * (size // 12)
    sent = mta.sendmail("-i", "-f", SENDER, "round@domain1.com", stdin=content)
    assert sent.returncode == 0, sent.stderr
    report = Report(mta.wait_messages(SENDER)[0].parsed)
    group = report.recipient("bob@domain1.com")
    assert (group["Action"], group["Status"].split()[0]) == ("failed", "5.4.6")
    mta.wait_queue_empty()
    assert not mta.messages("bob@domain1.com") and len(mta.messages(SENDER)) == 1


def test_the_report_of_a_looping_report_is_not_sent(make_world):
    """A null sender's message in a circle: ended, said in the log, and nothing more is sent."""
    world = make_world()
    world.mta.domains.rewrite("domain1.com", "aliases", "round: bob\n")
    mta = world.start()
    mta.send("", "round@domain1.com", "Delivered-To: bob@domain1.com\r\n" + MESSAGE)
    mta.wait_log(r"to=<bob@domain1.com> failed .*status=5\.4\.6")
    mta.wait_queue_empty()
    assert not mta.domains.all_files()


@pytest.mark.parametrize("content", [
    "Delivered-To: bob@domain2.com\r\n" + MESSAGE, "Delivered-To: xbob@domain1.com\r\n" + MESSAGE,
    MESSAGE + "Delivered-To: bob@domain1.com\r\n", "X-Delivered-To: bob@domain1.com\r\n" + MESSAGE])
def test_another_delivered_to_is_no_circle(make_world, content):
    """Another bob, a longer name, a body that quotes it, another field."""
    mta = make_world().start()
    mta.send(SENDER, "bob@domain1.com", content)
    mta.wait_messages("bob@domain1.com")
    mta.wait_queue_empty()
    assert not mta.messages(SENDER)
