#!/usr/bin/python3
"""`make bench`: Postrider and Postfix, one after the other, at the same works on the same disk.

    tests/bench/bench.py [--quick] [--work NAME,...] [--only postfix|postrider] [--json FILE] ...

Prints a table: work, Postrider, Postfix, ratio of the medians, minimum and maximum of the rounds; and
what the bare disk and the load generator can do.  doc/PERFORMANCE.md tells the method.  Exit status 0
when every run gave its figures, 1 otherwise; a Postfix that cannot be had is a line, not a failure.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import servers  # noqa: E402
import tools  # noqa: E402
import works  # noqa: E402

# work, figure, its row's name, format, whether more is better
ROWS = [
    ("accept", "rate", "accept, queue only: messages/s", "{:.0f}", True),
    ("accept", "p99", "  connect to 250, p99: ms", "{:.1f}", False),
    ("accept", "data_p99", "  DATA to 250, p99: ms", "{:.1f}", False),
    ("hold", "rate", "the same, Postfix on hold: messages/s", "{:.0f}", True),
    ("hold", "p99", "  connect to 250, p99: ms", "{:.1f}", False),
    ("stream", "rate", "accept, 20 on each connection: messages/s", "{:.0f}", True),
    ("stream", "data_p99", "  DATA to 250, p99: ms", "{:.1f}", False),
    ("deliver", "rate", "accept and deliver to Maildir: messages/s", "{:.0f}", True),
    ("deliver", "p99", "  connect to 250, p99: ms", "{:.1f}", False),
    ("relay", "rate", "accept and relay to a sink: messages/s", "{:.0f}", True),
    ("relay", "p99", "  connect to 250, p99: ms", "{:.1f}", False),
    ("tls", "rate", "sessions with TLS, whole handshakes: sessions/s", "{:.0f}", True),
    ("tls", "p99", "  connect to 221, p99: ms", "{:.1f}", False),
    ("tls", "resumed_rate", "  the same with session tickets: sessions/s", "{:.0f}", True),
    ("tls", "pss_kib", "memory of an idle connection with TLS (PSS): KiB", "{:.1f}", False),
    ("idle", "pss_kib", "memory of an idle connection (PSS): KiB", "{:.1f}", False),
    ("idle", "rss_kib", "  the same as RSS, shared pages in each: KiB", "{:.1f}", False),
    ("crowd", "beside_p50", "a session beside 10,000 idle, to EHLO, p50: ms", "{:.2f}", False),
    ("crowd", "beside_p99", "  p99: ms", "{:.2f}", False),
    ("crowd", "alone_p50", "  without them, p50: ms", "{:.2f}", False),
    ("crowd", "rate", "  1,000 connections sending beside: messages/s", "{:.0f}", True),
    ("slow", "beside_percent", "a client beside 500 slow ones: % of its rate", "{:.0f}", True),
    ("slow", "cost_percent", "  what the slow ones take of a processor: %", "{:.1f}", False),
    ("slow", "least_percent", "  the worst of the pairs: %", "{:.0f}", True),
    ("million", "start", "start with a million deferred to first message: s", "{:.2f}", False),
    ("million", "each", "  memory for each recipient: octets", "{:.0f}", False),
    ("million", "enqueue_us", "  to add and settle a message: us", "{:.1f}", False),
    ("million", "enqueue_ratio", "  against an empty queue", "{:.2f}", False),
    ("million", "cpu_ratio", "  the same in processor time", "{:.2f}", False),
    ("million", "turn_ms", "  longest turn of the loop meanwhile: ms", "{:.1f}", False),
    ("million", "copied_turn_ms", "  and beside a checkpoint: ms", "{:.1f}", False),
    ("million", "disk_ratio", "  segments, less two, over live mail, compacted", "{:.2f}", False),
]


def parse_options():
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure Postrider beside Postfix.")
    parser.add_argument("--quick", action="store_true", help="one round, fewer messages: tells that it works, not how well")
    parser.add_argument("--work", default=",".join((*works.WORKS, "bare", "generator")), help="works, comma separated")
    parser.add_argument("--only", choices=("postfix", "postrider"), help="measure one of the two")
    parser.add_argument("--rounds", type=int, help="rounds (3, quick 1)")
    parser.add_argument("--messages", type=int, help="messages a run (10000, quick 1500)")
    parser.add_argument("--connections", type=int, default=20, help="connections at once (20)")
    parser.add_argument("--per-connection", type=int, default=1, help="messages on each connection (1)")
    parser.add_argument("--size", type=int, default=4096, help="octets of a message (4096)")
    parser.add_argument("--domains", type=int, default=100, help="domains hosted (100)")
    parser.add_argument("--users", type=int, default=20, help="users in each (20)")
    parser.add_argument("--owners", choices=("one", "domain"), default="one",
                        help="mailboxes of all domains have one owner, or one owner each")
    parser.add_argument("--sessions", type=int, help="sessions with TLS (5000, quick 500)")
    parser.add_argument("--idle", type=int, help="idle connections to Postrider (10000, quick 1000)")
    parser.add_argument("--queued", type=int, help="deferred messages in the work million (1000000, quick 50000)")
    parser.add_argument("--idle-postfix", type=int, default=50, help="and to Postfix, a process each (50)")
    parser.add_argument("--seconds", type=int, default=180, help="the longest a load may take")
    parser.add_argument("--dir", default="/var/tmp", help="where, on the file system to be measured")
    parser.add_argument("--json", metavar="FILE", help="all figures of all runs")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.messages = options.messages or (1500 if options.quick else 10000)
    options.sessions = options.sessions or (500 if options.quick else 5000)
    options.queued = options.queued or (50000 if options.quick else 1000000)
    options.idle = options.idle or (1000 if options.quick else 10000)
    options.work = options.work.split(",")
    for name in options.work:
        if name not in (*works.WORKS, "bare", "generator"):
            parser.error(f"--work: there is no {name}")
    return options


def progress(text):
    """A line for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def choose_servers(directory, options):
    """Both servers, less those that cannot be measured, with a clear line about each of these."""
    fixture = servers.Fixture(options.domains, options.users, options.owners)
    both = [servers.Postrider(directory, fixture), servers.Postfix(directory, fixture)]
    chosen, complete = [], True
    for server in both:
        if options.only and options.only != server.name.lower():
            continue
        reason = server.missing()
        if reason:
            print(f"{server.name} is not measured: {reason}")
            complete = complete and server.name == "Postfix" and not options.only
        else:
            chosen.append(server)
    return chosen, complete


