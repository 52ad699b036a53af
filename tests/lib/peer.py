"""A client of a process's socket that is none of its peers: says what it likes, in frames of doc/IPC.md or not.

For tests of what a process makes of another that has been taken over.  Needs root, to be the user who may connect.
"""

import os
import socket

from lib import control


class Peer:
    """A client of a process's socket, as the user who may connect."""

    def __init__(self, path, uid, role):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        before = os.geteuid(), os.getegid()
        os.setegid(uid)
        os.seteuid(uid)
        try:
            self.sock.connect(str(path))
        finally:
            os.seteuid(before[0])
            os.setegid(before[1])
        self.say("hello", "version=1", f"role={role}")

    def raw(self, octets):
        try:
            self.sock.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def say(self, *lines):
        self.raw(control.pack("".join(f"{line}\n" for line in lines)))

    def is_gone(self, timeout):
        """Reads until the other side closes; False if it has not after that time."""
        self.sock.settimeout(timeout)
        try:
            while self.sock.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionResetError:
            pass
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
