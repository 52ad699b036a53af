"""postrider queue fsck on real spools: in use, damaged, repaired, copied back by root; and mail got out of corrupt/."""

import hashlib
import json
import os
import shutil
import subprocess

import pytest

from lib.instance import BIN
from lib.load import Load
from lib.waiting import wait_for

PROBLEM, IN_USE = 1, 75


@pytest.fixture
def world(make_world):
    """Mail to remote.test stays in the queue, mail to domain1.com does not."""
    one = make_world(**{"segment-size": "4M", "retry": ["300s"], "workers": 1})
    one.sink("remote.test", script={"RCPT": "450 4.2.1 later"})
    one.start()
    return one


def queue_some(mta, count=6):
    """Messages that stay, one after the other, each in a batch of its own; their ids in the order they came."""
    for number in range(count):
        mta.send("alice@domain1.com", "x@remote.test", f"Subject: stays {number}\r\n\r\nbody number {number}\r\n")
    wait_for(lambda: [rcpt["state"] for one in mta.queue() for rcpt in one["recipients"]] == ["deferred"] * count, 10,
             "all deferred")
    return sorted(one["id"] for one in mta.json("queue", "list")["messages"])


def snapshot(folder):
    """{path: what can be seen of it}: equal if nothing was changed."""
    seen = {}
    for path in sorted(folder.rglob("*")):
        stat = path.lstat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else ""
        seen[str(path)] = (stat.st_mode, stat.st_uid, stat.st_nlink, stat.st_size, stat.st_mtime_ns, digest)
    return seen


def fsck(mta, *args, want=0):
    """The report as JSON; without --repair nothing must have changed if the daemon does not run."""
    running = mta.process.poll() is None
    before = None if running or "--repair" in args else snapshot(mta.spool)
    done = mta.command("--json", "queue", "fsck", *args)
    assert done.returncode == want, (done.returncode, done.stdout, done.stderr)
    assert before is None or snapshot(mta.spool) == before, "a check has changed something"
    return json.loads(done.stdout)


def problems(report):
    """{file: text} of what is not repaired."""
    return {one["file"]: one["text"] for one in report["findings"] if one["severity"] == "problem" and not one["repaired"]}


def segment_with(spool, text):
    """The segment that holds this text, and where."""
    for path in sorted((spool / "segments").iterdir()):
        at = path.read_bytes().find(text)
        if at >= 0:
            return path, at
    raise AssertionError(f"no segment holds {text!r}")


def flip(path, at):
    """One bit of a file."""
    with open(path, "r+b") as file:
        file.seek(at)
        octet = file.read(1)[0]
        file.seek(at)
        file.write(bytes([octet ^ 4]))


def ids(mta):
    """Of the messages in the queue."""
    return sorted(one["id"] for one in mta.json("queue", "list")["messages"])


def test_clean_in_use_and_stopped(world):
    mta = world.mta
    known = queue_some(mta)
    report = fsck(mta)
    assert report["running"] and report["clean"] and report["messages"] == len(known)
    text = mta.command("queue", "fsck")
    assert "in use" in text.stdout and "no problems" in text.stdout
    refused = mta.command("queue", "fsck", "--repair")
    assert refused.returncode == IN_USE and "stop postriderd first" in refused.stderr and not refused.stdout
    assert mta.stop() == 0
    report = fsck(mta)
    assert not report["running"] and report["clean"] and report["messages"] == len(known) and not report["lost"]
    assert not report["findings"], "every file is known"
    assert report["journal"]["whole"] and report["journal"]["reserve"] > 0
    before = snapshot(mta.spool)
    assert fsck(mta, "--repair")["clean"]
    assert snapshot(mta.spool) == before, "there was nothing to repair"


