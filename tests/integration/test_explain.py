"""`postrider explain` against what happens: for a random sample of clients, names, senders, recipients and logins the
reply of a live session is the verdict explained, the rule in the log its rule, and the mail goes where it says."""

import base64
import json
import os
import random
import re

import pytest

from lib.certificates import make_certificate
from lib.instance import Instance, Listener
from lib.smtp_raw import RawClient
from lib.waiting import wait_for

SEED = int(os.environ.get("POSTRIDER_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
PAIRS = 400

TABLE = """Connect:127.0.0.9\tRELAY
Connect:127.0.0.8\tREJECT
Connect:127.0.0.7\tERROR:4.7.1:450 Come back later
Connect:127.0.0.6\tQUARANTINE:a strange network
Connect:127.0.0.5\tDISCARD
Connect:127.0.0.4\tOK
From:spammer@else.test\tREJECT
From:offers@\t550 We want no offers
From:strange.test\tQUARANTINE:strange senders are looked at
From:noise.test\tDISCARD
From:later.test\tERROR:4.7.1:451 Later, please
To:gone@domain1.com\t550 5.1.6 Has left us
To:bob@domain2.com\tDISCARD
To:friends.test\tRELAY
"""
ALIASES = """sales: bob, alice
team: sales, far@elsewhere.test
loop: pool
pool: loop
prog: |/bin/true
outside: x@far.test
half: bob, ghost
"""
CLIENTS = [f"127.0.0.{last}" for last in range(1, 11)] + ["127.0.1.1", "127.0.1.77"]
NAMES = ["c.test", "[127.0.0.1]", "bad name", "c_test", "x" * 300, "localhost", "-", "[not an address]"]
SENDERS = ["", "s@else.test", "spammer@else.test", "offers@anywhere.test", "a@strange.test", "a@noise.test", "a@later.test",
           "a@sub.noise.test", "bob@domain1.com", "Sales@Domain1.com", "alice@domain1.com", "bob+tag@domain1.com", "bob",
           "a b@c.test", "a@b@c.test", "@", '"quoted one"@else.test', "a@[127.0.0.1]", "a" * 70 + "@else.test",
           "@r.test:s@else.test"]
RECIPIENTS = ["bob@domain1.com", "ALICE@Domain1.COM", "bob+x@domain1.com", "nobody@domain1.com", "nobody+x@domain1.com",
              "sales@domain1.com", "team@domain1.com", "loop@domain1.com", "prog@domain1.com", "outside@domain1.com",
              "gone@domain1.com", "bob@domain2.com", "anything@domain2.com", "postmaster", "Postmaster@domain1.com",
              "x@friends.test", "x@sub.friends.test", "x@backup.test", "x@other.test", "x@linked.test", "bob@linked.test",
              "x@broken.test", "x@[127.0.0.1]", "", "bob", "bob@", "a b@c.test", "bob@domain1.com>", "x@domain1.com.other.test",
              "x%other.test@domain1.com", '"bob"@domain1.com', "bob@domain1..com", "@r.test:bob@domain1.com"]
LOGINS = [None, None, None, "", "bob@domain1.com", "alice@domain1.com", "BOB@Domain1.COM"]


@pytest.fixture(name="mta", scope="module")
def fixture_mta():
    mta = Instance(listeners=[Listener(), Listener(role="submission", tls="implicit")], settings={
        "relay-from": ["127.0.1.0/24"], "relay-domains": ["backup.test"], "auth-failure-limit": 1000})
    try:
        table = mta.root / "access"
        table.write_text(TABLE)
        table.chmod(0o644)
        mta.settings["access"] = str(table)
        mta.certificate = make_certificate(mta.root)
        mta.add_domain("domain1.com", ["bob", "alice"], aliases=ALIASES, password="s3cret")
        mta.add_domain("domain2.com", ["bob", "sink"], conf='catch-all = "sink"\n')
        mta.add_domain("broken.test", ["eve"], conf="catch-al = sink\n")
        mta.add_domain("xn--bcher-kva.test", ["müller"], password="s3cret")
        mta.add_domain("locked.test", ["carol"])
        passwd = mta.domains.root / "locked.test/etc/passwd"
        passwd.write_text(re.sub("^carol:[^:]*", "carol:!", passwd.read_text()))
        (mta.domains.root / "linked.test").symlink_to("domain1.com")
        mta.start()
        with mta:
            yield mta
    finally:
        mta.destroy()


def draw(dice):
    """One case; most parts of it are good, so that the later ones matter too."""
    case = {"client": dice.choice(CLIENTS), "login": dice.choice(LOGINS),
            "helo": "c.test" if dice.random() < 0.8 else dice.choice(NAMES),
            "from": dice.choice(SENDERS), "rcpt": dice.choice(RECIPIENTS)}
    if dice.random() < 0.5:
        case["client"] = dice.choice(["127.0.0.1", "127.0.1.1", "127.0.0.4"])
    if dice.random() < 0.5:
        case["from"] = case["login"] or "s@else.test"
    return case


def converse(mta, case, finish=False):
    """The session's last reply, at the first command that is refused, else at RCPT (finish: at the end of the mail)."""
    submission = case["login"] is not None
    port = mta.listeners[1 if submission else 0].port
    with RawClient("127.0.0.1", port, source=case["client"]) as client:
        if submission:
            client.start_tls()
        commands = [f"EHLO {case['helo']}", f"MAIL FROM:<{case['from']}>", f"RCPT TO:<{case['rcpt']}>"]
        if not (case["from"] + case["rcpt"]).isascii():
            commands[1] += " SMTPUTF8"
        if case["login"]:
            secret = f"\0{case['login']}\0s3cret".encode()
            commands.insert(1, "AUTH PLAIN " + base64.b64encode(secret).decode())
        reply = client.read_reply()
        for command in commands:
            if reply.code[0] != "2":
                break
            reply = client.command(command)
        if reply.code[0] == "2" and finish:
            client.command("DATA", "354")
            reply = client.command("Subject: x\r\n\r\nx\r\n.", "250")
        return reply


def explain(mta, case):
    args = ["explain", "--client", case["client"], "--helo", case["helo"], "--from", case["from"], "--rcpt", case["rcpt"]]
    if case["login"] is not None:
        args += ["--role", "submission"]
    if case["login"]:
        args += ["--auth", case["login"]]
    done = mta.command("--json", *args)
    assert done.returncode in (0, 67, 75), (case, done)
    return json.loads(done.stdout)


def last_rule(mta, before):
    """The rule of the one refusal logged since."""
    found = re.findall(r"(?:refused=(?!AUTH)\S+|login failed) .*?rule=(\S*)", mta.log()[before:])
    assert len(found) <= 1, found
    return found[0] if found else None


def check(mta, case):
    told = explain(mta, case)
    before = len(mta.log())
    reply = converse(mta, case)
    if told["code"] >= 400:
        wait_for(lambda: last_rule(mta, before), 5, f"a refusal in the log: {case} {told} {reply}")
    rule = last_rule(mta, before)
    assert reply.text == f"{told['status']} {told['text']}" and reply.code == str(told["code"]), (SEED, case, told, reply)
    assert rule == (told["rule"] if told["code"] >= 400 else None), (SEED, case, told, rule)
    assert (told["action"] in ("reject", "defer")) == (told["code"] >= 400), (SEED, case, told)
    assert bool(told["targets"]) == (told["action"] in ("deliver", "quarantine")), (SEED, case, told)
    assert all(step["stage"] for step in told["steps"]), told
    return told


def test_explains_what_sessions_hear(mta):
    dice = random.Random(SEED)
    rules, actions, tried = {}, {}, set()
    print(f"seed {SEED} (POSTRIDER_SEED)")
    while len(tried) < PAIRS:
        case = draw(dice)
        if tuple(case.values()) in tried:
            continue
        tried.add(tuple(case.values()))
        told = check(mta, case)
        rules[told["rule"]] = rules.get(told["rule"], 0) + 1
        actions[told["action"]] = actions.get(told["action"], 0) + 1
    print(rules, actions)
    # What the dice hit often; the rare ones are in the table below.
    assert {"access-table", "relay-denied", "no-such-user", "hosted"} <= set(rules), (SEED, rules)
    assert {"deliver", "reject", "defer"} <= set(actions), (SEED, actions)


@pytest.mark.parametrize("case, rule, action", [
    (("127.0.0.1", None, "c.test", "s@else.test", "bob@domain1.com"), "hosted", "deliver"),
    (("127.0.1.1", None, "c.test", "s@else.test", "x@other.test"), "relay-from", "deliver"),
    (("127.0.0.1", None, "c.test", "s@else.test", "x@backup.test"), "relay-domains", "deliver"),
    (("127.0.0.9", None, "c.test", "s@else.test", "x@other.test"), "access-table", "deliver"),
    (("127.0.0.1", None, "c.test", "s@else.test", "x@friends.test"), "access-table", "deliver"),
    (("127.0.0.1", None, "c.test", "a@strange.test", "bob@domain1.com"), "hosted", "quarantine"),
    (("127.0.0.1", None, "c.test", "a@noise.test", "bob@domain1.com"), "hosted", "discard"),
    (("127.0.0.1", None, "c.test", "s@else.test", "bob@domain2.com"), "access-table", "discard"),
    (("127.0.0.1", None, "c.test", "a@noise.test", "nobody@domain1.com"), "hosted", "discard"),
    (("127.0.0.1", None, "c.test", "a@noise.test", "x@other.test"), "relay-denied", "reject"),
    (("127.0.0.1", "bob@domain1.com", "c.test", "sales@domain1.com", "x@other.test"), "login", "deliver"),
    (("127.0.0.1", "bob@domain1.com", "c.test", "alice@domain1.com", "x@other.test"), "sender-not-yours", "reject"),
    (("127.0.0.1", "", "c.test", "s@else.test", "bob@domain1.com"), "login-required", "reject"),
    (("127.0.0.1", "müller@bücher.test", "c.test", "müller@bücher.test", "x@other.test"), "login", "deliver"),
    (("127.0.0.1", "müller@XN--BCHER-KVA.test", "c.test", "müller@bücher.test", "x@other.test"), "login", "deliver"),
    (("127.0.0.1", "BOB@DOMAIN1.COM", "c.test", "bob@domain1.com", "x@other.test"), "login", "deliver"),
    (("127.0.0.1", "bob@linked.test", "c.test", "bob@domain1.com", "x@other.test"), "login", "deliver"),
    (("127.0.0.1", "BOB@DOMAIN1.COM", "c.test", "alice@domain1.com", "x@other.test"), "sender-not-yours", "reject"),
    (("127.0.0.1", "bob@nowhere.test", "c.test", "bob@nowhere.test", "bob@domain1.com"), "login-failed", "reject"),
    (("127.0.0.1", "nobody@domain1.com", "c.test", "s@else.test", "bob@domain1.com"), "login-failed", "reject"),
    (("127.0.0.1", "bob+x@domain1.com", "c.test", "bob@domain1.com", "bob@domain1.com"), "login-failed", "reject"),
    (("127.0.0.1", "carol@locked.test", "c.test", "carol@locked.test", "bob@domain1.com"), "login-failed", "reject"),
    (("127.0.0.1", "bob", "c.test", "bob@domain1.com", "bob@domain1.com"), "login-failed", "reject"),
    (("127.0.0.1", "b b@c", "c.test", "bob@domain1.com", "bob@domain1.com"), "login-failed", "reject"),
    (("127.0.0.1", "eve@broken.test", "c.test", "eve@broken.test", "bob@domain1.com"), "cannot-tell", "defer"),
    (("127.0.0.8", None, "c.test", "s@else.test", "bob@domain1.com"), "access-table", "reject"),
    (("127.0.0.7", None, "c.test", "s@else.test", "bob@domain1.com"), "access-table", "defer"),
    (("127.0.0.1", None, "bad name", "s@else.test", "bob@domain1.com"), "helo-name", "reject"),
    (("127.0.0.1", None, "c.test", "bad", "bob@domain1.com"), "sender-syntax", "reject"),
    (("127.0.0.1", None, "c.test", "s@else.test", "bad"), "recipient-syntax", "reject"),
    (("127.0.0.1", None, "c.test", "s@else.test", "loop@domain1.com"), "alias-loop", "reject"),
    (("127.0.0.1", None, "c.test", "s@else.test", "x@[127.0.0.1]"), "address-literal", "reject"),
    (("127.0.0.1", None, "c.test", "s@else.test", "x@broken.test"), "cannot-tell", "defer"),
])
def test_each_rule(mta, case, rule, action):
    told = check(mta, dict(zip(("client", "login", "helo", "from", "rcpt"), case)))
    assert (told["rule"], told["action"]) == (rule, action), told


def test_steps_name_what_was_looked_at(mta):
    case = {"client": "127.0.0.1", "login": None, "helo": "c.test", "from": "s@else.test", "rcpt": "team+x@linked.test"}
    steps = [(step["stage"], step["what"], step["where"], step["outcome"]) for step in explain(mta, case)["steps"]]
    root = mta.domains.root
    for wanted in (("connect", "access table", str(mta.root / "access"), "nothing about this client"),
                   ("mail", "access table", str(mta.root / "access"), "nothing about this sender"),
                   ("rcpt", "domains", str(root), "linked.test is an alias of domain1.com (symbolic link)"),
                   ("rcpt", "alias", f"{root}/domain1.com/etc/aliases:2", "team is an alias"),
                   ("targets", "user", f"{root}/domain1.com/etc/passwd:2", "alice is a user")):
        assert wanted in steps, (wanted, steps)
    case["rcpt"] = "x@other.test"
    steps = [(step["stage"], step["what"], step["where"]) for step in explain(mta, case)["steps"]]
    assert ("rcpt", "relay-from", str(mta.conf)) in steps and ("rcpt", "relay-domains", str(mta.conf)) in steps, steps


@pytest.mark.parametrize("account, what, where, outcome", [
    ("BOB@linked.test", "user", "domain1.com/etc/passwd:1", "bob@domain1.com is a user with a password"),
    ("bob@nowhere.test", "domains", "", "nowhere.test is not hosted here: nobody can log in as bob@nowhere.test"),
    ("nobody@domain1.com", "user", "domain1.com/etc/passwd", "there is no user nobody: nobody can log in as nobody@domain1.com"),
    ("carol@locked.test", "user", "locked.test/etc/passwd:1",
     "the password of carol is locked, or of no known form: nobody can log in as carol@locked.test"),
])
def test_steps_name_the_account(mta, account, what, where, outcome):
    case = {"client": "127.0.0.1", "login": account, "helo": "c.test", "from": "", "rcpt": "bob@domain1.com"}
    steps = explain(mta, case)["steps"]
    at = f"{mta.domains.root}/{where}".rstrip("/")
    assert {"stage": "auth", "what": what, "where": at, "outcome": outcome} in steps, steps


def test_a_login_without_a_domain(mta):
    case = {"client": "127.0.0.1", "login": "bob", "helo": "c.test", "from": "bob@domain1.com", "rcpt": "x@other.test"}
    steps = explain(mta, case)["steps"]
    assert {"stage": "auth", "what": "auth-domain", "where": str(mta.conf),
            "outcome": "is not set, so that bob is nobody: a whole address is wanted"} in steps, steps
    mta.settings["auth-domain"] = "domain1.com"
    try:
        mta.write_config()
        assert mta.command("reload").returncode == 0
        assert check(mta, case)["rule"] == "login"
    finally:
        del mta.settings["auth-domain"]
        mta.write_config()
        assert mta.command("reload").returncode == 0


def test_a_target_that_goes_nowhere(mta):
    """Of an alias to somebody and to nobody, as the queue deals with it: one copy arrives, one bounces."""
    told = json.loads(mta.command("--json", "explain", "half@domain1.com").stdout)
    assert [(t["target"], t["address"]) for t in told["targets"]] == [
        ("mailbox", "bob@domain1.com"), ("failure", "ghost@domain1.com")], told
    outcomes = [step["outcome"] for step in told["steps"]]
    assert not any(said.startswith("ghost@domain1.com goes to") for said in outcomes), outcomes
    assert "ghost@domain1.com goes nowhere: the sender is told" in outcomes, outcomes
    before = {user: len(mta.messages(user)) for user in ("bob@domain1.com", "alice@domain1.com")}
    mta.send("alice@domain1.com", ["half@domain1.com"], "Subject: half\r\n\r\nx\r\n")
    mta.wait_messages("bob@domain1.com", before["bob@domain1.com"] + 1)
    mta.wait_messages("alice@domain1.com", before["alice@domain1.com"] + 1)
    reports = [path.read_text() for path in mta.domains.files("alice@domain1.com")]
    assert any("ghost@domain1.com" in one and "5.1.1" in one for one in reports), reports


def test_mail_goes_where_it_says(mta):
    before = {user: len(mta.messages(user)) for user in ("bob@domain1.com", "alice@domain1.com", "sink@domain2.com")}
    for rcpt in ("sales@domain1.com", "whoever@domain2.com", "bob+x@linked.test"):
        case = {"client": "127.0.0.1", "login": None, "helo": "c.test", "from": "s@else.test", "rcpt": rcpt}
        for target in explain(mta, case)["targets"]:
            assert target["target"] == "mailbox"
            before[target["address"]] += 1
        converse(mta, case, finish=True)
    for user, count in before.items():
        mta.wait_messages(user, count)
    assert before["bob@domain1.com"] >= 2


def test_wants_one_recipient(mta):
    for args in ([], ["a@b.test", "--rcpt", "c@d.test"], ["--rcpt", "a@b.test", "--auth", "x@y.test"],
                 ["a@b.test", "--from", "c@d.test"], ["a@b.test", "--from", "nonsense"],
                 ["--rcpt", "a@b.test", "--client", "127.0.0.1", "--role", "submit"],
                 ["--rcpt", "a@b.test", "--client", "127.0.0.1", "--header-from", "c@d.test"]):
        assert mta.command("explain", *args).returncode == 64, args


@pytest.mark.parametrize("client", ["here", "192.0.2", "[::1", "[]", "", "192.0.2.1:25", "[192.0.2.1]:25", "127.0.0.1 "])
def test_client_is_an_address(mta, client):
    done = mta.command("explain", "--client", client, "--rcpt", "bob@domain1.com")
    assert done.returncode == 64 and done.stdout == "" and len(done.stderr.splitlines()) == 1, done
    assert f"--client {client}" in done.stderr


@pytest.mark.parametrize("client", ["[::1]", "::1", "[127.0.0.1]", "::ffff:127.0.0.1"])
def test_client_in_brackets(mta, client):
    done = mta.command("explain", "--client", client, "--rcpt", "bob@domain1.com")
    assert done.returncode == 0 and "rule: hosted" in done.stdout, done


@pytest.mark.parametrize("sender, code", [("<>", 250), ("<s@else.test>", 250), ("<spammer@else.test>", 550), ("<a><b>", 501),
                                          ("<a", 501), ("<s@else.test> SIZE=1", 501)])
def test_sender_in_brackets(mta, sender, code):
    told = json.loads(mta.command("--json", "explain", "--client", "127.0.0.1", "--from", sender, "--rcpt",
                                  "<bob@domain1.com>").stdout)
    assert told["code"] == code, told
    if code == 250:
        assert {"stage": "mail", "what": "", "where": "", "outcome": f"sender {sender}"} in told["steps"], told
