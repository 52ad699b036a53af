"""The vector tables: rows of input and expected result, with their escapes and macros (see
tests/vectors/README.md for the notation).

tests/vectors/test_*.py use it.  Pure: text in, structures out.
"""

import re
from pathlib import Path

VECTORS = Path(__file__).resolve().parents[1] / "vectors"

MACROS = {
    "E": b"EHLO c.test\r\n",
    "H": b"HELO c.test\r\n",
    "M": b"MAIL FROM:<s@remote.test>\r\n",
    "R": b"RCPT TO:<alice@a.test>\r\n",
    "D": b"DATA\r\n",
    "B": b"Subject: t\r\n\r\nhello\r\n.\r\n",
    "Q": b"QUIT\r\n",
}
ESCAPE = re.compile(r"\\(?:([rnt\\\"])|x([0-9a-fA-F]{2}))")
OPENING = re.compile(r"\{(?:(E|H|M|R|D|B|Q|TLS|PRE|EOF)\}|(?:SLEEP:([0-9.]+))\}|\*([0-9]+):|SEQ:([0-9]+):)")
PLAIN = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\", '"': b'"'}


class Row:
    """One line of a table."""

    def __init__(self, fields):
        self.id, self.input, self.expected = fields[0], fields[1], fields[2]
        self.why = fields[3] if len(fields) > 3 else ""

    def __repr__(self):
        return self.id


class Action:
    """What a client does besides writing: tls, pre, eof, or sleep with its seconds."""

    def __init__(self, kind, seconds=0.0):
        self.kind, self.seconds = kind, seconds

    def __eq__(self, other):
        return isinstance(other, Action) and (self.kind, self.seconds) == (other.kind, other.seconds)

    def __repr__(self):
        return f"{{{self.kind} {self.seconds}}}"


def load(name):
    """The rows of tests/vectors/`name`."""
    lines = (VECTORS / name).read_text(encoding="utf-8").split("\n")
    assert lines[0].split("\t")[:3] == ["id", "input", "expected"], f"{name}: {lines[0]}"
    return [Row(line.split("\t")) for line in lines[1:] if line]


def unescape(text):
    """Text with backslash escapes to octets."""
    out, at = b"", 0
    for found in ESCAPE.finditer(text):
        out += text[at:found.start()].encode()
        out += PLAIN[found.group(1)] if found.group(1) else bytes([int(found.group(2), 16)])
        at = found.end()
    return out + text[at:].encode()


def expand(text):
    """Text with macros and escapes to a list of octets and Actions, neighbouring octets joined."""
    items, at = [], 0
    while True:
        found = OPENING.search(text, at)
        if not found:
            return _join(items + [unescape(text[at:])])
        items.append(unescape(text[at:found.start()]))
        name, sleep, times, count = found.groups()
        at = found.end()
        if name:
            items.append(MACROS[name] if name in MACROS else Action(name.lower()))
        elif sleep:
            items.append(Action("sleep", float(sleep)))
        else:
            end = _closing(text, at)
            body, at = text[at:end], end + 1
            if times:
                once = expand(body)
                items.extend([once[0] * int(times)] if len(once) == 1 and isinstance(once[0], bytes)
                             else once * int(times))
            else:
                items.extend(item for n in range(1, int(count) + 1) for item in expand(body.replace("#", str(n))))


def octets(text):
    """As expand, for text without Actions."""
    items = expand(text)
    assert all(isinstance(item, bytes) for item in items), text
    return b"".join(items)


def _closing(text, at):
    """Index of the brace that closes the macro whose body begins at `at`."""
    depth = 1
    for index in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    raise ValueError(f"brace not closed: {text[at:at + 40]}")


def _join(items):
    joined = []
    for item in items:
        if isinstance(item, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += item
        elif item != b"":
            joined.append(item)
    return joined


class Expected:
    """The expected column of dialogue.tsv."""

    def __init__(self, text):
        parts = text.split("; ")
        self.steps = [self._step(step) for step in parts[0].split(" || ")]
        self.queued, self.extensions = None, []
        for tail in parts[1:]:
            if tail.startswith("q="):
                self.queued = re.compile(tail[2:])
            else:
                self.extensions = tail.split(",")

    @staticmethod
    def _step(text):
        """A list with one list of alternatives per awaited reply."""
        text = re.sub(r"\{\*([0-9]+):([^}]*)\}", lambda found: ",".join([found.group(2)] * int(found.group(1))), text)
        return [item.split("|") for item in text.split(",")]


def matches_codes(codes, closed, expected):
    """Whether a sequence of reply codes matches an expectation of the smuggling tables.

    There `|` separates whole alternatives: `x` is a close without any reply, else the codes joined by
    commas match the alternative as a regular expression.
    """
    joined = ",".join(codes)
    return any(closed and not codes if one == "x" else bool(re.fullmatch(one, joined))
               for one in expected.split("|"))
