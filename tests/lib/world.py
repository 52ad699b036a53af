"""A Postrider with a far end: DNS stub and sinks behind its outbound connections.

The integration and crash tests use it.  Invariant: close() stops the instance first and cleanly, so that
every test also is a test of the shutdown, and no sink has seen what a correct client never sends.
"""

from lib.certificates import make_certificate
from lib.instance import Instance
from lib.sink import Sink
from lib.stub_dns import StubDNS
from lib.waiting import reserve_port


class World:
    """A Postrider that trusts loopback, a DNS stub, and sinks that all listen on one port, each at a
    loopback address of its own."""

    def __init__(self, **settings):
        self.dns = StubDNS()
        self.port = reserve_port("0.0.0.0")
        self.sinks = []
        self.mta = Instance(dns=self.dns, settings={
            "relay-from": ["127.0.0.0/8"], "allow-loopback-destinations": True, "remote-port": self.port,
            "retry": ["1s", "2s"], **settings})
        self.mta.add_domain("domain1.com", ["bob", "alice", "postmaster"])
        self.mta.add_domain("domain2.com", ["bob"])

    def sink(self, domain=None, tls=False, **more):
        """A new sink; with `domain`, DNS sends that domain's mail to it."""
        certificate = make_certificate(self.mta.root, stem=f"sink{len(self.sinks)}") if tls else None
        one = Sink(host=f"127.0.0.{len(self.sinks) + 10}", port=self.port, certificate=certificate, **more)
        self.sinks.append(one)
        if domain:
            self.dns.route(domain, one.host)
        return one

    def start(self):
        """Start the instance; returns it."""
        return self.mta.start()

    def close(self, clean=True):
        """Stop everything; with clean, the instance must stop by itself and without a bad word."""
        try:
            if clean:
                with self.mta:
                    pass
            else:
                self.mta.destroy()
        finally:
            for one in self.sinks:
                one.close()
            self.dns.close()
        for one in self.sinks:
            assert not clean or not one.violations, one.violations
