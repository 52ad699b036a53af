"""Plays the rows of config.tsv about the spool, the configuration and the system around, one test a row: CO-01 to CO-16,
CO-39 and CO-41 to CO-46.  The others are in test_config_mail.py and test_config_sendmail.py."""

import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import time
from pathlib import Path

import pytest

from integration import test_clock, test_supervisor_alone
from integration.conftest import alone  # noqa: F401
from lib import instance, wrapped
from lib.alone import Alone
from lib.certificates import make_certificate
from lib.instance import BIN, Instance, Listener, two_bobs
from lib.smtp_raw import RawClient
from lib.waiting import patience, wait_for

pytestmark = pytest.mark.limit(120)
MESSAGE = b"Subject: x\r\n\r\nx\r\n"


def harmed(make, *harms):
    """The spool with each of these harms, each in a directory of its own."""
    for harm in harms:
        one = make()
        try:
            test_supervisor_alone.test_spool_that_cannot_be_trusted(one, harm)
        finally:
            one.close()


def delivers(mta, count=1):
    mta.send("s@else.test", ["bob@domain1.com"], MESSAGE)
    mta.wait_messages("bob@domain1.com", count)


# --- the spool ---

@pytest.mark.root
def test_co_01():
    harmed(Alone, "owner", "directory-owner")


@pytest.mark.root
def test_co_02():
    harmed(Alone, "writable")


@pytest.mark.root
def test_co_03():
    harmed(Alone, "parent", "parent-owner")


@pytest.mark.root
def test_co_04():
    harmed(Alone, "link")


def replaced_segment(replace, reason):
    """A segment that became something else is set aside and said; the spool goes on without it."""
    with two_bobs() as mta:
        assert mta.stop() == 0
        segment = sorted((mta.spool / "segments").iterdir())[0]
        owner = segment.stat().st_uid
        secret = mta.root / "secret"
        secret.write_bytes(b"S" * 5000)
        secret.chmod(0o600)
        os.chown(secret, owner, owner)
        segment.unlink()
        replace(segment, secret)
        os.chown(segment, owner, owner, follow_symlinks=False)
        began = time.monotonic()
        mta.start_again()
        assert time.monotonic() - began < 10 * patience()
        assert re.search(rf"file={segment.name} set aside as corrupt/\S+: {reason}", mta.log())
        assert secret.read_bytes() == b"S" * 5000
        delivers(mta)
        assert secret.read_bytes() == b"S" * 5000
        # The spool may have made a segment of that number anew, if it had no higher one.
        there = segment.lstat() if os.path.lexists(segment) else None
        assert there is None or stat.S_ISREG(there.st_mode) and there.st_nlink == 1


def test_co_05():
    replaced_segment(lambda segment, secret: segment.symlink_to(secret), "Too many levels of symbolic links")


def test_co_06():
    replaced_segment(lambda segment, secret: os.link(secret, segment), "has more than one link")


def test_co_07():
    replaced_segment(lambda segment, _: os.mkfifo(segment), "not a regular file")
    if os.geteuid() == 0:
        replaced_segment(lambda segment, _: os.mknod(segment, stat.S_IFBLK | 0o600, os.makedev(7, 250)), "not a regular file")


# --- the configuration ---

@pytest.fixture(name="mta")
def fixture_mta():
    one = Instance()
    one.add_domain("domain1.com", ["bob"])
    yield one
    one.destroy()


def start(mta):
    """(exit status, what was said) of a start that does not come to anything within 10 s."""
    done = subprocess.run([str(BIN / "postriderd"), "-c", str(mta.conf)], capture_output=True, timeout=10, env=mta.environment(),
                          stdin=subprocess.DEVNULL, cwd="/", check=False)
    return done.returncode, done.stderr.decode(errors="replace")


def refused(mta, line=None):
    """Neither check nor start take the configuration; each says where. The lines said."""
    check = mta.command("check")
    status, said = start(mta)
    assert (check.returncode, status) == (78, 78), (check, said)
    where = f"{mta.conf}:{line}:" if line else str(mta.conf)
    assert where in check.stdout + check.stderr and where in said, (check, said)
    return [one for one in said.splitlines() if str(mta.conf) in one]


@pytest.mark.root
def test_co_08(mta):
    for mode, uid in ((0o664, 0), (0o646, 0), (0o644, 65534)):
        mta.write_config()
        mta.conf.chmod(mode)
        os.chown(mta.conf, uid, uid)
        refused(mta)


