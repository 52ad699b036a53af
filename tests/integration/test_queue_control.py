"""postrider queue: filters, hold and release, pause and resume, requeue, summary, views that refresh; what
needs --yes, and what survives a crash."""

import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from lib import control
from lib.instance import BIN, BUILD, TEST_USERS, Instance
from lib.waiting import descendants, patience, wait_for

MESSAGE = "From: <bob@domain1.com>\r\nSubject: {}\r\n\r\nhello {}\r\n"
REFUSAL = "450 4.2.1 later please"


@pytest.fixture
def deferred(make_world):
    """Four messages with five deferred recipients at two domains that answer 450 until told otherwise, the
    third from the null sender, the fourth large."""
    world = make_world(retry=["300s"])
    for domain in ("one.test", "two.test"):
        world.sink(domain, script={"RCPT": REFUSAL})
    mta = world.start()
    mta.send("bob@domain1.com", ["a@one.test"], MESSAGE.format(0, 0))
    mta.send("alice@domain2.com", ["b@one.test", "c@two.test"], MESSAGE.format(1, 1))
    mta.send("", ["d@two.test"], MESSAGE.format(2, 2))
    mta.send("bob@domain1.com", ["large@two.test"], MESSAGE.format(3, "x" * 5000))
    wait_for(lambda: states(mta) == ["deferred"] * 5, 15, "five deferred recipients")
    return world


def states(mta):
    return [rcpt["state"] for message in mta.queue() for rcpt in message["recipients"]]


def listed(mta, *options):
    """The addresses that `queue list` shows."""
    answer = mta.json("queue", "list", *options)
    return [rcpt["address"].partition("@")[0] for message in answer["messages"] for rcpt in message["recipients"]]


def id_of(mta, address):
    return next(one["id"] for one in mta.queue() if address in [rcpt["address"] for rcpt in one["recipients"]])


def accept(world):
    for sink in world.sinks:
        sink.script.clear()


def delivered(world):
    return sorted(address for sink in world.sinks for _, address in sink.recipients())


# --- which ones ---

@pytest.mark.parametrize("options, want", [
    ([], "a b c d large"),
    (["--sender", "bob@domain1.com"], "a large"),
    (["--sender", "BOB@*"], "a large"),
    (["--sender", "<>"], "d"),
    (["--sender-domain", "domain?.com"], "a b c large"),
    (["--sender-domain", "domain1.com", "--sender-domain", "domain2.com"], "a b c large"),
    (["--recipient", "[ab]@one.test"], "a b"),
    (["--domain", "two.test"], "c d large"),
    (["--destination", "TWO.*"], "c d large"),
    (["--domain", "two.test", "--sender", "alice*"], "c"),
    (["--reason", "LATER please"], "a b c d large"),
    (["--reason", "no route"], ""),
    (["--state", "deferred"], "a b c d large"),
    (["--held"], ""),
    (["--older", "1h"], ""),
    (["--younger", "1h"], "a b c d large"),
    (["--older", "0s", "--younger", "1d"], "a b c d large"),
    (["--limit", "1"], "a"),
    (["--sort", "size", "--limit", "1"], "large"),
])
def test_list_filters(deferred, options, want):
    assert " ".join(listed(deferred.mta, *options)) == want


def test_list_sorts_by_next(deferred):
    answer = deferred.mta.json("queue", "list", "--sort", "next")
    times = [min(rcpt["next"] for rcpt in message["recipients"]) for message in answer["messages"]]
    assert times == sorted(times)


def test_list_by_ids_and_totals(deferred):
    mta = deferred.mta
    first, second = id_of(mta, "a@one.test"), id_of(mta, "d@two.test")
    answer = mta.json("queue", "list", first, second)
    assert {one["id"] for one in answer["messages"]} == {first, second}
    assert (answer["total-messages"], answer["total-recipients"], answer["more"]) == (2, 2, False)
    answer = mta.json("queue", "list", "--limit", "1")
    assert (answer["total-messages"], answer["total-recipients"], answer["more"]) == (4, 5, True)
    done = mta.command("queue", "list", first, "0000000FFFFFF")
    assert done.returncode == 66 and "0000000FFFFFF" in done.stderr and first in done.stdout


