"""Plays dns.tsv: where mail for x@<row>.test goes when the DNS looks like that.

Each row has a function of its own below, found by its id; a row without one fails.
"""

import re
import socket
import struct

import pytest
from dnslib import MX, QTYPE, RCODE, RR

from lib.far import Far, Scenarios, make_world
from lib.smtp_raw import RawClient
from lib.tables import load
from lib.waiting import wait_for

ROWS = load("dns.tsv")
scenario = Scenarios()


@pytest.mark.limit(120)
@pytest.mark.parametrize("row", ROWS, ids=repr)
def test_route(world, row):
    scenario.play(row, world)


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def two_hosts(far, first=10, second=20):
    """Two sinks as mx1 and mx2."""
    sinks = [far.sink(route=False), far.sink(route=False)]
    far.dns.mx(far.domain, (first, f"mx1.{far.domain}"), (second, f"mx2.{far.domain}"))
    for number, sink in enumerate(sinks, 1):
        far.dns.a(f"mx{number}.{far.domain}", sink.host)
    return sinks


@scenario("DN-01")
def preference_order(far):
    first, second = two_hosts(far)
    far.send("a")
    far.wait("delivered", "a")
    assert first.messages and not second.sessions
    first.script["BANNER"] = "421 4.3.2 busy"
    for session in first.sessions:
        wait_for(lambda: session.closed, 20, "the idle connection's end")
    far.send("b")
    far.wait("delivered", "b")
    assert second.messages[0].recipients == [f"b@{far.domain}"]


@scenario("DN-02")
def equal_preference_is_random(far):
    """Sixteen domains that share two hosts: each host is the first choice of some (2^-15 says otherwise)."""
    first, second = two_hosts(far, 10, 10)
    for number in range(16):
        domain = f"n{number}.{far.domain}"
        far.dns.mx(domain, (10, f"mx1.{far.domain}"), (10, f"mx2.{far.domain}"))
        far.mta.send("bob@domain1.com", f"x@{domain}", "Subject: x\r\n\r\nx\r\n")
    wait_for(lambda: len(first.messages) + len(second.messages) == 16, 20, "16 messages")
    assert first.messages and second.messages


@scenario("DN-03")
def implicit_mx(far):
    sink = far.sink(route=False)
    far.dns.a(far.domain, sink.host)
    far.send()
    far.wait("delivered")


@scenario("DN-04")
def implicit_mx_over_ipv6(far):
    if not has_ipv6():
        pytest.skip("no IPv6 loopback")
    far.sink(host="::1")
    far.dns.a(far.domain, "::1")
    far.send()
    far.wait("delivered")


@scenario("DN-06")
def mx_timeout(far):
    far.dns.behave(far.domain, "MX", "drop")
    far.dns.a(far.domain, far.sink(route=False).host)
    far.send()
    far.wait("deferred", timeout=90)
    assert not far.sinks[0].sessions


@scenario("DN-08")
def null_mx(far):
    far.dns.mx(far.domain, (0, "."))
    far.dns.a(far.domain, far.sink(route=False).host)
    far.send()
    far.wait("bounced")
    assert far.report(f"x@{far.domain}").groups[1]["Status"].startswith("5.1.10")
    assert not far.sinks[0].sessions


@scenario("DN-09")
def null_mx_beside_a_real_one(far):
    sink = far.sink(route=False)
    far.dns.mx(far.domain, (0, "."), (10, f"mx1.{far.domain}"))
    far.dns.a(f"mx1.{far.domain}", sink.host)
    far.send()
    far.wait("delivered")


@pytest.fixture(scope="module")
def strict():
    """As production: loopback is no destination."""
    one = make_world(**{"allow-loopback-destinations": False})
    yield one
    one.close()


