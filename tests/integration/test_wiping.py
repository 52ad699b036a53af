"""Passwords are gone from the memory of smtpd and of the directory as soon as they were tried: the processes' whole
memory is searched. Root only: nobody else may look."""

import base64
import os
import re
import smtplib

import pytest

from lib.certificates import client_context, make_certificate
from lib.instance import Instance, Listener
from lib.scram import Scram, b64
from lib.waiting import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the memory of others")

PLAIN, LOGIN, WRONG, NOBODY, CLEAR = (f"pass{i}word-Quetzalcoatl-{i}" for i in range(5))
PRESENT = "Popocatepetl-on-purpose"  # said where nothing is wiped: the search must find it


def memory(pid):
    """What can be written to of a process's memory."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            begin, end, flags = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if "w" not in flags:
                continue
            try:
                mem.seek(int(begin, 16))
                yield line.strip(), mem.read(int(end, 16) - int(begin, 16))
            except OSError:
                continue


def forms(password):
    """The password, and its base64 whatever stands in front of it: the part that does not depend on that."""
    yield password.encode()
    for skip in range(3):
        coded = base64.b64encode(bytes(skip) + password.encode())
        yield coded[4:-4]


def found(mta, roles, password):
    return [(role, hex(at), form) for role, pid in mta.processes() if role in roles
            for _, octets in memory(pid) for form in forms(password) for at in [octets.find(form)] if at >= 0]


@pytest.fixture(name="mta")
def submission():
    with Instance(listeners=[Listener(role="submission"), Listener(role="submission", tls="implicit"), Listener(),
                             Listener(role="submission", tls="none")],
                  settings={"auth-failure-limit": 1000, "error-limit": 1000, "workers": 1, "auth-scram": "yes",
                            "auth-without-tls": True}) as mta:
        mta.certificate = make_certificate(mta.root)
        mta.add_domain("a.example", ["anna"], password=PLAIN)
        mta.add_domain("b.example", ["bert"], password=LOGIN)
        mta.domains.rewrite("b.example", "passwd", mta.domains.read("b.example", "passwd") + f"open:{{SSHA}}{'A' * 40}\n")
        yield mta.start()


def test_passwords_do_not_stay(mta):
    ctx = client_context()

    def plain(user, password):
        return "AUTH PLAIN " + b64(f"\0{user}\0{password}".encode())

    def said(client, line, code):
        reply = client.docmd(line)
        assert reply[0] == code, (line, reply)

    clients = []
    for listener in mta.listeners:
        implicit = listener is mta.listeners[1]
        client = smtplib.SMTP_SSL("127.0.0.1", listener.port, timeout=20, context=ctx) if implicit else \
            smtplib.SMTP("127.0.0.1", listener.port, timeout=20)
        clients.append(client)
        if listener.tls is None:
            client.starttls(context=ctx)
        client.ehlo("c.test")
    starttls, implicit, public, clear = clients
    said(starttls, plain("anna@a.example", WRONG), 535)
    said(starttls, plain("nobody@a.example", NOBODY), 535)
    said(starttls, plain("open@b.example", NOBODY), 535)
    said(starttls, plain("nobody@else.example", NOBODY), 535)
    scram = Scram("anna@a.example", WRONG)
    said(starttls, scram.final(starttls.docmd("AUTH SCRAM-SHA-256 " + scram.first())[1]), 535)
    # In pieces, and with what follows behind it.
    whole = (plain("anna@a.example", PLAIN) + "\r\nNOOP\r\n").encode()
    for piece in (whole[:3], whole[3:40], whole[40:]):
        starttls.sock.sendall(piece)
        wait_for(lambda: True, 1, "a moment")
    assert starttls.getreply()[0] == 235 and starttls.getreply()[0] == 250
    said(implicit, "AUTH LOGIN", 334)
    said(implicit, b64(b"bert@b.example"), 334)
    said(implicit, b64(LOGIN.encode()), 235)
    said(clear, plain("anna@a.example", CLEAR), 535)
    said(public, "MAIL FROM:<x@x.example>", 250)
    said(public, f"RCPT TO:<{PRESENT}@a.example>", 550)
    assert found(mta, ("smtpd",), PRESENT) and found(mta, ("directory",), PRESENT)
    for password in (PLAIN, LOGIN, WRONG, NOBODY, CLEAR):
        assert found(mta, ("smtpd", "directory"), password) == [], mta.log()
    for client in clients:
        client.close()
