"""Domain directories: what is written there counts for the next RCPT, and an error hides nobody else."""

import json
import os
import re
import subprocess

import pytest

from lib.instance import BIN
from lib.smtp_raw import RawClient
from lib.waiting import wait_for

MESSAGE = "From: <s@else.test>\r\nSubject: domain\r\n\r\nhello\r\n"


def rcpt(mta, address):
    """The reply to RCPT for `address`."""
    with RawClient("127.0.0.1", mta.port) as client:
        client.hello()
        client.command("MAIL FROM:<s@else.test>", "250")
        return client.command(f"RCPT TO:<{address}>")


def becomes(mta, address, code, timeout=2.0):
    wait_for(lambda: rcpt(mta, address).code == code, timeout, f"{code} for {address}")


def test_new_domain_counts_at_once(mta):
    assert rcpt(mta, "anna@new.example").code == "550"
    mta.add_domain("new.example", ["anna"])
    becomes(mta, "anna@new.example", "250")
    mta.send("s@else.test", "anna@new.example", MESSAGE)
    mta.wait_messages("anna@new.example")


def test_new_user_counts_at_once(mta):
    assert rcpt(mta, "carl@domain1.com").code == "550"
    mta.domains.add_user("domain1.com", "carl")
    becomes(mta, "carl@domain1.com", "250")
    mta.send("s@else.test", "carl@domain1.com", MESSAGE)
    mta.wait_messages("carl@domain1.com")


def test_user_appended_in_place(mta):
    """As `echo >> passwd` does it, without a new file."""
    rcpt(mta, "dora@domain1.com")
    with open(mta.domains.root / "domain1.com/etc/passwd", "a", encoding="utf-8") as passwd:
        passwd.write(mta.domains.passwd_line("domain1.com", "dora"))
    becomes(mta, "dora@domain1.com", "250")


def test_removed_user_and_domain_are_refused(mta):
    assert rcpt(mta, "bob@domain1.com").code == "250"
    text = mta.domains.read("domain1.com", "passwd")
    mta.domains.rewrite("domain1.com", "passwd", "".join(
        line for line in text.splitlines(True) if not line.startswith("bob:")))
    becomes(mta, "bob@domain1.com", "550")
    assert rcpt(mta, "alice@domain1.com").code == "250"
    (mta.domains.root / "domain2.com").rename(mta.domains.root.parent / "gone")
    becomes(mta, "bob@domain2.com", "550")


def test_mail_for_a_user_removed_meanwhile_is_bounced(make_world):
    """Accepted while the user was there, undeliverable now: the sender hears of it."""
    world = make_world(retry=["1s"])
    mta = world.start()
    home = mta.domains.root / "domain2.com/home"
    home.rename(home.with_name("away"))
    home.write_text("in the way\n")
    mta.send("bob@domain1.com", "bob@domain2.com", MESSAGE)
    wait_for(lambda: [one for one in mta.queue() if one["recipients"][0]["state"] == "deferred"], 10, "deferral")
    mta.domains.rewrite("domain2.com", "passwd", "")
    mta.wait_messages("bob@domain1.com")
    mta.wait_queue_empty()


def test_symbolic_link_is_a_domain_alias(mta):
    os.symlink("domain1.com", mta.domains.root / "alias.example")
    becomes(mta, "bob@alias.example", "250")
    mta.send("s@else.test", "bob@alias.example", MESSAGE)
    assert b"hello" in mta.wait_messages("bob@domain1.com")[0].body
    assert rcpt(mta, "nobody@alias.example").enhanced == "5.1.1"


def test_symbolic_link_out_of_the_root_is_no_domain(mta):
    outside = mta.root / "outside"
    (outside / "etc").mkdir(parents=True)
    (outside / "etc/passwd").write_text(mta.domains.passwd_line("x", "bob"))
    os.symlink(outside, mta.domains.root / "out.example")
    assert rcpt(mta, "bob@out.example").code[0] in "45"


def test_bad_passwd_line_is_reported_and_hides_nobody(mta):
    good = mta.domains.passwd_line("domain1.com", "erna")
    text = mta.domains.read("domain1.com", "passwd")
    number = text.count("\n") + 1
    mta.domains.rewrite("domain1.com", "passwd", text + "this line has no colons\n" + good)
    becomes(mta, "erna@domain1.com", "250")
    assert rcpt(mta, "bob@domain1.com").code == "250"
    place = re.escape(str(mta.domains.root / "domain1.com/etc/passwd")) + f":{number}:"
    mta.wait_log(place)
    done = mta.command("check")
    assert re.search(place, done.stdout + done.stderr), done.stdout + done.stderr
    assert done.returncode != 0


