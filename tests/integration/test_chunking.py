"""Messages in chunks (RFC 3030) arrive octet for octet: large, in any pieces, pipelined, and inside TLS;
and what is sent on by DATA is the same message."""

import random

import pytest

from lib.certificates import make_certificate
from lib.instance import Listener
from lib.smtp_raw import RawClient

HEADER = b"From: <s@else.test>\r\nSubject: chunks\r\n\r\n"
ENVELOPE = b"MAIL FROM:<s@else.test> BODY=8BITMIME\r\nRCPT TO:<bob@domain1.com>\r\n"


def make_lines(size, seed):
    """`size` octets of lines of every length, all octets but CR and LF, dots at their beginnings; CRLF at the end."""
    rng = random.Random(seed)
    octets = bytes(set(range(256)) - {10, 13})
    block = b"".join(rng.choice((b"", b".", b"..")) + bytes(rng.choices(octets, k=rng.randrange(400))) + b"\r\n"
                     for _ in range(2000))
    return (block * (size // len(block) + 1))[:size - 2].rstrip(b"\r") + b"\r\n"


def chunks_of(content, sizes):
    """The content as BDAT commands with their octets, the last one LAST."""
    out, at = [], 0
    while at < len(content):
        size = min(next(sizes), len(content) - at)
        last = b" LAST" if at + size == len(content) else b""
        out.append(b"BDAT %d%s\r\n" % (size, last) + content[at:at + size])
        at += size
    return out


def repeat(*sizes):
    while True:
        yield from sizes


def submit(client, content, sizes):
    """One message, everything in one go; every reply has to be 250."""
    chunks = chunks_of(content, sizes)
    client.send(ENVELOPE + b"".join(chunks))
    for _ in range(2 + len(chunks)):
        client.reply("250")


@pytest.mark.parametrize("sizes", [(1 << 30,), (4 << 20,), (65536,), (1000001, 1, 2, 3, 0)], ids=repr)
def test_thirty_mebibytes(mta, sizes):
    content = HEADER + make_lines(30 << 20, 1)
    with RawClient("127.0.0.1", mta.port, timeout=60) as client:
        assert "CHUNKING" in client.hello().keywords()
        submit(client, content, repeat(*sizes))
        client.command("QUIT", "221")
    assert mta.wait_messages("bob@domain1.com")[0].original() == content.replace(b"\r\n", b"\n")


def test_octet_by_octet(mta):
    content = HEADER + make_lines(600, 2)
    with RawClient("127.0.0.1", mta.port, octets=True, timeout=60) as client:
        client.hello()
        submit(client, content, repeat(7, 1, 0, 30))
        client.command("QUIT", "221")
    assert mta.wait_messages("bob@domain1.com")[0].original() == content.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("implicit", [False, True])
def test_inside_tls(make_world, implicit):
    mta = make_world().mta
    mta.listeners = [Listener(tls="implicit" if implicit else "starttls")]
    mta.certificate = make_certificate(mta.root)
    mta.start()
    content = HEADER + make_lines(3 << 20, 3)
    with RawClient("127.0.0.1", mta.port, timeout=60) as client:
        if implicit:
            client.start_tls()
            client.hello()
        else:
            client.hello()
            client.command("STARTTLS", "220")
            client.start_tls()
            client.command("EHLO c.test", "250")
        submit(client, content, repeat(100000, 17))
        client.command("QUIT", "221")
    assert mta.wait_messages("bob@domain1.com")[0].original() == content.replace(b"\r\n", b"\n")


def test_no_line_end_at_the_end(mta):
    for name, content in (("body", HEADER + b"no line end"), ("no header", b"hello")):
        with RawClient("127.0.0.1", mta.port) as client:
            client.hello()
            submit(client, content, repeat(4))
            client.command("QUIT", "221")
        one = mta.wait_messages("bob@domain1.com", 1 + (name == "no header"))
        assert any(each.raw.endswith(content.replace(b"\r\n", b"\n")) for each in one)
    assert sorted(each.body for each in mta.messages("bob@domain1.com")) == [b"hello", b"no line end"]


def test_refused_in_the_middle(mta):
    """A message of 5 MiB with a bare LF in its first chunk: refused, dropped, and the session goes on."""
    bad = HEADER + b"x\ny" + make_lines(5 << 20, 4)
    with RawClient("127.0.0.1", mta.port, timeout=60) as client:
        client.hello()
        chunks = chunks_of(bad, repeat(2 << 20))
        client.send(ENVELOPE + b"".join(chunks))
        for code in ("250", "250", "550", "503", "503"):
            client.reply(code)
        submit(client, HEADER + b"good\r\n", repeat(10))
        client.command("QUIT", "221")
    assert [one.body for one in mta.wait_messages("bob@domain1.com")] == [b"good\n"]


def test_sent_on_by_data(make_world):
    """Dots, what looks like the end of DATA, a last line without its end: one message at the far end."""
    world = make_world()
    sink = world.sink("far.test")
    world.start()
    content = HEADER + b".\r\n..\r\n.\r\nMAIL FROM:<evil@else.test>\r\n.\r\n.x"
    with RawClient("127.0.0.1", world.mta.port) as client:
        client.hello()
        client.send(b"MAIL FROM:<bob@domain1.com>\r\nRCPT TO:<u@far.test>\r\n")
        chunks = chunks_of(content, repeat(9))
        client.send(b"".join(chunks))
        for _ in range(2 + len(chunks)):
            client.reply("250")
        client.command("QUIT", "221")
    sink.wait()
    assert [one.content.endswith(content + b"\r\n") for one in sink.messages] == [True]
