"""Plays the rows of config.tsv about sendmail(1), drop/ and the sockets between processes, one test a row: CO-25 to CO-38
and CO-40."""

import os
import resource
import socket
import struct
import subprocess
import sys
import time

import pytest

from integration import test_security, test_sendmail, test_supervisor_alone
from integration.conftest import alone  # noqa: F401
from lib.instance import BIN, two_bobs
from lib.smtp_raw import RawClient
from lib.waiting import wait_for
from lib.world import World

pytestmark = pytest.mark.limit(120)
LETTER = b"From: a@domain1.com\nSubject: letter\n\nhello\n"


@pytest.fixture(name="mta")
def fixture_mta():
    with two_bobs() as one:
        yield one


def run(mta, code, *args, stdin=LETTER, **more):
    """A Python program that ends by executing sendmail; the finished process."""
    return subprocess.run([sys.executable, "-c", f"import ctypes, os, resource, signal, sys\nBIN = {str(BIN / 'sendmail')!r}\n{code}",
                           *args], input=stdin, capture_output=True, timeout=30, cwd="/", check=False,
                          env=mta.environment(POSTRIDER_CONFIG=str(mta.conf)), **more)


EXEC = "os.execv(BIN, ['sendmail', '-i', 'bob@domain1.com'])\n"


def test_co_25(mta):
    """No program is set-id, so nothing is won; and the environment changes neither what is read nor what is submitted."""
    assert (BIN / "sendmail").stat().st_mode & 0o6000 == 0
    marker = mta.root / "loaded"
    bad = mta.root / "bad.cf"
    bad.write_text(f"O QueueDirectory={marker}\n")
    more = {"MAIL_CONFIG": str(mta.root), "TZ": f":{marker}", "IFS": "/ \t\n", "PATH": ".:/nonexistent", "LANG": "../../x",
            "SENDMAIL_CF": str(bad), "HOSTALIASES": str(bad), "LOCALDOMAIN": "evil.test", "RES_OPTIONS": "debug",
            "MALLOC_CHECK_": "3", "NLSPATH": str(marker), "ENV": str(marker), "BASH_ENV": str(marker)}
    done = subprocess.run([str(BIN / "sendmail"), "-i", "bob@domain1.com"], input=LETTER, capture_output=True, timeout=20, check=False,
                          env={"POSTRIDER_CONFIG": str(mta.conf), **more})
    assert done.returncode == 0, done.stderr
    one = mta.wait_messages("bob@domain1.com")[0]
    assert b"evil.test" not in one.raw and one.body == b"hello\n" and not marker.exists()


def test_co_26(mta):
    """execve with no argument at all; this kernel makes it one empty argument, older ones none."""
    done = run(mta, "e = [f'{k}={v}'.encode() for k, v in os.environ.items()]\n"
                    "env = (ctypes.c_char_p * (len(e) + 1))(*e, None)\n"
                    "ctypes.CDLL(None).execve(BIN.encode(), (ctypes.c_char_p * 1)(None), env)\n")
    assert done.returncode == 64 and mta.queue() == [], done


def test_co_27(mta):
    """Without descriptors 0 to 2 no file that is opened becomes one of them: the configuration and the socket stay as they are."""
    before = mta.conf.read_bytes()
    for closed in ((0,), (1,), (2,), (1, 2), (0, 1, 2)):
        done = run(mta, "".join(f"os.close({fd})\n" for fd in closed) + EXEC)
        assert done.returncode == 0 or (0 in closed and done.returncode in (0, 66, 74, 75)), (closed, done)
    assert mta.conf.read_bytes() == before
    wait_for(lambda: mta.queue() == [], 10, "delivery")
    for one in mta.messages("bob@domain1.com"):
        assert one.body in (b"hello\n", b""), one.raw


def test_co_28(mta):
    """A poor start: either the message is taken whole, or the status says that it was not and nothing is."""
    starts = {"umask": "os.umask(0)\n", "sigpipe": "signal.signal(signal.SIGPIPE, signal.SIG_IGN)\n",
              "timer": "signal.setitimer(signal.ITIMER_REAL, 20)\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\n",
              "cwd": "os.mkdir('/tmp/prt-gone-%d' % os.getpid()); os.chdir('/tmp/prt-gone-%d' % os.getpid()); "
                     "os.rmdir('/tmp/prt-gone-%d' % os.getpid())\n",
              "blocked": "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\n"}
    for name, value in (("FSIZE", 0), ("FSIZE", 100), ("NOFILE", 3), ("NOFILE", 4), ("NOFILE", 8), ("AS", 4 << 20), ("AS", 24 << 20),
                        ("DATA", 1 << 20), ("STACK", 64 << 10), ("NPROC", 1), ("CPU", 1)):
        starts[f"{name}={value}"] = f"resource.setrlimit(resource.RLIMIT_{name}, ({value}, {value}))\n"
    taken = 0
    for name, code in starts.items():
        done = run(mta, code + EXEC)
        # A loader that has no memory to load the program ends with 127, a kernel with a signal before it runs at all.
        assert done.returncode in (0, 70, 71, 75, 78, 127) or done.returncode < 0, (name, done)
        taken += done.returncode == 0
    assert taken >= 5
    mta.wait_messages("bob@domain1.com", taken)
    assert all(one.body == b"hello\n" for one in mta.messages("bob@domain1.com"))
    assert not list((mta.spool / "drop").iterdir())


