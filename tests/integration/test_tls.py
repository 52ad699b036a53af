"""TLS with clients, as real clients have it: who gets which certificate, what is resumed, what changes while
it runs, and what is left when the process with the keys is away."""

import os
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import threading
import time

import pytest

from lib.certificates import client_context, fingerprint, make_certificate
from lib.instance import BIN, Instance
from lib.secured import s_client
from lib.smtp_raw import RawClient
from lib.waiting import patience, wait_for

MESSAGE = "Subject: inside\r\n\r\nhello\r\n"


# --- clients ---

@pytest.mark.parametrize("kind", ["ec", "rsa", "ed25519"])
def test_smtplib(make_secured, kind):
    """Both ways in; the trace field and the log say how."""
    secured = make_secured(kind).start()
    mta = secured.mta
    with mta.smtp() as client:
        client.ehlo()
        assert client.has_extn("starttls")
        client.starttls(context=client_context())
        client.ehlo()
        assert not client.has_extn("starttls")
        client.sendmail("a@else.test", "bob@domain1.com", MESSAGE)
    with smtplib.SMTP_SSL(mta.listeners[1].host, mta.listeners[1].port, context=client_context(), timeout=10) as client:
        client.sendmail("a@else.test", "bob@domain1.com", MESSAGE)
    for one in mta.wait_messages("bob@domain1.com", 2):
        assert re.search(rb"\n\t\(TLSv1\.3 TLS_[A-Z0-9_]+\)\n\tby mx\.test \(Postrider\) with ESMTPS id ", one.raw)
    assert len(mta.wait_log(r" tls=TLSv1\.3 cipher=TLS_[A-Z0-9_]+ sni= accepted", count=2)) == 2


def test_openssl(secured):
    port = secured.mta.listeners[1].port
    for version, suite in (("-tls1_2", "ECDHE-ECDSA-AES256-GCM-SHA384"), ("-tls1_3", "TLS_AES_256_GCM_SHA384")):
        for where in (None, port):
            text = s_client(secured, version, port=where)
            assert suite in text and "221 2.0.0" in text, text
            assert "Compression: NONE" in text
    for refused in (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], ["-tls1_2", "-cipher", "kRSA"], ["-alpn", "http/1.1"]):
        text = s_client(secured, *refused)
        assert "alert" in text and "221 2.0.0" not in text, f"{refused}: {text}"
    assert "ALPN protocol: smtp" in s_client(secured, "-alpn", "smtp")
    assert len(secured.mta.wait_log(r"refused=TLS rule=tls-handshake client=127\.0\.0\.1 why=", count=3)) >= 3


def swaks_lacks():
    """Why swaks cannot be used, None if it can."""
    if not shutil.which("swaks"):
        return "swaks is not installed"
    support = subprocess.run(["swaks", "--support"], capture_output=True, text=True, timeout=30, check=False)
    return None if "TLS supported" in support.stdout else "swaks cannot do TLS (apt-get install libnet-ssleay-perl)"


@pytest.mark.skipif(swaks_lacks() is not None, reason=str(swaks_lacks()))
@pytest.mark.parametrize("how", [["--tls"], ["--tls-on-connect"]])
def test_swaks(secured, how):
    port = secured.mta.listeners[1].port if "on-connect" in how[0] else secured.mta.port
    done = subprocess.run(["swaks", "--server", f"127.0.0.1:{port}", *how, "--from", "a@else.test", "--to", "bob@domain1.com",
                           "--helo", "client.test", "--tls-sni", "mx.test"], capture_output=True, text=True, timeout=30,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"sni=mx.test)" in secured.mta.wait_messages("bob@domain1.com")[0].raw


def test_postfix_sends_encrypted_only(make_pair):
    """A real Postfix that sends with TLS or not at all, and comes back with its ticket."""
    world, far = make_pair(settings={}, smtp_tls_security_level="encrypt", smtp_tls_loglevel="1",
                           smtp_tls_session_cache_database="btree:{root}/data/cache")
    mta = world.mta
    mta.certificate = make_certificate(mta.root, kind="rsa")
    mta.write_config()
    mta.reload()
    mta.wait_log("reloaded: the new configuration is in force")
    for number in range(3):
        with smtplib.SMTP(far.host, far.port, timeout=10) as client:
            client.sendmail("x@remote.test", "bob@domain1.com", f"Subject: {number}\r\n\r\nhello\r\n")
        for one in mta.wait_messages("bob@domain1.com", number + 1, timeout=20):
            assert b"with ESMTPS id" in one.raw
    assert "Untrusted TLS connection established to" in far.log()
    assert mta.wait_log(r" resumed=yes sni=.* accepted")


# --- resumption ---

def resumed(secured, context, session):
    """Whether a connection that brings the session along is resumed; and the session it ends with."""
    with secured.connect(context, session=session) as sock:
        sock.sendall(b"QUIT\r\n")
        assert sock.recv(512).startswith(b"221 ")
        return sock.session_reused, sock.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tickets_are_good_everywhere_and_outlive_smtpd(secured, version):
    """Twenty connections meet both workers; a worker that was restarted has the same keys; keys makes new ones."""
    context = client_context()
    context.minimum_version = context.maximum_version = version
    reused, session = resumed(secured, context, None)
    assert not reused
    for _ in range(20):
        reused, session = resumed(secured, context, session)
        assert reused
    for pid in secured.mta.pids("smtpd"):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(secured.mta.pids("smtpd")) == 2, 5, "two workers")
    for _ in range(10):
        reused, session = resumed(secured, context, session)
        assert reused
    before = len(secured.mta.log())
    secured.mta.kill("keys")
    secured.mta.wait_log("process=keys .* ended by signal 9")
    wait_for(lambda: secured.mta.pids("keys"), 5, "keys again")

    def all_are_resumed():
        """Each worker hears of the new keys when it does; until then it takes the old tickets, and nobody has to."""
        try:
            reused, session = resumed(secured, context, None)
            for _ in range(6):
                reused, session = resumed(secured, context, session)
                assert reused
            return True
        except (OSError, ssl.SSLError):
            return False
    secured.mta.wait_log("peer=/keys is back", count=2, start=before)
    wait_for(all_are_resumed, 5, "tickets of the new keys")


