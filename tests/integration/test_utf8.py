"""International mail from end to end (RFC 6531 to 6533): by Python's smtplib, sendmail, and a real Postfix on both sides;
and what waits for its time (RFC 4865)."""

import email.policy
import smtplib
import time
from email.message import EmailMessage

import pytest

from lib.certificates import client_context, make_certificate
from lib.instance import Instance, Listener
from lib.sink import EXTENSIONS
from lib.smtp_raw import RawClient
from lib.waiting import wait_for

DOMAIN = "xn--bcher-kva.test"
UTF8 = (*EXTENSIONS, "SMTPUTF8", "DSN")


def message(sender="müller@bücher.test", recipient="用户@remote.test", subject="Grüße"):
    one = EmailMessage(policy=email.policy.SMTPUTF8)
    one["From"], one["To"], one["Subject"] = sender, recipient, subject
    one.set_content("Schöne Grüße\n")
    return one


def send(port, sender, recipients, one=None, host="127.0.0.1", options=("SMTPUTF8", "BODY=8BITMIME")):
    content = one if isinstance(one, bytes) else (one or message()).as_bytes()
    with smtplib.SMTP(host, port, local_hostname="client.test", timeout=10) as client:
        client.ehlo()
        assert client.has_extn("smtputf8") or not options
        return client.sendmail(sender, recipients, content, mail_options=options)


@pytest.fixture(name="home")
def with_domain(make_world):
    """A started World that hosts bücher.test, made with the commands an administrator has."""
    world = make_world()
    mta = world.mta
    mta.add_domain(DOMAIN, ["müller", "info"], aliases="größe: müller\nfern: 用户@remote.test\nascii: bob@ascii.test\n")
    world.start()
    return world


def test_smtplib_to_a_mailbox(home):
    """U-label and A-label, composed and decomposed, small and capital: one mailbox, in whose mail nothing was changed."""
    for recipient in ("müller@bücher.test", f"müller@{DOMAIN}", "mu\u0308ller@bücher.test", "größe@bücher.test",
                      "MÜLLER@BÜCHER.Test", "GRÖßE@bücher.test"):
        send(home.mta.port, "x@remote.test", [recipient])
    for one in home.mta.wait_messages(f"müller@{DOMAIN}", 6):
        raw = one.path.read_bytes()
        assert f"Delivered-To: müller@{DOMAIN}\n".encode() in raw
        assert b" with UTF8SMTP id " in raw and "Subject: Grüße\n".encode() in raw
    assert "bücher" not in home.mta.log(), "domains are A-labels in the log"


def test_without_the_extension(home):
    with RawClient("127.0.0.1", home.mta.port) as client:
        client.hello()
        assert client.command("MAIL FROM:<s@remote.test>", "250")
        reply = client.command("RCPT TO:<müller@bücher.test>", "553")
        assert reply.enhanced == "5.6.7"
        client.command(f"RCPT TO:<info@{DOMAIN}>", "250")


def test_goes_on_where_it_can(home):
    far = home.sink("remote.test", extensions=UTF8)
    send(home.mta.port, "müller@bücher.test", ["用户@remote.test"])
    one = far.wait(1)[0]
    assert b" SMTPUTF8" in one.mail_line and f"<müller@{DOMAIN}>".encode() in one.mail_line
    assert "<用户@remote.test>".encode() in one.rcpt_lines[0]
    assert "Subject: Grüße\r\n".encode() in one.content


def test_forward_of_an_alias(home):
    """To an address in UTF-8 from one in ASCII, though the message said nothing of SMTPUTF8; and the other way round."""
    far = home.sink("remote.test", extensions=UTF8)
    near = home.sink("ascii.test")
    plain = b"From: x@other.test\r\nSubject: plain\r\n\r\nhello\r\n"
    send(home.mta.port, "x@other.test", [f"fern@{DOMAIN}"], plain, options=())
    assert b" SMTPUTF8" in far.wait(1)[0].mail_line
    send(home.mta.port, "x@other.test", ["ascii@bücher.test"], plain)
    assert b"SMTPUTF8" not in near.wait(1)[0].mail_line


