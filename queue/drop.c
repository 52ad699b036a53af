/* drop: takes in the files of spool/drop/. See drop.h. */
#include "queue/drop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/log_value.h"
#include "common/xalloc.h"
#include "queue/bounce.h"
#include "queue/drop_delays.h"
#include "queue/drop_file.h"
#include "queue/drop_report.h"
#include "queue/dsn.h"
#include "queue/drop_session.h"
#include "queue/quarantine.h"

#define LOOK_SEC       1
#define UNFINISHED_SEC 86400 /* a file whose writer died is removed after this long */
#define HEAD_FIRST     65536

/* The file being submitted. */
struct drop_work {
	char *name;
	int fd;
	uid_t owner;
	struct drop_file file;
	size_t head_size;
	struct bounce_recipient *refused;
	size_t nrefused;
	struct drop_message message;
};

struct drop {
	struct event_base *base;
	struct event *look;
	int dirfd, corruptfd;
	char *submit_path, *hostname;
	struct drop_work *work;
	struct drop_session *session;
	struct drop_delays delays;
	uint64_t lifetime_ms; /* after this long what cannot be submitted is given up */
};

static void on_look(evutil_socket_t, short, void *);

static void
look_in(struct drop *d, int seconds)
{
	event_add(d->look, &(struct timeval){seconds, 0});
}

static void
work_free(struct drop_work **wp)
{
	struct drop_work *w = *wp;

	if (w == NULL)
		return;
	*wp = NULL;
	if (w->fd >= 0)
		close(w->fd);
	drop_file_release(&w->file);
	free(w->refused);
	free(w->name);
	free(w);
}

/* Reads the head of the file into w->file. NULL, or what is wrong with it. */
static const char *
read_head(struct drop_work *w, const struct stat *st)
{
	const char *why = "it has no whole head";
	size_t want = HEAD_FIRST;
	char *p = NULL;

	for (;;) {
		enum drop_result r;
		ssize_t n;

		p = xrealloc(p, want);
		n = pread(w->fd, p, want, 0);
		r = n < 0 ? DROP_BAD
			  : drop_file_parse(
				span_make(p, (size_t)n), &w->file, &w->head_size, &why);
		if (r == DROP_SHORT && (size_t)n == want && want < DROP_HEAD_MAX) {
			want *= 4;
			continue;
		}
		free(p);
		if (r != DROP_OK)
			return why;
		break;
	}
	if (w->head_size + w->file.size != (uint64_t)st->st_size)
		return "its content is not as long as it says";
	return NULL;
}

/* An error that says nothing about the file. */
static bool
is_passing(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == EINTR;
}

