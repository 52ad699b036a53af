/* domains: the hosted domains, loaded on demand. See domains.h. */
#include "conf/domains.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/hash.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "conf/domain_include.h"
#include "conf/domains_list.h"
#include "conf/watch.h"

/* An alias of an alias of … : more than this many are a loop or a mistake. */
#define ALIAS_DEPTH 8

/* A name in the root that was asked for: a domain, or an alias of one. */
struct entry {
	TAILQ_ENTRY(entry) link; /* in domains.entries */
	char *name;
	struct domain *domain; /* NULL: an alias */
	char *target;	       /* of the alias: another name in the root */
	int watch;	       /* of its etc; -1: none, look at the files instead */
	bool stale;	       /* something changed */
	uint64_t checked;      /* the decision in which it was last used */
	uint64_t queued;       /* as it was when the entry was put at the end of the list */
	size_t octets;	       /* as counted in domains.octets */
};

TAILQ_HEAD(entries, entry);

struct domains {
	char *root;
	int rootfd; /* -1: not open */
	dev_t dev;
	ino_t ino;
	bool remote_fs; /* others may write without inotify knowing */
	int root_watch;
	bool reopen; /* the root is not the directory it was */
	struct watch *watch;
	struct hash by_name;
	struct entries entries;
	size_t octets;
	struct domains_limits limits;
	domains_complain_fn *complain;
	void *arg;
	uint64_t decision; /* counts domains_begin */
	bool said_unwatched;
	char *first; /* of domains_first; NULL: not known */
};

static void
to_log(const char *text, void *arg)
{
	(void)arg;
	log_warnx("%s", text);
}

static void
tell_errors(struct domains *d, struct config_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++)
		d->complain(errors->v[i].text, d->arg);
	config_errors_release(errors);
}

static void __attribute__((format(printf, 2, 3))) tell(struct domains *d, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	d->complain(text, d->arg);
}

static void
entry_free(struct domains *d, struct entry *e)
{
	hash_remove(&d->by_name, span_str(e->name));
	TAILQ_REMOVE(&d->entries, e, link);
	watch_remove(d->watch, e->watch);
	d->octets -= e->octets;
	domain_free(&e->domain);
	free(e->target);
	free(e->name);
	free(e);
}

static struct entry *
entry_new(struct domains *d, struct span name)
{
	struct entry *e = xcalloc(1, sizeof *e);

	e->name = xspandup(name);
	e->watch = -1;
	hash_insert(&d->by_name, span_str(e->name), e);
	TAILQ_INSERT_TAIL(&d->entries, e, link);
	return e;
}

static void
count_octets(struct domains *d, struct entry *e)
{
	size_t now = sizeof *e + 256 + (e->domain != NULL ? domain_octets(e->domain) : 0);

	d->octets += now - e->octets;
	e->octets = now;
}

static void
forget_first(struct domains *d)
{
	free(d->first);
	d->first = NULL;
}

/* In the root a name came, went, or changed its owner. */
static void
on_root_event(struct domains *d, struct span name, uint32_t mask)
{
	struct entry *e = hash_find(&d->by_name, name);
	char canonical[DOMAIN_MAX + 1];

	if (e != NULL)
		e->stale = true;
	if (mask & (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO))
		forget_first(d);
	if ((mask & (IN_CREATE | IN_MOVED_TO)) && domains_judge_name(name, canonical) < 0)
		tell(d,
		    "%s/%.*s: no mail is taken for this name, expected the canonical form %s",
		    d->root, SPAN_ARG(name), canonical);
	if (mask & (IN_DELETE_SELF | IN_MOVE_SELF))
		d->reopen = true;
	if (mask & IN_IGNORED) {
		d->root_watch = -1;
		d->reopen = true;
	}
}

static void
on_event(void *object, struct span name, uint32_t mask, void *arg)
{
	struct domains *d = arg;
	struct entry *e = object;

	if (object == NULL) { /* events were lost */
		TAILQ_FOREACH (e, &d->entries, link)
			e->stale = true;
		forget_first(d);
	} else if (object == d) {
		on_root_event(d, name, mask);
	} else {
		e->stale = true;
		if (mask & IN_IGNORED)
			e->watch = -1;
	}
}

