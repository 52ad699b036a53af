"""The programs that measure: a figure is worth what its counting is worth.

Invariant under test: the load generator ends each message exactly once, under the right code; the sink
counts a message only for CRLF.CRLF; both agree about octets.
"""

import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from lib.instance import BUILD

LOAD, SINK, IDLE, BARE = (str(BUILD / "bench" / name) for name in ("load", "sink", "idle", "bare"))


class Sink:
    """A running sink."""

    def __enter__(self):
        self.process = subprocess.Popen([SINK, "--time", "50"], stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]
        return self

    def counts(self):
        self.process.send_signal(signal.SIGUSR1)
        return json.loads(self.process.stdout.readline())

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(5) == 0
        self.process.stdout.close()


class Scripted:
    """A server that answers each line by the first word of `replies` it begins with."""

    def __init__(self, replies, greeting="220 hello"):
        self.replies, self.greeting = replies, greeting
        self.lines = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def talk(self, peer):
        with peer, peer.makefile("rwb", buffering=0) as stream:
            peer.settimeout(20)
            try:
                stream.write(self.greeting.encode() + b"\r\n")
                in_data = False
                for raw in stream:
                    line = raw.decode().rstrip("\r\n")
                    if in_data and line != ".":
                        continue
                    self.lines.append(line)
                    reply = next(text for verb, text in self.replies if line.startswith(verb))
                    in_data = reply.startswith("354")
                    if not reply:
                        return
                    stream.write(reply.encode() + b"\r\n")
                    if reply.startswith(("221", "421")):
                        # Closing with octets unread would be a reset, which takes the reply with it.
                        peer.shutdown(socket.SHUT_WR)
                        while peer.recv(4096):
                            pass
                        return
            except OSError:
                return

    def close(self):
        self.listener.close()


