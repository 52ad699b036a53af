"""A recording SMTP server: the far end of every outbound connection in the tests.

    with Sink() as sink:
        sink.script["RCPT"] = lambda session, line: "550 5.1.1 no" if b"<no@" in line else None
        ...
        message = sink.wait(1)[0]

Records each session's octets and each accepted message with its envelope.  Replies come from `script`,
else from the usual state machine.  One thread a connection.  Invariants: a message counts only when
the reply to its last dot began with 2; whatever a correct client never sends (a bare CR or LF, a
command too long) goes into `violations`, which tests assert to be empty.
"""

import re
import socket
import struct
import threading
import time

from lib.certificates import server_context
from lib.waiting import reserve_port, wait_for

EXTENSIONS = ("PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES")
BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class Close:
    """Send `reply` (octets, may be empty), then close; with reset=True by RST, with notify=True after
    TLS's close_notify, in any case `delay` seconds later."""

    def __init__(self, reply=b"", reset=False, notify=False, delay=0.0):
        self.reply, self.reset, self.notify, self.delay = reply, reset, notify, delay


class Drop:
    """As script["CONTENT"]: close, with reset=True by RST, when so many octets of a message, or all, have come."""

    def __init__(self, after, reset=False):
        self.after, self.reset = after, reset


class Hold:
    """Send nothing for `seconds`, then close; the client may close first."""

    def __init__(self, seconds=30.0):
        self.seconds = seconds


class Slow:
    """Send `reply` one octet at a time with `delay` seconds between."""

    def __init__(self, reply, delay=0.05):
        self.reply, self.delay = reply, delay


class Received:
    """An accepted message."""

    def __init__(self, session, wire):
        self.session, self.tls, self.helo = session.number, session.tls, session.helo
        self.mail_line, self.rcpt_lines = session.mail, list(session.rcpts)
        self.sender = _path(session.mail)
        self.recipients = [_path(line) for line in session.rcpts]
        self.wire = wire
        self.time = time.monotonic()

    @property
    def content(self):
        """The message with CRLF line ends, dots unstuffed."""
        return b"\r\n".join(line[1:] if line[:1] == b"." else line for line in self.wire.split(b"\r\n"))


class Session:
    """One connection, as recorded."""

    def __init__(self, number, peer):
        self.number, self.peer = number, peer
        self.lines, self.helo, self.tls, self.pipelined = [], None, False, 0
        self.raw = b""
        self.mail, self.rcpts, self.refused = None, [], 0
        self.opened, self.closed = time.monotonic(), None

    def verbs(self):
        """The verbs in the order they came."""
        return [line.split(b" ")[0].split(b":")[0].upper().decode(errors="replace") for line in self.lines]


class Gone(Exception):
    """The connection is over."""


