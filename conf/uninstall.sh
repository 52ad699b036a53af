#!/bin/sh
# Takes away what conf/install.sh installed, with the same DESTDIR, PREFIX and
# SYSCONFDIR, from the top of the source tree. The configuration, the spool, mail
# and the users stay: they are not ours to throw away.
set -eu

DESTDIR=${DESTDIR-}
PREFIX=${PREFIX-/usr/local}
SYSCONFDIR=${SYSCONFDIR-/etc}

sbin=$DESTDIR$PREFIX/sbin
bin=$DESTDIR$PREFIX/bin
libexec=$DESTDIR$PREFIX/libexec/postrider

for p in postriderd postrider sendmail; do
	rm -f "$sbin/$p"
done
for p in directory queue local remote keys smtpd; do
	rm -f "$libexec/$p"
done
rm -f "$DESTDIR$PREFIX/share/man/man1/newaliases.1"
for link in mailq newaliases; do
	if [ "$(readlink "$bin/$link" || true)" = ../sbin/sendmail ]; then
		rm -f "$bin/$link"
	fi
done
for page in doc/*.[1-8]; do
	rm -f "$DESTDIR$PREFIX/share/man/man${page##*.}/${page##*/}"
done
rm -f "$DESTDIR$PREFIX/lib/systemd/system/postrider.service" \
	"$DESTDIR$SYSCONFDIR/postrider/postrider.conf.sample" \
	"$DESTDIR$SYSCONFDIR/postrider/header-checks.sample"
if [ -d "$libexec" ]; then
	rmdir "$libexec" 2>/dev/null || echo "uninstall: $libexec holds other files, left there" >&2
fi

echo "left in place: $SYSCONFDIR/postrider/postrider.conf, the spool, all mailboxes, the users pr*"
