"""What a reload is of, when it is over, and whom it waits for: postriderd with processes that do nothing (lib/alone.py)."""

import json
import os
import re
import signal
import socket
import subprocess

import pytest

from lib.alone import PROCESSES, can_connect
from lib.instance import BIN
from lib.waiting import reserve_port, wait_for


def test_reload(alone):
    alone.start()
    assert re.findall(": (listening on .*)", alone.log()) == [f"listening on 127.0.0.1:{alone.port} role=mx tls=none"]
    old, alone.port = alone.port, reserve_port()
    alone.write(hostname='"other.test"')
    about = alone.reload()
    assert f": listening on 127.0.0.1:{alone.port} role=mx tls=none\n" in alone.log()
    assert f": no longer listening on 127.0.0.1:{old}\n" in alone.log()
    assert about["reload"] == "ok" and about["reloads"] == "1"
    for name in PROCESSES:
        wait_for(lambda one=name: re.search(rf"{one}\[\d+\]: settings worker=\d hostname=other ", alone.log()), 5, name)
    assert can_connect(alone.port)
    assert alone.log().count(f"unlisten name=127.0.0.1:{old}") == 2
    wait_for(lambda: alone.log().count(f"listener name=127.0.0.1:{alone.port} role=mx listening=1") == 2, 5, "both workers")
    assert alone.log().count("smtpd[") and len(alone.pids("smtpd")) == 2


def test_reload_is_announced(alone):
    alone.start()
    alone.process.send_signal(signal.SIGHUP)
    assert re.search(r"MONOTONIC_USEC=\d+\n", alone.hear("RELOADING=1"))
    alone.hear("READY=1")


def test_reload_is_over_when_all_have_taken_it(alone):
    alone.start()
    alone.write(hostname='"smtpd-slow.test"')
    over = alone.begin_reload()
    wait_for(lambda: alone.status()[0]["reload"] == "running", 5, "the reload under way")
    assert wait_for(over, 5, "its end")["reload"] == "ok"
    assert re.findall(r": (slowly|reloaded: .*)", alone.log()) == [
        "slowly", "slowly", "reloaded: the new configuration is in force"]


def test_reload_begins_with_those_who_are_asked(alone):
    """What smtpd asks for when it has new settings, and what it serves with them, is answered by them everywhere."""
    alone.start()
    alone.port = reserve_port()
    alone.write(hostname='"directory-slow.test"')
    assert alone.reload()["reload"] == "ok"
    log = alone.log()
    for name in PROCESSES[1:]:
        for told in re.finditer(rf"{name}\[\d+\]: settings worker=\d hostname=directory-slow ", log):
            assert told.start() > log.index(": slowly"), name
    for pid in alone.pids("smtpd"):
        said = rf"smtpd\[{pid}\]: (unlisten|settings|listener)"
        wait_for(lambda one=said: re.findall(one, alone.log())[-3:] == ["unlisten", "settings", "listener"], 5, "its turn")
    assert log.count(": unlisten ") == 2, "the end of a reload is not said before"


@pytest.mark.parametrize("vice, why", [("queue-refuses", "keeps its old configuration"),
                                       ("keys-silent", "has not taken the new configuration yet")])
def test_reload_names_those_who_do_not_take_it(alone, vice, why):
    alone.start()
    alone.write(hostname=f'"{vice}.test"')
    assert alone.reload(timeout=20)["reload"] == "partly"
    name = vice.split("-", maxsplit=1)[0]
    assert re.search(rf"warning: process={name} worker=0 pid=\d+ {why}\n", alone.log())
    assert "reloaded: the new" not in alone.log()
    assert len(re.findall(rf"smtpd\[\d+\]: settings worker=\d hostname={vice} ", alone.log())) == 2