@pytest.mark.parametrize("options", [["-X", "{}"], ["-oQ{}"], ["-be"], ["-bv"], ["-bd"], ["-D{}"], ["-d99.100"], ["-C", "{}"], ["-C{}"],
                                     ["-O", "QueueDirectory={}"], ["-OLogFile={}"], ["-oA{}"], ["-f", "-X{}"], ["-X{}", "-t"]])
def test_co_29(mta, options):
    path = mta.root / "named"
    conf = mta.root / "real.conf"
    conf.write_text("never read\n")
    done = mta.sendmail(*[one.format(path) for one in options], "-i", "bob@domain1.com", stdin=LETTER)
    assert done.returncode in (0, 64, 65, 67, 69, 78), done
    assert not path.exists()


def test_co_30(mta):
    for address in ("a\nb@c", "a\rb@domain1.com", "<bob@domain1.com>\nDATA", "x" * 10000, "bob@domain1.com\nbob@domain2.com",
                    "bob@domain1.com\r\nRCPT TO:<bob@domain2.com>"):
        test_sendmail.test_injection_by_address_is_refused(mta, address)


def test_co_31(mta):
    many = b"To: " + b",\n ".join(b"u%d@domain1.com" % number for number in range(100000)) + b"\nSubject: x\n\nhello\n"
    done = mta.sendmail("-t", "-i", stdin=many, timeout=60)
    assert done.returncode in (65, 67, 69, 75), done.stderr[-300:]
    huge = b"X: " + b"y" * 70 + b"\n"
    done = mta.sendmail("-t", "-i", stdin=b"To: bob@domain1.com\n" + huge * (10 * 1024 * 1024 // len(huge)) + b"\nhello\n", timeout=60)
    assert done.returncode in (0, 65, 69), done.stderr[-300:]
    count = int(done.returncode == 0)
    done = mta.sendmail("-t", "-i", stdin=b"Bcc: bob@domain1.com\nSubject: secret\n\nhello\n")
    assert done.returncode == 0
    found = mta.wait_messages("bob@domain1.com", count + 1)
    secret = [one for one in found if one["Subject"] == "secret"]
    assert len(secret) == 1 and secret[0]["Bcc"] is None
    done = mta.sendmail("-t", "-i", stdin=b"To: bob@domain2.com\nResent-To: bob@domain1.com\nResent-From: alice@domain1.com\n\nagain\n")
    assert done.returncode == 0
    mta.wait_messages("bob@domain1.com", count + 2)
    mta.wait_queue_empty()
    assert mta.messages("bob@domain2.com") == []
    test_sendmail.test_dash_t_without_recipients(mta)


def test_co_32():
    with two_bobs(settings={"message-size-limit": "1M"}) as mta:
        argv = [str(BIN / "sendmail"), "-i", "bob@domain1.com"]
        env = mta.environment(POSTRIDER_CONFIG=str(mta.conf))
        with open("/dev/zero", "rb") as endless:
            done = subprocess.run(argv, stdin=endless, capture_output=True, timeout=60, env=env, check=False)
        assert done.returncode in (65, 69, 75), done
        folder = os.open("/tmp", os.O_RDONLY)
        done = subprocess.run(argv, stdin=folder, capture_output=True, timeout=20, env=env, check=False)
        os.close(folder)
        assert done.returncode in (66, 74), done
        done = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *argv], capture_output=True, timeout=20, env=env, check=False)
        assert done.returncode in (0, 66, 74), done
        closed = int(done.returncode == 0)
        with subprocess.Popen(argv, stdin=subprocess.PIPE, env=env) as slow:
            for octet in b"Subject: slow\n\nx\n":
                slow.stdin.write(bytes([octet]))
                slow.stdin.flush()
                time.sleep(0.1)
            slow.stdin.close()
            assert slow.wait(20) == 0
        found = mta.wait_messages("bob@domain1.com", closed + 1)
        assert [one for one in found if one["Subject"] == "slow"][0].body == b"x\n"


def test_co_33(mta):
    test_sendmail.test_dot_ends_the_message_without_dash_i(mta)
    for number, option in enumerate(("-i", "-oi"), 2):
        done = mta.sendmail(option, "bob@domain1.com", stdin=b"Subject: dots\n\na\n.\nb\n")
        assert done.returncode == 0
        assert [one.body for one in mta.wait_messages("bob@domain1.com", number) if one["Subject"] == "dots"][-1] == b"a\n.\nb\n"


def test_co_34():
    worlds = []

    def make_world(**settings):
        worlds.append(World(**settings))
        return worlds[-1]
    try:
        test_sendmail.test_bare_cr_cannot_smuggle(make_world)
    finally:
        for world in worlds:
            world.close()


# --- drop/ ---

