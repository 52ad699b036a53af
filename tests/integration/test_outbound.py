"""Mail for elsewhere: by MX, several recipients in one transaction, a verdict for each, retry, TLS."""

import re
import time

import pytest

from lib.sink import Close
from lib.waiting import patience, wait_for

MESSAGE = "From: <bob@domain1.com>\r\nSubject: out\r\nMessage-ID: <out@domain1.com>\r\n\r\n.dot\r\nhello\r\n"


def test_by_mx(make_world):
    world = make_world()
    sink = world.sink("remote.test")
    mta = world.start()
    mta.send("bob@domain1.com", "x@remote.test", MESSAGE)
    one = sink.wait(1)[0]
    assert (one.sender, one.recipients) == ("bob@domain1.com", ["x@remote.test"])
    assert one.helo == b"mx.test"
    assert one.content.endswith(MESSAGE.encode()) and one.content.startswith(b"Received: ")
    assert world.dns.asked("remote.test", "MX") == 1
    mta.wait_queue_empty()


def test_several_recipients_in_one_transaction(make_world):
    world = make_world()
    sink = world.sink("remote.test")
    mta = world.start()
    recipients = [f"u{number}@remote.test" for number in range(10)]
    mta.send("bob@domain1.com", recipients, MESSAGE)
    assert sorted(sink.wait(1)[0].recipients) == sorted(recipients)
    assert len(sink.messages) == 1
    mta.wait_queue_empty()


def test_recipients_at_several_domains(make_world):
    world = make_world()
    first, second = world.sink("one.test"), world.sink("two.test")
    mta = world.start()
    mta.send("bob@domain1.com", ["a@one.test", "b@two.test", "bob@domain2.com"], MESSAGE)
    assert first.wait(1)[0].recipients == ["a@one.test"]
    assert second.wait(1)[0].recipients == ["b@two.test"]
    mta.wait_messages("bob@domain2.com")


def test_pipelining_is_used_when_offered(make_world):
    world = make_world()
    sink = world.sink("remote.test")
    world.start().send("bob@domain1.com", [f"u{n}@remote.test" for n in range(5)], MESSAGE)
    sink.wait(1)
    assert sink.sessions[0].pipelined >= 5


def test_server_without_pipelining(make_world):
    world = make_world()
    sink = world.sink("remote.test", extensions=("8BITMIME",))
    world.start().send("bob@domain1.com", ["a@remote.test", "b@remote.test"], MESSAGE)
    sink.wait(1)
    assert sink.sessions[0].pipelined == 0


def test_verdict_for_each_recipient(make_world):
    """One accepted, one refused, one deferred: delivered once, bounced, tried again."""
    replies = {b"no": "550 5.1.1 no such user", b"later": "450 4.2.1 later"}
    world = make_world()
    sink = world.sink("remote.test", script={"RCPT": lambda session, line: replies.get(
        re.search(rb"<(\w+)@", line).group(1))})
    mta = world.start()
    mta.send("bob@domain1.com", ["yes@remote.test", "no@remote.test", "later@remote.test"], MESSAGE)
    assert sink.wait(1)[0].recipients == ["yes@remote.test"]
    assert "no@remote.test" in mta.wait_messages("bob@domain1.com")[0].raw.decode()
    del replies[b"later"]
    assert sink.wait(2)[1].recipients == ["later@remote.test"]
    mta.wait_queue_empty()
    assert sorted(recipient for _, recipient in sink.recipients()) == ["later@remote.test", "yes@remote.test"]


@pytest.mark.parametrize("stage", ["BANNER", "MAIL", "RCPT", "DATA", "EOD"])
def test_retry_after_4xx(make_world, stage):
    world = make_world()
    sink = world.sink("remote.test", script={stage: ["451 4.3.0 not now"]})
    mta = world.start()
    began = time.monotonic()
    mta.send("bob@domain1.com", "x@remote.test", MESSAGE)
    sink.wait(1)
    assert time.monotonic() - began >= 0.4, "tried again without waiting"
    mta.wait_queue_empty()
    assert len(sink.messages) == 1 and not mta.messages("bob@domain1.com")


def test_retry_after_a_refused_connection(make_world):
    world = make_world()
    mta = world.start()
    world.dns.route("remote.test", "127.0.0.10")
    mta.send("bob@domain1.com", "x@remote.test", MESSAGE)
    wait_for(lambda: [one for one in mta.queue() if one["recipients"][0]["state"] == "deferred"], 10, "deferral")
    sink = world.sink()
    assert sink.host == "127.0.0.10"
    sink.wait(1)
    mta.wait_queue_empty()


def test_second_mx_when_the_first_is_down(make_world):
    world = make_world()
    sink = world.sink()
    world.dns.mx("remote.test", (10, "down.remote.test"), (20, "up.remote.test"))
    world.dns.a("down.remote.test", "127.0.0.200")
    world.dns.a("up.remote.test", sink.host)
    mta = world.start()
    mta.send("bob@domain1.com", "x@remote.test", MESSAGE)
    sink.wait(1, timeout=5)
    mta.wait_queue_empty()