def measure_once(work, server, settings):
    """One run; its figures, or the error that it ended with."""
    try:
        return works.WORKS[work](server, settings)
    except (RuntimeError, OSError, AssertionError, subprocess.SubprocessError) as error:
        progress(f"  failed: {error}")
        return {"error": str(error)}


def measure(chosen, settings, options, directory):
    """All rounds, each of all works, the servers taking turns: {work: {server: [result, ...]}}.

    Rounds are outermost, so that what changes with time in the host meets all alike.
    """
    found = {work: {server.name: [] for server in chosen} for work in options.work if work in works.WORKS}
    limits = {}
    for number in range(options.rounds):
        if "bare" in options.work:
            progress(f"round {number + 1} of {options.rounds}: the bare disk")
            seconds = 2 if options.quick else 4
            for title, row in works.bare(directory, seconds, options.size, options.domains * options.users):
                limits.setdefault(title, []).append(row)
        for work, sides in found.items():
            for server in chosen:
                if (work, server.name) not in works.SAME_AS and (work != "million" or server.name == "Postrider"):
                    progress(f"round {number + 1} of {options.rounds}: {work}, {server.name}")
                    sides[server.name].append(measure_once(work, server, settings))
    for (work, name), other in works.SAME_AS.items():
        if work in found and other in found:
            found[work][name] = found[other].get(name, [])
    return found, limits


def cell(results, figure, form):
    """(median, text) of one server's rounds; (None, why) if a round has no figure."""
    if not results:
        return None, "-"
    if any("error" in result for result in results):
        return None, "failed"
    values = [result[figure] for result in results]
    median = statistics.median(values)
    text = form.format(median)
    if len(values) > 1:
        text += f" ({form.format(min(values))}-{form.format(max(values))})"
    return median, text


def print_table(found):
    """The table: the median of each, in parentheses least and most of the rounds."""
    print(f"\n{'work':<46}{'Postrider':>24}{'Postfix':>24}{'ratio':>8}")
    for work, figure, title, form, more in ROWS:
        if work not in found:
            continue
        ours, ours_text = cell(found[work].get("Postrider"), figure, form)
        theirs, theirs_text = cell(found[work].get("Postfix"), figure, form)
        ratio = ""
        if ours and theirs:
            ratio = f"{ours / theirs if more else theirs / ours:.1f}x"
        print(f"{title:<46}{ours_text:>24}{theirs_text:>24}{ratio:>8}")


def print_limits(limits, found, made):
    """What the disk and the generator allow, and how near delivery comes to it."""
    delivered = {name: cell(runs, "rate", "{:.0f}")[0] for name, runs in found.get("deliver", {}).items()}
    if limits:
        print(f"\n{'the bare disk: per second':<46}{'':>24}   deliver reaches of it")
    for title, rows in limits.items():
        rate, text = cell(rows, "rate", "{:.0f}")
        shares = [f"{name} {value / rate * 100:.0f} %" for name, value in delivered.items() if value]
        print(f"  {title:<44}{text:>24}   {', '.join(shares) if 'file' in title else ''}".rstrip())
    if made:
        print(f"\nThe load generator reaches {made['rate']:.0f} messages/s into the sink, using "
              f"{made['cpu_seconds'] / made['seconds'] * 100:.0f} % of one processor.")


def print_noise(found):
    """Whether others used the processors meanwhile."""
    shares = [result["others"] for sides in found.values() for runs in sides.values()
              for result in runs if "others" in result]
    if shares and max(shares) > 0.05:
        print(f"\nOther programs used up to {max(shares) * 100:.0f} % of the processors before a run "
              f"({statistics.median(shares) * 100:.0f} % in the median): these figures are no more than a hint.")


def main():
    """The whole of it."""
    options = parse_options()
    sys.stdout.reconfigure(line_buffering=True)
    # An orderly end, so that no server outlives this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    settings = works.Settings(options)
    directory = tools.make_place(options.dir)
    kind, device = tools.file_system(directory)
    print(f"{os.cpu_count()} processors, {kind} on {device}, Linux {os.uname().release}; "
          f"{options.messages} messages of {options.size} octets, {options.connections} connections, "
          f"{options.per_connection} message(s) each; {options.domains} domains of {options.users} users")
    if kind in ("tmpfs", "overlay"):
        print(f"Note: {options.dir} is on {kind}; choose a disk with --dir, or flushes mean nothing.")
    try:
        chosen, complete = choose_servers(directory, options)
        made = works.generator(settings) if "generator" in options.work else None
        found, limits = measure(chosen, settings, options, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print_table(found)
    print_limits(limits, found, made)
    print_noise(found)
    if options.json:
        document = {"options": vars(options), "works": found, "bare": limits, "generator": made}
        pathlib.Path(options.json).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    failed = any("error" in result for sides in found.values() for runs in sides.values() for result in runs)
    return 0 if complete and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