def test_a_server_without_it(home):
    """Only the domain is international: it goes. Else 5.6.7, and a report that says for whom."""
    far = home.sink("xn--mnchen-3ya.test")
    plain = b"From: x@other.test\r\nSubject: plain\r\n\r\nhello\r\n"
    send(home.mta.port, f"info@{DOMAIN}", ["a@münchen.test", "ü@münchen.test"], plain)
    one = far.wait(1)[0]
    assert one.recipients == ["a@xn--mnchen-3ya.test"] and b"SMTPUTF8" not in one.mail_line
    raw = home.mta.wait_messages(f"info@{DOMAIN}")[0].parsed.as_bytes()
    assert b"\nStatus: 5.6.7\n" in raw and b"\nContent-Type: message/global-delivery-status\n" in raw
    assert b"Final-Recipient: utf-8; =C3=BC@xn--mnchen-3ya.test\n" in raw and b"Final-Recipient: rfc822; a@" not in raw


def test_report_to_a_sender_in_utf8(home):
    home.sink("remote.test", extensions=UTF8, script={"RCPT": "550 5.1.1 no"})
    send(home.mta.port, "müller@bücher.test", ["用户@remote.test"])
    one = home.mta.wait_messages(f"müller@{DOMAIN}")[0]
    raw = one.parsed.as_bytes()
    assert b"message/global-delivery-status" in raw and b"message/global" in raw
    assert f"To: <müller@{DOMAIN}>".encode() in raw
    assert b"Final-Recipient: utf-8; =E7=94=A8=E6=88=B7@remote.test" in raw


def test_sendmail_chooses(home):
    far = home.sink("remote.test", extensions=UTF8)
    text = message().as_bytes().decode()
    done = home.mta.sendmail("-f", "müller@bücher.test", "用户@remote.test", stdin=text)
    assert done.returncode == 0, done.stderr
    assert b" SMTPUTF8" in far.wait(1)[0].mail_line
    done = home.mta.sendmail("-f", f"info@{DOMAIN}", "a@remote.test", stdin=text)
    assert b" SMTPUTF8" in far.wait(2)[1].mail_line, "for its header"
    done = home.mta.sendmail("-f", f"info@{DOMAIN}", "a@remote.test", stdin="Subject: x\n\nGrüße\n")
    assert done.returncode == 0 and b"SMTPUTF8" not in far.wait(3)[2].mail_line


def test_sendmail_while_the_daemon_is_down(make_world):
    """What waits in drop/ keeps that it is international."""
    world = make_world()
    far = world.sink("remote.test", extensions=UTF8)
    world.start()
    world.mta.stop()
    done = world.mta.sendmail("-f", "bob@domain1.com", "用户@remote.test", stdin=message("bob@domain1.com").as_bytes().decode())
    assert done.returncode == 0, done.stderr
    world.mta.start_again()
    assert b" SMTPUTF8" in far.wait(1, timeout=20)[0].mail_line


def test_postfix_sends_to_us(make_pair):
    world, far = make_pair(smtputf8_enable="yes")
    far.change(transport_maps=f"inline:{{ {{{DOMAIN} = smtp:[127.0.0.1]:{world.mta.port}}} }}")
    world.mta.add_domain(DOMAIN, ["müller"])
    send(far.port, "x@remote.test", [f"müller@{DOMAIN}"], message(recipient=f"müller@{DOMAIN}"), host=far.host)
    one = world.mta.wait_messages(f"müller@{DOMAIN}", timeout=30)[0]
    assert "UTF8SMTP" in one["Received"]


def test_we_send_to_postfix(make_pair):
    world, far = make_pair(smtputf8_enable="yes")
    world.mta.add_domain(DOMAIN, ["müller"])
    send(world.mta.port, "müller@bücher.test", ["用户@remote.test"])
    raw = far.wait(1, timeout=30)[0]
    assert "Subject: Grüße".encode() in raw and b"UTF8SMTP" in raw
    assert f"Return-Path: <müller@{DOMAIN}>".encode() in raw


def test_limits_of_a_server(make_world):
    world = make_world()
    far = world.sink("remote.test", extensions=(*EXTENSIONS, "LIMITS RCPTMAX=2 MAILMAX=2"))
    world.start()
    recipients = [f"r{i}@remote.test" for i in range(9)]
    send(world.mta.port, "bob@domain1.com", recipients, b"Subject: many\r\n\r\nx\r\n", options=())
    messages = far.wait(5)
    assert sorted(one for m in messages for one in m.recipients) == recipients
    assert all(len(m.recipients) <= 2 for m in messages)
    assert all(session.verbs().count("MAIL") <= 2 for session in far.sessions)
    world.mta.wait_queue_empty()