@pytest.mark.parametrize("line", [
    "x:y:0:0::/home/x:",              # the superuser's mailbox
    "../x:y:::::",                    # a user name that is a path
    "x:y::::/home/../../etc:",        # a home outside the domain
    "x:y:::X:/../../../etc:",
    ":y:::::",
    "x:y:-1:1::/home/x:",
    "x:y:99999999999:1::/home/x:",
    "\x01x:y:::::",
])
def test_hostile_passwd_lines(mta, line):
    text = mta.domains.read("domain1.com", "passwd")
    number = text.count("\n") + 1
    mta.domains.rewrite("domain1.com", "passwd", text + line + "\n" + mta.domains.passwd_line("domain1.com", "fritz"))
    becomes(mta, "fritz@domain1.com", "250")
    assert rcpt(mta, "x@domain1.com").code != "250"
    mta.wait_log(f"passwd:{number}:")


def test_file_writable_by_others_is_refused_with_the_reason(mta):
    mta.add_domain("open.example", ["gina"])
    path = mta.domains.root / "open.example/etc/passwd"
    path.chmod(0o666)
    assert rcpt(mta, "gina@open.example").code[0] in "45"
    found = mta.wait_log(r"[^\n]*open\.example/etc/passwd[^\n]*")
    assert "writable" in mta.log()[found[0].start():]
    path.chmod(0o644)
    becomes(mta, "gina@open.example", "250")


def test_strangers_are_not_told_about_files(mta):
    """What is wrong with a domain's files is for the log and for explain; the client hears that it may try again."""
    mta.add_domain("open.example", ["gina"])
    mta.add_domain("bad.example", ["gina"], conf="nonsense = 1\n")
    (mta.domains.root / "open.example/etc/passwd").chmod(0o666)
    for address in ("gina@open.example", "gina@bad.example"):
        reply = rcpt(mta, address)
        assert reply.code == "451" and "etc/" not in reply.text, reply
        assert "etc/" in mta.command("explain", address).stdout


def test_passwd_that_vanishes_and_returns(mta):
    path = mta.domains.root / "domain1.com/etc/passwd"
    assert rcpt(mta, "bob@domain1.com").code == "250"
    path.rename(path.with_name("passwd.away"))
    wait_for(lambda: rcpt(mta, "bob@domain1.com").code[0] in "45", 2, "no users without passwd")
    path.with_name("passwd.away").rename(path)
    becomes(mta, "bob@domain1.com", "250")


def test_many_changes_in_a_row(mta):
    for number in range(30):
        mta.domains.add_user("domain2.com", f"user{number}")
        becomes(mta, f"user{number}@domain2.com", "250")


def test_dovecot_passwd_line(mta):
    """{SCHEME} in front of the hash, as Dovecot's passwd-file has it."""
    mta.domains.rewrite("domain2.com", "passwd", mta.domains.read("domain2.com", "passwd")
                        + "hans:{SSHA512}abc:::::::userdb_mail=maildir:~/Maildir\n")
    becomes(mta, "hans@domain2.com", "250")


def test_postrider_domain_and_user_add(mta):
    """The commands make what mkdir and an editor make, effective at once."""
    assert mta.command("domain", "add", "third.example").returncode == 0
    assert "third.example" in mta.command("domain", "list").stdout.split()
    done = mta.command("user", "add", "ines@third.example", stdin="secret one\n")
    assert done.returncode == 0, done.stderr
    becomes(mta, "ines@third.example", "250")
    mta.send("s@else.test", "ines@third.example", MESSAGE)
    mta.wait_messages("ines@third.example")
    line = mta.domains.read("third.example", "passwd").splitlines()[0]
    assert line.startswith("ines:") and "secret one" not in line
    assert mta.command("user", "passwd", "ines@third.example", stdin="secret two\n").returncode == 0
    changed = mta.domains.read("third.example", "passwd").splitlines()
    assert len(changed) == 1 and changed[0] != line and changed[0].startswith("ines:")
    assert mta.command("user", "add", "ines@third.example", stdin="x\n").returncode != 0
    assert mta.command("domain", "add", "third.example").returncode != 0
    assert mta.command("domain", "add", "../evil").returncode != 0
    assert mta.command("user", "add", "../../x@third.example", stdin="x\n").returncode != 0