def test_the_command_waits_and_says_how_it_ended(alone):
    def reload(*options):
        done = subprocess.run([str(BIN / "postrider"), "-c", str(alone.conf), *options, "reload"], capture_output=True,
                              text=True, timeout=40, check=False)
        return done.returncode, done.stdout, done.stderr

    alone.start()
    alone.write(hostname='"smtpd-slow.test"')
    assert reload() == (0, "The new configuration is in force.\n", "")
    assert alone.log().count(": slowly\n") == 2
    alone.write(hostname='"queue-refuses.test"')
    code, said, why = reload("--json")
    assert (code, json.loads(said)["reload"]) == (75, "partly") and "not in every process" in why
    alone.write(hostname='"mx.test"', extra="nonsense = 1\n")
    code, said, why = reload()
    assert (code, said) == (78, "") and "is wrong" in why


def test_reload_that_is_asked_for_meanwhile_comes_after(alone):
    alone.start()
    alone.write(hostname='"remote-slow.test"')
    alone.begin_reload()
    wait_for(lambda: alone.status()[0]["reload"] == "running", 5, "the first")
    alone.write(hostname='"later.test"')
    about = alone.reload()
    assert about["reload"] == "ok" and about["reloads"] == "2"
    for name in PROCESSES:
        assert re.search(rf"{name}\[\d+\]: settings worker=\d hostname=later ", alone.log()), name
    assert alone.log().count("reloaded: ") == 2


def test_reload_does_not_wait_for_a_process_that_has_ended(alone):
    alone.start()
    alone.write(hostname='"remote-slow.test"')
    over = alone.begin_reload()
    wait_for(lambda: re.search(r"remote\[\d+\]: settings worker=0 hostname=remote-slow", alone.log()), 5, "its settings")
    os.kill(alone.pids("remote")[0], signal.SIGKILL)
    assert wait_for(over, 5, "its end")["reload"] == "ok"
    assert ": slowly" not in alone.log()


def test_reload_names_one_that_hangs_in_its_start(alone):
    """It was started with the old configuration, and would serve by it."""
    alone.start()
    alone.write(hostname='"remote-stalls.test"')
    assert alone.reload()["reload"] == "ok"
    os.kill(alone.pids("remote")[0], signal.SIGKILL)
    wait_for(lambda: ": stalls\n" in alone.log(), 5, "its start")
    alone.write(hostname='"mx.test"')
    assert alone.reload(timeout=20)["reload"] == "partly"
    assert re.search(r"process=remote worker=0 pid=\d+ has not taken the new configuration yet\n", alone.log())


@pytest.mark.parametrize("extra", ["nonsense = 1\n", "idle-timeout = 5 parsecs\n"])
def test_wrong_reload_changes_nothing(alone, extra):
    alone.start()
    old, alone.port = alone.port, reserve_port()
    alone.write(hostname='"other.test"', extra=extra + "nonsense-too = 1\n")
    about = alone.reload()
    assert about["reload"] == "failed" and about["reloads"] == "1"
    assert len(re.findall(rf"{re.escape(str(alone.conf))}:\d+:", alone.log())) >= 2, "every error is to be told"
    assert can_connect(old) and not can_connect(alone.port)
    assert "hostname=other" not in alone.log()
    alone.write()
    assert alone.reload() | {"uptime": "", "reload-time": ""} == about | {
        "uptime": "", "reload-time": "", "reload": "ok", "reloads": "2"}


def test_reload_with_a_port_in_use_changes_nothing(alone):
    alone.start()
    old = alone.port
    with socket.create_server(("127.0.0.1", 0)) as taken:
        alone.port = taken.getsockname()[1]
        alone.write(hostname='"other.test"')
        assert alone.reload()["reload"] == "failed"
    assert str(alone.port) in alone.log() and "hostname=other" not in alone.log()
    assert can_connect(old)


def test_reload_keeps_what_needs_a_restart(alone):
    alone.start()
    alone.write(spool=f'"{alone.root}/elsewhere"', workers="5")
    about = alone.reload()
    assert about["reload"] == "ok" and about["next-start"] == "workers = 5, until then 2"
    for key in ("spool", "workers"):
        assert re.search(rf"{key} = \S+ takes effect with the next start", alone.log())
    assert len(alone.pids("smtpd")) == 2 and not (alone.root / "elsewhere").exists()
    alone.write(spool=f'"{alone.spool}"', workers="2")
    assert "next-start" not in alone.reload()