# --- the process with the keys ---

@pytest.mark.root
def test_no_private_key_outside_keys(make_secured):
    """PV-25: neither smtpd nor anybody else who serves strangers has the key in memory; keys has it."""
    secured = make_secured("ec").start()
    mta = secured.mta
    for _ in range(5):
        secured.shown()
    text = subprocess.run(["openssl", "ec", "-in", mta.certificate[1], "-noout", "-text"], capture_output=True, text=True,
                          timeout=10, check=True).stdout
    found = re.search(r"priv:\s+((?:[0-9a-f]{2}[:\s]*)+)pub", text)
    number = bytes.fromhex(re.sub(r"[:\s]", "", found.group(1)))[-32:]
    # As it stands in PEM and DER, and as OpenSSL's numbers lie in memory: least significant word first.
    needles = (number, number[::-1])

    def holds(pid):
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                area = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
                if not area or "[v" in line:
                    continue
                begin, end = int(area.group(1), 16), int(area.group(2), 16)
                memory.seek(begin)
                try:
                    octets = memory.read(end - begin)
                except OSError:
                    continue
                if any(needle in octets for needle in needles):
                    return True
        return False

    assert holds(mta.pid("keys")), "the test sees nothing"
    for role in ("smtpd", "queue", "remote", "local"):
        for pid in mta.pids(role):
            assert not holds(pid), f"{role} has the private key in memory"


def test_without_keys(secured):
    """Stopped, so that it stays away: mail in clear and sessions with TLS go on; STARTTLS hears 454 in time."""
    mta = secured.mta
    with mta.smtp() as inside, RawClient("127.0.0.1", mta.port) as clear:
        inside.starttls(context=client_context())
        clear.hello()
        keys = mta.kill("keys", signal.SIGSTOP)
        try:
            began = time.monotonic()
            inside.sendmail("a@else.test", "bob@domain1.com", MESSAGE)
            mta.send("a@else.test", "bob@domain1.com", MESSAGE)
            with RawClient("127.0.0.1", mta.port) as waiting:
                waiting.hello()
                time.sleep(1.2)
                waiting.send(b"STARTTLS\r\n")
                mta.send("a@else.test", "bob@domain1.com", MESSAGE)
                clear.command("NOOP", "250")
                assert time.monotonic() - began < 5 * patience()
                waiting.reply("454")
                waiting.command("MAIL FROM:<a@else.test>", "250")
        finally:
            os.kill(keys, signal.SIGCONT)
    mta.wait_messages("bob@domain1.com", 3)
    wait_for(lambda: secured.shown() == fingerprint(mta.certificate[0]), 10, "handshakes again")


def test_keys_killed_again_and_again(secured):
    """Each time it is back within moments, and only handshakes at that moment have failed."""
    mta = secured.mta
    for _ in range(5):
        mta.kill("keys")

        def works():
            try:
                return secured.shown() == fingerprint(mta.certificate[0])
            except (OSError, ssl.SSLError):
                return False
        wait_for(works, 3, "a handshake")
    assert len(mta.pids("smtpd")) == 2