/* NULL, or why this file is not believed; *passing: it may be another time. */
static const char *
open_file(struct drop *d, struct drop_work *w, bool *passing)
{
	struct stat st, dir;

	w->fd = openat(d->dirfd, w->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	*passing = w->fd < 0 && is_passing(errno);
	if (w->fd < 0)
		return strerror(errno);
	if (fstat(w->fd, &st) != 0 || fstat(d->dirfd, &dir) != 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "it is not a regular file";
	if (st.st_nlink != 1)
		return "it has more than one link";
	if (st.st_gid != dir.st_gid)
		return "it does not have the directory's group: it was made elsewhere";
	w->owner = st.st_uid;
	return read_head(w, &st);
}

static void
remove_file(struct drop *d)
{
	if (unlinkat(d->dirfd, d->work->name, 0) != 0)
		log_warn("drop/%s", d->work->name);
	(void)fsync(d->dirfd);
}

static void
on_refused(size_t i, const struct verdict *v, void *arg)
{
	struct drop *d = arg;
	struct drop_work *w = d->work;
	struct bounce_recipient *r;

	log_info("drop=%s to=<%s> refused: %d %s %s", w->name,
	    LOG_ADDRESS(w->message.recipients[i]), v->code, v->status, v->text);
	w->refused = xreallocarray(w->refused, w->nrefused + 1, sizeof *w->refused);
	r = &w->refused[w->nrefused++];
	*r = (struct bounce_recipient){.original = w->file.recipients[i],
	    .address = w->file.recipients[i],
	    .mta = span_str(""),
	    .verdict = *v};
}

/* Refused as a whole: every recipient that has no verdict yet gets this one. */
static void
refuse_all(struct drop_work *w, const struct verdict *v)
{
	if (w->nrefused == w->file.nrecipients)
		return;
	free(w->refused);
	w->refused = xcalloc(w->file.nrecipients, sizeof *w->refused);
	w->nrefused = w->file.nrecipients;
	for (size_t i = 0; i < w->nrefused; i++)
		w->refused[i] = (struct bounce_recipient){.original = w->file.recipients[i],
		    .address = w->file.recipients[i],
		    .mta = span_str(""),
		    .verdict = *v};
}

static void
end_work(struct drop *d)
{
	work_free(&d->work);
	look_in(d, 0);
}

static void
put_off(struct drop *d)
{
	drop_delays_put_off(&d->delays, d->work->name, clock_mono_ms());
	end_work(d);
}

/*
 * Out of the way. A directory that somebody made cannot be moved by us: it is removed if it
 * is empty, and else left where it is, but not looked at all the time.
 */
static void
set_aside(struct drop *d, const char *why)
{
	const char *name = d->work->name;

	if (quarantine_move(d->dirfd, name, d->corruptfd, why) == 0 ||
	    unlinkat(d->dirfd, name, AT_REMOVEDIR) == 0)
		end_work(d);
	else
		put_off(d);
}

/*
 * The owner is told who was refused: the report is a file in drop/ like any other. What it tells of is
 * over then, and is never submitted again to those who took it, however long the report has to wait.
 */
static int
leave_report(struct drop *d)
{
	const struct drop_work *w = d->work;
	struct drop_report r = {.hostname = d->hostname,
	    .name = w->name,
	    .to = w->file.from,
	    .envid = w->file.envid,
	    .arrived = clock_wall(),
	    .refused = w->refused,
	    .nrefused = w->nrefused};
	struct stat st;

	if ((dsn_notify_parse(w->file.notify) & NOTIFY_FAILURE) == 0) {
		log_info(
		    "drop=%s not told: its sender asked not to be told of failures", w->name);
		return 0;
	}
	if (fstat(w->fd, &st) == 0)
		r.arrived = st.st_mtime;
	return drop_report_write(d->dirfd, &r);
}

static bool
too_old(const struct drop *d, const struct drop_work *w)
{
	struct stat st;

	return fstat(w->fd, &st) == 0 &&
	       (clock_wall() - st.st_mtime) * 1000 > (int64_t)d->lifetime_ms;
}

static void
on_done(const struct verdict *v, void *arg)
{
	struct drop *d = arg;
	struct drop_work *w = d->work;

	d->session = NULL;
	if (v->kind == VERDICT_TEMPORARY && !too_old(d, w)) {
		log_info("drop=%s not taken in yet: %s", w->name, v->text);
		put_off(d);
		return;
	}
	if (v->kind != VERDICT_OK)
		refuse_all(w, v);
	log_info("drop=%s uid=%d from=<%s> submitted, %zu refused: %s", w->name, (int)w->owner,
	    LOG_ADDRESS(w->file.from), w->nrefused, v->text);
	if (w->nrefused > 0 && (w->file.from.len == 0 || leave_report(d) != 0)) {
		set_aside(d, "recipients were refused and nobody could be told");
		return;
	}
	remove_file(d);
	end_work(d);
}

static const struct drop_session_ops session_ops = {
    .on_refused = on_refused, .on_done = on_done};

static void
start_session(struct drop *d)
{
	d->session =
	    drop_session_new(d->base, d->submit_path, &d->work->message, &session_ops, d);
}

static void
start_work(struct drop *d, const char *name)
{
	struct drop_work *w = xcalloc(1, sizeof *w);
	const char *why;
	bool passing;

	d->work = w;
	w->name = xstrdup(name);
	why = open_file(d, w, &passing);
	if (why != NULL && passing) {
		log_warnx("drop=%s not taken in yet: %s", name, why);
		put_off(d);
		return;
	}
	if (why != NULL) {
		set_aside(d, why);
		return;
	}
	w->message = (struct drop_message){.submitter = w->owner,
	    .envid = w->file.envid,
	    .ret = w->file.ret,
	    .notify = w->file.notify,
	    .from = w->file.from,
	    .recipients = w->file.recipients,
	    .nrecipients = w->file.nrecipients,
	    .eight_bit = w->file.eight_bit,
	    .utf8 = w->file.utf8,
	    .fd = w->fd,
	    .offset = w->head_size,
	    .size = w->file.size};
	start_session(d);
}

static void
remove_unfinished(struct drop *d, const char *name)
{
	struct stat st;

	if (fstatat(d->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_mtime + UNFINISHED_SEC < clock_wall() && unlinkat(d->dirfd, name, 0) == 0)
		log_info("drop=%s removed: never finished", name);
}

/* The name of a whole file into out; false if there is none. */
static bool
find_file(struct drop *d, char out[DROP_NAME_SIZE])
{
	int fd = openat(d->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	uint64_t now = clock_mono_ms();
	bool found = false;

	if (dir == NULL)
		return false;
	drop_delays_begin_look(&d->delays);
	while (!found && (e = readdir(dir)) != NULL) {
		struct span name = span_str(e->d_name);

		if (drop_file_name_unfinished(name))
			remove_unfinished(d, e->d_name);
		found = drop_file_name_valid(name) &&
			drop_delays_may_try(&d->delays, e->d_name, now);
		if (found)
			memcpy(out, name.p, name.len + 1); /* a valid name fits exactly */
	}
	/* Only a look that came to the end knows what is gone. */
	if (!found)
		drop_delays_end_look(&d->delays);
	closedir(dir);
	return found;
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct drop *d = arg;
	char name[DROP_NAME_SIZE];
	uint64_t began = clock_mono_ms();

	(void)fd, (void)what;
	if (d->work != NULL)
		return;
	if (find_file(d, name))
		start_work(d, name);
	else /* whoever fills the directory does not get all our time for it */
		look_in(d, LOOK_SEC + (int)((clock_mono_ms() - began) / 50));
}

struct drop *
drop_new(struct event_base *base, int spoolfd, const char *submit_path, const char *hostname,
    uint64_t lifetime_ms)
{
	struct drop *d = xcalloc(1, sizeof *d);

	d->base = base;
	d->lifetime_ms = lifetime_ms;
	drop_delays_init(&d->delays);
	d->submit_path = xstrdup(submit_path);
	d->hostname = xstrdup(hostname);
	d->look = evtimer_new(base, on_look, d);
	d->dirfd = openat(spoolfd, "drop", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d->corruptfd =
	    openat(spoolfd, "corrupt", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d->dirfd < 0 || d->corruptfd < 0)
		log_warn("spool: drop/ is not looked at");
	else
		look_in(d, 0);
	return d;
}

void
drop_free(struct drop **dp)
{
	struct drop *d = *dp;

	if (d == NULL)
		return;
	*dp = NULL;
	drop_session_free(&d->session);
	work_free(&d->work);
	drop_delays_release(&d->delays);
	event_free(d->look);
	if (d->dirfd >= 0)
		close(d->dirfd);
	if (d->corruptfd >= 0)
		close(d->corruptfd);
	free(d->submit_path);
	free(d->hostname);
	free(d);
}
