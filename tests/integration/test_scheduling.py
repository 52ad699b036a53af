"""What is tried when (doc/SCHEDULING.md): a destination that does not answer, concurrency, age."""

import time

from lib.waiting import wait_for

MESSAGE = "From: <bob@domain1.com>\r\nSubject: {}\r\n\r\nhello\r\n"


def send_many(mta, sender, recipient, count):
    """`count` messages in one connection."""
    with mta.smtp() as client:
        for number in range(count):
            client.sendmail(sender, [recipient], MESSAGE.format(number))


def states(mta):
    """How many recipients are in which state."""
    found = {}
    for message in mta.queue():
        for recipient in message["recipients"]:
            found[recipient["state"]] = found.get(recipient["state"], 0) + 1
    return found


def test_a_dead_destination_is_probed_and_comes_back(make_world):
    """Sixty messages do not make sixty attempts, and all are delivered when it answers again."""
    world = make_world(retry=["2s"])
    sink = world.sink("remote.test", script={"BANNER": "421 4.3.2 too busy"})
    mta = world.start()
    send_many(mta, "bob@domain1.com", "x@remote.test", 60)
    mta.wait_log("destination=remote.test does not answer")
    wait_for(lambda: states(mta).get("parked", 0) >= 40, 10, "mail that waits for a probe")
    tried = len(sink.sessions)
    assert 8 <= tried <= 20
    mta.wait_log("destination=remote.test still does not answer", timeout=10)
    assert len(sink.sessions) - tried <= 3, "more than probes"
    del sink.script["BANNER"]
    mta.wait_log("destination=remote.test answers again", timeout=15)
    sink.wait(60)
    mta.wait_queue_empty()
    assert len(sink.messages) == 60


def test_refused_connections_are_no_answer(make_world):
    """Nothing listens: new mail does not knock either."""
    world = make_world(retry=["60s"])
    world.dns.route("remote.test", "127.0.0.200")
    mta = world.start()
    send_many(mta, "bob@domain1.com", "x@remote.test", 30)
    mta.wait_log("destination=remote.test does not answer")
    tried = mta.log().count(" deferred attempts=")
    send_many(mta, "bob@domain1.com", "x@remote.test", 5)
    wait_for(lambda: states(mta).get("parked", 0) >= 20, 10, "mail that waits for a probe")
    time.sleep(0.3)
    assert mta.log().count(" deferred attempts=") - tried <= 5, "only what was under way"


def test_refused_mail_kills_no_destination(make_world):
    """What a host says about mail is no reason to stop trying it with other mail."""
    world = make_world(retry=["60s"])
    sink = world.sink("remote.test", script={"RCPT": lambda _, line: "451 4.7.1 later" if b"grey" in line else None})
    mta = world.start()
    send_many(mta, "bob@domain1.com", "grey@remote.test", 40)
    wait_for(lambda: states(mta) == {"deferred": 40}, 15, "forty deferrals")
    mta.send("bob@domain1.com", "x@remote.test", MESSAGE.format("now"))
    sink.wait(1, timeout=5)
    assert "does not answer" not in mta.log()


def test_expires_while_its_destination_is_dead(make_world):
    """Each is bounced once, though most were never tried themselves."""
    world = make_world(retry=["1s"], **{"queue-lifetime": "2s"})
    world.dns.route("remote.test", "127.0.0.200")
    mta = world.start()
    send_many(mta, "bob@domain1.com", "x@remote.test", 25)
    mta.wait_log("destination=remote.test does not answer")
    reports = mta.wait_messages("bob@domain1.com", count=25, timeout=20)
    assert all(b"x@remote.test" in one.raw for one in reports)
    mta.wait_queue_empty()
    assert len(mta.messages("bob@domain1.com")) == 25
    assert sum("attempts=0" in line and " expired " in line for line in mta.log().splitlines()) >= 5


def test_a_concurrency_limit_holds(make_world):
    world = make_world()
    sink = world.sink("remote.test", script={"EOD": lambda *_: time.sleep(0.05)})
    world.mta.extra = 'destination "remote.test" { concurrency = 2 }\n'
    mta = world.start()
    send_many(mta, "bob@domain1.com", "x@remote.test", 30)
    sink.wait(30)
    assert sink.most_open == 2
