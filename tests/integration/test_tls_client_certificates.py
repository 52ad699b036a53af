"""Certificates that clients show: who may relay by them, and whom they do not speak for."""

import json
import socket
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crash.disks import Unavailable
from crash.inject import Injector
from lib.certificates import client_context, fingerprint, make_certificate
from lib.waiting import wait_for

MESSAGE = "Subject: inside\r\n\r\nhello\r\n"


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


def test_a_reload_that_tls_refuses_changes_nothing_else(known):
    """All or nothing: client-ca is spoilt between the check of it and its way to smtpd, and nothing of the reload is in force."""
    known.secured.start()
    mta = known.mta
    mta.settings["hostname"] = "other.test"
    mta.write_config()
    authority = Path(known.authority[0])
    good, spoilt = authority.read_text(), authority.with_suffix(".new")
    spoilt.write_text("-----BEGIN CERTIFICATE-----\nspoilt\n-----END CERTIFICATE-----\n")
    try:
        injector = Injector(mta.process.pid, "openat:delay_enter=1s:when=2", authority)
    except Unavailable as why:
        pytest.skip(str(why))
    with injector, ThreadPoolExecutor(1) as pool:
        reload = pool.submit(mta.command, "reload")
        wait_for(lambda: injector.seen().count("openat") >= 1, 10, "the check")
        spoilt.rename(authority)
        reload.result(20)
    assert "the new settings cannot be used here, the old ones stay in force" in mta.log()
    names = {greeting(mta.port) for _ in range(12)}
    authority.write_text(good)
    assert mta.command("reload").returncode == 0
    assert (names, greeting(mta.port)) == ({"mx.test"}, "other.test")


def greeting(port):
    """Whose name it is that a client is greeted with."""
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        return sock.recv(512).decode().split()[1]
