"""The fixture of the vector tables: one Postrider, configured as tests/vectors/README.md says, with a
sink behind every outbound connection.

Invariant: every row has a source address of its own, and `Fixture.queued(address)` counts the messages
that were accepted from it by looking into mailboxes and sink, not by asking.
"""

import functools
import itertools
import re
import threading

import pytest

from lib.certificates import make_certificate
from lib.far import make_world
from lib.instance import Instance, Listener, Message
from lib.sink import Sink
from lib.smtp_raw import Closed, RawClient, Silent
from lib.stub_dns import StubDNS
from lib.together import Together
from lib.waiting import reserve_port, wait_for

LIMITS = {"message-size-limit": 1048576, "recipient-limit": 100, "command-line-limit": 2048, "error-limit": 10,
          "auth-failure-limit": 3, "auth-failures-per-client": 10000, "auth-failures-per-account": 10000,
          "hop-limit": 50, "idle-timeout": "5s", "allow-loopback-destinations": True,
          "postmaster": "postmaster@a.test", "connection-limit-per-client": 100}
# Parts of the fixture that a server may not know yet: what to try, fullest first.
OPTIONAL = ("submission", "starttls", "plain")
LISTENERS = {"": 0, "@SUB": 1, "@SUBS": 2}
SOURCE = re.compile(r"\[(127\.[0-9.]+)\]")


