"""Plays smuggling.tsv and smuggling_matrix.tsv: only CRLF.CRLF ends the data, and nothing in it runs."""

import operator
import re
import time

import pytest

from lib.smtp_raw import Closed, RawClient, Silent
from lib.tables import expand, load, matches_codes
from lib.waiting import wait_for

ROWS = load("smuggling.tsv") + load("smuggling_matrix.tsv")
COMPARE = {"=": operator.eq, "<=": operator.le, ">=": operator.ge}


def send_data(client, row):
    """Write the row's octets, with its pauses."""
    for item in expand(row.input):
        if isinstance(item, bytes):
            client.send(item)
        else:
            time.sleep(item.seconds)


def collect(client, first_wait):
    """Reply codes until the server closes or says no more, and whether it closed."""
    codes, wait = [], first_wait
    while True:
        try:
            codes.append(client.read_reply(wait).code)
        except Silent:
            return codes, False
        except Closed:
            return codes, True
        # After a refusal the server closes at once; after 250 it may answer what follows.
        wait = 0.5


def transaction(client):
    client.hello()
    client.command("MAIL FROM:<s@remote.test>", "250")
    client.command("RCPT TO:<alice@a.test>", "250")
    client.command("DATA", "354")


@pytest.mark.parametrize("row", ROWS, ids=repr)
@pytest.mark.parametrize("shape", ["write", "octets"])
def test_end_of_data(quick, row, shape, together):
    together(lambda row, shape: play(quick, row, shape))


def play(quick, row, shape):
    """The row's octets as data: the replies, and what was accepted."""
    if shape == "octets" and sum(len(item) for item in expand(row.input) if isinstance(item, bytes)) > 50000:
        pytest.skip("too long to send octet by octet")
    wanted, compare, count = re.fullmatch(r"(.*) q(=|<=|>=)([0-9]+)", row.expected).groups()
    source = quick.source()
    with RawClient("127.0.0.1", quick.mta.port, source=source) as client:
        transaction(client)
        client.octets = shape == "octets"
        send_data(client, row)
        codes, closed = collect(client, 5.0)
    assert matches_codes(codes, closed, wanted), f"got {codes} closed={closed}, want {wanted}"
    quick.settle()
    if compare != "<=" and count != "0":
        wait_for(lambda: quick.queued(source), 10, "the message")
    assert COMPARE[compare](quick.queued(source), int(count)), f"{quick.queued(source)} messages accepted"
    if compare != ">=":
        assert not [one for one in quick.mta.messages("alice@a.test") if f"[{source}]".encode() in one.raw
                    and b"Return-Path: <smuggled@" in one.raw], "a message from the body was accepted"


@pytest.mark.parametrize("row", [row for row in ROWS if row.expected.endswith("q=0")], ids=repr)
def test_no_reply_before_the_true_end(quick, row, together):
    """Without its last five octets the data has not ended: the server stays silent."""
    together(lambda row: stay_silent(quick, row))


def stay_silent(quick, row):
    body = b"".join(item for item in expand(row.input) if isinstance(item, bytes))
    strict = (b"\r\n" + body).find(b"\r\n.\r\n")
    with RawClient("127.0.0.1", quick.mta.port, source=quick.source()) as client:
        transaction(client)
        client.send(body[:strict + 2])
        with pytest.raises(Silent):
            client.read_reply(0.1)
