"""Plays the rows of config.tsv about aliases and mailboxes, one test a row: CO-17 to CO-24."""

import ctypes
import os
import re
import time

import pytest

from integration import test_aliases, test_security
from lib.instance import Instance, two_bobs
from lib.smtp_raw import RawClient
from lib.waiting import patience, wait_for

pytestmark = pytest.mark.limit(120)
MESSAGE = b"Subject: x\r\n\r\nx\r\n"
STRANGER = 65200


@pytest.fixture(name="mta")
def fixture_mta():
    """One whose deferred mail is tried again every second."""
    with Instance(settings={"retry": ["1s"]}) as one:
        one.add_domain("domain1.com", ["bob", "eve"])
        one.add_domain("domain2.com", ["bob"])
        one.start()
        yield one


def send(mta, *recipients):
    mta.send("s@else.test", list(recipients), MESSAGE)


def recipient(mta, address):
    """What the queue says of a recipient."""
    for message in mta.queue():
        for one in message["recipients"]:
            if one["address"] == address:
                return one
    return None


def wait_deferred(mta, address):
    """Until an attempt has failed; the state of the recipient."""
    return wait_for(lambda: (one := recipient(mta, address)) and one["state"] == "deferred" and one, 15, f"{address} deferred")


def maildir(mta, address):
    """The Maildir of a user, made by a first delivery."""
    send(mta, address)
    mta.wait_messages(address, 1)
    return mta.domains.maildir(address)


def owner(mta, domain="domain1.com"):
    return mta.domains.owners[domain] if mta.privileged else os.getuid()


def test_co_17():
    with two_bobs() as one:
        test_aliases.test_alias_loop_is_bounded_and_hurts_nobody_else(one)
    if os.geteuid() == 0:
        with Instance() as one:
            one.add_domain("domain1.com", ["bob"])
            one.add_domain("broken.com", ["eve"])
            one.start()
            test_security.test_lists_that_multiply_end(one)
    with Instance() as one:
        chain = "".join(f"a{number}: a{number + 1}\n" for number in range(10000))
        many = "all: " + ", ".join(f"x{number}@far.test" for number in range(20000)) + "\n"
        one.add_domain("domain1.com", ["bob"], aliases=chain + "a10000: bob\n" + many)
        one.start()
        for address in ("a0@domain1.com", "all@domain1.com"):
            began = time.monotonic()
            said = one.command("explain", address).stdout
            assert re.search(r"\b5\.4\.6\b|4\.3\.5", said) and time.monotonic() - began < 5 * patience(), said[:500]
        send(one, "bob@domain1.com")
        one.wait_messages("bob@domain1.com", 1)


def test_co_18(mta):
    """A home that leads out of the domain is refused where it is read; the user does not exist."""
    outside = mta.root / "outside"
    outside.mkdir()
    os.chmod(outside, 0o777)
    homes = ["..", "../..", "/home/../../outside", "/../../outside", "a\0b", "x" * 300, "/home/" + "y/" * 2100, str(outside),
             "/etc/../../../outside", "."]
    text = mta.domains.read("domain1.com", "passwd")
    mta.domains.rewrite("domain1.com", "passwd", text + "".join(f"u{number}:x::::{home}:\n" for number, home in enumerate(homes))
                        + mta.domains.passwd_line("domain1.com", "last"))

    def rcpt(user):
        with RawClient("127.0.0.1", mta.port) as client:
            client.hello()
            client.command("MAIL FROM:<s@else.test>", "250")
            return client.command(f"RCPT TO:<{user}@domain1.com>").code
    wait_for(lambda: rcpt("last") == "250", 5, "the new file in force")
    before = {path for path in mta.root.rglob("*")}
    for number, home in enumerate(homes):
        if rcpt(f"u{number}") == "250":
            send(mta, f"u{number}@domain1.com")
    send(mta, "last@domain1.com")
    mta.wait_messages("last@domain1.com", 1)
    time.sleep(1)
    made = {path for path in mta.root.rglob("*")} - before
    below = mta.domains.root / "domain1.com"
    strangers = [path for path in made if below not in path.parents and mta.spool not in path.parents]
    assert not strangers and not list(outside.iterdir()), strangers
    assert all(path.resolve().is_relative_to(below) for path in made if below in path.parents)


@pytest.mark.root
def test_co_19(mta):
    """Root's own passwd file may name other uids; uid 0 and gid 0 are nobody's, and mail for them is put off."""
    etc = mta.domains.root / "domain1.com/etc/passwd"
    etc.write_text(etc.read_text() + "zero:x:0:0::/home/zero:\ngroup:x:65001:0::/home/group:\n")
    os.chown(etc, 0, 0)
    os.chown(etc.parent, 0, 0)
    for user in ("zero", "group"):
        with RawClient("127.0.0.1", mta.port) as client:
            client.hello()
            client.command("MAIL FROM:<s@else.test>", "250")
            code = client.command(f"RCPT TO:<{user}@domain1.com>").code
        if code == "250":
            send(mta, f"{user}@domain1.com")
            wait_deferred(mta, f"{user}@domain1.com")
        assert not (mta.domains.root / "domain1.com/home" / user).exists()
    assert re.search(r"domain1\.com/etc/passwd:3:|no mail is delivered as root", mta.log())