@pytest.mark.parametrize("args, status, words", [
    (["domain", "add", "no domain"], 64, "expected a domain name"),
    (["domain", "add", "domain1.com"], 73, "exists already"),
    (["user", "add", "bob"], 64, "expected an address user@domain"),
    (["user", "quota", "bob"], 64, "expected an address user@domain"),
    # Before anybody types a password for it.
    (["user", "add", "bob@domain1.com"], 73, "exists already"),
    (["user", "add", "bob@gone.example"], 73, "not hosted here"),
    (["user", "passwd", "gone@domain1.com"], 73, "gone@domain1.com"),
    (["user", "passwd", "bob@domain1.com"], 66, "password"),
])
def test_what_is_wrong_with_a_change_is_told_first(mta, args, status, words):
    done = mta.command(*args, stdin="")
    assert done.returncode == status and len(done.stderr.splitlines()) == 1 and words in done.stderr, done


def test_user_list(mta):
    rule = "userdb_quota_rule=*:storage="
    mta.add_domain("third.example", conf="quota = 10M\n")
    mta.domains.rewrite("third.example", "passwd", "\n".join([
        "zoe:$6$a$b", "# nobody", "bob:!", f"carl:{{PLAIN}}x::::::{rule}1M", f"anna:{{FOO}}y::::::{rule}0", ""]))
    os.symlink("third.example", mta.domains.root / "alias.example")
    wanted = [("zoe", 1, True, False, 10 << 20, False), ("bob", 3, False, False, 10 << 20, False),
              ("carl", 4, True, True, 1 << 20, True), ("anna", 5, False, False, None, True)]
    for name in ("third.example", "ALIAS.example"):
        assert mta.json("user", "list", name) == {"users": [
            {"address": f"{user}@third.example", "line": line, "login": login, "scram": scram, "quota": quota, "own": own}
            for user, line, login, scram, quota, own in wanted]}
    lines = [line.split() for line in mta.command("user", "list", "third.example").stdout.splitlines()]
    assert lines[0] == ["USER", "LOGIN", "QUOTA"] and lines[1] == "zoe@third.example yes 10.0 MiB the domain's".split(), lines
    assert lines[4] == "anna@third.example no none the user's own".split(), lines
    for name, status in (("gone.example", 66), ("no domain", 64)):
        done = mta.command("user", "list", name)
        assert done.returncode == status and done.stdout == "" and name in done.stderr, done


