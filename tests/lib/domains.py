"""Domain directories and mailboxes of a test instance: written as an administrator would, read as a
mail reader would.

Instance uses this; tests reach it through Instance.  Invariant: nothing here asks the programs under
test, so what it reports is what is on disk.
"""

import email
import email.policy
import functools
import os
import re
import subprocess
from pathlib import Path

# Owners of the domain directories when root runs the tests: one number per domain, no account needed.
FIRST_OWNER = 65001

QUEUE_ID = re.compile(r"Q([0-9A-Za-z]+)R(\d+)")


@functools.lru_cache(maxsize=None)
def hash_password(password):
    """SHA-512 crypt of `password`, made by openssl so that no Python module is needed for it."""
    done = subprocess.run(["openssl", "passwd", "-6", "-salt", "testsalt", "-stdin"], input=password,
                          capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Message:
    """One file of a Maildir."""

    def __init__(self, path):
        self.path = Path(path)
        self.raw = self.path.read_bytes()

    @functools.cached_property
    def parsed(self):
        return email.message_from_bytes(self.raw, policy=email.policy.default)

    def __getitem__(self, name):
        """The value of a header field, None if absent."""
        return self.parsed[name]

    @property
    def body(self):
        """The octets after the first empty line."""
        return self.raw.partition(b"\n\n")[2]

    @property
    def queue_id(self):
        """The message id of the queue, taken from the file name."""
        found = QUEUE_ID.search(self.path.name)
        return found.group(1) if found else self.path.name

    def original(self, added=("Return-Path", "Delivered-To", "X-Original-To", "Received")):
        """The octets as submitted, with LF line ends: without the fields that delivery put in front.

        Each name of `added` is taken off the top at most once, so that a Received: which the sender
        had put there stays.
        """
        names = {name.lower().encode() for name in added}
        lines = self.raw.split(b"\n")
        at = 0
        while at < len(lines):
            name = lines[at].partition(b":")[0].lower()
            if name not in names:
                break
            names.discard(name)
            at += 1
            while at < len(lines) and lines[at][:1] in (b" ", b"\t"):
                at += 1
        return b"\n".join(lines[at:])


class Domains:
    """The directory that holds one directory per domain."""

    def __init__(self, root, privileged):
        self.root = Path(root)
        self.privileged = privileged
        self.owners = {}
        self.root.mkdir(mode=0o755, exist_ok=True)

    def add(self, name, users=(), aliases=None, conf=None, password="secret"):
        """Make domain `name` with `users`, the text of its aliases and of its domain.conf.

        It is made under another name and renamed, so that the daemon never sees half of it.
        """
        path = self.root / name
        owner = FIRST_OWNER + len(self.owners)
        self.owners[name] = owner
        building = self.root / f".{name}.new"
        (building / "etc").mkdir(parents=True, mode=0o755)
        (building / "home").mkdir(mode=0o755)
        (building / "etc/passwd").write_text(
            "".join(self.passwd_line(name, user, password) for user in users), encoding="utf-8")
        if aliases is not None:
            (building / "etc/aliases").write_text(aliases, encoding="utf-8")
        if conf is not None:
            (building / "etc/domain.conf").write_text(conf, encoding="utf-8")
        self.give(building, owner)
        building.rename(path)
        return path

    def passwd_line(self, name, user, password="secret"):
        """One line of etc/passwd; the empty ids mean the owner of the domain directory."""
        return f"{user}:{hash_password(password)}:::{user} of {name}:/home/{user}:\n"

    def add_user(self, name, user, password="secret"):
        """Append a user to the domain's passwd as an editor would: new file, renamed into place."""
        self.rewrite(name, "passwd", self.read(name, "passwd") + self.passwd_line(name, user, password))

    def read(self, name, file):
        """The text of etc/`file`, empty if there is none."""
        path = self.root / name / "etc" / file
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def rewrite(self, name, file, text):
        """Replace etc/`file` in one step."""
        path = self.root / name / "etc" / file
        new = path.with_name(path.name + ".new")
        new.write_text(text, encoding="utf-8")
        if self.privileged:
            os.chown(new, self.owners[name], self.owners[name])
        new.rename(path)

    def give(self, path, owner):
        """Give a tree to `owner`; without root it stays the caller's."""
        if not self.privileged:
            return
        os.chown(path, owner, owner, follow_symlinks=False)
        for folder, dirs, files in os.walk(path):
            for entry in dirs + files:
                os.chown(os.path.join(folder, entry), owner, owner, follow_symlinks=False)

    def maildir(self, address):
        """Where the mail of user@domain lies."""
        user, _, domain = address.rpartition("@")
        return self.root / domain / "home" / user / "Maildir"

    def files(self, address):
        """Paths of the delivered messages of user@domain, oldest name first."""
        return sorted(path for part in ("new", "cur") for path in _listdir(self.maildir(address) / part))

    def messages(self, address):
        """The delivered messages of user@domain, parsed on demand."""
        return [Message(path) for path in self.files(address)]

    def all_files(self):
        """Paths of every delivered message of every domain; an alias by symbolic link counts once."""
        found = []
        for domain in _listdir(self.root):
            if domain.is_symlink():
                continue
            for home in _listdir(domain / "home"):
                for part in ("new", "cur"):
                    found.extend(_listdir(home / "Maildir" / part))
        return found


def _listdir(path):
    try:
        return [Path(path) / name for name in os.listdir(path)]
    except (FileNotFoundError, NotADirectoryError):
        return []
