/*
 * config_fixture: postrider.conf from text, in a directory where all that it must
 * name exists. For the tests of conf/config.
 */
#ifndef TESTS_UNIT_CONFIG_FIXTURE_H
#define TESTS_UNIT_CONFIG_FIXTURE_H

#include "conf/config.h"

#include "tests/unit/conf_fixture.h"

static struct files files;
static struct config_errors errors;

/* Users that need no account, when root runs the test. */
#define USERS                                                                                  \
	"users { smtpd = 64001 directory = 64002 queue = 64003 remote = 64004 keys = 64005 "   \
	"}\n"

static inline int
setup(void **state)
{
	(void)state;
	files_init(&files);
	assert_int_equal(mkdir(files_path(&files, "virtual"), 0755), 0);
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	config_errors_release(&errors);
	files_release(&files);
	return 0;
}

/* The configuration in these octets, behind lines that make it complete (so its first line is the fourth). */
static inline struct config *
load_octets(struct span text)
{
	struct buf b;
	struct config *c;

	config_errors_release(&errors);
	buf_init(&b, 8 << 20);
	buf_addf(&b, "domains = \"%s/virtual\"\nspool = \"%s/spool\"\n" USERS, files.root,
	    files.root);
	buf_add_span(&b, text);
	files_write(&files, "conf", buf_span(&b));
	assert_int_equal(chown(files_path(&files, "conf"), geteuid(), getegid()), 0);
	buf_release(&b);
	c = config_load(files_path(&files, "conf"), &errors);
	if (c == NULL)
		assert_true(errors.n > 0);
	else
		assert_int_equal(errors.n, 0);
	return c;
}

static inline struct config *
load(const char *text)
{
	return load_octets(span_str(text));
}

struct config_row {
	const char *text, *line, *complaint;
};

/* One wrong line among right ones: its own complaint, with its own line. */
static inline void
check_errors(const struct config_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *text = xasprintf("%s\n", rows[i].text);
		struct config *c = load(text);

		if (!complaint_has(&errors, rows[i].line, rows[i].complaint))
			complaints_print(&errors);
		check_row(rows[i].text, c == NULL);
		check_row(
		    rows[i].text, complaint_has(&errors, rows[i].line, rows[i].complaint));
		free(text);
	}
}

#endif