def load(port, *args):
    done = subprocess.run([LOAD, "--to", f"127.0.0.1:{port}", "--time", "20", "--stall", "2", *args],
                          capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("args, recipients, size", [
    ([], 1, 4096),
    (["--pipelining", "off"], 1, 4096),
    (["--per-connection", "7"], 1, 4096),
    (["--per-connection", "7", "--recipients", "30", "--domains", "9", "--users", "4"], 30, 4096),
    (["--per-connection", "7", "--pipelining", "off", "--recipients", "3"], 3, 4096),
    (["--size", "300"], 1, 300),
    (["--size", "301"], 1, 301),
    (["--size", "377"], 1, 377),
    (["--size", "1000003", "--per-connection", "10"], 1, 1000003),
    (["--sources", "300"], 1, 4096),
])
def test_load_and_sink_agree(args, recipients, size):
    with Sink() as sink:
        done = load(sink.port, "--messages", "203", "--connections", "5", *args)
        counts = sink.counts()
    assert (done["accepted"], done["failed"], done["failures"]) == (203, 0, {})
    assert done["rcpt_accepted"] == 203 * recipients
    assert counts["messages"] == 203 and counts["recipients"] == 203 * recipients
    assert counts["octets"] == 203 * (size + len(".\r\n"))
    assert counts["open"] == 0
    assert done["latency_ms"]["data_250"]["n"] == 203
    per_connection = int(args[args.index("--per-connection") + 1]) if "--per-connection" in args else 1
    assert done["latency_ms"]["connect_250"]["n"] == counts["connections"] >= 203 // per_connection
    for series in done["latency_ms"].values():
        assert 0 < series["p50"] <= series["p90"] <= series["p99"] <= series["max"]


EHLO = [("EHLO", "250-me\r\n250-PIPELINING\r\n250 SIZE 0"), ("QUIT", "221 bye"), ("RSET", "250 ok")]
PLAIN = [("EHLO", "250 me"), ("QUIT", "221 bye"), ("RSET", "250 ok")]
REFUSALS = [
    ("mail", [("MAIL", "451 no"), ("RCPT", "503 no"), ("DATA", "503 no")], "451"),
    ("all recipients", [("MAIL", "250 ok"), ("RCPT", "550 no"), ("DATA", "554 no")], "550"),
    ("recipients, yet 354", [("MAIL", "250 ok"), ("RCPT", "550 no"), ("DATA", "354 go"), (".", "554 none")], "550"),
    ("data", [("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "452 full")], "452"),
    ("dot", [("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go"), (".", "452 full")], "452"),
    ("shutdown", [("MAIL", "250 ok"), ("RCPT", "421 off"), ("DATA", "354 go"), (".", "250 ok")], "421"),
    ("close", [("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go"), (".", "")], "closed"),
    ("garbage", [("MAIL", "250 ok"), ("RCPT", "hello?"), ("DATA", "354 go"), (".", "250 ok")], "garbled"),
]


@pytest.mark.parametrize("ehlo", [EHLO, PLAIN], ids=["grouped", "one by one"])
@pytest.mark.parametrize("name, replies, code", REFUSALS, ids=[row[0] for row in REFUSALS])
def test_load_ends_each_message_once(name, replies, code, ehlo):
    server = Scripted(ehlo + replies)
    done = load(server.port, "--messages", "12", "--connections", "3", "--per-connection", "2")
    server.close()
    assert done["started"] == 12 and done["accepted"] == 0 and done["failed"] == 12
    assert done["failures"] == {code: 12}
    assert not any(line == "." for line in server.lines) or name in ("dot", "close", "recipients, yet 354")


def test_load_counts_recipients_that_were_refused():
    server = Scripted(EHLO + [("MAIL", "250 ok"), ("RCPT TO:<user1@", "250 ok"), ("RCPT", "550 no"),
                              ("DATA", "354 go"), (".", "250 ok")])
    done = load(server.port, "--messages", "10", "--recipients", "4", "--users", "4")
    server.close()
    assert done["accepted"] == 10 and done["rcpt_accepted"] == 10 and done["rcpt_failures"] == {"550": 30}


def test_load_recipients_go_round_the_domains():
    server = Scripted(EHLO + [("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go"), (".", "250 ok")])
    load(server.port, "--messages", "6", "--connections", "1", "--domains", "2", "--users", "2",
         "--pattern", "u%u@d%d.test")
    server.close()
    seen = [line for line in server.lines if line.startswith("RCPT")]
    assert seen == [f"RCPT TO:<{who}>" for who in ("u1@d1.test", "u1@d2.test", "u2@d1.test", "u2@d2.test",
                                                    "u1@d1.test", "u1@d2.test")]


@pytest.mark.parametrize("greeting, code", [("554 go away", "554"), ("421 later", "421")])
def test_load_counts_refused_connections(greeting, code):
    server = Scripted(EHLO, greeting)
    done = load(server.port, "--messages", "5", "--connections", "2")
    server.close()
    assert done["failures"] == {code: 5}


def test_load_counts_nobody_listening():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        done = load(taken.getsockname()[1], "--messages", "7")
    assert done["failures"] == {"connect": 7}


def test_load_gives_up_a_silent_server():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = load(silent.getsockname()[1], "--messages", "2", "--connections", "2")
    assert done["failures"] == {"silent": 2}


def test_load_stops_when_its_time_is_over():
    with Sink() as sink:
        done = load(sink.port, "--messages", "9000000", "--time", "1")
        counts = sink.counts()
    assert done["stopped"] == "time" and done["failed"] == 0
    assert done["started"] == done["accepted"] == counts["messages"] < 9000000


@pytest.mark.parametrize("data, messages", [
    (b"a\r\n.\r\n", 1), (b".\r\n", 1), (b"a\n.\n", 0), (b"a\r\n.\n", 0), (b"a\n.\r\n", 0), (b"\r.\r\n", 0),
    (b"a\r\n..\r\n", 0), (b"a\r\n.\r.\r\n", 0), (b"a\r\r\n.\r\n", 1), (b"a\r\n.\r\r\n.\r\n", 1),
])
@pytest.mark.parametrize("split", [False, True], ids=["whole", "octets"])
def test_sink_ends_data_only_by_crlf_dot_crlf(data, messages, split):
    with Sink() as sink, socket.create_connection(("127.0.0.1", sink.port), 5) as peer:
        stream = peer.makefile("rb")
        assert stream.readline().startswith(b"220")
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.sendall(b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n")
        assert [stream.readline()[:4] for _ in range(7)] == [b"250-"] * 3 + [b"250 "] * 3 + [b"354 "]
        for part in ([bytes([octet]) for octet in data] if split else [data]):
            peer.sendall(part)
            time.sleep(0.005 if split else 0)
        if messages:
            assert stream.readline().startswith(b"250")
        else:
            time.sleep(0.05)
        assert sink.counts()["messages"] == messages
        stream.close()


def test_idle_holds_until_stdin_closes():
    with Sink() as sink:
        holder = subprocess.Popen([IDLE, "--to", f"127.0.0.1:{sink.port}", "--connections", "300"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = json.loads(holder.stdout.readline())
        assert ready["event"] == "ready" and ready["held"] == 300 and ready["refused"] == 0
        assert sink.counts()["open"] == 300
        holder.stdin.close()
        assert json.loads(holder.stdout.readline())["held"] == 300
        assert holder.wait(5) == 0
        holder.stdout.close()


def test_idle_tells_what_it_lost():
    with Sink() as sink:
        holder = subprocess.Popen([IDLE, "--to", f"127.0.0.1:{sink.port}", "--connections", "20"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert json.loads(holder.stdout.readline())["held"] == 20
    time.sleep(0.3)
    holder.stdin.close()
    end = json.loads(holder.stdout.readline())
    assert end["held"] == 0 and end["lost"] == 20 and holder.wait(5) == 1
    holder.stdout.close()


@pytest.mark.parametrize("dirsync", ["on", "off"])
def test_bare_maildir_leaves_what_it_counts(tmp_path, dirsync):
    done = subprocess.run([BARE, "maildir", "--dir", str(tmp_path), "--threads", "3", "--maildirs", "7",
                           "--max", "11", "--size", "500", "--dirsync", dirsync], capture_output=True, text=True,
                          timeout=50, check=True)
    row = json.loads(done.stdout)
    files = [os.path.getsize(path) for path in tmp_path.glob("m*/new/*")]
    assert row["done"] == 33 == len(files) and set(files) == {500} and row["rate"] > 0
    assert row["flushes"] == (66 if dirsync == "on" else 33)
    assert not list(tmp_path.glob("m*/tmp/*"))


def test_bare_append_flushes_once_a_group(tmp_path):
    done = subprocess.run([BARE, "append", "--dir", str(tmp_path), "--threads", "2", "--group", "5", "--max", "50"],
                          capture_output=True, text=True, timeout=50, check=True)
    row = json.loads(done.stdout)
    assert row["done"] == 100 and row["flushes"] == 20 and row["rate"] > 0
