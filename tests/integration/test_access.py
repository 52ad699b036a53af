"""The access table of sendmail, as it stands: clients, senders, recipients, relaying, and mail that is held or
thrown away; changes in force on save; mistakes told with file and line."""

import os
import smtplib

import pytest

from lib.smtp_raw import RawClient
from lib.waiting import wait_for
from lib.world import World

TABLE = """# clients
Connect:127.0.0.9\tRELAY
Connect:127.0.0.8\tREJECT
Connect:127.0.0.7\tERROR:4.7.1:450 Come back later
From:spammer@else.test\tREJECT
From:offers@\t550 We want no offers
From:strange.test\tQUARANTINE:strange senders are looked at
From:noise.test\tDISCARD
To:postmaster@domain1.com\tREJECT
To:bob@domain2.com\tDISCARD
To:friends.test\tRELAY
To:gone@domain1.com\tDISCARD
To:x@elsewhere.test\tDISCARD
From:unsaid.test\tQUARANTINE:
From:blank.test\tQUARANTINE: ""
To:alice@domain1.com\tREJECT
To:alice+lists@domain1.com\tOK
To:bob@domain3.com\tREJECT
"""


@pytest.fixture(name="world")
def fixture_world(tmp_path):
    path = tmp_path / "access"
    path.write_text(TABLE)
    path.chmod(0o644)
    os.chmod(tmp_path, 0o755)
    world = World(**{"access": str(path), "relay-from": None})
    try:
        world.table = path
        world.start()
        yield world
    finally:
        world.close()


def ask(world, *commands, source="127.0.0.1", sender="s@else.test"):
    """The last reply of a session that says EHLO, MAIL and these commands."""
    with RawClient("127.0.0.1", world.mta.port, source=source) as client:
        client.hello()
        reply = client.command(f"MAIL FROM:<{sender}>", "[245]..")
        for command in commands:
            reply = client.command(command, "[2345]..")
        return f"{reply.code} {reply.text}"


def send(world, sender, *recipients):
    with smtplib.SMTP("127.0.0.1", world.mta.port, timeout=10) as client:
        return client.sendmail(sender, recipients, b"Subject: x\r\n\r\nx\r\n")


def test_clients(world):
    assert ask(world, "RCPT TO:<bob@domain1.com>").startswith("250")
    assert ask(world, "RCPT TO:<a@elsewhere.test>").startswith("550 5.7.1")
    assert ask(world, "RCPT TO:<a@elsewhere.test>", source="127.0.0.9").startswith("250")
    for source, code in (("127.0.0.8", "554 5.7.1"), ("127.0.0.7", "4")):
        with RawClient("127.0.0.1", world.mta.port, source=source) as client:
            reply = client.read_reply()
            assert f"{reply.code} {reply.text}".startswith(code)
    wait_for(lambda: "rule=access-table" in world.mta.log(), 5, "the rule in the log")


def test_senders(world):
    assert ask(world, sender="spammer@else.test").startswith("550 5.7.1")
    assert ask(world, sender="offers@anywhere.test").startswith("550 5.7.1 We want no offers")
    assert ask(world, sender="honest@else.test").startswith("250")


def test_recipients(world):
    assert ask(world, "RCPT TO:<postmaster@domain1.com>").startswith("550 5.2.1")
    assert ask(world, "RCPT TO:<x@friends.test>").startswith("250")
    assert ask(world, "RCPT TO:<x@sub.friends.test>").startswith("250")


def test_subaddresses(world):
    """As sendmail looks for user+detail: no detail leads past a line about the user; what separates it is the domain's."""
    world.mta.add_domain("domain3.com", ["bob"], conf='subaddress-separators = "-"\n')
    for rcpt in ("alice@domain1.com", "alice+x@domain1.com", "alice+@domain1.com", '"Alice+ x"@domain1.com', "bob-x@domain3.com"):
        assert ask(world, f"RCPT TO:<{rcpt}>").startswith("550 5.2.1"), rcpt
        said = world.mta.command("explain", "--client", "127.0.0.1", "--from", "s@else.test", rcpt)
        assert "rule access-table" in said.stdout, said.stdout + said.stderr
    assert ask(world, "RCPT TO:<alice+lists@domain1.com>").startswith("250")
    assert ask(world, "RCPT TO:<bob+x@domain3.com>").startswith("550 5.1.1")
    assert ask(world, sender="spammer+x@else.test").startswith("550 5.7.1")
    assert ask(world, sender="offers+x@anywhere.test").startswith("550 5.7.1 We want no offers")