@pytest.mark.limit(120)
def test_under_load_nothing_is_called_damaged(make_world):
    """The files change all the time; a message may be delivered and its segment get a new life while it is looked for."""
    world = make_world(**{"segment-size": "1M", "retry": ["1s"], "connection-limit-per-client": 200})
    mta = world.start()
    with Load(mta, ["bob@domain1.com", "bob@domain2.com", "alice@domain1.com"], connections=10, pause=0.005) as load:
        wait_for(lambda: len(load.acked) > 100, 15, "traffic")
        for _ in range(12):
            report = fsck(mta)
            assert report["running"] and not report["lost"] and not problems(report), report["findings"]
    mta.wait_queue_empty(30)


def test_damaged_message_is_given_up_and_its_sender_told(world):
    """CF-02: the others are delivered; what was damaged is in corrupt/; after the repair a start has nothing to say."""
    mta = world.mta
    known = queue_some(mta)
    assert mta.stop() == 0
    path, at = segment_with(mta.spool, b"body number 2")
    flip(path, at)
    report = fsck(mta, want=PROBLEM)
    assert [(one["id"], one["state"], one["sender"]) for one in report["lost"]] == [(known[2], "damaged", "alice@domain1.com")]
    report = fsck(mta, "--repair", want=PROBLEM)
    assert not problems(report) and len(report["corrupt"]) == 1, report
    assert "damaged" in report["corrupt"][0]["reason"]
    assert fsck(mta)["clean"]
    mark = len(mta.log())
    mta.start_again()
    assert "set aside" not in mta.log()[mark:] and "lost" not in mta.log()[mark:]
    wait_for(lambda: ids(mta) == known[:2] + known[3:], 10, "the five that are whole, and no other")
    report = mta.wait_messages("alice@domain1.com")[0].raw
    assert b"Status: 5.3.0" in report and b"damaged on the disk" in report


def test_start_on_damage_without_repair(world):
    """CF-02, CE-11: a start needs no fsck; what is whole goes out, and fsck says afterwards what had been."""
    mta, sink = world.mta, world.sinks[0]
    known = queue_some(mta)
    assert mta.stop() == 0
    path, at = segment_with(mta.spool, b"body number 3")
    flip(path, at)
    flip(path, 9)
    flip(sorted((mta.spool / "journal").glob("*.ckpt"))[-1], 12)
    found = problems(fsck(mta, want=PROBLEM))
    assert {name.partition("/")[0] for name in found} == {"journal", "segments"}
    mta.start_again()
    sink.script.clear()
    assert mta.command("queue", "retry", "--all", "--yes").returncode == 0
    mta.wait_queue_empty(20)
    assert len(sink.messages) == len(known) - 1
    assert mta.wait_messages("alice@domain1.com")
    assert mta.stop() == 0
    report = fsck(mta)
    assert [one for one in report["corrupt"] if ".seg" in one["file"] and "damaged" in one["reason"]]


def test_foreign_and_strange_files(world):
    """CF-08, CF-09: another spool's segment, leftovers, a file of nobody's, and a segment that is gone."""
    mta = world.mta
    queue_some(mta)
    assert mta.stop() == 0
    path, _ = segment_with(mta.spool, b"body number 0")
    other = mta.spool / "segments" / "0000000901.seg"
    foreign = bytearray(path.read_bytes())
    other.write_bytes(foreign)  # its header names another segment
    os.chmod(other, 0o600)
    (mta.spool / "large" / "core").write_bytes(b"x")
    os.chmod(mta.spool / "large" / "core", 0o600)
    (mta.spool / "segments" / "0000000902.seg.new").touch(0o600)
    if mta.privileged:
        for one in (other, mta.spool / "large" / "core", mta.spool / "segments" / "0000000902.seg.new"):
            os.chown(one, 64003, 64003)
    found = problems(fsck(mta, want=PROBLEM))
    assert found["segments/0000000901.seg"] == "its header names another segment"
    assert found["large/core"] == "it is no segment"
    assert "segments/0000000902.seg.new" not in found
    assert not problems(fsck(mta, "--repair", want=PROBLEM))
    assert len(list((mta.spool / "corrupt").glob("*.reason"))) == 2
    assert not other.exists() and not (mta.spool / "segments" / "0000000902.seg.new").exists()
    kept = path.read_bytes()
    path.unlink()
    report = fsck(mta, want=PROBLEM)
    assert {one["state"] for one in report["lost"]} == {"missing"} and len(report["lost"]) == 6
    assert {one["file"] for one in report["lost"]} == {f"segments/{path.name}"}
    path.write_bytes(kept)
    os.chmod(path, 0o600)
    if mta.privileged:
        os.chown(path, 64003, 64003)
    assert fsck(mta)["clean"]


