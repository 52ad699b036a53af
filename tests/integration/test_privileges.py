"""Who may do what, read from /proc of the running processes: users, groups, capabilities, root directory,
descriptors.  Needs root, since without it nobody changes user."""

import os
import re
import stat
import subprocess
import sys
import time

import pytest

from lib.domains import FIRST_OWNER
from lib.instance import TEST_USERS
from lib.smtp_raw import RawClient
from lib.waiting import wait_for
from lib.world import World

pytestmark = pytest.mark.root

CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_DAC_READ_SEARCH = 5, 6, 7, 8, 2
SPAWNER_CAPS = 1 << CAP_KILL | 1 << CAP_SETGID | 1 << CAP_SETUID | 1 << CAP_SETPCAP
ALLOWED = {"directory": 1 << CAP_DAC_READ_SEARCH, "local": SPAWNER_CAPS, "spawner": SPAWNER_CAPS}
UIDS = {role: int(uid) for role, uid in TEST_USERS.items()} | {"local": 0, "spawner": 0}


@pytest.fixture(scope="module")
def busy():
    """An instance that has work: open sessions, delivered mail, a large message, mail waiting to go out."""
    world = World(retry=["300s"])
    world.sink("remote.test", script={"RCPT": "450 4.2.1 later"})
    mta = world.start()
    clients = []
    try:
        for size in (1, 40000):
            mta.send("alice@domain1.com", ["bob@domain1.com", "bob@domain2.com", "x@remote.test"],
                     b"Subject: x\r\n\r\n" + b"0123456789\r\n" * size)
        for domain in ("domain1.com", "domain2.com"):
            mta.wait_messages(f"bob@{domain}", 2)
        for _ in range(10):
            client = RawClient("127.0.0.1", mta.port)
            client.hello()
            client.command("MAIL FROM:<s@else.test>", "250")
            client.command("RCPT TO:<bob@domain1.com>", "250")
            client.command("DATA", "354")
            client.send(b"Subject: under way\r\n\r\n" + b"0123456789\r\n" * 30000)
            clients.append(client)
        yield mta
    finally:
        for client in clients:
            client.close()
        world.close()


def status(pid):
    text = open(f"/proc/{pid}/status", encoding="utf-8").read()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def roles(mta):
    """{role: [pid]} with at least one process of each; local's children too."""
    wanted = {*UIDS, "local-child"}
    found = {}
    for role, pid in mta.processes():
        found.setdefault(role, []).append(pid)
    assert set(found) == wanted, sorted(found)
    return found