/* File systems that others write to over a network, or behind the kernel's back. */
static bool
is_remote_fs(int fd)
{
	static const unsigned long types[] = {0x6969 /* NFS */, 0x517b /* SMB */,
	    0xff534d42 /* CIFS */, 0xfe534d42 /* SMB2 */, 0x65735546 /* FUSE */,
	    0x01021997 /* 9P */, 0x00c36400 /* Ceph */, 0x5346414f /* AFS */,
	    0x7461636f /* OCFS2 */, 0x01161970 /* GFS2 */, 0x0bd00bd0 /* Lustre */};
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return true;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (((unsigned long)fs.f_type & 0xffffffff) == types[i])
			return true;
	}
	return false;
}

static void
close_root(struct domains *d)
{
	while (!TAILQ_EMPTY(&d->entries))
		entry_free(d, TAILQ_FIRST(&d->entries));
	watch_remove(d->watch, d->root_watch);
	d->root_watch = -1;
	if (d->rootfd >= 0)
		close(d->rootfd);
	d->rootfd = -1;
	d->reopen = false;
	forget_first(d);
}

/* Once is enough: it is the same for all that follow. */
static void
say_unwatched(struct domains *d, const char *path, int error)
{
	if (d->said_unwatched || d->limits.watches == 0)
		return;
	d->said_unwatched = true;
	log_warnx("%s cannot be watched (%s; try a larger fs.inotify.max_user_watches): where "
		  "that is so "
		  "files are looked at for each question, which is slower",
	    path, strerror(error));
}

static void
open_root(struct domains *d)
{
	struct stat st;

	d->rootfd = open(d->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->rootfd < 0 || fstat(d->rootfd, &st) != 0)
		return;
	d->dev = st.st_dev;
	d->ino = st.st_ino;
	d->remote_fs = is_remote_fs(d->rootfd);
	d->root_watch = d->remote_fs ? -1 : watch_add(d->watch, d->rootfd, d->root, d);
	if (d->remote_fs)
		log_info("%s is on a file system that others may write to: its files are "
			 "looked at for "
			 "each question instead of being watched",
		    d->root);
	else if (d->root_watch < 0)
		say_unwatched(d, d->root, errno);
}

/* Is the root still the directory we opened? A file system may have been mounted there meanwhile. */
static bool
root_is_current(const struct domains *d)
{
	struct stat st;

	return stat(d->root, &st) == 0 && st.st_dev == d->dev && st.st_ino == d->ino;
}

struct domains *
domains_new(const char *root, const struct domains_limits *limits,
    domains_complain_fn *complain, void *arg)
{
	struct domains *d = xcalloc(1, sizeof *d);

	d->root = xstrdup(root);
	d->rootfd = d->root_watch = -1;
	d->limits = *limits;
	d->complain = complain != NULL ? complain : to_log;
	d->arg = arg;
	hash_init(&d->by_name);
	TAILQ_INIT(&d->entries);
	d->watch = watch_new(limits->watches, on_event, d);
	open_root(d);
	return d;
}

void
domains_free(struct domains **dp)
{
	struct domains *d = *dp;

	if (d == NULL)
		return;
	*dp = NULL;
	close_root(d);
	hash_release(&d->by_name);
	watch_free(&d->watch);
	free(d->root);
	free(d);
}

/*
 * Frees the first of the list that was not used since it was put there; those that were go to its
 * end once more. So the list need not be touched at each use, which with many domains would cost more than the look-up.
 */
static void
forget_one(struct domains *d)
{
	struct entry *e = TAILQ_FIRST(&d->entries);

	while (e->checked != e->queued) {
		e->queued = e->checked;
		TAILQ_REMOVE(&d->entries, e, link);
		TAILQ_INSERT_TAIL(&d->entries, e, link);
		e = TAILQ_FIRST(&d->entries);
	}
	entry_free(d, e);
}

void
domains_begin(struct domains *d)
{
	d->decision++;
	watch_drain(d->watch);
	if (d->rootfd < 0 || d->reopen || (d->root_watch < 0 && !root_is_current(d))) {
		close_root(d);
		open_root(d);
	}
	while ((hash_count(&d->by_name) > d->limits.domains || d->octets > d->limits.octets) &&
	       !TAILQ_EMPTY(&d->entries))
		forget_one(d);
}

/* Watches what domain_refresh opened. The watch comes before the next look at the files. */
static void
entry_watch(struct domains *d, struct entry *e, int fd)
{
	if (d->remote_fs || d->root_watch < 0)
		return;
	e->watch = watch_add(d->watch, fd, e->domain->path, e);
	if (e->watch < 0)
		say_unwatched(d, e->domain->path, errno);
}

