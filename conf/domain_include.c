/* domain_include: lists that aliases name. See domain_include.h. */
#include "conf/domain_include.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "conf/fold.h"

struct domain_include {
	struct domain_include *next;
	char *file; /* relative to the domain: "etc/staff" */
	struct datafile_stamp stamp;
	struct aliases_file list;
	bool tried; /* stamp and problem are of its last version */
	bool in_force;
	char *problem;
	uint64_t decision; /* in which it was last looked at */
};

static void
include_free(struct domain_include *i)
{
	aliases_release(&i->list);
	free(i->file);
	free(i->problem);
	free(i);
}

void
domain_includes_release(struct domain *d)
{
	while (d->includes != NULL) {
		struct domain_include *i = d->includes;

		d->includes = i->next;
		include_free(i);
	}
}

size_t
domain_includes_octets(const struct domain *d)
{
	size_t n = 0;

	for (const struct domain_include *i = d->includes; i != NULL; i = i->next)
		n += sizeof *i + i->list.ntargets * sizeof(struct alias_target) +
		     i->list.text_len;
	return n;
}

/* A path as written to one relative to the domain: "staff", "/etc/staff", "<domain's path>/etc/staff". */
static int
include_path(const struct domain *d, struct span path, char out[FOLD_PATH_MAX + 8])
{
	char relative[FOLD_PATH_MAX + 1];
	bool absolute = path.len > 0 && path.p[0] == '/';

	if (fold_path(path, span_str(d->path), relative) != 0)
		return -1;
	if (absolute && !span_starts_with(span_str(relative), "etc/"))
		return -1;
	snprintf(out, FOLD_PATH_MAX + 8, "%s%s", absolute ? "" : "etc/", relative);
	return 0;
}

/*
 * Does a name say that passwords are inside: passwd, a copy of it that an editor or a person keeps (passwd-, passwd.old), or
 * a version being written (.passwd.1.new)?
 */
static bool
is_passwords(const char *file)
{
	const char *slash = strrchr(file, '/');
	struct span name = span_str(slash != NULL ? slash + 1 : file);

	if (span_starts_with(name, "."))
		name = span_skip(name, 1);
	return span_starts_with_nocase(name, "passwd") &&
	       (name.len == 6 || strchr(".-~,_#", name.p[6]) != NULL);
}

/* By whatever name: the domain's passwd? */
static bool
is_passwd(int dirfd, const struct datafile_stamp *stamp)
{
	struct datafile_stamp passwd;

	datafile_stamp(dirfd, "etc/passwd", &passwd);
	return passwd.exists && stamp->exists && passwd.dev == stamp->dev &&
	       passwd.ino == stamp->ino;
}

/* NULL: there are too many. */
static struct domain_include *
include_obtain(struct domain *d, const char *file, bool *is_new)
{
	struct domain_include *i = d->includes;
	size_t n = 0;

	for (; i != NULL && strcmp(i->file, file) != 0; i = i->next)
		n++;
	*is_new = i == NULL;
	if (i == NULL && n < DOMAIN_INCLUDES_MAX &&
	    domain_includes_octets(d) < DOMAIN_INCLUDES_OCTETS_MAX) {
		i = xcalloc(1, sizeof *i);
		i->file = xstrdup(file);
		i->next = d->includes;
		d->includes = i;
	}
	return i;
}

static void
include_load(
    struct domain *d, int dirfd, struct domain_include *i, struct config_errors *errors)
{
	char *path = xasprintf("%s/%s", d->path, i->file);
	enum datafile_result r;
	struct buf text, why;

	buf_init(&text, ALIASES_MAX);
	buf_init(&why, 1024);
	free(i->problem);
	i->problem = NULL;
	r = datafile_read(dirfd, i->file, true, d->uid, &text, &i->stamp, &why);
	if (r == DATAFILE_OK && is_passwd(dirfd, &i->stamp)) {
		buf_add_str(&why, "expected a list of addresses, this is the domain's passwd");
		r = DATAFILE_REFUSED;
	}
	if (r == DATAFILE_OK) {
		aliases_release(&i->list);
		aliases_parse_list(&i->list, buf_span(&text), path, errors);
		i->in_force = true;
	} else {
		if (r == DATAFILE_MISSING)
			buf_add_str(&why, "does not exist");
		config_errors_add(errors, path, 0, "%s%s", buf_str(&why),
		    i->in_force ? "; the version before stays in force" : "");
		i->problem = buf_take(&why);
	}
	buf_release(&text);
	buf_release(&why);
	free(path);
}

static void
include_refresh(
    struct domain *d, int rootfd, struct domain_include *i, struct config_errors *errors)
{
	int dirfd = openat(rootfd, d->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct datafile_stamp now;

	if (dirfd < 0)
		return;
	datafile_stamp(dirfd, i->file, &now);
	if ((!i->tried || !datafile_stamp_equal(&now, &i->stamp)) && domain_may_load(d)) {
		uint64_t began = domain_load_begin();

		i->tried = true;
		include_load(d, dirfd, i, errors);
		domain_load_end(d, began);
	}
	close(dirfd);
}

enum lookup
domain_include(struct domain *d, int rootfd, struct span path, uint64_t decision,
    const struct aliases_file **list, const char **file, struct config_errors *errors,
    struct buf *why)
{
	char name[FOLD_PATH_MAX + 8];
	struct domain_include *i;
	bool is_new;

	if (include_path(d, path, name) != 0) {
		buf_addf(why, ":include:%.*s: expected a file in the domain's etc",
		    SPAN_ARG(span_first(path, 100)));
		return LOOKUP_UNKNOWN;
	}
	if (is_passwords(name)) {
		buf_addf(why, ":include:%s: expected a list of addresses, not one of passwords",
		    name);
		return LOOKUP_UNKNOWN;
	}
	i = include_obtain(d, name, &is_new);
	if (i == NULL) {
		buf_addf(
		    why, ":include:%s: expected fewer or smaller lists in one domain", name);
		return LOOKUP_UNKNOWN;
	}
	if (is_new || i->decision != decision)
		include_refresh(d, rootfd, i, errors);
	i->decision = decision;
	*list = &i->list;
	*file = i->file;
	if (i->in_force)
		return LOOKUP_FOUND;
	buf_addf(why, "%s/%s: %s", d->name, i->file,
	    i->problem != NULL ? i->problem
	    : i->tried	       ? "cannot be opened"
			       : "waits to be read");
	return LOOKUP_UNKNOWN;
}
