"""Many connections that send mail and keep a ledger of what was acknowledged, for the tests that kill
processes meanwhile.

    with Load(mta, recipients, connections=50) as load:
        ... kill things ...
    load.verify(mta, sink)

Invariant: a message is in `acked` only after its 250 was read; every message's body can be computed
from its id, so that a partial or mixed-up copy shows.
"""

import asyncio
import hashlib
import itertools
import re
import threading
import time
from collections import Counter

MESSAGE_ID = re.compile(rb"(?im)^Message-ID: <([^@>]+)@load\.test>")


def body_of(name, size=2048):
    """The body of message `name`: `size` octets or a little more, in lines."""
    line = hashlib.sha256(name.encode()).hexdigest().encode() + b"\n"
    return line * (size // len(line) + 1)


def check_copy(raw):
    """The id of a delivered copy (LF line ends); its body must be whole."""
    found = MESSAGE_ID.search(raw)
    assert found, f"a message without our Message-ID: {raw[:300]!r}"
    name = found.group(1).decode()
    size = int(re.search(rb"(?m)^X-Size: (\d+)", raw).group(1))
    assert raw.partition(b"\n\n")[2] == body_of(name, size), f"{name} is not whole: {len(raw)} octets"
    return name


class Refused(Exception):
    """A reply other than the wanted one."""


class Load:
    """See the top of the file."""

    def __init__(self, mta, recipients, connections=50, pause=0.05, size=2048, sender="load@domain1.com"):
        """recipients: addresses taken in turn.  pause: seconds between two messages of a connection."""
        self.mta, self.recipients, self.connections = mta, itertools.cycle(recipients), connections
        self.pause, self.size, self.sender = pause, size, sender
        self.acked, self.sent, self.times, self.replies = {}, {}, [], Counter()
        self.numbers = itertools.count(1)
        self.run_id = f"{time.time_ns():x}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive(), "the load generator does not end"

    def resumed(self, since):
        """Seconds from `since` (monotonic) to the first 250 of a message begun after it, None if none yet."""
        for began, ended in list(self.times):
            if began >= since:
                return ended - since
        return None

    async def _main(self):
        await asyncio.gather(*(self._connection() for _ in range(self.connections)))

    async def _connection(self):
        while not self._stop.is_set():
            try:
                await asyncio.wait_for(self._session(), 30)
            except (OSError, Refused, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
                self.replies[type(error).__name__] += 1
                await asyncio.sleep(0.02)

    async def _session(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.mta.port)
        try:
            await self._reply(reader, "220")
            await self._say(reader, writer, "EHLO load.test", "250")
            while not self._stop.is_set():
                await self._message(reader, writer)
                await asyncio.sleep(self.pause)
            await self._say(reader, writer, "QUIT", "221")
        finally:
            writer.close()

    async def _message(self, reader, writer):
        name, recipient = f"{self.run_id}.{next(self.numbers)}", next(self.recipients)
        began = time.monotonic()
        await self._say(reader, writer, f"MAIL FROM:<{self.sender}>", "250")
        await self._say(reader, writer, f"RCPT TO:<{recipient}>", "250")
        await self._say(reader, writer, "DATA", "354")
        header = f"From: <{self.sender}>\nMessage-ID: <{name}@load.test>\nX-Size: {self.size}\nSubject: load\n\n"
        content = (header.encode() + body_of(name, self.size)).replace(b"\n", b"\r\n")
        self.sent[name] = recipient
        writer.write(content + b".\r\n")
        await self._reply(reader, "250")
        self.acked[name] = recipient
        self.times.append((began, time.monotonic()))

    async def _say(self, reader, writer, line, wanted):
        writer.write(line.encode() + b"\r\n")
        await self._reply(reader, wanted)

    async def _reply(self, reader, wanted):
        while True:
            line = await reader.readuntil(b"\n")
            if line[3:4] != b"-":
                break
        code = line[:3].decode(errors="replace")
        self.replies[code] += 1
        if code != wanted:
            raise Refused(line)

    # --- the count ---

    def missing(self, copies):
        """Acknowledged messages of which there is no copy."""
        return [name for name in self.acked if not copies[name]]

    def copies(self, sink=None):
        """Counter of copies by message id, from all mailboxes and the sink; every copy is checked."""
        found = Counter()
        for path in self.mta.domains.all_files():
            raw = path.read_bytes()
            if b"@load.test>" in raw[:4096]:
                found[check_copy(raw)] += 1
        for message in sink.messages if sink else ():
            found[check_copy(message.content.replace(b"\r\n", b"\n"))] += 1
        return found
