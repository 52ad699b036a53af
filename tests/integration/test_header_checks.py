"""Header checks: every action by SMTP and by sendmail(1), the rules of the manual page against the pests they were
written for, changes in force on save, a pattern that would never end, large messages."""

import json
import os
import re
import smtplib
import time

import pytest

from lib.instance import TOP
from lib.smtp_raw import RawClient
from lib.waiting import patience, wait_for
from lib.world import World

RULES = """# what each action does
/^Subject: reject/      REJECT
/^Subject: later (.*)/  REJECT 4.7.1 Not now: $1
/^Subject: status/      REJECT 5.6.0 With a status of its own
/^Subject: discard/     DISCARD
/^Subject: hold/        HOLD to be looked at
/^Subject: warn/        WARN only said
/^Subject: mark (.*)/   PREPEND X-Mark: $1
/^Subject: redirect/    REDIRECT alice@domain1.com
/^Subject: astray/      REDIRECT nobody@domain1.com
/^Subject: dunno/       DUNNO
/^Subject: (dunno|ok)/  REJECT
"""
LINE = b"This line says nothing, and there are many like it.\r\n"


@pytest.fixture(name="world")
def fixture_world(tmp_path):
    path = tmp_path / "checks"
    path.write_text(RULES)
    path.chmod(0o644)
    os.chmod(tmp_path, 0o755)
    world = World(**{"header-checks": str(path)})
    try:
        world.rules = path
        world.start()
        yield world
    finally:
        world.close()


def send(world, subject, body=b"x\r\n", header=b""):
    """The last reply, as text."""
    message = b"Subject: " + subject.encode() + b"\r\n" + header + b"\r\n" + body
    with RawClient("127.0.0.1", world.mta.port) as client:
        client.hello()
        client.command("MAIL FROM:<s@else.test>", "250")
        client.command("RCPT TO:<bob@domain1.com>", "250")
        client.command("DATA", "354")
        client.send(message + b".\r\n")
        reply = client.read_reply()
        return f"{reply.code} {reply.text}"


def parts(*headers, lines=0):
    """Header field and body of a multipart message whose parts have these headers."""
    body = b"".join(b"--b\r\n" + header.encode() + b"\r\n\r\n" + LINE * lines for header in headers)
    return b"Content-Type: multipart/mixed;\r\n\tboundary=\"b\"\r\n", body + b"--b--\r\n"


def log_has(world, *words):
    wait_for(lambda: any(all(word in line for word in words) for line in world.mta.log().splitlines()), 5, words)


def held(world):
    message = wait_for(world.mta.queue, 5, "the message in the queue")[0]
    return message["id"], world.mta.command("queue", "show", message["id"]).stdout


def test_refusals(world):
    assert send(world, "reject me").startswith("550 5.7.1 The header of this message is not accepted here")
    assert send(world, "later today").startswith("451 4.7.1 Not now: today")
    assert send(world, "status").startswith("550 5.6.0 With a status of its own")
    log_has(world, "refused=DATA code=550 rule=header-checks")
    log_has(world, "rule=header-checks at=", "checks:2 action=REJECT in=message line=1 field=\"Subject: reject me\"")
    assert send(world, "fine").startswith("250")
    world.mta.wait_messages("bob@domain1.com", 1)
    world.mta.wait_queue_empty()


def test_discard_hold_warn(world):
    assert send(world, "discard").startswith("250 2.0.0")
    assert send(world, "warn").startswith("250")
    log_has(world, "discarded rule=header-checks")
    log_has(world, "action=WARN", "text=\"only said\"")
    world.mta.wait_messages("bob@domain1.com", 1)
    world.mta.wait_queue_empty()
    assert send(world, "hold").startswith("250")
    number, shown = held(world)
    assert "held" in shown and "to be looked at" in shown
    log_has(world, 'held rule=header-checks text="to be looked at"')
    assert world.mta.command("queue", "release", number).returncode == 0
    world.mta.wait_messages("bob@domain1.com", 2)


def test_dunno_ends_the_field(world):
    assert send(world, "dunno").startswith("250")
    assert send(world, "ok").startswith("550")


@pytest.mark.parametrize("lines", [1, 20000])
def test_prepend(world, lines):
    """In memory and in a file; by a field of the header, and by one behind everything."""
    header, body = parts("X: 1", "Subject: mark late", lines=lines)
    assert send(world, "mark early", body, header).startswith("250")
    message = world.mta.wait_messages("bob@domain1.com", 1)[0]
    text = message.raw.replace(b"\r\n", b"\n")
    assert b"\nX-Mark: early\nX-Mark: late\nReceived: " in text
    assert text.endswith(b"--b--\n") and text.count(LINE.replace(b"\r\n", b"\n")) == 2 * lines


