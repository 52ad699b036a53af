"""The storage library under at least 10 000 power cuts and every failing call: the long form of
tests/unit/test_spool_crash.c, whose short form runs with the unit tests."""

import os
import re
import subprocess

import pytest

from lib.instance import TOP


@pytest.mark.limit(6000)
def test_ten_thousand_cuts(long_run):
    if not long_run:
        pytest.skip("the short form runs with the unit tests; CRASH_LONG=1 runs this")
    subprocess.run(["make", "--no-print-directory", "build/unit/test_spool_crash"], cwd=TOP, check=True, timeout=900)
    done = subprocess.run([str(TOP / "build/unit/test_spool_crash")], env={**os.environ, "CRASH_LONG": "1"},
                          capture_output=True, text=True, timeout=5000, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    points, images = map(int, re.search(r"(\d+) cut points, (\d+) images", done.stdout + done.stderr).groups())
    print(f"{points} cut points, {images} images")
    assert images >= 10_000
