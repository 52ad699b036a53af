"""What one client, account or domain may do in an hour, and how it hears that it was enough."""

import re
import smtplib
import subprocess

import pytest

from lib.certificates import client_context
from lib.instance import BIN, Listener
from lib.smtp_raw import RawClient
from lib.waiting import wait_for


@pytest.fixture(name="start")
def starter(make_instance):
    """A function that starts an instance with a.example, an MX and a submission listener, and these settings."""
    def make(conf=None, **settings):
        mta = make_instance(Listener(), Listener(role="submission", tls="starttls"), **settings)
        mta.add_domain("a.example", ["anna", "bert"], conf=conf, password="s3cret")
        return mta.start()
    return make


def submit(mta, recipients=("bert@a.example",), sender="anna@a.example"):
    """A message of anna, who has logged in: ("250", text) or the refusal."""
    with smtplib.SMTP("127.0.0.1", mta.listeners[1].port, timeout=20) as client:
        client.starttls(context=client_context())
        client.login("anna@a.example", "s3cret")
        for command in (lambda: client.mail(sender), *(lambda to=to: client.rcpt(to) for to in recipients),
                        lambda: client.data("Subject: x\r\n\r\nx\r\n")):
            code, text = command()
            if code != 250:
                return str(code), text.decode()
        return "250", text.decode()


def send(mta, source, recipients=1):
    """The first refusal that a message from an address hears, else the reply to its content."""
    with RawClient("127.0.0.1", mta.port, source=source) as client:
        reply = client.reply()
        if reply.code != "220":
            return reply
        client.command("EHLO c.test", "250")
        for line in ("MAIL FROM:<s@far.example>", *["RCPT TO:<bert@a.example>"] * min(recipients, 1),
                     *[f"RCPT TO:<bert+{n}@a.example>" for n in range(1, recipients)], "DATA"):
            reply = client.command(line)
            if reply.code[0] not in "23":
                return reply
        return client.command("Subject: x\r\n\r\nx\r\n.")


def test_accounts_have_their_messages(start):
    mta = start(**{"message-rate-per-account": "2/hour", "recipient-rate-per-account": "4/hour"})
    assert submit(mta)[0] == "250"
    code, text = submit(mta, [f"bert+{n}@a.example" for n in range(4)])
    assert (code, text[:5]) == ("450", "4.7.1")
    assert "recipient-rate-per-account (4/hour): anna@a.example has had 1 recipients, try again in 6" in text
    assert submit(mta)[0] == "250"
    code, text = submit(mta)
    assert (code, text[:5]) == ("450", "4.7.1")
    assert "message-rate-per-account (2/hour): anna@a.example has had 2 messages, try again in 6" in text
    code, text = submit(mta, sender="")  # with the null sender, too
    assert code == "450" and "message-rate-per-account" in text
    log = wait_for(lambda: "rule=message-rate-per-account" in mta.log() and mta.log(), 5, "the log")
    assert re.search(r"refused=MAIL code=450 rule=message-rate-per-account", log)
    assert re.search(r'rule=message-rate-per-account text="Limit .*anna@a.example has had 2', log)
    # the same from explain, which counts nothing
    for _ in range(3):
        said = subprocess.run([BIN / "postrider", "-c", mta.conf, "explain", "--client", "192.0.2.1", "--from", "anna@a.example",
                               "--auth", "anna@a.example", "bert@a.example"], capture_output=True, text=True, timeout=20,
                              check=False)
        assert re.search(r"message-rate-per-account.* 2/hour: anna@a.example has had 2", said.stdout), said
        assert "450" in said.stdout or "4.7.1" in said.stdout


def test_domains_have_their_own_limit(start):
    mta = start(conf="message-rate = 1/hour\n", **{"message-rate-per-domain": "10/hour"})
    assert send(mta, "127.9.0.1").code == "250"
    assert submit(mta)[0] == "250"
    code, text = submit(mta)
    assert code == "450" and "Limit message-rate (1/hour): a.example has had 1" in text
    mta.domains.rewrite("a.example", "domain.conf", "message-rate = 100/hour\n")
    wait_for(lambda: submit(mta)[0] == "250", 5, "the domain's new limit")


