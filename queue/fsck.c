/*
 * fsck: the frame of what `postrider queue fsck` looks at. See fsck.h; the parts are fsck_journal.c, fsck_segments.c,
 * fsck_files.c, fsck_owners.c and fsck_repair.c.
 */
#include "queue/fsck.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "queue/fsck_parts.h"
#include "queue/journal_past.h"
#include "queue/spool_instance.h"

#define LIVE_TRIES    3
#define LIVE_PAUSE_US 50000

struct fsck_finding *
fsck_add(struct fsck_report *r, enum fsck_severity severity, enum fsck_cure cure,
    const char *file, const char *fmt, ...)
{
	struct fsck_finding *f;
	struct buf text;
	va_list ap;

	buf_init(&text, LOG_LINE_MAX);
	va_start(ap, fmt);
	if (buf_vaddf(&text, fmt, ap) != 0)
		buf_add_str(&text, "(too long to show)");
	va_end(ap);
	r->findings = xreallocarray(r->findings, r->nfindings + 1, sizeof *r->findings);
	f = &r->findings[r->nfindings++];
	*f = (struct fsck_finding){.severity = severity, .cure = cure};
	f->file = xstrdup(file);
	f->text = xstrdup(buf_str(&text));
	buf_release(&text);
	return f;
}

bool
fsck_has_problem(const struct fsck_report *r, bool count_cured)
{
	for (size_t i = 0; i < r->nfindings; i++)
		if (r->findings[i].severity == FSCK_PROBLEM &&
		    (count_cured || !r->findings[i].cured))
			return true;
	return false;
}

int
fsck_directory(int spoolfd, const char *name)
{
	return openat(spoolfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The lock as postriderd takes it: for a moment, shared, so that nobody is kept out. */
static bool
is_running(const struct fsck_report *r)
{
	bool held =
	    r->lockfd >= 0 && flock(r->lockfd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;

	if (r->lockfd >= 0 && !held)
		(void)flock(r->lockfd, LOCK_UN);
	return held;
}

int
fsck_open(struct fsck_report *r, int spoolfd, bool locked)
{
	struct stat st;

	*r = (struct fsck_report){.spoolfd = spoolfd, .lockfd = -1, .journal_whole = true};
	if (fstatat(spoolfd, "journal", &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	r->uid = st.st_uid;
	r->gid = st.st_gid;
	if (locked)
		return 0;
	r->lockfd = openat(spoolfd, "lock", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	r->running = is_running(r);
	return 0;
}

void
fsck_release(struct fsck_report *r)
{
	for (size_t i = 0; i < r->nbad; i++) {
		free(r->bad[i].file);
		free(r->bad[i].sender);
	}
	for (size_t i = 0; i < r->nkept; i++) {
		free(r->kept[i].name);
		free(r->kept[i].reason);
	}
	for (size_t i = 0; i < r->nfindings; i++) {
		free(r->findings[i].file);
		free(r->findings[i].text);
	}
	free(r->journal);
	free(r->segments);
	free(r->bad);
	free(r->kept);
	free(r->findings);
	if (r->lockfd >= 0)
		close(r->lockfd);
	*r = (struct fsck_report){.lockfd = -1};
}

/* A view is of what belongs; what does not has been told of by fsck_examine_files. */
static void
on_stray(bool large, const char *name, const char *why, void *arg)
{
	(void)large, (void)name, (void)why, (void)arg;
}

void
fsck_view_open(struct fsck_view *v, const struct fsck_report *r)
{
	struct journal_past past = {.dirfd = fsck_directory(r->spoolfd, "journal"),
	    .corruptfd = -1,
	    .instance = r->instance};

	*v = (struct fsck_view){.atoms = atom_table_new()};
	pauses_init(&v->pauses);
	v->pool = segment_pool_examine(r->spoolfd, r->instance, on_stray, NULL);
	message_map_init(&v->messages);
	v->replay = (struct replay){
	    .pool = v->pool, .atoms = v->atoms, .pauses = &v->pauses, .messages = &v->messages};
	if (past.dirfd < 0)
		return;
	v->history = journal_past_replay(&past, replay_record, &v->replay);
	close(past.dirfd);
}

void
fsck_view_close(struct fsck_view *v)
{
	struct message *m;
	size_t at = 0;

	while ((m = message_map_next(&v->messages, &at)) != NULL)
		message_free(&m);
	replay_release(&v->replay);
	message_map_release(&v->messages);
	segment_pool_free(&v->pool);
	pauses_release(&v->pauses);
	atom_table_free(&v->atoms);
}

static void
examine_instance(struct fsck_report *r)
{
	int journalfd = fsck_directory(r->spoolfd, "journal"), error;

	if (spool_instance_read(journalfd, &r->instance) == 0) {
		close(journalfd);
		return;
	}
	error = errno;
	if (journalfd >= 0)
		close(journalfd);
	r->instance = spool_instance_of_segments(r->spoolfd);
	if (r->instance != 0)
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_RECOVER, "journal/instance",
		    "does not say which spool this is; by its segments it is %016" PRIx64,
		    r->instance);
	else if (error == ENOENT)
		fsck_add(r, FSCK_NOTE, FSCK_CURE_RECOVER, "journal/instance",
		    "is missing: nothing has ever been stored here");
	else
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_RECOVER, "journal/instance",
		    "does not say which spool this is, and no segment does");
}

/* A view in which the journal is whole, if it can be had: a running instance replaces its files. */
static void
open_view(struct fsck_view *v, const struct fsck_report *r)
{
	for (int i = 1;; i++) {
		fsck_view_open(v, r);
		if (v->history.whole || !r->running || i == LIVE_TRIES)
			return;
		fsck_view_close(v);
		usleep(LIVE_PAUSE_US);
	}
}

void
fsck_list_messages(struct fsck_report *r, struct idmap *numbers)
{
	enum log_level level = log_enabled(LOG_LEVEL_WARN) ? LOG_LEVEL_WARN : LOG_LEVEL_FATAL;
	int journalfd = fsck_directory(r->spoolfd, "journal");
	const struct message *m;
	struct fsck_view v;
	size_t at = 0;

	if (spool_instance_read(journalfd, &r->instance) != 0)
		r->instance = spool_instance_of_segments(r->spoolfd);
	if (journalfd >= 0)
		close(journalfd);
	log_set_level(LOG_LEVEL_FATAL);
	open_view(&v, r);
	log_set_level(level);
	while ((m = message_map_next(&v.messages, &at)) != NULL)
		(void)idmap_insert(numbers, m->number, r);
	fsck_view_close(&v);
}

static void
examine(struct fsck_report *r)
{
	struct fsck_view v;

	examine_instance(r);
	fsck_examine_files(r);
	open_view(&v, r);
	r->journal_whole = v.history.whole;
	r->checkpoint = v.history.checkpoint;
	fsck_examine_journal(r, &v);
	if (v.pool != NULL)
		fsck_examine_segments(r, &v);
	else
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_NONE, "segments",
		    "this directory or large cannot be read");
	fsck_view_close(&v);
	r->running = r->running || is_running(r);
	for (int i = 1; r->running && r->nbad > 0 && i < LIVE_TRIES; i++) {
		usleep(LIVE_PAUSE_US);
		fsck_confirm_messages(r);
	}
	fsck_sum_up_messages(r);
}

void
fsck_examine(struct fsck_report *r)
{
	enum log_level level = log_enabled(LOG_LEVEL_WARN) ? LOG_LEVEL_WARN : LOG_LEVEL_FATAL;

	log_set_level(LOG_LEVEL_FATAL); /* what the library would say is said by us */
	examine(r);
	log_set_level(level);
}
