"""The works about clients that only take place: thousands that are silent, hundreds that are slow.

What others do meanwhile is measured in turns with the same without them, so that what changes in the
host meets both; the ratio of each pair counts, not a time.
"""

import contextlib
import os
import socket
import statistics
import time

import tools

PAIRS = 10
SLOW = 500
SESSIONS = 300
ACTIVE = 1000
COST_SECONDS = 20


def session_ms(port):
    """From connect() to the last line of the reply to EHLO, in milliseconds."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        stream = client.makefile("rb")
        stream.readline()
        client.sendall(b"EHLO client.test\r\n")
        while stream.readline()[3:4] == b"-":
            pass
        took = (time.perf_counter() - began) * 1000
        client.sendall(b"QUIT\r\n")
        stream.readline()
    return took


def percentile(values, share):
    """The value that this share of them does not exceed."""
    return sorted(values)[max(0, int(len(values) * share) - 1)]


def hold(server, count, limit, *more):
    """A child that holds so many connections, ready; end() lets them go."""
    holder = tools.Child("idle", "--to", f"127.0.0.1:{server.port}", "--connections", count, "--sources", 200,
                         "--time", limit, *more)
    try:
        ready = holder.line(limit)
        if ready["held"] != count:
            raise RuntimeError(f"only {ready['held']} of {count} connections: {ready}\n{server.log_tail()}")
    except RuntimeError:
        holder.end()
        raise
    return holder


def cpu_seconds(pids):
    """Processor time that these processes have used."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def cost(server, count, limit):
    """What the slow ones alone take of one processor, in percent."""
    holder = hold(server, count, limit, "--drip", "user0@dom0.test")
    try:
        time.sleep(1)
        before, began = cpu_seconds(server.pids()), time.monotonic()
        time.sleep(COST_SECONDS)
        return (cpu_seconds(server.pids()) - before) / (time.monotonic() - began) * 100
    finally:
        holder.end()


def normal(server, settings, connections, messages):
    """Messages a second of a client that sends as it should."""
    done = tools.load(server.port, settings.load_options(messages, "user%u@dom%d.test", connections=connections),
                      settings.seconds)
    if done["failed"] or done["accepted"] != messages:
        raise RuntimeError(f"refused: {done['failures']} {done['rcpt_failures']}\n{server.log_tail()}")
    return done["rate"]


def crowd(server, settings):
    """New sessions on one worker that has thousands of silent ones, and a thousand that send beside them."""
    refused = tools.RefusedPort()
    small = server.name == "Postfix"
    holder = None
    try:
        server.start("crowd", ("127.0.0.1", refused.port))
        others = tools.busy_share(0.5)
        for _ in range(20):
            session_ms(server.port)
        alone = [session_ms(server.port) for _ in range(SESSIONS)]
        holder = hold(server, settings.idle_postfix if small else settings.idle, settings.seconds + 60)
        beside = [session_ms(server.port) for _ in range(SESSIONS)]
        active = min(ACTIVE, settings.messages)
        rate = 0.0 if small else normal(server, settings, active, max(settings.messages, active))
        return {"rate": rate, "alone_p50": statistics.median(alone), "alone_p99": percentile(alone, 0.99),
                "beside_p50": statistics.median(beside), "beside_p99": percentile(beside, 0.99), "others": others}
    finally:
        if holder is not None:
            holder.end()
        server.end()
        refused.end()


def slow(server, settings):
    """One client that sends as it should, without and beside hundreds that send an octet a second."""
    refused = tools.RefusedPort()
    count = settings.idle_postfix if server.name == "Postfix" else SLOW
    ratios, rates = [], []
    try:
        server.start("slow", ("127.0.0.1", refused.port))
        others = tools.busy_share(0.5)
        messages = settings.messages
        normal(server, settings, 1, messages // 10 + 1)
        share = cost(server, count, settings.seconds + 60)
        for number in range(PAIRS):
            pair = {}
            for beside in ((False, True) if number % 2 else (True, False)):
                holder = hold(server, count, settings.seconds + 60, "--drip", "user0@dom0.test") if beside else None
                try:
                    pair[beside] = normal(server, settings, 1, messages)
                finally:
                    if holder is not None:
                        holder.end()
            rates.append(pair[True])
            ratios.append(pair[True] / pair[False])
        return {"rate": statistics.median(rates), "beside_percent": statistics.median(ratios) * 100,
                "least_percent": min(ratios) * 100,
                "pairs": ratios, "cost_percent": share, "others": others}
    finally:
        server.end()
        refused.end()
