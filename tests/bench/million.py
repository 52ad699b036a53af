"""The work `million`: a queue as a long outage of the world leaves it, a million deferred messages of one recipient each.

Postrider alone.  build/bench/million writes the spool (real segments, a real journal); then postriderd is started on it,
and on an empty one for comparison.  Figures: seconds from its exec to the first message at the next hop, memory of the
queue manager for each recipient, what adding a message costs against an empty queue, and the disk that is used when most
of the mail is gone and compaction has done its work.
"""

import os
import pathlib
import statistics
import time

import servers
import tools
from lib import control
from lib.waiting import descendants, wait_for

# In the past already when the server starts: what it delivers first.
DUE = 20
DOMAINS = 1000
START_LIMIT = 120
COMPACT_LIMIT = 300
KEEP_PERCENT = 30
SEGMENT = 16 << 20
ENQUEUED = 100000
TURNS = 3


def tool(settings, mode, spool, **more):
    """One run of build/bench/million."""
    args = [word for key, value in more.items() for word in (f"--{key}", value)]
    return tools.run_tool("million", "--mode", mode, "--spool", spool, "--size", settings.size // 2, *args,
                          timeout=settings.seconds * 4)


def give_spool(spool):
    """The queue manager owns what is in it."""
    for path in pathlib.Path(spool).rglob("*"):
        servers.give(path, servers.USERS["queue"])


def queue_pids(server):
    """The queue manager, and the children that write checkpoints for it."""
    found = []
    for pid in descendants(server.process.pid):
        try:
            if os.readlink(f"/proc/{pid}/exe").endswith("/queue"):
                found.append(pid)
        except OSError:
            continue
    return found


def queue_memory(server):
    """Octets resident in the queue manager, once no child copies its pages."""
    wait_for(lambda: len(queue_pids(server)) == 1, START_LIMIT, "the checkpoint of the start", 0.1)
    return tools.memory(queue_pids(server))[0] * 1024


def status(server):
    """What the queue manager says of itself: numbers by name."""
    return {name: int(value) if value.isdigit() else value
            for name, value in control.ask(server.dir / "spool/sockets/control/queue", "status")}


def measure_start(server, settings, sink):
    """Seconds to the greeting and to the first message at the next hop, octets for each recipient.  The server is
    stopped in the end; its spool is left."""
    next_hop = ("127.0.0.1", sink.port)

    def fill():
        tool(settings, "make", server.dir / "spool", count=settings.queued, domains=DOMAINS, due=DUE)
        give_spool(server.dir / "spool")
        os.sync()

    server.start("million", next_hop)
    empty = queue_memory(server)
    server.stop()
    server.start("million", next_hop, fill)
    greeting = time.time()
    wait_for(lambda: sink.counts()["messages"] > 0, START_LIMIT, "the first message", 0.05)
    first = sink.counts()["first_message"]
    wait_for(lambda: sink.counts()["messages"] == DUE, START_LIMIT, "what was due", 0.1)
    full, counts = queue_memory(server), status(server)
    server.stop()
    if counts["messages"] != settings.queued - DUE:
        raise RuntimeError(f"{settings.queued} were written, the queue has {counts['messages']}")
    return {"start": first - server.launched, "greeting": greeting - server.launched,
            "each": (full - empty) / counts["recipients"]}


def measure_enqueue(settings, spool, empty):
    """Microseconds to add and settle a message: of time and of processor, with the queue and without, in turns."""
    runs = [[tool(settings, "enqueue", where, count=ENQUEUED) for where in (empty, spool)] for _ in range(TURNS)]
    bare, full = zip(*runs)

    def median(rows, figure, stretch="enqueue"):
        return statistics.median(row[stretch][figure] for row in rows)

    return {"enqueue_us": median(full, "each_us"), "enqueue_ratio": median(full, "each_us") / median(bare, "each_us"),
            "cpu_ratio": median(full, "cpu_us") / median(bare, "cpu_us"),
            "turn_ms": median(full, "turn_us") / 1000, "turn_empty_ms": median(bare, "turn_us") / 1000,
            "copied_us": median(full, "each_us", "beside_checkpoint"),
            "copied_turn_ms": median(full, "turn_us", "beside_checkpoint") / 1000}


def used(spool):
    """Octets of disk that segments take."""
    return sum(path.stat().st_blocks * 512 for path in (spool / "segments").iterdir())


def measure_disk(server, settings):
    """Disk used over octets of live mail, after most was settled all over the segments and compaction came to rest."""
    refused = tools.RefusedPort()

    def fill():
        spool = server.dir / "spool"
        tool(settings, "make", spool, count=max(settings.queued // 5, 100000))
        tool(settings, "thin", spool, keep=KEEP_PERCENT)
        give_spool(spool)

    def at_rest():
        now = status(server)
        return now["emptied"] > 0 and now["compacting"] == "no"

    try:
        server.start("million", ("127.0.0.1", refused.port), fill)
        wait_for(at_rest, COMPACT_LIMIT, "compaction", 0.5)
        time.sleep(2)
        now = status(server)
        return {"disk_ratio": (now["sealed"] - 2 * SEGMENT) / now["live"], "disk": used(server.dir / "spool"), "live": now["live"],
                "moved": now["moved"]}
    finally:
        server.end()
        refused.end()


def million(server, settings):
    """All of it; the spool is written once."""
    if server.name != "Postrider":
        raise RuntimeError("Postrider alone")
    empty = server.dir.with_name("million-empty")
    sink = tools.Sink()
    try:
        others = tools.busy_share(0.5)
        result = measure_start(server, settings, sink)
        tool(settings, "make", empty, count=1)
        result.update(measure_enqueue(settings, server.dir / "spool", empty))
        server.end()
        return {**result, **measure_disk(server, settings), "others": others}
    finally:
        server.end()
        sink.end()
        tools.put_aside(empty)