def test_clients_are_counted_by_address_and_network(start):
    mta = start(**{"connection-rate-per-client": "2/minute", "connection-rate-per-network": "4/minute"})
    assert [send(mta, "127.9.1.1").code for _ in range(3)] == ["250", "250", "421"]
    assert [send(mta, "127.9.1.2").code for _ in range(2)] == ["250", "250"]
    reply = send(mta, "127.9.1.3")
    assert reply.code == "421" and reply.enhanced == "4.7.0"
    assert "connection-rate-per-network (4/minute): 127.9.1.0/24 has had 4 connections" in reply.text
    assert send(mta, "127.9.2.1").code == "250"


def test_recipients_of_strangers(start):
    mta = start(**{"message-rate-per-client": "2/hour", "recipient-rate-per-client": "3/hour"})
    assert send(mta, "127.9.1.1", 2).code == "250"
    reply = send(mta, "127.9.1.1", 2)
    assert reply.code == "450" and "recipient-rate-per-client (3/hour): 127.9.1.1 has had 2" in reply.text
    assert send(mta, "127.9.1.1").code == "250"
    assert send(mta, "127.9.1.1").code == "450"
    assert send(mta, "127.9.1.2").code == "250"


def test_commands_of_many_sessions(start):
    mta = start(**{"command-rate-per-client": "64/minute"})
    for _ in range(10):
        with RawClient("127.0.0.1", mta.port, source="127.9.1.1") as client:
            client.hello()
            for _ in range(4):
                client.command("NOOP", "250")
            client.command("QUIT", "221")
    # A session's last commands are told when it is over.
    reply = wait_for(lambda: (r := send(mta, "127.9.1.1")).code == "421" and r, 5, "the limit")
    assert "command-rate-per-client (64/minute): 127.9.1.1 has had" in reply.text
    assert send(mta, "127.9.1.2").code == "250"


def test_commands_in_front_of_content(start):
    """What was given between RCPT and content is told with the message that was accepted."""
    mta = start(**{"command-rate-per-client": "64/minute", "message-rate-per-client": "1000/hour"})
    for _ in range(4):
        with RawClient("127.0.0.1", mta.port, source="127.9.1.1") as client:
            client.hello()
            client.command("MAIL FROM:<s@far.example>", "250")
            client.command("RCPT TO:<anna@a.example>", "250")
            for _ in range(12):
                client.command("NOOP", "250")
            client.command("DATA", "354")
            client.command("Subject: x\r\n\r\nx\r\n.", "250")
            client.command("QUIT", "221")
    assert "421" in [send(mta, "127.9.1.1").code for _ in range(3)]


def test_a_domain_takes_smaller_messages(start):
    mta = start(conf="message-size-limit = 10K\n")
    mta.add_domain("b.example", ["carl"])
    with RawClient("127.0.0.1", mta.port) as client:
        client.hello()
        client.command("MAIL FROM:<s@far.example> SIZE=20000", "250")
        reply = client.command("RCPT TO:<bert@a.example>", "552")
        assert reply.enhanced == "5.3.4" and "takes messages of up to 10K octets" in reply.text
        client.command("RCPT TO:<carl@b.example>", "250")
        client.command("RSET", "250")
        # of unknown size: whose limit is another one gets a message of his own
        client.command("MAIL FROM:<s@far.example>", "250")
        client.command("RCPT TO:<carl@b.example>", "250")
        assert client.command("RCPT TO:<bert@a.example>", "452").enhanced == "4.5.3"
        client.command("DATA", "354")
        client.command(("x" * 70 + "\r\n") * 200 + ".", "250")
        client.command("MAIL FROM:<s@far.example>", "250")
        client.command("RCPT TO:<bert@a.example>", "250")
        client.command("DATA", "354")
        assert client.command(("x" * 70 + "\r\n") * 200 + ".", "552").enhanced == "5.3.4"
    log = wait_for(lambda: "rule=message-size-limit" in mta.log() and mta.log(), 5, "the log")
    assert re.search(r"refused=RCPT code=552 rule=message-size-limit .*rcpt=<bert@a.example>", log)


def test_users_of_this_system(start):
    mta = start(**{"message-rate-per-account": "1/hour"})
    done = [mta.sendmail("-f", "anna@a.example", "bert@a.example", stdin="Subject: x\n\nx\n") for _ in range(2)]
    assert done[0].returncode == 0, done[0]
    # told to come back, and nothing was lost meanwhile
    assert done[1].returncode == 75 and "message-rate-per-account" in done[1].stderr, done[1]
