/* domains: the hosted domains, loaded on demand. See domains.h. */
#include "conf/domains.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hash.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "conf/domain_include.h"
#include "conf/domains_private.h"

/* An alias of an alias of … : more than this many are a loop or a mistake. */
#define ALIAS_DEPTH 8

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

void
domains_tell(struct domains *d, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	d->complain(text, d->arg);
}

void
domains_entry_free(struct domains *d, struct entry *e)
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

struct domains *
domains_new(const char *root, const struct domains_limits *limits,
    domains_complain_fn *complain, void *arg)
{
	struct domains *d = xcalloc(1, sizeof *d);

	d->root = xstrdup(root);
	d->rootfd = d->root_watch = -1;
	d->root_looked = UINT64_MAX;
	d->limits = *limits;
	d->complain = complain != NULL ? complain : to_log;
	d->arg = arg;
	hash_init(&d->by_name);
	absent_names_init(&d->absent);
	TAILQ_INIT(&d->entries);
	d->watch = watch_new(limits->watches, domains_on_event, d);
	domains_open_root(d);
	return d;
}

void
domains_free(struct domains **dp)
{
	struct domains *d = *dp;

	if (d == NULL)
		return;
	*dp = NULL;
	domains_close_root(d);
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
	domains_entry_free(d, e);
}

void
domains_begin(struct domains *d)
{
	d->decision++;
	watch_drain(d->watch);
	if (d->rootfd < 0 || d->reopen || (d->root_watch < 0 && !domains_root_is_current(d))) {
		domains_close_root(d);
		domains_open_root(d);
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
		domains_say_unwatched(d, e->domain->path, errno);
}

/* Looks at the domain's files; FOUND, NOT_FOUND (the entry is gone then), or UNKNOWN. */
static enum lookup
entry_refresh(struct domains *d, struct entry *e, struct buf *why)
{
	struct config_errors errors = {.v = NULL};
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
		domains_entry_free(d, e);
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
	if (e->watch < 0 || e->domain->is_link || e->domain->behind)
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
			domains_tell(d,
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
	char *text;
	struct stat st;
	int r, error;

	if (absent_names_has(&d->absent, name))
		return LOOKUP_NOT_FOUND;
	text = xspandup(name);
	r = fstatat(d->rootfd, text, &st, AT_SYMLINK_NOFOLLOW);
	error = errno;
	free(text);
	if (r != 0 && error != ENOENT) {
		buf_addf(why, "%.*s: %s", SPAN_ARG(name), strerror(error));
		return LOOKUP_UNKNOWN;
	}
	if (r == 0 && S_ISLNK(st.st_mode))
		return obtain_alias(d, name, out, why);
	if (r != 0 || !S_ISDIR(st.st_mode)) {
		/* What is watched says so before the name is asked for again. */
		if (d->root_watch >= 0)
			absent_names_add(&d->absent, name);
		return LOOKUP_NOT_FOUND;
	}
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
		domains_entry_free(d, e);
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
	if (r == LOOKUP_NOT_FOUND && !domains_root_is_current(d)) {
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
	struct config_errors errors = {.v = NULL};
	enum lookup r;

	r = domain_include(domain, d->rootfd, path, d->decision, list, file, &errors, why);
	tell_errors(d, &errors);
	return r;
}

int
domains_open(const struct domains *d, const struct domain *domain)
{
	return openat(d->rootfd, domain->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
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
