/*
 * fsck_repair: what --repair does (queue/fsck.h). Files that do not belong are set aside, header pages written again;
 * the rest is the library's own recovery, which a start would do as well. What is left then is looked
 * at again: a finding counts as mended when it is not found any more.
 *
 * Invariant: a damaged message is given up only when a copy of its file is in corrupt/.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/log_value.h"
#include "common/xalloc.h"
#include "queue/fsck_parts.h"
#include "queue/quarantine.h"
#include "queue/store_move.h"

struct repair {
	struct fsck_report *report;
	int corruptfd;
	bool failed; /* something could not be done */
};

/* The directory of a file below the spool, and its name there. -1 if it cannot be opened. */
static int
open_parent(const struct repair *p, const char *file, const char **name)
{
	const char *slash = strchr(file, '/');
	char dir[32];

	if (slash == NULL || (size_t)(slash - file) >= sizeof dir)
		return -1;
	snprintf(dir, sizeof dir, "%.*s", (int)(slash - file), file);
	*name = slash + 1;
	return fsck_directory(p->report->spoolfd, dir);
}

/* The copy is in place of the file when this returns 0; the octets are what they were. */
static int
unshare(int dirfd, const char *name)
{
	char *temporary = xasprintf("%s.new", name), block[65536];
	int in = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int out, r = -1;
	ssize_t n = -1;

	(void)unlinkat(dirfd, temporary, 0);
	out = openat(
	    dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	while (in >= 0 && out >= 0 && (n = read(in, block, sizeof block)) > 0)
		if (write(out, block, (size_t)n) != n) {
			n = -1;
			break;
		}
	if (n == 0 && fsync(out) == 0 && renameat(dirfd, temporary, dirfd, name) == 0)
		r = fsync(dirfd);
	if (r != 0) {
		log_warn("file=%s cannot be copied", name);
		(void)unlinkat(dirfd, temporary, 0);
	}
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	free(temporary);
	return r;
}

static const struct fsck_segment *
find_segment(const struct fsck_report *r, const char *file, const char *name)
{
	bool large = strncmp(file, "large/", 6) == 0;

	for (size_t i = 0; i < r->nsegments; i++)
		if (r->segments[i].large == large && strcmp(r->segments[i].name, name) == 0)
			return &r->segments[i];
	return NULL;
}

static int
renew_header(const struct repair *p, int dirfd, const char *file, const char *name)
{
	const struct fsck_segment *s = find_segment(p->report, file, name);
	struct spool_segment_header h = {.instance = p->report->instance};

	if (s == NULL || spool_segment_name_parse(name, s->large, &h.number) != 0)
		return -1;
	h.generation = s->generation;
	h.size = s->size;
	if (quarantine_copy(dirfd, name, p->corruptfd,
		"its header page is damaged; it was written again from what its records say") !=
	    0)
		return -1;
	if (spool_segment_renew(dirfd, &h, s->large) != 0) {
		log_warn("file=%s: header page", name);
		return -1;
	}
	return 0;
}

/* What can be done file by file, before the library reads them. */
static void
cure_file(struct repair *p, const struct fsck_finding *f)
{
	const char *name;
	int dirfd, r = 0;

	if (f->cure != FSCK_CURE_SET_ASIDE && f->cure != FSCK_CURE_UNSHARE &&
	    f->cure != FSCK_CURE_HEADER)
		return;
	dirfd = open_parent(p, f->file, &name);
	if (dirfd < 0)
		r = -1;
	else if (f->cure == FSCK_CURE_SET_ASIDE)
		r = quarantine_move(dirfd, name, p->corruptfd, f->text);
	else if (f->cure == FSCK_CURE_UNSHARE)
		r = unshare(dirfd, name);
	else
		r = renew_header(p, dirfd, f->file, name);
	p->failed |= r != 0;
	if (dirfd >= 0)
		close(dirfd);
}

static void
on_message(struct message *m, bool recovered, void *arg)
{
	(void)m, (void)recovered, (void)arg;
}

static void
on_gone(struct message *m, void *arg)
{
	(void)m, (void)arg;
}

static void
on_ready(void *arg)
{
	(void)arg;
}

static void
on_space(bool room, void *arg)
{
	(void)room, (void)arg;
}

static const struct store_ops ops = {
    .on_message = on_message, .on_gone = on_gone, .on_ready = on_ready, .on_space = on_space};

/* The sender is told by the next instance: the failure is recorded, as for any other. */
static void
give_up(struct store *s, struct message *m)
{
	struct verdict v;

	verdict_set(&v, VERDICT_PERMANENT, 0, "5.3.0",
	    "The message was damaged on the disk of the mail system and cannot be delivered");
	for (uint32_t i = 0; i < m->nrecipients; i++) {
		struct recipient *r = message_recipient(m, i);

		if (r->state != RECIPIENT_SETTLED && r->state != RECIPIENT_FAILED &&
		    r->state != RECIPIENT_TELL)
			store_fail(s, r, &v);
	}
}

static void
cure_message(struct repair *p, struct store *s, const struct fsck_message *b)
{
	struct message *m = store_find(s, b->number);
	char id[SPOOL_ID_SIZE];
	const char *name;
	int dirfd;

	/* What was mended before may have been all that was wrong. */
	if (m == NULL || fsck_check_content(m) == 0)
		return;
	if (b->state != FSCK_MESSAGE_MISSING) {
		dirfd = open_parent(p, b->file, &name);
		if (dirfd < 0 ||
		    quarantine_copy(dirfd, name, p->corruptfd,
			b->state == FSCK_MESSAGE_DAMAGED
			    ? "a message of the queue in this file is damaged"
			    : "a message of the queue in this file cannot be read") != 0) {
			p->failed = true;
			b = NULL;
		}
		if (dirfd >= 0)
			close(dirfd);
	}
	if (b == NULL)
		return;
	log_warnx("id=%s is given up, its sender <%s> will be told",
	    spool_id_format(b->number, id), LOG_ADDRESS(span_str(m->from)));
	give_up(s, m);
}

static int
recover(struct repair *p, uint64_t segment_size)
{
	struct event_base *base = event_base_new();
	struct store *s = store_open(base, p->report->spoolfd, segment_size, &ops, NULL);

	if (s == NULL) {
		event_base_free(base);
		return -1;
	}
	for (size_t i = 0; i < p->report->nbad; i++)
		cure_message(p, s, &p->report->bad[i]);
	store_flush(s);
	if (!store_is_writable(s)) {
		log_warnx("the journal cannot be written");
		p->failed = true;
	}
	store_close(&s);
	event_base_free(base);
	return 0;
}

static bool
is_found(const struct fsck_report *r, const struct fsck_finding *f)
{
	for (size_t i = 0; i < r->nfindings; i++)
		if (strcmp(r->findings[i].file, f->file) == 0 &&
		    strcmp(r->findings[i].text, f->text) == 0)
			return true;
	return false;
}

/* The report becomes what is there now; what was found before and is not any more was mended. */
static int
look_again(struct fsck_report *r)
{
	struct fsck_report now;

	if (fsck_open(&now, r->spoolfd, true) != 0)
		return -1;
	now.uid = r->uid;
	now.gid = r->gid;
	fsck_check_owners(&now, false);
	fsck_examine(&now);
	for (size_t i = 0; i < r->nfindings; i++) {
		struct fsck_finding *f = &r->findings[i];

		if (!is_found(&now, f))
			fsck_add(&now, f->severity, f->cure, f->file, "%s", f->text)->cured =
			    true;
	}
	fsck_release(r);
	*r = now;
	return 0;
}

int
fsck_repair(struct fsck_report *r, uint64_t segment_size)
{
	struct repair p = {.report = r, .corruptfd = fsck_directory(r->spoolfd, "corrupt")};

	if (p.corruptfd < 0) {
		log_warn("corrupt/");
		return -1;
	}
	for (size_t i = 0; i < r->nfindings; i++)
		cure_file(&p, &r->findings[i]);
	if (recover(&p, segment_size) != 0 || look_again(r) != 0)
		p.failed = true;
	close(p.corruptfd);
	return p.failed ? -1 : 0;
}
