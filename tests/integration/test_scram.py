"""Logins by SCRAM-SHA-256: where it is offered, with clients that people have, bound to the TLS connection, and that
users who do not exist look like those who do, also after a restart."""

import os
import shutil
import socket
import subprocess

import pytest

from lib.instance import BIN, Listener
from lib.scram import Scram, b64
from lib.submission import connect

MESSAGE = "From: <anna@a.example>\r\nSubject: scram\r\n\r\nhello\r\n"
YESCRYPT = "$y$j9T$abcdefghijklmnopqrstu/$FGPXz4jT9O.Ux49b7rJU6ozPnWkvhlq.Tscqa8VZr.2"


def postrider(mta, *words, password="s3cret"):
    done = subprocess.run([str(BIN / "postrider"), "-c", str(mta.conf), *words, "--stdin"], input=password + "\n",
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(name="mta")
def submission(make_instance):
    """A function that starts an instance with a domain whose users have SCRAM and one whose users have not."""
    def make(**settings):
        mta = make_instance(Listener(role="submission"), Listener(),
                            **{"auth-failure-limit": 1000, "error-limit": 1000, "auth-domain": "a.example", **settings})
        mta.add_domain("a.example")
        mta.add_domain("b.example", ["bert"])
        mta.write_config()
        for user in ("anna", "carl"):
            postrider(mta, "user", "add", f"{user}@a.example", "--scheme", "scram-sha-256")
        mta.domains.rewrite("b.example", "passwd", f"anna:{YESCRYPT}\nbert:x\n")
        return mta.start()
    return make


def mechanisms(client):
    return client.esmtp_features["auth"].split()


def login(client, user, password, **more):
    return Scram(user, password, **more).login(lambda line: client.docmd(line))


def test_scram_and_passwords_log_in(mta):
    mta = mta()
    assert "anna:{SCRAM-SHA-256}15000," in mta.domains.read("a.example", "passwd")
    with connect(mta) as client:
        assert mechanisms(client) == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"]
        assert login(client, "Anna@A.example", "s3cret")[0] == 235
        client.sendmail("anna@a.example", ["carl@a.example"], MESSAGE)
    with connect(mta) as client:
        assert login(client, "anna", "s3cret")[0] == 235
    with connect(mta) as client:
        assert login(client, "anna@a.example", "wrong") == (535, b"5.7.8 User name or password wrong")
        assert login(client, "nobody@a.example", "s3cret") == (535, b"5.7.8 User name or password wrong")
        client.user, client.password = "carl@a.example", "s3cret"
        assert client.auth("PLAIN", client.auth_plain)[0] == 235
    one = mta.wait_messages("carl@a.example")[0]
    assert " with ESMTPSA id " in " ".join(one["Received"].split())
    log = mta.log()
    assert "login=anna@a.example mechanism=SCRAM-SHA-256 " in log and "s3cret" not in log
    assert log.count("login failed rule=login-failed") == 2


def test_where_it_is_offered(mta):
    mta = mta()
    # Without TLS nothing is; by SNI it is the domain's own matter; an account of another domain is not told.
    with connect(mta, tls=False) as client:
        assert "auth" not in client.esmtp_features
    with connect(mta, "smtp.b.example") as client:
        assert mechanisms(client) == ["PLAIN", "LOGIN"]
        assert client.docmd("AUTH", "SCRAM-SHA-256")[0] == 504
        client.login("anna", "s3cret")
        assert client.docmd("MAIL", "FROM:<anna@b.example>")[0] == 250
    with connect(mta, "smtp.a.example") as client:
        assert "SCRAM-SHA-256" in mechanisms(client)
        assert login(client, "anna@b.example", "s3cret")[0] == 535
        assert login(client, "anna", "s3cret")[0] == 235
    # One user who could not: nobody is lured into it.
    mta.domains.rewrite("a.example", "passwd", mta.domains.read("a.example", "passwd") + f"dora:{YESCRYPT}\n")
    with connect(mta) as client:
        assert mechanisms(client) == ["PLAIN", "LOGIN"]


@pytest.mark.parametrize("key", ["yes", "no"])
def test_key(mta, key):
    mta = mta(**{"auth-scram": key})
    with connect(mta, "b.example") as client:
        assert ("SCRAM-SHA-256" in mechanisms(client)) == (key == "yes")
    with connect(mta, "a.example") as client:
        assert ("SCRAM-SHA-256" in mechanisms(client)) == (key == "yes")


def challenge(client, user):
    scram = Scram(user, "s3cret")
    code, text = client.docmd("AUTH", "SCRAM-SHA-256 " + scram.first())
    assert code == 334
    scram.read(text)
    assert client.docmd("*")[0] == 501
    return scram.salt, scram.iterations


def test_who_does_not_exist_looks_like_who_does(mta):
    mta = mta()
    names = ["anna", "nobody", "nobody2", "locked", "anna@b.example", "nobody@b.example", "x@else.example"]
    with connect(mta) as client:
        seen = {name: challenge(client, name) for name in names}
        assert seen == {name: challenge(client, name) for name in names}
        assert challenge(client, "NOBODY@a.example") == seen["nobody"]
    assert len({salt for salt, _ in seen.values()}) == len(names)
    assert {(len(salt), iterations) for salt, iterations in seen.values()} == {(16, 15000)}
    assert mta.stop() == 0
    mta.start_again()
    with connect(mta) as client:
        assert seen == {name: challenge(client, name) for name in names}
    secret = (mta.spool / "secret").stat()
    assert secret.st_size == 32 and secret.st_mode & 0o777 == 0o600


def test_exchanges_that_are_none(mta):
    mta = mta()
    with connect(mta) as client:
        def say(line):
            return client.docmd(line)[0]

        assert say("AUTH SCRAM-SHA-256 !!!!") == 501
        assert say("AUTH SCRAM-SHA-256 " + b64(b"n,,n=anna")) == 501
        assert say("AUTH SCRAM-SHA-256 =") == 501
        assert say("AUTH SCRAM-SHA-256") == 334  # a client that waits to be asked
        assert say(Scram("anna", "s3cret").first()) == 334
        assert say(b64(b"c=biws,r=another,p=" + b64(bytes(32)).encode())) == 535
        # Somebody took PLUS out of the list: the client says that it could have, had it been there.
        assert login(client, "anna", "s3cret", header="y,,")[0] == 535
        assert login(client, "anna", "s3cret", header="n,a=carl,")[0] == 535
        assert login(client, "anna", "s3cret", header="p=tls-unique,,", binding=bytes(32))[0] == 535
        # The client does not believe the signature, or goes on talking.
        for last, code in (("*", 501), ("AAAA", 501)):
            scram = Scram("anna", "s3cret")
            final = scram.final(client.docmd("AUTH SCRAM-SHA-256 " + scram.first())[1])
            assert say(final) == 334
            assert say(last) == code
            assert say("MAIL FROM:<anna@a.example>") == 530
        assert login(client, "anna", "s3cret", header="n,a=anna,")[0] == 235
        assert say("MAIL FROM:<anna@a.example>") == 250


def test_bound_to_the_connection(mta):
    openssl = pytest.importorskip("OpenSSL.SSL")
    mta = mta()

    def session(version, binding=None):
        sock = socket.create_connection(("127.0.0.1", mta.listeners[0].port), timeout=20)
        for line in (None, b"EHLO c.test\r\n", b"STARTTLS\r\n"):
            if line:
                sock.sendall(line)
            while sock.recv(4096)[-2:] != b"\r\n":
                pass
        sock.settimeout(None)
        ctx = openssl.Context(openssl.TLS_CLIENT_METHOD)
        ctx.set_max_proto_version(version)
        conn = openssl.Connection(ctx, sock)
        conn.set_connect_state()
        conn.do_handshake()

        def say(line):
            conn.sendall(line.encode() + b"\r\n")
            text = conn.recv(4096)
            while text[-2:] != b"\r\n":
                text += conn.recv(4096)
            return int(text[:3]), text.strip().split(b"\r\n")[-1][4:], text

        offered = b"SCRAM-SHA-256-PLUS" in say("EHLO c.test")[2]
        if binding is None:
            binding = conn.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
        scram = Scram("anna", "s3cret", header="p=tls-exporter,,", binding=binding)
        return offered, scram.login(lambda line: say(line)[:2], "SCRAM-SHA-256-PLUS")[0]

    assert session(openssl.TLS1_3_VERSION) == (True, 235)
    assert session(openssl.TLS1_3_VERSION, bytes(32)) == (True, 535)  # of another connection
    assert session(openssl.TLS1_2_VERSION) == (False, 504)
    assert "mechanism=SCRAM-SHA-256-PLUS" in mta.log()


@pytest.mark.skipif(not shutil.which("msmtp"), reason="msmtp is not installed")
def test_msmtp(mta):
    mta = mta()
    config = mta.root / "msmtprc"
    config.write_text(f"account default\nhost 127.0.0.1\nport {mta.listeners[0].port}\ntls on\ntls_starttls on\n"
                      "tls_certcheck off\nauth scram-sha-256\nuser anna@a.example\npassword s3cret\nfrom anna@a.example\n")
    config.chmod(0o600)
    done = subprocess.run(["msmtp", "-C", str(config), "carl@a.example"], input=MESSAGE, text=True, capture_output=True,
                          timeout=60, check=False, env={**os.environ, "HOME": str(mta.root)})
    assert done.returncode == 0, done.stderr
    mta.wait_messages("carl@a.example")
    assert "mechanism=SCRAM-SHA-256 " in mta.log()
