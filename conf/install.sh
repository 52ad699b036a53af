#!/bin/sh
# Installs what `make` has built; called by `make install` with DESTDIR, PREFIX and
# SYSCONFDIR in the environment, from the top of the source tree.
#
#   PREFIX/sbin               postriderd, postrider, sendmail
#   PREFIX/bin                mailq, newaliases (links to sendmail)
#   PREFIX/libexec/postrider  the processes that postriderd starts
#   PREFIX/share/man          manual pages
#   PREFIX/lib/systemd/system postrider.service
#   SYSCONFDIR/postrider      postrider.conf, unless there is one already
#
# No program is installed set-id. As root and without DESTDIR it also creates the
# users the processes run as. conf/uninstall.sh takes away what this puts there.
set -eu

DESTDIR=${DESTDIR-}
PREFIX=${PREFIX-/usr/local}
SYSCONFDIR=${SYSCONFDIR-/etc}
BUILD=${BUILD-build/bin}

sbin=$DESTDIR$PREFIX/sbin
bin=$DESTDIR$PREFIX/bin
libexec=$DESTDIR$PREFIX/libexec/postrider
man=$DESTDIR$PREFIX/share/man
units=$DESTDIR$PREFIX/lib/systemd/system
etc=$DESTDIR$SYSCONFDIR/postrider

programs='postriderd postrider sendmail'
processes='directory queue local remote keys smtpd'
users='prsmtpd prdir prqueue prremote prkeys'

umask 022

for p in $programs $processes; do
	if [ ! -x "$BUILD/$p" ]; then
		echo "install: $BUILD/$p is missing: run make first" >&2
		exit 1
	fi
done

install -d "$sbin" "$bin" "$libexec" "$units" "$etc"
for p in $programs; do
	install -m 755 "$BUILD/$p" "$sbin/$p"
done
for p in $processes; do
	install -m 755 "$BUILD/$p" "$libexec/$p"
done
for link in mailq newaliases; do
	ln -sf ../sbin/sendmail "$bin/$link"
done

for page in doc/*.[1-8]; do
	section=${page##*.}
	install -d "$man/man$section"
	install -m 644 "$page" "$man/man$section/${page##*/}"
done
ln -sf mailq.1 "$man/man1/newaliases.1"

sed -e "s|@SBINDIR@|$PREFIX/sbin|g" -e "s|@SYSCONFDIR@|$SYSCONFDIR|g" conf/postrider.service \
	>"$units/postrider.service.new"
chmod 644 "$units/postrider.service.new"
mv "$units/postrider.service.new" "$units/postrider.service"

install -m 644 conf/postrider.conf.sample "$etc/postrider.conf.sample"
install -m 644 conf/header-checks.sample "$etc/header-checks.sample"
if [ ! -e "$etc/postrider.conf" ]; then
	install -m 644 conf/postrider.conf.sample "$etc/postrider.conf"
fi

if [ -z "$DESTDIR" ] && [ "$(id -u)" = 0 ]; then
	for u in $users; do
		if ! getent passwd "$u" >/dev/null; then
			useradd --system --user-group --no-create-home --home-dir /nonexistent \
				--shell /usr/sbin/nologin --comment "Postrider" "$u"
		fi
	done
fi

echo "installed below $DESTDIR$PREFIX; next: edit $SYSCONFDIR/postrider/postrider.conf,"
echo "make the directory of the domains it names, and run postrider check"