def test_co_09(mta):
    """Said by check, and the key is not used: TLS is not offered with it."""
    mta.certificate = make_certificate(mta.root)
    Path(mta.certificate[1]).chmod(0o644)
    mta.write_config()
    check = mta.command("check")
    assert check.returncode == 78 and "may be read by others (mode 0644): chmod 600 it" in check.stdout + check.stderr
    mta.listeners[0].tls = "starttls"
    try:
        mta.start()
    except AssertionError as error:
        assert "may be read by others" in str(error)
        return
    wait_for(lambda: "may be read by others" in mta.log(), 10, "the complaint")
    with RawClient("127.0.0.1", mta.port) as client:
        if "STARTTLS" in client.hello().keywords():
            client.command("STARTTLS", "454")


def test_co_10(mta):
    good = mta.render()
    for line, word in (("nonsense = 1", "nonsense"), ('hostname = "other.test"', "hostname"), ("idle-timeout =", "idle-timeout"),
                       ("idle-timeout", "expected ="), ("listen { }", "expected a name")):
        mta.write_config(good + line + "\nmessage-size-limit = 1M\n")
        number = good.count("\n") + 1
        check = mta.command("check")
        status, said = start(mta)
        assert check.returncode == 78 and status == 78, (line, check, said)
        assert re.search(rf"postrider\.conf:(?:{number}|{number + 1}): ", said), (line, said)
        assert word in said, (line, said)


def test_co_11(mta):
    good = mta.render()
    number = good.count("\n") + 1
    for octets, fine in ((good.replace("\n", "\r\n").encode(), True), (b"\xef\xbb\xbf" + good.encode(), True),
                         (good.rstrip("\n").encode(), True), (good.encode() + b"# \xff\xfe\x80 in a comment\n", None),
                         (good.encode() + b'postmaster = "\xff\xfe@a.test"\n', False), (good.encode() + b"\0\n", False),
                         (good.encode() + b'postmaster = "a\0b@a.test"\n', False),
                         (good.encode() + b"postmaster = \"" + b"x" * (1 << 20) + b"\"\n", False),
                         (good.encode() + b"#" + b"x" * (1 << 20) + b"\n", None)):
        mta.conf.write_bytes(octets)
        check = mta.command("check")
        said = check.stdout + check.stderr
        assert check.returncode in (0, 78), (octets[-40:], check.returncode, said[-300:])
        assert fine is None or (check.returncode == 0) == fine, (octets[-40:], said[-300:])
        assert check.returncode == 0 or f"{mta.conf}:{number}:" in said, (octets[-40:], said[-300:])


def test_co_12(mta):
    good = mta.render()
    number = good.count("\n") + 1
    for key in ("message-size-limit", "recipient-limit", "connection-limit", "idle-timeout"):
        for value in ("-1", "1e99", "99999999999999999999", "10X", "0x10", "", "ten", "1 0"):
            mta.write_config(good + f"{key} = {value}\n")
            check = mta.command("check")
            said = check.stdout + check.stderr
            assert check.returncode == 78 and re.search(rf"postrider\.conf:(?:{number}|{number + 1}): ", said), (key, value, said)


def test_co_13(mta):
    """Hosted is what is a directory, so nothing can be hosted twice but by two names of one domain."""
    mta.write_config(mta.render() + 'relay-domains = { "domain1.com" }\n')
    check = mta.command("check")
    assert check.returncode == 78 and "domain1.com" in check.stdout and "relay-domains" in check.stdout, check
    for twice in ('"b.test", "B.Test"', '"bücher.test", "xn--bcher-kva.test"'):
        mta.write_config(mta.render() + f"relay-domains = {{ {twice} }}\n")
        refused(mta, mta.render().count("\n") + 1)
    mta.write_config()
    (mta.domains.root / "Domain1.COM").mkdir()
    assert "Domain1.COM" in mta.command("check").stdout


def test_co_14():
    with Instance() as one:
        one.start()
        with RawClient("127.0.0.1", one.port) as client:
            client.hello()
            client.command("MAIL FROM:<s@else.test>", "250")
            for address in ("bob@domain1.com", "postmaster", "x@mx.test", "root@localhost"):
                client.command(f"RCPT TO:<{address}>", "550")


def test_co_15():
    with two_bobs() as one:
        good = one.conf.read_text()
        one.write_config(good + "nonsense = 1\n")
        done = one.command("reload")
        assert done.returncode == 78 and "old one stays" in done.stderr
        assert f"{one.conf}:{good.count(chr(10)) + 1}:" in one.log()
        delivers(one)
        one.write_config(good)
        assert one.command("reload").returncode == 0


def shown(mta):
    """The certificate that a client gets."""
    with RawClient("127.0.0.1", mta.port) as client:
        client.hello()
        client.command("STARTTLS", "220")
        client.start_tls()
        return client.sock.getpeercert(True)


