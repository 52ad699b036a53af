"""Every row of the tables that have a test a row has one: test_<id>, in the modules named here."""

import re

import pytest

from lib.tables import VECTORS, load

MODULES = {"config.tsv": ("test_config_files.py", "test_config_mail.py", "test_config_sendmail.py"), "privs.tsv": ("test_privs.py",)}


@pytest.mark.parametrize("table", MODULES)
def test_every_row_has_a_test(table):
    text = "".join((VECTORS / name).read_text(encoding="utf-8") for name in MODULES[table])
    tests = re.findall(r"(?m)^def test_([a-z]+_\d+)\(", text)
    assert len(set(tests)) == len(tests)
    assert set(tests) == {row.id.lower().replace("-", "_") for row in load(table)}
