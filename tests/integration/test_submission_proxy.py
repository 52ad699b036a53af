"""Submission through a proxy: XCLIENT from trusted addresses alone, and with Dovecot's real submission service,
whose users send as themselves and nobody else; msmtp and smtplib as their programs."""

import shutil
import smtplib
import subprocess

import pytest

from lib import dovecot
from lib.certificates import make_certificate
from lib.instance import Listener
from lib.smtp_raw import RawClient

CONTENT = b"From: <bob@domain1.com>\r\nSubject: proxied\r\n\r\n.\r\n..dots\r\n\xc3\xa9 8 bit\r\n\r\nlast\r\n"


@pytest.fixture
def trusting(make_world):
    """A function that makes a started World: listener 0 is mx, listener 1 submission, which 127.0.0.1 may use for others."""
    def make(**settings):
        world = make_world(**{"relay-from": ["127.0.0.0/8"], "xclient-from": ["127.0.0.1"], **settings})
        world.far = world.sink("far.test")
        world.mta.listeners = [Listener(), Listener(role="submission", tls="starttls")]
        world.mta.certificate = make_certificate(world.mta.root)
        world.start()
        return world
    return make


def introduce(world, line, listener=0):
    client = RawClient("127.0.0.1", world.mta.listeners[listener].port)
    assert "XCLIENT" in client.hello().keywords()
    client.command(f"XCLIENT {line}", "220")
    client.command("EHLO proxy.test", "250")
    return client


def test_the_client_named_counts(trusting):
    world = trusting()
    with introduce(world, "ADDR=198.51.100.9 PORT=4000 NAME=c.test HELO=real.test PROTO=ESMTP") as client:
        client.command("MAIL FROM:<s@else.test>", "250")
        client.command("RCPT TO:<u@far.test>", "550")
        client.command("RCPT TO:<bob@domain1.com>", "250")
        client.command("DATA", "354")
        client.send(b"Subject: x\r\n\r\ny\r\n.\r\n")
        client.reply("250")
    assert "from real.test ([198.51.100.9])" in world.mta.wait_messages("bob@domain1.com")[0]["Received"]
    world.mta.wait_log(r"xclient=127\.0\.0\.1 client=198\.51\.100\.9")


def test_others_are_refused(trusting):
    world = trusting()
    with RawClient("127.0.0.1", world.mta.port, source="127.0.0.2") as client:
        assert "XCLIENT" not in client.hello().keywords()
        client.command("XCLIENT ADDR=127.0.0.1", "550")
        assert client.command("XCLIENT LOGIN=bob@domain1.com").enhanced == "5.7.0"
        client.command("MAIL FROM:<bob@domain1.com>", "250")


def test_a_login_is_believed_and_no_more(trusting):
    world = trusting()
    with introduce(world, "ADDR=198.51.100.9 LOGIN=bob@domain1.com", listener=1) as client:
        client.command("MAIL FROM:<alice@domain1.com>", "55.")
        client.command("MAIL FROM:<bob@domain1.com>", "250")
        client.command("RCPT TO:<u@far.test>", "250")
    with introduce(world, "ADDR=198.51.100.9", listener=1) as client:
        assert client.command("MAIL FROM:<bob@domain1.com>").code == "530"


@pytest.fixture
def behind_dovecot(trusting):
    """(World, Dovecot in front of its submission listener)."""
    if dovecot.missing():
        pytest.skip(dovecot.missing())
    world = trusting()
    proxy = dovecot.Submission(world.mta.root / "dovecot", world.mta.listeners[1].port)
    try:
        yield world, proxy.start()
    finally:
        proxy.stop()


def test_dovecot(behind_dovecot):
    world, proxy = behind_dovecot
    with smtplib.SMTP("127.0.0.1", proxy.port, local_hostname="laptop.test", timeout=20, source_address=("127.0.0.7", 0)) as client:
        client.ehlo()
        client.login("bob@domain1.com", "secret")
        assert client.sendmail("bob@domain1.com", ["u@far.test", "alice@domain1.com"], CONTENT, ["BODY=8BITMIME"]) == {}
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail("alice@domain1.com", ["u@far.test"], CONTENT)
    one = world.mta.wait_messages("alice@domain1.com")[0]
    assert "[127.0.0.7]" in one["Received"]
    assert one.raw.endswith(CONTENT.replace(b"\r\n", b"\n"))
    world.far.wait()
    assert world.far.messages[0].content.endswith(CONTENT)
    world.mta.wait_log(r"client=127\.0\.0\.7 .*auth=bob@domain1\.com accepted")


def test_dovecot_in_chunks(behind_dovecot):
    """Its own CHUNKING on the way in, ours on the way out."""
    world, proxy = behind_dovecot
    content = b"From: <bob@domain1.com>\r\nSubject: chunks\r\n\r\n" + b"".join(b".%d\r\n" % n for n in range(200000))
    with RawClient("127.0.0.1", proxy.port, timeout=30) as client:
        assert "CHUNKING" in client.hello().keywords()
        client.command("AUTH PLAIN AGJvYkBkb21haW4xLmNvbQBzZWNyZXQ=", "235")
        client.command("MAIL FROM:<bob@domain1.com>", "250")
        client.command("RCPT TO:<alice@domain1.com>", "250")
        half = len(content) // 2
        client.send(b"BDAT %d\r\n" % half + content[:half] + b"BDAT %d LAST\r\n" % (len(content) - half) + content[half:])
        client.reply("250")
        client.reply("250")
        client.command("QUIT", "221")
    assert world.mta.wait_messages("alice@domain1.com")[0].raw.endswith(content.replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("through", ["Postrider", "Dovecot"])
def test_msmtp(behind_dovecot, through):
    if not shutil.which("msmtp"):
        pytest.skip("msmtp is not installed (apt-get install msmtp)")
    world, proxy = behind_dovecot
    port = proxy.port if through == "Dovecot" else world.mta.listeners[1].port
    tls = ["--tls=off"] if through == "Dovecot" else ["--tls=on", "--tls-certcheck=off"]
    done = subprocess.run(["msmtp", "--host=127.0.0.1", f"--port={port}", "--auth=plain", "--user=bob@domain1.com",
                           "--passwordeval=echo secret", "--from=bob@domain1.com", *tls, "alice@domain1.com", "u@far.test"],
                          input=CONTENT.replace(b"\r\n", b"\n"), capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert world.mta.wait_messages("alice@domain1.com")[0].raw.endswith(CONTENT.replace(b"\r\n", b"\n"))
    world.far.wait()
    assert world.far.messages[0].content.endswith(CONTENT)
