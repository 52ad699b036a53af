"""Delivery status notifications as RFC 3461 wants them: NOTIFY, RET, ENVID and ORCPT, here and passed on."""

import email
import email.policy
import re
import time

import pytest

from lib.dsn import Report
from lib.sink import EXTENSIONS
from lib.smtp_raw import RawClient
from lib.waiting import wait_for

MESSAGE = "From: <bob@domain1.com>\r\nSubject: asked\r\nMessage-ID: <a@domain1.com>\r\n\r\nhello\r\n"
WITH_DSN = (*EXTENSIONS, "DSN")


def send(mta, sender, *recipients, mail="", message=MESSAGE):
    """recipients: addresses, or (address, parameters)."""
    with RawClient("127.0.0.1", mta.port) as client:
        client.hello()
        client.command(f"MAIL FROM:<{sender}>{' ' if mail else ''}{mail}", "250")
        for one in recipients:
            address, parameters = (one, "") if isinstance(one, str) else one
            client.command(f"RCPT TO:<{address}>{' ' if parameters else ''}{parameters}", "250")
        client.command("DATA", "354")
        octets = message if isinstance(message, bytes) else message.encode()
        client.send(octets + b".\r\n")
        return client.reply("250")


def report_to(mta, address="bob@domain1.com", count=1, timeout=15.0):
    """The only report (the last of `count`) in a mailbox."""
    one = mta.wait_messages(address, count, timeout=timeout)[-1]
    assert one["Return-Path"] == "<>"
    return Report(one.parsed)


def actions(report):
    return {group["Final-Recipient"].partition(";")[2].strip(): group["Action"] for group in report.groups[1:]}


def wait_attempts(sink, count):
    """Wait until the sink has refused so many more recipients."""
    def refused():
        return sum(session.refused for session in list(sink.sessions))
    before = refused()
    wait_for(lambda: refused() >= before + count, 10, f"{count} more attempts")


# --- NOTIFY ---

def test_never_silences(make_world):
    world = make_world()
    sink = world.sink("remote.test", script={"RCPT": "550 5.1.1 no"})
    mta = world.start()
    send(mta, "bob@domain1.com", ("x@remote.test", "NOTIFY=NEVER"))
    sink.wait_sessions(1)
    mta.wait_log(r"to=<x@remote.test> not told: its sender asked not to be told; 550 5.1.1 no")
    mta.wait_queue_empty()
    assert mta.messages("bob@domain1.com") == []


def test_success_alone_says_nothing_of_a_failure(make_world):
    world = make_world()
    world.sink("remote.test", script={"RCPT": "550 5.1.1 no"})
    mta = world.start()
    send(mta, "bob@domain1.com", ("x@remote.test", "NOTIFY=SUCCESS"))
    mta.wait_log(r"to=<x@remote.test> not told")
    mta.wait_queue_empty()
    assert mta.messages("bob@domain1.com") == []


def test_delivered_here(make_world):
    mta = make_world().start()
    send(mta, "bob@domain1.com", ("alice@domain1.com", "NOTIFY=SUCCESS,FAILURE"), mail="ENVID=QQ+2B1")
    report = report_to(mta)
    group = report.recipient("alice@domain1.com")
    assert (group["Action"], group["Status"][0]) == ("delivered", "2")
    assert report.groups[0]["Original-Envelope-Id"] == "QQ+1"
    assert report.groups[0]["Arrival-Date"] and group["Last-Attempt-Date"]
    assert report.groups[0]["Received-From-MTA"].startswith("dns;")
    assert report.returned.get_content_type() == "text/rfc822-headers", "RET is about failures"
    assert "Message-ID: <a@domain1.com>" in report.returned.as_string() and "hello" not in report.returned.as_string()
    mta.wait_queue_empty()
    assert len(mta.messages("alice@domain1.com")) == 1


def test_nothing_asked_nothing_said_of_success(make_world):
    mta = make_world().start()
    send(mta, "bob@domain1.com", "alice@domain1.com", ("bob@domain2.com", "NOTIFY=FAILURE,DELAY"))
    mta.wait_messages("alice@domain1.com")
    mta.wait_messages("bob@domain2.com")
    mta.wait_queue_empty()
    assert mta.messages("bob@domain1.com") == []


