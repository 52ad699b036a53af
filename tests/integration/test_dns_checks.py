"""What the DNS says of a client, and what becomes of its mail: lists, names, greetings, senders' domains; each check
off, warn and reject; name servers that are slow or silent, and a remote that is killed."""

import os
import re
import signal
import threading
import time

import pytest

from lib.instance import Instance
from lib.smtp_raw import RawClient
from lib.stub_dns import StubDNS
from lib.waiting import patience, wait_for

CHECKS = ("client-name", "helo-name", "helo-resolves", "helo-ours", "sender-domain")
LISTED, GOOD, BOTH, FORGED, NAMELESS = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"
ERROR, OTHER = "127.0.0.7", "127.0.0.8"


def reversed_in(address, zone):
    return ".".join(reversed(address.split("."))) + "." + zone


def fill(dns):
    """A world of its own: who is listed, who has which name, which domains there are."""
    for address in (LISTED, BOTH):
        dns.a(reversed_in(address, "bl.test"), "127.0.0.2")
    dns.a(reversed_in(BOTH, "wl.test"), "127.0.5.2")
    dns.a(reversed_in(ERROR, "bl.test"), "127.255.255.254")
    dns.a(reversed_in(OTHER, "bl.test"), "127.0.0.12")
    for address in (GOOD, LISTED, BOTH, ERROR, OTHER):
        dns.ptr(address, f"host{address[-1]}.good.test")
        dns.a(f"host{address[-1]}.good.test", address)
    dns.ptr(FORGED, "host3.good.test")
    dns.a("mail.good.test", "192.0.2.9")
    dns.mx("good.test", (10, "mail.good.test"))
    dns.mx("null.test", (0, "."))
    dns.behave("broken.test", "ANY", "servfail")


def instance(settings=None, extra="", dns=None, **more):
    mta = Instance(dns=dns, settings={"workers": 1, **(settings or {})}, extra=extra, **more)
    mta.add_domain("domain1.com", ["bob", "alice", "postmaster"])
    return mta


@pytest.fixture(name="dns", scope="module")
def fixture_dns():
    with StubDNS() as dns:
        fill(dns)
        yield dns


def ask(mta, source=GOOD, helo="mail.good.test", sender="a@good.test", rcpt="bob@domain1.com"):
    """The reply to RCPT, or to what came before it if that was refused."""
    with RawClient("127.0.0.1", mta.port, source=source) as client:
        client.reply("220")
        client.command(f"EHLO {helo}", "250")
        client.command(f"MAIL FROM:<{sender}>", "250")
        reply = client.command(f"RCPT TO:<{rcpt}>", "[245]..")
        return f"{reply.code} {reply.text}"


# Each check: who offends it, the reply, and the rule in the log.
OFFENDERS = [
    (dict(source=LISTED), "554 5.7.1 127.0.0.2 is listed in bl.test", "dnsbl"),
    (dict(source=NAMELESS), "550 5.7.25 127.0.0.6 has no name", "client-name"),
    (dict(source=FORGED), "550 5.7.25 127.0.0.5 is not an address of host3.good.test", "client-name"),
    (dict(helo="localhost"), "550 5.7.1 HELO localhost: want your full", "helo-name"),
    (dict(helo="[127.0.0.99]"), "550 5.7.1 HELO [127.0.0.99]", "helo-name"),
    (dict(helo="1.2.3.4"), "550 5.7.1 HELO 1.2.3.4: want", "helo-name"),
    (dict(helo="nowhere.test"), "550 5.7.1 HELO nowhere.test: that name has no address", "helo-resolves"),
    (dict(helo="MX.test"), "550 5.7.1 HELO mx.test: that is us", "helo-ours"),
    (dict(helo="domain1.com"), "550 5.7.1 HELO domain1.com: that is us", "helo-ours"),
    (dict(sender="a@nowhere.test"), "550 5.1.8 The sender's domain nowhere.test", "sender-domain"),
    (dict(sender="a@null.test"), "550 5.7.27 The sender's domain null.test takes no mail", "sender-domain"),
    (dict(sender="a@broken.test"), "451 4.1.8 The DNS does not tell", "sender-domain"),
]
# And nobody else.
BLAMELESS = [
    dict(), dict(helo="[127.0.0.3]"), dict(helo="host3.good.test"), dict(sender=""), dict(sender="x@domain1.com"),
    dict(sender="x@[192.0.2.1]"), dict(source=ERROR), dict(source=OTHER), dict(source=BOTH),
    dict(source=LISTED, rcpt="postmaster@domain1.com"), dict(source=NAMELESS, rcpt="PostMaster"),
    dict(source=LISTED, rcpt="postmaster"),
]
ZONES = 'dnsbl "bl.test" { action = %s replies = { 127.0.0.2..11 } }\ndnswl "wl.test" { replies = 127.0..255.5.1..3 }\n'


