"""TLS with clients, as real clients have it: who gets which certificate, what is resumed, what changes while
it runs, and what is left when the process with the keys is away."""

import json
import os
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import time

import pytest

from lib.certificates import client_context, fingerprint, make_certificate
from lib.instance import BIN, Instance, Listener
from lib.smtp_raw import RawClient
from lib.waiting import patience, wait_for

MESSAGE = "Subject: inside\r\n\r\nhello\r\n"


class Secured:
    """An instance with a certificate: listener 0 does STARTTLS, listener 1 implicit TLS."""

    def __init__(self, world, kind="ec"):
        self.world, self.mta = world, world.mta
        self.mta.listeners = [Listener(), Listener(tls="implicit")]
        self.mta.certificate = make_certificate(self.mta.root, kind=kind)

    def start(self):
        self.mta.start()
        return self

    def domain_certificate(self, domain, pair, prefix=""):
        """Puts the pair into a domain's etc/tls, each file by rename as certificate tools do."""
        folder = self.mta.domains.root / domain / "etc/tls"
        folder.mkdir(exist_ok=True)
        for source, name in zip(pair, ("certificate.pem", "key.pem")):
            shutil.copy(source, folder / ".new")
            (folder / ".new").chmod(0o600 if name == "key.pem" else 0o644)
            self.give(folder / ".new", domain)
            (folder / ".new").rename(folder / f"{prefix}{name}")
        folder.chmod(0o755)
        self.give(folder, domain)

    def give(self, path, domain):
        if self.mta.privileged:
            os.chown(path, self.mta.domains.owners[domain], self.mta.domains.owners[domain])

    def connect(self, context=None, name=None, session=None):
        """A client behind the handshake of listener 1, its greeting read."""
        listener = self.mta.listeners[1]
        sock = (context or client_context()).wrap_socket(
            socket.create_connection((listener.host, listener.port), 10), server_hostname=name, session=session)
        assert sock.recv(512).startswith(b"220 ")
        return sock

    def shown(self, name=None):
        """The fingerprint of the certificate that a client with this SNI gets."""
        with self.connect(name=name) as sock:
            return fingerprint(sock.getpeercert(True))


@pytest.fixture
def make_secured(make_world):
    """A function that makes Secured, not started."""
    def make(kind="ec", **settings):
        return Secured(make_world(**settings), kind)
    return make


@pytest.fixture
def secured(make_secured):
    return make_secured().start()


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


def s_client(secured, *args, say="QUIT\n", port=None):
    """openssl s_client against listener 0 (STARTTLS), or another port without; its output."""
    where = ["-connect", f"127.0.0.1:{port}"] if port else ["-starttls", "smtp", "-connect", f"127.0.0.1:{secured.mta.port}"]
    done = subprocess.run(["openssl", "s_client", *where, "-crlf", "-ign_eof", *args], input=say, capture_output=True,
                          text=True, timeout=20, check=False)
    return done.stdout + done.stderr


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


# --- which certificate ---

def test_a_certificate_for_each_domain(make_secured):
    secured = make_secured()
    mta = secured.mta
    mta.add_domain("domain3.com", ["bob"])
    (mta.domains.root / "alias.com").symlink_to("domain1.com")
    own = make_certificate(mta.root, "domain1.com", "one", names=("mail.domain1.com", "*.pop.domain1.com", "alias.com"))
    secured.domain_certificate("domain1.com", own)
    secured.start()
    main = fingerprint(mta.certificate[0])
    for name, want in ((None, main), ("mx.test", main), ("domain1.com", own[0]), ("mail.domain1.com", own[0]),
                       ("a.pop.domain1.com", own[0]), ("alias.com", own[0]), ("other.domain1.com", main),
                       ("domain2.com", main), ("domain3.com", main), ("nowhere.test", main), ("DOMAIN1.com", own[0])):
        assert secured.shown(name) == (want if want == main else fingerprint(want)), name
    with mta.smtp() as client:
        client._host = "mail.domain1.com"  # what smtplib gives as SNI
        client.starttls(context=client_context())
        client.sendmail("a@else.test", "bob@domain1.com", MESSAGE)
    assert b"sni=mail.domain1.com)" in mta.wait_messages("bob@domain1.com")[0].raw


