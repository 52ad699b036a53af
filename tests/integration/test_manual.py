"""The manual's examples of `postrider queue` and mailq, run against a live Postrider: each command writes what the
manual shows, and its JSON has the members that the manual names."""

import json
import re
import shlex

import pytest

from lib import manual
from lib.instance import TOP
from lib.waiting import wait_for

PAGE, MAILQ = TOP / "doc/postrider.8", TOP / "doc/mailq.1"


def refuse(_session, line):
    return "450 4.2.1 mailbox busy" if b"<carol@" in line or b"<dave@" in line else None


def wait_quiet(mta, messages):
    """Until so many messages are there and nothing of them is on its way."""
    def quiet():
        queue = mta.queue()
        return len(queue) == messages and all(
            rcpt["state"] in ("deferred", "parked", "held") for one in queue for rcpt in one["recipients"])
    wait_for(quiet, 15, f"{messages} messages at rest")


@pytest.fixture
def scene(make_world):
    """What the manual's examples are about: two messages, for a mailbox that is busy and a host that is down."""
    world = make_world(retry=["300s"])
    world.sink("example.org", script={"RCPT": refuse})
    world.dns.route("example.net", "127.0.0.99")
    mta = world.start()
    mta.send("bob@domain1.com", [f"x{number}@example.org" for number in range(6)],
             "From: <bob@domain1.com>\r\nSubject: ok\r\n\r\nhi\r\n")
    world.sinks[0].wait(1)
    mta.wait_queue_empty()
    mta.send("bob@domain1.com", ["carol@example.org"],
             "From: <bob@domain1.com>\r\nTo: <carol@example.org>\r\nSubject: lunch\r\n\r\nToday?\r\n")
    wait_quiet(mta, 1)
    mta.send("news@domain1.com", ["dave@example.org", "erin@example.net"],
             "From: <news@domain1.com>\r\nSubject: News\r\n\r\nThere is none.\r\n")
    wait_quiet(mta, 2)
    return world


def test_the_examples_of_postrider_queue(scene):
    mta = scene.mta
    shown = manual.examples(PAGE, "# postrider ")
    commands = [command.split()[1] for command, _ in shown if command.startswith("queue ")]
    usage = mta.command("queue").stderr
    missing = set(re.findall(r"^  queue (\w+)", usage, re.M)) - set(commands)
    assert not missing, f"without an example in the manual: {missing}"
    there = [one["id"] for one in mta.json("queue", "list")["messages"]]
    named = list(dict.fromkeys(re.findall(manual.ID, shown[0][1])))
    assert shown[0][0] == "queue list" and len(named) == len(there) == 2
    ids = dict(zip(named, there))
    removed = 0
    for command, output in shown:
        if not command.startswith("queue ") or command.startswith("queue fsck"):  # it has a scene of its own
            continue
        done = mta.command(*[ids.get(word, word) for word in shlex.split(command)])
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert manual.plain(done.stdout) == manual.plain(output), f"postrider {command} writes\n{done.stdout}"
        removed += command.startswith("queue remove") and "--dry-run" not in command
        wait_quiet(mta, 2 - removed)


def report_lines(text):
    """The lines of a report of fsck, without what depends on the machine and on how far it had come: how many
    segments are ready and empty, and the lengths of the journal's files."""
    for pattern, word in [(r"\b[0-9a-f]{16}\b", "INSTANCE"), (r"\d{10}\.(seg|log|ckpt)", r"FILE.\1"),
                          (r"\d+(\.\d)? [KMG]iB", "SIZE"), (r"\d+ inodes", "INODES")]:
        text = re.sub(pattern, word, text)
    text = re.sub(r"^(FILE\.(?:log|ckpt) )\d+ ", r"\1RECORDS ", re.sub(" +", " ", manual.plain(text)), flags=re.M)
    text = re.sub(r"^(FILE\.seg )\d+ ", r"\1LIFE ", text, flags=re.M)
    return [line for line in text.splitlines() if line != "FILE.seg LIFE SIZE 0 0 SIZE good"]


def test_the_example_of_fsck(make_world):
    """Of two messages that wait one is damaged on the disk."""
    world = make_world(workers=1, retry=["300s"])
    world.sink("example.org", script={"RCPT": refuse})
    mta = world.start()
    for number, text in enumerate(["Today?", "See you."]):
        mta.send("bob@domain1.com", ["carol@example.org"], f"From: <bob@domain1.com>\r\nSubject: lunch\r\n\r\n{text}\r\n")
        wait_quiet(mta, number + 1)
    assert mta.stop() == 0
    (segment, content), = [(path, path.read_bytes()) for path in (mta.spool / "segments").iterdir()
                           if b"Today?" in path.read_bytes()]
    with open(segment, "r+b") as file:
        file.seek(content.index(b"Today?"))
        file.write(b"t")
    (command, output), = [one for one in manual.examples(PAGE, "# postrider ") if one[0].startswith("queue fsck")]
    done = mta.command(*shlex.split(command))
    assert done.returncode == 1, done.stderr
    assert report_lines(done.stdout) == report_lines(output), f"postrider {command} writes\n{done.stdout}"


def test_the_example_of_mailq(scene):
    mta = scene.mta
    assert mta.command("queue", "remove", "--yes", "--sender", "news@*").returncode == 0
    (command, output), = manual.examples(MAILQ, "$ ")
    assert command == "mailq"
    assert manual.plain(mta.sendmail(name="mailq").stdout) == manual.plain(output)


def members(value):
    """The names of all members of a JSON value, and of what is in it."""
    if isinstance(value, list):
        return set().union(*(members(one) for one in value))
    if isinstance(value, dict):
        return set(value).union(*(members(one) for one in value.values()))
    return set()


@pytest.mark.parametrize("title, commands", [
    ("queue list", [["list", "--limit", "1"]]),
    ("queue show", [["show", "ID"]]),
    ("queue cat", [["cat", "ID"]]),
    ("queue summary", [["summary"], ["summary", "--by", "domain"]]),
    ("queue retry , hold , release , requeue , remove", [[verb, "--yes", "--domain", "*.net"] for verb in (
        "retry", "hold", "release", "requeue", "remove")]),
    ("queue pause , resume", [[verb, "--destination", "x.test"] for verb in ("pause", "resume")]),
    ("queue paused", [["pause", "--destination", "x.test"], ["paused"]]),
])
def test_the_members_of_json(scene, title, commands):
    mta = scene.mta
    listing = manual.entries(manual.section(PAGE, "The queue as JSON"))
    want = manual.literals(listing[title])
    if title == "queue show":
        want |= manual.literals(listing["queue list"]) - {"messages", "more", "total-messages", "total-recipients"}
    there = mta.queue()[0]["id"]
    found = set()
    for command in commands:
        done = mta.command("--json", "queue", *[there if word == "ID" else word for word in command])
        assert done.returncode == 0, done.stderr
        if command[0] != "pause" or title != "queue paused":
            found |= members(json.loads(done.stdout))
    assert found == want, f"more than the manual says: {found - want}; less: {want - found}"
