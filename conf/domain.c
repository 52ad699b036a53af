/*
 * domain: one hosted domain and its files. See domain.h. Every path below the
 * domain's directory is opened beneath it, whatever links its owner made.
 */
#include "conf/domain.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/xalloc.h"
#include "conf/domain_include.h"

/*
 * An editor may rename a file away before the new one is there, so passwd vanishing does
 * not mean at once that all users are gone.
 */
#define GONE_GRACE_MS 60000

/* Reading costs the domain ten times as long, and may run ahead by so much: microseconds. */
#define LOAD_COST    10
#define LOAD_AT_ONCE 1000000

static const char *const file_names[DOMAIN_FILES] = {
    [DOMAIN_PASSWD] = "etc/passwd",
    [DOMAIN_ALIASES] = "etc/aliases",
    [DOMAIN_CONF] = "etc/domain.conf",
};

static const size_t file_sizes[DOMAIN_FILES] = {
    [DOMAIN_PASSWD] = PASSWD_MAX,
    [DOMAIN_ALIASES] = ALIASES_MAX,
    [DOMAIN_CONF] = 64U << 10,
};

struct domain *
domain_new(const char *root, struct span name)
{
	struct domain *d = xcalloc(1, sizeof *d);

	d->name = xspandup(name);
	d->path = xasprintf("%s/%s", root, d->name);
	domain_conf_init(&d->conf);
	return d;
}

/* Nothing is loaded any more. */
static void
forget(struct domain *d)
{
	for (size_t i = 0; i < DOMAIN_FILES; i++) {
		free(d->source[i].problem);
		d->source[i] = (struct domain_source){.seen = false};
	}
	free(d->problem);
	d->problem = NULL;
	d->gone_since = 0;
	passwd_release(&d->passwd);
	aliases_release(&d->aliases);
	domain_conf_release(&d->conf);
	domain_conf_init(&d->conf);
	domain_includes_release(d);
}

void
domain_free(struct domain **dp)
{
	struct domain *d = *dp;

	if (d == NULL)
		return;
	*dp = NULL;
	forget(d);
	domain_conf_release(&d->conf);
	free(d->name);
	free(d->path);
	free(d);
}

char *
domain_file_path(const struct domain *d, enum domain_file file)
{
	return xasprintf("%s/%s", d->path, file_names[file]);
}

/* Parses text and, if it can be used, puts it in the place of what was in force. */
static int
parse_file(struct domain *d, enum domain_file file, struct span text, const char *path,
    struct config_errors *errors)
{
	struct passwd_file passwd;
	struct aliases_file aliases;
	struct domain_conf conf;
	int r;

	switch (file) {
	case DOMAIN_PASSWD:
		r = passwd_parse(&passwd, text, path, span_str(d->path), errors);
		passwd_release(r == 0 ? &d->passwd : &passwd);
		if (r == 0)
			d->passwd = passwd;
		return r;
	case DOMAIN_ALIASES:
		r = aliases_parse(&aliases, text, path, errors);
		aliases_release(r == 0 ? &d->aliases : &aliases);
		if (r == 0)
			d->aliases = aliases;
		return r;
	case DOMAIN_CONF:
		r = domain_conf_parse(&conf, text, path, errors);
		domain_conf_release(r == 0 ? &d->conf : &conf);
		if (r == 0)
			d->conf = conf;
		return r;
	case DOMAIN_FILES:
		break;
	}
	return -1;
}

/* The file is not there: what it would say is nothing. */
static void
unload_file(struct domain *d, enum domain_file file)
{
	struct domain_source *s = &d->source[file];

	if (file == DOMAIN_PASSWD) {
		if (s->in_force && d->gone_since == 0)
			d->gone_since = clock_mono_ms();
		passwd_release(&d->passwd);
	} else if (file == DOMAIN_ALIASES) {
		aliases_release(&d->aliases);
	} else {
		domain_conf_release(&d->conf);
		domain_conf_init(&d->conf);
	}
	s->in_force = false;
}

static void
set_problem(char **problem, const char *text)
{
	free(*problem);
	*problem = text != NULL ? xstrdup(text) : NULL;
}

/* Names the first line of those complained of from `before` on, for who sees a reply or an explanation and not the log. */
static void
set_unparsed(char **problem, const struct config_errors *errors, size_t before)
{
	char text[64] = "cannot be parsed";

	for (size_t i = before; errors != NULL && i < errors->n; i++) {
		if (errors->v[i].line == 0)
			continue;
		snprintf(
		    text, sizeof text, "cannot be parsed: look at line %u", errors->v[i].line);
		break;
	}
	set_problem(problem, text);
}

