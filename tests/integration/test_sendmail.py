"""The sendmail command: what programs that call it rely on."""

import os
import shutil
import signal
import subprocess

import pytest

from lib.instance import BIN
from lib.waiting import wait_for

LETTER = "From: Some One <someone@domain1.com>\nTo: Bob <bob@domain1.com>\nSubject: letter\n\nhello\n"
EX_USAGE, EX_NOUSER, EX_UNAVAILABLE, EX_TEMPFAIL = 64, 67, 69, 75


def test_recipients_on_the_command_line(mta):
    done = mta.sendmail("-i", "bob@domain1.com", "bob@domain2.com", stdin="Subject: x\n\nhello\n")
    assert done.returncode == 0, done.stderr
    for domain in ("domain1.com", "domain2.com"):
        one = mta.wait_messages(f"bob@{domain}")[0]
        assert one["Subject"] == "x" and one.body == b"hello\n"


def test_header_is_completed(mta):
    mta.sendmail("-i", "-F", "Full Name", "-f", "alice@domain1.com", "bob@domain1.com", stdin="Subject: x\n\nhello\n")
    one = mta.wait_messages("bob@domain1.com")[0]
    assert one["Return-Path"] == "<alice@domain1.com>"
    assert "Full Name" in one["From"] and "alice@domain1.com" in one["From"]
    assert one["Date"] and one["Message-ID"]


def test_existing_header_fields_stay(mta):
    fields = "From: A <a@domain1.com>\nDate: Mon, 01 Jan 2024 00:00:00 +0000\nMessage-ID: <own@domain1.com>\n"
    mta.sendmail("-i", "bob@domain1.com", stdin=fields + "Subject: x\n\nhello\n")
    one = mta.wait_messages("bob@domain1.com")[0]
    assert fields.encode() in one.raw
    assert one.raw.count(b"\nDate:") == 1 and one.raw.count(b"\nMessage-ID:") == 1


def test_dash_t_takes_recipients_from_the_header(mta):
    mta.add_domain("c.example", ["cc", "bcc"])
    letter = LETTER.replace("Subject:", "Cc: cc@c.example\nBcc: bcc@c.example,\n hidden@domain1.com\nSubject:")
    mta.domains.add_user("domain1.com", "hidden")
    wait_for(lambda: mta.sendmail("-t", "-i", stdin=letter).returncode == 0, 3, "acceptance of all recipients")
    for address in ("bob@domain1.com", "cc@c.example", "bcc@c.example", "hidden@domain1.com"):
        one = wait_for(lambda: mta.messages(address), 10, address)[0]
        assert b"bcc" not in one.raw.partition(b"Received:")[2].lower().replace(b"for <bcc@c.example>", b"")
        assert one["Cc"] == "cc@c.example"


def test_dash_t_without_recipients(mta):
    done = mta.sendmail("-t", stdin="Subject: nobody\n\nhello\n")
    assert done.returncode in (EX_USAGE, 65), done.stderr
    assert done.stderr
    assert mta.queue() == []


def test_dot_ends_the_message_without_dash_i(mta):
    mta.sendmail("bob@domain1.com", stdin="Subject: x\n\nfirst\n.\nsecond\n")
    assert mta.wait_messages("bob@domain1.com")[0].body == b"first\n"


@pytest.mark.parametrize("option", ["-i", "-oi"])
def test_dot_is_content_with_dash_i(mta, option):
    mta.sendmail(option, "bob@domain1.com", stdin="Subject: x\n\nfirst\n.\nsecond\n")
    assert mta.wait_messages("bob@domain1.com")[0].body == b"first\n.\nsecond\n"


def test_crlf_input_becomes_lines(mta):
    mta.sendmail("-i", "bob@domain1.com", stdin="Subject: x\r\n\r\nfirst\r\nsecond\r\n")
    assert mta.wait_messages("bob@domain1.com")[0].body == b"first\nsecond\n"


def test_bare_cr_cannot_smuggle(make_world):
    """The sink records any bare CR or LF as a violation, which fails the tear-down."""
    world = make_world()
    sink = world.sink("remote.test")
    mta = world.start()
    done = mta.sendmail("-i", "-f", "bob@domain1.com", "x@remote.test",
                        stdin=b"Subject: x\n\na\r.\rMAIL FROM:<evil@evil.test>\rb\n\r.\r\nc\n")
    if done.returncode == 0:
        assert len(sink.wait(1)) == 1
    mta.wait_queue_empty()
    assert len(sink.messages) <= 1


