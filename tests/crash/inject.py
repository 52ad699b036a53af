"""strace as a fault injector: calls of one process fail, are pretended, or end it.

Invariant: the tracer is ended before the test goes on, so that what follows runs unharmed.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from crash.disks import Unavailable
from lib.waiting import wait_for


class Injector:
    """While it is open, system calls of processes, their threads and what they fork are tampered with.

    pids: one, or several.  rules: as strace's -e inject, `fdatasync:error=EIO:when=2`; several are separated by spaces.
    path: only calls about this file count.
    """

    def __init__(self, pids, rules, path=None):
        if shutil.which("strace") is None:
            raise Unavailable("strace is not installed")
        self.folder = Path(tempfile.mkdtemp(prefix="prt-strace-"))
        self.trace = self.folder / "trace"
        self.messages = open(self.folder / "messages", "wb")
        rules = rules.split()
        pids = [pids] if isinstance(pids, int) else list(pids)
        argv = ["strace", "-f", "-p", ",".join(map(str, pids)), "-o", str(self.trace),
                "-e", "trace=" + ",".join(rule.partition(":")[0] for rule in rules)]
        argv += ["-P", str(path)] if path else []
        for rule in rules:
            argv += ["-e", f"inject={rule}"]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.messages, stderr=self.messages)
        try:
            wait_for(lambda: all(f"Process {pid} attached" in self.said() for pid in pids) or self.process.poll() is not None, 10, "strace to attach")
            # It has ended as well when the processes were killed by its first deed.
            if not all(f"Process {pid} attached" in self.said() for pid in pids):
                raise Unavailable(f"strace: {self.said()[-300:]}")
        except BaseException:
            self.close()
            raise

    def said(self):
        """What strace itself said."""
        return (self.folder / "messages").read_text(errors="replace")

    def seen(self):
        """The calls seen so far, as text."""
        return self.trace.read_text(errors="replace") if self.trace.exists() else ""

    def injected(self):
        """How many calls were tampered with."""
        return self.seen().count("(INJECTED)") + self.seen().count("+++ killed by SIGKILL")

    def close(self):
        """Let go of the process."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        self.messages.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