def test_discard(world):
    """All of it, or what is for one recipient; the client sees no difference."""
    send(world, "a@noise.test", "bob@domain1.com")
    send(world, "a@else.test", "bob@domain2.com", "alice+lists@domain1.com")
    world.mta.wait_messages("alice@domain1.com", 1)
    assert world.mta.messages("bob@domain1.com") == [] and world.mta.messages("bob@domain2.com") == []
    assert "discarded rule=access-table" in world.mta.log()
    world.mta.wait_queue_empty()


def test_discard_asks_for_nobody(world):
    """As sendmail has it: who is thrown away need not be there; but who sends to others has to be allowed to."""
    send(world, "a@noise.test", "nobody@domain1.com")
    send(world, "a@else.test", "gone@domain1.com")
    send(world, "a@else.test", "x@elsewhere.test")
    assert ask(world, "RCPT TO:<nobody@domain1.com>").startswith("550 5.1.1")
    assert ask(world, "RCPT TO:<y@elsewhere.test>", sender="a@noise.test").startswith("550 5.7.1")
    wait_for(lambda: world.mta.log().count("discarded rule=access-table") == 3, 5, "three lines in the log")
    world.mta.wait_queue_empty()


def test_quarantine_waits_for_release(world):
    send(world, "a@strange.test", "bob@domain1.com")
    held = wait_for(world.mta.queue, 5, "the message in the queue")
    lines = [line for line in world.mta.log().splitlines() if 'held rule=access-table text="strange senders are looked at"' in line]
    assert len(lines) == 1 and f"id={held[0]['id']} from=<a@strange.test>" in lines[0], world.mta.log()
    shown = world.mta.command("queue", "show", held[0]["id"]).stdout
    assert "held" in shown and "strange senders are looked at" in shown
    world.mta.kill("queue")
    wait_for(lambda: world.mta.pids("queue"), 5, "a new queue manager")
    shown = wait_for(lambda: world.mta.command("queue", "show", held[0]["id"]).stdout, 5, "the message again")
    assert "held" in shown and "strange senders are looked at" in shown
    assert world.mta.messages("bob@domain1.com") == []
    assert world.mta.command("queue", "release", held[0]["id"]).returncode == 0
    world.mta.wait_messages("bob@domain1.com", 1)


def test_quarantine_needs_no_reason(world):
    """What explain says is held is held."""
    for sender in ("a@unsaid.test", "a@blank.test"):
        said = world.mta.command("explain", "--client", "127.0.0.1", "--from", sender, "bob@domain1.com")
        assert "accepted and held" in said.stdout, said.stdout + said.stderr
        send(world, sender, "bob@domain1.com")
    held = wait_for(lambda: len(found := world.mta.queue()) == 2 and found, 5, "two messages in the queue")
    for one in held:
        assert "held" in world.mta.command("queue", "show", one["id"]).stdout
    assert world.mta.messages("bob@domain1.com") == []


def test_changes_take_effect_on_save(world):
    assert ask(world, sender="later@else.test").startswith("250")
    world.table.write_text(TABLE + "From:later@else.test REJECT\n")
    wait_for(lambda: ask(world, sender="later@else.test").startswith("550 5.7.1"), 5, "the new line in force")
    world.table.write_text(TABLE + "From:later@else.test REJECT\nFrom:else.test MAYBE\n")
    number = TABLE.count("\n") + 2
    wait_for(lambda: f"access:{number}: MAYBE: expected OK" in (ask(world), world.mta.log())[1], 5, "the mistake in the log")
    assert ask(world, sender="later@else.test").startswith("550 5.7.1")
    check = world.mta.command("check")
    assert check.returncode == 78 and f"access:{number}: MAYBE" in check.stdout


def test_explain_names_the_line(world):
    said = world.mta.command("explain", "--client", "127.0.0.1", "--from", "spammer@else.test", "bob@domain1.com")
    assert "access:5:" in said.stdout and "rule access-table" in said.stdout, said.stdout + said.stderr


def test_local_users_are_not_asked_about(world):
    done = world.mta.sendmail("-f", "spammer@else.test", "bob@domain1.com", stdin="Subject: x\n\nx\n")
    assert done.returncode == 0, done.stderr
    world.mta.wait_messages("bob@domain1.com", 1)
