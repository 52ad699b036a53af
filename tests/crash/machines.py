"""Postriders whose spool and mailboxes stand on disks of their own, and which may lose power."""

from lib.domains import Domains
from lib.instance import Instance

RECIPIENTS = ["bob@domain1.com", "alice@domain1.com", "bob@domain2.com"]


def machine(spool, mail, domains=True, **settings):
    """An Instance with its spool and its domains below these directories; domains: make them."""
    # A call that strace makes fail has no number any more when the filter sees it.
    mta = Instance(settings={"relay-from": ["127.0.0.0/8"], "system-call-filter": "off", "segment-size": "4M", "retry": ["1s"],
                             "connection-limit-per-client": 200, "log-level": "info", **settings},
                   spool=spool / "spool")
    mta.domains = Domains(mail / "virtual", mta.privileged)
    mta.settings["domains"] = str(mta.domains.root)
    if domains:
        mta.add_domain("domain1.com", ["bob", "alice", "postmaster"])
        mta.add_domain("domain2.com", ["bob"])
    return mta


def submit(mta, name, recipient="bob@domain1.com", size=100):
    """One message with this name as its subject; the caller has read its 250 when this returns."""
    mta.send("sender@else.test", recipient, f"Subject: {name}\r\n\r\n" + "0123456789abcdef\r\n" * (size // 18 + 1))


def subjects(mta, address="bob@domain1.com"):
    """The subjects in a mailbox, sorted."""
    return sorted(str(message["Subject"]) for message in mta.messages(address))
