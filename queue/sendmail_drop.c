/*
 * sendmail_drop: a file in spool/drop/. See sendmail_drop.h. Called by
 * sendmail_main.c. Invariant: under its final name a file is whole and on disk, or
 * it is not there.
 *
 *	tmp.<random> open, partly written	left by a killed sendmail: the queue
 *						manager removes it when it is old
 *	tmp.<random> whole, flushed		the same: the caller did not hear of success
 *	<random>.msg, name not yet flushed	may be taken in, or lost with the power: the
 *						caller did not hear of success either way
 *	<random>.msg, name flushed		reported as queued
 */
#include "queue/sendmail_drop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "queue/blocking.h"
#include "queue/drop_file.h"

#define PIECE 65536

struct drop {
	int dir, fd;
	struct sendmail_recipient *recipients[DROP_RECIPIENTS_MAX]; /* of this file */
	size_t nrecipients;
	struct drop_file_names names;
};

static int
write_head(
    const struct drop *d, const struct sendmail_envelope *e, const struct sendmail_content *c)
{
	struct span recipients[DROP_RECIPIENTS_MAX];
	struct drop_file f = {.from = address_span(&e->from),
	    .recipients = recipients,
	    .nrecipients = d->nrecipients,
	    .size = c->size,
	    .eight_bit = e->eight_bit || c->eight_bit,
	    .utf8 = sendmail_envelope_is_utf8(e) || sendmail_content_is_utf8(c),
	    .envid = span_str(e->envid),
	    .ret = span_str(e->ret),
	    .notify = span_str(e->notify)};
	struct buf head;
	int r;

	for (size_t i = 0; i < d->nrecipients; i++)
		recipients[i] = span_str(d->recipients[i]->address);
	buf_init(&head, DROP_HEAD_MAX);
	errno = EMSGSIZE;
	r = drop_file_format(&f, &head);
	if (r == 0)
		r = blocking_write(d->fd, buf_span(&head));
	buf_release(&head);
	return r;
}

static int
write_content(int fd, const struct sendmail_content *c)
{
	char piece[PIECE];
	uint64_t at = 0;
	ssize_t n;

	while ((n = sendmail_content_read(c, at, piece, sizeof piece)) > 0) {
		if (blocking_write(fd, span_make(piece, (size_t)n)) != 0)
			return -1;
		at += (uint64_t)n;
	}
	return n < 0 ? -1 : 0;
}

/*
 * Makes the name durable. The directory's owner can flush the directory; to everybody else its mode forbids
 * even to open it, so they flush the file system it is on.
 */
static int
flush_name(const struct drop *d)
{
	int fd = openat(d->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return syncfs(d->fd);
	r = fsync(fd);
	close(fd);
	return r;
}

/* What was written becomes a file the queue manager takes, and stays one after a power cut. */
static int
publish(const struct drop *d)
{
	/* The group is the directory's; the umask is not asked. */
	if (fchmod(d->fd, 0640) != 0 || fsync(d->fd) != 0)
		return -1;
	if (renameat(d->dir, d->names.unfinished, d->dir, d->names.whole) != 0)
		return -1;
	if (flush_name(d) == 0)
		return 0;
	unlinkat(d->dir, d->names.whole, 0);
	return -1;
}

/* One file, for the recipients that d names. */
static int
write_file(struct drop *d, const struct sendmail_envelope *e, const struct sendmail_content *c)
{
	int r = -1, saved;

	if (drop_file_names(&d->names) != 0)
		return -1;
	d->fd = openat(d->dir, d->names.unfinished,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (d->fd < 0)
		return -1;
	if (write_head(d, e, c) == 0 && write_content(d->fd, c) == 0 && publish(d) == 0)
		r = 0;
	saved = errno;
	if (r != 0)
		unlinkat(d->dir, d->names.unfinished, 0);
	close(d->fd);
	errno = saved;
	return r;
}

/* The next recipients for a file, from *at on. How many. */
static size_t
take_recipients(struct drop *d, const struct sendmail_recipients *all, size_t *at)
{
	d->nrecipients = 0;
	for (; *at < all->n && d->nrecipients < DROP_RECIPIENTS_MAX; ++*at) {
		if (all->v[*at]->state == SENDMAIL_RECIPIENT_DEFERRED)
			d->recipients[d->nrecipients++] = all->v[*at];
	}
	return d->nrecipients;
}

static int
write_files(struct drop *d, struct sendmail_envelope *e, const struct sendmail_content *c)
{
	size_t at = 0;

	while (take_recipients(d, &e->recipients, &at) > 0) {
		if (write_file(d, e, c) != 0)
			return -1;
		for (size_t i = 0; i < d->nrecipients; i++)
			sendmail_recipient_decide(
			    d->recipients[i], SENDMAIL_RECIPIENT_SENT, NULL);
	}
	return 0;
}

int
sendmail_drop(const char *dir, struct sendmail_envelope *e, const struct sendmail_content *c,
    struct buf *why)
{
	struct drop d = {.dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), .fd = -1};
	sigset_t all, before;
	int r = -1;

	/* An impatient user's interrupt must not leave a piece behind. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	if (d.dir >= 0)
		r = write_files(&d, e, c);
	if (r != 0)
		buf_addf(why, "cannot leave the message in %s: %s", dir, strerror(errno));
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (d.dir >= 0)
		close(d.dir);
	return r == 0 ? 0 : EX_TEMPFAIL;
}
