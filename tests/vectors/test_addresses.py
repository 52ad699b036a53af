"""Plays addresses.tsv against the address parser, by the small program that prints what it thinks."""

import subprocess

import pytest

from lib.instance import BUILD
from lib.tables import load, octets

ROWS = load("addresses.tsv")
TOOL = BUILD / "tests" / "address_tool"


def escape(data):
    """Octets as the tool reads them: printable ASCII but the backslash as itself, else \\xNN."""
    return "".join(chr(octet) if 0x20 <= octet < 0x7f and octet != 0x5c else f"\\x{octet:02x}" for octet in data)


@pytest.fixture(scope="module")
def verdicts():
    """{row id: (verdict, canonical or None)}, all rows in one run of the tool."""
    lines = "".join(escape(octets(row.input)) + "\n" for row in ROWS)
    done = subprocess.run([str(TOOL)], input=lines, capture_output=True, text=True, timeout=20, check=True)
    answers = done.stdout.splitlines()
    assert len(answers) == len(ROWS)
    return {row.id: tuple(answer.split(" ", 1)) for row, answer in zip(ROWS, answers, strict=True)}


@pytest.mark.parametrize("row", ROWS, ids=repr)
def test_address(verdicts, row):
    wanted, _, canonical = row.expected.partition(" = ")
    verdict, *rest = verdicts[row.id]
    assert verdict == wanted
    if canonical:
        assert rest[0].encode() == octets(canonical)


def test_canonical_form_is_its_own(verdicts):
    """Parsing what was printed gives the same again."""
    forms = [answer[1] for answer in verdicts.values() if len(answer) == 2 and answer[0] != "invalid"]
    assert len(forms) > 30
    done = subprocess.run([str(TOOL)], input="".join(escape(form.encode()) + "\n" for form in forms), capture_output=True, text=True, timeout=20,
                          check=True)
    for form, answer in zip(forms, done.stdout.splitlines(), strict=True):
        verdict, _, again = answer.partition(" ")
        assert verdict != "invalid" and again == form