def test_relayed_to_a_server_without_dsn(make_world):
    world = make_world()
    sink = world.sink("remote.test")
    mta = world.start()
    send(mta, "bob@domain1.com", ("x@remote.test", "NOTIFY=SUCCESS ORCPT=rfc822;X+2Bx@remote.test"),
         mail="ENVID=1 RET=FULL")
    group = report_to(mta).recipient("x@remote.test")
    assert group["Action"] == "relayed" and group["Original-Recipient"] == "rfc822; X+x@remote.test"
    assert group["Remote-MTA"] and "250 2.0.0 taken" in group["Diagnostic-Code"]
    one = sink.wait(1)[0]
    assert b"ENVID" not in one.mail_line and b"NOTIFY" not in one.rcpt_lines[0]
    mta.wait_queue_empty()


def test_passed_on_to_a_server_with_dsn(make_world):
    world = make_world()
    sink = world.sink("remote.test", extensions=WITH_DSN)
    mta = world.start()
    send(mta, "bob@domain1.com", ("x@remote.test", "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;X+2Bx@remote.test"),
         "y@remote.test", ("z@remote.test", "NOTIFY=NEVER"), mail="ENVID=QQ+2B1 RET=HDRS")
    one = sink.wait(1)[0]
    assert one.mail_line.endswith(b" RET=HDRS ENVID=QQ+2B1")
    assert one.rcpt_lines == [b"RCPT TO:<x@remote.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;X+2Bx@remote.test",
                              b"RCPT TO:<y@remote.test>", b"RCPT TO:<z@remote.test> NOTIFY=NEVER"]
    mta.wait_queue_empty()
    assert mta.messages("bob@domain1.com") == [], "who has it reports it"


def test_failures_and_successes_in_one_report(make_world):
    world = make_world()
    world.sink("remote.test", script={"RCPT": lambda session, line: "550 5.1.1 no" if b"<bad@" in line else None})
    mta = world.start()
    send(mta, "bob@domain1.com", ("alice@domain1.com", "NOTIFY=SUCCESS"), ("bad@remote.test", "NOTIFY=FAILURE"),
         ("good@remote.test", "NOTIFY=SUCCESS"), ("quiet@remote.test", "NOTIFY=FAILURE"))
    report = report_to(mta)
    assert actions(report) == {"alice@domain1.com": "delivered", "bad@remote.test": "failed",
                               "good@remote.test": "relayed"}
    assert report.returned.get_content_type() == "message/rfc822"
    mta.wait_queue_empty()
    assert len(mta.messages("bob@domain1.com")) == 1


# --- aliases (RFC 3461 5.2.7) ---

def test_alias_to_several_is_expanded(make_world):
    world = make_world()
    sink = world.sink("remote.test", extensions=WITH_DSN)
    world.mta.domains.rewrite("domain1.com", "aliases", "team: alice, x@remote.test\n")
    mta = world.start()
    send(mta, "bob@domain1.com", ("team@domain1.com", "NOTIFY=SUCCESS,FAILURE"))
    report = report_to(mta)
    assert actions(report) == {"team@domain1.com": "expanded"}
    assert report.recipient("team@domain1.com")["Status"].startswith("2.")
    assert sink.wait(1)[0].rcpt_lines == [b"RCPT TO:<x@remote.test> NOTIFY=FAILURE ORCPT=rfc822;team@domain1.com"]
    mta.wait_queue_empty()
    assert len(mta.messages("bob@domain1.com")) == 1 and len(mta.messages("alice@domain1.com")) == 1


def test_alias_that_asked_for_success_alone_is_silent_then(make_world):
    world = make_world()
    sink = world.sink("remote.test", extensions=WITH_DSN, script={"RCPT": "550 5.1.1 no"})
    world.mta.domains.rewrite("domain1.com", "aliases", "team: alice, x@remote.test\n")
    mta = world.start()
    send(mta, "bob@domain1.com", ("team@domain1.com", "NOTIFY=SUCCESS"))
    assert actions(report_to(mta)) == {"team@domain1.com": "expanded"}
    sink.wait_sessions(1)
    assert any(b"NOTIFY=NEVER" in line for session in sink.sessions for line in session.lines)
    mta.wait_queue_empty()
    assert len(mta.messages("bob@domain1.com")) == 1


