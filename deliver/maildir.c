/*
 * maildir: batches of messages into Maildirs. See maildir.h for what holds at
 * each step. Called by owner_child.c with the rights of the mailbox owner.
 *
 * Order within a batch: all files are written, then flushed, then renamed, then
 * their mailboxes are flushed; each flush is one for the whole file system if
 * there is enough to flush (deliver/volume.h). A flush that fails is never tried again on
 * the same file: the kernel may have thrown the octets away and say yes.
 */
#include "deliver/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/log.h"
#include "deliver/delivered_to.h"
#include "deliver/mailbox_dirs.h"
#include "deliver/maildir_quota.h"
#include "deliver/volume.h"

#define COPY_SIZE   65536
#define PREFIX_SIZE (2 * ADDRESS_MAX + 64)

enum state {
	STATE_DECIDED, /* the verdict is final */
	STATE_WRITTEN, /* whole in tmp/, not flushed */
	STATE_FLUSHED, /* whole in tmp/, durable but for its name */
	STATE_NAMED,   /* in new/ (or an earlier copy is there), not flushed */
};

struct mailbox {
	const struct maildir_item *item; /* the first one that goes here */
	struct mailbox_dirs dirs;
	struct volume *volume;	/* NULL: its files are flushed one by one */
	struct verdict verdict; /* why it could not be opened */
	struct maildir_quota quota;
	bool usable;
};

struct slot {
	struct maildir_item *item;
	struct mailbox *mailbox;
	enum state state;
	int fd; /* of the file in tmp/, or -1 */
	char name[MAILDIR_NAME_SIZE];
	uint64_t size; /* of the file */
	bool fresh;    /* it was not there before */
	size_t key;    /* length of the part of name that tells copies */
	/*
	 * In tmp/ the process is part of the name: a child that its parent lost
	 * sight of may still be writing the same message.
	 */
	char tmp_name[MAILDIR_NAME_SIZE + 16];
};

struct batch {
	struct mailbox mailboxes[MAILDIR_BATCH_MAX];
	size_t nmailboxes;
	struct slot slots[MAILDIR_BATCH_MAX];
	size_t n;
	struct volume volumes[MAILDIR_BATCH_MAX];
	size_t nvolumes;
};

size_t
maildir_name(const struct maildir_item *m, uint64_t file_size, char out[MAILDIR_NAME_SIZE])
{
	int key = snprintf(out, MAILDIR_NAME_SIZE, "%" PRId64 ".Q%.32sR%" PRIu64 ".",
	    m->received, m->message, m->entry);

	snprintf(out + key, MAILDIR_NAME_SIZE - (size_t)key, "%.128s,S=%" PRIu64, m->host,
	    file_size);
	for (char *c = out; *c != '\0'; c++)
		if (*c == '/' || *c == ':')
			*c = '_';
	return (size_t)key;
}

static void
slot_path(const struct slot *s, const char *leaf, char *out, size_t size)
{
	const struct maildir_item *m = s->item;

	snprintf(out, size, "%s/%s/%s/%s/%s", m->directory, m->home, m->maildir, leaf, s->name);
}

/* Gives up on this message: the verdict comes from errno, what lies in tmp/ is removed. */
static void
slot_fail(struct slot *s, const char *what, const char *leaf)
{
	int error = errno;
	char path[PATH_MAX];

	slot_path(s, leaf, path, sizeof path);
	mailbox_failed(&s->item->verdict, error, what, path);
	if (s->fd >= 0) {
		close(s->fd);
		s->fd = -1;
		unlinkat(s->mailbox->dirs.tmp, s->tmp_name, 0);
	}
	s->state = STATE_DECIDED;
}

/* --- writing --- */

