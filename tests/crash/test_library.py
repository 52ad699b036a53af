"""The storage library under at least 10 000 power cuts and every failing call: the long forms of
tests/unit/test_spool_crash.c, test_failing_disk.c and test_compact_crash.c, whose short forms run with the unit tests."""

import os
import re
import subprocess

import pytest

from lib.instance import TOP


def run_long(name, capsys):
    """(cut points, images) of the long form of a unit test; what it counted is shown."""
    subprocess.run(["make", "--no-print-directory", f"build/unit/{name}"], cwd=TOP, check=True, timeout=900)
    done = subprocess.run([str(TOP / f"build/unit/{name}")], env={**os.environ, "CRASH_LONG": "1"},
                          capture_output=True, text=True, timeout=5000, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    said = done.stdout + done.stderr
    points, images = map(int, re.search(r"(\d+) cut points, (\d+) images", said).groups())
    with capsys.disabled():
        print("", *(f"counted: {name}: {line}" for line in re.findall(r"# (\d+ (?:cut points|acknowledged).*)", said)),
              sep="\n")
    return points, images


@pytest.mark.limit(6000)
def test_ten_thousand_cuts(long_run, capsys):
    if not long_run:
        pytest.skip("the short form runs with the unit tests; CRASH_LONG=1 runs this")
    assert run_long("test_spool_crash", capsys)[1] >= 10_000


@pytest.mark.limit(6000)
def test_cuts_on_a_failing_disk(long_run, capsys):
    if not long_run:
        pytest.skip("the short form runs with the unit tests; CRASH_LONG=1 runs this")
    assert run_long("test_failing_disk", capsys)[1] >= 10_000


@pytest.mark.limit(6000)
def test_cuts_while_segments_are_emptied(long_run, capsys):
    if not long_run:
        pytest.skip("the short form runs with the unit tests; CRASH_LONG=1 runs this")
    assert run_long("test_compact_crash", capsys)[1] >= 3_000