class Fixture:
    """The running instance and what belongs to it."""

    def __init__(self, greeting_delay):
        self.dns = StubDNS()
        self.sink = Sink(host="127.0.0.2", port=reserve_port("127.0.0.2"))
        for domain in ("evil.test", "remote.test"):
            self.dns.route(domain, "127.0.0.2")
        self.sources = itertools.count(1)
        self.refusals = {}
        self._seen, self._lock = {}, threading.Lock()
        self.mta = self._start(greeting_delay)
        try:
            self.no_quota = self._try_quota()
            self.offered = {prefix: self._ask_ehlo(prefix) for prefix in LISTENERS}
        except BaseException:
            self.close()
            raise

    def _start(self, greeting_delay):
        """The instance, started with the fullest configuration that it takes."""
        for level in OPTIONAL:
            tls = None if level == "plain" else "starttls"
            listeners = [Listener(tls=tls)]
            if level == "submission":
                listeners += [Listener(role="submission", tls="starttls"), Listener(role="submission", tls="implicit")]
            mta = Instance(dns=self.dns, listeners=listeners, settings={
                **LIMITS, "greeting-delay": greeting_delay, "remote-port": self.sink.port})
            if tls:
                mta.certificate = make_certificate(mta.root)
            self._populate(mta)
            try:
                return mta.start()
            except AssertionError:
                complaint = mta.log()
                mta.destroy()
                # Only a complaint about the optional part itself is a reason to do without it.
                found = re.search(r"(?m)^.*postrider\.conf:\d+: (.*\b(?:tls|role|submission|certificate)\b.*)$", complaint)
                if level == "plain" or not found:
                    raise
                self.refusals[level] = found.group(1)
        raise AssertionError("no configuration taken")

    @staticmethod
    def _populate(mta):
        add = mta.add_domain
        add("a.test", ["alice", "bob", "carol", "o'brien", "postmaster"], password="s3cret")
        add("b.test", ["sink"], conf='catch-all = "sink"\n')
        add("xn--bcher-kva.test", ["info", "müller"])

    def _try_quota(self):
        """Put carol over a quota of 1 GiB; returns why that cannot be, None if it was taken."""
        cur = self.mta.domains.maildir("carol@a.test") / "cur"
        for part in (cur, cur.parent / "new", cur.parent / "tmp"):
            part.mkdir(parents=True)
        with open(cur / "1.big,S=2147483648:2,S", "wb") as big:
            big.truncate(2 << 30)
        self.mta.domains.give(cur.parent.parent, self.mta.domains.owners["a.test"])
        self.mta.domains.rewrite("a.test", "domain.conf", "quota = 1G\n")
        self._rcpt("alice@a.test")
        found = re.search(r"a\.test/etc/domain\.conf:1: (.*)", self.mta.log())
        if found:
            self.mta.domains.rewrite("a.test", "domain.conf", "")
            wait_for(lambda: self._rcpt("alice@a.test") == "250", 5, "a.test without a quota")
        return found and found.group(1)

    def _rcpt(self, address):
        with RawClient("127.0.0.1", self.mta.port) as client:
            client.hello()
            client.command("MAIL FROM:<s@remote.test>", "250")
            return client.command(f"RCPT TO:<{address}>").code

    def need_quota(self):
        """Skip the test when a domain can have no quota."""
        if self.no_quota:
            pytest.skip(f"the row needs a mailbox over quota: {self.no_quota}")

    def _ask_ehlo(self, prefix):
        """The EHLO keywords of a listener; a text when it does not serve."""
        at = LISTENERS[prefix]
        if at >= len(self.mta.listeners):
            return self.refusals["submission"]
        try:
            with RawClient("127.0.0.1", self.mta.listeners[at].port, timeout=3) as client:
                if prefix == "@SUBS":
                    client.start_tls()
                return client.hello().keywords()
        except (Silent, Closed, TimeoutError) as error:
            return f"not served ({error})"

    def listener(self, prefix):
        """The listener of "", "@SUB" or "@SUBS"; skips the test when it does not serve."""
        if isinstance(self.offered[prefix], str):
            pytest.skip(f"the listener {prefix} is missing: {self.offered[prefix]}")
        return self.mta.listeners[LISTENERS[prefix]]

    def need(self, keyword, what, prefix=""):
        """Skip the test when the listener's EHLO does not offer `keyword`."""
        self.listener(prefix)
        if keyword not in self.offered[prefix]:
            pytest.skip(f"{what} needs {keyword}, which EHLO does not offer")

    def source(self):
        """A loopback address that no other row has."""
        number = next(self.sources)
        return f"127.{100 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"

    def places(self):
        """{source address: {queue id: [where]}} of everything delivered so far."""
        result = {}
        with self._lock:
            self._look()
            for source, message, where in self._seen.values():
                result.setdefault(source, {}).setdefault(message, []).append(where)
        return result

    def _look(self):
        """Read what has been delivered since the last time."""
        for path in self.mta.domains.all_files():
            if path.name not in self._seen and ".Q" in path.name:
                domain, _, user = path.relative_to(self.mta.domains.root).parts[:3]
                message = Message(path)
                source = SOURCE.search(message["Received"] or "")
                self._seen[path.name] = (source and source[1], message.queue_id, f"{user}@{domain}")

    def queued(self, source):
        """How many messages were accepted from a source address and are delivered by now."""
        return len(self.places().get(source, {})) + self.relayed(source)

    def relayed(self, source):
        """How many of them went out."""
        return sum(1 for one in self.sink.messages if f"[{source}]".encode() in one.wire)

    def settle(self):
        """Return when everything accepted so far is delivered: a later message has gone all the way."""
        source = self.source()
        with RawClient("127.0.0.1", self.mta.port, source=source) as client:
            client.hello()
            for line, code in (("MAIL FROM:<fence@remote.test>", "250"), ("RCPT TO:<bob@a.test>", "250"),
                               ("DATA", "354"), ("Subject: fence\r\n\r\n.", "250"), ("QUIT", "221")):
                client.command(line, code)
        wait_for(lambda: self.queued(source), 10, "the fence message", interval=0.03)

    def close(self):
        """Stop what was started; the instance must stop cleanly."""
        try:
            with self.mta:
                pass
        finally:
            self.sink.close()
            self.dns.close()


@pytest.fixture(scope="module")
def fixture():
    """The fixture with the greeting delay of the README."""
    one = Fixture("200ms")
    yield one
    one.close()


@pytest.fixture(scope="module")
def quick():
    """The same without a greeting delay, for the shapes that repeat every row."""
    one = Fixture("0s")
    yield one
    one.close()


@pytest.fixture(scope="module", name="rows_of_module")
def made_together():
    one = Together()
    yield one
    one.close()


@pytest.fixture
def together(request, rows_of_module):
    """A function that plays all rows of the test at once: see lib/together.py."""
    return functools.partial(rows_of_module.play, request.node)


@pytest.fixture(scope="module")
def world():
    """A Postrider with a far end, whose retries stay away: for the tables about what others do to us."""
    one = make_world()
    yield one
    one.close()
