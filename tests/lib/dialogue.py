"""Runs one scripted dialogue against a listener and says where it left the script.

tests/vectors/test_dialogue.py drives it; the notation is that of tests/vectors/README.md.
Invariant: a row passes only if every awaited reply came and matched, in order.
"""

import re
import time

from lib.smtp_raw import Closed, RawClient, Silent
from lib.tables import Action

QUIET = 1.0


class Mismatch(AssertionError):
    """The server left the script."""


def may_split(steps):
    """Whether the replies must be the same when every octet comes in a packet of its own.

    Not where a step goes on behind a command that ends a pipelined group and waits for an answer
    (RFC 2920 3.1): there the result may depend on what the server has already read.
    """
    for step in steps:
        for item in step:
            if isinstance(item, Action):
                if item.kind == "pre":
                    return False
            elif re.search(rb"(?i)(?:^|\r\n)(?:DATA|STARTTLS)\r\n.", item, re.S):
                return False
    return sum(len(item) for step in steps for item in step if isinstance(item, bytes)) <= 50000


class Run:
    """One dialogue.  shape: "write" (a step in one write), "octets", or "tls"."""

    def __init__(self, listener, source, shape="write", implicit_tls=False, patience=10.0):
        self.client = RawClient(listener.host, listener.port, source=source, timeout=patience)
        self.shape, self.implicit, self.patience = shape, implicit_tls, patience
        self.last, self.closed = None, False

    def play(self, steps, expected):
        """Send the steps and compare; raises Mismatch."""
        with self.client:
            self.open(steps)
            for number, (items, wanted) in enumerate(zip(steps, expected.steps, strict=True), 1):
                self.perform(items)
                for alternatives in wanted:
                    self.await_one(alternatives, wanted, number)
                if number == 1 and expected.extensions:
                    self.check_extensions(expected.extensions)

    def open(self, steps):
        """What comes before the first step: TLS, greeting."""
        if self.implicit:
            self.client.start_tls()
        if any(item == Action("pre") for item in steps[0]) or not steps[0]:
            return
        if self.client.read_reply().code != "220":
            raise Mismatch("no 220 greeting")
        if self.shape == "tls":
            self.client.command("EHLO c.test", "250")
            self.client.command("STARTTLS", "220")
            self.client.start_tls()
        self.client.octets = self.shape == "octets"

    def perform(self, items):
        """Do what one step says."""
        for item in items:
            if isinstance(item, bytes):
                self.client.send(item)
            elif item.kind == "tls":
                self.handshake()
            elif item.kind == "eof":
                self.client.close()
                self.closed = True
            elif item.kind == "sleep":
                self.patience = max(self.patience, item.seconds + 5)

    def handshake(self):
        """The client's TLS handshake, if the server said 220 to STARTTLS."""
        if self.last is None or self.last.code != "220":
            return
        try:
            self.client.start_tls()
        except Closed:
            self.closed = True

    def await_one(self, alternatives, wanted, number):
        """Await one reply, silence or close, whatever the alternatives allow."""
        if "x" in alternatives and (self.closed or len(alternatives) == 1):
            self.drain(wanted, number)
            return
        if self.closed:
            raise Mismatch(f"step {number}: connection closed, want {alternatives}")
        try:
            reply = self.client.read_reply(QUIET if "-" in alternatives else self.patience)
        except Silent as silent:
            if "-" not in alternatives:
                raise Mismatch(f"step {number}: {silent}, want {alternatives}") from silent
            return
        except Closed as gone:
            self.closed = True
            if "x" not in alternatives:
                raise Mismatch(f"step {number}: {gone}, want {alternatives}") from gone
            return
        self.last = reply
        fitting = [one for one in alternatives if re.fullmatch(one.rstrip("!"), reply.code)]
        if not fitting:
            raise Mismatch(f"step {number}: got {reply}, want {alternatives}")
        if all(one.endswith("!") for one in fitting):
            self.await_close(number)

    def await_close(self, number):
        """The server must close now, without another reply."""
        try:
            more = self.client.wait_close(self.patience)
        except Silent as silent:
            raise Mismatch(f"step {number}: the connection stays open") from silent
        self.closed = True
        if more:
            raise Mismatch(f"step {number}: more replies before the close: {more}")

    def drain(self, wanted, number):
        """Until the close; replies on the way must fit the item before `x`, or be 421, 221 or 5xx."""
        if self.closed:
            return
        end = time.monotonic() + self.patience
        patterns = [one.rstrip("!") for item in wanted for one in item if one not in ("x", "-")] + ["421", "221", "5.."]
        try:
            for reply in self.client.wait_close(max(0.1, end - time.monotonic())):
                if not any(re.fullmatch(one, reply.code) for one in patterns):
                    raise Mismatch(f"step {number}: {reply} before the close, want {patterns}")
        except Silent as silent:
            raise Mismatch(f"step {number}: not closed: {silent}") from silent
        self.closed = True

    def check_extensions(self, extensions):
        """EHLO keywords that must (+) or must not (-) show."""
        offered = self.last.keywords()
        for extension in extensions:
            if (extension[1:].upper() in offered) != extension.startswith("+"):
                raise Mismatch(f"EHLO offers {sorted(offered)}, want {extension}")
