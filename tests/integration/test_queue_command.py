"""postrider queue, status and the rest: what is in the queue, and what an administrator does about it."""


import pytest

from lib.dsn import Report
from lib.sink import Hold
from lib.waiting import wait_for

MESSAGE = "From: <bob@domain1.com>\r\nSubject: {}\r\n\r\nhello {}\r\n"


@pytest.fixture
def held(make_world):
    """A world with three deferred messages, for two domains that answer 450 until told otherwise."""
    world = make_world(retry=["300s"])
    for domain in ("one.test", "two.test"):
        world.sink(domain, script={"RCPT": "450 4.2.1 later please"})
    mta = world.start()
    for number, recipients in enumerate((["a@one.test"], ["b@one.test", "c@two.test"], ["d@two.test"])):
        mta.send("bob@domain1.com", recipients, MESSAGE.format(number, number))
    wait_for(lambda: [one["state"] for message in mta.queue() for one in message["recipients"]] == ["deferred"] * 4, 15,
             "four deferred recipients")
    return world


def by_recipient(mta, address):
    return next(one for one in mta.queue() if address in [rcpt["address"] for rcpt in one["recipients"]])


def test_list(held):
    found = held.mta.queue()
    assert len(found) == 3 and len({one["id"] for one in found}) == 3
    one = by_recipient(held.mta, "c@two.test")
    assert one["from"] == "bob@domain1.com" and 0 < one["size"] < 2000
    rcpt = next(rcpt for rcpt in one["recipients"] if rcpt["address"] == "c@two.test")
    assert rcpt["state"] == "deferred" and rcpt["status"].startswith("4.2.1") and "later please" in rcpt["text"]
    assert rcpt["attempts"] == 1 and rcpt["next"]
    text = held.mta.command("queue", "list").stdout
    for word in ("a@one.test", "b@one.test", "c@two.test", "d@two.test", "bob@domain1.com", "later please"):
        assert word in text


def test_list_filters(held):
    def ids(*options):
        answer = held.mta.json("queue", "list", *options)
        return {one["id"] for one in (answer if isinstance(answer, list) else answer["messages"])}
    assert len(ids("--domain", "two.test")) == 2
    assert len(ids("--recipient", "a@one.test")) == 1
    assert len(ids("--sender", "bob@domain1.com")) == 3
    assert ids("--sender", "nobody@domain1.com") == set()


def test_show_and_cat(held):
    one = by_recipient(held.mta, "a@one.test")
    shown = held.mta.command("queue", "show", one["id"])
    assert shown.returncode == 0 and "a@one.test" in shown.stdout and "later please" in shown.stdout
    text = held.mta.command("queue", "cat", one["id"])
    assert text.returncode == 0 and "hello 0" in text.stdout and "Subject: 0" in text.stdout
    assert held.mta.command("queue", "show", "nosuch").returncode != 0
    assert held.mta.command("queue", "cat", "AAAAAAAAAAAA").returncode != 0


def test_cat_of_a_damaged_message_says_so(held):
    one = by_recipient(held.mta, "a@one.test")
    for path in (held.mta.spool / "segments").iterdir():
        octets = path.read_bytes()
        if b"hello 0" in octets:
            with open(path, "r+b") as segment:
                segment.seek(octets.index(b"hello 0"))
                segment.write(b"HELLO")
    text = held.mta.command("queue", "cat", one["id"])
    assert "HELLO 0" in text.stdout and "damaged" in text.stderr
    other = held.mta.command("queue", "cat", by_recipient(held.mta, "b@one.test")["id"])
    assert other.returncode == 0 and "damaged" not in other.stderr


def test_cat_of_a_large_message(make_world):
    world = make_world(retry=["300s"])
    world.sink("one.test", script={"RCPT": "450 4.2.1 later"})
    mta = world.start()
    body = "0123456789\r\n" * 100000
    mta.send("bob@domain1.com", "a@one.test", "Subject: large\r\n\r\n" + body)
    one = wait_for(mta.queue, 10)[0]
    assert mta.command("queue", "cat", one["id"]).stdout.endswith("\n\n" + body.replace("\r\n", "\n"))


def test_retry_one(held):
    one = by_recipient(held.mta, "a@one.test")
    held.sinks[0].script.clear()
    assert held.mta.command("queue", "retry", one["id"]).returncode == 0
    assert held.sinks[0].wait(1)[0].recipients == ["a@one.test"]
    assert len(held.sinks[0].messages) == 1 and not held.sinks[1].messages


