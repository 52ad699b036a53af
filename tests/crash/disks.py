"""Disks for the crash tests: ext4 in an image file, on a loop device, over a recorder, and how the power is cut.

Needs root.  Invariant: what is mounted here is unmounted by close(), whatever happened between; the
images stand in memory (/dev/shm) where there is one.
"""

import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

from lib.instance import BUILD
from lib.waiting import wait_for

RECFS = BUILD / "tests" / "recfs"
MIB = 1 << 20
SECTOR = 512
# ext4's superblock is two sectors under one checksum, which it trusts the disk to write both or neither.
WITHIN_SUPERBLOCK = 1536
FS_IOC_SHUTDOWN = 0x8004587D
NOLOGFLUSH = 2
WRITE, FLUSH, MARK = 1, 2, 3


class Unavailable(pytest.skip.Exception):
    """This machine cannot do what the test needs; the text says what.  A test that meets it is skipped."""


def run(*argv, what):
    """Run a command; Unavailable with its complaint if it fails."""
    done = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{what}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def scratch():
    """A new directory, in memory if there is room."""
    shm = Path("/dev/shm")
    use = shm.is_dir() and os.access(shm, os.W_OK) and os.statvfs(shm).f_bavail * os.statvfs(shm).f_frsize > 1024 * MIB
    folder = Path(tempfile.mkdtemp(prefix="prt-crash-", dir=shm if use else "/tmp"))
    folder.chmod(0o755)
    return folder


class Mount:
    """A mounted file system; source is an image, or the `disk` of a recorder."""

    def __init__(self, source, folder, *options):
        self.source, self.path = Path(source), Path(folder)
        self.path.mkdir(exist_ok=True)
        # commit: the file system shall not flush by itself what nobody asked it to flush.
        run("mount", "-o", ",".join(("loop,nodiscard,commit=300",) + options), self.source, self.path,
            what="mounting ext4 on a loop device")

    def make_read_only(self):
        """The file system meets an error and turns read-only, whoever has files open (mounted with errors=remount-ro)."""
        device = run("findmnt", "-n", "-o", "SOURCE", self.path, what="finding the loop device").strip()
        trigger = Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"
        if not trigger.exists():
            raise Unavailable(f"no {trigger}")
        trigger.write_text("1", encoding="ascii")

    def cut_power(self):
        """The file system loses everything that was not flushed, its journal's last transactions included."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(fd)

    def sync(self):
        """syncfs(2): as if another file had been flushed here."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).syncfs(fd) != 0:
                raise OSError(ctypes.get_errno(), "syncfs")
        finally:
            os.close(fd)

    def unmount(self):
        """Unmount, once those that were killed have let it go; lazily if something keeps holding it.

        Lazily its loop device stays, and the next mount of the image would be the same file system, cut power and all.
        """
        def goes():
            return subprocess.run(["umount", str(self.path)], capture_output=True, timeout=60, check=False).returncode == 0
        try:
            wait_for(goes, 5, f"the unmounting of {self.path}")
        except AssertionError:
            subprocess.run(["umount", "-l", str(self.path)], capture_output=True, timeout=60, check=False)


class Memory(Mount):
    """A mounted tmpfs: nothing of it is on a disk, but it has a size and a number of inodes."""

    def __init__(self, folder, size, inodes):  # pylint: disable=super-init-not-called
        self.source, self.path = None, Path(folder)
        self.path.mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={inodes},mode=755", "tmpfs", self.path,
            what="mounting tmpfs")


class Disks:
    """All disks of one test."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Unavailable("needs root for mounts")
        self.folder = scratch()
        self.mounts, self.recorders = [], []

    def image(self, name, size=64 * MIB):
        """A new ext4 image of `size` octets."""
        path = self.folder / f"{name}.img"
        with open(path, "wb") as image:
            image.truncate(size)
        run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", path,
            what="making an ext4 image")
        return path

    def memory(self, name, size, inodes):
        """A tmpfs of so many octets and inodes."""
        one = Memory(self.folder / f"mnt-{name}", size, inodes)
        self.mounts.append(one)
        return one

    def mount(self, source, name, *options):
        """Mount an image at a new place."""
        one = Mount(source, self.folder / f"mnt-{name}", *options)
        self.mounts.append(one)
        return one

    def unmount(self, one):
        """Take one mount away before the end."""
        one.unmount()
        self.mounts.remove(one)

    def recorder(self, image):
        """A recorder over an image."""
        one = Recorder(image, self.folder)
        self.recorders.append(one)
        return one

    def close(self):
        """Unmount everything and remove the images."""
        for one in reversed(self.mounts):
            one.unmount()
        for one in self.recorders:
            one.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Recorder:
    """recfs over an image: records writes, flushes and marks."""

    def __init__(self, image, folder):
        self.base = Path(folder) / f"{Path(image).name}.base"
        shutil.copy(image, self.base)
        self.log, self.folder = Path(folder) / f"{Path(image).name}.log", Path(folder) / f"rec-{Path(image).name}"
        self.folder.mkdir()
        self.process = subprocess.Popen([str(RECFS), str(image), str(self.log), str(self.folder)],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.disk = self.folder / "disk"
        try:
            wait_for(lambda: self.disk.exists() or self.process.poll() is not None, 10, "the recorder's mount")
        finally:
            if self.process.poll() is not None:
                raise Unavailable(f"FUSE: {self.process.stderr.read().decode(errors='replace').strip()[-300:]}")
        self._mark = os.open(self.folder / "mark", os.O_WRONLY)

    def mark(self, name):
        """Put a name in the log, behind everything written so far."""
        os.write(self._mark, name.encode())

    def fail(self, on):
        """All writes and flushes fail, or no longer do."""
        (self.folder / "fail").write_text("1" if on else "0")

    def close(self):
        """Unmount and wait for the program's end."""
        if self._mark is not None:
            os.close(self._mark)
            self._mark = None
            subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, timeout=30, check=False)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self.process.stderr.close()

    def records(self):
        """[(type, offset, data)] of everything so far."""
        data, found, at = self.log.read_bytes(), [], 0
        while at + 16 <= len(data):
            kind, length, offset = struct.unpack_from("=IIQ", data, at)
            at += 16
            found.append((kind, offset, data[at:at + length]))
            at += length
        return found


def pieces(offset, length, torn):
    """Beginnings and ends of what is written together, of a write of `length` octets at `offset`."""
    cuts = range(SECTOR, length, SECTOR) if torn else ()
    ends = [at for at in cuts if offset + at != WITHIN_SUPERBLOCK] + [length]
    return zip([0, *ends], ends)


class Replay:
    """The disk as a power cut could have left it, at any point of a recorder's log."""

    def __init__(self, recorder):
        self.records = recorder.records()
        self.flushes = [number for number, record in enumerate(self.records) if record[0] == FLUSH]
        self.base = recorder.base

    def marks(self, upto):
        """The marks before record number `upto`."""
        return [data.decode() for kind, _, data in self.records[:upto] if kind == MARK]

    def write(self, path, flush, upto, chance, torn, rng):
        """An image of everything before flush number `flush`, and of what was written from there up to
        record `upto` every piece (a write; a sector, if torn) with this chance."""
        shutil.copy(self.base, path)
        boundary = self.flushes[flush]
        with open(path, "r+b") as image:
            for number, (kind, offset, data) in enumerate(self.records[:upto]):
                if kind != WRITE:
                    continue
                for at, end in pieces(offset, len(data), torn and number > boundary):
                    if number < boundary or rng.random() < chance:
                        image.seek(offset + at)
                        image.write(data[at:end])