def test_list_shows_only_recipients_that_match(deferred):
    text = deferred.mta.command("queue", "list", "--domain", "one.test").stdout
    assert "b@one.test" in text and "c@two.test" not in text and text.endswith("2 messages, 2 recipients\n")
    assert deferred.mta.command("queue", "list", "--held").stdout == "Nothing in the queue matches.\n"


@pytest.mark.parametrize("args, words", [
    (["list", "NONSENSE"], ["NONSENSE"]), (["retry", "NONSENSE"], ["NONSENSE"]), (["show", "NONSENSE"], ["NONSENSE"]),
    (["cat", "NONSENSE"], ["NONSENSE"]), (["list", "--state", "defered"], ["defered"]),
    (["list", "--older", "2"], ["--older", "2h"]), (["list", "--sort", "name"], ["sort"]),
    (["list", "--limit", "x"], ["--limit", "x"]), (["list", "--watch=0"], ["--watch"]),
    (["retry"], ["--all"]), (["retry", "--all", "--held"], ["--all"]), (["hold", "--bounce", "--all"], ["--bounce"]),
    (["pause"], ["--destination"]), (["resume"], ["--all"]), (["pause", "--destination", ""], ["destination"]),
    (["summary", "--by", "colour"], ["by"]), (["summary", "--limit", "0"], ["--limit"]),
])
def test_bad_arguments_are_named(mta, args, words):
    done = mta.command("queue", *args)
    assert done.returncode == 64 and done.stdout == ""
    first = done.stderr.splitlines()[0]
    assert first.startswith("postrider: ") and all(word in first for word in words), done.stderr


@pytest.mark.parametrize("verb", ["show", "cat", "retry", "hold", "release", "requeue", "remove"])
def test_an_unknown_id(mta, verb):
    done = mta.command("queue", verb, "0000000FFFFFF")
    assert done.returncode == 66 and done.stdout == "" and "0000000FFFFFF: no such message" in done.stderr


# --- how many, and --yes ---

def test_a_filter_that_means_many_needs_yes(deferred):
    mta = deferred.mta
    done = mta.command("queue", "remove", "--domain", "two.test", stdin="")
    assert done.returncode == 64 and "3 recipients in 3 messages" in done.stderr and "--yes" in done.stderr
    assert len(states(mta)) == 5
    assert mta.command("queue", "remove", "--sender", "<>", stdin="").returncode == 0  # it means one message
    assert len(states(mta)) == 4
    assert mta.json("queue", "remove", "--yes", "--domain", "two.test")["recipients"] == 2
    assert sorted(listed(mta)) == ["a", "b"]
    assert mta.command("queue", "remove", id_of(mta, "a@one.test"), id_of(mta, "b@one.test"), stdin="").returncode == 0
    assert mta.command("queue", "list").stdout == "The queue is empty.\n"


def test_dry_run_only_counts(deferred):
    mta = deferred.mta
    for verb in ("retry", "hold", "requeue", "remove"):
        answer = mta.json("queue", verb, "--dry-run", "--all")
        assert (answer["messages"], answer["recipients"], answer["dry-run"]) == (4, 5, True), verb
    assert mta.json("queue", "release", "--dry-run", "--all")["recipients"] == 0
    assert "would be removed" in mta.command("queue", "remove", "--dry-run", id_of(mta, "d@two.test")).stdout
    assert states(mta) == ["deferred"] * 5


