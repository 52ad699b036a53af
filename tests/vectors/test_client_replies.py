"""Plays client_replies.tsv: our client against hostile and broken servers.

A row whose input is `WHERE: octets` is played as it stands and judged by the first word of its
expectation.  The others tell a story and have a function of their own below, found by the row's id; a
row without one fails.
"""

import re
import ssl
import time

import pytest

from lib.far import Far, Scenarios
from lib.sink import Close, Hold, Slow
from lib.tables import load, octets
from lib.waiting import patience, wait_for

ROWS = load("client_replies.tsv")
WHERE = {"banner": "BANNER", "EHLO reply": "EHLO", "MAIL reply": "MAIL", "RCPT reply": "RCPT"}
PLAIN = re.compile(r"(banner|EHLO reply|MAIL reply|RCPT reply): (.*\\n)")
OUTCOMES = {"temporary": "deferred", "deferred": "deferred", "works": "delivered", "accepted": "delivered",
            "delivered": "delivered", "permanent": "bounced", "unexpected": "deferred", "protocol": "deferred",
            "SIZE": "delivered"}
scenario = Scenarios()


@pytest.mark.limit(90)
@pytest.mark.parametrize("row", ROWS, ids=repr)
def test_reply(world, row):
    plain = PLAIN.fullmatch(row.input)
    if plain and row.id not in scenario:
        play(Far(world, row.id.lower()), row, WHERE[plain.group(1)], octets(plain.group(2)))
    else:
        scenario.play(row, world)
    assert sum(1 for role, _ in world.mta.processes() if role == "remote") == 1


def play(far, row, where, reply):
    """Send exactly these octets at this point."""
    far.sink(script={where: reply})
    began = time.monotonic()
    far.send()
    far.wait(OUTCOMES[re.match(r"\w+", row.expected).group(0)])
    assert time.monotonic() - began < 10 * patience()
    text = far.mta.log()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text), "control octets in the log"


def test_log_and_reports_show_hostile_octets_escaped(world):
    """CR-20's neighbourhood: what the server said is in the report, printable."""
    far = Far(world, "escaped")
    far.sink(script={"RCPT": b"550 5.1.1 x\x00y\x1b[2J\xff\r\n"})
    far.send()
    far.wait("bounced")
    group = far.report(f"x@{far.domain}").recipient(f"x@{far.domain}")
    assert re.fullmatch(r"[\x20-\x7e\n\t]*", group["Diagnostic-Code"])


@scenario("CR-04")
def endless_banner(far):
    sink = far.sink(script={"BANNER": b"220-x\r\n" * 100000})
    began = time.monotonic()
    far.send()
    far.wait("deferred")
    assert time.monotonic() - began < 10 * patience()
    sink.wait_sessions(1)


@scenario("CR-06")
def silent_banner(far):
    far.sink(script={"BANNER": Hold(30)})
    began = time.monotonic()
    far.send()
    far.wait("deferred", timeout=30)
    assert 3 < time.monotonic() - began < 20 * patience()


@scenario("CR-10")
def plaintext_after_starttls(far):
    """What came before the handshake is never taken for a reply inside TLS."""
    sink = far.sink(tls=True, script={"STARTTLS": lambda session, line: b"220 go\r\n250 injected\r\n"
                                      if session.number == 0 else None})
    far.send()
    wait_for(lambda: far.outcome(f"x@{far.domain}"), 20, "an outcome")
    assert "MAIL" not in sink.sessions[0].verbs()


@scenario("CR-23")
def three_verdicts_in_order(far):
    replies = {b"a": None, b"b": "550 5.1.1 no", b"c": "450 4.2.1 later"}
    sink = far.sink(script={"RCPT": lambda session, line: replies[re.search(rb"<(\w)@", line).group(1)]})
    far.send("a", "b", "c")
    far.wait(["delivered", "bounced", "deferred"], "a", "b", "c")
    assert [one.recipients for one in sink.messages] == [[f"a@{far.domain}"]]


@scenario("CR-24")
def nobody_accepted_but_354(far):
    """Nothing of the message may be sent, and the session stays in step."""
    sink = far.sink(script={"RCPT": "550 5.1.1 no", "DATA": "354 go on"})
    far.send("a", "b")
    far.wait("bounced", "a", "b")
    sink.wait_sessions(1)
    assert not [one for one in sink.messages if one.wire], "content sent for nobody"


@scenario("CR-25")
def data_refused(far):
    sink = far.sink(script={"DATA": "550 5.7.1 no data"})
    far.send("a", "b")
    far.wait("bounced", "a", "b")
    assert not sink.messages