static int
write_all(int fd, struct iovec *iov, int n)
{
	while (n > 0) {
		ssize_t done = writev(fd, iov, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		while (n > 0 && (size_t)done >= iov->iov_len) {
			done -= (ssize_t)iov->iov_len;
			iov++, n--;
		}
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

static int
copy_file(int out, int in, uint64_t offset, uint64_t size)
{
	char data[COPY_SIZE];

	while (size > 0) {
		size_t want = size < sizeof data ? (size_t)size : sizeof data;
		ssize_t n = pread(in, data, want, (off_t)offset);
		struct iovec iov = {data, n > 0 ? (size_t)n : 0};

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENODATA;
		if (n <= 0 || write_all(out, &iov, 1) != 0)
			return -1;
		offset += (uint64_t)n;
		size -= (uint64_t)n;
	}
	return 0;
}

/* A file of its own: what an earlier attempt left is removed, a link someone planted never followed. */
static int
create(int tmp, const char *name)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(tmp, name, flags, 0600);

	if (fd < 0 && errno == EEXIST && unlinkat(tmp, name, 0) == 0)
		fd = openat(tmp, name, flags, 0600);
	return fd;
}

static uint64_t
content_size(const struct maildir_item *m)
{
	return m->fd >= 0 ? m->size : m->content.len;
}

static void
write_tmp(struct slot *s, const char *prefix, size_t prefix_len)
{
	const struct maildir_item *m = s->item;
	struct iovec iov[2] = {
	    {(char *)(uintptr_t)prefix, prefix_len}, {(char *)(uintptr_t)m->content.p, 0}};

	s->fd = create(s->mailbox->dirs.tmp, s->tmp_name);
	if (s->fd < 0) {
		slot_fail(s, "cannot create", "tmp");
		return;
	}
	if (m->fd < 0)
		iov[1].iov_len = m->content.len;
	if (write_all(s->fd, iov, iov[1].iov_len > 0 ? 2 : 1) != 0 ||
	    (m->fd >= 0 && copy_file(s->fd, m->fd, m->offset, m->size) != 0)) {
		slot_fail(s, "cannot write", "tmp");
		return;
	}
	s->state = STATE_WRITTEN;
}

/* --- what is there already --- */

/* Goes through the names in a directory that begin as ours. How many there were (removed, if so asked), or -1 with errno. */
static int
scan(int dir, const char *name, size_t key, bool remove)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = 0, error;
	struct dirent *e;
	DIR *d;

	if (fd < 0)
		return -1;
	d = fdopendir(fd);
	if (d == NULL) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	errno = 0;
	while ((e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, name, key) != 0)
			continue;
		found++;
		if (remove)
			unlinkat(dir, e->d_name, 0);
		errno = 0;
	}
	error = errno;
	closedir(d);
	errno = error;
	return error != 0 ? -1 : found;
}

/*
 * Looks for the copy of an earlier attempt in new/ and, where a reader may have
 * moved it with flags behind its name, in cur/; removes its pieces in tmp/. True if the
 * message is decided or found.
 */
static bool
find_earlier(struct slot *s)
{
	struct mailbox_dirs *d = &s->mailbox->dirs;
	int found = scan(d->new, s->name, s->key, false);

	if (found == 0) {
		found = scan(d->cur, s->name, s->key, false);
		/* Its move to cur/ is the reader's, and durable only when somebody flushes it. */
		if (found > 0 && fsync(d->cur) != 0)
			found = -1;
	}
	if (found < 0 || scan(d->tmp, s->name, s->key, true) < 0) {
		slot_fail(s, "cannot look for an earlier copy of", "cur");
		return true;
	}
	if (found > 0) {
		log_info("id=%s rcpt=%" PRIu64 " an earlier attempt had delivered it",
		    s->item->message, s->item->entry);
		s->state = STATE_NAMED;
	}
	return found > 0;
}

static bool
loops(const struct maildir_item *m)
{
	char head[COPY_SIZE];
	struct span header = m->content;

	if (m->fd >= 0) {
		ssize_t n = pread(m->fd, head,
		    m->size < sizeof head ? (size_t)m->size : sizeof head, (off_t)m->offset);

		header = span_make(head, n > 0 ? (size_t)n : 0);
	}
	return delivered_to_find(header, span_str(m->address));
}

/* --- one batch --- */

static struct mailbox *
obtain_mailbox(struct batch *b, const struct maildir_item *m)
{
	struct mailbox *box;

	for (size_t i = 0; i < b->nmailboxes; i++) {
		box = &b->mailboxes[i];
		if (strcmp(box->item->maildir, m->maildir) == 0 &&
		    strcmp(box->item->home, m->home) == 0 &&
		    strcmp(box->item->directory, m->directory) == 0)
			return box;
	}
	box = &b->mailboxes[b->nmailboxes++];
	box->item = m;
	box->volume = NULL;
	box->quota =
	    (struct maildir_quota){.limit = m->quota, .refuses = m->over_quota_refuses};
	box->usable = mailbox_dirs_open(
			  &box->dirs, m->directory, m->home, m->maildir, &box->verdict) == 0;
	if (box->usable)
		box->volume =
		    volume_obtain(b->volumes, &b->nvolumes, MAILDIR_BATCH_MAX, box->dirs.tmp);
	return box;
}

static void
begin(struct batch *b, struct slot *s, struct maildir_item *m)
{
	char prefix[PREFIX_SIZE];
	int len;

	*s = (struct slot){.item = m, .fd = -1, .state = STATE_DECIDED};
	len = snprintf(prefix, sizeof prefix, "Return-Path: <%s>\nDelivered-To: %s\n", m->from,
	    m->address);
	if (len < 0 || (size_t)len >= sizeof prefix || span_has_control(span_str(m->from)) ||
	    span_has_control(span_str(m->address))) {
		verdict_set(&m->verdict, VERDICT_TEMPORARY, 451, "4.3.0",
		    "An address of this message cannot stand in a header line");
		return;
	}
	if (loops(m)) {
		verdict_set(&m->verdict, VERDICT_PERMANENT, 554, "5.4.6",
		    "Mail loops: it was delivered to %s before", m->address);
		return;
	}
	s->mailbox = obtain_mailbox(b, m);
	s->size = (uint64_t)len + content_size(m);
	s->key = maildir_name(m, s->size, s->name);
	snprintf(s->tmp_name, sizeof s->tmp_name, "%s.%d", s->name, (int)getpid());
	if (!s->mailbox->usable)
		m->verdict = s->mailbox->verdict;
	else if ((!m->again || !find_earlier(s)) &&
		 maildir_quota_admit(&s->mailbox->quota, &s->mailbox->dirs, s->size, m->address,
		     &m->verdict) == 0)
		write_tmp(s, prefix, (size_t)len);
}

