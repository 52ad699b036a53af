"""Aliases, catch-all, subaddresses, and the precedence between them."""

import pytest

from lib.smtp_raw import RawClient
from lib.waiting import wait_for

MESSAGE = "From: <s@else.test>\r\nSubject: alias\r\n\r\nhello\r\n"


def send(mta, *recipients, sender="s@else.test"):
    assert mta.send(sender, list(recipients), MESSAGE) == {}


def code(mta, address):
    with RawClient("127.0.0.1", mta.port) as client:
        client.hello()
        client.command("MAIL FROM:<s@else.test>", "250")
        return client.command(f"RCPT TO:<{address}>").code


def test_alias_to_a_user(mta):
    mta.add_domain("a.example", ["anna"], aliases="sales: anna\n")
    send(mta, "sales@a.example")
    one = mta.wait_messages("anna@a.example")[0]
    assert one["Delivered-To"]


def test_alias_to_several_and_elsewhere(make_world):
    world = make_world()
    sink = world.sink("remote.test")
    world.mta.add_domain("a.example", ["anna", "bert"], aliases="team: anna, bert,\n\tbob@domain1.com, x@remote.test\n")
    mta = world.start()
    send(mta, "team@a.example")
    for address in ("anna@a.example", "bert@a.example", "bob@domain1.com"):
        mta.wait_messages(address)
    assert sink.wait(1)[0].recipients == ["x@remote.test"]
    mta.wait_queue_empty()


def test_alias_of_an_alias_and_comments(mta):
    mta.add_domain("a.example", ["anna"], aliases="# comment\none: two\n\ntwo: three\nthree:\tanna # end\n")
    send(mta, "one@a.example")
    mta.wait_messages("anna@a.example")


def test_alias_loop_is_bounded_and_hurts_nobody_else(mta):
    mta.add_domain("a.example", ["anna"], aliases="x: y\ny: x\nok: anna\n")
    assert code(mta, "x@a.example")[0] in "25"
    send(mta, "ok@a.example")
    mta.wait_messages("anna@a.example")


def test_alias_including_itself_delivers_to_the_mailbox(mta):
    """The usual `anna: anna, bob@elsewhere`: keep a copy and send one on."""
    mta.add_domain("a.example", ["anna"], aliases="anna: anna, bob@domain1.com\n")
    send(mta, "anna@a.example")
    mta.wait_messages("anna@a.example")
    mta.wait_messages("bob@domain1.com")


def test_same_target_twice_gets_one_copy(mta):
    mta.add_domain("a.example", ["anna"], aliases="x: anna, y\ny: anna\n")
    send(mta, "x@a.example")
    mta.wait_messages("anna@a.example")
    mta.wait_queue_empty()
    assert len(mta.messages("anna@a.example")) == 1


def test_catch_all(mta):
    mta.add_domain("a.example", ["anna", "rest"], conf='catch-all = "rest"\n')
    send(mta, "whatever@a.example")
    mta.wait_messages("rest@a.example")
    send(mta, "anna@a.example")
    mta.wait_messages("anna@a.example")
    assert len(mta.messages("rest@a.example")) == 1


def test_no_catch_all_by_default(mta):
    mta.add_domain("a.example", ["anna"])
    assert code(mta, "whatever@a.example") == "550"


@pytest.mark.parametrize("address", ["anna+x", "anna+x+y", "ANNA+Tag", "anna+"])
def test_subaddress(mta, address):
    mta.add_domain("a.example", ["anna"])
    send(mta, f"{address}@a.example")
    mta.wait_messages("anna@a.example")


def test_subaddress_of_nobody(mta):
    mta.add_domain("a.example", ["anna"])
    assert code(mta, "nobody+x@a.example") == "550"


def test_precedence(mta):
    """Exact user or alias first, then the subaddress's base, then the catch-all."""
    mta.add_domain("a.example", ["anna", "anna+exact", "rest", "bert"], conf='catch-all = "rest"\n',
                   aliases="anna+alias: bert\nlist: bert\n")
    wanted = {"anna+exact": "anna+exact", "anna+alias": "bert", "anna+other": "anna", "list+x": "bert",
              "other+x": "rest"}
    for address in wanted:
        send(mta, f"{address}@a.example")
    mta.wait_queue_empty()
    for mailbox in ("anna+exact", "anna", "rest"):
        assert len(mta.messages(f"{mailbox}@a.example")) == 1, mailbox
    assert len(mta.messages("bert@a.example")) == 2


def test_alias_file_change_counts_at_once(mta):
    mta.add_domain("a.example", ["anna"], aliases="")
    assert code(mta, "news@a.example") == "550"
    mta.domains.rewrite("a.example", "aliases", "news: anna\n")
    wait_for(lambda: code(mta, "news@a.example") == "250", 2, "the new alias")


def test_bad_alias_line_keeps_the_others(mta):
    mta.add_domain("a.example", ["anna"], aliases="good: anna\nno colon here\nalso: anna\n")
    for address in ("good@a.example", "also@a.example"):
        send(mta, address)
    mta.wait_messages("anna@a.example", 2)
    mta.wait_log(r"a\.example/etc/aliases:2:")


def test_postmaster_without_mailbox(mta):
    """RFC 5321 4.5.1: mail for postmaster of a hosted domain is taken."""
    mta.add_domain("a.example", ["anna"], aliases="postmaster: anna\n")
    send(mta, "Postmaster@a.example")
    mta.wait_messages("anna@a.example")


def test_explain_names_the_steps(mta):
    """`postrider explain` says what decides, with file and line."""
    mta.add_domain("a.example", ["anna"], aliases="# first\nsales: anna\n")
    done = mta.command("explain", "sales+x@a.example")
    assert done.returncode == 0, done.stderr
    assert "etc/aliases:2" in done.stdout and "anna@a.example" in done.stdout
    missing = mta.command("explain", "nobody@a.example")
    assert "5.1.1" in missing.stdout
    answer = mta.json("explain", "sales@a.example")
    assert "anna@a.example" in str(answer)