def test_reject(dns):
    """Each check refuses whom it should, at RCPT, with its own code, text and rule; and nobody else."""
    with instance({name: "reject" for name in CHECKS}, ZONES % "reject", dns).start() as mta:
        for who, want, rule in OFFENDERS:
            start = len(mta.log())
            assert ask(mta, **who).startswith(want), who
            mta.wait_log(rf"refused=RCPT code={want[:3]} rule={rule} .*rcpt=<bob@domain1.com> text=", start=start)
        for who in BLAMELESS:
            assert ask(mta, **who).startswith("250"), who


def test_warn(dns):
    """With warn the same is said in the log, and the mail accepted."""
    with instance({name: "warn" for name in CHECKS}, ZONES % "warn", dns).start() as mta:
        for who, want, rule in OFFENDERS:
            start = len(mta.log())
            assert ask(mta, **who).startswith("250"), who
            said = mta.wait_log(rf"accepted=RCPT warning rule={rule} .*", start=start)[0].group(0)
            assert want.split(" ", 2)[2][:20] in said and "rcpt=<bob@domain1.com>" in said, said
        start = len(mta.log())
        for who in BLAMELESS:
            assert ask(mta, **who).startswith("250"), who
        assert "warning rule=" not in mta.log()[start:]


def test_off_asks_nothing(dns):
    """Without a key nothing is asked, whoever comes."""
    before = len(dns.questions)
    with instance({}, "", dns).start() as mta:
        for who, _, _ in OFFENDERS:
            assert ask(mta, **who).startswith("250"), who
        assert ask(mta, source=NAMELESS).startswith("250")
        mta.stop()
        assert len(dns.questions) == before
        assert " name=" not in mta.log()


def test_who_is_exempt(dns, tmp_path):
    """relay-from, users of this system, and what the access table has as OK."""
    table = tmp_path / "access"
    table.write_text(f"Connect:{NAMELESS} OK\nFrom:friend.test OK\nTo:alice@domain1.com OK\n")
    table.chmod(0o644)
    os.chmod(tmp_path, 0o755)
    settings = {name: "reject" for name in CHECKS}
    with instance({**settings, "relay-from": [f"{LISTED}/32"], "access": str(table)}, ZONES % "reject", dns).start() as mta:
        assert ask(mta, source=LISTED, helo="x", sender="a@nowhere.test").startswith("250")
        assert ask(mta, source=NAMELESS, helo="x", sender="a@nowhere.test").startswith("250")
        assert ask(mta, sender="a@friend.test").startswith("250")
        assert ask(mta, source=FORGED, sender="a@friend.test").startswith("550 5.7.25")
        assert ask(mta, source=FORGED, rcpt="alice@domain1.com").startswith("250")
        done = mta.sendmail("-f", "a@nowhere.test", "bob@domain1.com", stdin="Subject: x\n\nx\n")
        assert done.returncode == 0, done.stderr
        mta.wait_messages("bob@domain1.com", 1)


def test_lists(dns):
    """The first list that rejects decides; filters, texts, one that is off is not asked."""
    dns.a(reversed_in("127.0.0.20", "two.test"), "127.0.0.4", "127.0.0.9")
    dns.a(reversed_in("127.0.0.20", "three.test"), "127.0.0.4")
    dns.a(reversed_in("127.0.0.21", "three.test"), "127.0.0.1")
    extra = ('dnsbl "off.test" { action = off }\n'
             'dnsbl "two.test" { replies = { 127.0.0.9 } text = "%c is bad (100%%), see https://%z/%c" }\n'
             'dnsbl "three.test" { action = warn }\n')
    with instance({}, extra, dns).start() as mta:
        assert ask(mta, source="127.0.0.20").startswith(
            "554 5.7.1 127.0.0.20 is bad (100%), see https://two.test/127.0.0.20")
        assert ask(mta, source="127.0.0.21").startswith("250")
        assert "warning rule=dnsbl" not in mta.log()
        mta.stop()
    assert dns.asked(reversed_in("127.0.0.20", "off.test")) == 0


def message(client, sender="a@good.test", rcpt="bob@domain1.com"):
    client.command(f"MAIL FROM:<{sender}>", "250")
    client.command(f"RCPT TO:<{rcpt}>", "250")
    client.command("DATA", "354")
    client.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
    client.reply("250")


