"""Plays dialogue.tsv: as written, one octet a packet, and inside TLS."""

import re

import pytest

from lib.dialogue import Run, may_split
from lib.tables import Action, Expected, expand, load
from lib.waiting import wait_for

ROWS = load("dialogue.tsv")
# What a row names -> the EHLO keyword it needs.
NEEDS = ((r"SMTPUTF8", "SMTPUTF8"), (r"\b(?:NOTIFY|ORCPT|RET|ENVID)=", "DSN"), (r"\bBDAT ", "CHUNKING"),
         (r"STARTTLS|\{TLS\}", "STARTTLS"), (r"\bBODY=", "8BITMIME"), (r"\bSIZE=", "SIZE"))
AUTHENTICATES = ((r"", "AUTH"),)


def split(row):
    """(listener prefix, steps) of a row."""
    prefix, _, rest = row.input.partition(" ") if row.input.startswith("@SUB") else ("", "", row.input)
    return prefix, [expand(step) for step in rest.split(" || ")]


def idles(steps):
    return any(isinstance(item, Action) and item.kind == "sleep" for step in steps for item in step)


def play(fixture, row, shape):
    prefix, steps = split(row)
    for pattern, keyword in NEEDS + (AUTHENTICATES if prefix == "@SUBS" else ()):
        if re.search(pattern, row.input):
            fixture.need(keyword, "the row", prefix)
    if "carol@" in row.input:
        fixture.need_quota()
    listener = fixture.listener(prefix)
    source = fixture.source()
    expected = Expected(row.expected)
    Run(listener, source, shape, implicit_tls=prefix == "@SUBS").play(steps, expected)
    if expected.queued is None:
        return
    fixture.settle()
    if not expected.queued.fullmatch("0"):
        wait_for(lambda: expected.queued.fullmatch(str(fixture.queued(source))), 10, f"q={expected.queued.pattern}", interval=0.03)
    assert expected.queued.fullmatch(str(fixture.queued(source))), f"{fixture.queued(source)} messages accepted"


@pytest.mark.parametrize("row", ROWS, ids=repr)
def test_as_written(fixture, row, together):
    together(lambda row: play(fixture, row, "write"))


@pytest.mark.parametrize("row", [row for row in ROWS if may_split(split(row)[1]) and not idles(split(row)[1])],
                         ids=repr)
def test_one_octet_a_packet(quick, row, together):
    together(lambda row: play(quick, row, "octets"))


@pytest.mark.parametrize("row", [row for row in ROWS if not row.input.startswith("@SUB") and not re.search(
    r"TLS|\{PRE\}|\\x16\\x03", row.input) and not idles(split(row)[1])], ids=repr)
def test_inside_tls(quick, row, together):
    quick.need("STARTTLS", "this shape")
    together(lambda row: play(quick, row, "tls"))


def test_nothing_came_late(fixture, quick):
    """After everything: no message that a row had left uncounted, and none for evil.test."""
    for one in (fixture, quick):
        one.settle()
        assert not [recipient for _, recipient in one.sink.recipients() if recipient.endswith("@evil.test")]
        assert one.mta.queue() == []


def test_every_refusal_names_its_rule(fixture, quick):
    """In the log: what decided, by the name that `postrider explain` gives it."""
    for one in (fixture, quick):
        refusals = re.findall(r"(?m)^.* refused=[^0-9].*$", one.mta.log())
        assert len(refusals) > 50
        assert [line for line in refusals if not re.search(r" rule=[a-z0-9]+(?:-[a-z0-9]+)* ", line)] == []
