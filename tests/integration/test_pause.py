"""Mail that the administrator stops: destinations and sender domains paused, messages held, routes changed.

Nothing is tried, nothing is lost, nothing grows too old by it, and a restart or a crash forgets none of it.
"""

import time

import pytest

from lib.waiting import patience, wait_for

SENDER = "bob@domain1.com"
MESSAGE = "From: <bob@domain1.com>\r\nSubject: wait\r\nMessage-ID: <{}@domain1.com>\r\n\r\nhello\r\n"


def run(mta, *args):
    """postrider queue …, which must succeed; returns what it said."""
    done = mta.command("queue", *args)
    assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
    return done.stdout


def states(mta):
    """{address: state}."""
    return {one["address"]: one["state"] for message in mta.queue() for one in message["recipients"]}


def wait_states(mta, wanted, timeout=10.0):
    """Wait until the queue holds just these recipients in these states."""
    wait_for(lambda: states(mta) == wanted, timeout, f"{wanted}; it is {states(mta)}")


def restart(mta, how):
    """Stop or crash, and start; None: neither."""
    if how:
        getattr(mta, how)()
        mta.start_again()


RESTARTS = pytest.mark.parametrize("how", [None, "stop", "crash"], ids=["running", "restart", "crash"])


@RESTARTS
def test_a_paused_destination(make_world, how):
    """What is deferred waits, what comes waits, others' does not; resumed, all goes out, once."""
    world = make_world(retry=["1s"])
    sink = world.sink("remote.test", script={"RCPT": "450 4.2.1 later"})
    other = world.sink("other.test")
    mta = world.start()
    mta.send(SENDER, "before@remote.test", MESSAGE.format("before"))
    wait_states(mta, {"before@remote.test": "deferred"})
    run(mta, "pause", "--destination", "remote.test")
    restart(mta, how)
    mta.send(SENDER, ["after@remote.test", "x@other.test"], MESSAGE.format("after"))
    assert other.wait(1, timeout=5)[0].recipients == ["x@other.test"]
    wait_states(mta, {"before@remote.test": "parked", "after@remote.test": "parked"})
    attempts = len(sink.sessions)
    sink.script.clear()
    time.sleep(2)
    assert len(sink.sessions) == attempts and not sink.messages
    assert "remote.test" in run(mta, "paused")
    shown = run(mta, "show", mta.queue()[0]["id"])
    assert "paused" in shown, shown
    run(mta, "resume", "--destination", "remote.test")
    sink.wait(2, timeout=5)
    mta.wait_queue_empty()
    assert sorted(recipient for _, recipient in sink.recipients()) == ["after@remote.test", "before@remote.test"]
    assert "remote.test" not in run(mta, "paused")


@RESTARTS
@pytest.mark.parametrize("sender,named", [("s@paused.test", "paused.test"), ("", "<>")], ids=["domain", "null"])
def test_a_paused_sender_domain(make_world, how, sender, named):
    """Its mail waits wherever it goes, a mailbox here included; that of others, and below it, does not."""
    world = make_world()
    sink = world.sink("remote.test")
    mta = world.start()
    run(mta, "pause", "--sender-domain", named)
    restart(mta, how)
    mta.send(sender, ["x@remote.test", "bob@domain2.com"], MESSAGE.format("paused"))
    mta.send("s@sub.paused.test", ["y@remote.test", "bob@domain1.com"], MESSAGE.format("other"))
    assert sink.wait(1, timeout=5)[0].recipients == ["y@remote.test"]
    mta.wait_messages("bob@domain1.com")
    wait_states(mta, {"x@remote.test": "parked", "bob@domain2.com": "parked"})
    time.sleep(1)
    assert len(sink.messages) == 1 and not mta.messages("bob@domain2.com")
    run(mta, "resume", "--all")
    sink.wait(2, timeout=5)
    mta.wait_messages("bob@domain2.com")
    mta.wait_queue_empty()


def test_a_paused_domain_of_mailboxes(make_world):
    """A hosted domain is a destination, too: its files may be moved meanwhile."""
    mta = make_world().start()
    run(mta, "pause", "--destination", "domain2.com")
    mta.send("s@else.test", ["bob@domain2.com", "bob@domain1.com"], MESSAGE.format("one"))
    mta.wait_messages("bob@domain1.com")
    wait_states(mta, {"bob@domain2.com": "parked"})
    time.sleep(0.5)
    assert not mta.messages("bob@domain2.com")
    run(mta, "resume", "--destination", "domain2.com")
    mta.wait_messages("bob@domain2.com")
    mta.wait_queue_empty()