def test_retry_all(held):
    for sink in held.sinks:
        sink.script.clear()
    assert held.mta.command("queue", "retry", "--all", "--yes").returncode == 0
    held.mta.wait_queue_empty()
    assert sorted(address for sink in held.sinks for _, address in sink.recipients()) == [
        "a@one.test", "b@one.test", "c@two.test", "d@two.test"]


def test_retry_by_domain(held):
    for sink in held.sinks:
        sink.script.clear()
    assert held.mta.command("queue", "retry", "--yes", "--domain", "two.test").returncode == 0
    held.sinks[1].wait(2)
    assert not held.sinks[0].messages


def test_remove(held):
    one = by_recipient(held.mta, "a@one.test")
    assert held.mta.command("queue", "remove", one["id"]).returncode == 0
    wait_for(lambda: len(held.mta.queue()) == 2, 5, "removal")
    assert held.mta.command("queue", "remove", one["id"]).returncode != 0
    assert not held.mta.messages("bob@domain1.com")


def test_removed_stays_removed_after_a_crash(held):
    one = by_recipient(held.mta, "d@two.test")
    assert held.mta.command("queue", "remove", one["id"]).returncode == 0
    held.mta.crash()
    held.mta.start_again()
    assert one["id"] not in [left["id"] for left in held.mta.queue()]
    assert len(held.mta.queue()) == 2


def test_remove_with_bounce(held):
    one = by_recipient(held.mta, "d@two.test")
    assert held.mta.command("queue", "remove", "--bounce", one["id"]).returncode == 0
    bounced = held.mta.wait_messages("bob@domain1.com")[0]
    assert Report(bounced.parsed).recipients() == ["d@two.test"]


def test_remove_everything_needs_to_be_said(held):
    assert held.mta.command("queue", "remove").returncode != 0
    assert len(held.mta.queue()) == 3


def test_status(held):
    done = held.mta.command("status")
    assert done.returncode == 0
    for word in ("smtpd", "queue", "directory", "local", "remote", "keys"):
        assert word in done.stdout, done.stdout
    answer = held.mta.json("status")
    assert answer["queue"]["messages"] == 3 and answer["queue"]["deferred"] == 4


def test_status_names_busy_destinations(held):
    # On a new connection or on one that was kept.
    held.sinks[0].script.update(BANNER=Hold(10), MAIL=Hold(10))
    assert held.mta.command("queue", "retry", "--yes", "--domain", "one.test").returncode == 0
    wait_for(lambda: "one.test" in held.mta.command("status").stdout, 5, "the busy destination")
    assert "one.test" in str(held.mta.json("status")["queue"])


def test_usage_errors_and_unknown_commands(mta):
    for args in ([], ["nonsense"], ["queue"], ["queue", "nonsense"], ["explain"], ["user", "add"], ["--nonsense"]):
        done = mta.command(*args)
        assert done.returncode == 64, f"{args}: {done.returncode}"
        assert done.stderr
    for args, words in ((["nonsense"], "unknown command nonsense"), (["user"], "incomplete command user"),
                        (["user", "frob"], "unknown command user frob"), (["user", "remove", "x"], "unknown command user remove")):
        assert mta.command(*args).stderr.splitlines()[0] == f"postrider: {words}"


def test_help_of_a_group_shows_its_commands_alone(mta):
    for args, status in ((["user", "--help"], 0), (["user", "-h"], 0), (["user"], 64), (["user", "frob"], 64)):
        done = mta.command(*args)
        shown = done.stderr if status else done.stdout
        assert done.returncode == status and "  user passwd " in shown and "queue" not in shown, f"{args}: {done}"
    done = mta.command("queue", "hold", "-h")
    assert done.returncode == 0 and "--dry-run" in done.stdout


def test_without_a_daemon(mta):
    assert mta.stop() == 0
    done = mta.command("queue", "list")
    assert done.returncode not in (0, 64) and done.stderr
    assert mta.command("check").returncode == 0


@pytest.mark.root
def test_control_is_not_for_everybody(mta):
    import subprocess
    from lib.instance import BIN
    done = subprocess.run([str(BIN / "postrider"), "-c", str(mta.conf), "queue", "list"], capture_output=True, text=True,
                          timeout=10, user=65534, group=65534, extra_groups=[], check=False)
    assert done.returncode != 0
