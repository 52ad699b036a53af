/*
 * conf_fixture: a temporary directory with files in it, and what complaints say.
 * For the tests of conf/.
 */
#ifndef TESTS_UNIT_CONF_FIXTURE_H
#define TESTS_UNIT_CONF_FIXTURE_H

#include "tests/unit/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/xalloc.h"
#include "conf/config_errors.h"

/* Whom the domains of a test belong to: root may not own one, and without root it is us. */
#define FIXTURE_UID (geteuid() == 0 ? (uid_t)65001 : geteuid())
#define FIXTURE_GID (geteuid() == 0 ? (gid_t)65001 : getegid())

struct files {
	char root[64];
};

static inline void
files_init(struct files *f)
{
	snprintf(f->root, sizeof f->root, "/tmp/prt-unit-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	assert_int_equal(chmod(f->root, 0755), 0);
}

static inline int
files_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void
files_release(struct files *f)
{
	nftw(f->root, files_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The absolute path of one in the directory; gone with the next call but seven. */
static inline const char *
files_path(const struct files *f, const char *name)
{
	static char paths[8][512];
	static unsigned at;
	char *p = paths[at++ % 8];

	snprintf(p, sizeof paths[0], "%s/%s", f->root, name);
	return p;
}

static inline void
files_mkdir(const struct files *f, const char *name)
{
	const char *path = files_path(f, name);

	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(chown(path, FIXTURE_UID, FIXTURE_GID), 0);
}

/* Writes the file in place, as an editor that truncates does. */
static inline void
files_write(const struct files *f, const char *name, struct span text)
{
	const char *path = files_path(f, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.len), (ssize_t)text.len);
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_int_equal(fchown(fd, FIXTURE_UID, FIXTURE_GID), 0);
	close(fd);
}

/* A domain directory below f with these files; NULL: none. */
static inline void
files_domain(const struct files *f, const char *name, const char *passwd, const char *aliases,
    const char *conf)
{
	char path[300];
	const char *const texts[] = {passwd, aliases, conf};
	static const char *const names[] = {"passwd", "aliases", "domain.conf"};

	files_mkdir(f, name);
	snprintf(path, sizeof path, "%s/etc", name);
	files_mkdir(f, path);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/etc/%s", name, names[i]);
		if (texts[i] != NULL)
			files_write(f, path, span_str(texts[i]));
	}
}

/* Does a complaint hold both texts? */
static inline bool
complaint_has(const struct config_errors *e, const char *place, const char *text)
{
	for (size_t i = 0; i < e->n; i++) {
		if (strstr(e->v[i].text, place) != NULL && strstr(e->v[i].text, text) != NULL)
			return true;
	}
	return false;
}

static inline void
complaints_print(const struct config_errors *e)
{
	for (size_t i = 0; i < e->n; i++)
		print_message("    %s\n", e->v[i].text);
}

#endif
