/* trusted_path: a walk that believes only what root owns. See trusted_path.h. */
#include "common/trusted_path.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40

struct walk {
	struct buf done; /* resolved so far: no links, no "..", no slash at the end */
	struct buf rest; /* names still to go */
	unsigned links;
	struct buf *why;
};

static int
refuse(struct walk *w, const char *what, const char *try)
{
	buf_addf(w->why, "%s %s: %s", w->done.len > 0 ? buf_str(&w->done) : "/", what, try);
	return -1;
}

/* Cuts the next name off the rest into name; 0 at the end. */
static int
next_name(struct walk *w, char name[NAME_MAX + 1])
{
	struct span rest = buf_span(&w->rest), first;

	do {
		first = span_cut(&rest, '/');
	} while (first.len == 0 && rest.p != NULL);
	if (first.len == 0)
		return 0;
	if (first.len > NAME_MAX)
		return -1;
	memcpy(name, first.p, first.len);
	name[first.len] = '\0';
	buf_drop(&w->rest, rest.p != NULL ? w->rest.len - rest.len : w->rest.len);
	return 1;
}

static void
drop_last(struct buf *b)
{
	ptrdiff_t slash = span_rindex(buf_span(b), '/');

	if (slash >= 0) {
		b->len = (size_t)slash;
		b->p[b->len] = '\0';
	}
}

/* A link's target comes before what is left to go. */
static int
follow(struct walk *w)
{
	char target[PATH_MAX];
	ssize_t n = readlink(buf_str(&w->done), target, sizeof target - 1);
	struct buf rest;
	int r;

	if (n <= 0 || ++w->links > LINKS_MAX)
		return refuse(
		    w, "leads nowhere", "too many symbolic links, or an unreadable one");
	buf_init(&rest, w->rest.max);
	r = buf_add(&rest, target, (size_t)n);
	if (r == 0)
		r = buf_addf(&rest, "/%s", buf_str(&w->rest));
	if (r != 0) {
		buf_release(&rest);
		return refuse(w, "leads too far", "the path with its links is too long");
	}
	if (target[0] == '/')
		buf_clear(&w->done);
	else
		drop_last(&w->done);
	buf_release(&w->rest);
	w->rest = rest;
	return 0;
}

static int
check_here(struct walk *w)
{
	struct stat st;

	if (lstat(w->done.len > 0 ? buf_str(&w->done) : "/", &st) != 0)
		return errno == ENOENT && w->rest.len == 0
			   ? 0
			   : refuse(w, "cannot be examined", strerror(errno));
	if (st.st_uid != 0)
		return refuse(w, "is not owned by root", "chown it, or use another place");
	if (S_ISLNK(st.st_mode))
		return follow(w);
	if (!S_ISDIR(st.st_mode))
		return refuse(w, "is not a directory", "remove it, or use another place");
	if ((st.st_mode & 022) != 0 && (st.st_mode & S_ISVTX) == 0)
		return refuse(w, "is writable by others than root",
		    "chmod go-w it, or use another place");
	return 0;
}

int
trusted_path_check(const char *path, struct buf *why)
{
	struct walk w = {.why = why};
	char name[NAME_MAX + 1];
	int r;

	buf_init(&w.done, 4 * PATH_MAX);
	buf_init(&w.rest, 4 * PATH_MAX);
	r = path[0] == '/' && buf_add_str(&w.rest, path) == 0
		? check_here(&w)
		: refuse(&w, "is not where the path begins", "give an absolute path");
	while (r == 0 && (r = next_name(&w, name)) == 1) {
		if (strcmp(name, ".") == 0) {
			r = 0;
		} else if (strcmp(name, "..") == 0) {
			drop_last(&w.done);
			r = 0;
		} else {
			r = buf_addf(&w.done, "/%s", name) == 0 ? check_here(&w) : -1;
		}
	}
	if (r != 0 && why->len == 0)
		buf_addf(why, "%s: a name in this path is too long", path);
	buf_release(&w.done);
	buf_release(&w.rest);
	return r;
}