@pytest.mark.root
def test_co_35(mta):
    """Another's file of mode 0600, hard-linked into drop/: its text goes nowhere."""
    secret = mta.root / "secret"
    secret.write_text("drop 1\nfrom=a@b.test\nrcpt=bob@domain1.com\nsize=9\nbody=7bit\n\nsecret x\n")
    os.chown(secret, 65300, 65300)
    secret.chmod(0o600)
    os.link(secret, mta.spool / "drop" / ("b" * 24 + ".msg"))
    test_security.drop(mta, "c" * 24 + ".msg", "alice@domain1.com", ["bob@domain1.com"])
    found = mta.wait_messages("bob@domain1.com", 1)
    time.sleep(1)
    assert b"secret" not in found[0].raw and len(mta.messages("bob@domain1.com")) == 1
    assert secret.read_text().endswith("secret x\n")


@pytest.mark.root
def test_co_36(mta):
    drop = mta.spool / "drop"
    whole = "drop 1\nfrom=a@b.test\nrcpt=bob@domain1.com\nsize=100000\nbody=7bit\n\nshort\n"

    def plant():
        os.symlink("/etc/passwd", drop / ("1" * 24 + ".msg"))
        os.mkfifo(drop / ("2" * 24 + ".msg"))
        os.mkdir(drop / ("3" * 24 + ".msg"))
        (drop / "new\nline.msg").write_text(whole)
        (drop / ("4" * 24 + ".msg")).write_text(whole)
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(drop / ("5" * 24 + ".msg")))
        (drop / ("6" * 24 + ".msg")).write_bytes(b"drop 1\nsize=99999999999999999999\n\n")
    test_security.as_user(65301, plant)
    test_security.drop(mta, "9" * 24 + ".msg", "alice@domain1.com", ["bob@domain1.com"], uid=65302)
    found = mta.wait_messages("bob@domain1.com", 1)
    time.sleep(1)
    assert b"root:" not in found[0].raw and len(mta.messages("bob@domain1.com")) == 1
    assert "drop" in mta.log() and len(mta.pids("queue")) == 1


# --- the submission socket ---

def submit(mta):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(mta.spool / "sockets/submit/smtp"))
    return client


def is_served(mta, count):
    done = mta.sendmail("-i", "bob@domain1.com", stdin=LETTER)
    assert done.returncode == 0, done
    mta.wait_messages("bob@domain1.com", count)


@pytest.mark.root
def test_co_37(mta):
    """Everybody may submit (DESIGN, section 6: the submit socket is the local door), as who he is: the kernel says the uid, and
    the word that changes it is for the queue's user alone."""
    program = ("import socket, sys\ns = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1]); s.recv(999)\n"
               "for line in ('EHLO x', 'XSUBMITTER 0', 'MAIL FROM:<a@b.test>', 'RCPT TO:<bob@domain1.com>', 'QUIT'):\n"
               "    s.sendall(line.encode() + b'\\r\\n'); print(s.recv(9999)[:3].decode())\n")
    done = subprocess.run([sys.executable, "-c", program, str(mta.spool / "sockets/submit/smtp")], user=65310, group=65310,
                          extra_groups=[], capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout.split() == ["250", "500", "250", "250", "221"], done
    assert "uid=65310" in mta.log() and "uid=0 " not in mta.log()


def test_co_38(mta):
    rubbish = [b"\0" * 100000, os.urandom(100000), struct.pack("!III", 0xffffffff, 0xffffffff, 0xffffffff), b"EHLO " + b"x" * 1000000,
               b"EHLO x\r\nMAIL FROM:<a", b"hello version=1\n"]
    for octets in rubbish:
        with submit(mta) as client:
            try:
                client.sendall(octets)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass
    with submit(mta) as client, open("/dev/null", "rb") as null:
        client.recv(999)
        for _ in range(200):
            try:
                socket.send_fds(client, [b"NOOP\r\n"], [null.fileno()] * 250)
            except (BrokenPipeError, ConnectionResetError, TimeoutError):
                break
        held = [len(os.listdir(f"/proc/{pid}/fd")) for pid in mta.pids("smtpd")]
        assert max(held) < 100, f"descriptors were taken: {held}"
    is_served(mta, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients, wanted = [], min(10000, hard - 200)
    try:
        for _ in range(wanted):
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            clients.append(client)
            try:
                client.connect(str(mta.spool / "sockets/submit/smtp"))
            except BlockingIOError:
                pass
        with RawClient("127.0.0.1", mta.port) as client:
            client.reply(r"220|421")
    finally:
        for client in clients:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wait_for(lambda: mta.sendmail("-i", "bob@domain1.com", stdin=LETTER).returncode == 0, 30, "service after the flood")
    wait_for(lambda: len(mta.messages("bob@domain1.com")) >= 2, 10, "its message")


# --- between parent and child ---

def test_co_40(alone):
    """postriderd kills who says anything but its one octet, and goes on; frames of the other sockets are fuzzed (fuzz_wire)."""
    test_supervisor_alone.test_babbling_process_is_killed_and_the_rest_goes_on(alone)
