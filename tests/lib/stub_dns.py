"""A DNS server on loopback that answers from a table, and misbehaves where a test tells it to.

    with StubDNS() as dns:
        dns.mx("remote.test", (10, "mx1.remote.test"))
        dns.a("mx1.remote.test", "127.0.0.2")
        Instance(dns=dns, ...)

UDP and TCP on one port.  Invariants: names not in the table are NXDOMAIN with an SOA (RFC 2308), names
with other types are NODATA; nothing is ever asked of a real resolver; each question is recorded.
"""

import random
import socket
import struct
import threading
import time

from dnslib import AAAA, CNAME, MX, PTR, QTYPE, RCODE, RR, SOA, TXT, A, DNSRecord

from lib.waiting import reserve_port, wait_for

DEFAULT_TTL = 30


class StubDNS:
    """Records by (name, type); special behaviour by (name, type), the name "*" meaning every name."""

    def __init__(self, host="127.0.0.1"):
        self.host, self.port = host, reserve_port(host)
        self.records, self.special, self.questions = {}, {}, []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((host, self.port))
        self._udp.settimeout(0.1)
        self._tcp = socket.create_server((host, self.port))
        self._tcp.settimeout(0.1)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    @property
    def address(self):
        """What the `resolver` key takes."""
        return f"{self.host}:{self.port}"

    # --- the table ---

    def add(self, name, rtype, rdata, ttl=DEFAULT_TTL):
        """Add one record; rdata is a dnslib object."""
        with self._lock:
            self.records.setdefault((_key(name), rtype), []).append((rdata, ttl))

    def mx(self, name, *hosts, ttl=DEFAULT_TTL):
        """MX records as (preference, host); host "." is the null MX of RFC 7505."""
        for preference, host in hosts:
            self.add(name, "MX", MX(host, preference), ttl)

    def a(self, name, *addresses, ttl=DEFAULT_TTL):
        """Address records, A or AAAA by their form."""
        for address in addresses:
            if ":" in address:
                self.add(name, "AAAA", AAAA(address), ttl)
            else:
                self.add(name, "A", A(address), ttl)

    def cname(self, name, target):
        """A CNAME; the answer brings the target's records along."""
        self.add(name, "CNAME", CNAME(target))

    def txt(self, name, text):
        """A TXT record."""
        self.add(name, "TXT", TXT(text))

    def ptr(self, address, name):
        """The reverse record of an IPv4 address."""
        self.add(".".join(reversed(address.split("."))) + ".in-addr.arpa", "PTR", PTR(name))

    def route(self, domain, address, host=None):
        """The usual case: one MX for `domain`, with one address."""
        host = host or f"mx.{domain}"
        self.mx(domain, (10, host))
        self.a(host, address)

    def forget(self, name):
        """Take all records and special behaviour of a name away."""
        with self._lock:
            for table in (self.records, self.special):
                for key in [key for key in table if key[0] == _key(name)]:
                    del table[key]

    # --- misbehaviour ---

    def behave(self, name, rtype, how):
        """Answer (name, rtype) specially; rtype "ANY" stands for all types.

        how: "servfail", "refused", "nxdomain", "drop" (no answer), a number of seconds to wait before
        the right answer, or a function (request, DNSRecord answer) -> octets to send, list of octets
        to send one after another, or None for no answer.
        """
        with self._lock:
            self.special[(_key(name), rtype)] = how

    def asked(self, name, rtype=None):
        """How often a name (and type) was asked for."""
        with self._lock:
            return sum(1 for asked, kind in self.questions
                       if asked == _key(name) and (rtype is None or kind == rtype))

    def wait_asked(self, name, rtype=None, count=1, timeout=10.0):
        """Wait until a name was asked for `count` times."""
        wait_for(lambda: self.asked(name, rtype) >= count, timeout, f"{count} questions for {name} {rtype}")

    # --- serving ---

    def _answer(self, data):
        """The list of octet strings to send for the request `data`, after any delay."""
        try:
            request = DNSRecord.parse(data)
        except Exception:  # dnslib raises several kinds for malformed input
            return []
        name, rtype = _key(request.q.qname), QTYPE.get(request.q.qtype)
        with self._lock:
            self.questions.append((name, rtype))
            how = None
            for key in ((name, rtype), (name, "ANY"), ("*", rtype), ("*", "ANY")):
                how = how or self.special.get(key)
            reply = self._look_up(request, name, rtype)
        return self._distort(request, reply, how)

    def _distort(self, request, reply, how):
        codes = {"servfail": RCODE.SERVFAIL, "refused": RCODE.REFUSED, "nxdomain": RCODE.NXDOMAIN}
        if how == "drop":
            return []
        if isinstance(how, str):
            reply = request.reply(ra=1, aa=0)
            reply.header.rcode = codes[how]
        elif callable(how):
            made = how(request, reply)
            if made is None:
                return []
            return made if isinstance(made, list) else [made]
        elif how:
            time.sleep(how)
        return [reply.pack()]

    def _look_up(self, request, name, rtype):
        reply = request.reply(ra=1, aa=0)
        for _ in range(9):
            cname = self.records.get((name, "CNAME"))
            if not cname or rtype == "CNAME":
                break
            reply.add_answer(RR(name, QTYPE.CNAME, rdata=cname[0][0], ttl=cname[0][1]))
            name = _key(cname[0][0].label)
        found = list(self.records.get((name, rtype), []))
        random.shuffle(found)
        for rdata, ttl in found:
            reply.add_answer(RR(name, getattr(QTYPE, rtype), rdata=rdata, ttl=ttl))
        if not found:
            if not any(known == name for known, _ in self.records):
                reply.header.rcode = RCODE.NXDOMAIN
            times = (1, 3600, 600, 86400, 5)
            reply.add_auth(RR(name, QTYPE.SOA, rdata=SOA("ns.test", "root.test", times), ttl=5))
        return reply

    def _serve_udp(self):
        while not self._stop.is_set():
            try:
                data, peer = self._udp.recvfrom(4096)
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=self._reply_udp, args=(data, peer), daemon=True).start()

    def _reply_udp(self, data, peer):
        for answer in self._answer(data):
            if len(answer) > 1232:
                cut = DNSRecord.parse(data).reply(ra=1, aa=0)
                cut.header.tc = 1
                answer = cut.pack()
            try:
                self._udp.sendto(answer, peer)
            except OSError:
                return

    def _serve_tcp(self):
        while not self._stop.is_set():
            try:
                peer, _ = self._tcp.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=self._reply_tcp, args=(peer,), daemon=True).start()

    def _reply_tcp(self, peer):
        with peer:
            peer.settimeout(5)
            try:
                while True:
                    size = peer.recv(2, socket.MSG_WAITALL)
                    if len(size) < 2:
                        return
                    data = peer.recv(struct.unpack("!H", size)[0], socket.MSG_WAITALL)
                    for answer in self._answer(data):
                        peer.sendall(struct.pack("!H", len(answer)) + answer)
            except OSError:
                return

    def close(self):
        """Stop answering; the port stays reserved, so that a dead resolver stays dead."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2)
        self._udp.close()
        self._tcp.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _key(name):
    return str(name).rstrip(".").lower() or "."
