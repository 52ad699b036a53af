"""Start, reload, stop: readiness, SIGHUP with good and bad files, SIGTERM under work, one owner a spool."""

import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from lib.instance import BIN, Instance, Listener
from lib.load import Load
from lib.smtp_raw import RawClient, Silent
from lib.waiting import alive, descendants, patience, wait_for

MESSAGE = "From: <s@else.test>\r\nSubject: life\r\n\r\nhello\r\n"


def offered_size(mta, port=None):
    with RawClient("127.0.0.1", port or mta.port) as client:
        return next(line for line in client.hello().lines if line.startswith("SIZE"))


def test_ready_means_serving(mta):
    """At READY=1 the port answers and a message goes through."""
    for _ in range(3):
        assert mta.stop() == 0
        mta.start_again()
        with socket.create_connection(("127.0.0.1", mta.port), 1):
            pass
        assert mta.send("s@else.test", "bob@domain1.com", MESSAGE) == {}


def test_pid_file(mta):
    """There while it runs, gone after."""
    assert int(mta.pid_file.read_text()) == mta.process.pid
    assert mta.stop() == 0
    assert not mta.pid_file.exists()


def test_stop_takes_no_longer_than_ten_seconds_and_leaves_nothing(mta):
    below = descendants(mta.process.pid)
    assert len(below) >= 5, "expected the processes of the table"
    clients = [RawClient("127.0.0.1", mta.port) for _ in range(10)]
    for client in clients:
        client.hello()
    assert mta.stop() == 0
    assert mta.stop_seconds < 10 * patience()
    wait_for(lambda: not any(alive(pid) for pid in below), 1, "end of all processes")
    for client in clients:
        codes = [reply.code for reply in client.wait_close(2)]
        assert codes in ([], ["421"]), codes
        client.close()


def test_stop_lets_the_transaction_under_way_finish(mta):
    """A message whose data is being sent when SIGTERM comes gets its answer; a 250 is kept."""
    with RawClient("127.0.0.1", mta.port) as client:
        client.hello()
        client.command("MAIL FROM:<s@else.test>", "250")
        client.command("RCPT TO:<bob@domain1.com>", "250")
        client.command("DATA", "354")
        client.send(b"Subject: draining\r\n\r\nfirst\r\n")
        mta.process.terminate()
        time.sleep(0.3)
        client.send(b"second\r\n.\r\n")
        code = client.read_reply(5).code
        assert code in ("250", "421")
    assert mta.process.wait(10) == 0
    mta.start_again()
    if code == "250":
        mta.wait_messages("bob@domain1.com")
    else:
        mta.wait_queue_empty()
        assert not mta.messages("bob@domain1.com")


def test_stop_under_load_loses_nothing(mta):
    with Load(mta, ["bob@domain1.com", "bob@domain2.com"], connections=20, pause=0.0) as load:
        wait_for(lambda: len(load.acked) > 50, 10, "some traffic")
        assert mta.stop() == 0
        assert mta.stop_seconds < 10 * patience()
    mta.start_again()
    mta.wait_queue_empty()
    copies = load.copies()
    assert not load.missing(copies)
    assert max(copies.values()) == 1


def test_reload_takes_new_settings_and_keeps_sessions(mta):
    with RawClient("127.0.0.1", mta.port) as old:
        old.hello()
        old.command("MAIL FROM:<s@else.test>", "250")
        mta.settings["message-size-limit"] = "2M"
        second = Listener()
        mta.listeners.append(second)
        mta.write_config()
        mta.reload()
        wait_for(lambda: offered_size(mta) == "SIZE 2097152", 5, "the new limit")
        wait_for(lambda: offered_size(mta, second.port) == "SIZE 2097152", 5, "the new listener")
        old.command("RCPT TO:<bob@domain1.com>", "250")
        old.command("DATA", "354")
        old.send(b"Subject: kept\r\n\r\nx\r\n.\r\n")
        old.reply("250")
    mta.wait_messages("bob@domain1.com")
    mta.listeners.pop()
    mta.write_config()
    mta.reload()

    def refused():
        try:
            socket.create_connection(("127.0.0.1", second.port), 1).close()
        except ConnectionRefusedError:
            return True
        return False
    wait_for(refused, 5, "the end of the second listener")
    assert offered_size(mta) == "SIZE 2097152"


@pytest.mark.parametrize("broken", ["nonsense-key = 5\n", "message-size-limit = banana\n", 'listen "nowhere" { }\n',
                                    "hostname = \n", 'smarthost = "a b:x"\n'])
def test_reload_of_a_bad_file_keeps_the_old(mta, broken):
    before = offered_size(mta)
    text = mta.render()
    line = text.count("\n") + 1
    mta.write_config(text + broken)
    pids = set(descendants(mta.process.pid))
    start = len(mta.log())
    mta.reload()
    mta.wait_log(rf"{re.escape(str(mta.conf))}:{line}:", start=start)
    done = mta.command("check")
    assert done.returncode != 0 and f"{mta.conf}:{line}:" in done.stdout + done.stderr
    assert offered_size(mta) == before
    assert mta.send("s@else.test", "bob@domain1.com", MESSAGE) == {}
    assert pids <= set(descendants(mta.process.pid))
    mta.write_config()
    mta.settings["message-size-limit"] = "3M"
    mta.write_config()
    mta.reload()
    wait_for(lambda: offered_size(mta) == "SIZE 3145728", 5, "a later good reload")