def test_second_mx_when_the_first_says_4xx_at_once(make_world):
    world = make_world()
    first, second = world.sink(script={"BANNER": "421 4.3.2 busy"}), world.sink()
    world.dns.mx("remote.test", (10, "a.remote.test"), (20, "b.remote.test"))
    world.dns.a("a.remote.test", first.host)
    world.dns.a("b.remote.test", second.host)
    world.start().send("bob@domain1.com", "x@remote.test", MESSAGE)
    second.wait(1)
    assert first.sessions


def test_smarthost(make_world):
    world = make_world()
    sink = world.sink()
    world.mta.settings["smarthost"] = f"[{sink.host}]:{sink.port}"
    mta = world.start()
    mta.send("bob@domain1.com", ["a@one.test", "b@two.test", "bob@domain2.com"], MESSAGE)
    mta.wait_messages("bob@domain2.com")
    mta.wait_queue_empty()
    assert sorted(recipient for _, recipient in sink.recipients()) == ["a@one.test", "b@two.test"]
    assert world.dns.questions == []


def test_starttls_when_offered(make_world):
    world = make_world()
    sink = world.sink("remote.test", tls=True)
    world.start().send("bob@domain1.com", "x@remote.test", MESSAGE)
    assert sink.wait(1)[0].tls
    assert sink.sessions[0].verbs()[:4] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]


def test_cleartext_when_the_handshake_fails(make_world):
    """Opportunistic: what breaks TLS does not stop the mail."""
    world = make_world()
    sink = world.sink("remote.test", tls=True)
    sink.script["STARTTLS"] = lambda session, line: Close(b"220 2.0.0 go\r\n") if session.number == 0 else None
    mta = world.start()
    mta.send("bob@domain1.com", "x@remote.test", MESSAGE)
    sink.wait(1)
    mta.wait_queue_empty()


def test_connection_is_used_again(make_world):
    """Many messages to one destination need few connections."""
    world = make_world()
    sink = world.sink("remote.test")
    mta = world.start()
    with mta.smtp() as client:
        for _ in range(60):
            client.sendmail("bob@domain1.com", ["x@remote.test"], MESSAGE)
    sink.wait(60)
    assert len(sink.sessions) <= 20, f"{len(sink.sessions)} connections for 60 messages"
    mta.wait_queue_empty()
    assert len(sink.messages) == 60


def test_concurrency_limit_of_a_destination(make_world):
    world = make_world(**{"destination-concurrency": 3})
    sink = world.sink("remote.test", script={"EOD": lambda session, line: time.sleep(0.1)})
    mta = world.start()
    with mta.smtp() as client:
        for _ in range(30):
            client.sendmail("bob@domain1.com", ["x@remote.test"], MESSAGE)
    sink.wait(30)
    assert 1 < sink.most_open <= 3, sink.most_open


def test_a_dead_destination_does_not_hold_the_others(make_world):
    world = make_world()
    dead = world.sink("dead.test", script={"BANNER": lambda session, line: time.sleep(3)})
    sink = world.sink("remote.test")
    mta = world.start()
    for number in range(40):
        mta.send("bob@domain1.com", f"u{number}@dead.test", MESSAGE)
    began = time.monotonic()
    mta.send("bob@domain1.com", "x@remote.test", MESSAGE)
    sink.wait(1, timeout=3)
    assert time.monotonic() - began < 2.5 * patience()
    dead.script.clear()
    dead.wait(40, timeout=30)
    mta.wait_queue_empty()


def test_large_message_goes_out_whole(make_world):
    world = make_world()
    sink = world.sink("remote.test")
    mta = world.start()
    body = b"".join(b".%d\r\n" % number for number in range(200000))
    mta.send("bob@domain1.com", ["x@remote.test", "bob@domain2.com"], b"Subject: large\r\n\r\n" + body)
    assert sink.wait(1)[0].content.partition(b"\r\n\r\n")[2] == body
    mta.wait_messages("bob@domain2.com")
    mta.wait_queue_empty()
    wait_for(lambda: not list((mta.spool / "large").iterdir()), 5, "the large file's end")


def test_queue_survives_a_restart(make_world):
    world = make_world(retry=["300s"])
    sink = world.sink("remote.test", script={"RCPT": "450 4.2.1 later"})
    mta = world.start()
    mta.send("bob@domain1.com", "x@remote.test", MESSAGE)
    before = wait_for(lambda: [one for one in mta.queue() if one["recipients"][0]["state"] == "deferred"], 10)
    assert mta.stop() == 0
    mta.start_again()
    after = mta.queue()
    assert [one["id"] for one in after] == [one["id"] for one in before]
    sink.script.clear()
    assert mta.command("queue", "retry", after[0]["id"]).returncode == 0
    sink.wait(1)
    mta.wait_queue_empty()


def test_hop_count_of_a_loop(make_world):
    """A message that has been through more hosts than hop-limit is refused for good."""
    mta = make_world(**{"hop-limit": 10}).start()
    import smtplib
    with pytest.raises(smtplib.SMTPDataError) as refused:
        mta.send("s@else.test", "bob@domain1.com", "Received: by x\r\n" * 11 + MESSAGE)
    assert refused.value.smtp_code == 554