@pytest.mark.parametrize("lines", [1, 20000])
def test_redirect_and_hold(world, lines):
    header, body = parts("X: 1", "Subject: hold\r\nX: y\r\nSubject: redirect", lines=lines)
    assert send(world, "x", body, header).startswith("250")
    number, shown = held(world)
    assert "to be looked at" in shown and "alice@domain1.com" in shown and "bob@" not in shown
    assert world.mta.command("queue", "release", number).returncode == 0
    world.mta.wait_messages("alice@domain1.com", 1)
    assert world.mta.messages("bob@domain1.com") == []
    log_has(world, "to=<alice@domain1.com> instead of rcpt=<bob@domain1.com>")
    assert world.mta.command("queue", "fsck").returncode == 0


def test_redirect_to_nobody(world):
    """The client keeps the message; no report goes to a sender who did not write that address."""
    assert send(world, "astray").startswith("451 4.3.5")
    log_has(world, "REDIRECT to <nobody@domain1.com> is not possible")
    assert not world.mta.queue() and world.mta.messages("bob@domain1.com") == []
    check = world.mta.command("check")
    assert check.returncode == 78 and "checks:10: REDIRECT nobody@domain1.com" in check.stdout, check.stdout


@pytest.mark.parametrize("lines", [1, 20000])
def test_parts(world, lines):
    header, body = parts("X: 1", "Subject: reject", lines=lines)
    assert send(world, "x", body, header).startswith("550 5.7.1")
    header, body = parts("Content-Type: message/rfc822\r\n\r\nFrom: x\r\nSubject: =?utf-8?q?re=6aect?=", lines=lines)
    assert send(world, "x", body, header).startswith("550 5.7.1")
    log_has(world, "in=attached line=9")
    header, body = parts("X: 1", "Subject: discard", lines=lines)
    assert send(world, "x", body, header).startswith("250")
    assert not world.mta.queue() and world.mta.messages("bob@domain1.com") == []


def test_sendmail(world):
    """Local users' mail is checked as well."""
    def submit(subject):
        return world.mta.sendmail("-f", "u@else.test", "bob@domain1.com", stdin=f"Subject: {subject}\n\nx\n")

    refused = submit("status")
    assert refused.returncode != 0 and "With a status of its own" in refused.stderr
    later = submit("later today")
    assert later.returncode == 75 and "Not now: today" in later.stderr, later.stderr
    for subject in ("discard", "warn", "mark by hand", "redirect"):
        done = submit(subject)
        assert done.returncode == 0, subject + done.stderr
    texts = [message.raw for message in world.mta.wait_messages("bob@domain1.com", 2)]
    assert any(b"X-Mark: by hand\n" in text.replace(b"\r\n", b"\n") for text in texts)
    world.mta.wait_messages("alice@domain1.com", 1)
    world.mta.wait_queue_empty()
    assert submit("hold").returncode == 0
    assert "to be looked at" in held(world)[1]


def test_changes_take_effect_on_save(world):
    """At the next message of a connection that is there already; and a mistake changes nothing."""
    def try_it(client):
        client.command("MAIL FROM:<s@else.test>", "250")
        client.command("RCPT TO:<bob@domain1.com>", "250")
        client.command("DATA", "354")
        client.send(b"Subject: new\r\n\r\nx\r\n.\r\n")
        return int(client.read_reply().code)

    with RawClient("127.0.0.1", world.mta.port) as client:
        client.hello()
        assert try_it(client) == 250
        world.rules.write_text(RULES + "/^Subject: new/ REJECT\n")
        time.sleep(0.3)  # a file is looked at five times a second
        assert try_it(client) == 550
        world.rules.write_text(RULES + "/^Subject: new/ REJECT\n/(/ OK\n/x/ REJCT\n")
        time.sleep(0.3)
        assert try_it(client) == 550
    number = RULES.count("\n") + 2
    log_has(world, f"checks:{number}: the pattern is wrong at its octet 2")
    log_has(world, f"checks:{number + 1}: REJCT: expected REJECT, DISCARD, HOLD")
    log_has(world, "header checks: their previous version stays in force")
    check = world.mta.command("check")
    assert check.returncode == 78 and f"checks:{number}: " in check.stdout and f"checks:{number + 1}: " in check.stdout
    world.rules.write_text(RULES)
    wait_for(lambda: send(world, "new").startswith("250"), 5, "the old rules in force again")


