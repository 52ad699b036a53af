"""What every Python test shares: a time limit per test, skips for want of root, a directory of its own, and the
log of each Postrider that was running when a test failed.

pytest reads this file by itself.  Invariant: no test outlives its limit, so a daemon that hangs
shows as a failure with a log, never as a suite that does not end.
"""

import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest

from lib import instance
from lib.waiting import patience

DEFAULT_LIMIT = 60


class TooLong(BaseException):
    """The test ran into its limit.  Not an Exception, so that no retry loop in a test eats it."""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """Run one test, set-up and tear-down included, under an alarm; on a busy machine it has more time."""
    marker = item.get_closest_marker("limit")
    seconds = marker.args[0] if marker else DEFAULT_LIMIT

    began = time.monotonic()

    def ring(_signum, _frame):
        left = began + seconds * patience() - time.monotonic()
        if left > 0:
            signal.setitimer(signal.ITIMER_REAL, left)
            return
        # A second ring in case tear-down hangs as well.
        signal.setitimer(signal.ITIMER_REAL, 30)
        raise TooLong(f"longer than {time.monotonic() - began:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def pytest_collection_modifyitems(items):
    """Skip what needs root when there is none; running as root never skips these."""
    if os.geteuid() == 0:
        return
    skip = pytest.mark.skip(reason="needs root")
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(skip)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Add the end of each live instance's log to the report of a failure."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for mta in list(instance.LIVE):
        text = mta.log()
        report.sections.append((f"log of {mta.root}", "\n".join(text.splitlines()[-60:])))


def pytest_sessionfinish(session):
    """Stop instances that a broken fixture left behind; each ends only its own processes."""
    for mta in list(instance.LIVE):
        mta.destroy()


@pytest.fixture
def tmp_path():
    """A directory that the processes can reach whoever they are.  pytest's own lie in one that is closed to others again
    whenever another pytest starts."""
    path = Path(tempfile.mkdtemp(prefix="prt-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def mta():
    """One started Postrider with domain1.com and domain2.com, each with its own bob."""
    with instance.two_bobs() as one:
        yield one
