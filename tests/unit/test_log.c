/* test_log: the escaper, the lines, and what happens when they cannot be written. */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/unit/testing.h"

static void
escapes(void **state)
{
	static const struct {
		const char *name;
		struct span in;
		const char *want;
	} rows[] = {
	    {"plain", {"session=1 from=<a@b>", 20}, "session=1 from=<a@b>"},
	    {"empty", {"", 0}, ""},
	    {"line feed", {"a\nb", 3}, "a\\x0ab"},
	    {"carriage return", {"a\r", 2}, "a\\x0d"},
	    {"NUL", {"a\0b", 3}, "a\\x00b"},
	    {"terminal sequence", {"\x1b[2J", 4}, "\\x1b[2J"},
	    {"DEL", {"\x7f", 1}, "\\x7f"},
	    {"tab", {"\t", 1}, "\\x09"},
	    {"umlaut stays", {"\xc3\xbc", 2}, "\xc3\xbc"},
	    {"not UTF-8", {"\xff\xc3", 2}, "\\xff\\xc3"},
	    {"C1", {"\xc2\x85", 2}, "\\xc2\\x85"},
	    {"line separator", {"\xe2\x80\xa8", 3}, "\\xe2\\x80\\xa8"},
	    {"right-to-left override", {"a\xe2\x80\xae", 4}, "a\\xe2\\x80\\xae"},
	    {"overlong", {"\xc0\x8a", 2}, "\\xc0\\x8a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b;

		buf_init(&b, 100);
		check_row(rows[i].name, log_escape(&b, rows[i].in) == 0);
		check_row(rows[i].name, strcmp(buf_str(&b), rows[i].want) == 0);
		buf_release(&b);
	}
}

static void
says_when_the_buffer_is_full(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	assert_int_equal(log_escape(&b, span_str("abcd")), 0);
	assert_int_equal(log_escape(&b, span_str("e")), -1);
	buf_clear(&b);
	assert_int_equal(log_escape(&b, span_str("a\n")), -1);
	buf_release(&b);
}

/* Puts another descriptor in the place of 2; returns the old one. */
static int
redirect(int to)
{
	int old = dup(STDERR_FILENO);

	assert_true(old >= 0 && dup2(to, STDERR_FILENO) >= 0);
	return old;
}

static void
restore(int old)
{
	assert_true(dup2(old, STDERR_FILENO) >= 0);
	close(old);
}

/* What a file holds, NUL-terminated. */
static const char *
contents(int fd, char *out, size_t max)
{
	ssize_t n = pread(fd, out, max - 1, 0);

	assert_true(n >= 0);
	out[n] = '\0';
	return out;
}

static int
scratch_file(void)
{
	int fd = open(P_tmpdir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void
writes_one_line_whatever_is_in_it(void **state)
{
	char text[8192], lots[6000];
	int fd = scratch_file(), old = redirect(fd);

	(void)state;
	memset(lots, 'x', sizeof lots - 1);
	lots[sizeof lots - 1] = '\0';
	log_init("tester", LOG_LEVEL_INFO);
	log_debug("not shown");
	log_info("from=%s", "a\nforged: line");
	errno = ENOENT;
	log_warn("open %s", "x");
	log_warnx("plain");
	log_info("%s", lots);
	log_set_level(LOG_LEVEL_WARN);
	log_info("not shown either");
	restore(old);
	contents(fd, text, sizeof text);
	close(fd);
	assert_null(strstr(text, "not shown"));
	assert_non_null(strstr(text, "from=a\\x0aforged: line\n"));
	assert_non_null(strstr(text, "warning: open x: No such file or directory\n"));
	assert_non_null(strstr(text, "warning: plain\n"));
	assert_non_null(strstr(text, "(a line too long to log)\n"));
	assert_non_null(strstr(text, "Z tester["));
	assert_true(log_enabled(LOG_LEVEL_WARN) && !log_enabled(LOG_LEVEL_INFO));
	log_set_level(LOG_LEVEL_INFO);
}

static void
drops_lines_and_says_so_later(void **state)
{
	unsigned long before = log_dropped();
	char text[4096], fill[4096] = {0};
	int p[2], old;

	(void)state;
	assert_int_equal(pipe2(p, O_NONBLOCK | O_CLOEXEC), 0);
	while (write(p[1], fill, sizeof fill) > 0)
		;
	old = redirect(p[1]);
	log_info("lost");
	log_info("lost too");
	assert_int_equal(log_dropped() - before, 2);
	while (read(p[0], text, sizeof text) > 0)
		;
	log_info("back");
	restore(old);
	memset(text, 0, sizeof text);
	assert_true(read(p[0], text, sizeof text - 1) > 0);
	close(p[0]);
	close(p[1]);
	assert_non_null(strstr(text, "back\n"));
	assert_non_null(strstr(text, "2 log lines were dropped\n"));
	assert_int_equal(log_dropped() - before, 2);
}

static void
fatal_ends_with_tempfail(void **state)
{
	char text[4096];
	int fd = scratch_file(), status;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fd, STDERR_FILENO);
		errno = EACCES;
		fatal("cannot read %s", "it");
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 75);
	assert_non_null(strstr(
	    contents(fd, text, sizeof text), "fatal: cannot read it: Permission denied\n"));
	close(fd);
}

static void
reads_levels(void **state)
{
	enum log_level level = LOG_LEVEL_FATAL;

	(void)state;
	assert_int_equal(log_level_parse(span_str("debug"), &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse(span_str("info"), &level), 0);
	assert_int_equal(level, LOG_LEVEL_INFO);
	assert_int_equal(log_level_parse(span_str("warn"), &level), 0);
	assert_int_equal(level, LOG_LEVEL_WARN);
	assert_int_equal(log_level_parse(span_str("fatal"), &level), -1);
	assert_int_equal(log_level_parse(span_str(""), &level), -1);
	assert_int_equal(level, LOG_LEVEL_WARN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(escapes),
	    cmocka_unit_test(says_when_the_buffer_is_full),
	    cmocka_unit_test(writes_one_line_whatever_is_in_it),
	    cmocka_unit_test(drops_lines_and_says_so_later),
	    cmocka_unit_test(fatal_ends_with_tempfail),
	    cmocka_unit_test(reads_levels),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
