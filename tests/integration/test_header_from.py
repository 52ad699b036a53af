"""check-header-from: whom a message of somebody who has logged in says it is from."""

import json
import smtplib

import pytest

from lib.instance import Listener

REFUSED = 550


@pytest.fixture(name="mta")
def submission(make_instance):
    """A function that starts an instance which checks in this mode, with submission without TLS and an MX listener."""
    def make(mode, **settings):
        mta = make_instance(Listener(role="submission", tls="none"), Listener(),
                            **{"auth-without-tls": True, "check-header-from": mode, "error-limit": 1000, **settings})
        mta.add_domain("a.example", ["anna", "bert"], aliases="sales: anna\n", password="s3cret")
        return mta.start()
    return make


def send(client, header, chunked=False, body="hello\r\n"):
    assert client.docmd("MAIL", "FROM:<anna@a.example>")[0] == 250
    assert client.docmd("RCPT", "TO:<bert@a.example>")[0] == 250
    text = (header + "\r\nSubject: x\r\n\r\n" + body).encode()
    if chunked:
        client.send(b"BDAT %d\r\n" % 5 + text[:5] + b"BDAT %d LAST\r\n" % (len(text) - 5) + text[5:])
        assert client.getreply()[0] == 250
        reply = client.getreply()
    else:
        reply = client.data(text)
    return reply[0], reply[1].decode()


def login(mta):
    client = smtplib.SMTP("127.0.0.1", mta.listeners[0].port, timeout=20)
    client.ehlo("c.test")
    client.login("anna@a.example", "s3cret")
    return client


GOOD = ["From: anna@a.example", "From: Bert <ANNA@a.example>", "From: \"bert@a.example\" <anna+x@a.example>",
        "From: =?utf-8?q?Bert?= (x)\r\n <sales@a.example>\r\nSender: anna@a.example", "From: t: anna@a.example, sales@a.example;"]
BAD = [("From: bert@a.example", "bert@a.example"), ("From: Anna <anna@a.example>, bert@a.example", "bert@a.example"),
       ("From: anna@a.example\r\nSender: bert@a.example", "field Sender"), ("From: anna@a.example\r\nFROM : x@x.example", "x@x.example"),
       ("From: anna@a.example <x@x.example>", "x@x.example"), ("X-From: anna@a.example", "no address in From"),
       ("From: <anna@a.example", "cannot be understood"), ("From: anna", "is no address"), ("From: t:;", "no address in From"),
       ("Resent-From: anna@a.example\r\nFrom: x@x.example", "x@x.example"), ("nothing of the kind", "no address in From")]


@pytest.mark.parametrize("chunked", [False, True])
def test_reject(mta, chunked):
    mta = mta("reject")
    with login(mta) as client:
        for header in GOOD:
            assert send(client, header, chunked)[0] == 250, header
        for header, text in BAD:
            code, said = send(client, header, chunked)
            assert code == REFUSED and text in said, (header, code, said)
        # A large message, whose file is given up; and the session goes on.
        assert send(client, BAD[0][0], chunked, "x" * 70 + "\r\n" + "y\r\n" * 200000)[0] == REFUSED
        assert send(client, GOOD[0], chunked, "x" * 70 + "\r\n" + "y\r\n" * 200000)[0] == 250
    assert len(mta.wait_messages("bert@a.example", len(GOOD) + 1)) == len(GOOD) + 1
    log = mta.log()
    assert "rule=header-from-not-yours" in log and "rule=header-from-unclear" in log


def test_warn_and_who_is_not_asked(mta):
    mta = mta("warn")
    with login(mta) as client:
        for header, _ in BAD:
            assert send(client, header)[0] == 250, header
    assert "warning rule=header-from-not-yours" in mta.log() and "warning rule=header-from-unclear" in mta.log()
    with smtplib.SMTP("127.0.0.1", mta.listeners[1].port, timeout=20) as client:
        client.ehlo("c.test")
        assert send(client, "From: x@x.example")[0] == 250
    assert mta.log().count("warning rule=header-from") == len(BAD)


def test_off(mta):
    mta = mta("off")
    with login(mta) as client:
        assert send(client, BAD[0][0])[0] == 250
    assert "header-from" not in mta.log().replace("check-header-from", "")


def explain(mta, header_from=None):
    args = ["explain", "--client", "127.0.0.1", "--auth", "anna@a.example", "--from", "anna@a.example", "--rcpt", "bert@a.example"]
    done = mta.command("--json", *args, *(["--header-from", header_from] if header_from is not None else []))
    told = json.loads(done.stdout)
    steps = [step for step in told["steps"] if step["stage"] == "data"]
    return told, steps


@pytest.mark.parametrize("address, code, rule", [
    ("anna@a.example", 250, "hosted"), ("<ANNA+x@a.example>", 250, "hosted"), ("sales@a.example", 250, "hosted"),
    ("bert@a.example", REFUSED, "header-from-not-yours"), ("x@x.example", REFUSED, "header-from-not-yours"),
    ("anna", REFUSED, "header-from-unclear"), ("", REFUSED, "header-from-unclear")])
def test_explain_says_what_the_session_hears(mta, address, code, rule):
    mta = mta("reject")
    told, steps = explain(mta, address)
    assert (told["code"], told["rule"]) == (code, rule) and steps, told
    assert bool(told["targets"]) == (code == 250), told
    with login(mta) as client:
        heard, text = send(client, f"From: {address}")
    assert heard == code and (code == 250 or text == f"{told['status']} {told['text']}"), (heard, text, told)


def test_explain_says_what_it_does_not_know(mta):
    mta = mta("reject")
    told, steps = explain(mta)
    assert told["rule"] == "hosted" and len(steps) == 1, told
    assert steps[0]["what"] == "check-header-from" and steps[0]["where"] == str(mta.conf), steps
    assert steps[0]["outcome"].startswith("reject: ") and "header-from-not-yours" in steps[0]["outcome"], steps
    mta.settings["check-header-from"] = "warn"
    mta.write_config()
    assert mta.command("reload").returncode == 0
    told, steps = explain(mta, "bert@a.example")
    assert told["rule"] == "hosted" and told["code"] == 250 and steps[0]["outcome"] == "From <bert@a.example>", told
    mta.settings["check-header-from"] = "off"
    mta.write_config()
    assert mta.command("reload").returncode == 0
    assert explain(mta)[1] == []
    assert [step["outcome"] for step in explain(mta, "bert@a.example")[1]] == ["off: whatever stands in From"]