def test_the_name_is_told(dns):
    """A confirmed name stands in Received and in the log; one that is not, or is malformed, nowhere."""
    evil = StubDNS()
    fill(evil)
    evil.add(reversed_in("127.0.0.9", "in-addr.arpa"), "PTR", evil_name())
    try:
        with instance({"client-name": "lookup"}, "", evil).start() as mta:
            for source in (GOOD, FORGED, NAMELESS, "127.0.0.9"):
                with RawClient("127.0.0.1", mta.port, source=source) as client:
                    client.reply("220")
                    client.command("EHLO me.test", "250")
                    message(client)
            texts = [one.raw.decode() for one in mta.wait_messages("bob@domain1.com", 4)]
            received = [re.search(r"^Received: from .*", text, re.M).group(0) for text in texts]
            assert sorted(received) == sorted(
                [f"Received: from me.test (host3.good.test [{GOOD}])"] +
                [f"Received: from me.test ([{source}])" for source in (FORGED, NAMELESS, "127.0.0.9")])
            assert mta.wait_log(rf"client={GOOD} name=host3.good.test uid=-1 .*accepted")
            assert mta.wait_log(rf"client={GOOD} name=host3.good.test uid=-1 .*end=")
            assert "evil" not in mta.log()
    finally:
        evil.close()


def evil_name():
    """A PTR of a name with a line end in it."""
    from dnslib import PTR, DNSLabel
    return PTR(DNSLabel([b"x\r\nevil: y", b"test"]))


def test_names_in_the_access_table(dns, tmp_path):
    """A confirmed name may spare, allow and refuse; one that is only claimed may only refuse. While the DNS
    cannot tell, relaying waits."""
    dns.ptr("127.0.0.30", "client.friends.test")
    dns.a("client.friends.test", "127.0.0.30")
    dns.ptr("127.0.0.31", "client.friends.test")
    dns.ptr("127.0.0.32", "pool.spam.test")
    dns.a("pool.spam.test", "127.0.0.32")
    dns.ptr("127.0.0.33", "pool.spam.test")
    dns.ptr("127.0.0.34", "spared.spam.test")
    dns.a("spared.spam.test", "127.0.0.34")
    dns.behave(reversed_in("127.0.0.35", "in-addr.arpa"), "PTR", "servfail")
    table = tmp_path / "access"
    table.write_text("Connect:friends.test RELAY\nspam.test REJECT\nConnect:spared.spam.test OK\n"
                     "Connect:127.0.0.34 REJECT\nConnect:127.0.0.36 REJECT\n")
    table.chmod(0o644)
    os.chmod(tmp_path, 0o755)
    with instance({"access": str(table)}, "", dns).start() as mta:
        assert ask(mta, source="127.0.0.30", rcpt="x@elsewhere.test").startswith("250")
        assert ask(mta, source="127.0.0.31", rcpt="x@elsewhere.test").startswith("550 5.7.1 Relaying denied")
        assert ask(mta, source="127.0.0.32").startswith("550 5.7.1")
        assert ask(mta, source="127.0.0.33").startswith("550 5.7.1")
        assert ask(mta, source="127.0.0.34").startswith("250")
        assert ask(mta, source="127.0.0.35").startswith("250")
        assert ask(mta, source="127.0.0.35", rcpt="x@elsewhere.test").startswith("451 4.7.1")
        assert ask(mta, source="127.0.0.36").startswith("550 5.7.1")
        said = mta.command("explain", "--client", "127.0.0.30", "x@elsewhere.test").stdout
        assert "accepted" in said and "access:1: access table: connect:friends.test RELAY" in said, said
        # Without a name that could spare, an address that is refused hears so at once.
        table.write_text("spam.test REJECT\nConnect:127.0.0.36 REJECT\n")

        def greeted():
            with RawClient("127.0.0.1", mta.port, source="127.0.0.36") as client:
                return client.read_reply().code
        wait_for(lambda: greeted() == "554", 5, "the new table in force")


def test_silence_refuses_nothing(dns):
    """A name server that does not answer costs dns-timeout, once, and nobody else waits."""
    slow = StubDNS()
    fill(slow)
    slow.behave("*", "ANY", "drop")
    try:
        settings = {name: "reject" for name in CHECKS}
        with instance({**settings, "dns-timeout": "400ms", "helo-name": "off"}, ZONES % "reject", slow).start() as mta:
            began = time.monotonic()
            assert ask(mta, source=LISTED, sender="a@nowhere.test").startswith("250")
            took = time.monotonic() - began
            assert 0.3 < took < 3 * patience(), took
            # Who needs no answer is served meanwhile.
            waiting = threading.Thread(target=ask, args=(mta, NAMELESS))
            waiting.start()
            began = time.monotonic()
            with RawClient("127.0.0.1", mta.port) as client:
                client.reply("220")
                client.command("EHLO x", "250")
            assert time.monotonic() - began < 0.3 * patience()
            waiting.join(10)
    finally:
        slow.close()


