"""Mailboxes with a quota: at RCPT, at delivery, with Dovecot's own file beside, and by command."""

import json
import subprocess

import pytest

from lib.instance import BIN, Instance
from lib.smtp_raw import RawClient
from lib.waiting import wait_for


@pytest.fixture(name="mta")
def running():
    """a.example with a quota of 10K for everybody but dora, who has 1M of her own."""
    with Instance(settings={"retry": ["200ms"]}) as mta:
        mta.add_domain("a.example", ["anna", "dora"], aliases="both: anna, dora\n", conf="quota = 10K\n")
        text = mta.domains.read("a.example", "passwd").rstrip("\n")
        mta.domains.rewrite("a.example", "passwd", text + ":userdb_quota_rule=*:storage=1M\n")
        yield mta.start()


def send(mta, rcpt, octets, size=None):
    """Replies to RCPT and, if that was accepted, to the content."""
    with RawClient("127.0.0.1", mta.port) as client:
        client.hello()
        client.command("MAIL FROM:<s@far.example>" + (f" SIZE={size}" if size else ""), "250")
        reply = client.command(f"RCPT TO:<{rcpt}>")
        if reply.code != "250":
            return reply
        client.command("DATA", "354")
        return client.command("Subject: x\r\n\r\n" + "x" * 70 + ("\r\n" + "x" * 70) * (octets // 72) + "\r\n.")


def user_quota(mta, *args):
    return subprocess.run([BIN / "postrider", "-c", mta.conf, "user", "quota", *args], capture_output=True, text=True,
                          timeout=20, check=False)


def test_a_full_mailbox(mta):
    assert send(mta, "anna@a.example", 4000).code == "250"
    mta.wait_messages("anna@a.example", 1)
    size = mta.domains.maildir("anna@a.example") / "maildirsize"
    wait_for(lambda: size.exists() and size.read_text().count("\n") == 3, 5, "the file of sizes")
    assert size.read_text().startswith("10240S\n")
    # too large as announced; then as announced wrongly, which delivery finds out
    reply = send(mta, "anna@a.example", 7000, size=7000)
    assert (reply.code, reply.enhanced) == ("452", "4.2.2")
    assert "rule=quota" in wait_for(lambda: "rule=quota" in mta.log() and mta.log(), 5, "the log")
    assert send(mta, "anna@a.example", 7000).code == "250"
    wait_for(lambda: "The mailbox anna@a.example is full" in mta.log(), 10, "the deferral")
    assert send(mta, "anna@a.example", 100).code == "250"
    mta.wait_messages("anna@a.example", 2)
    # the other of two gets his; the one with a quota of her own has room
    assert send(mta, "both@a.example", 7000, size=7000).code == "250"
    mta.wait_messages("dora@a.example", 1)
    # what is removed makes room, and the mail that waits comes in
    for path in mta.domains.files("anna@a.example"):
        path.unlink()
    size.unlink()
    mta.wait_messages("anna@a.example", 1)


def test_a_domain_that_refuses(mta):
    mta.domains.rewrite("a.example", "domain.conf", "quota = 10K\nover-quota = refuse\n")
    reply = wait_for(lambda: (r := send(mta, "anna@a.example", 20000, size=20000)).code == "552" and r, 5, "552")
    assert reply.enhanced == "5.2.2"


def test_postrider_user_quota(mta):
    assert send(mta, "anna@a.example", 4000).code == "250"
    mta.wait_messages("anna@a.example", 1)
    size = mta.domains.maildir("anna@a.example") / "maildirsize"
    wait_for(lambda: size.exists() and size.read_text().count("\n") == 3, 5, "the file of sizes")
    said = user_quota(mta, "anna@a.example")
    assert said.returncode == 0 and "of 10.0 KiB; quota: the domain's" in said.stdout
    assert user_quota(mta, "anna@a.example", "20K").returncode == 0
    told = json.loads(user_quota(mta, "anna@a.example", "--json").stdout)
    assert told["quota"] == 20480 and told["own"] and told["messages"] == 1
    wait_for(lambda: send(mta, "anna@a.example", 9000, size=9000).code == "250", 5, "room")
    assert user_quota(mta, "anna@a.example", "none").returncode == 0
    assert "none, for this user" in user_quota(mta, "anna@a.example").stdout
    assert user_quota(mta, "anna@a.example", "default").returncode == 0
    assert "the domain's" in user_quota(mta, "anna@a.example").stdout
    assert user_quota(mta, "anna@a.example", "7").returncode == 64
    assert "there is no user" in user_quota(mta, "nobody@a.example").stderr
    said = subprocess.run([BIN / "postrider", "-c", mta.conf, "explain", "anna@a.example", "--client", "192.0.2.1", "--from",
                           "s@far.example"], capture_output=True, text=True, timeout=20, check=False)
    assert "10K of anna:" in said.stdout, said
