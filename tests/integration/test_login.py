"""Logins of the submission listener: with the clients that people have, against every stored form, and what
a login that fails tells: nothing, not even by the time it takes."""

import concurrent.futures
import math
import shutil
import smtplib
import statistics
import subprocess
import time

import pytest

from lib.certificates import client_context
from lib.instance import Listener
from lib.scram import b64
from lib.submission import connect

MESSAGE = "From: <anna@a.example>\r\nSubject: login\r\n\r\nhello\r\n"
SCRAM = ("{SCRAM-SHA-256}4096,c2FsdHNhbHQ=,OTf6LywAjSp/02R7Ja5JwIjN6rffQwD2oTC9mr1ZB6U=,"
         "F9Ay1fPITDy1q6BGuIDKVDKofkxceT8JMU4ZgP2wMw4=")
# All of "s3cret".
STORED = {
    "yes": "$y$j9T$abcdefghijklmnopqrstu/$FGPXz4jT9O.Ux49b7rJU6ozPnWkvhlq.Tscqa8VZr.2",
    "blow": "{BLF-CRYPT}$2b$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK",
    "plain": "{PLAIN}s3cret",
    "ssha": "{SSHA256}sAzsU8Qoxm5ho6tVXeaXOHmm9FGI3gmOAbwalAdL5BlzYWx0c2FsdA==",
    "scram": SCRAM,
}


@pytest.fixture(name="mta")
def submission(make_instance):
    """A function that starts an instance with submission by STARTTLS, by implicit TLS, and an MX listener."""
    def make(**settings):
        mta = make_instance(Listener(role="submission", tls="starttls"), Listener(role="submission", tls="implicit"),
                            Listener(), **{"auth-failure-limit": 1000, "error-limit": 1000, **settings})
        mta.add_domain("a.example", ["anna", "bert"], aliases="sales: anna\nteam: anna, bert\n", password="s3cret")
        mta.domains.rewrite("a.example", "passwd", mta.domains.read("a.example", "passwd")
                            + "".join(f"{user}:{hashed}\n" for user, hashed in STORED.items()) + "locked:!\nold:abhWCwoTZY2c6\n")
        return mta.start()
    return make


def refused(client, user, password):
    with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        client.login(user, password)
    return caught.value.smtp_code, caught.value.smtp_error


def test_smtplib_sends_as_itself(mta):
    mta = mta()
    with connect(mta) as client:
        assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"]
        client.login("Anna@A.example", "s3cret")
        assert client.docmd("AUTH", "PLAIN AGFubmEAYg==")[0] == 503
        client.sendmail("anna@a.example", ["bert@a.example"], MESSAGE)
        assert client.docmd("MAIL", "FROM:<sales@a.example> AUTH=<>")[0] == 250
        assert client.docmd("AUTH", "PLAIN AGFubmEAYg==")[0] == 503
        client.rset()
        for sender, code in (("anna+x@a.example", 250), ("team@a.example", 250), ("", 250), ("bert@a.example", 553),
                             ("anna@else.test", 553), ("nobody@a.example", 553)):
            reply = client.docmd("MAIL", f"FROM:<{sender}>")
            assert reply[0] == code, (sender, reply)
            client.rset()
    one = mta.wait_messages("bert@a.example")[0]
    assert " with ESMTPSA id " in " ".join(one["Received"].split())
    log = mta.log()
    assert "login=anna@a.example mechanism=PLAIN" in log or "login=anna@a.example mechanism=LOGIN" in log
    assert "auth=anna@a.example accepted" in log and "rule=sender-not-yours" in log
    assert "s3cret" not in log


def test_every_stored_form(mta):
    mta = mta()
    for user in STORED:
        with connect(mta) as client:
            assert refused(client, f"{user}@a.example", "wrong")[0] == 535
            client.login(f"{user}@a.example", "s3cret")
    with connect(mta) as client:
        assert refused(client, "old@a.example", "s3cret")[0] == 535
    assert "user old cannot log in" in mta.log() and "abhWCwoTZY2c6" not in mta.log()


@pytest.mark.skipif(not shutil.which("swaks"), reason="swaks is not installed")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("how", ["starttls", "implicit"])
def test_swaks(mta, mechanism, how):
    mta = mta()
    done = subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(mta.listeners[how == "implicit"].port),
                           "--tls" if how == "starttls" else "--tls-on-connect", "--auth", mechanism,
                           "--auth-user", "anna@a.example", "--auth-password", "s3cret",
                           "--from", "anna@a.example", "--to", "bert@a.example", "--timeout", "20"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    mta.wait_messages("bert@a.example")


def test_only_with_tls_and_only_there(mta):
    mta = mta()
    with connect(mta, tls=False) as client:
        assert "auth" not in client.esmtp_features
        code, text = client.docmd("AUTH", "PLAIN AGFubmFAYS5leGFtcGxlAHMzY3JldA==")
        assert code == 538 and text.startswith(b"5.7.11")
        code, text = client.docmd("MAIL", "FROM:<anna@a.example>")
        assert code == 530 and text.startswith(b"5.7.0")
    with smtplib.SMTP("127.0.0.1", mta.listeners[2].port, timeout=20) as client:
        client.starttls(context=client_context())
        client.ehlo()
        assert "auth" not in client.esmtp_features
        assert client.docmd("AUTH", "PLAIN AGFubmFAYS5leGFtcGxlAHMzY3JldA==")[0] == 502