RSA_ALONE = ["-sigalgs", "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA+SHA256"]
ECDSA_ALONE = ["-sigalgs", "ECDSA+SHA256:ECDSA+SHA384"]


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_two_kinds_of_key(make_secured, version):
    """Of RSA and ECDSA for one name a client gets what it knows; a domain's own two as well."""
    secured = make_secured()
    mta = secured.mta
    second = make_certificate(mta.root, stem="second", kind="rsa")
    render = mta.render
    mta.render = lambda: render().replace("tls { ", f'tls {{ second-certificate = "{second[0]}"  second-key = "{second[1]}"  ')
    own = {kind: make_certificate(mta.root, "domain1.com", f"one-{kind}", kind=kind) for kind in ("rsa", "ec")}
    secured.domain_certificate("domain1.com", own["rsa"])
    secured.domain_certificate("domain1.com", own["ec"], prefix="second-")
    secured.start()
    done = mta.command("check")
    assert done.returncode == 0, done.stdout

    def kind(*args):
        text = s_client(secured, version, *args)
        assert "221 2.0.0" in text, text
        return re.search(r"Peer signature type: (.*)", text)[1], text

    for name in ([], ["-servername", "domain1.com"]):
        assert kind(*name)[0] == "ECDSA"
        assert kind(*name, *ECDSA_ALONE)[0] == "ECDSA"
        assert kind(*name, *RSA_ALONE)[0] == "RSA-PSS"
    certificate = re.search(r"-----BEGIN.*?-----END CERTIFICATE-----\n", kind("-servername", "domain1.com", *RSA_ALONE)[1], re.S)[0]
    assert certificate.strip() in open(own["rsa"][0], encoding="ascii").read()
    # Two of one kind: the second is not used, and `check` says so.
    secured.domain_certificate("domain1.com", make_certificate(mta.root, "domain1.com", "again", kind="rsa"), prefix="second-")
    done = mta.command("check")
    assert done.returncode != 0 and "second-certificate.pem: its key is of the kind RSA, as that of" in done.stdout, done


def test_new_files_without_a_reload(secured):
    """This host's and a domain's; a pair that does not fit leaves the one before, and the log says so once."""
    mta = secured.mta
    first, second = mta.certificate, make_certificate(mta.root, stem="second")
    assert secured.shown() == fingerprint(first[0])
    stolen = make_certificate(mta.root, stem="third")
    old = fingerprint(first[0])
    shutil.copy(second[0], mta.root / "new")
    os.rename(mta.root / "new", first[0])  # the certificate is there, its key is not yet
    assert secured.shown() == old
    time.sleep(1.2)
    for _ in range(3):
        assert secured.shown() == old
    wrong = rf"{re.escape(first[1])}: does not belong to the certificate .*; the pair before stays in force"
    assert len(mta.wait_log(wrong)) == 1
    shutil.copy(second[1], mta.root / "new")
    os.chmod(mta.root / "new", 0o600)
    os.rename(mta.root / "new", first[1])
    wait_for(lambda: secured.shown() == fingerprint(second[0]), 3, "the new certificate")

    secured.domain_certificate("domain1.com", make_certificate(mta.root, "domain1.com", "d1"))
    wait_for(lambda: secured.shown("domain1.com") == fingerprint(str(mta.root / "d1.pem")), 3, "the domain's certificate")
    secured.domain_certificate("domain1.com", (str(mta.root / "d1.pem"), stolen[1]))
    time.sleep(1.2)
    assert secured.shown("domain1.com") == fingerprint(str(mta.root / "d1.pem"))
    mta.wait_log(r"domain1\.com/etc/tls/key\.pem: does not belong to the certificate")
    (mta.domains.root / "domain1.com/etc/tls/key.pem").chmod(0o644)
    time.sleep(1.2)
    assert secured.shown("domain1.com") == fingerprint(str(mta.root / "d1.pem"))
    mta.wait_log(r"domain1\.com/etc/tls/key\.pem: may be read by others")
    shutil.rmtree(mta.domains.root / "domain1.com/etc/tls")
    wait_for(lambda: secured.shown("domain1.com") == fingerprint(second[0]), 3, "this host's certificate")
    done = mta.command("check")
    assert done.returncode == 0, done.stdout


def test_check_tells_before_a_client_does(secured):
    mta = secured.mta
    secured.domain_certificate("domain1.com", make_certificate(mta.root, "elsewhere.test", "d1"))
    done = mta.command("check")
    assert done.returncode != 0
    assert re.search(r"domain1\.com/etc/tls/certificate\.pem: is a certificate neither for domain1\.com nor", done.stdout)
    os.chmod(mta.certificate[1], 0o640)
    done = mta.command("check")
    assert re.search(r"postrider\.conf:\d+: key = .*: may be read by others \(mode 0640\)", done.stdout), done.stdout


