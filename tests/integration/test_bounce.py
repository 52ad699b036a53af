"""Non-delivery reports: made at once for permanent failures and when the lifetime ends, parsed strictly."""

import time

from lib.dsn import Report
from lib.waiting import wait_for

MESSAGE = "From: <bob@domain1.com>\r\nTo: <x@remote.test>\r\nSubject: returned\r\nMessage-ID: <r@domain1.com>\r\n\r\nhello\r\n"


def bounce(mta, address="bob@domain1.com", timeout=15.0):
    one = mta.wait_messages(address, timeout=timeout)[0]
    assert one["Return-Path"] == "<>"
    return one, Report(one.parsed)


def test_bounce_after_5xx(make_world):
    world = make_world()
    world.sink("remote.test", script={"RCPT": "550 5.1.1 no such user here"})
    mta = world.start()
    mta.send("bob@domain1.com", "x@remote.test", MESSAGE)
    one, report = bounce(mta)
    group = report.recipient("x@remote.test")
    assert (group["Action"], group["Status"].split()[0]) == ("failed", "5.1.1")
    assert "550 5.1.1 no such user here" in group["Diagnostic-Code"]
    assert group["Remote-MTA"] and "x@remote.test" in report.text and "no such user here" in report.text
    assert "Message-ID: <r@domain1.com>" in report.returned.as_string()
    assert "bob@domain1.com" in one["To"]
    mta.wait_queue_empty()


def test_one_report_for_all_recipients_of_one_attempt(make_world):
    world = make_world()
    world.sink("remote.test", script={"RCPT": "550 5.1.1 none of them"})
    mta = world.start()
    recipients = [f"u{number}@remote.test" for number in range(8)]
    mta.send("bob@domain1.com", recipients, MESSAGE)
    mta.wait_queue_empty()
    reports = [Report(one.parsed) for one in mta.messages("bob@domain1.com")]
    assert sorted(address for report in reports for address in report.recipients()) == recipients
    assert len(reports) == 1


def test_only_the_failed_recipient_is_reported(make_world):
    world = make_world()
    world.sink("remote.test", script={"RCPT": lambda session, line: "554 5.7.1 no" if b"<bad@" in line else None})
    mta = world.start()
    mta.send("bob@domain1.com", ["good@remote.test", "bad@remote.test"], MESSAGE)
    _, report = bounce(mta)
    assert report.recipients() == ["bad@remote.test"]


def test_refused_at_mail_data_and_dot(make_world):
    world = make_world()
    mta = world.mta
    for number, stage in enumerate(("MAIL", "DATA", "EOD")):
        world.sink(f"r{number}.test", script={stage: "554 5.6.0 refused here"})
    world.start()
    for number in range(3):
        mta.send("alice@domain1.com", f"x@r{number}.test", MESSAGE)
    mta.wait_messages("alice@domain1.com", 3)
    for one in mta.messages("alice@domain1.com"):
        assert Report(one.parsed).groups[1]["Status"].split()[0] == "5.6.0"


def test_null_sender_is_never_bounced(make_world):
    world = make_world()
    sink = world.sink("remote.test", script={"RCPT": "550 5.1.1 no"})
    mta = world.start()
    mta.send("", "x@remote.test", MESSAGE)
    sink.wait_sessions(1)
    mta.wait_queue_empty()
    assert not mta.domains.all_files() and not sink.messages


def test_an_undeliverable_bounce_ends(make_world):
    """The bounce itself fails for good: said in the log, and nothing goes round."""
    world = make_world()
    sink = world.sink("remote.test", script={"RCPT": "550 5.1.1 no"})
    mta = world.start()
    mta.send("ghost@remote.test", "x@remote.test", MESSAGE)
    wait_for(lambda: sum(session.refused for session in sink.sessions) >= 2, 15, "the refused bounce")
    mta.wait_queue_empty()
    assert not mta.domains.all_files() and not sink.messages


def test_lifetime_ends(make_world):
    world = make_world(**{"queue-lifetime": "3s", "retry": ["1s"]})
    sink = world.sink("remote.test", script={"RCPT": "450 4.2.1 mailbox busy"})
    mta = world.start()
    began = time.monotonic()
    mta.send("bob@domain1.com", "x@remote.test", MESSAGE)
    _, report = bounce(mta)
    assert time.monotonic() - began >= 2.5
    group = report.recipient("x@remote.test")
    assert group["Action"] == "failed"
    assert "mailbox busy" in group["Diagnostic-Code"]
    assert sum(session.refused for session in sink.sessions) >= 2
    mta.wait_queue_empty()


def test_unknown_domain_is_bounced_at_once(make_world):
    """NXDOMAIN for the domain: no MX, no address, permanent."""
    mta = make_world().start()
    mta.send("bob@domain1.com", "x@nosuch.test", MESSAGE)
    _, report = bounce(mta)
    assert report.recipient("x@nosuch.test")["Status"].startswith("5.1.2")


def test_null_mx_is_bounced_at_once(make_world):
    world = make_world()
    world.dns.mx("nomail.test", (0, "."))
    mta = world.start()
    mta.send("bob@domain1.com", "x@nomail.test", MESSAGE)
    _, report = bounce(mta)
    assert report.recipient("x@nomail.test")["Status"].startswith("5.1.10")


def test_hostile_reply_is_escaped_in_the_report(make_world):
    world = make_world()
    world.sink("remote.test", script={"RCPT": b"550 5.1.1 a\x00b\x1b[2J\xff\xfe\r\n"})
    mta = world.start()
    mta.send("bob@domain1.com", "x@remote.test", MESSAGE)
    one, _ = bounce(mta)
    head = one.raw.partition(b"Message-ID: <r@domain1.com>")[0]
    assert not [octet for octet in head if octet > 126 or octet < 32 and octet not in (9, 10)]


def test_report_to_a_remote_sender_goes_by_mx(make_world):
    world = make_world()
    world.sink("remote.test", script={"RCPT": "550 5.1.1 no"})
    home = world.sink("sender.test")
    world.start().send("s@sender.test", "x@remote.test", MESSAGE)
    one = home.wait(1)[0]
    assert one.sender == "" and one.recipients == ["s@sender.test"]


def test_large_message_is_returned_as_headers_only(make_world):
    """The report's size is bounded whatever came in."""
    world = make_world()
    world.sink("remote.test", script={"RCPT": "550 5.1.1 no"})
    mta = world.start()
    mta.send("bob@domain1.com", "x@remote.test", MESSAGE + "0123456789\r\n" * 200000)
    one, report = bounce(mta)
    assert len(one.raw) < 300000 and "Message-ID: <r@domain1.com>" in report.returned.as_string()
