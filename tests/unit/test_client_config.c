/* test_client_config: three keys out of a configuration in whatever state it is. */
#include "queue/client_config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>
#include <cmocka.h>

static void
write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void
takes_what_is_right(void **state)
{
	static const struct {
		const char *text, *spool,
		    *hostname; /* hostname NULL: the system's, whatever it is */
		uint64_t size;
	} rows[] = {
	    {"", "/var/spool/postrider", NULL, 50U << 20},
	    {"hostname = \"mx.test\"\nspool = \"/a/b\"\nmessage-size-limit = 2M\n", "/a/b",
		"mx.test", 2U << 20},
	    {"listen \"0.0.0.0:25\" { role = mx }\nnonsense = 5\nspool = \"/a/b\"\n"
	     "users { queue = \"x\" }\nretry = { \"1s\", \"2s\" }\nhostname = \"MX.Test\"\n",
		"/a/b", "mx.test", 50U << 20},
	    {"users { spool = \"/evil\" }\nhostname = \"mx.test\"\n", "/var/spool/postrider",
		"mx.test", 50U << 20},
	    {"spool = \"relative\"\nmessage-size-limit = banana\n", "/var/spool/postrider",
		NULL, 50U << 20},
	    {"hostname = \"mx.test\"\nspool = \"/a/b\"\nlisten {{{ \"", "/a/b", "mx.test",
		50U << 20},
	};
	char path[] = "/tmp/test_config.XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct client_config c;
		struct buf why;

		buf_init(&why, 4096);
		write_file(path, rows[i].text, 0600);
		assert_int_equal(client_config_init(&c, path, &why), 0);
		if (strcmp(c.spool, rows[i].spool) != 0 || c.size_limit != rows[i].size ||
		    (rows[i].hostname != NULL && strcmp(c.hostname, rows[i].hostname) != 0))
			fail_msg("%s: %s, %s, %llu", rows[i].text, c.spool, c.hostname,
			    (unsigned long long)c.size_limit);
		client_config_release(&c);
		buf_release(&why);
	}
	unlink(path);
}

static void
refuses_a_file_that_others_may_write(void **state)
{
	char path[] = "/tmp/test_config.XXXXXX";
	int fd = mkstemp(path);
	struct client_config c;
	struct buf why;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_file(path, "spool = \"/a/b\"\n", 0666);
	buf_init(&why, 4096);
	assert_int_equal(client_config_init(&c, path, &why), EX_CONFIG);
	assert_non_null(strstr(buf_str(&why), path));
	client_config_release(&c);
	unlink(path);
	buf_clear(&why);
	assert_int_equal(client_config_init(&c, path, &why), EX_CONFIG);
	assert_true(why.len > 0);
	client_config_release(&c);
	buf_release(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_what_is_right),
	    cmocka_unit_test(refuses_a_file_that_others_may_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