@pytest.mark.parametrize("target", ["localhost", "127.0.0.1", "::1", "0.0.0.0", "::ffff:7f00:1", "127.8.9.10"])
def test_never_to_ourselves(strict, target):
    """DN-10 and DN-11: an MX that is this host is no place to connect to."""
    far = Far(strict, "self" + re.sub(r"[^a-z0-9]", "-", target).strip("-") + "x")
    if target == "localhost":
        far.dns.mx(far.domain, (10, "localhost"))
        far.dns.a("localhost", "127.0.0.1")
    else:
        far.dns.route(far.domain, target)
    if not strict.sinks:
        for host in ["127.0.0.1", "127.8.9.10"] + (["::1"] if has_ipv6() else []):
            far.sink(host=host)
    far.send()
    outcome = wait_for(lambda: far.outcome(f"x@{far.domain}"), 20, "an outcome")
    assert outcome in ("bounced", "deferred")
    if outcome == "bounced":
        assert far.report(f"x@{far.domain}").groups[1]["Status"].split()[0] in ("5.4.6", "5.4.4", "5.1.2")
    assert not any(sink.sessions for sink in strict.sinks)


@scenario("DN-10")
@scenario("DN-11")
def played_above(far):
    """test_never_to_ourselves plays them, in a world that forbids loopback."""
    assert far.mta.settings["allow-loopback-destinations"] is True


@scenario("DN-12")
def mail_loops_back(far):
    """The MX is our own listening address."""
    from lib.instance import Listener
    from lib.world import World
    world = World(**{"retry": ["300s"]})
    try:
        world.mta.listeners.append(Listener(host="127.0.0.60", port=world.port))
        world.dns.route("loop.test", "127.0.0.60")
        world.start()
        world.mta.send("bob@domain1.com", "x@loop.test", "Subject: loop\r\n\r\nx\r\n")
        one = world.mta.wait_messages("bob@domain1.com", timeout=20)[0]
        assert b"5.4.6" in one.raw
    except BaseException:
        world.close(clean=False)
        raise
    world.close()


@scenario("DN-16")
def broken_a_good_aaaa(far):
    if not has_ipv6():
        pytest.skip("no IPv6 loopback")
    sink = next((one for one in far.world.sinks if one.host == "::1"), None) or far.sink(host="::1")
    far.sinks = [sink]
    far.dns.mx(far.domain, (10, f"mx1.{far.domain}"))
    far.dns.behave(f"mx1.{far.domain}", "A", "servfail")
    far.dns.a(f"mx1.{far.domain}", "::1")
    far.send()
    far.wait("delivered", timeout=40)


@scenario("DN-17")
def broken_aaaa_good_a(far):
    sink = far.sink(route=False)
    far.dns.mx(far.domain, (10, f"mx1.{far.domain}"))
    far.dns.behave(f"mx1.{far.domain}", "AAAA", "servfail")
    far.dns.a(f"mx1.{far.domain}", sink.host)
    far.send()
    far.wait("delivered", timeout=40)


@scenario("DN-22")
def short_tlsa(far):
    sink = far.sink(tls=True)

    def answer(request, reply):
        for size in range(4):
            reply.add_answer(RR(request.q.qname, 52, rdata=_Raw(b"\x03" * size), ttl=5))
        return reply.pack()
    far.dns.behave(f"_{sink.port}._tcp.mx.{far.domain}", "TLSA", answer)
    far.send()
    far.wait("delivered")


class _Raw:
    """Record data of any octets, as dnslib packs it."""

    def __init__(self, data):
        self.data = data

    def pack(self, buffer):
        buffer.append(self.data)


@scenario("DN-24")
def answer_for_another_name(far):
    wrong = far.sink(route=False)
    far.dns.a("wrong." + far.domain, wrong.host)

    def answer(request, reply):
        made = request.reply(ra=1, aa=0)
        made.add_answer(RR("other.test", QTYPE.MX, rdata=MX("wrong." + far.domain, 1), ttl=60))
        return made.pack()
    far.dns.behave(far.domain, "MX", answer)
    far.send()
    wait_for(lambda: far.outcome(f"x@{far.domain}"), 60, "an outcome")
    assert not wrong.sessions


