"""The supervisor without mail: postriderd with a process that does nothing (tests/tools/dummy_main.c) under
every name of the process table."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from lib.instance import BUILD, TEST_USERS
from lib.waiting import alive, descendants, reserve_port, wait_for

PROCESSES = ("directory", "queue", "local", "remote", "keys", "smtpd")
ROOT = os.geteuid() == 0


class Alone:
    """One postriderd with dummies in a directory of its own."""

    def __init__(self):
        self.root = Path(tempfile.mkdtemp(prefix="prt-", dir="/tmp"))
        self.root.chmod(0o755)
        self.bin, self.conf = self.root / "bin", self.root / "postrider.conf"
        self.log_path, self.pid_file = self.root / "log", self.root / "pid"
        self.spool, self.port = self.root / "spool", reserve_port()
        self.bin.mkdir()
        (self.root / "virtual").mkdir()
        shutil.copy(BUILD / "bin" / "postriderd", self.bin)
        for name in PROCESSES:
            shutil.copy(BUILD / "tests" / "dummy", self.bin / name)
        self.keys = {"hostname": '"mx.test"', "domains": f'"{self.root}/virtual"', "spool": f'"{self.spool}"',
                     "workers": "2", "log-level": "debug"}
        self.process = self.notify = self.user = None

    def write(self, extra="", **keys):
        """The configuration, with keys laid over the usual ones."""
        self.keys.update({key.replace("_", "-"): value for key, value in keys.items()})
        text = "".join(f"{key} = {value}\n" for key, value in self.keys.items())
        text += f'listen "127.0.0.1:{self.port}" {{ }}\n'
        if ROOT and self.user is None:
            text += "users { " + "  ".join(f'{role} = "{uid}"' for role, uid in TEST_USERS.items()) + " }\n"
        self.conf.write_text(text + extra, encoding="utf-8")
        self.conf.chmod(0o644)

    def become(self):
        if self.user is not None:
            os.setgroups([])
            os.setresgid(self.user, self.user, self.user)
            os.setresuid(self.user, self.user, self.user)

    def launch(self):
        """Start it and do not wait."""
        path = self.root / "notify"
        path.unlink(missing_ok=True)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(path))
        os.chmod(path, 0o666)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(self.bin / "postriderd"), "-c", "postrider.conf", "-p", str(self.pid_file)], cwd=self.root,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=self.become,
                env={"PATH": "/bin", "SECRET": "x", "NOTIFY_SOCKET": str(path)})
        return self

    def hear(self, word, timeout=10.0):
        """The next message to the service manager that holds word."""
        end = time.monotonic() + timeout
        while True:
            self.notify.settimeout(max(0.01, end - time.monotonic()))
            message = self.notify.recv(4096).decode()
            if word in message.split("\n"):
                return message

    def start(self, **keys):
        self.write(**keys)
        self.launch().hear("READY=1")
        return self

    def begin_reload(self):
        """SIGHUP; what to call until it returns what control/status says when that reload is over."""
        before = int(self.status()[0]["reloads"])
        self.process.send_signal(signal.SIGHUP)

        def over():
            about = self.status()[0]
            return about if int(about["reloads"]) > before and about["reload"] != "running" else None
        return over

    def reload(self, timeout=5):
        return wait_for(self.begin_reload(), timeout, "a reload")

    def status(self, say=b""):
        """(what postriderd says about itself, [about each process])"""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(self.spool / "sockets/control/status"))
            text = b""
            try:
                client.send(say)
            except BrokenPipeError:
                pass  # it has answered and closed already
            try:
                while more := client.recv(65536):
                    text += more
            except ConnectionResetError:
                assert say, "closed with nothing unread"
        head, *groups = [dict(line.split("=", 1) for line in part.splitlines())
                         for part in re.split(r"(?m)^(?=process=)", text.decode())]
        return head, groups

    def pids(self, name):
        found = []
        for pid in descendants(self.process.pid):
            try:
                argv = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if argv == name.encode() + b"\0":
                found.append(pid)
        return sorted(found)

    def log(self):
        return self.log_path.read_text(encoding="utf-8")

    def stop(self):
        """SIGTERM; (exit status, seconds)"""
        began = time.monotonic()
        self.process.terminate()
        return self.process.wait(12), time.monotonic() - began

    def close(self):
        if self.process is not None and self.process.poll() is None:
            below = descendants(self.process.pid)
            self.process.kill()
            self.process.wait(5)
            wait_for(lambda: not any(alive(pid) for pid in below), 5, "end of all children")
        if self.notify is not None:
            self.notify.close()
        shutil.rmtree(self.root, ignore_errors=True)


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