def test_reloads_under_load(mta):
    with Load(mta, ["bob@domain1.com"], connections=10, pause=0.01) as load:
        wait_for(lambda: len(load.acked) > 20, 10, "some traffic")
        for _ in range(10):
            mta.reload()
            time.sleep(0.1)
    assert not [code for code in load.replies if code not in ("220", "250", "354", "221", "421")], load.replies
    mta.wait_queue_empty()
    assert not load.missing(load.copies())


@pytest.mark.parametrize("extra", ["nonsense = 1\n", "hostname = \"a b\"\n", "workers = -1\n", "retry = { \"x\" }\n",
                                   "relay-from = { \"300.1.1.1\" }\n", "idle-timeout = 5 parsecs\n", "}\n", "listen {\n"])
def test_start_with_a_bad_file(extra):
    """Refused with file:line and exit status 78, nothing started."""
    mta = Instance(extra=extra)
    try:
        mta.write_config()
        done = subprocess.run([str(BIN / "postriderd"), "-c", str(mta.conf)], capture_output=True, text=True, timeout=10,
                              env=mta.environment(), check=False)
        assert done.returncode == 78, done.stderr
        assert re.search(rf"{re.escape(str(mta.conf))}:\d+: ", done.stderr), done.stderr
    finally:
        mta.destroy()


def test_every_error_is_reported_at_once():
    mta = Instance(extra="first-bad = 1\nsecond-bad = 2\nthird-bad = 3\n")
    try:
        mta.write_config()
        done = mta.command("check")
        text = done.stdout + done.stderr
        assert done.returncode != 0
        assert all(word in text for word in ("first-bad", "second-bad", "third-bad")), text
    finally:
        mta.destroy()


def test_port_in_use():
    """Said clearly, and no process is left."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        mta = Instance(listeners=[Listener(port=taken.getsockname()[1])])
        try:
            with pytest.raises(AssertionError, match="ended with"):
                mta.start()
            assert str(taken.getsockname()[1]) in mta.log()
        finally:
            mta.destroy()


def test_one_spool_has_one_owner(mta):
    """A second daemon on the same spool ends with 75 and leaves the first alone."""
    other = Instance(spool=mta.spool)
    try:
        other.write_config()
        done = subprocess.run([str(BIN / "postriderd"), "-c", str(other.conf)], capture_output=True, text=True, timeout=15,
                              env=mta.environment(), check=False)
        assert done.returncode == 75, done.stderr
        assert done.stderr
    finally:
        other.destroy()
    assert mta.send("s@else.test", "bob@domain1.com", MESSAGE) == {}
    mta.wait_messages("bob@domain1.com")


@pytest.mark.root
def test_started_by_an_ordinary_user():
    """Every process runs as the caller, said once in the log; mail is delivered all the same."""
    mta = Instance(privileged=False)
    try:
        mta.add_domain("domain1.com", ["bob"])
        mta.write_config()
        for folder, dirs, files in os.walk(mta.root):
            for path in [folder] + [os.path.join(folder, name) for name in dirs + files]:
                os.chown(path, 65534, 65534)
        mta.run_as = 65534
        mta.start_again()
        mta.send("s@else.test", "bob@domain1.com", MESSAGE)
        mta.wait_messages("bob@domain1.com")
        for role, pid in mta.processes():
            status = open(f"/proc/{pid}/status", encoding="utf-8").read()
            assert "Uid:\t65534\t65534\t65534\t65534" in status, role
        assert mta.stop() == 0
    finally:
        mta.destroy()


def test_new_smtpd_does_not_guess_before_the_directory_answers(mta):
    """A client that comes just after the start waits a moment; it is not told to come again later."""
    directory, before = mta.pid("directory"), mta.pids("smtpd")
    os.kill(directory, signal.SIGSTOP)
    again = threading.Timer(1.0, os.kill, (directory, signal.SIGCONT))
    try:
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: len(set(mta.pids("smtpd")) - set(before)) == len(before), 5, "new smtpd processes")
        again.start()
        assert mta.send("s@else.test", "bob@domain1.com", MESSAGE) == {}
    finally:
        os.kill(directory, signal.SIGCONT)
    again.join()
    mta.wait_messages("bob@domain1.com")


def test_slow_client_does_not_hold_the_stop(mta):
    with RawClient("127.0.0.1", mta.port) as client:
        client.hello()
        client.command("MAIL FROM:<s@else.test>", "250")
        client.command("RCPT TO:<bob@domain1.com>", "250")
        client.command("DATA", "354")
        client.send(b"Subject: never ends\r\n")
        assert mta.stop() == 0
        assert mta.stop_seconds < 10 * patience()
        try:
            assert [reply.code for reply in client.wait_close(1)] in ([], ["421"])
        except Silent:
            pytest.fail("the connection outlives the daemon")