def test_salvage(world):
    """What was set aside is got out again: the content as it was, and its envelope."""
    mta = world.mta
    known = queue_some(mta)
    assert mta.stop() == 0
    path, at = segment_with(mta.spool, b"body number 4")
    flip(path, at)
    fsck(mta, "--repair", want=PROBLEM)
    out = mta.root / "out"
    done = mta.command("queue", "fsck", "--salvage", str(out))
    assert done.returncode == 0, done.stderr
    assert sorted(one.name for one in out.glob("*.eml")) == [f"{name}.eml" for name in known if name != known[4]]
    text = (out / f"{known[1]}.eml").read_text()
    assert text.startswith("Received: ") and text.endswith("Subject: stays 1\n\nbody number 1\n")
    envelope = (out / f"{known[1]}.envelope").read_text()
    assert "\nfrom: <alice@domain1.com>\nrecipient: <x@remote.test>\n" in envelope
    assert "1" in done.stderr  # one place is not whole
    name = next(one.name for one in (mta.spool / "corrupt").iterdir() if not one.name.endswith(".reason"))
    again = mta.command("--json", "queue", "fsck", "--salvage", str(mta.root / "one"), "--file", name)
    assert again.returncode == 0 and again.stdout.count('"queued": true') == 5
    assert mta.command("queue", "fsck", "--salvage", str(mta.root / "one"), "--file", "nothing").returncode == 66


def test_named_spool_and_no_spool(world):
    """A copy elsewhere is looked at without its daemon; what is no spool is said to be none."""
    mta = world.mta
    queue_some(mta, 2)
    assert mta.stop() == 0
    copy = mta.root / "copy"
    shutil.copytree(mta.spool, copy, symlinks=True, ignore=shutil.ignore_patterns("sockets"))
    if mta.privileged:
        for path in [copy, *copy.rglob("*")]:
            shutil.chown(path, 64003, 64003)
    os.chmod(copy / "drop", 0o3733)
    report = fsck(mta, str(copy))
    assert report["clean"] and report["messages"] == 2 and report["spool"] == str(copy)
    none = mta.command("queue", "fsck", str(mta.root))
    assert none.returncode == 66 and "is no spool" in none.stderr


@pytest.mark.root
def test_copied_back_by_root(world):
    """A backup restored by root is one that the queue manager cannot read: --repair gives it back, and all mail is there."""
    mta = world.mta
    known = queue_some(mta)
    assert mta.stop() == 0
    for folder in ("segments", "journal"):
        for path in (mta.spool / folder).iterdir():
            os.chown(path, 0, 0)
            os.chmod(path, 0o644)
    found = problems(fsck(mta, want=PROBLEM))
    assert all("belongs to user 0" in text for name, text in found.items() if name.endswith(".seg") and "lost" not in text)
    report = fsck(mta, "--repair", want=PROBLEM)
    assert not problems(report) and not report["lost"] and not report["corrupt"], report["findings"]
    mta.start_again()
    assert ids(mta) == known


@pytest.mark.root
def test_another_user_may_not(world):
    """It says so and touches nothing."""
    mta = world.mta
    assert mta.stop() == 0
    done = subprocess.run([str(BIN / "postrider"), "-c", str(mta.conf), "queue", "fsck"], capture_output=True, text=True,
                          timeout=15, user=64009, group=64009, extra_groups=[], cwd="/", check=False)
    assert done.returncode == 77, (done.returncode, done.stderr)