def test_pause_while_mail_is_under_way(make_world):
    """What a server has been told of ends there; nothing follows it."""
    world = make_world()
    world.mta.extra += 'destination "remote.test" { concurrency = 2 }\n'
    sink = world.sink("remote.test", script={"EOD": lambda _session, _wire: time.sleep(0.2)})
    mta = world.start()
    with mta.smtp() as client:
        for number in range(40):
            client.sendmail(SENDER, ["x@remote.test"], MESSAGE.format(number))
    sink.wait(4)
    run(mta, "pause", "--destination", "remote.test")
    taken = len(sink.messages)
    time.sleep(1.5)
    assert taken <= len(sink.messages) <= taken + 2, "more than was under way"
    waiting = len(mta.queue())
    assert waiting + len(sink.messages) == 40
    run(mta, "resume", "--destination", "remote.test")
    sink.wait(40, timeout=20)
    mta.wait_queue_empty()
    assert len(sink.messages) == 40


def test_paused_mail_is_not_given_up(make_world):
    """It waits past its lifetime: nobody has failed to take it."""
    world = make_world(**{"queue-lifetime": "2s", "delay-warning": "0s", "retry": ["500ms"]})
    sink = world.sink("remote.test")
    mta = world.start()
    run(mta, "pause", "--destination", "remote.test")
    mta.send(SENDER, "x@remote.test", MESSAGE.format("old"))
    time.sleep(4)
    assert states(mta) == {"x@remote.test": "parked"} and not mta.messages(SENDER)
    run(mta, "resume", "--destination", "remote.test")
    sink.wait(1, timeout=5)
    mta.wait_queue_empty()
    assert not mta.messages(SENDER)


@RESTARTS
def test_held_messages(make_world, how):
    """By id, until released; other mail to the same place goes, and age does not end it."""
    world = make_world(retry=["500ms"], **{"queue-lifetime": "3s", "delay-warning": "0s"})
    sink = world.sink("remote.test", script={"RCPT": lambda session, line: "450 4.2.1 later" if b"<held@" in line else None})
    mta = world.start()
    mta.send(SENDER, "held@remote.test", MESSAGE.format("held"))
    wait_states(mta, {"held@remote.test": "deferred"})
    held = mta.queue()[0]["id"]
    run(mta, "hold", held)
    restart(mta, how)
    wait_states(mta, {"held@remote.test": "held"})
    mta.send(SENDER, "x@remote.test", MESSAGE.format("other"))
    sink.wait(1, timeout=5)
    attempts = len(sink.sessions)
    time.sleep(4)
    assert states(mta) == {"held@remote.test": "held"} and len(sink.sessions) == attempts
    assert not mta.messages(SENDER), "given up while it was held"
    sink.script.clear()
    run(mta, "release", held)
    sink.wait(2, timeout=5)
    mta.wait_queue_empty()


def test_requeue_takes_a_new_route(make_world):
    """Its domain is hosted here now, with an alias: only a requeue asks as if the mail had just come."""
    world = make_world(retry=["300s"])
    world.dns.route("moved.test", "127.0.0.250")
    mta = world.start()
    mta.send(SENDER, "x@moved.test", MESSAGE.format("moved"))
    wait_states(mta, {"x@moved.test": "deferred"})
    mta.add_domain("moved.test", ["postmaster"], aliases="x: bob@domain2.com\n")
    run(mta, "requeue", mta.queue()[0]["id"])
    assert mta.wait_messages("bob@domain2.com")[0]["Message-ID"] == "<moved@domain1.com>"
    mta.wait_queue_empty()


def test_thousands_in_one_command(make_world):
    """Two thousand messages held, released and removed, each by one command that says how many."""
    world = make_world(retry=["300s"])
    world.sink("remote.test", script={"MAIL": "450 4.2.1 later"})
    mta = world.start()
    with mta.smtp() as client:
        for number in range(2000):
            client.sendmail(f"s@d{number % 3}.test", ["x@remote.test"], MESSAGE.format(number))
    wait_for(lambda: set(states(mta).values()) == {"deferred"}, 40, "deferral of all", interval=0.2)
    refused = mta.command("queue", "hold", "--destination", "remote.test")
    assert refused.returncode != 0 and "2000" in refused.stdout + refused.stderr, "no terminal, no --yes"
    assert "2000" in run(mta, "hold", "--dry-run", "--destination", "remote.test")
    began = time.monotonic()
    assert "2000" in run(mta, "hold", "--yes", "--destination", "remote.test")
    assert all(one["state"] == "held" for message in mta.queue() for one in message["recipients"])
    assert "667" in run(mta, "remove", "--yes", "--sender-domain", "d0.test")
    assert "1333" in run(mta, "remove", "--yes", "--all")
    mta.wait_queue_empty()
    assert time.monotonic() - began < 10 * patience()
    assert not mta.domains.all_files()
