"""A real Postfix on loopback at the other end, in both directions."""

import smtplib
import subprocess

import pytest

from lib.dsn import Report
from lib.waiting import wait_for

MESSAGE = "From: <bob@domain1.com>\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\nSubject: to and fro\r\nMessage-ID: <pf{}@domain1.com>\r\n\r\n.dot\r\n..\r\nGrüße\r\n"


@pytest.fixture
def pair(make_pair):
    """(world, Postfix): remote.test lives there, domain1.com and domain2.com here, found by MX."""
    return make_pair()


def test_to_postfix(pair):
    world, far = pair
    world.mta.send("bob@domain1.com", ["x@remote.test", "y@remote.test"], MESSAGE.format(1).encode(), ["BODY=8BITMIME"])
    for raw in far.wait(2):
        assert raw.endswith(MESSAGE.format(1).replace("\r\n", "\n").encode())
        assert b"by postfix.test (Postfix)" in raw and b"from mx.test" in raw
    world.mta.wait_queue_empty()
    assert world.dns.asked("remote.test", "MX") >= 1


def test_from_postfix(pair):
    world, far = pair
    with smtplib.SMTP(far.host, far.port, timeout=10) as client:
        client.sendmail("x@remote.test", ["bob@domain1.com", "bob@domain2.com"], MESSAGE.format(2).encode(),
                        mail_options=["BODY=8BITMIME"])
    for domain in ("domain1.com", "domain2.com"):
        one = world.mta.wait_messages(f"bob@{domain}", timeout=20)[0]
        assert one.raw.endswith(MESSAGE.format(2).replace("\r\n", "\n").encode())
        assert "from postfix.test" in one["Received"]


def test_sendmail_of_postfix_to_bob(pair):
    """A message made by Postfix's own sendmail command, through its queue, to bob here."""
    world, far = pair
    done = subprocess.run(["/usr/sbin/sendmail", "-C", str(far.root / "config"), "-i", "-f", "x@remote.test",
                           "bob@domain2.com"], input="Subject: by hand\n\nhello\n", text=True, capture_output=True,
                          timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    assert world.mta.wait_messages("bob@domain2.com", timeout=70)[0]["Subject"] == "by hand"


def test_postfix_refuses_and_we_bounce(pair):
    world, far = pair
    world.mta.send("bob@domain1.com", "x@elsewhere.test", MESSAGE.format(3).encode(), ["BODY=8BITMIME"])
    world.dns.route("unknown.test", far.host)
    far.change(smtpd_relay_restrictions="reject_unauth_destination")
    far_refuses = lambda: b"554" in _rcpt(far, "x@unknown.test")
    wait_for(far_refuses, 10, "Postfix's refusal")
    world.mta.send("bob@domain1.com", "x@unknown.test", MESSAGE.format(4).encode(), ["BODY=8BITMIME"])
    found = world.mta.wait_messages("bob@domain1.com", 2, timeout=20)
    reports = {Report(one.parsed).recipients()[0]: Report(one.parsed) for one in found}
    assert reports["x@unknown.test"].groups[1]["Status"].startswith("5.7.1")


def test_we_refuse_and_postfix_bounces(pair):
    """An unknown recipient here: Postfix gets 550 and reports to its sender, also here."""
    world, far = pair
    with smtplib.SMTP(far.host, far.port, timeout=10) as client:
        client.sendmail("bob@domain1.com", ["nobody@domain2.com"], MESSAGE.format(5).encode(), ["BODY=8BITMIME"])
    one = world.mta.wait_messages("bob@domain1.com", timeout=20)[0]
    assert b"5.1.1" in one.raw and b"nobody@domain2.com" in one.raw


def _rcpt(far, address):
    with smtplib.SMTP(far.host, far.port, timeout=10) as client:
        client.ehlo()
        client.mail("bob@domain1.com")
        code, text = client.rcpt(address)
        return str(code).encode() + text
