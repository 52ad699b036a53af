"""The examples of a manual page: literal blocks that begin with a command at a prompt, and what it writes.

The tests run the commands and compare, so that a manual cannot say what is no longer so.  Invariant: only what
differs from one run to the next is made the same before comparing (plain()).
"""

import re

BLOCK = re.compile(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed\n", re.M | re.S)
ID = r"0[0-9A-HJKMNP-TV-Z]{12}"
ALIKE = [
    (ID, "ID"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"\w{3}, +\d+ \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "DATE"),
    (r"\w{3} \w{3} [ \d]\d \d\d:\d\d", "DATE"),
    (r"\b\d+ (?:d|h|min|s)(?: \d+ (?:h|min|s))?(?![\w/])", "LONG"),
    (r"\(in \d+[smhd]\)", "(in LONG)"),
    (r"\d+\.\d/min", "RATE"),
    (r"\b\d+\.\d+\.\d+\.\d+(?::\d+)?", "ADDRESS"),
    (r"\d+ B\b", "SIZE"),
    (r"\b\d+ DATE", "SIZE DATE"),
    (r"/\S*spool\S*", "SPOOL"),
    (r" +", " "),
]


def unescape(text):
    """mdoc's literal text as a reader sees it."""
    return text.replace("\\e", "\\").replace("\\&", "").replace("\\-", "-")


def examples(page, prompt):
    """[(command line, output)] of the literal blocks of a page that begin with `prompt` and have output."""
    found = []
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        first, _, rest = unescape(block).partition("\n")
        if first.startswith(prompt) and rest:
            found.append((first.removeprefix(prompt), rest))
    return found


def plain(text):
    """The text with all that differs between runs made the same."""
    for pattern, word in ALIKE:
        text = re.sub(pattern, word, text)
    return text


def section(page, title):
    """The source of a subsection."""
    return re.search(rf"^\.Ss {re.escape(title)}\n(.*?)(?=^\.S[sh] )", page.read_text(encoding="utf-8"), re.M | re.S)[1]


def entries(text):
    """{first words of an entry: its source} of the tagged list in a text; the words are those marked Cm."""
    return {found[1]: found[2] for found in re.finditer(r"^\.It Cm ([^\n]+)\n(.*?)(?=^\.It |^\.El)", text, re.M | re.S)}


def literals(text):
    """The words of a text that are marked Li."""
    return {word for line in re.findall(r"^\.Li (.*)$", text, re.M) for word in line.split() if word[0] not in ",.;()"}