def test_check_of_a_good_configuration(mta):
    done = subprocess.run([str(BIN / "postrider"), "-c", str(mta.conf), "check"], capture_output=True, text=True,
                          timeout=10, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_line_of_domain_list_ends_in_a_blank(mta):
    lines = mta.command("domain", "list").stdout.splitlines()
    assert len(lines) >= 3 and [line for line in lines if line != line.rstrip()] == []


def test_explain_tells_each_step_once(mta):
    mta.domains.rewrite("domain1.com", "aliases", "far: x@far.test\n")
    becomes(mta, "far@domain1.com", "250")
    for address in ("x@far.test", "far@domain1.com", "nobody@domain1.com", "bob@domain1.com"):
        steps = json.loads(mta.command("--json", "explain", address, "--client", "127.0.0.1").stdout)["steps"]
        told = {(step["where"], step["outcome"]) for step in steps}
        assert len(steps) >= 2 and len(told) == len(steps), (address, steps)


def test_explain_names_the_line_that_has_a_domain_wait(mta):
    mta.add_domain("third.example", ["bob"], conf='catch-all = "bob"\nquota = 5GB\n')
    assert rcpt(mta, "bob@third.example").code == "451"
    told = mta.command("explain", "bob@third.example")
    assert told.returncode == 75 and "third.example/etc/domain.conf: cannot be parsed: look at line 2\n" in told.stdout, told


def problems(mta):
    done = mta.command("--json", "check")
    found = json.loads(done.stdout)["problems"]
    assert done.returncode == (78 if found else 0)
    return found


def test_check_of_named_domains_tells_nothing_of_others(mta):
    mta.add_domain("third.example", ["bob"], aliases="x: gone\n")
    mta.add_domain("fourth.example", ["bob"], aliases="y: gone\nz: bob@third.example\n")
    mta.add_domain("fourth.example.org", ["bob"], conf="no-such-key = 1\n")
    os.symlink("fourth.example", mta.domains.root / "alias.example")
    assert len(problems(mta)) == 3
    for names, wanted in ((["fourth.example"], ["fourth.example/etc/aliases:1: gone"]),
                          (["ALIAS.example"], ["fourth.example/etc/aliases:1: gone"]),
                          (["third.example", "fourth.example"], ["third.example/etc/aliases:1: gone", "fourth.example/etc/aliases:1: gone"]),
                          (["domain1.com"], [])):
        done = mta.command("check", *names)
        lines = done.stdout.splitlines()
        assert done.returncode == (78 if wanted else 0), done
        assert len(lines) == max(1, len(wanted)), lines
        assert all(line.startswith(f"{mta.domains.root}/{words}") for line, words in zip(lines, wanted)), lines
    for names, status in ((["gone.example"], 66), (["no domain"], 64), ([".."], 64)):
        done = mta.command("check", *names)
        assert (done.returncode, done.stdout) == (status, "") and names[0] in done.stderr, done


@pytest.mark.root
def test_the_owner_of_a_domain_needs_nothing_of_others(mta):
    """Neither the files of other domains nor what postrider.conf names must be readable for who looks after one domain."""
    (mta.root / "key.pem").write_text("private\n")
    (mta.root / "key.pem").chmod(0o600)
    mta.conf.write_text(f'tls {{ certificate = "{mta.root}/key.pem"  key = "{mta.root}/key.pem" }}\n' + mta.conf.read_text())
    mta.conf.chmod(0o644)
    mta.add_domain("third.example", ["bob"], aliases="all: bob, bob@domain1.com, gone\n")
    owner = mta.domains.owners["third.example"]
    for path in (mta.domains.root / "domain1.com/etc").iterdir():
        path.chmod(0o600)

    def run(*args, text=""):
        return subprocess.run([str(BIN / "postrider"), "-c", str(mta.conf), *args], capture_output=True, text=True, input=text,
                              timeout=10, user=owner, group=owner, extra_groups=[], check=False)
    assert "key.pem" in run("check").stdout
    done = run("check", "third.example")
    assert done.returncode == 78 and len(done.stdout.splitlines()) == 1, done
    assert done.stdout.startswith(f"{mta.domains.root}/third.example/etc/aliases:1: gone"), done
    assert run("user", "add", "gone@third.example", "--stdin", text="a secret\n").returncode == 0
    assert run("user", "quota", "gone@third.example", "5M").returncode == 0
    done = run("check", "third.example")
    assert done.returncode == 0, done
    assert run("user", "passwd", "bob@domain1.com", "--locked").returncode != 0


@pytest.mark.parametrize("conf", ['catch-all = "nobody-here"\n', 'catch-all = "gone@domain2.com"\n'])
def test_check_finds_a_catch_all_that_leads_nowhere(mta, conf):
    mta.add_domain("third.example", ["bob"], conf=conf)
    assert rcpt(mta, "anything@third.example").code == "451"
    found = problems(mta)
    assert len(found) == 1, found
    assert found[0].startswith(str(mta.domains.root / "third.example/etc/domain.conf:1: ")) and "catch-all" in found[0]


def test_check_finds_aliases_that_are_put_off(mta):
    mta.add_domain("third.example", ["bob"], aliases="list: :include:/nonexistent\nother: bob\n")
    assert rcpt(mta, "list@third.example").code == "451"
    found = problems(mta)
    assert len(found) == 1 and "third.example/etc/aliases:1: " in found[0], found


def test_check_finds_aliases_that_lead_nowhere(mta):
    """Each target by itself, also in lists; loops; and nothing about those that are right."""
    mta.add_domain("third.example", ["bob"], aliases=(
        "half: bob,\n gone@domain2.com\n"
        "one: two\n"
        "two: one\n"
        "list: :include:staff\n"
        "mine: \\mine, bob\n"
        "self: self, bob\n"
        "bob: bob, someone@remote.test, half\n"
        "sub: bob+tag\n"
        "postmaster: nobody\n"))
    (mta.domains.root / "third.example/etc/staff").write_text("bob\n\nbert\n")
    root = mta.domains.root / "third.example/etc"
    found = problems(mta)
    wanted = [("aliases:1", "half@third.example leads back to itself beside other targets"), ("aliases:2", "gone@domain2.com"),
              ("aliases:8", "bob@third.example leads back to itself beside other targets"), ("aliases:3", "leads back to itself"), ("aliases:4", "leads back to itself"),
              ("staff:3", "bert@third.example"), ("aliases:6", "mine@third.example"), ("aliases:7", "self@third.example"),
              ("aliases:10", "nobody@third.example")]
    for place, words in wanted:
        assert [line for line in found if line.startswith(f"{root}/{place}: ") and words in line], (place, found)
    assert len(found) == len(wanted), found


def test_check_tells_each_problem_once_and_in_order(mta):
    """Of a line both who read the file and the resolver have something to say."""
    mta.add_domain("third.example", ["bob"], aliases=(
        "round: bob, about\nprog: bob, |/bin/true\nlist: :include:gone\nabout: bob, round\nno colon here\nall: round, bob\n"))
    found = [line.removeprefix(str(mta.domains.root / "third.example/etc/aliases:")) for line in problems(mta)]
    assert [line.split(":")[0] for line in found] == ["1", "2", "3", "4", "5"], found
    for line, words in zip(found, ("round@third.example leads back", "|/bin/true: programs", "gone: does not exist",
                                   "about@third.example leads back", "found no colon")):
        assert words in line, found


def test_check_names_the_key_of_a_file_that_is_not_there(mta):
    text = mta.conf.read_text()
    mta.conf.write_text(f'access = "{mta.root}/acces"\nheader-checks = "{mta.root}/check"\n' + text)
    done = mta.command("check")
    assert done.returncode == 78
    assert f"{mta.conf}:1: access = {mta.root}/acces: does not exist" in done.stdout, done
    assert f"{mta.conf}:2: header-checks = {mta.root}/check: does not exist" in done.stdout, done


def test_check_finds_a_quota_that_does_not_count(mta):
    rule = "userdb_quota_rule=*:storage="
    mta.domains.rewrite("domain2.com", "passwd", f"a:!::::::{rule}5G\nb:!:::::{rule}5G\nc:!::::::{rule}5GB\n")
    found = problems(mta)
    assert len(found) == 2, found
    assert "passwd:2: user b: userdb_quota_rule does not count where it stands" in found[0], found
    assert f"passwd:3: user c has no quota of his own: {rule}5GB: expected" in found[1], found


def test_check_lets_the_catch_all_take_targets(mta):
    mta.add_domain("third.example", ["bob"], conf='catch-all = "bob"\n', aliases="x: nobody, bob\ny: y\n")
    assert problems(mta) == []


def test_check_finds_a_postmaster_that_leads_nowhere(mta):
    text = mta.conf.read_text()
    mta.conf.write_text('postmaster = "gone@domain2.com"\n' + text)
    found = problems(mta)
    assert len(found) == 1 and found[0].startswith(str(mta.conf)), found
    assert "postmaster gone@domain2.com goes nowhere" in found[0]


def test_check_finds_an_auth_domain_that_is_not_hosted(mta):
    text = mta.conf.read_text()
    mta.conf.write_text("auth-domain = gone.example\n" + text)
    found = problems(mta)
    assert len(found) == 1 and "auth-domain = gone.example: is not hosted here" in found[0], found
    mta.conf.write_text("auth-domain = domain2.com\n" + text)
    assert problems(mta) == []


def test_check_finds_a_domain_without_anybody_for_its_postmaster(mta):
    mta.add_domain("third.example", [], aliases="x: bob@domain1.com\n")
    assert rcpt(mta, "postmaster@third.example").code == "451"
    assert any("third.example" in line and "postmaster" in line for line in problems(mta))


@pytest.mark.root
def test_check_finds_a_domain_that_belongs_to_root(mta):
    mta.add_domain("third.example", ["bob", "erna"])
    for path in [mta.domains.root / "third.example", *(mta.domains.root / "third.example").rglob("*")]:
        os.chown(path, 0, 0)
    assert rcpt(mta, "bob@third.example").code == "451"
    found = problems(mta)
    assert len(found) == 1 and "third.example belongs to root" in found[0], found


@pytest.mark.root
def test_check_finds_a_uid_that_a_domain_may_not_give(mta):
    mta.add_domain("third.example", ["bob"])
    mta.domains.rewrite("third.example", "passwd", "bob:x:4711:4711:::\nerna:x:::::\n")
    assert rcpt(mta, "bob@third.example").code == "451" and rcpt(mta, "erna@third.example").code == "250"
    found = problems(mta)
    assert len(found) == 1 and "third.example/etc/passwd:1: " in found[0] and "root" in found[0], found


def test_check_finds_names_that_no_mail_is_taken_for(mta):
    root = mta.domains.root
    (root / "Upper.test").mkdir()
    (root / "empty.test").mkdir()
    os.symlink("gone.test", root / "lost.test")
    found = problems(mta)
    for name, text in [("Upper.test", "upper.test"), ("empty.test", "passwd: does not exist"), ("lost.test", "gone.test")]:
        assert any(name in line and text in line for line in found), (name, found)
    assert len(found) == 3, found