def states(mta):
    """Of what is in the queue: address -> state."""
    return {one["address"]: one["state"] for message in mta.queue() for one in message["recipients"]}


def test_sender_refused_behind_a_limit(make_world):
    """A 4xx to the second MAIL is about those that are left: nobody gets the message twice, or is called delivered."""
    world = make_world(retry=["300s"])
    far = world.sink("remote.test", extensions=(*EXTENSIONS, "LIMITS RCPTMAX=2"))
    far.script["MAIL"] = lambda session, line: "450 4.7.1 slow down" if session.verbs().count("MAIL") > 1 else None
    world.start()
    recipients = [f"r{i}@remote.test" for i in range(4)]
    send(world.mta.port, "bob@domain1.com", recipients, b"Subject: many\r\n\r\nx\r\n", options=())
    wait_for(lambda: sorted(states(world.mta).values()) == ["deferred"] * 2, 15, "two that are deferred")
    assert sorted([*states(world.mta), *far.messages[0].recipients]) == recipients and len(far.messages) == 1


def test_sender_refused_at_a_server_without_smtputf8(make_world):
    """That it takes no address in UTF-8 is no verdict about the others."""
    world = make_world(retry=["300s"])
    far = world.sink("remote.test")
    far.script["MAIL"] = lambda session, line: "450 4.7.1 slow down"
    world.start()
    send(world.mta.port, "bob@domain1.com", ["ü@remote.test", "b@remote.test"], b"Subject: x\r\n\r\nx\r\n")
    wait_for(lambda: states(world.mta).get("b@remote.test") == "deferred", 15, "the one in ASCII to be deferred")


def test_future_release():
    """Waits for its time, over a restart, or goes earlier when the administrator says so."""
    mta = Instance(listeners=[Listener(role="submission", tls="implicit")], settings={"future-release": "1h"})
    mta.certificate = make_certificate(mta.root)
    mta.add_domain("a.test", ["anna"], password="s3cret")

    def submit(option):
        with smtplib.SMTP_SSL("127.0.0.1", mta.listeners[0].port, context=client_context(), timeout=10) as client:
            client.ehlo("c.test")
            assert not client.has_extn("futurerelease") and client.esmtp_features["limits"] == "RCPTMAX=1000"
            client.login("anna@a.test", "s3cret")
            client.ehlo("c.test")
            assert client.esmtp_features["futurerelease"].startswith("3600 20")
            assert client.mail("anna@a.test", [option])[0] == 250
            assert client.rcpt("anna@a.test")[0] == 250
            assert client.data(b"From: anna@a.test\r\nSubject: later\r\n\r\nx\r\n")[0] == 250

    def waiting():
        return [one for one in mta.json("queue", "list")["messages"] if all(r["future-release"] for r in one["recipients"])]

    with mta:
        mta.start()
        began = time.time()
        submit("HOLDFOR=5")
        submit("HOLDFOR=3000")
        wait_for(lambda: len(waiting()) == 2, 5, "both to wait")
        assert "future release until 20" in mta.command("queue", "list").stdout
        assert "future release until" in mta.command("queue", "show", waiting()[0]["id"]).stdout
        mta.stop()
        mta.start_again()
        mta.wait_messages("anna@a.test", 1, timeout=20)
        assert time.time() >= began + 4
        left = waiting()
        assert len(left) == 1
        mta.command("queue", "retry", "--all", "--yes")
        assert waiting() == left, "a flush is no release"
        assert mta.command("queue", "release", left[0]["id"]).returncode == 0
        mta.wait_messages("anna@a.test", 2, timeout=20)


def test_admin_commands(make_world):
    """A domain and its mailbox, named as people name them."""
    world = make_world()
    world.start()
    mta = world.mta
    for args, stdin in ((("domain", "add", "bücher.test"), None), (("user", "add", "müller@bücher.test"), "s3cret\n")):
        done = mta.command(*args, stdin=stdin)
        assert done.returncode == 0, done.stdout + done.stderr
    assert DOMAIN in mta.command("domain", "list").stdout
    done = mta.command("explain", "--rcpt", "müller@bücher.test")
    assert done.returncode == 0 and f"müller@{DOMAIN}" in done.stdout, done.stdout + done.stderr
    send(mta.port, "x@remote.test", ["müller@bücher.test"])
    mta.wait_queue_empty()
    assert [path for path in mta.domains.all_files() if DOMAIN in str(path) and "müller" in str(path)]