/* Looks at the domain's files; FOUND, NOT_FOUND (the entry is gone then), or UNKNOWN. */
static enum lookup
entry_refresh(struct domains *d, struct entry *e, struct buf *why)
{
	struct config_errors errors = {NULL, 0, 0};
	ino_t etc_before = e->domain->etc_ino, ino_before = e->domain->ino;
	enum lookup r;
	int fd;

	e->stale = false;
	e->checked = d->decision;
	r = domain_refresh(e->domain, d->rootfd, &errors, &fd);
	if (r == LOOKUP_UNKNOWN)
		buf_addf(why, "%s: cannot be opened: %s", e->name, strerror(errno));
	if (r == LOOKUP_FOUND && (e->watch < 0 || etc_before != e->domain->etc_ino ||
				     ino_before != e->domain->ino)) {
		watch_remove(d->watch, e->watch);
		e->watch = -1;
		entry_watch(d, e, fd);
		/* What changed before the watch was there is seen by looking once more. */
		if (e->watch >= 0) {
			close(fd);
			r = domain_refresh(e->domain, d->rootfd, &errors, &fd);
		}
	}
	if (fd >= 0)
		close(fd);
	tell_errors(d, &errors);
	if (r == LOOKUP_NOT_FOUND)
		entry_free(d, e);
	else if (r == LOOKUP_FOUND)
		count_octets(d, e);
	return r;
}

/* Must the files be looked at before this entry is used? */
static bool
entry_needs_look(const struct domains *d, const struct entry *e)
{
	struct buf why;
	bool usable;

	if (e->stale)
		return true;
	if (e->checked == d->decision)
		return false;
	if (e->watch < 0 || e->domain->is_link)
		return true;
	buf_init(&why, 1024);
	usable = domain_usable(e->domain, &why);
	buf_release(&why);
	return !usable;
}

/* The name in the root that a symbolic link leads to: `name`, `./name` or `<root>/name`. -1 if it leads elsewhere. */
static int
alias_target(const struct domains *d, const char *link, char out[DOMAIN_MAX + 1])
{
	struct span s = span_str(link), root = span_str(d->root);
	char canonical[DOMAIN_MAX + 1];
	size_t len;

	if (s.len > root.len && span_eq(span_first(s, root.len), root) && s.p[root.len] == '/')
		s = span_skip(s, root.len + 1);
	while (span_starts_with(s, "./"))
		s = span_skip(s, 2);
	while (s.len > 0 && s.p[s.len - 1] == '/')
		s.len--;
	if (domain_canonical(s, false, canonical, &len, NULL) != 0 ||
	    !span_eq(s, span_make(canonical, len)))
		return -1;
	memcpy(out, canonical, len + 1);
	return 0;
}

/* Takes up a symbolic link. */
static enum lookup
obtain_alias(struct domains *d, struct span name, struct entry **out, struct buf *why)
{
	char link[PATH_MAX], target[DOMAIN_MAX + 1], *text = xspandup(name);
	ssize_t n = readlinkat(d->rootfd, text, link, sizeof link - 1);
	enum lookup r = LOOKUP_UNKNOWN;

	if (n < 0) {
		buf_addf(why, "%s: %s", text, strerror(errno));
	} else {
		link[n] = '\0';
		if (alias_target(d, link, target) != 0) {
			tell(d,
			    "%s/%s: is a symbolic link to %s, expected one to another "
			    "directory in %s",
			    d->root, text, link, d->root);
			buf_addf(why, "%s is a symbolic link that leads to no domain", text);
		} else {
			*out = entry_new(d, name);
			(*out)->target = xstrdup(target);
			count_octets(d, *out);
			r = LOOKUP_FOUND;
		}
	}
	free(text);
	return r;
}

/* Takes up a name that is not loaded: a directory, a symbolic link, or neither. */
static enum lookup
obtain(struct domains *d, struct span name, struct entry **out, struct buf *why)
{
	char *text = xspandup(name);
	struct stat st;
	int r = fstatat(d->rootfd, text, &st, AT_SYMLINK_NOFOLLOW), error = errno;

	free(text);
	if (r != 0 && error != ENOENT) {
		buf_addf(why, "%.*s: %s", SPAN_ARG(name), strerror(error));
		return LOOKUP_UNKNOWN;
	}
	if (r == 0 && S_ISLNK(st.st_mode))
		return obtain_alias(d, name, out, why);
	if (r != 0 || !S_ISDIR(st.st_mode))
		return LOOKUP_NOT_FOUND;
	*out = entry_new(d, name);
	(*out)->domain = domain_new(d->root, name);
	(*out)->stale = true;
	return LOOKUP_FOUND;
}