# --- reload ---

def test_listeners_change_by_reload(secured):
    mta = secured.mta

    def offered():
        with RawClient("127.0.0.1", mta.port) as client:
            return "STARTTLS" in client.hello().keywords()

    def reload():
        before = mta.log().count("reloaded: ")
        mta.write_config()
        mta.reload()
        wait_for(lambda: mta.log().count("reloaded: ") > before, 10, "the reload")

    assert offered()
    mta.listeners[0].tls = "none"
    reload()
    wait_for(lambda: not offered(), 5, "no STARTTLS")
    certificate, mta.certificate = mta.certificate, None
    mta.listeners[0].tls = None
    mta.write_config()
    mta.reload()
    mta.wait_log(r"tls = implicit needs tls \{ certificate")
    mta.listeners[1].tls = None
    mta.write_config()
    mta.reload()
    wait_for(lambda: not offered(), 5, "no STARTTLS without a certificate")
    mta.certificate = certificate
    mta.listeners[1].tls = "implicit"
    mta.write_config()
    mta.reload()
    wait_for(offered, 5, "STARTTLS again")
    wait_for(lambda: secured.shown() == fingerprint(certificate[0]), 5, "implicit TLS again")


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


# --- client certificates ---

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificates(make_secured, version):
    secured = make_secured()
    mta = secured.mta
    authority = make_certificate(mta.root, "ca.test", "ca", authority=True)
    good = make_certificate(mta.root, "client.test", "client", issuer=authority)
    bad = make_certificate(mta.root, "client.test", "self")
    render = mta.render
    mta.render = lambda: render().replace("tls { ", f'tls {{ client-certificates = ask  client-ca = "{authority[0]}"  ')
    secured.start()
    for pair, subject in ((good, b"verified client CN=client.test)"), (bad, None), (None, None)):
        context = client_context()
        context.minimum_version = context.maximum_version = version
        if pair:
            context.load_cert_chain(*pair)
        with mta.smtp() as client:
            client.starttls(context=context)
            client.sendmail("a@else.test", "bob@domain1.com", MESSAGE)
        raw = wait_for(lambda: mta.messages("bob@domain1.com"), 10, "the message")[0].raw
        assert (b"verified client" in raw) == (subject is not None)
        assert subject is None or subject in raw
        for path in mta.domains.files("bob@domain1.com"):
            path.unlink()
    assert len(mta.wait_log(r"client certificate is not believed: self-signed certificate")) == 1
    assert len(mta.wait_log(r'subject="CN=client\.test" client-cert=[0-9a-f]{64} accepted')) == 1


class Known:
    """Secured, with clients asked for certificates: one known by its certificate, one by its key, one by its authority,
    one by nothing."""

    def __init__(self, secured):
        self.secured, self.mta = secured, secured.mta
        root = self.mta.root
        self.authority = make_certificate(root, "ca.test", "ca", authority=True)
        self.pairs = {"listed": make_certificate(root, "listed.test", "listed", valid=(-9, -2)),
                      "key": make_certificate(root, "key.test", "key", kind="rsa"),
                      "verified": make_certificate(root, "verified.test", "verified", issuer=self.authority),
                      "stranger": make_certificate(root, "stranger.test", "stranger")}
        self.listed = [fingerprint(self.pairs["listed"][0]), self.of_key(self.pairs["key"][0])]
        self.mta.settings["relay-from"] = ["192.0.2.0/24"]
        self.render, self.ask, self.verified = self.mta.render, True, True
        self.mta.render = self.render_asking

    def of_key(self, certificate):
        done = subprocess.run(f"openssl x509 -in {certificate} -noout -pubkey | openssl pkey -pubin -outform der | openssl sha256 -r",
                              shell=True, check=True, capture_output=True, text=True, timeout=20)
        return done.stdout.split()[0]

    def render_asking(self):
        text = self.render()
        if self.ask:
            text = text.replace("tls { ", f'tls {{ client-certificates = ask  client-ca = "{self.authority[0]}"  ')
            written = ", ".join(f'"{one}"' for one in self.listed)
            text += f"relay-client-certs = {{ {written} }}\nrelay-verified-clients = {'yes' if self.verified else 'no'}\n"
        return text

    def context(self, who, version=None):
        context = client_context()
        if version:
            context.minimum_version = context.maximum_version = version
        if who:
            context.load_cert_chain(*self.pairs[who])
        return context

    def relays(self, context, session=None):
        """The reply to RCPT of an address elsewhere, whether the session was resumed, and the session."""
        with self.secured.connect(context, session=session) as sock:
            stream = sock.makefile("rwb")
            for command in (b"EHLO c.test", b"MAIL FROM:<a@else.test>", b"RCPT TO:<x@far.test>"):
                stream.write(command + b"\r\n")
                stream.flush()
                while (line := stream.readline())[3:4] == b"-":
                    pass
            return line.decode(), sock.session_reused, sock.session