static void
load_file(struct domain *d, int dirfd, enum domain_file file, struct config_errors *errors)
{
	struct domain_source *s = &d->source[file];
	char *path = domain_file_path(d, file);
	size_t before = errors != NULL ? errors->n : 0;
	struct buf text, why;

	buf_init(&text, file_sizes[file]);
	buf_init(&why, 1024);
	set_problem(&s->problem, NULL);
	switch (datafile_read(dirfd, file_names[file], true, d->uid, &text, &s->stamp, &why)) {
	case DATAFILE_MISSING:
		unload_file(d, file);
		break;
	case DATAFILE_REFUSED:
		config_errors_add(errors, path, 0, "%s%s", buf_str(&why),
		    s->in_force ? "; the version before stays in force" : "");
		set_problem(&s->problem, buf_str(&why));
		break;
	case DATAFILE_OK:
		if (file == DOMAIN_PASSWD)
			d->gone_since = 0;
		if (parse_file(d, file, buf_span(&text), path, errors) == 0) {
			s->in_force = true;
			s->root_owned = s->stamp.uid == 0;
			break;
		}
		if (s->in_force)
			config_errors_add(errors, path, 0,
			    "nothing in it can be used, the version before stays in force");
		set_unparsed(&s->problem, errors, before);
		break;
	}
	s->seen = true;
	buf_release(&text);
	buf_release(&why);
	free(path);
}

static bool
is_symlink(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

uint64_t
domain_load_begin(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t); /* cannot fail for this clock */
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void
domain_load_end(struct domain *d, uint64_t began)
{
	uint64_t now = domain_load_begin();

	if (d->rest_until < now)
		d->rest_until = now;
	d->rest_until += (now - began) * LOAD_COST;
}

bool
domain_may_load(const struct domain *d)
{
	return d->rest_until < domain_load_begin() + LOAD_AT_ONCE;
}

static void
load_changed(struct domain *d, int dirfd, struct config_errors *errors)
{
	d->is_link = is_symlink(dirfd, "etc");
	d->behind = false;
	for (size_t i = 0; i < DOMAIN_FILES; i++) {
		const struct domain_source *s = &d->source[i];
		struct datafile_stamp now;
		uint64_t began;

		datafile_stamp(dirfd, file_names[i], &now);
		if (s->seen && datafile_stamp_equal(&now, &s->stamp)) {
			/* nothing new */
		} else if (s->seen && !domain_may_load(d)) {
			d->behind = true;
		} else {
			began = domain_load_begin();
			load_file(d, dirfd, (enum domain_file)i, errors);
			domain_load_end(d, began);
		}
		d->is_link = d->is_link || is_symlink(dirfd, file_names[i]);
	}
}

/* The directory is the one we know, or everything known is of another. */
static void
take_directory(struct domain *d, const struct stat *st)
{
	bool same = d->dev == st->st_dev && d->ino == st->st_ino;
	bool same_owner = d->uid == st->st_uid && d->gid == st->st_gid;

	if (!same)
		forget(d);
	/* Whose files may be believed depends on the owner. */
	for (size_t i = 0; !same_owner && i < DOMAIN_FILES; i++)
		d->source[i].seen = false;
	d->dev = st->st_dev;
	d->ino = st->st_ino;
	d->uid = st->st_uid;
	d->gid = st->st_gid;
}

/* etc as an O_PATH descriptor, -1 if there is none; *why says what must not be about it. */
static int
open_etc(struct domain *d, int dirfd, struct buf *why)
{
	int fd = datafile_open_beneath(dirfd, "etc", O_PATH | O_DIRECTORY);
	struct stat st;

	d->etc_ino = 0;
	if (fd < 0 || fstat(fd, &st) != 0) {
		if (errno != ENOENT)
			buf_addf(why, "etc cannot be opened: %s", strerror(errno));
		return fd;
	}
	d->etc_ino = st.st_ino;
	buf_add_str(why, "etc ");
	if (datafile_trusted(&st, d->uid, why))
		buf_clear(why);
	return fd;
}

/* The directory itself, no symbolic link; -1 and errno. */
static int
open_directory(const struct domain *d, int rootfd)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
	    .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH};

	return (int)syscall(SYS_openat2, rootfd, d->name, &how, sizeof how);
}