def test_co_20(mta):
    """Mail waits, the log says for what; nothing is written on the other side of the link."""
    outside = mta.root / "outside"
    for name in ("", "new", "cur", "tmp"):
        (outside / name).mkdir(exist_ok=True)
        os.chmod(outside / name, 0o777)
    box = maildir(mta, "bob@domain1.com")
    moved = box.with_name("real")
    count = 1
    for part in ("", "new", "tmp"):
        place, target = (box / part, outside / part) if part else (box, outside)
        aside = moved if not part else box.with_name(f"real-{part}")
        place.rename(aside)
        place.symlink_to(target)
        send(mta, "bob@domain1.com")
        state = wait_deferred(mta, "bob@domain1.com")
        assert str(state["code"])[0] == "4", state
        assert not list((outside / "new").iterdir()) + list((outside / "tmp").iterdir())
        place.unlink()
        aside.rename(place)
        count += 1
        mta.wait_messages("bob@domain1.com", count)
    assert "symbolic link" in mta.log()


@pytest.mark.root
def test_co_21(mta):
    """Another's Maildir, closed to the owner or open to the world: mail waits, or is written as the owner and nobody else."""
    box = maildir(mta, "bob@domain1.com")
    for mode in (0o700, 0o755):
        for folder in (box, box / "new", box / "cur", box / "tmp"):
            os.chown(folder, STRANGER, STRANGER)
            folder.chmod(mode)
        send(mta, "bob@domain1.com")
        wait_deferred(mta, "bob@domain1.com")
        for folder in (box, box / "new", box / "cur", box / "tmp"):
            os.chown(folder, owner(mta), owner(mta))
            folder.chmod(0o700)
        wait_for(lambda: mta.queue() == [], 15, "delivery after all")
    assert {path.stat().st_uid for path in (box / "new").iterdir()} == {owner(mta)}


def test_co_22(mta):
    """The owner swaps his Maildir for a link 100,000 times while mail comes: none of it lands on the other side."""
    outside = mta.root / "outside"
    for name in ("", "new", "cur", "tmp"):
        (outside / name).mkdir(exist_ok=True)
        os.chmod(outside / name, 0o777)
    home = maildir(mta, "bob@domain1.com").parent
    swapper = os.fork()
    if swapper == 0:
        status = 1
        try:
            folder = os.open(home, os.O_RDONLY)
            os.symlink(outside, "link", dir_fd=folder)
            exchange = ctypes.CDLL(None).renameat2
            status = int(any(exchange(folder, b"Maildir", folder, b"link", 2) for _ in range(200000)))
        finally:
            os._exit(status)
    sent, end = 0, None
    while end is None or sent < 100:
        send(mta, "bob@domain1.com")
        sent += 1
        time.sleep(0.02)
        if end is None:
            pid, status = os.waitpid(swapper, os.WNOHANG)
            end = status if pid else None
    assert end == 0, "the swapper failed"
    wait_for(lambda: mta.queue() == [], 30, "an empty queue")
    assert not [path for path in outside.rglob("*") if path.is_file()]
    mta.wait_messages("bob@domain1.com", sent + 1, timeout=20)


def planted(mta, plant):
    """Mail for bob and eve, eve's mailbox closed; plant(names, box) puts something in its way, then it is opened.

    names: of eve's file in tmp/ and in new/, as the owner can work them out from bob's copy and the child's number.
    """
    box = maildir(mta, "eve@domain1.com")
    maildir(mta, "bob@domain1.com")
    old = {path.name for path in (mta.domains.maildir("bob@domain1.com") / "new").iterdir()}
    (box / "tmp").chmod(0)
    (box / "new").chmod(0)
    if not mta.privileged and os.getuid() == 0:
        pytest.skip("root is not kept out by modes")
    send(mta, "bob@domain1.com", "eve@domain1.com")
    wait_deferred(mta, "eve@domain1.com")
    copy = [path.name for path in (mta.domains.maildir("bob@domain1.com") / "new").iterdir() if path.name not in old]
    assert len(copy) == 1, copy
    name = re.sub(r"R0\.", "R1.", copy[0])
    children = [pid for pid in mta.pids("local-child")]
    for folder in ("tmp", "new"):
        (box / folder).chmod(0o700)
    plant([f"{name}.{pid}" for pid in children], name, box)
    for path in (*(box / "tmp").iterdir(), *(box / "new").iterdir()):
        os.chown(path, owner(mta), owner(mta), follow_symlinks=False)
    wait_for(lambda: mta.queue() == [], 15, "an empty queue")
    return name, box


@pytest.mark.root
def test_co_23(mta):
    """Links and files of our names in tmp/: removed, never followed nor written on; the mail comes whole."""
    secret = mta.root / "secret"
    secret.write_bytes(b"S" * 5000)
    secret.chmod(0o666)

    def plant(temporary, _name, box):
        for number, one in enumerate(temporary):
            if number % 2:
                (box / "tmp" / one).write_bytes(b"P" * 5000)
            else:
                (box / "tmp" / one).symlink_to(secret)
    name, box = planted(mta, plant)
    found = box / "new" / name
    assert found.is_file() and not found.is_symlink() and b"Subject: x\n\nx\n" in found.read_bytes()
    assert secret.read_bytes() == b"S" * 5000 and b"P" * 10 not in found.read_bytes()


@pytest.mark.root
def test_co_24(mta):
    """A file of our name in new/, made by the owner: it counts as delivered, for this mailbox alone."""
    def plant(_temporary, name, box):
        (box / "new" / name).write_bytes(b"mine\n")
    name, box = planted(mta, plant)
    mine = [path for path in (box / "new").iterdir() if path.name == name]
    assert len(mine) == 1 and mine[0].read_bytes() == b"mine\n"
    assert len(mta.messages("bob@domain1.com")) == 2
    send(mta, "eve@domain1.com")
    wait_for(lambda: len(list((box / "new").iterdir())) == 3, 10, "the next message")

