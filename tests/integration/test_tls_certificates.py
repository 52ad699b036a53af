"""Which certificate a client gets: for each domain, of two kinds, from new files, and after a reload."""

import os
import re
import shutil
import time

import pytest

from lib.certificates import client_context, fingerprint, make_certificate
from lib.secured import s_client
from lib.smtp_raw import RawClient
from lib.waiting import wait_for

MESSAGE = "Subject: inside\r\n\r\nhello\r\n"


def test_a_certificate_for_each_domain(make_secured):
    secured = make_secured()
    mta = secured.mta
    mta.add_domain("domain3.com", ["bob"])
    (mta.domains.root / "alias.com").symlink_to("domain1.com")
    own = make_certificate(mta.root, "domain1.com", "one", names=("mail.domain1.com", "*.pop.domain1.com", "alias.com"))
    secured.domain_certificate("domain1.com", own)
    secured.start()
    main = fingerprint(mta.certificate[0])
    for name, want in ((None, main), ("mx.test", main), ("domain1.com", own[0]), ("mail.domain1.com", own[0]),
                       ("a.pop.domain1.com", own[0]), ("alias.com", own[0]), ("other.domain1.com", main),
                       ("domain2.com", main), ("domain3.com", main), ("nowhere.test", main), ("DOMAIN1.com", own[0])):
        assert secured.shown(name) == (want if want == main else fingerprint(want)), name
    with mta.smtp() as client:
        client._host = "mail.domain1.com"  # what smtplib gives as SNI
        client.starttls(context=client_context())
        client.sendmail("a@else.test", "bob@domain1.com", MESSAGE)
    assert b"sni=mail.domain1.com)" in mta.wait_messages("bob@domain1.com")[0].raw


RSA_ALONE = ["-sigalgs", "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA+SHA256"]
ECDSA_ALONE = ["-sigalgs", "ECDSA+SHA256:ECDSA+SHA384"]


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_two_kinds_of_key(make_secured, version):
    """Of RSA and ECDSA for one name a client gets what it knows; a domain's own two as well."""
    secured = make_secured()
    mta = secured.mta
    second = make_certificate(mta.root, stem="second", kind="rsa")
    render = mta.render
    mta.render = lambda: render().replace("tls { ", f'tls {{ second-certificate = "{second[0]}"  second-key = "{second[1]}"  ')
    own = {kind: make_certificate(mta.root, "domain1.com", f"one-{kind}", kind=kind) for kind in ("rsa", "ec")}
    secured.domain_certificate("domain1.com", own["rsa"])
    secured.domain_certificate("domain1.com", own["ec"], prefix="second-")
    secured.start()
    done = mta.command("check")
    assert done.returncode == 0, done.stdout

    def kind(*args):
        text = s_client(secured, version, *args)
        assert "221 2.0.0" in text, text
        return re.search(r"Peer signature type: (.*)", text)[1], text

    for name in ([], ["-servername", "domain1.com"]):
        assert kind(*name)[0] == "ECDSA"
        assert kind(*name, *ECDSA_ALONE)[0] == "ECDSA"
        assert kind(*name, *RSA_ALONE)[0] == "RSA-PSS"
    certificate = re.search(r"-----BEGIN.*?-----END CERTIFICATE-----\n", kind("-servername", "domain1.com", *RSA_ALONE)[1], re.S)[0]
    assert certificate.strip() in open(own["rsa"][0], encoding="ascii").read()
    # Two of one kind: the second is not used, and `check` says so.
    secured.domain_certificate("domain1.com", make_certificate(mta.root, "domain1.com", "again", kind="rsa"), prefix="second-")
    done = mta.command("check")
    assert done.returncode != 0 and "second-certificate.pem: its key is of the kind RSA, as that of" in done.stdout, done


