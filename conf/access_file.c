/* access_file: the access table in force. See access_file.h. */
#include "conf/access_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "conf/datafile.h"

struct access_file {
	char *path;
	uid_t owner;
	struct access_table *table;
	struct datafile_stamp stamp; /* of the version that was read, good or bad */
	uint64_t looked_ms;
};

/* *stamp is that of what was read. */
static struct access_table *
load(const char *path, uid_t owner, struct datafile_stamp *stamp, struct config_errors *errors,
    unsigned *foreign)
{
	struct access_table *t = NULL;
	enum datafile_result r;
	struct buf text, why;

	buf_init(&text, ACCESS_TABLE_MAX);
	buf_init(&why, 1024);
	r = datafile_read(AT_FDCWD, path, false, owner, &text, stamp, &why);
	if (r == DATAFILE_OK)
		t = access_table_parse(buf_span(&text), path, errors, foreign);
	else
		config_errors_add(errors, path, 0, "%s",
		    r == DATAFILE_MISSING ? "does not exist" : buf_str(&why));
	buf_release(&text);
	buf_release(&why);
	return t;
}

struct access_table *
access_file_load(const char *path, uid_t owner, struct config_errors *errors)
{
	struct datafile_stamp stamp;
	unsigned foreign;

	return load(path, owner, &stamp, errors, &foreign);
}

static void
read_now(struct access_file *f)
{
	struct config_errors errors = {0};
	struct datafile_stamp stamp = {.exists = false};
	unsigned foreign = 0;
	struct access_table *t = load(f->path, f->owner, &stamp, &errors, &foreign);

	/* One that must not be believed has a stamp, too: it is not looked at again until it changes. */
	datafile_stamp_path(f->path, &f->stamp);
	if (t != NULL) {
		access_table_free(&f->table);
		f->table = t;
		f->stamp = stamp;
		log_info("access table %s: %zu entries, %u lines of features that are not "
			 "Postrider's",
		    f->path, access_table_count(t), foreign);
	}
	for (size_t i = 0; i < errors.n; i++)
		log_warnx("%s", errors.v[i].text);
	if (t == NULL)
		log_warnx("access table %s: %s", f->path,
		    f->table != NULL ? "its previous version stays in force"
				     : "mail from the network waits until it is mended");
	config_errors_release(&errors);
}

struct access_file *
access_file_new(const char *path, uid_t owner)
{
	struct access_file *f = xcalloc(1, sizeof *f);

	f->path = xstrdup(path);
	f->owner = owner;
	read_now(f);
	return f;
}

void
access_file_free(struct access_file **fp)
{
	struct access_file *f = *fp;

	if (f == NULL)
		return;
	*fp = NULL;
	access_table_free(&f->table);
	free(f->path);
	free(f);
}

const char *
access_file_path(const struct access_file *f)
{
	return f->path;
}

void
access_file_refresh(struct access_file *f, uint64_t now_ms)
{
	struct datafile_stamp now;

	if (now_ms - f->looked_ms < ACCESS_FILE_LOOK_MS)
		return;
	f->looked_ms = now_ms;
	datafile_stamp_path(f->path, &now);
	if (!datafile_stamp_equal(&now, &f->stamp))
		read_now(f);
}

const struct access_table *
access_file_table(const struct access_file *f)
{
	return f->table;
}
