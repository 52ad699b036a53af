"""The supervisor without mail: postriderd with a process that does nothing (tests/tools/dummy_main.c) under
every name of the process table, and with vices no real process has: deaf, dying, babbling, refusing."""

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from lib.alone import PROCESSES, can_connect
from lib.waiting import alive, descendants, patience, wait_for


# --- start ---

def test_starts_the_table(alone):
    alone.start()
    about, processes = alone.status()
    assert about["state"] == "ready" and about["pid"] == str(alone.process.pid) and about["reload"] == "none"
    assert [(one["process"], one["worker"], one["state"], one["restarts"]) for one in processes] == [
        ("directory", "0", "ready", "0"), ("queue", "0", "ready", "0"), ("local", "0", "ready", "0"),
        ("remote", "0", "ready", "0"), ("keys", "0", "ready", "0"), ("smtpd", "0", "ready", "0"), ("smtpd", "1", "ready", "0")]
    assert {int(one["pid"]) for one in processes} == set(descendants(alone.process.pid))
    assert alone.pid_file.read_text(encoding="ascii") == f"{alone.process.pid}\n"
    assert alone.stop()[0] == 0
    assert not alone.pid_file.exists()
    assert not list((alone.spool / "sockets").glob("*/*"))


@pytest.mark.root
def test_children_inherit_nothing(alone):
    alone.start()
    for name in PROCESSES:
        for pid in alone.pids(name):
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            assert environment == [b"PATH=/usr/sbin:/usr/bin:/sbin:/bin", b"TZ=:/etc/localtime", b""]
            kinds = {number: os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}
            assert kinds["0"] == "/dev/null" and kinds["1"] == kinds["2"] == str(alone.log_path)
            files = {number: target for number, target in kinds.items()
                     if target.startswith("/") and number not in ("0", "1", "2")}
            lock = {"4": f"{alone.spool}/lock"} if name in ("queue", "smtpd") else {}
            assert files == lock, name
            for number in kinds.keys() - {"0", "1", "2"}:
                flags = int(re.search(r"flags:\t(\d+)", Path(f"/proc/{pid}/fdinfo/{number}").read_text()).group(1), 8)
                assert flags & os.O_CLOEXEC, f"{name}: {number} -> {kinds[number]} is passed on by exec"
            ignored = int(re.search(r"SigIgn:\t(\w+)", Path(f"/proc/{pid}/status").read_text()).group(1), 16)
            for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
                assert ignored & 1 << one - 1, f"{name} does not ignore {one}"


@pytest.mark.root
def test_supervisor_keeps_little(alone):
    alone.start()
    status = Path(f"/proc/{alone.process.pid}/status").read_text(encoding="ascii")
    allowed = sum(1 << number for number in (2, 5, 6, 7, 8, 10, 18))
    for name in ("CapPrm", "CapEff", "CapBnd"):
        assert int(re.search(rf"{name}:\t(\w+)", status).group(1), 16) & ~allowed == 0
    assert "NoNewPrivs:\t1" in status


def test_every_socket_reaches_its_process_and_no_other(alone):
    alone.start()
    told = re.findall(r"(\w+)\[\d+\]: listener name=(\S+) role=(\S+) listening=1", alone.log())
    tcp = f"127.0.0.1:{alone.port}"
    assert sorted(told) == sorted([
        ("queue", "smtpd/queue", "smtpd"), ("directory", "smtpd/directory", "smtpd"),
        ("directory", "queue/directory", "queue"), ("queue", "local/queue", "local"),
        ("directory", "local/directory", "local"), ("queue", "remote/queue", "remote"),
        ("keys", "smtpd/keys", "smtpd"), ("remote", "smtpd/dns", "smtpd"),
        ("remote", "control/dns", "control"), ("directory", "keys/directory", "keys"),
        ("queue", "control/queue", "control"), ("directory", "control/directory", "control"),
        ("smtpd", "submit/smtp", "submit"), ("smtpd", "submit/smtp", "submit"),
        ("smtpd", tcp, "mx"), ("smtpd", tcp, "mx")])


@pytest.mark.root
def test_without_root_all_run_as_the_caller(alone):
    alone.user = 65534
    for path in (alone.root, alone.bin, alone.root / "virtual"):
        os.chown(path, 65534, 65534)
    alone.write()
    os.chown(alone.conf, 65534, 65534)
    alone.launch().hear("READY=1")
    assert len(re.findall("without root", alone.log())) == 1
    for pid in descendants(alone.process.pid):
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        assert "Uid:\t65534\t65534\t65534\t65534" in status and "NoNewPrivs:\t1" in status
        assert os.readlink(f"/proc/{pid}/root") == "/"
    assert f"socket={alone.spool}/sockets/smtpd/directory" in alone.log()
    assert alone.stop()[0] == 0