def test_new_files_without_a_reload(secured):
    """This host's and a domain's; a pair that does not fit leaves the one before, and the log says so once."""
    mta = secured.mta
    first, second = mta.certificate, make_certificate(mta.root, stem="second")
    assert secured.shown() == fingerprint(first[0])
    stolen = make_certificate(mta.root, stem="third")
    old = fingerprint(first[0])
    shutil.copy(second[0], mta.root / "new")
    os.rename(mta.root / "new", first[0])  # the certificate is there, its key is not yet
    assert secured.shown() == old
    time.sleep(1.2)
    for _ in range(3):
        assert secured.shown() == old
    wrong = rf"{re.escape(first[1])}: does not belong to the certificate .*; the pair before stays in force"
    assert len(mta.wait_log(wrong)) == 1
    shutil.copy(second[1], mta.root / "new")
    os.chmod(mta.root / "new", 0o600)
    os.rename(mta.root / "new", first[1])
    wait_for(lambda: secured.shown() == fingerprint(second[0]), 3, "the new certificate")

    secured.domain_certificate("domain1.com", make_certificate(mta.root, "domain1.com", "d1"))
    wait_for(lambda: secured.shown("domain1.com") == fingerprint(str(mta.root / "d1.pem")), 3, "the domain's certificate")
    secured.domain_certificate("domain1.com", (str(mta.root / "d1.pem"), stolen[1]))
    time.sleep(1.2)
    assert secured.shown("domain1.com") == fingerprint(str(mta.root / "d1.pem"))
    mta.wait_log(r"domain1\.com/etc/tls/key\.pem: does not belong to the certificate")
    (mta.domains.root / "domain1.com/etc/tls/key.pem").chmod(0o644)
    time.sleep(1.2)
    assert secured.shown("domain1.com") == fingerprint(str(mta.root / "d1.pem"))
    mta.wait_log(r"domain1\.com/etc/tls/key\.pem: may be read by others")
    shutil.rmtree(mta.domains.root / "domain1.com/etc/tls")
    wait_for(lambda: secured.shown("domain1.com") == fingerprint(second[0]), 3, "this host's certificate")
    done = mta.command("check")
    assert done.returncode == 0, done.stdout


def test_check_tells_before_a_client_does(secured):
    mta = secured.mta
    secured.domain_certificate("domain1.com", make_certificate(mta.root, "elsewhere.test", "d1"))
    done = mta.command("check")
    assert done.returncode != 0
    assert re.search(r"domain1\.com/etc/tls/certificate\.pem: is a certificate neither for domain1\.com nor", done.stdout)
    os.chmod(mta.certificate[1], 0o640)
    done = mta.command("check")
    assert re.search(r"postrider\.conf:\d+: key = .*: may be read by others \(mode 0640\)", done.stdout), done.stdout


# --- reload ---

def test_listeners_change_by_reload(secured):
    mta = secured.mta

    def offered():
        with RawClient("127.0.0.1", mta.port) as client:
            return "STARTTLS" in client.hello().keywords()

    def reload():
        before = mta.log().count("reloaded: ")
        mta.write_config()
        mta.reload()
        wait_for(lambda: mta.log().count("reloaded: ") > before, 10, "the reload")

    assert offered()
    mta.listeners[0].tls = "none"
    reload()
    wait_for(lambda: not offered(), 5, "no STARTTLS")
    certificate, mta.certificate = mta.certificate, None
    mta.listeners[0].tls = None
    mta.write_config()
    mta.reload()
    mta.wait_log(r"tls = implicit needs tls \{ certificate")
    mta.listeners[1].tls = None
    mta.write_config()
    mta.reload()
    wait_for(lambda: not offered(), 5, "no STARTTLS without a certificate")
    mta.certificate = certificate
    mta.listeners[1].tls = "implicit"
    mta.write_config()
    mta.reload()
    wait_for(offered, 5, "STARTTLS again")
    wait_for(lambda: secured.shown() == fingerprint(certificate[0]), 5, "implicit TLS again")


def test_a_reload_is_over_when_every_worker_has_its_certificate(secured):
    """What was shown a moment before is shown by none of them behind the answer."""
    mta = secured.mta
    made = [make_certificate(mta.root, stem=f"number{i}") for i in range(6)]
    for pair in made:
        for _ in range(12):  # each worker has what was before, and believes it for a while
            secured.shown()
        mta.certificate = pair
        mta.write_config()
        assert mta.command("reload").returncode == 0
        assert {secured.shown() for _ in range(12)} == {fingerprint(pair[0])}
