"""One sender's heap of mail does not make another wait: neither at the same destination nor anywhere else.

The heap is 2,000 messages in the ordinary run, 50,000 with --long (POSTRIDER_TEST_LONG=1), sent by the
benchmark's load generator.
"""

import itertools
import json
import os
import subprocess
import time

import pytest

from lib import instance
from lib.waiting import patience, wait_for

LONG = os.environ.get("POSTRIDER_TEST_LONG") == "1"
HEAP = 50000 if LONG else 2000
LOAD = instance.BUILD / "bench/load"
MESSAGE = "From: <{0}>\r\nSubject: small\r\nMessage-ID: <{1}@small.test>\r\n\r\nhello\r\n"

pytestmark = pytest.mark.limit(300 if LONG else 90)


def send_heap(mta, domain, messages=HEAP):
    """As many messages of one sender to one domain, over 20 connections; all are taken."""
    done = subprocess.run([str(LOAD), "--to", f"127.0.0.1:{mta.port}", "--messages", str(messages), "--connections", "20",
                           "--per-connection", "500", "--size", "1000", "--from", "heap@many.test", "--domains", "1",
                           "--users", "1000", "--pattern", f"user%u@{domain}"],
                          capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert json.loads(done.stdout)["accepted"] == messages, done.stdout


def slow_sink(world, domain, seconds=0.05):
    """A sink that takes its time for each message, and a list of the senders in the order it was told of them."""
    order = []

    def on_mail(_session, line):
        order.append(line[11:].partition(b">")[0].decode())
    sink = world.sink(domain, script={"MAIL": on_mail, "EOD": lambda _session, _wire: time.sleep(seconds)})
    return sink, order


def wait_for_sender(sink, sender, timeout):
    """Wait until the sink has taken a message of this sender; returns it."""
    return wait_for(lambda: next((one for one in list(sink.messages) if one.sender == sender), None), timeout,
                    f"the message of {sender}", interval=0.002)


@pytest.mark.parametrize("places", [None, 5], ids=["learned", "configured"])
def test_another_sender_at_the_same_destination(make_world, places):
    """B's one message is among the next ten that begin there; with five places, among the next ten delivered."""
    world = make_world()
    if places:
        world.mta.extra += f'destination "slow.test" {{ concurrency = {places} }}\n'
    sink, order = slow_sink(world, "slow.test")
    mta = world.start()
    send_heap(mta, "slow.test")
    sink.wait(100, timeout=30)
    for number in range(3):
        sender = f"one@few{number}.test"
        mta.send(sender, "x@slow.test", MESSAGE.format(sender, number))
        begun, taken = len(order), len(sink.messages)
        wait_for_sender(sink, sender, 10)
        before = order.index(sender) - begun
        assert before <= 10, f"{before} deliveries of others began before"
        delivered = [one.sender for one in sink.messages].index(sender) - taken
        assert delivered <= 10 + (0 if places else 20), f"{delivered} of others were delivered before"
    assert len(sink.messages) < HEAP, "the heap was gone already: this showed nothing"
    assert sink.most_open <= (places or 20)


def test_another_destination(make_world):
    """While the heap waits, mail for elsewhere, and mail for a mailbox here, takes no second."""
    world = make_world()
    sink, _ = slow_sink(world, "slow.test")
    other = world.sink("other.test")
    mta = world.start()
    send_heap(mta, "slow.test")
    sink.wait(50, timeout=30)
    for number, sender in enumerate(("one@few.test", "heap@many.test")):
        began = time.monotonic()
        mta.send(sender, ["x@other.test", "bob@domain2.com"], MESSAGE.format(sender, number))
        wait_for_sender(other, sender, 5)
        mta.wait_messages("bob@domain2.com", number + 1)
        assert time.monotonic() - began < 1 * patience(), f"{time.monotonic() - began:.2f} s for mail of {sender}"
    assert len(sink.messages) < HEAP


def test_many_destinations_take_turns(make_world):
    """Five domains with slow servers, the heap first: the others' mail is not at the end of it."""
    world = make_world()
    heap, _ = slow_sink(world, "slow.test")
    sinks = {f"d{number}.test": slow_sink(world, f"d{number}.test", 0.01)[0] for number in range(4)}
    mta = world.start()
    send_heap(mta, "slow.test")
    began = time.monotonic()
    with mta.smtp() as client:
        for number, domain in itertools.product(range(20), sinks):
            client.sendmail(f"s{number}@few.test", [f"x@{domain}"], MESSAGE.format(f"s{number}@few.test", domain))
    for sink in sinks.values():
        sink.wait(20, timeout=10)
    assert time.monotonic() - began < 5 * patience() and len(heap.messages) < HEAP


def test_small_mail_before_the_rest_of_a_list(make_world):
    """A list of a thousand recipients and a message of the same sender domain: it goes between the list's jobs."""
    world = make_world()
    world.mta.extra += 'destination "slow.test" { concurrency = 1 }\n'
    sink, order = slow_sink(world, "slow.test", 0.2)
    mta = world.start()
    recipients = [f"u{number}@slow.test" for number in range(1000)]
    assert mta.send("list@many.test", recipients, MESSAGE.format("list@many.test", "list")) == {}
    sink.wait(1)
    mta.send("one@many.test", "x@slow.test", MESSAGE.format("one@many.test", 1))
    begun = len(order)
    wait_for_sender(sink, "one@many.test", 10)
    assert order.index("one@many.test") - begun <= 2, "it waited for the list"
    sink.wait(11, timeout=20)
    mta.wait_queue_empty()
    listed = [recipient for sender, recipient in sink.recipients() if sender == "list@many.test"]
    assert sorted(listed) == sorted(recipients), "everybody once"
    assert max(len(one.recipients) for one in sink.messages) <= 100


def test_rate_of_a_destination(make_world):
    """Starts are evenly spaced, and the rate is shared fairly."""
    world = make_world()
    world.mta.extra += 'destination "slow.test" { rate = "5/second" }\n'
    sink, order = slow_sink(world, "slow.test", 0)
    mta = world.start()
    send_heap(mta, "slow.test", 100)
    sink.wait(5)
    mta.send("one@few.test", "x@slow.test", MESSAGE.format("one@few.test", 1))
    begun = len(order)
    wait_for_sender(sink, "one@few.test", 10)
    assert order.index("one@few.test") - begun <= 2
    sink.wait(15)
    times = [one.time for one in sink.messages[:15]]
    assert (times[14] - times[0]) / 14 >= 0.19, "faster than five a second"
    assert (times[14] - times[0]) / 14 <= 0.4, "much slower than five a second"
    assert min(later - earlier for earlier, later in zip(times, times[1:])) >= 0.1, "bursts"


def test_a_reload_changes_what_a_destination_is_given(make_world):
    """Two places, then six, then a rate: each from the reload on, without a restart."""
    world = make_world()
    mta = world.mta
    mta.extra = 'destination "slow.test" { concurrency = 2 }\n'
    sink, _ = slow_sink(world, "slow.test", 0.1)
    mta.start()
    base = mta.extra

    def change(text):
        mta.extra = base.replace("concurrency = 2", text)
        mta.write_config()
        done = mta.command("reload")
        assert done.returncode == 0, done.stderr

    send_heap(mta, "slow.test", 400)
    sink.wait(20)
    assert sink.most_open == 2
    change("concurrency = 6")
    wait_for(lambda: sink.most_open == 6, 15, "six at a time")
    sink.wait(100, timeout=15)
    assert sink.most_open == 6
    change('rate = "2/second"')
    time.sleep(1)
    before = len(sink.messages)
    time.sleep(2)
    assert 2 <= len(sink.messages) - before <= 6, f"{len(sink.messages) - before} in two seconds"
    change("concurrency = 20")
    sink.wait(400, timeout=30)
    mta.wait_queue_empty()
