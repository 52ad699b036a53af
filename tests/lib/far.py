"""The far end of one story, and what became of mail for it: delivered, deferred, bounced.

The tables about other people's servers and DNS use it, and the tests of hostile peers.  Invariant: an
outcome is read from the sinks, the sender's mailbox and the queue, and each recipient has exactly one.
"""

from lib.dsn import Report
from lib.sink import Sink
from lib.waiting import wait_for
from lib.world import World

SENDER = "bob@domain1.com"


class Far:
    """The far end of one story: a domain, its sinks, and a World that many share."""

    def __init__(self, world, name):
        self.world, self.mta, self.dns = world, world.mta, world.dns
        self.domain, self.sinks = f"{name}.test", []

    def sink(self, route=True, host=None, **more):
        """A sink of this story; with route, the domain's only MX."""
        if host:
            one = Sink(host=host, port=self.world.port, **more)
            self.world.sinks.append(one)
        else:
            one = self.world.sink(self.domain if route else None, **more)
        self.sinks.append(one)
        return one

    def send(self, *users, content="Subject: vector\r\n\r\nhello\r\n", options=()):
        """A message to users of the domain; returns their addresses."""
        addresses = [f"{user}@{self.domain}" for user in users or ("x",)]
        content = content if isinstance(content, bytes) else content.encode()
        assert self.mta.send(SENDER, addresses, content, options) == {}
        return addresses

    def outcome(self, address):
        """"delivered", "deferred" or "bounced"; None while it is under way."""
        for message in self.mta.queue():
            for recipient in message["recipients"]:
                if recipient["address"] == address:
                    return "deferred" if recipient["state"] == "deferred" else None
        if self.report(address):
            return "bounced"
        if any(address in one.recipients for sink in self.sinks for one in sink.messages):
            return "delivered"
        return None

    def report(self, address):
        """The parsed bounce about an address, None if there is none."""
        for one in self.mta.messages(SENDER):
            report = Report(one.parsed)
            if address in report.recipients():
                return report
        return None

    def entry(self, address):
        """The queue's words about a deferred address."""
        return next(recipient for message in self.mta.queue() for recipient in message["recipients"]
                    if recipient["address"] == address)

    def wait(self, wanted, *users, timeout=20.0):
        """Wait until every user has an outcome; each must be `wanted` (one for all, or a list)."""
        addresses = [f"{user}@{self.domain}" for user in users or ("x",)]
        outcomes = wait_for(lambda: self._outcomes(addresses), timeout, f"an outcome for {addresses}", interval=0.05)
        wanted = [wanted] * len(addresses) if isinstance(wanted, str) else wanted
        assert outcomes == wanted, f"{dict(zip(addresses, outcomes))}, want {wanted}"

    def _outcomes(self, addresses):
        found = [self.outcome(address) for address in addresses]
        return found if all(found) else None


def make_world(**settings):
    """A started World whose retries stay away, whose patience is short, and who asks for its clients' names."""
    world = World(**{"retry": ["300s"], "client-name": "lookup", "reply-timeout": "4s", "connect-timeout": "2s", **settings})
    world.start()
    return world


class Scenarios:
    """The functions that play the rows of a table, found by the row's id.

        scenarios = Scenarios()

        @scenarios("DN-01")
        def no_such_domain(far): ...
    """

    def __init__(self):
        self.functions = {}

    def __call__(self, row_id):
        def mark(function):
            assert row_id not in self.functions, f"two functions for {row_id}"
            self.functions[row_id] = function
            return function
        return mark

    def __contains__(self, row_id):
        return row_id in self.functions

    def play(self, row, world):
        """Play a row with a far end of its own; without a function for it, fail."""
        assert row.id in self.functions, f"no scenario for {row.id}: {row.input}"
        self.functions[row.id](Far(world, row.id.lower()))