/* Counts the messages in this state for their volumes, and flushes those volumes that have enough. */
static void
flush_volumes(struct batch *b, enum state state, struct volume_memory *memory)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->slots[i].state == state && b->slots[i].mailbox->volume != NULL)
			b->slots[i].mailbox->volume->files++;
	volume_flush_all(b->volumes, b->nvolumes, memory);
}

static bool
is_flushed(const struct mailbox *box)
{
	return box->volume != NULL && box->volume->flushed;
}

/* Begins to write out what will be flushed one by one, before the first is waited for. */
static void
start_writing(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct slot *s = &b->slots[i];

		if (s->state == STATE_WRITTEN && !is_flushed(s->mailbox))
			(void)sync_file_range(s->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	}
}

static void
flush_files(struct batch *b, struct volume_memory *memory)
{
	flush_volumes(b, STATE_WRITTEN, memory);
	start_writing(b);
	for (size_t i = 0; i < b->n; i++) {
		struct slot *s = &b->slots[i];
		int error;

		if (s->state != STATE_WRITTEN)
			continue;
		if (is_flushed(s->mailbox))
			error = s->mailbox->volume->error;
		else
			error = fsync(s->fd) != 0 ? errno : 0;
		if (error != 0) {
			errno = error;
			slot_fail(s, "cannot flush", "tmp");
			continue;
		}
		close(s->fd);
		s->fd = -1;
		s->state = STATE_FLUSHED;
	}
}

/* Into new/, never over a file that is there: that one is this message, delivered by an earlier attempt. */
static int
rename_new(const struct slot *s)
{
	const struct mailbox_dirs *d = &s->mailbox->dirs;
	struct stat st;

	if (renameat2(d->tmp, s->tmp_name, d->new, s->name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EINVAL || errno == ENOSYS) { /* a file system that cannot */
		if (fstatat(d->new, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			errno = EEXIST;
		else if (errno == ENOENT)
			return renameat(d->tmp, s->tmp_name, d->new, s->name);
	}
	return -1;
}

static void
name_files(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct slot *s = &b->slots[i];

		if (s->state != STATE_FLUSHED)
			continue;
		if (rename_new(s) == 0) {
			s->state = STATE_NAMED;
			s->fresh = true;
		} else if (errno == EEXIST) {
			unlinkat(s->mailbox->dirs.tmp, s->tmp_name, 0);
			s->state = STATE_NAMED;
		} else {
			slot_fail(s, "cannot move into new/ the file", "tmp");
			unlinkat(s->mailbox->dirs.tmp, s->tmp_name, 0);
		}
	}
}

/* Makes the names of this mailbox durable. 0, or an errno. */
static int
flush_names(struct mailbox *box)
{
	if (is_flushed(box))
		return box->volume->error;
	return mailbox_dirs_flush(&box->dirs) != 0 ? errno : 0;
}

static void
flush_mailbox(struct batch *b, struct mailbox *box)
{
	int error = -1; /* not flushed yet */

	for (size_t i = 0; i < b->n; i++) {
		struct slot *s = &b->slots[i];

		if (s->mailbox != box || s->state != STATE_NAMED)
			continue;
		if (error < 0)
			error = flush_names(box);
		if (error != 0) {
			/* It may be there or not after a crash; the next attempt looks. */
			errno = error;
			slot_fail(s, "cannot flush the directory of", "new");
			continue;
		}
		verdict_set_text(
		    &s->item->verdict, VERDICT_OK, 250, "2.0.0", "Delivered to mailbox");
		s->state = STATE_DECIDED;
		if (s->fresh)
			maildir_quota_add(&box->quota, s->size);
	}
}

void
maildir_deliver(struct volume_memory *memory, struct maildir_item *items, size_t n)
{
	struct batch b;

	b.n = n <= MAILDIR_BATCH_MAX ? n : MAILDIR_BATCH_MAX;
	b.nmailboxes = b.nvolumes = 0;
	for (size_t i = 0; i < n; i++)
		verdict_init(&items[i].verdict);
	for (size_t i = 0; i < b.n; i++)
		begin(&b, &b.slots[i], &items[i]);
	flush_files(&b, memory);
	name_files(&b);
	flush_volumes(&b, STATE_NAMED, memory);
	for (size_t i = 0; i < b.nmailboxes; i++) {
		if (!b.mailboxes[i].usable)
			continue;
		flush_mailbox(&b, &b.mailboxes[i]);
		maildir_quota_save(&b.mailboxes[i].quota, &b.mailboxes[i].dirs);
		mailbox_dirs_close(&b.mailboxes[i].dirs);
	}
}