@pytest.mark.parametrize("options", [["-bm"], ["-oem"], ["-odb"], ["-odq"], ["-oee"], ["-v"], ["-N", "never"],
                                     ["-V", "envid123"], ["-r", "alice@domain1.com"], ["-em"], ["-B", "8BITMIME"],
                                     ["-O", "DeliveryMode=b"], ["-U"], ["-m"], ["-h", "3"]])
def test_options_of_callers_are_accepted(mta, options):
    done = mta.sendmail(*options, "-i", "bob@domain1.com", stdin="Subject: x\n\nhello\n")
    assert done.returncode == 0, done.stderr
    mta.wait_messages("bob@domain1.com")


@pytest.mark.parametrize("options", [["-X", "{root}/opened"], ["-oQ{root}/opened"], ["-be"], ["-bd"], ["-D{root}/opened"], ["-C", "{root}/opened"],
                                     ["-OLogFile={root}/opened"], ["-bz"]])
def test_options_that_name_files_open_none(mta, options):
    """Accepted and ignored, or refused: never a file opened at the caller's word (CVE-2016-10033)."""
    mta.sendmail(*[one.format(root=mta.root) for one in options], "-i", "bob@domain1.com", stdin="Subject: x\n\nhi\n")
    assert not (mta.root / "opened").exists()


@pytest.mark.parametrize("address", ["a\nb@domain1.com", "a\rb@domain1.com", "<bob@domain1.com>\nDATA", "x" * 10000])
def test_injection_by_address_is_refused(mta, address):
    assert mta.sendmail("-i", address, stdin="Subject: x\n\nhello\n").returncode in (64, 65, 67, 68)
    assert mta.sendmail("-i", "-f", address, "bob@domain1.com", stdin="Subject: x\n\nhello\n").returncode in (64, 65)
    assert mta.queue() == [] and not mta.domains.all_files()


def test_unknown_user_is_said_at_once(mta):
    done = mta.sendmail("-i", "nobody@domain1.com", stdin="Subject: x\n\nhello\n")
    assert done.returncode == EX_NOUSER, done.stderr
    assert "nobody@domain1.com" in done.stderr


def test_usage_error(mta):
    assert mta.sendmail(stdin="hello\n").returncode == EX_USAGE


def test_null_sender(mta):
    mta.sendmail("-i", "-f", "<>", "bob@domain1.com", stdin="Subject: x\n\nhello\n")
    assert mta.wait_messages("bob@domain1.com")[0]["Return-Path"] == "<>"


def test_empty_input_and_no_header(mta):
    mta.sendmail("bob@domain1.com", stdin="")
    mta.sendmail("bob@domain2.com", stdin="just text, no header\n")
    mta.wait_messages("bob@domain1.com")
    assert mta.wait_messages("bob@domain2.com")[0].body == b"just text, no header\n"


def test_large_message(mta):
    body = b"0123456789abcdef\n" * 200000
    mta.sendmail("-i", "bob@domain1.com", stdin=b"Subject: x\n\n" + body, timeout=30)
    assert mta.wait_messages("bob@domain1.com")[0].body == body


def test_bs_speaks_smtp_on_standard_input(mta):
    """As mail readers drive it: a command, then its reply."""
    with subprocess.Popen(["sendmail", "-bs"], executable=str(BIN / "sendmail"), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, env=mta.environment(POSTRIDER_CONFIG=str(mta.conf))) as process:
        codes = []
        for line in ("", "EHLO here", "MAIL FROM:<alice@domain1.com>", "RCPT TO:<bob@domain1.com>", "DATA",
                     "Subject: bs\r\n\r\n..hello\r\n.", "QUIT"):
            if line:
                process.stdin.write(line.encode() + b"\r\n")
                process.stdin.flush()
            while (reply := process.stdout.readline())[3:4] == b"-":
                pass
            codes.append(reply[:3].decode())
        process.stdin.close()
        assert process.wait(5) == 0
    assert codes == ["220", "250", "250", "250", "354", "250", "221"]
    one = mta.wait_messages("bob@domain1.com")[0]
    assert (one["Subject"], one.body) == ("bs", b".hello\n")


def test_drop_while_the_daemon_is_down(mta):
    """sendmail says 0, the daemon takes it in when it is back."""
    assert mta.stop() == 0
    for number in range(3):
        done = mta.sendmail("-i", "-f", "alice@domain1.com", "bob@domain1.com", stdin=f"Subject: {number}\n\nhello\n")
        assert done.returncode == 0, done.stderr
    drop = mta.spool / "drop"
    assert len(list(drop.iterdir())) == 3
    mta.start_again()
    found = mta.wait_messages("bob@domain1.com", 3)
    assert sorted(one["Subject"] for one in found) == ["0", "1", "2"]
    assert {one["Return-Path"] for one in found} == {"<alice@domain1.com>"}
    wait_for(lambda: not list(drop.iterdir()), 5, "an empty drop directory")


