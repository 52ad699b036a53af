"""The supervisor without mail: postriderd with a process that does nothing (tests/tools/dummy_main.c) under
every name of the process table, and with vices no real process has: deaf, dying, babbling, refusing."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from lib.instance import BUILD, TEST_USERS
from lib.waiting import alive, descendants, patience, reserve_port, wait_for

PROCESSES = ("directory", "queue", "local", "remote", "keys", "smtpd")
ROOT = os.geteuid() == 0


class Alone:
    """One postriderd with dummies in a directory of its own."""

    def __init__(self):
        self.root = Path(tempfile.mkdtemp(prefix="prt-", dir="/tmp"))
        self.root.chmod(0o755)
        self.bin, self.conf = self.root / "bin", self.root / "postrider.conf"
        self.log_path, self.pid_file = self.root / "log", self.root / "pid"
        self.spool, self.port = self.root / "spool", reserve_port()
        self.bin.mkdir()
        (self.root / "virtual").mkdir()
        shutil.copy(BUILD / "bin" / "postriderd", self.bin)
        for name in PROCESSES:
            shutil.copy(BUILD / "tests" / "dummy", self.bin / name)
        self.keys = {"hostname": '"mx.test"', "domains": f'"{self.root}/virtual"', "spool": f'"{self.spool}"',
                     "workers": "2", "log-level": "debug"}
        self.process = self.notify = self.user = None

    def write(self, extra="", **keys):
        """The configuration, with keys laid over the usual ones."""
        self.keys.update({key.replace("_", "-"): value for key, value in keys.items()})
        text = "".join(f"{key} = {value}\n" for key, value in self.keys.items())
        text += f'listen "127.0.0.1:{self.port}" {{ }}\n'
        if ROOT and self.user is None:
            text += "users { " + "  ".join(f'{role} = "{uid}"' for role, uid in TEST_USERS.items()) + " }\n"
        self.conf.write_text(text + extra, encoding="utf-8")
        self.conf.chmod(0o644)

    def become(self):
        if self.user is not None:
            os.setgroups([])
            os.setresgid(self.user, self.user, self.user)
            os.setresuid(self.user, self.user, self.user)

    def launch(self):
        """Start it and do not wait."""
        path = self.root / "notify"
        path.unlink(missing_ok=True)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(path))
        os.chmod(path, 0o666)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(self.bin / "postriderd"), "-c", "postrider.conf", "-p", str(self.pid_file)], cwd=self.root,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=self.become,
                env={"PATH": "/bin", "SECRET": "x", "NOTIFY_SOCKET": str(path)})
        return self

    def hear(self, word, timeout=10.0):
        """The next message to the service manager that holds word."""
        end = time.monotonic() + timeout
        while True:
            self.notify.settimeout(max(0.01, end - time.monotonic()))
            message = self.notify.recv(4096).decode()
            if word in message.split("\n"):
                return message

    def start(self, **keys):
        self.write(**keys)
        self.launch().hear("READY=1")
        return self

    def begin_reload(self):
        """SIGHUP; what to call until it returns what control/status says when that reload is over."""
        before = int(self.status()[0]["reloads"])
        self.process.send_signal(signal.SIGHUP)

        def over():
            about = self.status()[0]
            return about if int(about["reloads"]) > before and about["reload"] != "running" else None
        return over

    def reload(self, timeout=5):
        return wait_for(self.begin_reload(), timeout, "a reload")

    def status(self, say=b""):
        """(what postriderd says about itself, [about each process])"""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(self.spool / "sockets/control/status"))
            text = b""
            try:
                client.send(say)
            except BrokenPipeError:
                pass  # it has answered and closed already
            try:
                while more := client.recv(65536):
                    text += more
            except ConnectionResetError:
                assert say, "closed with nothing unread"
        head, *groups = [dict(line.split("=", 1) for line in part.splitlines())
                         for part in re.split(r"(?m)^(?=process=)", text.decode())]
        return head, groups

    def pids(self, name):
        found = []
        for pid in descendants(self.process.pid):
            try:
                argv = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if argv == name.encode() + b"\0":
                found.append(pid)
        return sorted(found)

    def log(self):
        return self.log_path.read_text(encoding="utf-8")

    def stop(self):
        """SIGTERM; (exit status, seconds)"""
        began = time.monotonic()
        self.process.terminate()
        return self.process.wait(12), time.monotonic() - began

    def close(self):
        if self.process is not None and self.process.poll() is None:
            below = descendants(self.process.pid)
            self.process.kill()
            self.process.wait(5)
            wait_for(lambda: not any(alive(pid) for pid in below), 5, "end of all children")
        if self.notify is not None:
            self.notify.close()
        shutil.rmtree(self.root, ignore_errors=True)


@pytest.fixture
def alone():
    one = Alone()
    yield one
    one.close()


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


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
    wait_for(lambda: not alive(int(hanging.group(1))), 5, "its end")
    wait_for(lambda: {one["state"] for one in alone.status()[1]} == {"ready"}, 8, "all ready")


# --- reload ---

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
    wait_for(lambda: alone.log().count(f"unlisten name=127.0.0.1:{old}") == 2, 5, "unlisten in both workers")
    assert alone.log().count(f"listener name=127.0.0.1:{alone.port} role=mx listening=1") == 2
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
    for pid in alone.pids("smtpd"):  # each by itself: the workers do not wait for each other
        said = "\n".join(re.findall(rf"smtpd\[{pid}\]: (.*)", log))
        assert said.index(f"listener name=127.0.0.1:{alone.port} ") > said.rindex("hostname=directory-slow") >= 0, said


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
