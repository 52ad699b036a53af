"""Bounded waiting and free ports, for every test that talks to a live program.

Invariant: nothing here waits without a limit, and a port handed out is not handed out again to any
test process of this host while its owner lives.  Limits are those of an idle machine; on a busy one they
grow with what it has to do, so that a test fails for what does not happen, not for when.
"""

import os
import random
import socket
import time

# Listening ports are taken below the range the kernel uses for outgoing connections.
FIRST_PORT, LAST_PORT = 10000, 32000
_reserved = []
# A machine that is busier than this is too busy to test anything on.
MOST_PATIENCE = 10.0


def patience():
    """By how much things take longer than on an idle machine: who wants to run, for each processor; 1 to MOST_PATIENCE."""
    with open("/proc/loadavg", encoding="ascii") as load:
        minute, _, _, running = load.read().split()[:4]
    wanting = max(float(minute), float(running.partition("/")[0]))
    return min(MOST_PATIENCE, max(1.0, wanting / (os.cpu_count() or 1)))


def wait_for(predicate, timeout=10.0, what="", interval=0.01):
    """Call predicate until it returns something true, and return that.

    Raises AssertionError naming `what` after `timeout` seconds, times patience().  An AssertionError raised by the
    predicate itself counts as "not yet"; its text is part of the failure.
    """
    began = time.monotonic()
    last = ""
    while True:
        # Asked before: who was not run for a long time after looks once more.
        waited = time.monotonic() - began
        try:
            value = predicate()
            if value:
                return value
            last = f"last value {value!r}"
        except AssertionError as error:
            last = str(error)
        if waited >= timeout and waited >= timeout * patience():
            name = what or getattr(predicate, "__name__", "condition")
            raise AssertionError(f"not within {waited:.1f} s: {name}; {last}")
        time.sleep(interval)


def reserve_port(host="127.0.0.1"):
    """Return a TCP and UDP port that is free on `host`, reserved until this process ends.

    SO_REUSEPORT lets two daemons of one user share a port by accident, so binding is no proof of
    being alone: the reservation is an abstract unix socket named after the port, which the kernel
    drops with the process.
    """
    for _ in range(2000):
        port = random.randint(FIRST_PORT, LAST_PORT)
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            claim.bind(f"\0postrider-test-port-{port}")
        except OSError:
            claim.close()
            continue
        if _is_free(host, port):
            _reserved.append(claim)
            return port
        claim.close()
    raise RuntimeError("no free port found")


def _is_free(host, port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("0.0.0.0" if host == "0.0.0.0" else host, port))
            except OSError:
                return False
    return True


def alive(pid):
    """Whether process `pid` exists and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def descendants(pid):
    """Process ids below `pid`, as {pid: parent}, read from /proc in one pass."""
    parents = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as stat:
                fields = stat.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if fields[0] not in (b"Z", b"X"):
            parents[int(name)] = int(fields[1])
    below = {}
    grown = True
    while grown:
        grown = False
        for child, parent in parents.items():
            if child not in below and (parent == pid or parent in below):
                below[child] = parent
                grown = True
    return below