/* Complains about the directory once, as long as it is the same complaint. */
static void
judge_directory(struct domain *d, const char *why, struct config_errors *errors)
{
	if (*why != '\0' && (d->problem == NULL || strcmp(d->problem, why) != 0))
		config_errors_add(errors, d->path, 0, "%s", why);
	set_problem(&d->problem, *why != '\0' ? why : NULL);
}

/* Most questions find nothing wrong; they shall find that out by one look. */
static void
settle(struct domain *d)
{
	d->settled = d->problem == NULL && d->source[DOMAIN_PASSWD].in_force;
	for (size_t i = 0; i < DOMAIN_FILES; i++)
		d->settled = d->settled && d->source[i].problem == NULL;
}

enum lookup
domain_refresh(struct domain *d, int rootfd, struct config_errors *errors, int *watchfd)
{
	int dirfd = open_directory(d, rootfd), etc = -1;
	struct stat st;
	struct buf why;

	*watchfd = -1;
	if (dirfd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? LOOKUP_NOT_FOUND
									     : LOOKUP_UNKNOWN;
	if (fstat(dirfd, &st) != 0) {
		close(dirfd);
		return LOOKUP_UNKNOWN;
	}
	buf_init(&why, 1024);
	take_directory(d, &st);
	if (datafile_trusted(&st, st.st_uid, &why))
		etc = open_etc(d, dirfd, &why);
	judge_directory(d, buf_str(&why), errors);
	if (d->problem == NULL)
		load_changed(d, dirfd, errors);
	buf_release(&why);
	settle(d);
	*watchfd = etc >= 0 ? etc : dirfd;
	if (etc >= 0)
		close(dirfd);
	return LOOKUP_FOUND;
}

bool
domain_usable(const struct domain *d, struct buf *why)
{
	const struct domain_source *passwd = &d->source[DOMAIN_PASSWD];
	bool loaded = passwd->in_force || d->source[DOMAIN_ALIASES].in_force;

	if (d->settled)
		return true;
	if (d->problem != NULL && !loaded) {
		buf_addf(why, "%s: %s", d->name, d->problem);
		return false;
	}
	for (size_t i = 0; i < DOMAIN_FILES; i++) {
		if (d->source[i].problem != NULL && !d->source[i].in_force) {
			buf_addf(
			    why, "%s/%s: %s", d->name, file_names[i], d->source[i].problem);
			return false;
		}
	}
	if (passwd->in_force)
		return true;
	if (!loaded ||
	    (d->gone_since != 0 && clock_mono_ms() - d->gone_since < GONE_GRACE_MS)) {
		buf_addf(why,
		    "%s/etc/passwd: does not exist, expected a file, empty if there are no "
		    "mailboxes",
		    d->name);
		return false;
	}
	return true;
}

int
domain_user_ids(const struct domain *d, const struct passwd_user *u, bool privileged,
    const struct domain_ids *self, struct domain_ids *ids, struct buf *why)
{
	*ids = *self;
	if (!privileged)
		return 0;
	ids->uid = u->has_uid ? u->uid : d->uid;
	ids->gid = u->has_gid ? u->gid : d->gid;
	if (ids->uid == 0 || ids->gid == 0) {
		buf_addf(why,
		    "%s belongs to %s, whom mail is not delivered as: chown it to a user and "
		    "group of its "
		    "own, or give uid and gid in etc/passwd",
		    d->name, ids->uid == 0 ? "root" : "the group root");
		return -1;
	}
	if ((ids->uid != d->uid || ids->gid != d->gid) &&
	    !d->source[DOMAIN_PASSWD].root_owned) {
		buf_addf(why,
		    "%s/etc/passwd:%u: only a passwd file that belongs to root may name "
		    "another uid or gid "
		    "than the directory's own (%lu:%lu)",
		    d->name, u->line, (unsigned long)d->uid, (unsigned long)d->gid);
		return -1;
	}
	return 0;
}

size_t
domain_octets(const struct domain *d)
{
	return sizeof *d + 512 + d->passwd.nusers * sizeof(struct passwd_user) +
	       d->passwd.text_len + d->aliases.naliases * sizeof(struct alias) +
	       d->aliases.ntargets * sizeof(struct alias_target) + d->aliases.text_len +
	       domain_includes_octets(d);
}