def descriptors(pid):
    """[(number, target, access mode, stat)] of the open descriptors."""
    found = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{number}")
            info = open(f"/proc/{pid}/fdinfo/{number}", encoding="utf-8").read()
            what = os.stat(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            continue
        flags = int(re.search(r"flags:\t(\d+)", info).group(1), 8)
        found.append((int(number), target, flags & os.O_ACCMODE, what))
    return found


def test_users(busy):
    for role, pids in roles(busy).items():
        for pid in pids:
            uids = [int(one) for one in status(pid)["Uid"].split()]
            if role == "local-child":
                assert len(set(uids)) == 1 and uids[0] >= FIRST_OWNER, uids
            else:
                assert uids == [UIDS[role]] * 4, f"{role}: {uids}"


def test_groups(busy):
    for role, pids in roles(busy).items():
        for pid in pids:
            assert status(pid)["Groups"].split() == [], f"{role}: {status(pid)['Groups']}"
            gids = {int(one) for one in status(pid)["Gid"].split()}
            assert len(gids) == 1
            assert role in ("local", "spawner") or gids != {0}, f"{role} has group root"


def test_capabilities(busy):
    for role, pids in roles(busy).items():
        for pid in pids:
            sets = {name: int(status(pid)[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
            allowed = ALLOWED.get(role, 0)
            for name in ("CapPrm", "CapEff", "CapBnd"):
                assert sets[name] & ~allowed == 0, f"{role} {name} {sets[name]:x}"
            assert sets["CapInh"] & ~allowed == 0 and sets["CapAmb"] & ~allowed == 0, f"{role} {sets}"


def test_no_new_privileges(busy):
    for role, pids in roles(busy).items():
        for pid in pids:
            assert status(pid)["NoNewPrivs"] == "1", role


def test_children_of_local_have_no_way_back(busy):
    """One child per mailbox owner: no saved or file-system uid 0, no capability in any set."""
    owners = set()
    for pid in roles(busy)["local-child"]:
        now = status(pid)
        uids = {int(one) for one in now["Uid"].split()}
        assert len(uids) == 1 and 0 not in uids
        owners |= uids
        assert 0 not in {int(one) for one in now["Gid"].split()}
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"):
            assert int(now[name], 16) == 0, f"{name} {now[name]}"
    assert owners == {busy.domains.owners["domain1.com"], busy.domains.owners["domain2.com"]}


def test_children_of_local_see_no_other_domain(busy):
    """No descriptor into another domain's directory, none into the spool that can be read by path."""
    names = {uid: name for name, uid in busy.domains.owners.items()}
    for pid in roles(busy)["local-child"]:
        own = names[int(status(pid)["Uid"].split()[0])]
        for _, target, _, what in descriptors(pid):
            if target.startswith(str(busy.domains.root)):
                assert target.startswith(str(busy.domains.root / own)), f"{own}: {target}"
            assert not (stat.S_ISDIR(what.st_mode) and target.startswith(str(busy.spool))), target


def test_root_directories(busy):
    for role in ("smtpd", "remote", "keys"):
        for pid in roles(busy)[role]:
            root = f"/proc/{pid}/root"
            assert os.readlink(root) == str(busy.spool / "sockets" / role)
            for name in os.listdir(root):
                assert stat.S_ISSOCK(os.lstat(f"{root}/{name}").st_mode), f"{role}: {name} in its root"
            about = os.stat(root)
            assert about.st_uid == 0 and about.st_mode & 0o022 == 0, f"{role}: its root is writable"
            assert os.readlink(f"/proc/{pid}/cwd") == os.readlink(root)
    for pid in roles(busy)["queue"]:
        assert os.readlink(f"/proc/{pid}/root") == str(busy.spool)


def test_smtpd_can_read_no_queue_file(busy):
    """Every regular file smtpd holds is write-only; it holds no directory."""
    for pid in roles(busy)["smtpd"]:
        held = 0
        for number, target, access, what in descriptors(pid):
            assert not stat.S_ISDIR(what.st_mode), f"a directory: {number} -> {target}"
            if stat.S_ISREG(what.st_mode):
                held += number > 2
                assert access == os.O_WRONLY, f"{number} -> {target} can be read"
                assert number <= 2 or target.startswith(str(busy.spool)), f"{number} -> {target}"
        assert held > 0, "no segment in hand: the test saw nothing"


def test_queue_and_remote_hold_no_network(busy):
    """queue has no internet socket at all; remote holds no file it could open by path."""
    inodes = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        with open(f"/proc/net/{table}", encoding="ascii") as file:
            inodes |= {line.split()[9] for line in file.readlines()[1:]}
    for role in ("queue", "directory", "local", "keys"):
        for pid in roles(busy)[role]:
            for _, target, _, _ in descriptors(pid):
                found = re.fullmatch(r"socket:\[(\d+)\]", target)
                assert not found or found.group(1) not in inodes, f"{role} holds an internet socket"
    for role in ("remote", "keys"):
        for pid in roles(busy)[role]:
            for number, target, _, what in descriptors(pid):
                assert not stat.S_ISDIR(what.st_mode), f"{role} holds the directory {target}"
                assert role == "remote" or number <= 2 or not stat.S_ISREG(what.st_mode), f"keys holds {target}"


def test_smtpd_and_remote_cannot_open_a_file(busy):
    """A process with smtpd's root and user finds nothing to open, nor a place to write."""
    probe = ("import os,sys\n"
             "root, uid = sys.argv[1], int(sys.argv[2])\n"
             "os.chroot(root); os.chdir('/'); os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)\n"
             "bad = []\n"
             "for path in ('/etc/passwd', '/segments', '../segments', '/proc/self/status', '/..', '/../../../etc/passwd'):\n"
             "    try:\n"
             "        fd = os.open(path, os.O_RDONLY)\n"
             "        bad += [path] if not os.path.samefile(path, '/') else []\n"
             "    except OSError: pass\n"
             "try:\n"
             "    os.open('/made', os.O_CREAT | os.O_WRONLY); bad.append('/made')\n"
             "except OSError: pass\n"
             "print(bad)\n")
    for role in ("smtpd", "remote", "keys"):
        pid = roles(busy)[role][0]
        done = subprocess.run([sys.executable, "-c", probe, f"/proc/{pid}/root", str(UIDS[role])], capture_output=True,
                              text=True, timeout=10, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "[]"


def test_spool_is_closed_to_others(busy):
    """segments, journal, large, corrupt: the queue's user alone; drop: create, never list."""
    for name in ("segments", "journal", "large", "corrupt"):
        about = os.stat(busy.spool / name)
        assert about.st_uid == UIDS["queue"] and about.st_mode & 0o077 == 0, f"{name} {oct(about.st_mode)}"
        for path in (busy.spool / name).iterdir():
            assert path.stat().st_mode & 0o077 == 0, f"{path} {oct(path.stat().st_mode)}"
    assert os.stat(busy.spool / "drop").st_mode & 0o7777 == 0o3733
    for name in ("smtpd", "queue", "local", "remote", "keys", "control"):
        about = os.stat(busy.spool / "sockets" / name)
        assert about.st_uid == 0 and about.st_mode & 0o027 == 0, f"sockets/{name} {oct(about.st_mode)}"


def test_delivered_mail_belongs_to_its_owner(busy):
    for domain in ("domain1.com", "domain2.com"):
        for path in busy.domains.files(f"bob@{domain}"):
            about = path.stat()
            assert about.st_uid == busy.domains.owners[domain] and about.st_mode & 0o077 == 0
        maildir = busy.domains.maildir(f"bob@{domain}")
        for folder in (maildir, maildir / "new", maildir / "cur", maildir / "tmp"):
            assert folder.stat().st_uid == busy.domains.owners[domain] and folder.stat().st_mode & 0o077 == 0


def test_programs_are_not_set_id(busy):
    from lib.instance import BIN
    for path in BIN.iterdir():
        assert path.stat().st_mode & 0o6000 == 0, path


def test_core_files_are_off(busy):
    """No core file with mail or keys in it."""
    for role, pids in roles(busy).items():
        for pid in pids:
            limits = open(f"/proc/{pid}/limits", encoding="utf-8").read()
            assert re.search(r"Max core file size\s+0\s+0", limits), role


def test_no_memory_is_writable_and_executable(busy):
    for role, pids in roles(busy).items():
        for pid in pids:
            assert not re.search(r"(?m)^\S+ .?wx", open(f"/proc/{pid}/maps", encoding="utf-8").read()), role


def test_still_so_after_a_restart(busy):
    """What the supervisor starts again has given up the same rights."""
    for role in ("smtpd", "queue", "remote", "keys", "directory"):
        gone = busy.kill(role)
        pid = wait_for(lambda: [one for one in busy.pids(role) if one != gone and
                                status(one)["Uid"].split()[0] == str(UIDS[role])], 5, f"a new {role}")[-1]
        now = status(pid)
        assert now["Uid"].split() == [str(UIDS[role])] * 4 and now["NoNewPrivs"] == "1"
        assert int(now["CapPrm"], 16) & ~ALLOWED.get(role, 0) == 0
        assert role == "directory" or int(now["CapBnd"], 16) == 0


def test_a_password_file_may_not_name_other_users_uids(busy):
    """Only root's own passwd file may name uids; a domain owner's line with uid 0 or a neighbour's is refused."""
    text = busy.domains.read("domain1.com", "passwd")
    number, other = text.count("\n") + 1, busy.domains.owners["domain2.com"]
    busy.domains.rewrite("domain1.com", "passwd", text + f"thief:x:{other}:{other}::/home/thief:\n")
    with RawClient("127.0.0.1", busy.port) as client:
        client.hello()
        client.command("MAIL FROM:<s@else.test>", "250")

        def reported():
            client.command("RCPT TO:<thief@domain1.com>", "[45]..")
            client.command("RSET", "250")
            client.command("MAIL FROM:<s@else.test>", "250")
            return f"domain1.com/etc/passwd:{number}:" in busy.log()
        for _ in range(8):
            if reported():
                break
            time.sleep(0.1)
        assert reported()
        client.command("RCPT TO:<bob@domain1.com>", "250")
