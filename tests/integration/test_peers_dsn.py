"""Delivery status notifications with a real Postfix at the other end, which offers DSN or does not (RFC 3461).

Who asks for a report of success hears it from Postfix if that can say it, else from us; who wants none hears
nothing; what identifies a message comes back as it was given.
"""

import email
import re
import subprocess

from lib.dsn import Report
from lib.waiting import wait_for

SENDER = "bob@domain1.com"
MESSAGE = "From: <bob@domain1.com>\r\nSubject: tell me\r\nMessage-ID: <tell@domain1.com>\r\n\r\nthe body\r\n"
REFUSE_NO = "check_recipient_access inline:{ { no@remote.test = 550 5.1.1 no such user here } }, permit_mynetworks, reject"


def send(mta, recipients, options=(), sender=SENDER):
    """One message; recipients: {address: its ESMTP parameters}."""
    with mta.smtp() as client:
        client.ehlo()
        assert client.has_extn("dsn")
        assert client.mail(sender, options)[0] == 250
        for address, parameters in recipients.items():
            code, text = client.rcpt(address, parameters)
            assert code == 250, text
        assert client.data(MESSAGE)[0] == 250


def reports(mta, count, timeout=20):
    return [Report(one.parsed) for one in mta.wait_messages(SENDER, count, timeout=timeout)]


def test_we_report_relayed_where_postfix_cannot(make_pair):
    """To a server without DSN: `relayed`, by us, for those who asked, in one report."""
    world, far = make_pair(smtpd_discard_ehlo_keywords="dsn")
    send(world.mta, {"a@remote.test": ["NOTIFY=SUCCESS"], "b@remote.test": ["NOTIFY=FAILURE,SUCCESS"],
                     "c@remote.test": ["NOTIFY=FAILURE"], "d@remote.test": []}, ["ENVID=mine"])
    far.wait(4)
    report = reports(world.mta, 1)[0]
    assert sorted(report.recipients()) == ["a@remote.test", "b@remote.test"]
    assert {group["Action"] for group in report.groups[1:]} == {"relayed"}
    assert {group["Status"].split()[0][0] for group in report.groups[1:]} == {"2"}
    assert report.groups[0]["Original-Envelope-Id"] == "mine"
    assert report.groups[0]["Reporting-MTA"] == "dns; mx.test"
    world.mta.wait_queue_empty()
    assert len(world.mta.messages(SENDER)) == 1


def test_failure_is_told_to_those_who_want_it(make_pair):
    """NEVER is silent, SUCCESS alone too; the default and FAILURE are told."""
    world, far = make_pair(domains=("remote.test", "other.test"), smtpd_recipient_restrictions=(
        "check_recipient_access regexp:{ {/^no/ 550 5.1.1 no such user here} }, permit_mynetworks, reject"))
    send(world.mta, {"no-never@remote.test": ["NOTIFY=NEVER"], "no-success@remote.test": ["NOTIFY=SUCCESS"],
                     "no-failure@remote.test": ["NOTIFY=FAILURE"], "no-default@remote.test": [],
                     "yes@other.test": ["NOTIFY=NEVER"]}, ["RET=HDRS"])
    far.wait(1)
    report = reports(world.mta, 1)[0]
    assert sorted(report.recipients()) == ["no-default@remote.test", "no-failure@remote.test"]
    assert "the body" not in report.returned.as_string()
    world.mta.wait_queue_empty()
    assert len(world.mta.messages(SENDER)) == 1


def test_success_and_failure_of_one_message(make_pair):
    """The report of a refusal comes from us, that of a delivery from Postfix; nobody is in both."""
    world, _ = make_pair(smtpd_recipient_restrictions=REFUSE_NO)
    send(world.mta, {"yes@remote.test": ["NOTIFY=SUCCESS,FAILURE"], "no@remote.test": ["NOTIFY=SUCCESS,FAILURE"]},
         ["RET=FULL"])
    found = reports(world.mta, 2, timeout=30)
    said = {report.recipients()[0]: report.groups[1]["Action"] for report in found}
    assert said == {"yes@remote.test": "delivered", "no@remote.test": "failed"}
    assert all(len(report.recipients()) == 1 for report in found)
    failed = next(report for report in found if report.recipients() == ["no@remote.test"])
    assert "the body" in failed.returned.as_string()


def test_a_report_of_postfix_comes_in(make_pair):
    """What Postfix says about mail of ours that it took and could not deliver reaches our user, and is a report."""
    world, far = make_pair(routes={"onward.test": "smtp:[127.0.0.10]:{port}"})
    world.sink(script={"RCPT": "550 5.2.1 this mailbox is closed"})
    world.dns.route("onward.test", far.host)
    world.mta.send(SENDER, "x@onward.test", MESSAGE)
    report = reports(world.mta, 1, timeout=30)[0]
    group = report.recipient("x@onward.test")
    assert (group["Action"], group["Status"]) == ("failed", "5.2.1")
    assert report.groups[0]["Reporting-MTA"] == "dns; postfix.test"
    world.mta.wait_queue_empty()


def test_our_report_of_success_reaches_a_sender_at_postfix(make_pair):
    """Postfix's own sendmail asks for it (-N success); the mailbox is here, the report goes there."""
    world, far = make_pair()
    done = subprocess.run(["/usr/sbin/sendmail", "-C", str(far.root / "config"), "-i", "-f", "x@remote.test", "-N",
                           "success,failure", "-V", "postfix+2B1", SENDER, "nobody@domain1.com"],
                          input="Subject: by hand\n\nhello\n", text=True, capture_output=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    world.mta.wait_messages(SENDER, timeout=40)

    def found():
        said = {}
        for path in far.files():
            message = email.message_from_bytes(path.read_bytes())
            if message.get_content_type() == "multipart/report":
                report = Report(message) if re.search(rb"by mx.test", path.read_bytes()) else None
                groups = report.groups if report else message.get_payload(1).get_payload()
                for group in groups[1:]:
                    said[group["Final-Recipient"].partition(";")[2].strip()] = (
                        group["Action"], groups[0]["Original-Envelope-Id"])
        return said if len(said) == 2 else None
    said = wait_for(found, 30, "reports about both")
    assert said[SENDER][0] == "delivered" and said["nobody@domain1.com"][0] == "failed", said
    assert said[SENDER][1] == "postfix+2B1", "as it was given to sendmail"
