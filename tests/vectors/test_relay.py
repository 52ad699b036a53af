"""Plays relay.tsv: who may name which recipient, and where the mail ends that was accepted."""

import re

import pytest

from lib.smtp_raw import Closed, RawClient
from lib.tables import load, octets
from lib.waiting import wait_for

ROWS = load("relay.tsv")


def ask(fixture, row, client):
    """The reply code to the row's RCPT; "x" for a close."""
    utf8 = row.input.startswith("@UTF8 ")
    if utf8:
        fixture.need("SMTPUTF8", "the row")
    client.hello()
    client.command("MAIL FROM:<s@remote.test>" + (" SMTPUTF8" if utf8 else ""), "250")
    client.send(b"RCPT TO:" + octets(row.input.removeprefix("@UTF8 ")) + b"\r\n")
    try:
        return client.read_reply().code
    except Closed:
        return "x"


def arrived_right(fixture, source, where):
    """Whether what came from `source` lies in mailbox `where` and nowhere else."""
    places = [place for found in fixture.places().get(source, {}).values() for place in found]
    if not places:
        return False
    wanted = where if "@" in where else where + "@a.test"
    assert places == [wanted], f"delivered to {places}, want {wanted}"
    return True


@pytest.mark.parametrize("row", ROWS, ids=repr)
def test_recipient(quick, row):
    codes, _, where = row.expected.partition(" -> ")
    source = quick.source()
    with RawClient("127.0.0.1", quick.mta.port, source=source) as client:
        code = ask(quick, row, client)
        assert any(re.fullmatch(one, code) for one in codes.split("|")), f"got {code}, want {codes}"
        if code == "250":
            client.command("DATA", "354")
            client.send(b"Subject: relay\r\n\r\nhello\r\n.\r\n")
            client.reply("250")
            client.command("QUIT", "221")
    if code == "250":
        assert where, "accepted, but the table names no place for it"
        wait_for(lambda: arrived_right(quick, source, where), 10, f"mail in {where}")
    assert quick.relayed(source) == 0


def test_nothing_went_out(quick):
    """After all rows: nothing left for anywhere."""
    quick.settle()
    assert quick.sink.messages == []
    assert not quick.sink.sessions


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.77"])
def test_loopback_is_not_trusted(quick, source):
    """Without relay-from no address may relay, the host's own included: 550 5.7.1."""
    with RawClient("127.0.0.1", quick.mta.port, source=source) as client:
        client.hello()
        client.command("MAIL FROM:<alice@a.test>", "250|55[03]")
        client.command("RSET", "250")
        client.command("MAIL FROM:<s@remote.test>", "250")
        assert client.command("RCPT TO:<x@evil.test>", "550").enhanced == "5.7.1"


def test_proxy_header_is_no_command(quick):
    """A PROXY header on a plain listener names no client."""
    with RawClient("127.0.0.1", quick.mta.port, source=quick.source()) as client:
        client.send(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 25\r\n")
        client.reply("5..|220")


def test_helo_gives_no_rights(quick):
    """HELO as a hosted domain or as ourselves is a claim, nothing more."""
    for name in ("a.test", "mx.test", "localhost"):
        with RawClient("127.0.0.1", quick.mta.port, source=quick.source()) as client:
            client.hello(name)
            client.command("MAIL FROM:<s@remote.test>", "250")
            client.command("RCPT TO:<x@evil.test>", "550")
