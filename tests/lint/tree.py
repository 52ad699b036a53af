"""What the checks of tests/lint share: the files of the source tree, the compiler flags of the
Makefile, a memory of what was found good, and the way to end.

A check is an executable check_* that prints what is wrong, one line each as `file:line: text`, and exits
with 0 (nothing wrong), 1 (something is) or 77 (cannot be run here: `SKIP reason`).
"""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("POSTRIDER_BUILD", TOP / "build"))
FOLDERS = ("common", "conf", "queue", "smtpd", "deliver")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.M)
LANES = min(2, os.cpu_count() or 1)


def sources(*suffixes, tests=False):
    """Files of the five folders (and of tests) with these suffixes, as paths relative to the top."""
    found = [path for folder in FOLDERS for suffix in suffixes for path in (TOP / folder).glob("*" + suffix)]
    if tests:
        found += [path for suffix in suffixes for path in (TOP / "tests").glob("*/*" + suffix)]
    return sorted(path.relative_to(TOP) for path in found)


def text_of(path):
    return (TOP / path).read_text(encoding="utf-8", errors="replace")


def end(problems, what):
    """Print the problems and leave."""
    for problem in problems:
        print(problem)
    print(f"{what}: {len(problems)} problem{'' if len(problems) == 1 else 's'}")
    sys.exit(1 if problems else 0)


def skip(reason):
    print(f"SKIP {reason}")
    sys.exit(77)


def need(*programs):
    """Skip unless the programs are installed."""
    for program in programs:
        if shutil.which(program) is None:
            skip(f"{program} is not installed")


def compiler_flags():
    """What the Makefile compiles with, as a list; dependencies are not written."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "-s", "--no-print-directory", "-n",
                           "--eval=lint-flags:; $(info flags: $(ALL_CFLAGS) $(PKG_CFLAGS))", "lint-flags"],
                          cwd=TOP, env=env, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("flags: "):
            return [flag for flag in shlex.split(line[7:]) if flag not in ("-MMD", "-MP")]
    raise SystemExit(f"the Makefile does not tell its flags: {done.stderr}")


def run_all(function, items):
    """function of each item, on two lanes; the results in order."""
    with ThreadPoolExecutor(LANES) as pool:
        return list(pool.map(function, items))


class Memory:
    """What a check found good, by what it looked at: build/lint/<check>/<digest>."""

    def __init__(self, check, *context):
        self.folder = BUILD / "lint" / check
        self.folder.mkdir(parents=True, exist_ok=True)
        self.context = "\0".join(map(str, context)).encode()
        self.digests = {}

    def _own_digest(self, path):
        if path not in self.digests:
            data = (TOP / path).read_bytes()
            self.digests[path] = hashlib.sha256(data).digest(), INCLUDE.findall(data.decode(errors="replace"))
        return self.digests[path]

    def _mark(self, path):
        """The mark of a file: of its text, of all it includes from the tree, and of the context."""
        seen, todo = set(), [str(path), "common/banned.h"]
        while todo:
            name = todo.pop()
            if name not in seen and (TOP / name).is_file():
                seen.add(name)
                todo += self._own_digest(name)[1]
        digest = hashlib.sha256(self.context + str(path).encode())
        for name in sorted(seen):
            digest.update(self._own_digest(name)[0])
        return self.folder / digest.hexdigest()

    def knows(self, path):
        return self._mark(path).exists()

    def keep(self, path):
        self._mark(path).touch()
