"""Notifications between us and a real Postfix: it takes ours, hands them on, and both keep what RFC 3461 asks for."""

import email
import email.policy
import smtplib

from lib.dsn import Report
from lib.smtp_raw import RawClient

MESSAGE = "From: <x@remote.test>\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\nSubject: asked\r\nMessage-ID: <pf@remote.test>\r\n\r\nGrüße\r\n"


def parse(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


def send(host, port, sender, recipient, mail="", rcpt=""):
    with smtplib.SMTP(host, port, local_hostname="client.test", timeout=10) as client:
        client.ehlo()
        assert client.has_extn("dsn") and client.has_extn("8bitmime")
        assert client.mail(sender, ["BODY=8BITMIME", *mail.split()])[0] == 250
        assert client.rcpt(recipient, rcpt.split())[0] == 250
        assert client.data(MESSAGE.encode())[0] == 250


def test_postfix_takes_our_report(make_pair):
    world, far = make_pair()
    world.sink("refuses.test", script={"RCPT": "550 5.1.1 no such user"})
    send("127.0.0.1", world.mta.port, "x@remote.test", "y@refuses.test", "ENVID=to+2Bpf RET=FULL")
    raw = far.wait(1)[0]
    report = Report(parse(raw))
    group = report.recipient("y@refuses.test")
    assert (group["Action"], group["Status"]) == ("failed", "5.1.1")
    assert report.groups[0]["Original-Envelope-Id"] == "to+pf"
    assert report.returned.get_content_type() == "message/rfc822" and "\nGrüße\n".encode() in raw
    assert b"Return-Path: <>" in raw
    world.mta.wait_queue_empty()


def test_postfix_hands_our_report_on(make_pair):
    """To a server behind it, octet by octet."""
    world, far = make_pair(routes={"behind.test": "smtp:[127.0.0.10]:{port}"})
    home = world.sink("home.test")
    assert home.host == "127.0.0.10"
    world.dns.route("behind.test", far.host)
    world.sink("refuses.test", script={"RCPT": "550 5.1.1 no such user"})
    send("127.0.0.1", world.mta.port, "s@behind.test", "y@refuses.test")
    one = home.wait(1, timeout=30)[0]
    assert one.sender == "" and one.recipients == ["s@behind.test"]
    report = Report(parse(one.content))
    assert report.recipient("y@refuses.test")["Status"] == "5.1.1"
    assert b"BODY=8BITMIME" in one.mail_line and "\nGrüße\r\n".encode() in one.content


def test_postfix_reports_success_of_what_we_passed_on(make_pair):
    world, far = make_pair()
    send("127.0.0.1", world.mta.port, "bob@domain1.com", "x@remote.test", "ENVID=QQ+2B1",
         "NOTIFY=SUCCESS ORCPT=rfc822;Other@remote.test")
    far.wait(1)
    one = world.mta.wait_messages("bob@domain1.com", timeout=30)[0]
    assert one["Return-Path"] == "<>"
    status = [part for part in one.parsed.walk() if part.get_content_type() == "message/delivery-status"][0].as_string()
    assert "Action: delivered" in status and "Reporting-MTA: dns; postfix.test" in status
    assert "Original-Envelope-Id: QQ+1" in status and "Original-Recipient: rfc822;Other@remote.test" in status
    world.mta.wait_queue_empty()
    assert len(world.mta.messages("bob@domain1.com")) == 1, "one report, Postfix's"


def test_we_report_success_of_what_postfix_passed_on(make_pair):
    world, far = make_pair()
    send(far.host, far.port, "x@remote.test", "bob@domain1.com", "ENVID=QQ+2B2", "NOTIFY=SUCCESS ORCPT=rfc822;Bob@domain1.com")
    world.mta.wait_messages("bob@domain1.com", timeout=30)
    report = Report(parse(far.wait(1, timeout=30)[0]))
    group = report.recipient("bob@domain1.com")
    assert group["Action"] == "delivered" and group["Original-Recipient"] == "rfc822; Bob@domain1.com"
    assert report.groups[0]["Original-Envelope-Id"] == "QQ+2"
    assert report.groups[0]["Received-From-MTA"] == "dns; postfix.test"


def test_postfix_bounces_towards_us(make_pair):
    """Its report on what we refuse at RCPT comes with the null reverse-path, and is delivered like any mail."""
    world, far = make_pair()
    send(far.host, far.port, "bob@domain1.com", "nobody@domain2.com", "", "NOTIFY=FAILURE")
    one = world.mta.wait_messages("bob@domain1.com", timeout=30)[0]
    assert one["Return-Path"] == "<>" and one.parsed.get_content_type() == "multipart/report"
    assert b"nobody@domain2.com" in one.raw and b"5.1.1" in one.raw


def test_never_goes_through_both(make_pair):
    """What nobody wants to hear of: refused behind Postfix, and neither says a word."""
    world, far = make_pair(routes={"behind.test": "smtp:[127.0.0.10]:{port}"})
    refuses = world.sink("home.test", script={"RCPT": "550 5.1.1 no"})
    world.dns.route("behind.test", far.host)
    with RawClient("127.0.0.1", world.mta.port) as client:
        client.hello()
        client.command("MAIL FROM:<bob@domain1.com>", "250")
        client.command("RCPT TO:<y@behind.test> NOTIFY=NEVER", "250")
        client.command("DATA", "354")
        client.send(b"Subject: t\r\n\r\nx\r\n.\r\n")
        client.reply("250")
    refuses.wait_sessions(1, timeout=30)
    world.mta.wait_queue_empty()
    assert world.mta.messages("bob@domain1.com") == []
