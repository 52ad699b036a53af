"""A client that sends exactly the octets it is told to, and a parser that believes no reply.

    with RawClient(host, port) as client:
        client.reply(code="220")
        client.send(b"EHLO c.test\\r\\n")
        client.reply(code="250")

The vector tables and every test of the protocol itself use it.  Invariant: each reply line is checked
when it is read: three digits and SP or hyphen, CRLF, at most 512 octets, the class of an enhanced
status code equal to the reply's, and no octet that is not printable ASCII (RFC 5321 4.2, RFC 2034).
"""

import re
import socket
import ssl
import time

from lib.certificates import client_context
from lib.waiting import patience

LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?\r\n", re.S)
ENHANCED = re.compile(rb"([0-9])\.[0-9]{1,3}\.[0-9]{1,3}(?: |$)")


class Closed(Exception):
    """The server closed the connection before a whole reply; `rest` is what came of it."""

    def __init__(self, rest=b""):
        super().__init__(f"connection closed, pending {rest!r}")
        self.rest = rest


class Silent(Exception):
    """No reply within the time."""


class Malformed(AssertionError):
    """A reply that breaks the rules above."""


class Reply:
    """One reply: its code, its lines without code, and the octets as they came."""

    def __init__(self, raw):
        self.raw = raw
        self.code, self.lines = check_reply(raw)

    @property
    def text(self):
        return "\n".join(self.lines)

    @property
    def enhanced(self):
        """The enhanced status code of the last line, None if there is none."""
        found = ENHANCED.match(self.lines[-1].encode())
        return found.group(0).decode().strip() if found else None

    def keywords(self):
        """EHLO keywords, upper case, without their parameters."""
        return {line.split(" ")[0].upper() for line in self.lines[1:]}

    def __repr__(self):
        return f"Reply({self.raw!r})"


def check_reply(raw):
    """Check the octets of one whole reply; returns its code and the text of its lines."""
    lines, codes = [], set()
    for line in raw.split(b"\n")[:-1]:
        line += b"\n"
        found = LINE.fullmatch(line)
        if not found:
            raise Malformed(f"not a reply line: {line!r}")
        code, _, text = found.groups()
        text = text or b""
        if len(line) > 512:
            raise Malformed(f"reply line of {len(line)} octets: {line[:80]!r}")
        if re.search(rb"[^\x20-\x7e]", text):
            raise Malformed(f"unescaped octets in a reply: {line!r}")
        enhanced = ENHANCED.match(text)
        if enhanced and enhanced.group(1) != code[:1]:
            raise Malformed(f"enhanced code of another class: {line!r}")
        codes.add(code)
        lines.append(text.decode())
    if len(codes) != 1:
        raise Malformed(f"codes differ within one reply: {raw!r}")
    return codes.pop().decode(), lines


def reply_length(buffer):
    """Octets of the whole reply that `buffer` begins with, 0 if its last line is not there yet."""
    at = 0
    while (end := buffer.find(b"\n", at)) >= 0:
        if buffer[at + 3:at + 4] != b"-":
            return end + 1
        at = end + 1
    return 0


class RawClient:
    """One connection.  With octets=True every write is a single octet in a packet of its own.  timeout: of replies that
    are waited for, on an idle machine."""

    def __init__(self, host, port, octets=False, timeout=10.0, source=None):
        self.octets, self.timeout = octets, timeout * patience()
        self.buffer = b""
        self.tls = False
        self.sock = socket.create_connection((host, port), self.timeout, source_address=source and (source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        """Write `data`; returns False when the server has closed already."""
        self.sock.settimeout(self.timeout)
        try:
            if not self.octets:
                self.sock.sendall(data)
            else:
                for at in range(len(data)):
                    self.sock.sendall(data[at:at + 1])
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return False
        return True

    def start_tls(self):
        """The handshake; raises OSError or Closed when the server does not play."""
        self.sock.settimeout(self.timeout)
        try:
            self.sock = client_context().wrap_socket(self.sock)
        except OSError as error:
            raise Closed(str(error).encode()) from error
        self.tls = True

    def read_reply(self, timeout=None):
        """The next whole reply.  Raises Silent, Closed or Malformed."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            length = reply_length(self.buffer)
            if length:
                raw, self.buffer = self.buffer[:length], self.buffer[length:]
                return Reply(raw)
            self._fill(end)

    def reply(self, code=None, timeout=None):
        """The next reply, whose code must match the regular expression `code`."""
        one = self.read_reply(timeout)
        assert code is None or re.fullmatch(code, one.code), f"want {code}, got {one}"
        return one

    def command(self, line, code=None):
        """Send one command line (text without CRLF) and read its reply."""
        self.send((line if isinstance(line, bytes) else line.encode()) + b"\r\n")
        return self.reply(code)

    def hello(self, name="c.test"):
        """Greeting and EHLO; returns the EHLO reply."""
        self.reply("220")
        return self.command(f"EHLO {name}", "250")

    def wait_close(self, timeout=None):
        """Read until the server closes; returns the replies that came before.  Raises Silent."""
        replies = []
        while True:
            try:
                replies.append(self.read_reply(timeout))
            except Closed as gone:
                if gone.rest:
                    raise Malformed(f"half a reply before close: {gone.rest!r}") from gone
                return replies

    def _fill(self, end):
        left = end - time.monotonic()
        if left <= 0:
            raise Silent(f"no reply, pending {self.buffer!r}")
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(65536)
        except TimeoutError as error:
            raise Silent(f"no reply, pending {self.buffer!r}") from error
        except OSError as error:
            rest, self.buffer = self.buffer, b""
            raise Closed(rest) from error
        if not data:
            rest, self.buffer = self.buffer, b""
            raise Closed(rest)
        self.buffer += data

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