@pytest.mark.limit(90)
def test_stop_with_clients_at_every_step(secured):
    """Nothing that is freed is used: each process ends by itself, and says that all is well."""
    mta, sockets = secured.mta, []
    for sent in (b"", b"\x16\x03\x01\x02\x00\x01\x00"):  # nothing, and the beginning of a ClientHello
        sockets.append(socket.create_connection((mta.listeners[1].host, mta.listeners[1].port), 10))
        sockets[-1].sendall(sent)
    for lines in ([], [b"EHLO c.test"], [b"EHLO c.test", b"MAIL FROM:<s@else.test>", b"RCPT TO:<bob@domain1.com>"],
                  [b"EHLO c.test", b"MAIL FROM:<s@else.test>", b"RCPT TO:<bob@domain1.com>", b"DATA", b"Subject: cut"]):
        sockets.append(secured.connect())
        for line in lines:
            sockets[-1].sendall(line + b"\r\n")
            if line != b"Subject: cut":
                assert sockets[-1].recv(4096)[:1] in b"23"
    upgrading = RawClient("127.0.0.1", mta.port)
    upgrading.hello()
    upgrading.command("STARTTLS", "220")
    assert mta.stop() == 0
    assert not re.search(r"ended (by signal|with status)", mta.log()), mta.log()[-3000:]
    upgrading.close()
    for one in sockets:
        one.close()


def test_many_at_once(make_secured):
    """Three hundred clients that begin a handshake and do not go on, more than one worker takes: others are served."""
    secured = make_secured(**{"connection-limit-per-client": 1000, "workers": 1}).start()
    mta = secured.mta
    stuck = []
    try:
        for _ in range(300):
            sock = socket.create_connection(("127.0.0.1", mta.listeners[1].port), 10)
            sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            stuck.append(sock)
        began = time.monotonic()
        for _ in range(20):
            secured.shown()
        assert time.monotonic() - began < 10 * patience()
        mta.send("a@else.test", "bob@domain1.com", MESSAGE)
    finally:
        for sock in stuck:
            sock.close()
    mta.wait_messages("bob@domain1.com", 1)


def shake(port, version=None, ciphers=None):
    """(version, cipher) of a handshake, None if there is none."""
    ctx = client_context()
    if version:
        ctx.minimum_version = ctx.maximum_version = version
    if ciphers:
        ctx.set_ciphers(ciphers)
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.starttls(context=ctx)
            return client.sock.version(), client.sock.cipher()[0]
    except (ssl.SSLError, smtplib.SMTPException, ConnectionError):
        return None


def test_versions_and_ciphers_by_configuration():
    with Instance() as mta:
        certificate, key = make_certificate(mta.root)
        tls = f'tls {{ certificate = "{certificate}"  key = "{key}"  %s }}\n'
        mta.extra = tls % 'ciphers = "ECDHE+CHACHA20"  ciphersuites = "TLS_CHACHA20_POLY1305_SHA256"'
        mta.start()
        port = mta.listeners[0].port
        assert shake(port) == ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256")
        assert shake(port, ssl.TLSVersion.TLSv1_2)[1].endswith("CHACHA20-POLY1305")
        assert shake(port, ssl.TLSVersion.TLSv1_2, "ECDHE+AESGCM") is None
        mta.extra = tls % "minimum = 1.3"
        mta.write_config()
        mta.reload()
        wait_for(lambda: shake(port, ssl.TLSVersion.TLSv1_2) is None, 5, "an end of TLS 1.2")
        assert shake(port)[0] == "TLSv1.3"
        for wrong in ('minimum = 1.1', 'ciphers = "NONSENSE"', 'ciphersuites = "NONSENSE"', 'ciphers = "ALL:@SECLEVEL=0"'):
            mta.extra = tls % wrong
            mta.write_config()
            done = subprocess.run([str(BIN / "postrider"), "-c", str(mta.conf), "check"], capture_output=True, text=True,
                                  timeout=30, check=False)
            assert done.returncode != 0 and wrong.split()[0] in done.stderr + done.stdout, (wrong, done)
        mta.extra = tls % ""
        mta.write_config()


def test_a_fast_client_leaves_others_their_turn(make_secured):
    """TLS always has more to read for who sends without a pause; the one worker looks at the others all the same."""
    secured = make_secured("ec")
    mta = secured.mta
    mta.settings["workers"] = 1
    secured.start()
    ended = threading.Event()

    def flood():
        with secured.connect() as stream:
            stream.sendall(b"EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<bob@domain1.com>\r\n")
            time.sleep(0.3)
            stream.sendall(b"DATA\r\n")
            time.sleep(0.3)
            try:
                while not ended.is_set():
                    stream.sendall(b"a\r\n" * 20000)
            except OSError:
                pass

    thread = threading.Thread(target=flood)
    thread.start()
    time.sleep(1)
    slowest = 0
    for _ in range(5):
        began = time.monotonic()
        with RawClient("127.0.0.1", mta.port) as client:
            client.reply("220")
        slowest = max(slowest, time.monotonic() - began)
    ended.set()
    thread.join(20)
    assert slowest < 0.1 * patience()
