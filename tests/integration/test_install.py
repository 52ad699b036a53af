"""conf/install.sh and conf/uninstall.sh: what lies where, with which modes, and what is left alone."""

import os
import shutil
import stat
import subprocess

import pytest

from lib.instance import BUILD, TOP
from lib.waiting import reserve_port

PROCESSES = ("directory", "queue", "local", "remote", "keys", "smtpd")
PROGRAMS = ("postriderd", "postrider", "sendmail")


@pytest.fixture
def place(tmp_path):
    """A directory with something to install, and a function that runs one of the scripts."""
    built = tmp_path / "built"
    built.mkdir()
    for name in PROGRAMS + PROCESSES:
        shutil.copy(BUILD / "tests" / "dummy", built / name)
    shutil.copy(BUILD / "bin" / "postriderd", built / "postriderd")

    def run(script, **more):
        env = {"PATH": os.environ["PATH"], "DESTDIR": str(tmp_path / "root"), "PREFIX": "/usr", "SYSCONFDIR": "/etc",
               "BUILD": str(built)} | more
        return subprocess.run(["sh", f"conf/{script}.sh"], cwd=TOP, env=env, capture_output=True, text=True, timeout=30,
                              check=False)
    run.root, run.built = tmp_path / "root", built
    return run


def files(root):
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink()}


def test_installs_everything_in_its_place(place):
    done = place("install")
    assert done.returncode == 0, done.stderr
    found = files(place.root)
    want = {f"usr/sbin/{name}" for name in PROGRAMS} | {f"usr/libexec/postrider/{name}" for name in PROCESSES}
    want |= {"usr/bin/mailq", "usr/bin/newaliases", "usr/lib/systemd/system/postrider.service",
             "etc/postrider/postrider.conf", "etc/postrider/postrider.conf.sample",
             "etc/postrider/header-checks.sample", "usr/share/man/man8/postriderd.8"}
    assert want <= found and all("/man/" in name for name in found - want), found ^ want
    for name in found:
        path = place.root / name
        mode = path.stat().st_mode
        assert mode & 0o6022 == 0, f"{name}: {oct(mode)}"
        assert bool(mode & 0o111) == ("/sbin/" in name or "/bin/" in name or "libexec" in name), name
    for link in ("mailq", "newaliases"):
        assert (place.root / "usr/bin" / link).resolve() == (place.root / "usr/sbin/sendmail").resolve()


def test_unit_names_what_was_installed(place):
    assert place("install").returncode == 0
    unit = (place.root / "usr/lib/systemd/system/postrider.service").read_text(encoding="utf-8")
    assert "ExecStart=/usr/sbin/postriderd -c /etc/postrider/postrider.conf\n" in unit
    assert "@" not in unit and "Type=notify\n" in unit and "KillMode=mixed\n" in unit


def test_configuration_is_never_overwritten(place):
    assert place("install").returncode == 0
    conf = place.root / "etc/postrider/postrider.conf"
    conf.write_text("hostname = mine\n", encoding="utf-8")
    assert place("install").returncode == 0
    assert conf.read_text(encoding="utf-8") == "hostname = mine\n"


def test_nothing_is_installed_if_a_program_is_missing(place):
    (place.built / "remote").unlink()
    done = place("install")
    assert done.returncode != 0 and "remote is missing" in done.stderr
    assert not place.root.exists()


def test_uninstall_leaves_what_is_the_users(place):
    assert place("install").returncode == 0
    other = place.root / "usr/bin/other"
    other.write_text("", encoding="utf-8")
    mine = place.root / "usr/bin/mailq"
    mine.unlink()
    mine.symlink_to("/elsewhere/mailq")
    done = place("uninstall")
    assert done.returncode == 0, done.stderr
    assert files(place.root) == {"usr/bin/other", "usr/bin/mailq", "etc/postrider/postrider.conf"}
    assert place("uninstall").returncode == 0, "a second time is no error"


def test_installed_daemon_finds_its_processes(place, tmp_path):
    """Wherever the tree was moved to: DESTDIR is not where it was built for."""
    assert place("install").returncode == 0
    home = tmp_path / "home"
    (home / "virtual").mkdir(parents=True)
    for path in (tmp_path, home, home / "virtual"):
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o022)
    conf = home / "postrider.conf"
    users = 'users { smtpd = "64001" directory = "64002" queue = "64003" remote = "64004" keys = "64005" }\n' if os.geteuid() == 0 else ""
    conf.write_text(f'hostname = "mx.test"\ndomains = "{home}/virtual"\nspool = "{home}/spool"\nworkers = 1\n'
                    f'listen "127.0.0.1:{reserve_port()}" {{ }}\n{users}', encoding="utf-8")
    with subprocess.Popen([str(place.root / "usr/sbin/postriderd"), "-c", str(conf)], stderr=subprocess.PIPE,
                          text=True) as daemon:
        said = []
        try:
            for line in daemon.stderr:
                said.append(line)
                if f"serving with {len(PROCESSES)} processes" in line:
                    break
        finally:
            daemon.terminate()
            daemon.stderr.read()
        assert daemon.wait(10) == 0, said


def test_other_places_are_compiled_in_again(tmp_path):
    """Of the real Makefile, with one small program: `make` first and `make install` with other places later is what people type."""
    shutil.copy(TOP / "Makefile", tmp_path)
    (tmp_path / "common").mkdir()
    (tmp_path / "common/banned.h").touch()
    (tmp_path / "common/places_main.c").write_text(
        '#include <stdio.h>\nint main(void) { puts(SYSCONFDIR " " LIBEXECDIR); return 0; }\n', encoding="utf-8")

    def make(*places):
        done = subprocess.run(["make", "build/bin/places", *places], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                              env={"PATH": os.environ["PATH"]}, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        said = subprocess.run([tmp_path / "build/bin/places"], capture_output=True, text=True, timeout=10, check=True).stdout
        return said.strip(), "CC " in done.stdout
    assert make() == ("/etc /usr/local/libexec/postrider", True)
    assert make() == ("/etc /usr/local/libexec/postrider", False)
    other = ("PREFIX=/opt/mail", "SYSCONFDIR=/opt/mail/etc")
    assert make(*other) == ("/opt/mail/etc /opt/mail/libexec/postrider", True)
    assert make(*other) == ("/opt/mail/etc /opt/mail/libexec/postrider", False)