def test_remote_is_killed(dns):
    """Without remote checks find nothing; with a new one they do again."""
    with instance({"dns-timeout": "2s"}, ZONES % "reject", dns).start() as mta:
        assert ask(mta, source=LISTED).startswith("554")
        mta.kill("remote")
        began = time.monotonic()
        assert ask(mta, source=LISTED)[:3] in ("250", "554")
        assert time.monotonic() - began < 4 * patience()
        wait_for(lambda: ask(mta, source=LISTED).startswith("554"), 10, "checks by a new remote", interval=0.3)


def test_remote_hangs(dns):
    """One that is stopped holds nobody longer than dns-timeout and the grace after it."""
    with instance({"dns-timeout": "300ms"}, ZONES % "reject", dns).start() as mta:
        assert ask(mta, source=LISTED).startswith("554")
        pid = mta.pid("remote")
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            assert ask(mta, source=LISTED).startswith("250")
            assert time.monotonic() - began < 2.5 * patience()
        finally:
            os.kill(pid, signal.SIGCONT)


def test_many_clients(dns):
    """Four hundred sessions at once, from many addresses, one slow zone: each gets its own answer."""
    slow = StubDNS()
    fill(slow)
    for octet in range(1, 101):
        if octet % 2:
            slow.a(reversed_in(f"127.0.1.{octet}", "bl.test"), "127.0.0.2")
        slow.behave(reversed_in(f"127.0.1.{octet}", "bl.test"), "A", 0.2)
    try:
        with instance({"connection-limit": 1000}, 'dnsbl "bl.test" { }', slow).start() as mta:
            clients = []
            try:
                for i in range(400):
                    source = f"127.0.1.{i % 100 + 1}"
                    clients.append((source, RawClient("127.0.0.1", mta.port, source=source)))
                for _, client in clients:
                    client.reply("220")
                    client.send(b"EHLO x.test\r\nMAIL FROM:<a@good.test>\r\nRCPT TO:<bob@domain1.com>\r\n")
                for source, client in clients:
                    client.reply("250")
                    client.reply("250")
                    want = "554" if int(source.rpartition(".")[2]) % 2 else "250"
                    assert client.read_reply().code == want, source
            finally:
                for _, client in clients:
                    client.close()
    finally:
        slow.close()


def test_pipelined(dns):
    """Commands sent in one group wait their turn behind what is being found out, and are answered in order."""
    with instance({"sender-domain": "reject"}, ZONES % "reject", dns).start() as mta:
        with RawClient("127.0.0.1", mta.port, source=GOOD) as client:
            client.reply("220")
            client.send(b"EHLO x.test\r\nMAIL FROM:<a@nowhere.test>\r\nRCPT TO:<bob@domain1.com>\r\nRSET\r\n"
                        b"MAIL FROM:<a@good.test>\r\nRCPT TO:<bob@domain1.com>\r\nRCPT TO:<alice@domain1.com>\r\nQUIT\r\n")
            codes = [client.read_reply().code for _ in range(8)]
            assert codes == "250 250 550 250 250 250 250 221".split()


def test_explain(dns):
    """explain asks the same questions and says the same."""
    with instance({name: "reject" for name in CHECKS}, ZONES % "reject", dns).start() as mta:
        for who, want, rule in OFFENDERS:
            who = {"source": GOOD, "helo": "mail.good.test", "sender": "a@good.test", **who}
            told = mta.command("explain", "--client", who["source"], "--helo", who["helo"], "--from", who["sender"],
                               "bob@domain1.com")
            assert f": {want}" in told.stdout and f"rule: {rule}\n" in told.stdout, told.stdout + told.stderr
        told = mta.command("explain", "--client", BOTH, "--helo", "mail.good.test", "--from", "a@good.test",
                           "bob@domain1.com").stdout
        assert "accepted" in told and "the client is in wl.test, which says 127.0.5.2" in told and "spared" in told, told


def test_xclient(dns):
    """Who speaks for another client is forgotten: the other one is asked about, and its name is told."""
    with instance({"xclient-from": ["127.0.0.1/32"], "client-name": "lookup"}, ZONES % "reject", dns).start() as mta:
        with RawClient("127.0.0.1", mta.port, source="127.0.0.1") as client:
            client.reply("220")
            client.command("EHLO proxy.test", "250")
            for address, code in ((LISTED, "554"), (GOOD, "250")):
                client.command(f"XCLIENT ADDR={address}", "220")
                client.command("EHLO x.test", "250")
                client.command("MAIL FROM:<a@good.test>", "250")
                client.command("RCPT TO:<bob@domain1.com>", code)
                if address == LISTED:
                    client.command("RSET", "250")
        mta.wait_log(rf"client={GOOD} name=host3.good.test ")
