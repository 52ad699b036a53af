"""Fixtures of the crash tests."""

import os

import pytest

from crash.disks import Disks

LONG = any(os.environ.get(name) == "1" for name in ("CRASH_LONG", "POSTRIDER_TEST_LONG"))


@pytest.fixture
def long_run():
    """Whether there is time: `make crash`, or CRASH_LONG=1."""
    return LONG


@pytest.fixture
def disks():
    """Disks of one test; the test is skipped where the machine has none to give."""
    one = Disks()
    try:
        yield one
    finally:
        one.close()