def test_a_pattern_without_end(world):
    """It counts as no match, the log names it, nobody waits for it, and the message is held."""
    world.rules.write_text("/^Subject: (a|aa)+$/ REJECT\n/^X-Last:/ REJECT\n")
    time.sleep(0.3)
    began = time.monotonic()
    assert send(world, "a" * 500 + "!").startswith("250")
    assert send(world, "a" * 500 + "!", header=b"X-Last: 1\r\n").startswith("550")
    assert time.monotonic() - began < 2 * patience()
    log_has(world, "rule=header-checks", "checks:1: the pattern reached its limit in line 1")
    shown = wait_for(lambda: world.mta.command("queue", "list").stdout, 5, "the message in the queue")
    assert "held" in shown


def manual_rules():
    """The rules among the examples of the manual page."""
    text = (TOP / "doc" / "postrider-header-checks.5").read_text()
    text = text[text.index(".Sh EXAMPLES"):text.index(".Sh DIAGNOSTICS")]
    blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", text, re.S | re.M)
    return "".join(blocks).replace("\\e", "\\")


def test_manual(world):
    """What the manual page says against ILOVEYOU, Sircam and Nimda."""
    rules = manual_rules()
    assert rules.count("REJECT") == 4 and rules.count("DISCARD") == 1
    world.rules.write_text(rules)
    time.sleep(0.3)
    assert send(world, "ILOVEYOU").startswith("550 5.7.1 This subject is that of a virus")
    header, body = parts("Content-Type: text/plain", 'Content-Type: application/octet-stream;\r\n\tname="LOVE-LETTER-FOR-YOU.TXT.vbs"')
    assert send(world, "x", body, header).startswith("550 5.7.1 Scripts are not taken here")
    header, body = parts('Content-Disposition: attachment;\r\n filename="plans.doc.pif"')
    assert send(world, "plans", body, header).startswith("550 5.7.1 A program that calls itself a document: .doc.pif")
    nimda = b'Content-Type: multipart/related;\r\n\ttype="multipart/alternative";\r\n\tboundary="====_ABC1234567890DEF_===="\r\n'
    assert send(world, "x", header=nimda).startswith("550 5.7.1 This message has the boundary of a virus")
    header, body = parts('Content-Type: audio/x-wav;\r\n\tname="readme.exe"')
    assert send(world, "x", body, header).startswith("250")
    log_has(world, "action=DISCARD", "readme.exe")
    assert send(world, "x", header=b"List-Unsubscribe: <x>\r\n").startswith("250")
    assert b"X-Newsletter: yes" in world.mta.wait_messages("bob@domain1.com", 1)[0].raw


def test_wrong_from_the_start(tmp_path):
    """A file that cannot be used is no start; one that goes away later leaves its rules in force."""
    path = tmp_path / "checks"
    os.chmod(tmp_path, 0o755)
    path.write_text("/x/\n")
    world = World(**{"header-checks": str(path)})
    try:
        with pytest.raises(AssertionError, match="checks:1: expected REJECT"):
            world.start()
        path.write_text("/^Subject: x/ REJECT\n")
        world.start()
        assert send(world, "x").startswith("550")
        path.unlink()
        time.sleep(0.3)
        assert send(world, "x").startswith("550")
        log_has(world, "checks: does not exist")
    finally:
        world.close()


def test_reload(world):
    """Files that the configuration names or does not name any more."""
    def configure(path):
        world.mta.settings["header-checks"] = path
        world.mta.write_config()
        assert world.mta.command("reload").returncode == 0

    other = world.rules.with_name("other")
    other.write_text("/^Subject: other/ REJECT\n")
    assert send(world, "reject").startswith("550")
    configure(None)
    wait_for(lambda: send(world, "reject").startswith("250"), 5, "no rules")
    configure(str(other))
    # Until both processes have their settings a client may be told to come back.
    wait_for(lambda: "other" in world.mta.log() and send_or_wait(world, "other").startswith("550"), 5, "other rules")
    assert send(world, "reject").startswith("250")


def send_or_wait(world, subject):
    try:
        return send(world, subject)
    except AssertionError:
        return "451"


def test_restarted_processes_check_as_well(world):
    assert send(world, "reject").startswith("550")
    for name in ("smtpd", "directory"):
        before = world.mta.pids(name)
        for pid in before:
            os.kill(pid, 9)
        wait_for(lambda: len(set(world.mta.pids(name)) - set(before)) == len(before), 10, f"another {name}")
        for _ in range(4):
            said = wait_for(lambda: (said := send_or_wait(world, "reject")) != "451" and said, 10, "an answer")
            assert said.startswith("550"), name


def test_files_that_others_may_write(world):
    """They are not believed."""
    world.rules.write_text("/^Subject: fine/ REJECT\n")
    world.rules.chmod(0o666)
    time.sleep(0.3)
    assert send(world, "fine").startswith("250") and send(world, "reject").startswith("550")
    log_has(world, "checks: is writable by everybody")
    world.rules.chmod(0o644)
    wait_for(lambda: send(world, "fine").startswith("550"), 5, "the new rules")


