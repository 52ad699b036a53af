"""A message's life under valgrind: every process of one run, sendmail and postrider too, makes no error and
loses no memory.

Each program has a wrapper (lib/wrapped.py) that executes valgrind on it, with tests/tools/valgrind_preload.c loaded.
Invariants: each process writes a log of its own, named after its pid, and its leaks are looked for before anything
ends it.
"""

import os
import re
import shutil
import subprocess

import pytest

from lib import instance, wrapped
from lib.dsn import Report
from lib.waiting import alive, descendants, wait_for
from lib.world import World

# local, its spawner, and the child of the one mailbox owner.
# The queue manager twice: a list is written by its copy.
PROCESSES = sorted([*wrapped.CHILDREN, "local", "local", "queue", *wrapped.STARTED_HERE])
NOBODY = 65534
OPTIONS = ("--leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite --error-exitcode=99 "
           "--child-silent-after-fork=no --read-inline-info=no --vgdb=no --num-callers=20")
MESSAGE = "From: <alice@domain1.com>\r\nTo: <bob@domain1.com>\r\nSubject: %s\r\n\r\nhello\r\n"

pytestmark = [
    pytest.mark.limit(120),
    pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed"),
    pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")]


def make_programs(root):
    """See lib/wrapped.py; returns bin/."""
    (root / "logs").mkdir(mode=0o755)
    wrapped.compile_library("valgrind_preload.c", root / "preload.so")
    return wrapped.make(root, f"env LD_PRELOAD={root}/preload.so POSTRIDER_WRAPPER={{wrapper}} {shutil.which('valgrind')} "
                              f"{OPTIONS} --log-file={root}/logs/%p")


def give_away(root):
    """Without privileges, if root runs the tests: everything belongs to an ordinary user."""
    for folder, dirs, files in os.walk(root):
        for path in [folder] + [os.path.join(folder, name) for name in dirs + files]:
            os.chown(path, NOBODY, NOBODY)


@pytest.fixture
def world(monkeypatch):
    world = World(workers=1, **{"system-call-filter": "off"}, retry=["300s"])
    mta = world.mta
    mta.privileged = mta.domains.privileged = False
    try:
        monkeypatch.setattr(instance, "BIN", make_programs(mta.root))
        monkeypatch.setattr(instance, "START_LIMIT", 60)
        mta.write_config()
        if os.geteuid() == 0:
            give_away(mta.root)
            mta.run_as = NOBODY
        yield world
    finally:
        world.close(clean=False)


def read_logs(folder):
    """[(name of the program, text)] of what valgrind wrote."""
    found = []
    for path in sorted(folder.iterdir()):
        text = path.read_text(errors="replace")
        command = re.search(r"Command: \S+/(\w+)", text)
        found.append((command.group(1) if command else "local", text))
    return found


def problem(text):
    """What is wrong with a log; None if nothing is."""
    summaries = re.findall(r"ERROR SUMMARY: (\d+) errors", text)
    if not summaries:
        return "did not come to its end"
    if summaries != ["0"]:
        return "errors"
    lost = re.search(r"definitely lost: ([\d,]+) bytes", text)
    if lost is None and "no leaks are possible" not in text:
        return "leaks were not looked for"
    return "leaks" if lost is not None and lost.group(1) != "0" else None


def run_postrider(mta, *args):
    """As Instance.command, but as who started the daemon: the configuration is theirs."""
    return subprocess.run([str(instance.BIN / "postrider"), "-c", str(mta.conf), *args], text=True, capture_output=True,
                          timeout=120, env=mta.environment(), cwd="/", check=False, **mta.identity())


def use(world):
    """One message into a mailbox, one out with one recipient refused and one put off, one by sendmail."""
    mta = world.mta
    sink = world.sinks[0]
    with mta.smtp(timeout=120) as client:
        client.sendmail("s@else.test", "bob@domain1.com", MESSAGE % "in")
        client.sendmail("alice@domain1.com", ["x@remote.test", "bad@remote.test", "later@remote.test"], MESSAGE % "out")
    assert sink.wait(1, timeout=30)[0].recipients == ["x@remote.test"]
    report = Report(mta.wait_messages("alice@domain1.com", timeout=30)[0].parsed)
    assert report.recipients() == ["bad@remote.test"]
    assert mta.wait_messages("bob@domain1.com", timeout=30)[0]["Subject"] == "in"
    sent = mta.sendmail("-i", "-f", "alice@domain1.com", "bob@domain2.com", stdin="Subject: sent\n\nhello\n", timeout=120,
                        **mta.identity())
    assert sent.returncode == 0, sent.stderr
    assert mta.wait_messages("bob@domain2.com", timeout=30)[0]["Subject"] == "sent"
    listed = run_postrider(mta, "queue", "list")
    assert listed.returncode == 0 and "later@remote.test" in listed.stdout, listed.stdout + listed.stderr


def test_life_of_messages_under_valgrind(world):
    world.sink("remote.test", tls=True, script={"RCPT": lambda _session, line: {
        b"<bad@": "550 5.1.1 no such user", b"<late": "450 4.2.1 later"}.get(line[8:13])})
    mta = world.mta
    mta.start_again()
    use(world)
    below = descendants(mta.process.pid)
    assert mta.stop(limit=40) == 0
    wait_for(lambda: not any(alive(pid) for pid in below), 30, "end of all processes")
    logs = read_logs(mta.root / "logs")
    bad = [f"{name}: {problem(text)}\n{text[-6000:]}" for name, text in logs if problem(text)]
    assert not bad, "\n".join(bad)
    # How many children local has depends on owners and domains; that each kind of process was looked at does not.
    assert {name for name, _ in logs} == set(PROCESSES)
