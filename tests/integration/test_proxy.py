"""Connections through a proxy (the PROXY protocol): the client that the header names counts, for rights,
limits, trace and log; without a header, or from somewhere else, nothing is served; and a proxy's own address gives
nobody the rights it has."""

import socket
import struct
import time

import pytest

from lib.certificates import make_certificate
from lib.instance import Listener
from lib.smtp_raw import Closed, RawClient, Silent
from lib.waiting import patience, wait_for

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
MESSAGE = b"Subject: proxied\r\n\r\nhello\r\n.\r\n"


def v1(client):
    family = "TCP6" if ":" in client else "TCP4"
    return f"PROXY {family} {client} {client} 40000 25\r\n".encode()


def v2(client, tlv=b"", command=0x21):
    six = ":" in client
    address = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, client)
    rest = address * 2 + struct.pack(">HH", 40000, 25) + tlv
    return SIGNATURE + struct.pack(">BBH", command, 0x21 if six else 0x11, len(rest)) + rest


HEADERS = {
    "v1": v1("192.0.2.7"),
    "v1, IPv6": v1("2001:db8::7"),
    "v2": v2("192.0.2.7"),
    "v2, IPv6": v2("2001:db8::7"),
    "v2, TLVs": v2("192.0.2.7", b"\x04" + struct.pack(">H", 50000) + b"x" * 50000),
}
NOBODY = {
    "v1, UNKNOWN": b"PROXY UNKNOWN\r\n",
    "v1, UNKNOWN with the proxy's address": b"PROXY UNKNOWN 127.0.0.1 127.0.0.1 1 25\r\n",
    "v2, LOCAL": SIGNATURE + b"\x20\x00\x00\x00",
    "v2, LOCAL with an address": v2("192.0.2.7", command=0x20),
    "v2, Unix socket": SIGNATURE + b"\x21\x31\x00\xd8" + b"/x".ljust(216, b"\0"),
    "v2, unspecified": SIGNATURE + b"\x21\x00\x00\x00",
}


@pytest.fixture
def proxied(make_world):
    """A function that makes a started World whose listener 0 is behind a proxy, whose listener 1 is too
    and has TLS from the first octet, and whose listener 2 is not."""
    def make(**settings):
        world = make_world(**{"relay-from": ["127.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"], "proxy-from": ["127.0.0.1"],
                              "idle-timeout": "2s", **settings})
        world.far = world.sink("far.test")
        world.mta.listeners = [Listener(extra="proxy = yes"), Listener(tls="implicit", extra="proxy = yes"), Listener()]
        world.mta.certificate = make_certificate(world.mta.root)
        world.start()
        return world
    return make


def connect(world, listener=0, **more):
    return RawClient("127.0.0.1", world.mta.listeners[listener].port, **more)


def rcpt(client, address):
    client.command("MAIL FROM:<bob@domain1.com>", "250")
    return client.command(f"RCPT TO:<{address}>").code


def deliver(client, address):
    assert rcpt(client, address) == "250"
    client.command("DATA", "354")
    client.send(MESSAGE)
    client.reply("250")
    client.command("QUIT", "221")


@pytest.mark.parametrize("octets", [False, True])
@pytest.mark.parametrize("name", HEADERS)
def test_the_client_named_counts(proxied, name, octets):
    world = proxied()
    with connect(world, octets=octets and len(HEADERS[name]) < 1000) as client:
        with pytest.raises(Silent):
            client.reply(timeout=0.3)
        client.send(HEADERS[name])
        client.hello()
        assert rcpt(client, "u@far.test") == "250"
        client.command("RSET", "250")
        deliver(client, "bob@domain1.com")
    address = "[IPv6:2001:db8::7]" if "IPv6" in name else "[192.0.2.7]"
    assert address in world.mta.wait_messages("bob@domain1.com")[0]["Received"]
    world.mta.wait_log(r"client=2001:db8::7 .* accepted" if "IPv6" in name else r"client=192\.0\.2\.7 .* accepted")


def test_a_stranger_behind_a_trusted_proxy_is_a_stranger(proxied):
    world = proxied()
    with connect(world) as client:
        client.send(v1("198.51.100.9"))
        client.hello()
        assert rcpt(client, "u@far.test") == "550"
    world.mta.wait_log(r"refused=RCPT .*client=198\.51\.100\.9")


@pytest.mark.parametrize("name", NOBODY)
def test_the_rights_of_the_proxy_are_nobodys(proxied, name):
    world = proxied()
    with connect(world) as client:
        client.send(NOBODY[name])
        client.hello()
        assert rcpt(client, "u@far.test") == "550"
        client.command("RSET", "250")
        deliver(client, "bob@domain1.com")
    assert "[0.0.0.0]" in world.mta.wait_messages("bob@domain1.com")[0]["Received"]