@pytest.fixture(name="known")
def fixture_known(make_secured):
    return Known(make_secured())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_relaying_by_certificate(known, version):
    known.secured.start()
    for who, code in (("listed", "250"), ("key", "250"), ("verified", "250"), ("stranger", "550"), (None, "550")):
        reply, reused, session = known.relays(known.context(who, version))
        assert reply.startswith(code), (who, reply)
        # Nothing is carried over: neither to who comes with the same session and another certificate, nor lost.
        for other, want in (("stranger", "550"), (who, code)):
            context = known.context(other, version)
            try:
                reply, reused, _ = known.relays(context, session)
            except ValueError:  # Python keeps a session to the context it is of
                reply, reused, _ = known.relays(context)
            assert reply.startswith(want) and not reused, (who, other, reply)
    known.verified = False
    known.mta.write_config()
    known.mta.command("reload")
    wait_for(lambda: known.relays(known.context("verified"))[0].startswith("550"), 10, "the end of it")
    assert known.relays(known.context("listed"))[0].startswith("250")


def test_an_earlier_ticket_hides_nobody(known):
    """A client that has a ticket from before certificates were asked for is asked all the same."""
    known.ask = False
    known.secured.start()
    context = known.context("listed", ssl.TLSVersion.TLSv1_2)
    reply, _, session = known.relays(context)
    assert reply.startswith("550")
    assert known.relays(context, session)[1]
    known.ask = True
    known.mta.write_config()
    known.mta.command("reload")
    wait_for(lambda: known.relays(context, session)[0].startswith("250"), 10, "the certificate is asked for")
    assert not known.relays(context, session)[1]


def test_relaying_is_explained_and_logged(known):
    known.secured.start()
    mta = known.mta
    listed, of_key = known.listed

    def explain(*args):
        return json.loads(mta.command("--json", "explain", "--client", "127.0.0.1", "--rcpt", "x@far.test", *args).stdout)

    upper = ":".join(listed[i:i + 2].upper() for i in range(0, 64, 2))
    for args, rule in ((("--client-cert", listed), "relay-client-certs"), (("--client-cert", upper), "relay-client-certs"),
                       (("--client-cert", of_key), "relay-client-certs"), (("--client-cert", "0" * 64), "relay-denied"),
                       (("--client-cert", "0" * 64, "--client-cert-verified"), "relay-verified-clients"), ((), "relay-denied")):
        told = explain(*args)
        assert told["rule"] == rule, told
        looked = [step["what"] for step in told["steps"]]
        assert "relay-from" in looked and "relay-client-certs" in looked, told
    for wrong in (("--client-cert", "12"), ("--client-cert-verified",)):
        assert mta.command("explain", "--client", "127.0.0.1", "--rcpt", "x@far.test", *wrong).returncode == 64
    with mta.smtp() as client:
        client.starttls(context=known.context("listed"))
        client.sendmail("a@else.test", "bob@domain1.com", MESSAGE)
    mta.wait_log(rf"client-cert={listed} accepted")
    assert f"client certificate sha256={listed})".encode() in mta.wait_messages("bob@domain1.com")[0].raw


def test_the_certificate_of_a_proxy_is_not_its_clients(known):
    known.mta.settings["xclient-from"] = ["127.0.0.1"]
    known.secured.start()
    with known.secured.connect(known.context("listed")) as sock:
        stream = sock.makefile("rwb")

        def say(command):
            stream.write(command + b"\r\n")
            stream.flush()
            while (line := stream.readline())[3:4] == b"-":
                pass
            return line[:3]

        assert say(b"EHLO proxy.test") == b"250"
        assert say(b"MAIL FROM:<a@else.test>") + say(b"RCPT TO:<x@far.test>") + say(b"RSET") == b"250250250"
        assert say(b"XCLIENT ADDR=203.0.113.9") == b"220"
        assert say(b"EHLO c.test") == b"250"
        assert say(b"MAIL FROM:<a@else.test>") + say(b"RCPT TO:<x@far.test>") == b"250550"


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