/* The entry of a name, looked at if need be. */
static enum lookup
find_entry(struct domains *d, struct span name, struct entry **out, struct buf *why)
{
	struct entry *e = hash_find(&d->by_name, name);
	enum lookup r = LOOKUP_FOUND;

	/* An alias is read again whenever something happened to its name, or nobody would tell us. */
	if (e != NULL && e->target != NULL &&
	    (e->stale || (d->root_watch < 0 && e->checked != d->decision))) {
		entry_free(d, e);
		e = NULL;
	}
	if (e == NULL)
		r = obtain(d, name, &e, why);
	if (r == LOOKUP_FOUND && e->domain != NULL && entry_needs_look(d, e))
		r = entry_refresh(d, e, why);
	if (r != LOOKUP_FOUND)
		return r;
	e->checked = d->decision;
	*out = e;
	return r;
}

/* A canonical domain is never a path: letters, digits, hyphens and dots between them. */
static bool
is_name(struct span name)
{
	return name.len > 0 && name.len <= DOMAIN_MAX && name.p[0] != '.' &&
	       span_index(name, '/') < 0 && !span_has_control(name);
}

enum lookup
domains_find(struct domains *d, struct span name, struct domain **out, struct buf *why)
{
	struct span asked = name;
	enum lookup r = LOOKUP_NOT_FOUND;

	if (!is_name(name))
		return LOOKUP_NOT_FOUND;
	if (d->rootfd < 0) {
		buf_addf(why, "%s cannot be opened", d->root);
		return LOOKUP_UNKNOWN;
	}
	for (unsigned depth = 0; depth < ALIAS_DEPTH; depth++) {
		struct entry *e = NULL;

		r = find_entry(d, name, &e, why);
		if (r != LOOKUP_FOUND)
			break;
		if (e->domain != NULL) {
			*out = e->domain;
			return LOOKUP_FOUND;
		}
		name = span_str(e->target);
	}
	if (r == LOOKUP_FOUND) {
		buf_addf(why, "%.*s: symbolic links lead in a circle", SPAN_ARG(asked));
		return LOOKUP_UNKNOWN;
	}
	if (r == LOOKUP_NOT_FOUND && !span_eq(name, asked)) {
		buf_addf(why, "%.*s is a symbolic link to %.*s, which does not exist",
		    SPAN_ARG(asked), SPAN_ARG(name));
		return LOOKUP_UNKNOWN;
	}
	if (r == LOOKUP_NOT_FOUND && !root_is_current(d)) {
		/* Mounted, or put in place anew: never a reason to refuse for good. */
		d->reopen = true;
		buf_addf(why, "%s is another directory now, ask again", d->root);
		return LOOKUP_UNKNOWN;
	}
	return r;
}

enum lookup
domains_include(struct domains *d, struct domain *domain, struct span path,
    const struct aliases_file **list, const char **file, struct buf *why)
{
	struct config_errors errors = {NULL, 0, 0};
	enum lookup r;

	r = domain_include(domain, d->rootfd, path, d->decision, list, file, &errors, why);
	tell_errors(d, &errors);
	return r;
}

struct first {
	struct domains *d;
	char *name;
};

static void
take_first(const char *name, const char *problem, void *arg)
{
	struct first *f = arg;
	struct stat st;

	if (problem != NULL || (f->name != NULL && strcmp(name, f->name) >= 0) ||
	    fstatat(f->d->rootfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
		return;
	free(f->name);
	f->name = xstrdup(name);
}

enum lookup
domains_first(struct domains *d, char out[DOMAIN_MAX + 1])
{
	struct first f = {d, NULL};

	if (d->first == NULL || d->root_watch < 0) {
		forget_first(d);
		if (domains_list(d->root, take_first, &f) != 0)
			return LOOKUP_UNKNOWN;
		d->first = f.name;
	}
	if (d->first == NULL)
		return LOOKUP_NOT_FOUND;
	snprintf(out, DOMAIN_MAX + 1, "%s", d->first);
	return LOOKUP_FOUND;
}

size_t
domains_loaded(const struct domains *d)
{
	return hash_count(&d->by_name);
}

int
domains_fd(const struct domains *d)
{
	return watch_fd(d->watch);
}

const char *
domains_root(const struct domains *d)
{
	return d->root;
}
