"""A peer that does whatever it likes to hundreds of messages: every recipient ends in exactly one way.

The ledger: what the sink took, and what it said last about each recipient; what the sender was told.  Without
deaths of processes on our side nobody gets anything twice; with them, only what was under way may come twice.
"""

import os
import random
import re
import signal
import smtplib
import threading
import time

import pytest

from lib.dsn import Report
from lib.sink import Close, Drop
from lib.waiting import wait_for

SENDER = "bob@domain1.com"
MESSAGES = 150
# A failure names its seed; POSTRIDER_CHAOS_SEED plays it again.
SEED = int(os.environ.get("POSTRIDER_CHAOS_SEED") or 20261122)
SEEDS = [SEED + at for at in range(20 if os.environ.get("POSTRIDER_TEST_LONG") == "1" else 1)]


class Moods:
    """What the sink does, by chance, at each point; and which recipients it has refused for good."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.refused, self.calm = {}, False

    def chance(self, *choices):
        """One of (probability, reply), or None."""
        value = self.random.random()
        for probability, reply in choices:
            if value < probability and not self.calm:
                return reply
            value -= probability
        return None

    def script(self):
        """For Sink.script."""
        return {
            "BANNER": lambda *_: self.chance((.02, "421 4.3.2 busy"), (.02, Close(reset=True))),
            "EHLO": lambda *_: self.chance((.01, Close())),
            "MAIL": lambda *_: self.chance((.04, "451 4.3.0 not now"), (.01, Close(reset=True))),
            "RCPT": self.on_rcpt,
            "DATA": lambda *_: self.chance((.04, "451 4.3.0 no data"), (.02, Close())),
            "CONTENT": lambda *_: self.chance((.04, Drop(20)), (.04, Drop(400, reset=True))),
            "EOD": self.on_end,
        }

    def on_rcpt(self, _session, line):
        address = re.search(rb"<(.*)>", line).group(1).decode()
        reply = self.chance((.10, "550 5.1.1 no such user"), (.15, "450 4.2.1 later"), (.02, Close(b"421 4.3.2 bye\r\n")))
        if isinstance(reply, str) and reply.startswith("5"):
            self.refused[address] = self.refused.get(address, 0) + 1
        return reply

    def on_end(self, session, _wire):
        reply = self.chance((.04, "451 4.3.0 cannot take it"), (.03, Close(reset=True)), (.03, "554 5.6.0 will not take it"))
        if isinstance(reply, str) and reply.startswith("5"):
            for line in session.rcpts:
                address = re.search(rb"<(.*)>", line).group(1).decode()
                self.refused[address] = self.refused.get(address, 0) + 1
        return reply


def send_all(mta, seed):
    """MESSAGES messages to one to twelve recipients each, every recipient with an address of its own."""
    chance, sent = random.Random(seed), []
    with mta.smtp(timeout=20) as client:
        for number in range(MESSAGES):
            recipients = [f"m{number}r{at}@{'ab'[at % 2]}.test" for at in range(chance.randint(1, 12))]
            body = "0123456789\r\n" * chance.choice((1, 50, 2000))
            try:
                refused = client.sendmail(SENDER, recipients, f"From: <{SENDER}>\r\nSubject: {number}\r\nMessage-ID: "
                                          f"<{number}@domain1.com>\r\n\r\n{body}")
                assert all(code < 500 for code, _ in refused.values()), refused
                sent += [address for address in recipients if address not in refused]
            except smtplib.SMTPRecipientsRefused as error:  # while directory is dead
                assert all(400 <= code < 500 for code, _ in error.recipients.values()), error
            except smtplib.SMTPResponseException as error:
                assert 400 <= error.smtp_code < 500, error  # while the queue manager is dead: not taken
            time.sleep(0.01)
    return sent


class Killer(threading.Thread):
    """Kills a process of ours every half second, so many times."""

    def __init__(self, mta, *roles):
        super().__init__(daemon=True)
        self.mta, self.roles, self.failed = mta, roles, None

    def run(self):
        try:
            for role in self.roles:
                time.sleep(0.5)
                self.mta.kill(role, signal.SIGKILL)
        except Exception as error:  # told by end(), in the test's own thread
            self.failed = error

    def end(self):
        self.join(30)
        assert self.failed is None and not self.is_alive(), self.failed


def reported(mta):
    """{address: how often the sender was told that it failed}."""
    found = {}
    for one in mta.messages(SENDER):
        report = Report(one.parsed)
        for group in report.groups[1:]:
            assert group["Action"] == "failed"
            address = group["Final-Recipient"].partition(";")[2].strip()
            found[address] = found.get(address, 0) + 1
    return found


@pytest.mark.limit(240)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kills", [False, True], ids=["peer", "peer-and-kills"])
def test_every_recipient_ends_in_one_way(make_world, kills, seed):
    moods = Moods(seed)
    world = make_world(retry=["200ms", "400ms"], **{"segment-size": "1M"})
    sinks = [world.sink(domain, script=moods.script()) for domain in ("a.test", "b.test")]
    mta = world.start()
    killer = Killer(mta, *("remote", "queue", "directory", "remote", "queue", "remote") if kills else ())
    killer.start()
    sent = send_all(mta, seed)
    killer.end()
    assert len(sent) >= MESSAGES
    wait_for(lambda: all(one["from"] == "" for one in mta.queue()), 150, "the end of all that was sent", interval=0.2)
    moods.calm = True
    mta.wait_queue_empty(timeout=30)
    told = reported(mta)
    taken = {}
    for _, recipient in (pair for sink in sinks for pair in sink.recipients()):
        taken[recipient] = taken.get(recipient, 0) + 1
    assert sorted(set(taken) | set(told)) == sorted(sent), "lost, or never sent"
    twice = [address for address, count in taken.items() if count > 1]
    both = sorted(set(taken) & set(told))
    print(f"{len(sent)} recipients: {len(taken)} delivered, {len(told)} returned, {len(twice)} twice, "
          f"{sum(len(sink.sessions) for sink in sinks)} connections")
    if kills:
        assert len(twice) + len(both) <= 5 * 40, "more than was under way"
    else:
        assert not twice and not both, f"twice {twice}, delivered and returned {both}"
        # A refusal may be lost with its connection, and its recipient taken at the next attempt.
        assert set(told) <= set(moods.refused), "told of somebody who was not refused"
    assert not [address for address, count in told.items() if count > 1], "told twice"