def test_forward_keeps_what_was_asked(make_world):
    world = make_world()
    sink = world.sink("remote.test", extensions=WITH_DSN)
    world.mta.domains.rewrite("domain1.com", "aliases", "sales: x@remote.test\n")
    mta = world.start()
    send(mta, "bob@domain1.com", ("sales@domain1.com", "NOTIFY=SUCCESS ORCPT=rfc822;sales@elsewhere.test"), mail="ENVID=7")
    one = sink.wait(1)[0]
    assert one.rcpt_lines == [b"RCPT TO:<x@remote.test> NOTIFY=SUCCESS ORCPT=rfc822;sales@elsewhere.test"]
    assert one.mail_line.endswith(b" ENVID=7")
    mta.wait_queue_empty()
    assert mta.messages("bob@domain1.com") == []


def test_forward_to_a_server_without_dsn(make_world):
    world = make_world()
    world.sink("remote.test")
    world.mta.domains.rewrite("domain1.com", "aliases", "sales: x@remote.test\n")
    mta = world.start()
    send(mta, "bob@domain1.com", ("sales@domain1.com", "NOTIFY=SUCCESS"))
    group = report_to(mta).recipient("x@remote.test")
    assert (group["Action"], group["Original-Recipient"]) == ("relayed", "rfc822; sales@domain1.com")


def test_expanded_survives_a_crash(make_world):
    """The expansion's record says by itself that its sender is to be told."""
    world = make_world()
    world.sink("remote.test", script={"RCPT": "450 4.2.1 later"})
    world.mta.domains.rewrite("domain1.com", "aliases", "team: x@remote.test, y@remote.test\n")
    mta = world.start()
    send(mta, "ghost@nowhere.test", ("team@domain1.com", "NOTIFY=SUCCESS"))
    wait_for(lambda: [one for one in mta.queue() if len(one["recipients"]) == 3], 10, "the expansion")
    time.sleep(0.1)
    mta.crash()
    mta.start_again()
    mta.wait_log(r"bounce=\w+ to=<ghost@nowhere.test> kind=ended recipients=1")


# --- RET, and what is returned ---

def returned_of(make_world, mail, message):
    world = make_world()
    world.sink("remote.test", script={"EOD": "554 5.6.0 no"})
    mta = world.start()
    send(mta, "bob@domain1.com", "x@remote.test", mail=mail, message=message)
    return report_to(mta).returned


@pytest.mark.parametrize("mail, octets, kind", [
    ("", 1000, "message/rfc822"), ("RET=FULL", 1000, "message/rfc822"), ("RET=HDRS", 1000, "text/rfc822-headers"),
    ("", 100000, "text/rfc822-headers"), ("RET=FULL", 100000, "message/rfc822"),
    ("RET=FULL", 200000, "text/rfc822-headers"), ("RET=full", 400000, "text/rfc822-headers")])