@pytest.mark.parametrize("arguments, want", [(["-x"], 64), (["more"], 64), (["-c"], 64), (["-V"], 0), (["--version"], 0),
                                             (["-c", "/no/such/file"], 78)])
def test_command_line(alone, arguments, want):
    done = subprocess.run([str(alone.bin / "postriderd"), *arguments], capture_output=True, text=True, timeout=10,
                          check=False)
    assert done.returncode == want
    if want == 64:
        assert "usage: postriderd" in done.stderr
    if want == 0:
        assert re.fullmatch(r"postriderd \d+\.\d+\.\d+\n", done.stdout)
    if want == 78:
        assert "/no/such/file" in done.stderr


@pytest.mark.parametrize("argument", ["-h", "--help"])
def test_help_is_no_error(alone, argument):
    done = subprocess.run([str(alone.bin / "postriderd"), argument], capture_output=True, text=True, timeout=10, check=False)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("usage: postriderd ")


def test_children_are_not_for_people(alone):
    """A process started by hand says what it is and ends."""
    done = subprocess.run(["smtpd"], executable=str(alone.bin / "smtpd"), stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=10, check=False)
    assert done.returncode == 64 and "postriderd" in done.stderr


def test_missing_program_is_named(alone):
    (alone.bin / "remote").unlink()
    alone.write()
    alone.launch()
    assert alone.process.wait(10) == 78
    assert str(alone.bin / "remote") in alone.log()


def test_second_instance_is_refused(alone):
    alone.start()
    done = subprocess.run([str(alone.bin / "postriderd"), "-c", str(alone.conf)], capture_output=True, text=True,
                          timeout=10, check=False)
    assert done.returncode == 75
    assert "another postriderd" in done.stderr and str(alone.spool) in done.stderr
    assert alone.status()[0]["state"] == "ready"


@pytest.mark.root
@pytest.mark.parametrize("harm", ["owner", "writable", "parent", "parent-owner", "link", "file", "directory-owner"])
def test_spool_that_cannot_be_trusted(alone, harm):
    """CO-01 to CO-04: refused with 78 and one clear line, before anything is made there."""
    place = alone.root / "place"
    place.mkdir(mode=0o755)
    spool = place / "spool"
    spool.mkdir(mode=0o755)
    culprit = spool
    if harm == "owner":
        os.chown(spool, 65534, 65534)
    elif harm == "writable":
        spool.chmod(0o777)
    elif harm == "parent":
        culprit = place
        place.chmod(0o777)
    elif harm == "parent-owner":
        culprit = place
        os.chown(place, 65534, 65534)
    elif harm == "link":
        culprit = alone.root / "link"
        culprit.symlink_to(place)
        os.lchown(culprit, 65534, 65534)
        spool = culprit / "spool"
    elif harm == "file":
        spool.rmdir()
        spool.write_text("")
    else:
        culprit = spool / "journal"
        culprit.mkdir()
        os.chown(culprit, 65534, 65534)
    alone.write(spool=f'"{spool}"')
    alone.launch()
    assert alone.process.wait(10) == 78
    # Beside the line that every start without a certificate has.
    lines = [line for line in alone.log().splitlines() if "warning" in line and "no TLS certificate" not in line]
    assert len(lines) == 1 and culprit.name in lines[0], alone.log()
    if harm != "directory-owner":
        assert spool.is_file() or not list(spool.iterdir())


# --- life ---

def test_restart_alone_with_back_off(alone):
    """At once, then after 100 ms, 200 ms; the others never notice."""
    alone.start()
    others = {pid for name in PROCESSES if name != "queue" for pid in alone.pids(name)}
    waits = []
    for _ in range(4):
        old = alone.pids("queue")[0]
        began = time.monotonic()
        os.kill(old, signal.SIGKILL)
        wait_for(lambda gone=old: [pid for pid in alone.pids("queue") if pid != gone], 5, "a new queue", 0.002)
        waits.append(time.monotonic() - began)
    assert waits[0] < 0.1 <= waits[1] < 0.2 <= waits[2] < 0.4 <= waits[3] < 0.8, waits
    assert {pid for name in PROCESSES if name != "queue" for pid in alone.pids(name)} == others
    queue = [one for one in alone.status()[1] if one["process"] == "queue"][0]
    assert queue["restarts"] == "4" and queue["state"] in ("starting", "ready")


