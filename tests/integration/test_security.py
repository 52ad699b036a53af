"""What somebody who means harm leaves where he may write, and what must not come of it."""

import os
import signal
import time

import pytest

from lib.instance import Instance
from lib.waiting import patience, wait_for

pytestmark = pytest.mark.root


@pytest.fixture(name="mta")
def running():
    with Instance() as mta:
        mta.add_domain("domain1.com", ["bob"])
        mta.add_domain("broken.com", ["eve"])
        mta.start()
        yield mta


def as_user(uid, action):
    """Run action() in a process of that user; its exception fails the test."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            action()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def drop(mta, name, sender, recipients, uid=65100):
    """A file of that user in drop/, as sendmail(1) writes it."""
    content = "Subject: x\n\nhello\n"
    head = f"drop 1\nfrom={sender}\n" + "".join(f"rcpt={one}\n" for one in recipients)
    head += f"size={len(content)}\nbody=7bit\n\n"
    path = mta.spool / "drop" / name

    def write():
        unfinished = path.with_name("tmp." + name[:24])
        unfinished.write_text(head + content)
        unfinished.rename(path)
    as_user(uid, write)


def break_domain(mta, name):
    """From now on every question about the domain is answered with 4xx; the directory is waited for."""
    (mta.domains.root / name / "etc" / "passwd").chmod(0o666)
    wait_for(lambda: "not now" in mta.command("explain", f"eve@{name}").stdout, 5, "a broken domain")


@pytest.mark.parametrize("full", [False, True], ids=["empty", "not-empty"])
def test_a_directory_in_drop_stops_nothing(mta, full):
    """A directory with the name of a message can be neither read nor moved: no loop, and others pass."""
    for number in range(3):
        path = mta.spool / "drop" / (str(number) * 24 + ".msg")

        def make(path=path):
            path.mkdir(mode=0o700)
            if full:
                (path / "x").touch()
        as_user(65100, make)
    for number in range(3, 6):
        drop(mta, str(number) * 24 + ".msg", "alice@domain1.com", ["bob@domain1.com"], uid=65101)
    mta.wait_messages("bob@domain1.com", 3)
    time.sleep(1)
    assert mta.log().count("cannot be set aside") <= 3
    if not full:
        wait_for(lambda: not list((mta.spool / "drop").iterdir()), 5, "an empty drop directory")


def test_a_report_that_has_to_wait_does_not_send_the_message_again(mta):
    """One recipient is refused and the sender cannot be told yet: the others still get one copy."""
    break_domain(mta, "broken.com")
    drop(mta, "a" * 24 + ".msg", "eve@broken.com", ["bob@domain1.com", "nobody@domain1.com"])
    mta.wait_messages("bob@domain1.com", 1)
    mta.wait_log(r"not taken in yet", timeout=10)
    mta.wait_log(r"not taken in yet", timeout=20, count=2)
    assert len(mta.messages("bob@domain1.com")) == 1
    (mta.domains.root / "broken.com" / "etc" / "passwd").chmod(0o644)
    report = mta.wait_messages("eve@broken.com", 1, timeout=40)[0]
    assert b"nobody@domain1.com" in report.raw and report["Return-Path"] == "<>"
    assert len(mta.messages("bob@domain1.com")) == 1
    wait_for(lambda: not list((mta.spool / "drop").iterdir()), 5, "an empty drop directory")


def write_as_owner(mta, name, files):
    """Files in the etc of a domain, by its owner."""
    etc = mta.domains.root / name / "etc"
    status = etc.stat()
    for file, text in files.items():
        (etc / file).write_text(text)
        os.chown(etc / file, status.st_uid, status.st_gid)


def seconds_for(mta, address):
    """How long the directory takes to tell of an address."""
    began = time.monotonic()
    assert "accepted" in mta.command("explain", address).stdout
    return time.monotonic() - began


def test_lists_that_multiply_end(mta):
    """Lists that name the next one a thousand times each, seven deep: refused, not worked off."""
    lists = {f"list{number}": f":include:list{number + 1}\n" * 1000 for number in range(6)}
    write_as_owner(mta, "broken.com", {**lists, "list6": "# nobody\n", "aliases": "bomb: :include:list0\n"})
    refused = mta.command("explain", "bomb@broken.com", timeout=10)
    assert "5.4.6" in refused.stdout
    assert seconds_for(mta, "bob@domain1.com") < 5 * patience()


def test_a_large_file_changed_all_the_time_does_not_stop_the_others(mta):
    """A domain's owner touches his passwd of a million users, and has strangers ask for it."""
    write_as_owner(mta, "broken.com", {"passwd": "eve:*:::::\n" + "".join(f"u{n}:*:::::\n" for n in range(1000000))})
    assert seconds_for(mta, "eve@broken.com") < 15 * patience()
    passwd = mta.domains.root / "broken.com" / "etc" / "passwd"
    questions, slow, end = 0, 0, time.monotonic() + 6
    while time.monotonic() < end:
        os.utime(passwd)
        questions += 1
        slow += seconds_for(mta, "eve@broken.com") > 0.2
    assert questions > 20 and slow <= 3, f"{slow} of {questions} questions were slow"
    # What was put off is not forgotten.
    write_as_owner(mta, "broken.com", {"passwd": "eve:*:::::\nnew:*:::::\n"})
    wait_for(lambda: "accepted" in mta.command("explain", "new@broken.com").stdout, 60, "the new user")


def test_a_stopped_child_does_not_keep_the_places_of_others(mta):
    """The owner of several domains stops the process that delivers as him, with more mail for it than there are places."""
    names = [f"evil{number}.com" for number in range(5)]
    for name in names:
        mta.add_domain(name, ["eve"])
        for path, _, files in os.walk(mta.domains.root / name):
            for one in [path, *(os.path.join(path, file) for file in files)]:
                os.chown(one, 65050, 65050)
    mta.send("x@remote.test", ["eve@evil0.com"], "Subject: x\r\n\r\nx\r\n")
    mta.wait_messages("eve@evil0.com", 1)
    child = next(pid for pid in mta.pids("local-child") if os.stat(f"/proc/{pid}/task").st_uid == 65050
                 or "65050" in open(f"/proc/{pid}/status", encoding="ascii").read())
    as_user(65050, lambda: os.kill(child, signal.SIGSTOP))
    with mta.smtp() as client:
        for name in names:
            for _ in range(100):
                client.sendmail("", [f"eve@{name}"], "Subject: x\r\n\r\nx\r\n")
    mta.send("", ["bob@domain1.com"], "Subject: honest\r\n\r\nx\r\n")
    mta.wait_messages("bob@domain1.com", 1, timeout=60)
    as_user(65050, lambda: os.kill(child, signal.SIGCONT))
