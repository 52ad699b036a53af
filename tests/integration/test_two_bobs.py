"""The main job: bob@domain1.com and bob@domain2.com are two people; who is neither is refused."""

import shutil
import smtplib
import subprocess

import pytest

from lib.smtp_raw import RawClient


def message(subject, recipient="x"):
    return f"From: <s@else.test>\r\nTo: <{recipient}>\r\nSubject: {subject}\r\n\r\nfor {recipient}\r\n"


def test_smtplib_reaches_both_bobs(mta):
    for domain in ("domain1.com", "domain2.com"):
        mta.send("s@else.test", f"bob@{domain}", message("hello", f"bob@{domain}"))
    for domain in ("domain1.com", "domain2.com"):
        one = mta.wait_messages(f"bob@{domain}")[0]
        assert one["Delivered-To"] == f"bob@{domain}"
        assert one["Return-Path"] == "<s@else.test>"
        assert one.body == f"for bob@{domain}\n".encode()


def test_one_message_to_both(mta):
    mta.send("s@else.test", ["bob@domain1.com", "bob@domain2.com"], message("both"))
    ids = {mta.wait_messages(f"bob@{domain}")[0].queue_id for domain in ("domain1.com", "domain2.com")}
    assert len(ids) == 1


@pytest.mark.skipif(not shutil.which("swaks"), reason="swaks is not installed")
@pytest.mark.parametrize("domain", ["domain1.com", "domain2.com"])
def test_swaks(mta, domain):
    done = subprocess.run(["swaks", "--server", f"127.0.0.1:{mta.port}", "--from", "s@else.test", "--to",
                           f"bob@{domain}", "--body", "by swaks", "--ehlo", "client.test", "--pipeline"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout
    assert b"by swaks" in mta.wait_messages(f"bob@{domain}")[0].body


def test_local_to_local_stays_here(world):
    """domain1 writes to domain2 on the same host: no DNS question, no connection."""
    world.mta.send("alice@domain1.com", "bob@domain2.com", message("neighbour"))
    world.mta.wait_messages("bob@domain2.com")
    assert world.dns.questions == []


def test_trace_fields(mta):
    """Return-Path first, then Delivered-To, then our Received with the queue id, then what was sent."""
    mta.send("s@else.test", "bob@domain1.com", message("trace"))
    one = mta.wait_messages("bob@domain1.com")[0]
    names = [name for name, _ in one.parsed.items()]
    assert names[:3] == ["Return-Path", "Delivered-To", "Received"]
    received = one["Received"]
    for word in ("from client.test", "127.0.0.1", "by mx.test", "with ESMTP", f"id {one.queue_id}"):
        assert word in received, f"{word!r} is not in {received!r}"


def test_null_sender(mta):
    mta.send("", "bob@domain1.com", message("null"))
    assert mta.wait_messages("bob@domain1.com")[0]["Return-Path"] == "<>"


def test_unknown_recipient_is_refused_now(mta):
    with RawClient("127.0.0.1", mta.port) as client:
        client.hello()
        client.command("MAIL FROM:<s@else.test>", "250")
        assert client.command("RCPT TO:<nobody@domain1.com>", "550").enhanced == "5.1.1"
        client.command("RCPT TO:<bob@domain1.com>", "250")


def test_relay_is_refused(mta):
    with RawClient("127.0.0.1", mta.port) as client:
        client.hello()
        client.command("MAIL FROM:<bob@domain1.com>", "250")
        assert client.command("RCPT TO:<x@remote.test>", "550").enhanced == "5.7.1"


def test_refused_and_accepted_in_one_message(mta):
    refused = mta.send("s@else.test", ["nobody@domain1.com", "bob@domain1.com", "x@remote.test"], message("some"))
    assert {address: reply[0] for address, reply in refused.items()} == {
        "nobody@domain1.com": 550, "x@remote.test": 550}
    mta.wait_messages("bob@domain1.com")


def test_relay_for_trusted_clients(make_world):
    world = make_world()
    sink = world.sink("remote.test")
    world.start().send("bob@domain1.com", "x@remote.test", message("out"))
    assert sink.wait(1)[0].recipients == ["x@remote.test"]


def test_domain_is_case_insensitive_and_local_part_too(mta):
    mta.send("s@else.test", "BoB@Domain1.COM", message("case"))
    mta.wait_messages("bob@domain1.com")


def test_smtplib_multiple_messages_in_one_session(mta):
    with mta.smtp() as client:
        for number in range(20):
            client.sendmail("s@else.test", ["bob@domain1.com"], message(str(number)))
    found = mta.wait_messages("bob@domain1.com", 20)
    assert sorted(int(one["Subject"]) for one in found) == list(range(20))


def test_helo_client(mta):
    client = smtplib.SMTP("127.0.0.1", mta.port, timeout=10)
    client.helo("old.test")
    client.sendmail("s@else.test", ["bob@domain1.com"], message("helo"))
    client.quit()
    assert "with SMTP " in mta.wait_messages("bob@domain1.com")[0]["Received"].replace("\n", " ") + " "
