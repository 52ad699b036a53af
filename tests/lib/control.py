"""Asks the queue manager at its control socket, in the frames of doc/IPC.md.

Instance.queue() uses it, so that tests of the queue do not depend on the postrider command and take
microseconds.  Invariant: one request, one answer, within a bounded time.
"""

import os
import socket
import struct
import time

from lib.waiting import patience

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


def parse(octets):
    """(verb line, [(name, value)]) of the text of a frame."""
    first, *lines = octets.decode(errors="replace").split("\n")
    return first, [(name, unescape(value)) for name, _, value in (line.partition("=") for line in lines if line)]


def read_frame(sock):
    """(verb line, [(name, value)]) of the next frame."""
    text_size, payload_size, _ = struct.unpack("!III", read_exactly(sock, 12))
    found = parse(read_exactly(sock, text_size))
    read_exactly(sock, payload_size)
    return found


def read_stream(fd, timeout):
    """The fields of all frames up to `end` that come through a descriptor."""
    found = []
    with socket.socket(fileno=fd) as sock:
        sock.settimeout(timeout)
        while True:
            first, fields = read_frame(sock)
            found += fields
            if first == "end":
                return found


def read_answer(sock):
    """The fields of `answer 1`, and the descriptor that came with it or None."""
    fds = []
    while True:
        header, new, _, _ = socket.recv_fds(sock, 12, 8)
        fds += new
        if not header:
            raise Refused("closed")
        header += read_exactly(sock, 12 - len(header))
        text_size, payload_size, _ = struct.unpack("!III", header)
        first, found = parse(read_exactly(sock, text_size))
        read_exactly(sock, payload_size)
        if first == "answer 1":
            for fd in fds[1:]:
                os.close(fd)
            return found, fds[0] if fds else None


def ask(path, verb, timeout=10.0, **fields):
    """The fields of the answer to one question at the socket `path`, and of the stream that it may go on in.
    A value that is a list becomes several fields.  A queue manager that is busy is asked again."""
    lines = "".join(f"{name}={value}\n" for name, values in fields.items()
                    for value in (values if isinstance(values, list) else [values]))
    timeout *= patience()
    until = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        sock.connect(str(path))
        sock.sendall(pack("hello\nversion=1\nrole=control\n"))
        while True:
            sock.sendall(pack(f"{verb} 1\n{lines}"))
            found, fd = read_answer(sock)
            if fd is not None:
                return found + read_stream(fd, timeout)
            if ("status", "4.3.2") not in found[:4] or time.monotonic() > until:
                return found
            time.sleep(0.05)


NUMBERS = {"size", "received", "attempts", "next", "code"}


def _value(name, value):
    return int(value) if name in NUMBERS and value else value


def queue(path):
    """What `list` tells: [{id, from, size, recipients: [{address, state, attempts, next, status, text}]}]."""
    messages = []
    for name, value in ask(path, "list"):
        if name == "message":
            if not messages or messages[-1]["id"] != value:
                messages.append({"id": value, "recipients": []})
        elif messages and name == "rcpt":
            messages[-1]["recipients"].append({"rcpt": int(value)})
        elif messages and messages[-1]["recipients"]:
            messages[-1]["recipients"][-1][name] = _value(name, value)
        elif messages:
            messages[-1][name] = _value(name, value)
    return messages
