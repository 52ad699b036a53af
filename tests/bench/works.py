"""The works that are measured: each starts a server from nothing, warms it up, loads it, and checks
that what it claims to have done was done before a figure is given.

bench.py calls WORKS[name](server, settings) for each round; the result is a flat dictionary whose
`rate` is messages a second.  Invariant: a run in which anything was refused or is missing has an
`error` instead of figures.
"""

import os
import time

import crowds
import tools
from million import million

POLL = 0.25


class Settings:
    """Size and limits of a run; see the options of bench.py."""

    def __init__(self, options):
        self.messages = options.messages
        self.connections = options.connections
        self.per_connection = options.per_connection
        self.size = options.size
        self.seconds = options.seconds
        self.idle = options.idle
        self.idle_postfix = options.idle_postfix
        self.sessions = options.sessions
        self.queued = options.queued
        self.domains, self.users = options.domains, options.users

    def load_options(self, messages, pattern, **more):
        """Options of the load generator."""
        return {"connections": self.connections, "messages": messages, "size": self.size,
                "per-connection": self.per_connection, "pattern": pattern, "domains": self.domains,
                "users": self.users, **more}

    @property
    def warm_up(self):
        """Messages before the measurement: all processes run, all files are known."""
        return max(self.connections, min(500, self.messages // 10))


class Run:
    """One server at one work, from start to end."""

    def __init__(self, server, settings):
        self.server, self.settings = server, settings
        self.load, self.before, self.others = None, None, None

    def warm(self, pattern):
        """Load that does not count."""
        settings = self.settings
        done = tools.load(self.server.port, settings.load_options(settings.warm_up, pattern), settings.seconds)
        if done["failed"] or not done["accepted"]:
            raise RuntimeError(f"warm-up: {done['failures']} {done['rcpt_failures']}\n{self.server.log_tail()}")
        return done["rcpt_accepted"]

    def measure(self, pattern, **more):
        """The load that counts; `more` are options of the load generator."""
        settings = self.settings
        os.sync()
        self.others = tools.busy_share(0.5)
        self.before = tools.busy_jiffies()
        self.load = tools.load(self.server.port, settings.load_options(settings.messages, pattern, **more),
                               settings.seconds)
        if self.load["failed"] or not self.load["accepted"]:
            raise RuntimeError(f"refused: {self.load['failures']} {self.load['rcpt_failures']}\n"
                               f"{self.server.log_tail()}")

    def result(self, done, end):
        """Figures, where `done` messages had been done at time `end`."""
        now = tools.busy_jiffies()
        busy, disk, total = (after - before for after, before in zip(now, self.before))
        seconds = end - self.load["start"]
        latency = self.load["latency_ms"]
        return {"rate": done / seconds, "seconds": seconds, "done": done,
                "accept_rate": self.load["rate"], "stopped": self.load["stopped"],
                "p50": latency["connect_250"]["p50"], "p99": latency["connect_250"]["p99"],
                "max": latency["connect_250"]["max"], "data_p50": latency["data_250"]["p50"],
                "data_p99": latency["data_250"]["p99"], "data_max": latency["data_250"]["max"],
                "load_cpu": self.load["cpu_seconds"] / self.load["seconds"],
                "busy": busy / total if total else 0.0, "disk_wait": disk / total if total else 0.0,
                "others": self.others}

    def wait_until(self, enough, what):
        """Poll until enough() is true or the time is over.  Costs little: it begins after the load."""
        end = time.monotonic() + self.settings.seconds
        while not enough():
            if time.monotonic() > end:
                raise RuntimeError(f"not within {self.settings.seconds} s after the last 250: {what()}\n"
                                   f"{self.server.log_tail()}")
            time.sleep(POLL)


def accept(server, settings, work="accept", **more):
    """To the queue and no further: the next hop refuses every connection."""
    refused = tools.RefusedPort()
    pattern = "user%u@remote%d.test"
    try:
        server.start(work, ("127.0.0.1", refused.port))
        run = Run(server, settings)
        warm = run.warm(pattern)
        run.measure(pattern, **more)
        result = run.result(run.load["accepted"], run.load["end"])
        held = server.held_messages()
        if held is not None and held != run.load["accepted"] + warm:
            raise RuntimeError(f"{run.load['accepted'] + warm} accepted, {held} in the queue")
        return result
    finally:
        server.end()
        refused.end()


def deliver(server, settings):
    """Until the last message is in its Maildir, told by the time its file got its name in new/."""
    refused = tools.RefusedPort()
    pattern = "user%u@dom%d.test"
    try:
        server.start("deliver", ("127.0.0.1", refused.port))
        run = Run(server, settings)
        news = server.new_directories()
        want = run.warm(pattern)
        run.wait_until(lambda: tools.count_files(news) >= want, lambda: f"{tools.count_files(news)} of {want}")
        run.measure(pattern)
        want += run.load["rcpt_accepted"]
        run.wait_until(lambda: tools.count_files(news) >= want, lambda: f"{tools.count_files(news)} of {want}")
        if tools.count_files(news) != want:
            raise RuntimeError(f"{tools.count_files(news)} files, {want} were sent")
        return run.result(run.load["rcpt_accepted"], tools.last_change(news))
    finally:
        server.end()


def relay(server, settings):
    """Until the sink has taken the last message."""
    sink = tools.Sink()
    pattern = "user%u@remote%d.test"
    try:
        server.start("relay", ("127.0.0.1", sink.port))
        run = Run(server, settings)
        want = run.warm(pattern)
        run.wait_until(lambda: sink.counts()["recipients"] >= want, lambda: f"sink {sink.counts()}")
        run.measure(pattern)
        want += run.load["rcpt_accepted"]
        run.wait_until(lambda: sink.counts()["recipients"] >= want, lambda: f"sink {sink.counts()}")
        counts = sink.counts()
        if counts["recipients"] != want:
            raise RuntimeError(f"the sink has {counts['recipients']}, {want} were sent")
        return run.result(run.load["rcpt_accepted"], counts["last"])
    finally:
        server.end()
        sink.end()


def idle(server, settings):
    """Memory of all the server's processes for each connection that has said EHLO and waits."""
    refused = tools.RefusedPort()
    wanted = settings.idle_postfix if server.name == "Postfix" else settings.idle
    holder = None
    try:
        server.start("idle", ("127.0.0.1", refused.port))
        run = Run(server, settings)
        run.warm("user%u@dom%d.test")
        rss, pss = tools.memory(server.pids())
        began = time.monotonic()
        holder = tools.Child("idle", "--to", f"127.0.0.1:{server.port}", "--connections", wanted,
                             "--sources", 200, "--time", settings.seconds + 60)
        ready = holder.line(settings.seconds)
        if ready["held"] != wanted:
            raise RuntimeError(f"only {ready['held']} of {wanted} connections: {ready}")
        time.sleep(1)
        rss_held, pss_held = tools.memory(server.pids())
        return {"connections": wanted, "rss_kib": (rss_held - rss) / wanted, "pss_kib": (pss_held - pss) / wanted,
                "total_rss_kib": rss_held, "total_pss_kib": pss_held, "seconds": time.monotonic() - began}
    finally:
        if holder is not None:
            holder.end()
        server.end()
        refused.end()


def tls(server, settings):
    """Sessions by STARTTLS that send nothing, with the same RSA certificate; then memory, as in idle."""
    refused = tools.RefusedPort()
    idle_sessions = settings.idle_postfix if server.name == "Postfix" else min(settings.idle, 2000)
    holder = None
    try:
        server.start("tls", ("127.0.0.1", refused.port))
        run = Run(server, settings)
        run.warm("user%u@dom%d.test")
        tls_load(server, settings, settings.connections * 5)
        whole = tls_load(server, settings, settings.sessions)
        resumed = tls_load(server, settings, settings.sessions, "--resume", "on")
        if resumed["resumed"] * 4 < resumed["done"]:
            raise RuntimeError(f"hardly anything is resumed: {resumed}")
        _, pss = tools.memory(server.pids())
        holder = tools.Child("tls", "--to", f"127.0.0.1:{server.port}", "--sessions", idle_sessions, "--hold", "on",
                             "--sources", 200, "--time", settings.seconds + 60)
        ready = holder.line(settings.seconds)
        if ready["held"] != idle_sessions:
            raise RuntimeError(f"only {ready['held']} of {idle_sessions} sessions: {ready}")
        time.sleep(1)
        _, pss_held = tools.memory(server.pids())
        return {"rate": whole["rate"], "p50": whole["session_ms"]["p50"], "p99": whole["session_ms"]["p99"],
                "resumed_rate": resumed["rate"], "pss_kib": (pss_held - pss) / idle_sessions}
    finally:
        if holder is not None:
            holder.end()
        server.end()
        refused.end()


def tls_load(server, settings, sessions, *more):
    """Sessions with TLS; the load's own figures, none of them failed."""
    done = tools.run_tool("tls", "--to", f"127.0.0.1:{server.port}", "--connections", settings.connections,
                          "--sessions", sessions, "--time", settings.seconds, *more, timeout=settings.seconds + 60)
    if done["failed"] or done["done"] != sessions:
        raise RuntimeError(f"sessions failed: {done}\n{server.log_tail()}")
    return done


def stream(server, settings):
    """As accept, with connections that are kept: what a peer with much to send does."""
    return accept(server, settings, "stream", **{"per-connection": 20})


def hold(server, settings):
    """As accept, with Postfix at its best: its queue manager never sees the messages."""
    return accept(server, settings, "hold")


WORKS = {"accept": accept, "stream": stream, "hold": hold, "deliver": deliver, "relay": relay, "tls": tls, "idle": idle,
         "crowd": crowds.crowd, "slow": crowds.slow, "million": million}
# Works in which a server would do exactly what it did in another: its figures are taken from there.
SAME_AS = {("hold", "Postrider"): "accept"}


BARE = [("append and fdatasync each", ("append", "--group", 1)),
        ("append, 20 to a fdatasync", ("append", "--group", 20)),
        ("two appenders, 20 to a fdatasync", ("append", "--group", 20, "--threads", 2)),
        ("file: create, write, fsync, rename; 1 thread", ("maildir", "--threads", 1, "--dirsync", "off")),
        ("file: the same, 20 threads", ("maildir", "--threads", 20, "--dirsync", "off")),
        ("file: and fsync of new/; 1 thread", ("maildir", "--threads", 1)),
        ("file: and fsync of new/; 20 threads", ("maildir", "--threads", 20))]


def bare(directory, seconds, size, maildirs):
    """What the disk allows without a mail server: [(title, JSON of the bare program)]."""
    found = []
    where = os.path.join(directory, "bare")
    for title, args in BARE:
        os.mkdir(where)
        os.sync()
        more = ("--maildirs", maildirs) if args[0] == "maildir" else ()
        found.append((title, tools.run_tool("bare", *args, *more, "--dir", where, "--size", size,
                                            "--time", seconds, timeout=seconds + 60)))
        tools.put_aside(where)
    return found


def generator(settings):
    """The load generator into the sink: the most that any figure here could be."""
    sink = tools.Sink()
    try:
        done = tools.load(sink.port, settings.load_options(settings.messages * 4, "user%u@remote%d.test"),
                          settings.seconds)
        if done["failed"] or sink.counts()["messages"] != done["accepted"]:
            raise RuntimeError(f"load says {done}, sink says {sink.counts()}")
        return done
    finally:
        sink.end()