def test_ret(make_world, mail, octets, kind):
    body = "0123456789\r\n" * (octets // 12)
    returned = returned_of(make_world, mail, MESSAGE + body)
    assert returned.get_content_type() == kind
    text = returned.as_string()
    assert "Message-ID: <a@domain1.com>" in text and ("0123456789" in text) == (kind == "message/rfc822")


def test_eight_bit_message_is_returned_whole(make_world):
    world = make_world()
    world.sink("remote.test", script={"EOD": "554 5.6.0 no"})
    mta = world.start()
    send(mta, "bob@domain1.com", "x@remote.test", mail="BODY=8BITMIME",
         message=MESSAGE.encode() + "Grüße\r\n".encode())
    one = mta.wait_messages("bob@domain1.com")[0]
    assert Report(one.parsed).returned.get_content_type() == "message/rfc822"
    assert "\nGrüße\n".encode() in one.raw and one["Content-Transfer-Encoding"] == "8bit"


def test_eight_bit_report_to_a_server_without_8bitmime(make_world):
    """Its server refuses nothing for that: the report goes out again in 7 bits, with the header of the message."""
    world = make_world()
    world.sink("remote.test", script={"EOD": "554 5.6.0 no"})
    home = world.sink("sender.test", extensions=("PIPELINING",))
    mta = world.start()
    send(mta, "s@sender.test", "x@remote.test", mail="BODY=8BITMIME",
         message=MESSAGE.encode() + "Grüße\r\n".encode())
    one = home.wait(1)[0]
    assert one.sender == "" and one.recipients == ["s@sender.test"]
    assert max(one.content) < 128
    report = Report(email.message_from_bytes(one.content, policy=email.policy.default))
    assert report.recipient("x@remote.test")["Status"] == "5.6.0"
    assert report.returned.get_content_type() == "text/rfc822-headers"
    assert "Message-ID: <a@domain1.com>" in report.returned.as_string()
    mta.wait_queue_empty()
    assert len(home.messages) == 1


# --- delay ---

def test_delay_is_told_once(make_world):
    world = make_world(**{"delay-warning": "1s", "retry": ["1s"]})
    sink = world.sink("remote.test", script={"RCPT": "450 4.2.1 busy"})
    mta = world.start()
    send(mta, "bob@domain1.com", "x@remote.test", ("y@remote.test", "NOTIFY=FAILURE"), mail="ENVID=late")
    report = report_to(mta)
    assert actions(report) == {"x@remote.test": "delayed"}
    group = report.recipient("x@remote.test")
    assert group["Status"].startswith("4.") and group["Will-Retry-Until"]
    assert report.groups[0]["Original-Envelope-Id"] == "late"
    assert "warning" in report.text
    assert report.returned.get_content_type() == "text/rfc822-headers"
    wait_attempts(sink, 4)
    mta.crash()
    mta.start_again()
    wait_attempts(sink, 4)
    assert len(mta.messages("bob@domain1.com")) == 1
    sink.script.clear()
    mta.wait_queue_empty()


def test_no_delay_is_told_where_that_is_off(make_world):
    world = make_world(**{"delay-warning": "0", "retry": ["1s"]})
    sink = world.sink("remote.test", script={"RCPT": "450 4.2.1 busy"})
    mta = world.start()
    send(mta, "bob@domain1.com", "x@remote.test")
    wait_attempts(sink, 3)
    sink.script.clear()
    sink.wait(1)
    mta.wait_queue_empty()
    assert mta.messages("bob@domain1.com") == []


def test_delay_of_a_destination_that_does_not_answer(make_world):
    world = make_world(**{"delay-warning": "2s", "retry": ["1s"], "connect-timeout": "1s"})
    world.dns.route("dead.test", "127.0.0.77")
    mta = world.start()
    send(mta, "bob@domain1.com", "x@dead.test")
    assert actions(report_to(mta, timeout=30)) == {"x@dead.test": "delayed"}


# --- what must not be told ---

def test_failed_report_is_dropped(make_world):
    world = make_world()
    world.sink("remote.test", script={"RCPT": "550 5.1.1 no"})
    mta = world.start()
    send(mta, "ghost@remote.test", "x@remote.test")
    mta.wait_log(r"id=\w+ rcpt=0 to=<ghost@remote.test> recorded and dropped: it has no sender; 550 5.1.1 no")
    mta.wait_queue_empty()
    assert not mta.domains.all_files()


def test_failed_report_goes_to_the_postmaster(make_world):
    world = make_world(**{"double-bounce": "postmaster", "postmaster": "postmaster@domain1.com"})
    world.sink("remote.test", script={"RCPT": "550 5.1.1 no"})
    mta = world.start()
    send(mta, "ghost@remote.test", "x@remote.test")
    report = report_to(mta, "postmaster@domain1.com")
    assert actions(report) == {"ghost@remote.test": "failed"}
    assert "has no sender" in report.text
    assert "x@remote.test" in report.returned.as_string(), "the report that could not be delivered"
    mta.wait_queue_empty()


def test_postmaster_who_cannot_be_told_ends_it(make_world):
    world = make_world(**{"double-bounce": "postmaster", "postmaster": "boss@remote.test"})
    sink = world.sink("remote.test", script={"RCPT": "550 5.1.1 no"})
    mta = world.start()
    send(mta, "ghost@remote.test", "x@remote.test")
    mta.wait_log(r"to=<boss@remote.test> recorded and dropped: it has no sender")
    mta.wait_queue_empty()
    assert sum(session.refused for session in sink.sessions) == 3, "x, ghost, boss"


def test_default_postmaster_gets_it(make_world):
    """The bare address of RFC 5321 4.5.1, which the directory resolves."""
    world = make_world(**{"double-bounce": "postmaster"})
    world.sink("remote.test", script={"RCPT": "550 5.1.1 no"})
    mta = world.start()
    send(mta, "", "x@remote.test")
    one = mta.wait_messages("postmaster@domain1.com")[0]
    assert actions(Report(one.parsed)) == {"x@remote.test": "failed"}
    assert one["To"].addresses[0].addr_spec == "postmaster@mx.test"


def test_report_asks_for_no_report(make_world):
    world = make_world()
    world.sink("remote.test", script={"RCPT": "550 5.1.1 no"})
    home = world.sink("sender.test", extensions=WITH_DSN)
    send(world.start(), "s@sender.test", "x@remote.test")
    assert home.wait(1)[0].rcpt_lines == [b"RCPT TO:<s@sender.test> NOTIFY=NEVER"]


# --- the domain's own text ---

TEXT = "Subject: Nicht zugestellt: {recipient}\n\nLiebe(r) {sender},\n\n{recipients}\nIhr Postamt {hostname} ({id})\n"


def test_template_of_the_senders_domain(make_world):
    world = make_world(**{"delay-warning": "1s"})
    world.sink("remote.test", script={"RCPT": lambda session, line: "450 4.2.1 busy" if b"<late@" in line else "550 5.1.1 no"})
    world.mta.domains.rewrite("domain1.com", "bounce.txt", TEXT)
    world.mta.domains.rewrite("domain1.com", "delay.txt", "Verspaetet bis {until}\n")
    mta = world.start()
    send(mta, "bob@domain1.com", "x@remote.test")
    one = mta.wait_messages("bob@domain1.com")[0]
    text = Report(one.parsed).text
    assert one["Subject"] == "Nicht zugestellt: x@remote.test"
    assert text.startswith("Liebe(r) bob@domain1.com,\n\n  <x@remote.test>\n") and "550 5.1.1 no" in text
    assert re.search(r"Ihr Postamt mx\.test \(\w+\)\n", text)
    send(mta, "alice@domain1.com", "late@remote.test")
    text = report_to(mta, "alice@domain1.com").text
    assert text.startswith("Verspaetet bis ") and "  <late@remote.test>" in text, "who is left out is named all the same"
    send(mta, "bob@domain2.com", "x@remote.test")
    assert "This is the mail system at mx.test" in report_to(mta, "bob@domain2.com").text


def test_template_that_must_not_be_used(make_world):
    world = make_world()
    world.sink("remote.test", script={"RCPT": "550 5.1.1 no"})
    world.mta.domains.rewrite("domain1.com", "bounce.txt", "Grüße\n")
    mta = world.start()
    send(mta, "bob@domain1.com", "x@remote.test")
    assert "This is the mail system at mx.test" in report_to(mta).text
    mta.wait_log(r"etc/bounce.txt:1: expected printable ASCII only")
    done = mta.command("check")
    assert done.returncode == 78 and "domain1.com/etc/bounce.txt:1: expected printable ASCII only" in done.stdout


# --- loops, and those who forge them ---

def test_mail_that_has_been_there_is_refused(make_world):
    mta = make_world().start()
    with RawClient("127.0.0.1", mta.port) as client:
        client.hello()
        client.command("MAIL FROM:<victim@else.test>", "250")
        client.command("RCPT TO:<bob@domain1.com>", "250")
        client.command("DATA", "354")
        client.send(b"Delivered-To: Bob@Domain1.com\r\n" + MESSAGE.encode() + b".\r\n")
        reply = client.reply("554")
        assert reply.enhanced == "5.4.6"
        client.command("MAIL FROM:<victim@else.test>", "250")
    assert mta.queue() == [] and not mta.domains.all_files()


def test_loop_found_behind_an_alias_bounces_to_nobody(make_world):
    """The header may be forged, and the sender with it: nothing goes to a stranger."""
    world = make_world()
    victim = world.sink("else.test")
    world.mta.domains.rewrite("domain1.com", "aliases", "sales: bob\n")
    mta = world.start()
    send(mta, "victim@else.test", "sales@domain1.com", message="Delivered-To: bob@domain1.com\r\n" + MESSAGE)
    mta.wait_log(r"to=<bob@domain1.com> recorded and dropped: it has been in this mailbox, and nothing vouches")
    mta.wait_queue_empty()
    assert victim.sessions == [] and mta.messages("bob@domain1.com") == []


def test_loop_of_a_local_user_is_told(make_world):
    world = make_world()
    world.mta.domains.rewrite("domain1.com", "aliases", "sales: bob\n")
    mta = world.start()
    done = mta.sendmail("-i", "-f", "alice@domain1.com", "sales@domain1.com",
                        stdin="Delivered-To: bob@domain1.com\nSubject: round\n\nx\n")
    assert done.returncode == 0, done.stderr
    assert report_to(mta, "alice@domain1.com").recipient("bob@domain1.com")["Status"] == "5.4.6"


# --- many ---

def test_ten_thousand_failures_are_few_reports(make_world):
    """CD-08: the number of reports and the size of each are bounded."""
    world = make_world(**{"recipient-limit": 10000})
    world.sink("remote.test", script={"RCPT": "550 5.1.1 no such user here"})
    mta = world.start()
    recipients = [f"user{number:05d}@remote.test" for number in range(10000)]
    send(mta, "bob@domain1.com", *recipients)

    def told():
        return [address for one in mta.messages("bob@domain1.com") for address in Report(one.parsed).recipients()]
    wait_for(lambda: len(told()) >= 10000, 60, "reports on all", interval=0.5)
    mta.wait_queue_empty()
    found = mta.messages("bob@domain1.com")
    assert sorted(told()) == recipients, "each once"
    print(f"{len(found)} reports, of {max(len(one.raw) for one in found)} octets at most")
    assert len(found) <= 14
    assert max(len(one.raw) for one in found) <= 256 * 1024 + 1024


# --- sendmail ---

@pytest.mark.parametrize("down", [False, True], ids=["socket", "drop"])
def test_sendmail_options_travel(make_world, down):
    world = make_world()
    sink = world.sink("remote.test", extensions=WITH_DSN)
    mta = world.start()
    if down:
        mta.stop()
    done = mta.sendmail("-i", "-f", "bob@domain1.com", "-N", "success,delay", "-R", "hdrs", "-V", "id+2B1", "x@remote.test",
                        stdin="Subject: x\n\nbody\n")
    assert done.returncode == 0, done.stderr
    if down:
        mta.start_again()
    one = sink.wait(1)[0]
    assert one.mail_line.endswith(b" RET=HDRS ENVID=id+2B1")
    assert one.rcpt_lines == [b"RCPT TO:<x@remote.test> NOTIFY=SUCCESS,DELAY"]


@pytest.mark.parametrize("option", [("-V", "a+b"), ("-V", "a+0Ab"), ("-N", "success,success"), ("-N", "never,failure")])
def test_sendmail_refuses_what_is_no_value(make_world, option):
    done = make_world().start().sendmail("-i", *option, "x@domain1.com", stdin="Subject: x\n\nbody\n")
    assert done.returncode == 64 and option[0] in done.stderr


@pytest.mark.parametrize("notify, reports", [("never", 0), ("success", 0), ("failure", 1)])
def test_refusal_of_what_lay_in_drop(make_world, notify, reports):
    """The sender of mail left while the daemon was down hears of a refusal, if he wants to."""
    mta = make_world().start()
    mta.stop()
    done = mta.sendmail("-i", "-f", "bob@domain1.com", "-N", notify, "-V", "id", "nobody@domain1.com",
                        stdin="Subject: x\n\nbody\n")
    assert done.returncode == 0, done.stderr
    mta.start_again()
    mta.wait_log(r"drop=\w+.msg (not told|report=)")
    wait_for(lambda: not list((mta.spool / "drop").iterdir()), 10, "an empty drop/")
    mta.wait_queue_empty()
    found = [Report(one.parsed) for one in mta.messages("bob@domain1.com")]
    assert len(found) == reports
    assert all(one.groups[0]["Original-Envelope-Id"] == "id" for one in found)