def on_terminal(mta, *args, answer=None, until=None, sig=None):
    """Runs postrider on a terminal; types `answer` after a question, or sends `sig` once `until` was shown.
    (status, everything that was shown)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(mta.environment())
        os.execv(str(BIN / "postrider"), ["postrider", "-c", str(mta.conf), *args])
    shown, until, typed = b"", until or (b"[y/N] " if answer else None), False
    end = time.monotonic() + 20
    try:
        while time.monotonic() < end:
            if select.select([fd], [], [], 0.1)[0]:
                try:
                    shown += os.read(fd, 65536)
                except OSError:
                    break
            if until and not typed and re.search(until, shown):
                typed = True
                if answer:
                    os.write(fd, answer)
                if sig:
                    os.kill(pid, sig)
        _, status = os.waitpid(pid, 0)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        os.close(fd)
    return status, shown.decode()


def test_on_a_terminal_it_asks(deferred):
    mta = deferred.mta
    status, shown = on_terminal(mta, "queue", "remove", "--all", answer=b"n\n", until=rb"\[y/N\] ")
    assert os.waitstatus_to_exitcode(status) == 1 and "Remove 5 recipients in 4 messages for good?" in shown
    assert len(states(mta)) == 5
    status, shown = on_terminal(mta, "queue", "hold", "--all", answer=b"y\n", until=rb"\[y/N\] ")
    assert status == 0 and "5 recipients in 4 messages held" in shown and "postrider queue release --all" in shown
    assert states(mta) == ["held"] * 5


# --- hold and release ---

def test_held_mail_waits_until_it_is_released(deferred):
    mta = deferred.mta
    done = mta.command("queue", "hold", "--domain", "two.test", "--yes")
    assert "3 recipients in 3 messages held" in done.stdout
    assert "To undo: postrider queue release --domain two.test\n" in done.stdout
    assert sorted(listed(mta, "--held")) == ["c", "d", "large"]
    accept(deferred)
    assert mta.json("queue", "retry", "--all", "--yes")["recipients"] == 2
    deferred.sinks[0].wait(2)
    assert delivered(deferred) == ["a@one.test", "b@one.test"]
    time.sleep(0.3)  # until the record of it is on disk
    mta.crash()
    mta.start_again()
    assert sorted(listed(mta, "--held")) == ["c", "d", "large"]
    assert "(held; " in mta.sendmail("-bp").stdout
    assert mta.json("queue", "release", "--held", "--yes")["recipients"] == 3
    mta.wait_queue_empty()
    assert len(delivered(deferred)) == 5


def test_held_mail_can_be_removed_and_reported(deferred):
    mta = deferred.mta
    one = id_of(mta, "a@one.test")
    assert mta.command("queue", "hold", one).returncode == 0
    done = mta.command("queue", "remove", "--bounce", one)
    assert done.returncode == 0 and "their senders are told" in done.stdout
    mta.wait_messages("bob@domain1.com")


# --- requeue ---

def test_requeue_resolves_anew(make_world):
    world = make_world(retry=["300s"])
    world.sink("one.test", script={"RCPT": REFUSAL})
    mta = world.start()
    mta.send("alice@domain1.com", ["x@one.test", "y@one.test"], MESSAGE.format(0, 0))
    wait_for(lambda: states(mta) == ["deferred"] * 2, 10, "deferred recipients")
    world.mta.add_domain("one.test", ["x", "z"], aliases="y: z\n")
    assert mta.command("queue", "requeue", id_of(mta, "x@one.test")).returncode == 0
    mta.wait_messages("x@one.test")
    mta.wait_messages("z@one.test")
    mta.wait_queue_empty()


# --- pause ---

def test_a_paused_destination_waits_over_a_crash(deferred):
    mta = deferred.mta
    done = mta.command("queue", "pause", "--destination", "Two.test")
    assert done.returncode == 0 and "To undo: postrider queue resume --destination Two.test\n" in done.stdout
    accept(deferred)
    mta.crash()
    mta.start_again()
    mta.send("bob@domain1.com", ["new@two.test"], MESSAGE.format(5, 5))
    assert mta.json("queue", "retry", "--all", "--yes")["recipients"] >= 2
    deferred.sinks[0].wait(2)
    time.sleep(0.5)
    assert delivered(deferred) == ["a@one.test", "b@one.test"]
    assert mta.json("queue", "paused")["paused"] == [
        {"kind": "destination", "name": "two.test", "messages": 4, "recipients": 4}]
    assert "destination two.test" in mta.json("status")["queue"]["paused"]
    assert "paused: destination two.test" in mta.command("queue", "list").stdout
    shown = mta.json("queue", "show", id_of(mta, "new@two.test"))["recipients"][0]
    assert shown["paused"] == "destination two.test" and shown["state"] == "parked" and "paused" in shown["why"]
    row = next(row for row in mta.json("queue", "summary")["rows"] if row["name"] == "two.test")
    assert row["paused"] and row["forecast-seconds"] is None
    assert mta.command("queue", "resume", "--destination", "two.test").returncode == 0
    mta.command("queue", "retry", "--all", "--yes")
    mta.wait_queue_empty()
    assert len(delivered(deferred)) == 6
    assert mta.command("queue", "paused").stdout == "Nothing is paused.\n"


def test_a_paused_sender_domain_waits(deferred):
    mta = deferred.mta
    assert mta.command("queue", "pause", "--sender-domain", "domain1.com", "--sender-domain", "<>").returncode == 0
    accept(deferred)
    mta.command("queue", "retry", "--all", "--yes")
    wait_for(lambda: len(delivered(deferred)) == 2, 10, "alice's mail")
    time.sleep(0.3)
    assert delivered(deferred) == ["b@one.test", "c@two.test"]
    assert "sender-domain <>" in mta.json("status")["queue"]["paused"]
    done = mta.command("queue", "resume", "--all")
    assert "sender-domain domain1.com is resumed" in done.stdout and "sender-domain <> is resumed" in done.stdout
    mta.wait_queue_empty()


def test_pausing_twice_and_resuming_what_is_not_paused(mta):
    assert mta.command("queue", "pause", "--destination", "x.test").returncode == 0
    again = mta.command("queue", "pause", "--destination", "X.test")
    assert again.returncode == 0 and "already" in again.stdout
    assert mta.json("queue", "resume", "--destination", "x.test")["changed"] == ["destination x.test"]
    done = mta.command("queue", "resume", "--destination", "x.test")
    assert done.returncode == 66 and "x.test is not paused" in done.stderr


# --- show, summary ---

def test_show_tells_everything(make_world):
    world = make_world(retry=["300s"])
    world.sink("one.test", script={"RCPT": REFUSAL})
    mta = world.start()
    with mta.smtp() as client:
        client.ehlo()
        dsn = client.has_extn("dsn")
        client.sendmail("bob@domain1.com", ["a@one.test"], MESSAGE.format(0, 0),
                        mail_options=["RET=HDRS", "ENVID=QQ314"] if dsn else [],
                        rcpt_options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;a@one.test"] if dsn else [])
    wait_for(lambda: states(mta) == ["deferred"], 10, "a deferred recipient")
    one = id_of(mta, "a@one.test")
    answer = mta.json("queue", "show", one)
    rcpt = answer["recipients"][0]
    assert answer["client"] == "127.0.0.1" and answer["helo"] == "client.test" and answer["uid"] is None
    assert rcpt["attempts"] == 1 and rcpt["mta"] == "mx.one.test" and rcpt["code"] == 450 and rcpt["status"] == "4.2.1"
    assert rcpt["next"] and rcpt["why"]
    text = mta.command("queue", "show", one).stdout
    for word in ("a@one.test", "1 attempt", "mx.one.test: 450 4.2.1 later please", rcpt["next"], rcpt["why"]):
        assert word in text
    if dsn:
        assert (answer["envid"], answer["ret"]) == ("QQ314", "HDRS")
        assert (rcpt["notify"], rcpt["orcpt"]) == ("SUCCESS,FAILURE", "rfc822;a@one.test")


def test_summary(deferred):
    mta = deferred.mta
    answer = mta.json("queue", "summary")
    assert [(row["name"], row["recipients"], row["messages"]) for row in answer["rows"]] == [
        ("two.test", 3, 3), ("one.test", 2, 2)]
    assert answer["rows"][0]["ages"] == [3, 0, 0, 0, 0, 0, 0] and answer["rows"][0]["forecast-seconds"] is None
    assert (answer["total-recipients"], answer["total-messages"]) == (5, 4)
    senders = mta.json("queue", "summary", "--by", "sender-domain")["rows"]
    assert [(row["name"], row["recipients"]) for row in senders] == [("domain1.com", 2), ("domain2.com", 2), ("", 1)]
    text = mta.command("queue", "summary").stdout
    assert "5 recipients in 4 messages" in text and "no deliveries in the last" in text and "####" in text
    assert "two.test" not in mta.command("queue", "summary", "--domain", "one.test").stdout
    assert "and 1 more" in mta.command("queue", "summary", "--limit", "1").stdout


def test_summary_forecasts_from_what_was_delivered(make_world):
    world = make_world(retry=["300s"])
    world.sink("one.test", script={"RCPT": lambda _, line: REFUSAL if b"<no" in line else None})
    mta = world.start()
    for number in range(3):
        mta.send("bob@domain1.com", [f"yes{number}@one.test"], MESSAGE.format(number, number))
    mta.send("bob@domain1.com", ["no@one.test"], MESSAGE.format(3, 3))
    world.sinks[0].wait(3)
    wait_for(lambda: states(mta) == ["deferred"], 10, "the one that is left")
    row = mta.json("queue", "summary")["rows"][0]
    assert row["delivered"] == 3 and row["forecast-seconds"] is not None
    assert re.search(r"one\.test .* about .*, at [0-9.]+/min", mta.command("queue", "summary").stdout)


def test_summary_of_an_empty_queue(mta):
    assert mta.command("queue", "summary").stdout == "Nothing waits.\n"
    assert mta.json("queue", "summary")["rows"] == []


# --- --watch ---

def test_watch_without_a_terminal_prints_again_and_again(deferred):
    with subprocess.Popen([str(BIN / "postrider"), "-c", str(deferred.mta.conf), "queue", "summary", "--watch", "1"],
                          stdout=subprocess.PIPE, text=True) as process:
        lines, seen = [], 0
        while seen < 2:
            lines.append(process.stdout.readline())
            seen += lines[-1].startswith("5 recipients")
        process.terminate()
        assert process.wait(5) == -signal.SIGTERM
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("args", [["queue", "list"], ["queue", "summary"], ["status"]])
def test_watch_on_a_terminal_gives_it_back(deferred, args):
    for sig in (signal.SIGINT, signal.SIGTERM):
        status, shown = on_terminal(deferred.mta, *args, "--watch=1", until=rb"(?s)\x1b\[H.*\x1b\[H", sig=sig)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == sig
        assert shown.startswith("\x1b[?1049h\x1b[?25l") and shown.endswith("\x1b[?25h\x1b[?1049l")
        assert shown.count("\x1b[H") >= 2


def test_watch_ends_when_nobody_reads(deferred):
    with subprocess.Popen([str(BIN / "postrider"), "-c", str(deferred.mta.conf), "queue", "list", "--watch", "1"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(10) == 74


# --- sendmail ---

def test_mailq_and_sendmail_q_take_parts_of_names(deferred):
    mta = deferred.mta

    def shown(*options):
        return set(re.findall(r"<(\w+)@(?:one|two)\.test>", mta.sendmail(*options, name="mailq").stdout))
    assert shown() == {"a", "b", "c", "d", "large"}
    assert shown("-qRONE.t") == {"a", "b"} and shown("-q!Rone.t") == {"c", "d", "large"}
    assert shown("-qSbob@", "-q!Rlarge") == {"a"} and shown("-q!Sdomain") == {"d"}
    assert shown(f"-qI{id_of(mta, 'd@two.test')[4:]}") == {"d"} and shown("-qQ") == set()
    accept(deferred)
    assert mta.sendmail("-qRlarge").returncode == 0
    deferred.sinks[1].wait(1)
    assert mta.sendmail("-Qunder review", "-qSalice").returncode == 0
    assert shown("-qQ") == {"b", "c"}
    mta.wait_log("control: hold of 2 recipients in 1 messages by uid .*: under review")
    assert mta.sendmail("-q").returncode == 0
    wait_for(lambda: len(delivered(deferred)) == 3, 10, "all but the held")
    assert mta.sendmail("-qQ", "-Q").returncode == 0
    mta.wait_queue_empty()


# --- the socket itself ---

def test_the_socket_refuses_what_it_does_not_know(deferred):
    path = deferred.mta.spool / "sockets/control/queue"
    for verb, fields in (("retry", {}), ("retry", {"all": "yes", "sendr": "x"}), ("list", {"sort": "x"}), ("pause", {}),
                         ("retry", {"all": "yes", "bounce": "yes"}), ("pause", {"destination": ""})):
        answer = dict(control.ask(path, verb, **fields))
        assert (answer["kind"], answer["status"]) == ("permanent", "5.5.4"), (verb, fields)
    assert states(deferred.mta) == ["deferred"] * 5


def test_json_of_an_empty_list(mta):
    assert json.loads(mta.command("queue", "list", "--json").stdout) == {
        "messages": [], "more": False, "total-messages": 0, "total-recipients": 0}


# --- many ---

@pytest.fixture
def crowded():
    """A running Postrider with 20,000 deferred messages, none of them due within the hour."""
    generator = BUILD / "bench/million"
    if not generator.exists():
        pytest.skip("build/bench/million is not built: make check builds it")
    # Below /tmp as every instance's directory, so that the queue's user gets there.
    spool = Path(tempfile.mkdtemp(prefix="prt-many-", dir="/tmp"))
    spool.chmod(0o755)
    subprocess.run([generator, "--mode", "make", "--spool", spool, "--count", "20000", "--next", "3600", "--spread", "3600",
                    "--domains", "50", "--senders", "10", "--reasons", "3"], check=True, capture_output=True, timeout=50)
    if os.geteuid() == 0:
        for path in spool.rglob("*"):
            os.chown(path, int(TEST_USERS["queue"]), int(TEST_USERS["queue"]))
    mta = Instance(spool=spool, settings={"retry": ["3600s"], "resolver": ["127.0.0.1:1"], "log-level": "info"})
    mta.add_domain("domain1.com", ["bob"])
    try:
        with mta:
            mta.start()
            yield mta
    finally:
        shutil.rmtree(spool, ignore_errors=True)


def test_thousands_in_one_command_while_mail_comes_in(crowded):
    """Everything is acted on, once, and the loop goes on answering: a look at the status and a message take no longer
    than a slice or two, give or take a busy machine."""
    mta, waits, stop = crowded, [], threading.Event()

    def look():
        while not stop.is_set():
            began = time.monotonic()
            control.ask(mta.spool / "sockets/control/queue", "status")
            mta.send("x@else.test", "bob@domain1.com", MESSAGE.format(0, 0))
            waits.append(time.monotonic() - began)
    thread = threading.Thread(target=look)
    thread.start()
    try:
        assert mta.json("queue", "summary", "--domain", "*.example")["total-recipients"] == 20000
        assert mta.json("queue", "hold", "--yes", "--domain", "*.example")["recipients"] == 20000
        assert mta.json("queue", "list", "--held", "--limit", "1")["total-messages"] == 20000
        assert mta.json("queue", "release", "--yes", "--held")["recipients"] == 20000
        assert mta.json("queue", "requeue", "--yes", "--domain", "*.example")["recipients"] == 20000
        assert len(re.findall(r"^0\w{12} ", mta.sendmail("-bp", "-q!Rbob@").stdout, re.M)) == 20000
        assert mta.json("queue", "remove", "--yes", "--domain", "*.example")["recipients"] == 20000
    finally:
        stop.set()
        thread.join()
    assert len(waits) >= 5 and max(waits) < 3 * patience(), sorted(waits)[-5:]
    assert mta.json("queue", "list", "--domain", "*.example")["messages"] == []


def ask_for_a_list(mta):
    """A list of the whole queue that nobody reads: (verdict's status, its descriptor or None)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(10)
        sock.connect(str(mta.spool / "sockets/control/queue"))
        sock.sendall(control.pack("hello\nversion=1\nrole=control\n") + control.pack("list 1\n"))
        found, fd = control.read_answer(sock)
        return dict(found)["status"], fd


def test_readers_that_do_not_read(crowded):
    """Four of them at most; their children end when they go, and hold nothing up while they are there."""
    mta = crowded
    queue = mta.pid("queue")
    answers = [ask_for_a_list(mta) for _ in range(4)]
    assert [status for status, _ in answers] == ["2.0.0"] * 4
    wait_for(lambda: len(descendants(queue)) == 4, 10, "four children, once the checkpoint of the start is written")
    assert ask_for_a_list(mta) == ("4.3.2", None)
    mta.send("x@else.test", "bob@domain1.com", MESSAGE.format(0, 0))
    mta.wait_messages("bob@domain1.com", 1)
    assert mta.json("status")["queue"]["messages"] >= 20000
    for _, fd in answers:
        os.close(fd)
    wait_for(lambda: not descendants(queue), 5, "end of the children")
    assert len(mta.json("queue", "list", "--limit", "3")["messages"]) == 3