@scenario("DN-25")
def answer_with_a_wrong_id(far):
    right, wrong = far.sink(route=False), far.sink(route=False)
    far.dns.a("wrong." + far.domain, wrong.host)
    far.dns.a("right." + far.domain, right.host)
    far.dns.mx(far.domain, (10, "right." + far.domain))

    def answer(request, reply):
        forged = request.reply(ra=1, aa=0)
        forged.add_answer(RR(far.domain, QTYPE.MX, rdata=MX("wrong." + far.domain, 1), ttl=60))
        octets = forged.pack()
        return [struct.pack("!H", request.header.id ^ 0x55) + octets[2:], reply.pack()]
    far.dns.behave(far.domain, "MX", answer)
    far.send()
    far.wait("delivered", timeout=40)
    assert right.messages and not wrong.sessions


@scenario("DN-30")
def strange_ttls(far):
    for number, ttl in enumerate((0, 2**31 + 1, 2**32 - 1)):
        sink = far.sink(route=False)
        domain = f"t{number}.{far.domain}"
        far.dns.mx(domain, (10, f"mx.{domain}"), ttl=ttl)
        far.dns.a(f"mx.{domain}", sink.host, ttl=ttl)
        far.mta.send("bob@domain1.com", f"x@{domain}", "Subject: x\r\n\r\nx\r\n")
        sink.wait(1)
        assert far.dns.asked(domain, "MX") <= 3


@scenario("DN-31")
def hostile_reverse_name(far):
    for label in ("evil\nInjected: yes", "x" * 63):
        far.dns.forget("9.0.0.127.in-addr.arpa")
        far.dns.ptr("127.0.0.9", f"{label}.test" if label[0] == "e" else ".".join([label] * 3))
        received = _received_from(far, "127.0.0.9")
        assert "Injected" not in received and "\nInjected" not in far.mta.log()


@scenario("DN-32")
def reverse_name_without_forward(far):
    far.dns.ptr("127.0.0.8", "liar.domain1.com")
    assert "liar" not in _received_from(far, "127.0.0.8")


def _received_from(far, source):
    """Our Received: field for a message that a client at `source` sends to alice."""
    before = len(far.mta.domains.files("alice@domain1.com"))
    with RawClient("127.0.0.1", far.mta.port, source=source) as client:
        client.hello()
        for line, code in (("MAIL FROM:<s@else.test>", "250"), ("RCPT TO:<alice@domain1.com>", "250"), ("DATA", "354"),
                           ("Subject: who\r\n\r\n.", "250")):
            client.command(line, code)
    wait_for(lambda: len(far.mta.domains.files("alice@domain1.com")) > before, 10, "the message")
    found = [one for one in far.mta.messages("alice@domain1.com") if f"[{source}]" in one["Received"]]
    return found[-1]["Received"]


@scenario("DN-33")
def dead_resolver(far):
    world = make_world()
    try:
        world.dns.close()
        other = Far(world, "dead")
        other.send()
        other.wait("deferred", timeout=60)
        assert not world.mta.domains.all_files()
    finally:
        world.close()


@scenario("DN-34")
def nxdomain_without_authority(far):
    """A bare NXDOMAIN proves nothing (RFC 2308 2.1): not a reason to bounce."""
    def lame(request, reply):
        made = request.reply(ra=1, aa=0)
        made.header.rcode = RCODE.NXDOMAIN if far.dns.asked(far.domain, "MX") > 1 else RCODE.SERVFAIL
        return made.pack()
    far.dns.behave(far.domain, "ANY", lame)
    far.send()
    far.wait("deferred", timeout=60)


@scenario("DN-35")
def internationalised_domain(far):
    with RawClient("127.0.0.1", far.mta.port) as client:
        if "SMTPUTF8" not in client.hello().keywords():
            pytest.skip("needs SMTPUTF8, which EHLO does not offer")
        sink = far.sink(route=False)
        far.dns.route("xn--bcher-kva.example", sink.host)
        client.command("MAIL FROM:<bob@domain1.com> SMTPUTF8", "250")
        client.command("RCPT TO:<x@bücher.example>", "250")
        client.command("DATA", "354")
        client.command("Subject: x\r\n\r\n.", "250")
    sink.wait(1)
    assert far.dns.asked("xn--bcher-kva.example", "MX")