def test_sample(world):
    """The sample file that is installed."""
    world.rules.write_text((TOP / "conf" / "header-checks.sample").read_text())
    assert world.mta.command("check").returncode == 0
    time.sleep(0.3)
    header, body = parts('Content-Disposition: attachment; filename="a.exe"')
    assert send(world, "x", body, header).startswith("550 5.7.1 Programs are not taken here (.exe)")
    header, body = parts("Content-Disposition: attachment;\r\n filename*=utf-8''a.pdf%2ehtm")
    assert send(world, "x", body, header).startswith("250")
    assert "a name with two extensions" in held(world)[1]
    assert send(world, "x", header=b"List-Id: x\r\n").startswith("250")
    assert b"X-Bulk: yes" in world.mta.wait_messages("bob@domain1.com", 1)[0].raw


def test_without_rules_nothing_is_checked():
    world = World()
    try:
        world.start()
        with smtplib.SMTP("127.0.0.1", world.mta.port, timeout=10) as client:
            client.sendmail("s@else.test", ["bob@domain1.com"], b"Subject: reject\r\n\r\nx\r\n")
        world.mta.wait_messages("bob@domain1.com", 1)
        assert "header-checks" not in world.mta.log()
    finally:
        world.close()


def explain(world, message, *more):
    """What `postrider explain --header-file` says of a message that lies where only root can read it."""
    path = world.mta.root / "message"
    path.write_bytes(message)
    path.chmod(0o600)
    return world.mta.command("explain", "--header-file", str(path), *more)


MIXED = (b"Received: from x\r\n\tby y\r\nSubject: dunno\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
         b"Subject: hold\r\nX: =?utf-8?q?x?=\r\n\r\nx\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?mark=20it?=\r\n\r\n--b--\r\n")


def test_explain(world):
    """Every field with its line, and the rule that decides; the same that a session would get."""
    done = explain(world, MIXED)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    rules = world.rules
    assert lines[0][-1] == "accepted" and "held: to be looked at" in done.stdout and "on top: X-Mark: it" in done.stdout
    assert ["1", "message", "-", "-", "Received:", "from", "x", "by", "y"] in lines
    assert ["3", "message", f"{rules}:11", "DUNNO", "Subject:", "dunno"] in lines
    assert ["7", "part", f"{rules}:6", "HOLD", "Subject:", "hold"] in lines
    assert ["14", "attached", f"{rules}:8", "PREPEND", "Subject:", "=?utf-8?q?mark=20it?="] in lines
    refused = explain(world, MIXED.replace(b"hold", b"later today"))
    assert refused.returncode == 75 and "451 4.7.1 Not now: today" in refused.stdout
    assert "attached" not in refused.stdout
    refused = explain(world, b"Subject: reject\n\n")
    assert refused.returncode == 67 and "refused: 550 5.7.1" in refused.stdout
    assert explain(world, b"Subject: redirect\n\n").stdout.splitlines()[1] == "redirected: alice@domain1.com"
    assert explain(world, b"Subject: discard\n\n").stdout.splitlines()[0].endswith(": discarded")
    for args in (["--header-file", "/nowhere"], ["--header-file", str(rules), "bob@domain1.com"]):
        assert world.mta.command("explain", *args).returncode in (64, 66)


def test_explain_json(world):
    answer = json.loads(explain(world, MIXED, "--json").stdout)
    assert answer["outcome"] == "accepted" and answer["hold"] == "to be looked at" and answer["prepend"] == ["X-Mark: it"]
    fields = {field["line"]: field for field in answer["fields"]}
    assert fields[1] == {"line": 1, "in": "message", "field": "Received: from x\tby y"}
    assert fields[14] == {"line": 14, "in": "attached", "field": "Subject: =?utf-8?q?mark=20it?=", "decoded": True,
                          "rule": f"{world.rules}:8", "action": "PREPEND", "text": "X-Mark: it"}
    answer = json.loads(explain(world, b"Subject: status\n\n", "--json").stdout)
    assert answer["outcome"] == "refused" and answer["code"] == 550 and answer["status"] == "5.6.0"


def test_explain_and_session_agree(world):
    """The rules in force count, not what the file says by mistake since."""
    world.rules.write_text("/^Subject: new/ REJECT\n/(/\n")
    time.sleep(0.3)
    for subject in ("reject", "discard", "fine", "new", "dunno", "status", "later x"):
        said = send(world, subject)
        told = explain(world, f"Subject: {subject}\r\n\r\nx\r\n".encode()).stdout.splitlines()[0]
        assert said.startswith("2") == told.endswith(("accepted", "discarded")), (said, told)
        assert said.startswith("2") or told.endswith(said)