def test_hostile_files_in_drop_are_not_followed(mta):
    """A link, a pipe and rubbish in drop/ deliver nothing and stop nothing."""
    secret = mta.root / "secret"
    secret.write_text("drop 1\nrcpt=bob@domain1.com\nsize=3\n\nxyz")
    secret.chmod(0o600)
    assert mta.stop() == 0
    drop = mta.spool / "drop"
    os.symlink(secret, drop / ("a" * 24 + ".msg"))
    os.link(secret, drop / ("b" * 24 + ".msg"))
    os.mkfifo(drop / ("c" * 24 + ".msg"))
    (drop / ("d" * 24 + ".msg")).write_bytes(os.urandom(5000))
    assert mta.sendmail("-i", "bob@domain1.com", stdin="Subject: good\n\nhello\n").returncode == 0
    mta.start_again()
    assert mta.wait_messages("bob@domain1.com")[0]["Subject"] == "good"
    assert secret.read_text().endswith("xyz")


@pytest.mark.parametrize("name", ["mailq"])
def test_mailq_by_name(make_world, name):
    world = make_world(retry=["300s"])
    world.sink("remote.test", script={"RCPT": "450 4.2.1 later"})
    mta = world.start()
    empty = mta.sendmail(name=name)
    assert empty.returncode == 0 and "empty" in empty.stdout.lower()
    mta.send("bob@domain1.com", "x@remote.test", "Subject: x\r\n\r\nhello\r\n")
    wait_for(lambda: mta.queue()[0]["recipients"][0]["state"] == "deferred", 10, "deferral")
    for done in (mta.sendmail(name=name), mta.sendmail("-bp")):
        assert done.returncode == 0
        assert "x@remote.test" in done.stdout and "bob@domain1.com" in done.stdout and "later" in done.stdout


def test_newaliases_by_name(mta):
    assert mta.sendmail(name="newaliases").returncode == 0


def test_queue_run_now(make_world):
    """sendmail -q: what waits is tried now."""
    world = make_world(retry=["300s"])
    sink = world.sink("remote.test", script={"RCPT": "450 4.2.1 later"})
    mta = world.start()
    mta.send("bob@domain1.com", "x@remote.test", "Subject: x\r\n\r\nhello\r\n")
    wait_for(lambda: mta.queue()[0]["recipients"][0]["state"] == "deferred", 10, "deferral")
    sink.script.clear()
    assert mta.sendmail("-q").returncode == 0
    sink.wait(1, timeout=5)


@pytest.mark.root
@pytest.mark.skipif(not shutil.which("setpriv"), reason="setpriv is not installed")
def test_submitter_is_known_by_uid(mta):
    """An ordinary user submits over the socket; the log names the uid, and nothing is set-id."""
    done = mta.sendmail("-i", "bob@domain1.com", stdin="Subject: x\n\nhello\n", user=65534, group=65534, extra_groups=[])
    assert done.returncode == 0, done.stderr
    mta.wait_messages("bob@domain1.com")
    mta.wait_log(r"65534")


@pytest.mark.root
def test_drop_by_an_ordinary_user(mta):
    assert mta.stop() == 0
    done = mta.sendmail("-i", "-f", "alice@domain1.com", "bob@domain1.com", stdin="Subject: x\n\nhello\n", user=65534,
                        group=65534, extra_groups=[])
    assert done.returncode == 0, done.stderr
    assert (mta.spool / "drop").stat().st_mode & 0o7777 == 0o3733
    mta.start_again()
    mta.wait_messages("bob@domain1.com")


def test_interrupted_caller_submits_nothing(mta):
    """Input that ends by a signal is no message."""
    process = subprocess.Popen([str(BIN / "sendmail"), "-i", "bob@domain1.com"], stdin=subprocess.PIPE,
                               env=mta.environment(POSTRIDER_CONFIG=str(mta.conf)))
    process.stdin.write(b"Subject: half\n\nhalf a mess")
    process.stdin.flush()
    process.send_signal(signal.SIGTERM)
    process.wait(5)
    process.stdin.close()
    mta.send("s@else.test", "bob@domain1.com", "Subject: whole\r\n\r\nx\r\n")
    assert mta.wait_messages("bob@domain1.com")[0]["Subject"] == "whole"