@pytest.mark.parametrize("data", [b"EHLO c.test\r\n", b"PROXY TCP4 127.0.0.1\r\n", b"PROXY TCP4 " + b"1" * 200, b"\r\n\r\n\0\r\nQUIX\n",
                                  v2("192.0.2.7")[:12] + b"\x11" + v2("192.0.2.7")[13:], b"\x16\x03\x01\x02\x00"], ids=repr)
def test_closed_without_a_header(proxied, data):
    world = proxied()
    with connect(world) as client:
        client.send(data)
        assert client.wait_close() == []
    world.mta.wait_log(r"refused=connect rule=proxy-header proxy=127\.0\.0\.1 why=")


@pytest.mark.parametrize("data", [b"", b"P", v1("192.0.2.7")[:-1], v2("192.0.2.7")[:-1], v2("192.0.2.7", b"x" * 500)[:-1]], ids=repr)
def test_closed_when_the_header_does_not_come(proxied, data):
    world = proxied()
    began = time.monotonic()
    with connect(world) as client:
        client.send(data)
        assert client.wait_close() == []
    assert 1.5 < time.monotonic() - began < 6 * patience()
    world.mta.wait_log(r"rule=proxy-header .*why=\"no header in time\"")


def test_closed_for_those_who_are_no_proxies(proxied):
    world = proxied()
    with connect(world, source="127.0.0.2") as client:
        client.send(v1("192.0.2.7"))
        with pytest.raises((Closed, Silent)):
            client.reply()
    world.mta.wait_log(r"refused=connect rule=proxy-from proxy=127\.0\.0\.2")


def test_a_header_where_none_belongs_names_nobody(proxied):
    world = proxied(**{"relay-from": ["192.0.2.0/24"]})
    with connect(world, listener=2) as client:
        client.reply("220")
        client.send(v1("192.0.2.7"))
        client.reply("5..")
        client.command("EHLO c.test", "250")
        assert rcpt(client, "u@far.test") == "550"


def test_commands_right_behind_the_header(proxied):
    world = proxied()
    with connect(world) as client:
        client.send(v2("192.0.2.7", b"\x04\x00\x01x") + b"EHLO c.test\r\nMAIL FROM:<s@else.test>\r\n")
        for code in ("220", "250", "250"):
            client.reply(code)


@pytest.mark.parametrize("octets", [False, True])
def test_in_front_of_the_handshake(proxied, octets):
    world = proxied()
    with connect(world, listener=1, octets=octets) as client:
        client.send(v2("192.0.2.7"))
        client.start_tls()
        client.hello()
        deliver(client, "bob@domain1.com")
    received = world.mta.wait_messages("bob@domain1.com")[0]["Received"]
    assert "[192.0.2.7]" in received and "TLSv1" in received


def test_the_greeting_delay_begins_behind_the_header(proxied):
    world = proxied(**{"greeting-delay": "700ms"})
    with connect(world) as client:
        time.sleep(1)
        client.send(v1("198.51.100.9"))
        began = time.monotonic()
        client.reply("220")
        assert time.monotonic() - began > 0.6
    with connect(world) as client:
        client.send(v1("198.51.100.9") + b"EHLO c.test\r\n")
        client.reply("554")


def test_limits_are_each_clients(proxied):
    world = proxied(**{"connection-limit-per-client": 2, "workers": 1, "idle-timeout": "20s"})
    clients = []
    try:
        for address, code in (("192.0.2.7", "220"), ("192.0.2.7", "220"), ("192.0.2.7", "421"), ("192.0.2.8", "220"),
                              ("2001:db8::7", "220"), ("2001:db8::8", "220"), ("2001:db8::9", "421")):
            clients.append(connect(world))
            clients[-1].send(v2(address))
            clients[-1].reply(code)
    finally:
        for one in clients:
            one.close()


def test_the_configuration_is_checked(proxied, make_world):
    world = make_world()
    for key, extra, complaint in (("0.0.0.0/0", "proxy = yes", "every client say who it is"), (None, "proxy = yes", "nobody may connect")):
        world.mta.settings["proxy-from"] = [key] if key else None
        world.mta.listeners = [Listener(extra=extra)]
        world.mta.write_config()
        done = world.mta.command("check")
        assert done.returncode != 0 and complaint in done.stdout + done.stderr


def test_a_reload_takes_effect(proxied):
    world = proxied()
    world.mta.listeners[0].extra, world.mta.listeners[2].extra = "", "proxy = yes"
    world.mta.write_config()
    world.mta.reload()

    def greeted():
        with connect(world) as client:
            try:
                return client.reply("220", timeout=0.5)
            except Silent:
                return None
    wait_for(greeted, 10, "a greeting without a header")
    with connect(world, listener=2) as client:
        client.send(v1("192.0.2.7"))
        client.hello()
