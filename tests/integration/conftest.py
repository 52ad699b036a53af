"""Fixtures of the integration tests."""

import pytest

from lib import postfix
from lib.alone import Alone
from lib.certificates import make_certificate
from lib.instance import Instance
from lib.secured import Secured
from lib.world import World


@pytest.fixture
def make_instance():
    """A function that makes Instances with these listeners and settings and a certificate; they are ended after the test."""
    made = []

    def make(*listeners, **settings):
        made.append(Instance(listeners=listeners, settings=settings))
        made[-1].certificate = make_certificate(made[-1].root)
        return made[-1]
    yield make
    for mta in made:
        mta.destroy()


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


@pytest.fixture
def make_pair(make_world):
    """A function that makes (started World, running Postfix): the domains live there, found by MX, and
    domain1.com and domain2.com here."""
    if postfix.missing():
        pytest.skip(postfix.missing())
    running = []

    def make(domains=("remote.test",), settings=None, routes=None, **postfix_settings):
        """routes: further domains that Postfix sends on, {domain: "smtp:[host]:{port}"}."""
        world = make_world(**(settings or {}))
        mta = world.mta
        onward = {domain: f"smtp:[127.0.0.1]:{mta.port}" for domain in ("domain1.com", "domain2.com")}
        onward.update({domain: route.format(port=world.port) for domain, route in (routes or {}).items()})
        far = postfix.Postfix(mta.root / "postfix", domains, onward, "127.0.0.9", world.port, **postfix_settings)
        running.append((mta, far))
        far.start()
        for domain in domains:
            world.dns.route(domain, far.host)
        world.start()
        return world, far
    yield make
    for mta, far in running:
        mta.stop()
        far.stop()


@pytest.fixture
def make_secured(make_world):
    """A function that makes Secured, not started."""
    def make(kind="ec", **settings):
        return Secured(make_world(**settings), kind)
    return make


@pytest.fixture
def secured(make_secured):
    return make_secured().start()


@pytest.fixture
def alone():
    one = Alone()
    yield one
    one.close()
