"""Asks the queue manager at its control socket, in the frames of doc/IPC.md.

Instance.queue() uses it, so that tests of the queue do not depend on the postrider command and take
microseconds.  Invariant: one request, one answer, within a bounded time.
"""

import socket
import struct

ESCAPES = {"n": "\n", "0": "\0", "\\": "\\"}


class Refused(Exception):
    """The answer is no, or the other side closed."""


def unescape(value):
    """A value as it stands in a frame to what it means."""
    out, at = [], 0
    while at < len(value):
        if value[at] == "\\":
            out.append(ESCAPES[value[at + 1]])
            at += 1
        else:
            out.append(value[at])
        at += 1
    return "".join(out)


def pack(text):
    """One frame of text without payload."""
    octets = text.encode()
    return struct.pack("!III", len(octets), 0, 0) + octets


def read_exactly(sock, size):
    parts = b""
    while len(parts) < size:
        part = sock.recv(size - len(parts))
        if not part:
            raise Refused("closed")
        parts += part
    return parts


def read_frame(sock):
    """(verb line, [(name, value)]) of the next frame."""
    text_size, payload_size, _ = struct.unpack("!III", read_exactly(sock, 12))
    text = read_exactly(sock, text_size).decode(errors="replace")
    read_exactly(sock, payload_size)
    first, *lines = text.split("\n")
    return first, [(name, unescape(value)) for name, _, value in (line.partition("=") for line in lines if line)]


def ask(path, verb, timeout=10.0, **fields):
    """The fields of the answer to one question at the socket `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        sock.connect(str(path))
        lines = "".join(f"{name}={value}\n" for name, value in fields.items())
        sock.sendall(pack("hello\nversion=1\nrole=control\n") + pack(f"{verb} 1\n{lines}"))
        while True:
            first, found = read_frame(sock)
            if first == "answer 1":
                return found


NUMBERS = {"size", "received", "attempts", "next", "code"}


def _value(name, value):
    return int(value) if name in NUMBERS and value else value


def queue(path):
    """What `list` tells: [{id, from, size, recipients: [{address, state, attempts, next, status, text}]}]."""
    messages = []
    for name, value in ask(path, "list"):
        if name == "message":
            messages.append({"id": value, "recipients": []})
        elif messages and name == "rcpt":
            messages[-1]["recipients"].append({"rcpt": int(value)})
        elif messages and messages[-1]["recipients"]:
            messages[-1]["recipients"][-1][name] = _value(name, value)
        elif messages:
            messages[-1][name] = _value(name, value)
    return messages