class Sink:
    """See the top of the file."""

    def __init__(self, host="127.0.0.1", port=None, name="sink.test", certificate=None, extensions=EXTENSIONS,
                 script=None):
        """certificate: (certificate, key); STARTTLS is offered when given."""
        self.host, self.port, self.name = host, port or reserve_port(host), name
        self.extensions = list(extensions) + (["STARTTLS"] if certificate else [])
        self.context = server_context(certificate) if certificate else None
        self.script = dict(script or {})
        self.sessions, self.messages, self.violations = [], [], []
        self.open, self.most_open = 0, 0
        self.lock = threading.Lock()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = socket.create_server((host, self.port), family=family, backlog=256)
        self._server.settimeout(0.1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def wait(self, count=1, timeout=15.0):
        """Wait for at least `count` accepted messages; returns all so far."""
        wait_for(lambda: len(self.messages) >= count, timeout, f"{count} messages at the sink {self.host}")
        return list(self.messages)

    def wait_sessions(self, count=1, timeout=15.0):
        """Wait for at least `count` connections that have ended."""
        wait_for(lambda: sum(1 for one in self.sessions if one.closed) >= count, timeout,
                 f"{count} sessions at the sink {self.host}")
        return list(self.sessions)

    def recipients(self):
        """Every (sender, recipient) of the accepted messages."""
        return [(one.sender, recipient) for one in list(self.messages) for recipient in one.recipients]

    def close(self):
        """Stop listening; running sessions end by themselves."""
        self._stop.set()
        self._thread.join(2)
        self._server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while not self._stop.is_set():
            try:
                peer, address = self._server.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with self.lock:
                session = Session(len(self.sessions), address)
                self.sessions.append(session)
                self.open += 1
                self.most_open = max(self.most_open, self.open)
            threading.Thread(target=self._run, args=(peer, session), daemon=True).start()

    def _run(self, peer, session):
        dialogue = Dialogue(self, peer, session)
        try:
            peer.settimeout(120)
            dialogue.run()
        except (Gone, OSError):
            pass
        finally:
            dialogue.peer.close()
            with self.lock:
                self.open -= 1
                session.closed = time.monotonic()


class Dialogue:
    """The server's side of one connection."""

    def __init__(self, sink, peer, session):
        self.sink, self.peer, self.session = sink, peer, session
        self.buffer = b""

    def run(self):
        """Greet, then answer command after command until the connection ends."""
        self.answer("BANNER", b"", f"220 {self.sink.name} ESMTP sink")
        while True:
            line = self.read_line()
            self.session.lines.append(line)
            if self.buffer:
                self.session.pipelined += 1
            verb = line.split(b" ")[0].split(b":")[0].upper().decode(errors="replace")
            handler = getattr(self, "on_" + verb.lower(), None)
            if handler:
                handler(line)
            else:
                self.answer(verb, line, "502 5.5.2 what?")

    # --- commands ---

    def on_ehlo(self, line):
        self.session.helo = line.partition(b" ")[2]
        self.forget()
        words = [self.sink.name] + [word for word in self.sink.extensions
                                    if word != "STARTTLS" or not self.session.tls]
        lines = [f"250{'-' if at + 1 < len(words) else ' '}{word}" for at, word in enumerate(words)]
        self.answer("EHLO", line, "\r\n".join(lines))

    def on_helo(self, line):
        self.session.helo = line.partition(b" ")[2]
        self.forget()
        self.answer("HELO", line, f"250 {self.sink.name}")

    def on_starttls(self, line):
        if not self.sink.context or self.session.tls:
            self.answer("STARTTLS", line, "502 5.5.1 no TLS here")
            return
        if self.answer("STARTTLS", line, "220 2.0.0 go") != b"2":
            return
        self.buffer = b""
        self.peer = self.sink.context.wrap_socket(self.peer, server_side=True)
        self.session.tls = True
        self.forget()

    def on_mail(self, line):
        if self.answer("MAIL", line, "250 2.1.0 ok") == b"2":
            self.session.mail, self.session.rcpts = line, []

    def on_rcpt(self, line):
        default = "250 2.1.5 ok" if self.session.mail else "503 5.5.1 MAIL first"
        if self.answer("RCPT", line, default) == b"2":
            self.session.rcpts.append(line)
        else:
            self.session.refused += 1

    def on_data(self, line):
        default = "354 go" if self.session.rcpts else "503 5.5.1 no recipients"
        if self.answer("DATA", line, default) != b"3":
            return
        self.read_some(self.scripted("CONTENT", line))
        wire = self.read_data()
        self.answer("EOD", wire, "250 2.0.0 taken", before=lambda: self.take(wire))
        self.forget()

    def on_rset(self, line):
        self.forget()
        self.answer("RSET", line, "250 2.0.0 ok")

    def on_noop(self, line):
        self.answer("NOOP", line, "250 2.0.0 ok")

    def on_quit(self, line):
        self.answer("QUIT", line, "221 2.0.0 bye")
        raise Gone

    def forget(self):
        """End of the transaction."""
        self.session.mail, self.session.rcpts = None, []

    def take(self, wire):
        """Record the message; called before its 250 leaves."""
        with self.sink.lock:
            self.sink.messages.append(Received(self.session, wire))

    # --- octets ---

    def answer(self, key, line, default, before=None):
        """Send the scripted reply for `key`, or the default; returns the first digit of the reply.

        before: called ahead of sending when the reply begins with 2.
        """
        value = self.scripted(key, line)
        if value is None:
            value = default
        if isinstance(value, str):
            value = value.encode() + b"\r\n"
        octets = value if isinstance(value, bytes) else getattr(value, "reply", b"")
        if before and octets[:1] == b"2":
            before()
        self.emit(value, octets)
        return octets.splitlines()[-1][:1] if octets else b""

    def scripted(self, key, line):
        """What the script says at this point, None if nothing."""
        value = self.sink.script.get(key)
        if isinstance(value, list):
            with self.sink.lock:
                value = value.pop(0) if value else None
        return value(self.session, line) if callable(value) else value

    def emit(self, value, octets):
        """Send a reply in the way its kind says."""
        if isinstance(value, Hold):
            self.hold(value.seconds)
        if isinstance(value, Slow):
            for at in range(len(octets)):
                self.peer.sendall(octets[at:at + 1])
                time.sleep(value.delay)
            return
        if octets:
            self.peer.sendall(octets)
        if isinstance(value, Close):
            time.sleep(value.delay)
            if value.notify:
                self.peer.unwrap()
            self.leave(value.reset)

    def leave(self, reset):
        """Close the connection."""
        if reset:
            self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone

    def read_some(self, drop):
        """The beginning of a message, if the connection is to end there."""
        if drop is None:
            return
        while len(self.buffer) < drop.after and not self.buffer.endswith(b"\r\n.\r\n"):
            self.fill()
        self.leave(drop.reset)

    def hold(self, seconds):
        """Say nothing; ends early when the client closes."""
        self.peer.settimeout(seconds)
        try:
            while self.peer.recv(65536):
                pass
        except TimeoutError:
            pass
        raise Gone

    def fill(self):
        """Read more octets; raises Gone at the end."""
        data = self.peer.recv(262144)
        if not data:
            raise Gone
        if len(self.session.raw) < 1 << 20:
            self.session.raw += data
        self.buffer += data

    def read_line(self):
        """One command line without its CRLF."""
        while b"\r\n" not in self.buffer:
            if len(self.buffer) > 4096:
                self.sink.violations.append((self.session.number, "command line over 4096 octets"))
                raise Gone
            self.fill()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        if BARE.search(line):
            self.sink.violations.append((self.session.number, f"bare CR or LF in {line!r}"))
        return line

    def read_data(self):
        """The octets of DATA, still stuffed, with the CRLF of the last line but without the dot."""
        data, looked = bytearray(b"\r\n"), 0
        while True:
            data += self.buffer
            self.buffer = b""
            at = data.find(b"\r\n.\r\n", looked)
            if at >= 0:
                break
            looked = max(0, len(data) - 4)
            self.fill()
        wire, self.buffer = bytes(data[2:at + 2]), bytes(data[at + 5:])
        self.inspect(wire)
        return wire

    def inspect(self, wire):
        """Record what no correct client sends in its data."""
        bad = BARE.search(wire)
        if bad:
            self.sink.violations.append((self.session.number, f"bare CR or LF in the data at {bad.start()}"))
        if re.search(rb"(?:^|\r\n)\.(?!\.)", wire):
            self.sink.violations.append((self.session.number, "a line that begins with a dot is not stuffed"))


def _path(line):
    found = re.search(rb"<(.*?)>", line or b"")
    return found.group(1).decode(errors="backslashreplace") if found else None