def test_sockets_outlive_their_process(alone):
    """While smtpd and queue wait for their restart, connections wait in the backlog."""
    alone.start(workers="1")
    for name, paths in (("smtpd", ("submit/smtp",)), ("queue", ("control/queue", "smtpd/queue"))):
        for _ in range(3):  # the third restart waits for 200 ms
            old = wait_for(lambda one=name: alone.pids(one), 5, name)[0]
            os.kill(old, signal.SIGKILL)
            wait_for(lambda gone=old: not alive(gone), 5, "its end")
        for path in paths:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(alone.spool / "sockets" / path))
        assert name != "smtpd" or can_connect(alone.port)
        assert not alone.pids(name), "connected too late: the test saw nothing"
        wait_for(lambda: {one["state"] for one in alone.status()[1]} == {"ready"}, 5, "all ready")
    last = rf"smtpd\[{alone.pids('smtpd')[0]}\]: listener name="
    assert re.search(last + "submit/smtp", alone.log()) and re.search(last + "127.0.0.1", alone.log())


def test_status_reads_nothing(alone):
    alone.start()
    assert alone.status(say=b"\0\xffGET / HTTP/1.0\r\n" * 1000)[0]["state"] == "ready"
    clients = [socket.socket(socket.AF_UNIX) for _ in range(50)]
    for client in clients:
        client.connect(str(alone.spool / "sockets/control/status"))
        client.close()
    assert alone.status()[0]["state"] == "ready"


@pytest.mark.parametrize("vice, want", [("queue-refuses", 78), ("smtpd-dies", 75), ("remote-babbles", 75)])
def test_start_that_cannot_succeed_ends(alone, vice, want):
    alone.write(hostname=f'"{vice}.test"')
    alone.launch()
    assert alone.process.wait(10) == want
    assert f"process={vice.split('-', 1)[0]} does not start" in alone.log()
    assert not list((alone.spool / "sockets").glob("*/*"))


def test_babbling_process_is_killed_and_the_rest_goes_on(alone):
    alone.start()
    alone.write(hostname='"remote-babbles.test"')
    alone.reload()
    os.kill(alone.pids("remote")[0], signal.SIGKILL)  # the new one babbles at its start
    wait_for(lambda: "says what it should not" in alone.log(), 5, "the complaint")
    alone.write(hostname='"mx.test"')
    alone.reload()
    wait_for(lambda: {one["state"] for one in alone.status()[1]} == {"ready"}, 8, "all ready")


def test_process_that_closes_its_channel_and_hangs_is_killed(alone):
    alone.start()
    alone.write(hostname='"remote-hangs.test"')
    alone.reload()
    os.kill(alone.pids("remote")[0], signal.SIGKILL)  # the new one hangs at its start
    hanging = wait_for(lambda: re.search(r"remote\[(\d+)\]: hangs", alone.log()), 5, "the vice")
    alone.write(hostname='"mx.test"')
    alone.reload()
    wait_for(lambda: f"pid={hanging.group(1)} ended by signal " in alone.log(), 5, "its end")
    assert f"pid={hanging.group(1)} ended by signal 9 after" in alone.log(), "not for what it may not call"
    wait_for(lambda: {one["state"] for one in alone.status()[1]} == {"ready"}, 8, "all ready")


# --- stop ---

def test_stops_in_stages(alone):
    alone.start(workers="1")
    status, seconds = alone.stop()
    assert status == 0 and seconds < 2 * patience()
    order = re.findall(r"(\w+)\[\d+\]: stop$", alone.log(), re.M)
    assert order[0] == "smtpd" and set(order[1:4]) == {"local", "remote", "keys"} and order[4:] == ["queue", "directory"]


def test_interrupt_stops_as_well(alone):
    alone.start()
    os.kill(alone.process.pid, signal.SIGINT)
    assert alone.process.wait(5) == 0
    alone.hear("STOPPING=1")


def test_deaf_processes_are_killed_in_time(alone):
    alone.start()
    for name in PROCESSES:
        os.kill(alone.pids(name)[0], signal.SIGSTOP)
    below = descendants(alone.process.pid)
    status, seconds = alone.stop()
    assert status == 0 and seconds < 10 * patience()
    assert alone.log().count("does not stop in time: killed") == len(PROCESSES)
    wait_for(lambda: not any(alive(pid) for pid in below), 1, "end of all processes")


def test_process_that_ignores_stop_is_killed(alone):
    alone.start(hostname='"queue-deaf.test"')
    status, seconds = alone.stop()
    assert status == 0 and 1.5 < seconds < 5 * patience()


@pytest.mark.parametrize("frozen", [(), PROCESSES])
def test_children_end_with_the_supervisor(alone, frozen):
    """Even those that cannot run; and a new supervisor has the spool at once."""
    alone.start()
    below = descendants(alone.process.pid)
    for name in frozen:
        os.kill(alone.pids(name)[0], signal.SIGSTOP)
    alone.process.kill()
    alone.process.wait(5)
    alone.notify.close()
    alone.launch().hear("READY=1", 5)
    assert not any(alive(pid) for pid in below)
