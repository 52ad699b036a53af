"""The measuring programs as Python sees them, and what /proc and the Maildirs tell.

Used by works.py.  Invariants: every program started here has a time limit of its own, and what it
says is taken from its JSON, never from what was asked of it.
"""

import itertools
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
TOOLS = TOP / "build/bench"

# In front of a command: it is asked to end when this process does, even by SIGKILL.
ENDS_WITH_US = ("/usr/bin/setpriv", "--pdeathsig", "TERM", "--")


def make_place(parent):
    """A directory for all servers, to be removed when everything is measured.

    ext4 gives no inode away again for five minutes, and looks at each that it passes over: making a file in
    a part of the disk where ten thousand were just removed costs three times as much.  So nothing is removed before the end
    (put_aside), and what one server removes must not lie beside another: +T gives each directory in here a part of its own.
    """
    place = tempfile.mkdtemp(prefix="postrider-bench-", dir=parent)
    os.chmod(place, 0o755)
    subprocess.run(["chattr", "+T", place], stderr=subprocess.DEVNULL, check=False)  # other file systems do not know it
    return place


def put_aside(path):
    """Out of the way of the next directory of that name, if it is there at all."""
    if os.path.exists(path):
        os.rename(path, next(aside for aside in (f"{path}.{n}" for n in itertools.count(1)) if not os.path.exists(aside)))


def run_tool(name, *args, timeout):
    """Run load or bare to its end; its JSON, or RuntimeError with what it said instead."""
    done = subprocess.run([*ENDS_WITH_US, str(TOOLS / name), *map(str, args)], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=timeout, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"{name} {' '.join(map(str, args))}: {done.returncode} {done.stderr}") from None


def load(port, options, seconds):
    """Run the load generator against a port of this host; `options` as its own, without dashes."""
    args = [word for key, value in options.items() for word in (f"--{key}", str(value))]
    return run_tool("load", "--to", f"127.0.0.1:{port}", "--time", seconds, "--stall", 30, *args,
                    timeout=seconds + 60)


class Child:
    """A program that prints JSON lines while it runs."""

    def __init__(self, name, *args):
        self.process = subprocess.Popen([*ENDS_WITH_US, str(TOOLS / name), *map(str, args)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.name = name

    def line(self, limit=30):
        """Its next line, of which it prints no more than one at a time."""
        ready, _, _ = select.select([self.process.stdout], [], [], limit)
        if not ready:
            raise RuntimeError(f"{self.name} said nothing for {limit} s")
        text = self.process.stdout.readline()
        if not text:
            raise RuntimeError(f"{self.name} ended with {self.process.wait(5)}")
        return json.loads(text)

    def end(self):
        """Close its stdin, and wait."""
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self.process.stdout.close()


class Sink(Child):
    """The server that counts and keeps nothing."""

    def __init__(self, limit=7200):
        super().__init__("sink", "--time", limit)
        self.port = self.line()["port"]

    def counts(self):
        """What it has counted so far."""
        self.process.send_signal(signal.SIGUSR1)
        return self.line()

    def end(self):
        self.process.terminate()
        super().end()


class RefusedPort:
    """A port of loopback that is taken, so nobody else gets it, and refuses every connection."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def end(self):
        """Give the port back."""
        self.socket.close()


def count_files(directories):
    """Number of files in all the directories."""
    return sum(len(os.listdir(path)) for path in directories)


def last_change(directories):
    """When the newest file got its present name, in seconds since 1970 (0 if there is none)."""
    newest = 0
    for path in directories:
        with os.scandir(path) as entries:
            for entry in entries:
                newest = max(newest, entry.stat().st_ctime_ns)
    return newest / 1e9


def memory(pids):
    """(RSS, PSS) of the processes together, in KiB.  PSS splits pages among those who share them."""
    rss = pss = 0
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue  # it ended meanwhile
        for line in text.splitlines():
            if line.startswith("Rss:"):
                rss += int(line.split()[1])
            elif line.startswith("Pss:"):
                pss += int(line.split()[1])
    return rss, pss


def busy_jiffies():
    """(busy, waiting for disk, all) ticks of all processors since boot."""
    with open("/proc/stat", encoding="ascii") as stat:
        ticks = [int(word) for word in stat.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], ticks[4], sum(ticks)


def busy_share(seconds):
    """Which part of all processors was in use for the next so many seconds, 0 to 1."""
    before = busy_jiffies()
    time.sleep(seconds)
    now = busy_jiffies()
    return (now[0] - before[0]) / max(1, now[2] - before[2])


def file_system(path):
    """(type, device) of the file system that holds `path`."""
    best = ("", "?", "?")
    real = os.path.realpath(path)
    with open("/proc/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            device, point, kind = line.split()[:3]
            inside = real == point or real.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(best[0]):
                best = (point, kind, device)
    return best[1], best[2]
