"""The power is cut at any point of what the disk really saw.

Spool and mailboxes stand on an ext4 below which a recorder (tests/tools/recfs_main.c) writes down every
write, every flush, and, from this test, every 250 that a client has read.  Each image made of a
beginning of that log, with any part of what was not flushed, torn at sectors or not, is mounted and
Postrider started on it.  What must hold: every message whose 250 had been read is in its mailbox, once,
octet for octet; no other message is there twice or in part; and nothing was called damaged.
"""

import random
import time

import pytest

from crash.disks import MIB, Recorder, Replay
from crash.machines import RECIPIENTS, machine
from lib.load import Load, check_copy
from lib.waiting import wait_for

pytestmark = pytest.mark.root

SHORT_IMAGES, LONG_IMAGES = 10, 400


class Marking(dict):
    """The acknowledged messages of a Load; each is marked on the recorder when its 250 has been read."""

    def __init__(self, recorder):
        super().__init__()
        self.recorder = recorder

    def __setitem__(self, name, recipient):
        self.recorder.mark(name)
        super().__setitem__(name, recipient)


def play_load(disks, seconds):
    """A load on a recorded disk; returns the log as a Replay and what was sent."""
    image = disks.image("disk", 96 * MIB)
    recorder = disks.recorder(image)
    mount = disks.mount(recorder.disk, "live")
    mta = machine(mount.path, mount.path)
    with mta:
        mta.start()
        small = Load(mta, RECIPIENTS, connections=12, pause=0.01)
        large = Load(mta, RECIPIENTS, connections=1, pause=0.2, size=400_000)
        small.acked, large.acked = Marking(recorder), Marking(recorder)
        with small, large:
            wait_for(lambda: len(small.acked) > 20 and large.acked, 20, "traffic")
            time.sleep(seconds)
        mta.wait_queue_empty(60)
    disks.unmount(mount)
    recorder.close()
    print(f"recorded: {len(small.acked)} small and {len(large.acked)} large messages acknowledged")
    return Replay(recorder), {**small.sent, **large.sent}


def count_copies(mta):
    """How often each message lies in a mailbox; each copy is checked to be whole."""
    copies = {}
    for path in mta.domains.all_files():
        name = check_copy(path.read_bytes())
        copies[name] = copies.get(name, 0) + 1
    return copies


def check_image(disks, path, acked, sent):
    """Start Postrider on an image, let it deliver what it finds, and count."""
    mount = disks.mount(path, "cut")
    mta = machine(mount.path, mount.path, domains=False)
    try:
        with mta:
            mta.start()
            mta.wait_queue_empty(30)
            copies = count_copies(mta)
            aside = sorted(entry.name for entry in (mount.path / "spool/corrupt").iterdir())
    finally:
        disks.unmount(mount)
    lost = [name for name in acked if name not in copies]
    assert not lost, f"{len(lost)} of {len(acked)} acknowledged messages lost: {lost[:5]}"
    twice = {name: count for name, count in copies.items() if count != 1}
    assert not twice, f"delivered more than once: {twice}"
    assert set(copies) <= set(sent)
    assert not aside, f"set aside as corrupt after a mere power cut: {aside}"


def check_cut(disks, replay, sent, flush, rng):
    """One power cut somewhere between a flush and the next."""
    after = replay.flushes[flush + 1] if flush + 1 < len(replay.flushes) else len(replay.records)
    upto = rng.randint(replay.flushes[flush] + 1, after)
    chance, torn = rng.choice([0.0, 0.5, 0.5, 0.1, 0.9, 1.0]), rng.random() < 0.7
    path = disks.folder / "cut.img"
    replay.write(path, flush, upto, chance, torn, rng)
    acked = replay.marks(upto)
    try:
        check_image(disks, path, acked, sent)
    except AssertionError as error:
        raise AssertionError(f"power cut after flush {flush} of {len(replay.flushes)}, record {upto} of "
                             f"{len(replay.records)}, chance {chance}, torn {torn}: {error}") from error
    return len(acked)


def first_of_interest(replay):
    """The first flush after which the daemon was there: before it there is no spool to look at."""
    first_mark = next(number for number, record in enumerate(replay.records) if record[0] == 3)
    return max(0, sum(1 for flush in replay.flushes if flush < first_mark) - 4)


@pytest.mark.limit(7000)
def test_power_cut_anywhere(disks, long_run):
    replay, sent = play_load(disks, 12 if long_run else 2)
    rng = random.Random(20)
    begin = first_of_interest(replay)
    images = min(LONG_IMAGES if long_run else SHORT_IMAGES, len(replay.flushes) - begin)
    flushes = sorted(rng.sample(range(begin, len(replay.flushes)), images))
    until = time.monotonic() + (6000 if long_run else 35)
    done, most = 0, 0
    for flush in flushes:
        most = max(most, check_cut(disks, replay, sent, flush, rng))
        done += 1
        if time.monotonic() > until:
            break
    assert done >= 3, "no time for more than two images"
    print(f"{done} power cuts of {len(replay.flushes)} flushes and {len(replay.records)} records; up to {most} "
          "messages had been acknowledged")


def test_power_cut_during_recovery(disks, long_run):
    """The disk is cut once under load, and again while Postrider starts on what that left."""
    replay, sent = play_load(disks, 1)
    rng = random.Random(7)
    for turn in range(6 if long_run else 1):
        flush = rng.randrange(first_of_interest(replay), len(replay.flushes) - 1)
        path = disks.folder / f"first-{turn}.img"
        upto = replay.flushes[flush + 1]
        replay.write(path, flush, upto, 0.5, True, rng)
        acked = replay.marks(upto)
        recorder = Recorder(path, disks.folder)
        disks.recorders.append(recorder)
        mount = disks.mount(recorder.disk, "again")
        with machine(mount.path, mount.path, domains=False) as mta:
            mta.start()
            mta.wait_queue_empty(30)
        disks.unmount(mount)
        recorder.close()
        second = Replay(recorder)
        for _ in range(8 if long_run else 3):
            at = rng.randrange(len(second.flushes) - 1)
            second.write(disks.folder / "cut.img", at, second.flushes[at + 1], 0.5, True, rng)
            check_image(disks, disks.folder / "cut.img", acked, sent)