def test_co_16(mta):
    """The certificate in force stays while its files are no better one: missing, torn, mismatched, or expired, which is
    told by the log and by `postrider check`, with how long ago that was."""
    mta.certificate = make_certificate(mta.root)
    mta.listeners = [Listener(tls="starttls")]
    mta.start()
    first = shown(mta)
    certificate, key = (Path(one) for one in mta.certificate)
    good = certificate.read_bytes(), key.read_bytes()
    other = [Path(one).read_bytes() for one in make_certificate(mta.root, stem="other")]
    for texts in ((good[0], other[1]), (b"", good[1]), (good[0][:200], good[1]), (good[0], None), (None, None)):
        for path, text in zip((certificate, key), texts):
            path.unlink(missing_ok=True)
            if text is not None:
                path.write_bytes(text)
                path.chmod(0o600)
        before = len(mta.log())
        mta.command("reload")
        assert shown(mta) == first, texts
        wait_for(lambda start=before: re.search(r"(?i)certificate|\.pem|key", mta.log()[start:]), 10, "the complaint")

    def replace(pair):
        before = len(mta.log())
        for path, text in zip((certificate, key), pair):
            path.write_bytes(text)
            path.chmod(0o600)
        mta.command("reload")
        return before

    for term, words in (((-10, -3), "has expired 3 days ago, on 20"), ((2.5, 20), "is not valid yet, but in 2 days")):
        late = [Path(one).read_bytes() for one in make_certificate(mta.root, stem="late", valid=term)]
        before = replace(late)
        assert shown(mta) == first, words
        wait_for(lambda start=before: re.search(rf"certificate = {re.escape(str(certificate))}: the certificate {words}",
                                                mta.log()[start:]), 10, "the warning")
        stays = rf"{words}.*the pair before, which is valid, stays in force"
        # It is looked at with a handshake, once a second at most.
        wait_for(lambda start=before: shown(mta) == first and re.search(stays, mta.log()[start:]), 10, "what is done about it")
        assert shown(mta) == first, words
        done = mta.command("check")
        assert done.returncode == 0 and f"warning: {mta.conf}:" in done.stdout and words in done.stdout, done
    # Other files, and those expired too: the one before is still the better one.
    mta.certificate = make_certificate(mta.root, stem="elsewhere", valid=(-10, -3))
    mta.write_config()
    mta.command("reload")
    time.sleep(1.2)
    assert shown(mta) == first
    mta.certificate = str(certificate), str(key)
    mta.write_config()
    replace(other)
    wait_for(lambda: shown(mta) != first, 10, "the new certificate")


def test_an_expired_certificate_alone(mta):
    """It is shown for want of another, and said to be of no use; one that ends soon is told in time."""
    mta.certificate = make_certificate(mta.root, valid=(-10, -3))
    mta.listeners = [Listener(tls="starttls")]
    mta.start()
    assert shown(mta)
    mta.wait_log(r"the certificate has expired 3 days ago, on \S+; it is in use all the same")
    done = mta.command("check")
    assert done.returncode == 0 and re.search(r"warning: \S+: certificate = \S+: the certificate has expired 3 days", done.stdout)
    make_certificate(mta.root, valid=(-1, 13.5))
    done = mta.command("check")
    assert re.search(r"warning: \S+: certificate = \S+: the certificate expires in 13 days, on 20", done.stdout), done
    make_certificate(mta.root, valid=(-1, 15.5))
    assert "warning" not in mta.command("check").stdout


def test_no_certificate_at_all(mta):
    """Who has said nothing about TLS hears what that means, at the start and from `postrider check`."""
    mta.start()
    words = r"there is no TLS certificate: STARTTLS is not offered.*there is no AUTH.*tls \{ certificate"
    mta.wait_log(words)
    done = mta.command("check")
    assert done.returncode == 0 and re.search("warning: .*" + words, done.stdout), done
    mta.listeners[0].tls = "none"
    mta.write_config()
    assert "warning" not in mta.command("check").stdout


# --- who may ask ---

@pytest.mark.root
def test_co_39():
    with two_bobs() as one:
        for name in ("queue", "directory", "status"):
            done = subprocess.run(["python3", "-c", "import socket, sys\ns = socket.socket(socket.AF_UNIX)\n"
                                   "try: s.connect(sys.argv[1]); print('connected')\nexcept PermissionError: print('refused')",
                                   str(one.spool / "sockets/control" / name)], user=65534, group=65534, extra_groups=[],
                                  capture_output=True, text=True, timeout=10, check=False)
            assert done.stdout == "refused\n", (name, done)
        asked = subprocess.run([str(BIN / "postrider"), "-c", str(one.conf), "status"], user=65534, group=65534, extra_groups=[],
                               capture_output=True, text=True, timeout=10, check=False)
        assert asked.returncode == 77 and "only root" in asked.stderr, asked