def test_without_tls_and_without_domain_if_configured(mta):
    mta = mta(**{"auth-without-tls": True, "auth-domain": "a.example"})
    with connect(mta, tls=False) as client:
        client.login("anna", "s3cret")
        assert client.docmd("MAIL", "FROM:<anna@a.example>")[0] == 250
    with connect(mta, tls=False) as client:
        assert refused(client, "nobody", "s3cret")[0] == 535


def test_without_domain_is_refused(mta):
    mta = mta()
    with connect(mta) as client:
        assert refused(client, "anna", "s3cret")[0] == 535


def test_too_many_failures_are_throttled(mta):
    mta = mta(**{"auth-failures-per-account": 4})
    with connect(mta) as client:
        for _ in range(2):  # smtplib tries PLAIN, then LOGIN
            assert refused(client, "anna@a.example", "wrong")[0] == 535
        code, text = refused(client, "ANNA@a.example", "s3cret")
        assert code == 454 and b"auth-throttle" in text
        client.login("bert@a.example", "s3cret")
    assert "rule=auth-throttle" in mta.log()


def test_failures_look_alike(mta):
    mta = mta(**{"auth-failures-per-client": 1000, "auth-failures-per-account": 1000})
    users = ["anna@a.example", "nobody@a.example", "locked@a.example", "plain@a.example", "x@else.test", "no name"]
    replies, times = set(), {user: [] for user in users}
    with connect(mta) as client:
        for _ in range(4):
            for user in users:
                began = time.monotonic()
                replies.add(refused(client, user, "wrong"))
                times[user].append(time.monotonic() - began)
    assert len(replies) == 1 and next(iter(replies))[0] == 535
    middle = [statistics.median(all_of) for all_of in times.values()]
    assert min(middle) >= 0.4
    assert max(middle) - min(middle) < 0.2, times


def mann_whitney(a, b):
    """Two-sided p of a and b being of one distribution, by the normal approximation with ties."""
    ranked = sorted(a + b)
    rank = {value: ranked.index(value) + (ranked.count(value) + 1) / 2 for value in set(ranked)}
    u = sum(rank[value] for value in a) - len(a) * (len(a) + 1) / 2
    n = len(a) + len(b)
    ties = sum(ranked.count(value) ** 3 - ranked.count(value) for value in set(ranked))
    sigma = math.sqrt(len(a) * len(b) / 12 * (n + 1 - ties / (n * (n - 1))))
    return math.erfc(abs(u - len(a) * len(b) / 2) / sigma / math.sqrt(2)) if sigma else 1.0


def test_the_statistics_tell_a_difference():
    a = [0.5 + i / 10000 for i in range(40)]
    assert mann_whitney(a, [x + 0.00001 for x in a]) > 0.5
    assert mann_whitney(a, [x + 0.01 for x in a]) < 0.001


def test_time_tells_nothing(mta):
    """Interleaved tries at users who exist and who do not, in a domain of an expensive form: either the times are of one
    distribution, or what is between their medians is less than the network's own noise."""
    mta = mta(**{"auth-failures-per-client": 100000, "auth-failures-per-account": 100000, "auth-failures-ceiling": 100000})
    times = {"anna": [], "nobody": []}

    def tries(which):
        with connect(mta) as client:
            for turn in range(12):
                user = ("anna", "nobody")[(turn + which) % 2]
                began = time.monotonic()
                assert client.docmd("AUTH", "PLAIN " + b64(f"\0{user}@a.example\0wrong".encode()))[0] == 535
                times[user].append(time.monotonic() - began)

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(tries, range(6)))
    p = mann_whitney(times["anna"], times["nobody"])
    apart = abs(statistics.median(times["anna"]) - statistics.median(times["nobody"]))
    assert len(times["anna"]) == 36
    assert p > 0.001 or apart < 0.005, (p, apart, times)


def test_guessing_locks_nobody_out(mta):
    """Guesses from one network keep that network away; many networks together reach the ceiling, above which the user's
    own is served, slowly."""
    mta = mta(**{"auth-failures-per-account": 2, "auth-failures-ceiling": 6})

    def attempt(network, password):
        with connect(mta, source=f"127.0.{network}.1") as client:
            return client.docmd("AUTH", "PLAIN " + b64(f"\0anna@a.example\0{password}".encode()))[0]

    assert attempt(1, "s3cret") == 235
    assert [attempt(2, "wrong") for _ in range(3)] == [535, 535, 454]
    assert attempt(2, "s3cret") == 454
    assert attempt(3, "s3cret") == 235
    assert [attempt(network, "wrong") for network in (4, 4, 5, 5)] == [535] * 4
    assert attempt(6, "s3cret") == 454  # never seen, and the ceiling is reached
    began = time.monotonic()
    assert attempt(1, "s3cret") == 235
    assert time.monotonic() - began >= 2.9
