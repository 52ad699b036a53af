"""Fixtures of the integration tests."""

import pytest

from lib.world import World


@pytest.fixture
def make_world():
    """A function that makes Worlds with settings; they are closed after the test."""
    made = []

    def make(**settings):
        made.append(World(**settings))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def world(make_world):
    """A started World without sinks."""
    one = make_world()
    one.start()
    return one