# --- the system around ---

@pytest.mark.root
def test_co_41(alone):
    """Not exit status 77: without root everything works but the change of user (doc/ARCHITECTURE.md), and that is said once."""
    test_supervisor_alone.test_without_root_all_run_as_the_caller(alone)


def test_co_42(mta):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        mta.listeners[0].port = taken.getsockname()[1]
        mta.write_config()
        status, said = start(mta)
        assert status != 0 and f"127.0.0.1:{mta.listeners[0].port}" in said and "in use" in said, said
    # No such host as its own name, no resolver that answers: names are not looked up at the start.
    mta.settings |= {"hostname": "no-such-host.invalid", "resolver": ["127.0.0.1:9"]}
    mta.start()
    delivers(mta)
    assert mta.stop() == 0
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return
    # A network name space of its own, where IPv6 is off and resolv.conf is not there.
    mta.listeners.append(Listener(host="[::1]", port=2525))
    mta.write_config()
    script = ("ip link set lo up 2>/dev/null; echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; "
              "mount --bind /dev/null /etc/resolv.conf; "
              f"exec timeout 5 {BIN}/postriderd -c {mta.conf}")
    done = subprocess.run(["unshare", "-n", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=20,
                          env=mta.environment(), check=False)
    lines = [line for line in done.stderr.splitlines() if "::1" in line]
    assert lines and all("warning" in line for line in lines), done.stderr
    assert "IPv6" in " ".join(lines) or "annot assign" in " ".join(lines), lines


@pytest.mark.root
def test_co_43():
    """The roots of smtpd, remote and keys hold their sockets and nothing else; mail, TLS and times in the log go on."""
    with two_bobs() as one:
        for role in ("smtpd", "remote", "keys"):
            root = f"/proc/{one.pid(role)}/root"
            assert all(stat.S_ISSOCK(os.lstat(f"{root}/{name}").st_mode) for name in os.listdir(root))
        delivers(one)
        assert re.search(r"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z smtpd\[", one.log())


def test_co_44():
    """A process that crashes leaves no core file, whatever core_pattern says: it may write none and is not dumpable."""
    with two_bobs() as one:
        for role in ("smtpd", "keys", "queue"):
            pid = one.pid(role)
            limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
            assert re.search(r"Max core file size\s+0\s+0", limits), role
            assert os.geteuid() != 0 or os.stat(f"/proc/{pid}/mem").st_uid == 0, f"{role} is dumpable"
            os.kill(pid, signal.SIGSEGV)
            wait_for(lambda one_role=role, old=pid: one.pids(one_role) and old not in one.pids(one_role), 10, "another")
        wait_for(lambda: one.command("status").returncode == 0, 10, "status")
        delivers(one)
        found = [path for path in one.root.rglob("core*") if path.is_file()]
        assert not found, found


@pytest.mark.parametrize("year, now", [(1970, 100000), (2038, 2147483647 - 3), (2106, 4294967295 - 3)])
@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
def test_co_45(year, now, monkeypatch, mta):
    """The clock at its odd places, two of which it passes while mail comes: delivered, deferred and tried again."""
    root = mta.root
    wrapped.compile_library("clock_preload.c", root / "clock.so")
    clock = test_clock.Clock(root / "clock")
    clock.path.write_bytes(struct.pack("=q", int((now - time.time()) * 1000)))
    monkeypatch.setattr(instance, "BIN", wrapped.make(root, f"env LD_PRELOAD={root}/clock.so POSTRIDER_CLOCK={clock.path}"))
    mta.start()
    for count in range(1, 5):
        delivers(mta, count)
        time.sleep(1.3)
    dates = [re.search(r";\s+(.*)", one["Received"]).group(1) for one in mta.messages("bob@domain1.com")]
    assert all(str(year) in date or str(year + 1) in date for date in dates), dates
    assert mta.stop() == 0


@pytest.mark.root
def test_co_46():
    """The kernel's own protection of links off: what was refused above is refused all the same."""
    names = ("protected_symlinks", "protected_hardlinks", "protected_fifos", "protected_regular")
    before = {name: Path("/proc/sys/fs", name).read_text(encoding="ascii") for name in names}
    try:
        for name in names:
            Path("/proc/sys/fs", name).write_text("0\n", encoding="ascii")
        test_co_05()
        test_co_06()
        test_co_07()
        harmed(Alone, "link")
    finally:
        for name, value in before.items():
            Path("/proc/sys/fs", name).write_text(value, encoding="ascii")