@scenario("CR-27")
def reset_after_the_last_250(far):
    sink = far.sink(script={"EOD": Close(b"250 2.0.0 ok\r\n", reset=True, delay=0.1)})
    far.send()
    far.wait("delivered")
    time.sleep(0.5)
    assert len(sink.messages) == 1


@scenario("CR-28")
def silence_after_the_dot(far):
    far.sink(script={"EOD": Hold(30)})
    began = time.monotonic()
    far.send()
    far.wait("deferred", timeout=30)
    assert time.monotonic() - began > 3


@scenario("CR-29")
def later_after_the_dot(far):
    far.sink(script={"EOD": "451 4.3.0 later"})
    far.send()
    far.wait("deferred")
    assert far.entry(f"x@{far.domain}")["status"].startswith("4.3.0")


@scenario("CR-30")
def octet_by_octet(far):
    """The reply takes most of the time-out, each octet a fraction of it."""
    far.sink(script={"EOD": Slow(b"250 2.0.0 ok\r\n", 0.2)})
    far.sinks[0].script["EOD"] = lambda session, wire: Slow(b"250 2.0.0 ok\r\n", 0.2)
    far.send()
    far.wait("delivered")
    assert len(far.sinks[0].messages) == 1


@scenario("CR-31")
def closed_while_we_send(far):
    body = "Subject: big\r\n\r\n" + "0123456789\r\n" * 500000
    sink = far.sink(script={"DATA": Close(b"354 go\r\n")})
    far.send("a", content=body)
    far.wait("deferred", "a")
    sink.script["DATA"] = Close(b"354 go\r\n552 5.3.4 too big\r\n", delay=0.5)
    far.send("b", content=body)
    far.wait("bounced", "b")


@scenario("CR-32")
def closing_after_a_recipient(far):
    sink = far.sink(script={"RCPT": lambda session, line: "550 5.1.1 no" if b"<a@" in line else
                            Close(b"421 4.3.2 closing\r\n")})
    far.send("a", "b", "c")
    far.wait(["bounced", "deferred", "deferred"], "a", "b", "c")
    assert not sink.messages


@scenario("CR-33")
def name_checks(far):
    """Only a policy that checks names can fail this; opportunistic TLS checks none (RFC 7435)."""
    far.mta.write_config(far.mta.render() + "dane = yes\n")
    done = far.mta.command("check")
    far.mta.write_config()
    if done.returncode != 0:
        pytest.skip("no policy that checks certificate names: " + (done.stdout + done.stderr).strip().splitlines()[0])
    pytest.fail("names are checked now: play the row")


@scenario("CR-34")
def old_tls_only(far):
    sink = far.sink(tls=True)
    sink.context.minimum_version = ssl.TLSVersion.TLSv1
    sink.context.maximum_version = ssl.TLSVersion.TLSv1
    sink.context.set_ciphers("ALL:@SECLEVEL=0")
    far.send()
    wait_for(lambda: far.outcome(f"x@{far.domain}") in ("delivered", "deferred"), 20, "an outcome")
    assert not [one for one in sink.messages if one.tls]


@scenario("CR-35")
def renegotiation(far):
    """Asked by a TLS 1.2 server to negotiate again, the client does not."""
    openssl = pytest.importorskip("OpenSSL.SSL", reason="python3-openssl is not installed")
    from renegotiating import Renegotiator
    with Renegotiator(openssl, far.mta.root, "127.0.0.9", far.world.port) as server:
        far.dns.route(far.domain, server.host)
        far.send()
        wait_for(lambda: far.outcome(f"x@{far.domain}") or server.messages, 20, "an outcome")
        assert server.asked and not server.renegotiated


@scenario("CR-36")
def close_notify_in_a_reply(far):
    sink = far.sink(tls=True, script={"RCPT": Close(b"25", notify=True)})
    far.send()
    far.wait("deferred")
    assert not sink.messages


@scenario("CR-37")
def only_helo(far):
    sink = far.sink(script={"EHLO": "502 5.5.1 no EHLO"})
    far.send()
    far.wait("delivered")
    session = sink.sessions[0]
    assert session.verbs()[:3] == ["EHLO", "HELO", "MAIL"]
    assert sink.messages[0].mail_line.endswith(b">") and session.pipelined == 0


@scenario("CR-38")
def eight_bit_to_a_seven_bit_server(far):
    sink = far.sink(extensions=("PIPELINING",))
    far.send(content="Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
             "Content-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n", options=["BODY=8BITMIME"])
    outcome = wait_for(lambda: far.outcome(f"x@{far.domain}"), 20, "an outcome")
    if outcome == "bounced":
        assert far.report(f"x@{far.domain}").groups[1]["Status"].split()[0] == "5.6.3"
    else:
        assert outcome == "delivered" and max(sink.messages[0].wire) < 128
