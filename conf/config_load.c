/*
 * config_load: postrider.conf from file to struct config: read, parsed, checked;
 * everything that is wrong is reported in one go. See config.h.
 */
#include <fcntl.h>
#include <unistd.h>

#include "conf/confile.h"
#include "conf/config.h"
#include "conf/config_check.h"
#include "conf/config_parse.h"
#include "conf/datafile.h"

static int
read_file(const char *path, struct buf *text, struct config_errors *errors)
{
	enum datafile_result r;
	struct buf why;

	buf_init(&why, 1024);
	r = datafile_read(AT_FDCWD, path, false, geteuid(), text, NULL, &why);
	if (r == DATAFILE_MISSING)
		config_errors_add(errors, path, 0, "there is no such file");
	else if (r != DATAFILE_OK)
		config_errors_add(errors, path, 0, "%s", buf_str(&why));
	buf_release(&why);
	return r == DATAFILE_OK ? 0 : -1;
}

typedef void check_fn(
    struct config *c, struct config_lines *lines, struct config_errors *errors);

static struct config *
load(const char *path, check_fn *check, struct config_errors *errors)
{
	size_t before = errors->n + errors->dropped, first = errors->n;
	struct config *c = NULL;
	struct config_lines lines;
	struct buf text;

	buf_init(&text, CONFILE_MAX);
	if (read_file(path, &text, errors) == 0) {
		c = config_parse(buf_span(&text), path, &lines, errors);
		check(c, &lines, errors);
		config_lines_release(&lines);
	}
	if (errors->n + errors->dropped > before) {
		config_errors_finish(errors, first);
		config_free(&c);
	}
	buf_release(&text);
	return c;
}

struct config *
config_load(const char *path, struct config_errors *errors)
{
	return load(path, config_check, errors);
}

struct config *
config_load_domains(const char *path, struct config_errors *errors)
{
	return load(path, config_check_domains, errors);
}
