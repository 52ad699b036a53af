"""Content arrives byte for byte, whatever it is: size, recipients, dots, octets."""

import hashlib
import random

import pytest

from lib.smtp_raw import RawClient

HEADER = b"From: <s@else.test>\r\nSubject: content\r\n\r\n"


def stuffed(content):
    """Content with CRLF line ends as it goes over the wire, with the last dot."""
    return b"".join((b"." if line[:1] == b"." else b"") + line for line in content.splitlines(True)) + b".\r\n"


def submit(mta, content, recipients=("bob@domain1.com",), options=""):
    with RawClient("127.0.0.1", mta.port, timeout=60) as client:
        client.hello()
        client.command(f"MAIL FROM:<s@else.test>{options}", "250")
        for one in recipients:
            client.command(f"RCPT TO:<{one}>", "250")
        client.command("DATA", "354")
        client.send(stuffed(content))
        client.reply("250")
        client.command("QUIT", "221")


BODIES = {
    "empty body": b"",
    "dots": b".\r\n..\r\n...\r\n.x\r\n .\r\n.\r\n",
    "only a dot": b".\r\n",
    "eight bit": bytes(set(range(1, 256)) - {10, 13}) * 3 + b"\r\n",
    "null octets": b"a\x00b\r\n\x00\r\n",
    "utf-8": "Grüße, квіточка, 💩\r\n".encode(),
    "line of 998": b"a" * 998 + b"\r\n",
    "empty lines": b"\r\n" * 50,
    "from lines": b"From bob Mon Jan  1 00:00:00 2024\r\n>From x\r\n",
    "white space": b" \t \r\n\tx \r\n",
    "long lines": (b"b" * 20000 + b"\r\n") * 3,
}


@pytest.mark.parametrize("name", BODIES)
def test_byte_for_byte(mta, name):
    submit(mta, HEADER + BODIES[name], options=" BODY=8BITMIME")
    one = mta.wait_messages("bob@domain1.com")[0]
    assert one.original() == (HEADER + BODIES[name]).replace(b"\r\n", b"\n")


def test_header_only_and_nothing_at_all(mta):
    submit(mta, b"Subject: no empty line\r\n")
    submit(mta, b"")
    subjects = sorted(str(one["Subject"]) for one in mta.wait_messages("bob@domain1.com", 2))
    assert subjects == ["None", "no empty line"]


@pytest.mark.parametrize("size", [4095, 4096, 65536, 262143, 262144, 262145, 300000, 1048576, 5000000])
def test_sizes_around_the_limits_of_the_spool(mta, size):
    """Small messages live in a shared segment, large ones in a file of their own: the same octets."""
    line = b"0123456789abcdef" * 4 + b"\r\n"
    body = line * (size // len(line)) + b"x" * max(0, size % len(line) - 2) + b"\r\n"
    submit(mta, HEADER + body, ("bob@domain1.com", "bob@domain2.com"))
    for domain in ("domain1.com", "domain2.com"):
        one = mta.wait_messages(f"bob@{domain}")[0]
        assert one.original() == (HEADER + body).replace(b"\r\n", b"\n")


def test_thirty_mebibytes(mta):
    random.seed(30)
    line = random.randbytes(700).replace(b"\n", b"n").replace(b"\r", b"r").replace(b".", b"d") + b"\r\n"
    body = (line + b".dot\r\n") * (30 * 1024 * 1024 // (len(line) + 6) + 1)
    submit(mta, HEADER + body)
    one = mta.wait_messages("bob@domain1.com", timeout=30)[0]
    wanted = (HEADER + body).replace(b"\r\n", b"\n")
    assert len(wanted) >= 29 * 1024 * 1024
    assert hashlib.sha256(one.original()).digest() == hashlib.sha256(wanted).digest()


def test_hundred_recipients_in_fifty_domains(mta):
    recipients = []
    for number in range(50):
        mta.add_domain(f"d{number}.example", ["anna", "bert"])
        recipients += [f"anna@d{number}.example", f"bert@d{number}.example"]
    submit(mta, HEADER + b"to many\r\n", recipients)
    for address in recipients:
        one = mta.wait_messages(address, timeout=20)[0]
        assert one.original() == (HEADER + b"to many\r\n").replace(b"\r\n", b"\n")
        assert one["Delivered-To"] == address
        assert not [other for other in recipients if other != address and other.encode() in one.raw]


def test_over_the_size_limit_is_refused_early_and_late(make_world):
    mta = make_world(**{"message-size-limit": "1M"}).start()
    with RawClient("127.0.0.1", mta.port) as client:
        assert "SIZE 1048576" in client.hello().lines
        assert client.command("MAIL FROM:<s@else.test> SIZE=1048577", "552").enhanced == "5.3.4"
        client.command("MAIL FROM:<s@else.test>", "250")
        client.command("RCPT TO:<bob@domain1.com>", "250")
        client.command("DATA", "354")
        client.send(HEADER + (b"c" * 998 + b"\r\n") * 1100 + b".\r\n")
        assert client.reply("552").enhanced == "5.3.4"
        client.command("NOOP", "250")
    assert mta.queue() == []
    assert not list((mta.spool / "large").glob("*"))
