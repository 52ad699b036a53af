"""Lines of the log: whatever an address is, a program can tell where it ends."""

import base64
import json
import re

import pytest

from lib.instance import Instance, Listener
from lib.smtp_raw import RawClient
from lib.waiting import wait_for

STRANGE = ['"a b"@else.test', '"x> rcpt=<bob@domain1.com"@else.test', '"q\\\\\\"q"@else.test', '"a=b,c<d"@else.test']


@pytest.fixture(name="mta", scope="module")
def fixture_mta():
    mta = Instance()
    try:
        mta.add_domain("domain1.com", ["bob"])
        with mta.start():
            yield mta
    finally:
        mta.destroy()


def undo(value):
    return re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), value)


def fields(line):
    """As the manual says: brackets, quotes, or no blank."""
    found = re.findall(r'(\S+?)=(?:<([^<>"\s]*)>|"([^"]*)"|(\S*))', line.split("]: ", 1)[1])
    return {name: undo(address or text or word) for name, address, text, word in found}


@pytest.mark.parametrize("sender", STRANGE)
def test_addresses(mta, sender):
    before = len(mta.log())
    with RawClient("127.0.0.1", mta.listeners[0].port) as client:
        client.hello()
        client.command(f"MAIL FROM:<{sender}>", "250")
        client.command(f"RCPT TO:<{sender.replace('else.test', 'domain1.com')}>", "550")
        client.command("RCPT TO:<bob@domain1.com>", "250")
        client.command("DATA", "354")
        client.command("Subject: x\r\n\r\nx\r\n.", "250")
    wait_for(lambda: "accepted" in mta.log()[before:] and "end=" in mta.log()[before:], 5, "the lines")
    lines = mta.log()[before:].splitlines()
    refused = fields(next(line for line in lines if "refused=RCPT" in line))
    assert refused["from"] == sender and refused["rcpt"] == sender.replace("else.test", "domain1.com"), refused
    assert refused["code"] == "550" and refused["rule"] == "no-such-user", refused
    accepted = fields(next(line for line in lines if line.endswith(" accepted")))
    assert accepted["from"] == sender and accepted["nrcpt"] == "1", accepted


def test_explain_is_told_by_a_line_of_the_log_all_it_needs():
    """What a refusal's line names is what `explain` is asked, and it comes to the same rule."""
    with Instance(settings={"helo-name": "reject"}, listeners=[Listener(), Listener(role="submission", tls="none")],
                  extra="auth-without-tls = yes\n") as mta:
        mta.add_domain("domain1.com", ["bob", "anna"])
        mta.start()
        with RawClient("127.0.0.1", mta.listeners[0].port) as client:
            client.hello("badname")
            client.command("MAIL FROM:<s@else.test>", "250")
            client.command("RCPT TO:<bob@domain1.com>", "550")
            client.command("RCPT TO:<x@far.test>", "550")
        with RawClient("127.0.0.1", mta.listeners[1].port) as client:
            client.hello()
            client.command("AUTH PLAIN " + base64.b64encode(b"\0bob@domain1.com\0secret").decode(), "235")
            client.command("MAIL FROM:<anna@domain1.com>", "553")
        mta.wait_log("refused=MAIL")
        lines = [fields(line) for line in mta.log().splitlines() if "refused=" in line and "code=" in line]
        assert [line["rule"] for line in lines] == ["helo-name", "relay-denied", "sender-not-yours"], lines
        for line in lines:
            login = ("--auth", line["auth"]) if "auth" in line else ()
            done = mta.command("--json", "explain", "--client", line["client"], "--helo", line["helo"], "--from", line["from"],
                               "--rcpt", line["rcpt"] or "x@far.test", *login)
            assert json.loads(done.stdout)["rule"] == line["rule"], (line, done)
