"""The programs of Postrider behind wrappers, for the tests that run them under something.

postriderd looks for the other programs beside itself, gives them an environment of its own, and the spawner starts
itself again.  So each program gets a wrapper, a shell script of its name, that executes it with what the test wants:
the real ones lie in real/, the wrappers that postriderd finds in programs/, and bin/ has wrappers for what a test
starts itself.  Invariant: instance.BIN = make(...) is all that a test has to change.
"""

import shutil
import subprocess

from lib import instance

CHILDREN = ("directory", "queue", "local", "remote", "smtpd", "keys")
STARTED_HERE = ("postriderd", "sendmail", "postrider")


def compile_library(source, target):
    """A library for LD_PRELOAD from a file of tests/tools."""
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                    "-o", str(target), str(instance.TOP / "tests/tools" / source)], check=True, timeout=60)


def make(root, command):
    """The three directories below `root`; returns bin/.

    command: what stands before each program's path in its wrapper; `{wrapper}` in it is the wrapper's own path.
    """
    for name in ("real", "programs", "bin"):
        (root / name).mkdir(mode=0o755)
    for name in (*CHILDREN, *STARTED_HERE):
        shutil.copy(instance.BIN / name, root / "real" / name)
    (root / "real/postriderd").rename(root / "programs/postriderd")
    for name in CHILDREN:
        _write(root / "programs" / name, root / "real" / name, command)
    for name in STARTED_HERE:
        _write(root / "bin" / name, root / ("programs" if name == "postriderd" else "real") / name, command)
    return root / "bin"


def _write(path, program, command):
    path.write_text(f'#!/bin/sh\nexec {command.format(wrapper=path)} {program} "$@"\n')
    path.chmod(0o755)
