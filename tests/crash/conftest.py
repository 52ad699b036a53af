"""Fixtures of the crash tests."""

import os

import pytest

from crash.disks import Disks, Unavailable

LONG = any(os.environ.get(name) == "1" for name in ("CRASH_LONG", "POSTRIDER_TEST_LONG"))


@pytest.fixture
def long_run():
    """Whether there is time: `make crash`, or CRASH_LONG=1."""
    return LONG


@pytest.fixture
def disks():
    """Disks of one test; the test is skipped where the machine has none to give."""
    try:
        one = Disks()
    except Unavailable as why:
        pytest.skip(str(why))
    try:
        yield one
    except Unavailable as why:
        pytest.skip(str(why))
    finally:
        one.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """What a machine cannot do is a skip with its reason, not a failure."""
    outcome = yield
    if outcome.excinfo is not None and issubclass(outcome.excinfo[0], Unavailable):
        outcome.force_exception(pytest.skip.Exception(str(outcome.excinfo[1])))
