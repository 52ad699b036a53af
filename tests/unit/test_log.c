/* test_log: the escaper, the lines, and what happens when they cannot be written. */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <event2/event.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

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
	    {"Hangul filler", {"\xe3\x85\xa4", 3}, "\\xe3\\x85\\xa4"},
	    {"variation selector", {"a\xf3\xa0\x84\x80", 5}, "a\\xf3\\xa0\\x84\\x80"},
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
	char text[4096], fill[4096] = {0};
	int p[2], old;

	(void)state;
	assert_int_equal(pipe2(p, O_NONBLOCK | O_CLOEXEC), 0);
	while (write(p[1], fill, sizeof fill) > 0)
		;
	old = redirect(p[1]);
	log_info("lost");
	log_info("lost too");
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
}

/* CG-10: a pipe that nobody reads, and that its giver wants to wait for: we do not, and leave the giver's flag alone. */
static void
never_waits_for_a_pipe(void **state)
{
	char text[4096], fill[4096] = {0};
	int p[2], old;

	(void)state;
	assert_int_equal(pipe2(p, O_NONBLOCK | O_CLOEXEC), 0);
	while (write(p[1], fill, sizeof fill) > 0)
		;
	assert_int_equal(fcntl(p[1], F_SETFL, 0), 0);
	old = redirect(p[1]);
	log_never_block();
	alarm(10); /* a test that waits fails */
	for (int i = 0; i < 100; i++)
		log_info("nobody reads this");
	alarm(0);
	assert_int_equal(fcntl(p[1], F_GETFL) & O_NONBLOCK, 0);
	while (read(p[0], text, sizeof text) > 0)
		;
	log_info("back");
	restore(old);
	memset(text, 0, sizeof text);
	assert_true(read(p[0], text, sizeof text - 1) > 0);
	close(p[0]);
	close(p[1]);
	assert_non_null(strstr(text, "100 log lines were dropped\n"));
}

/* The same for a socket, as service managers give one. */
static void
never_waits_for_a_socket(void **state)
{
	int p[2], old, drain;
	char text[4096];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p), 0);
	old = redirect(p[1]);
	log_init("tester", LOG_LEVEL_INFO);
	log_never_block();
	alarm(10);
	for (int i = 0; i < 20000; i++)
		log_info("nobody reads this");
	alarm(0);
	restore(old);
	old = redirect(drain = scratch_file());
	log_init("tester", LOG_LEVEL_INFO);
	log_info("told");
	restore(old);
	assert_non_null(
	    strstr(contents(drain, text, sizeof text), " log lines were dropped\n"));
	close(drain);
	close(p[0]);
	close(p[1]);
}

/* One write a turn; a warning takes what is before it along; other threads and debug do not wait. */
static void *
from_a_thread(void *arg)
{
	(void)arg;
	log_info("from a thread");
	return NULL;
}

static void
lines_of_a_turn_are_one_write(void **state)
{
	struct event_base *base = event_base_new();
	char text[16384];
	int p[2], old;
	pthread_t t;
	ssize_t n;

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p), 0);
	old = redirect(p[1]);
	log_init("tester", LOG_LEVEL_INFO);
	log_gather(base);
	log_info("first");
	log_info("second");
	assert_int_equal(recv(p[0], text, sizeof text, 0), -1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	n = recv(p[0], text, sizeof text - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "first\n"));
	assert_non_null(strstr(text, "second\n"));
	log_info("third");
	log_warnx("fourth");
	for (int i = 0; i < 2; i++) {
		n = recv(p[0], text, sizeof text - 1, 0);
		assert_true(n > 0);
		text[n] = '\0';
		assert_non_null(strstr(text, i == 0 ? "third\n" : "fourth\n"));
	}
	/* What was flushed is not written again at the end of the turn. */
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(recv(p[0], text, sizeof text, 0), -1);
	assert_int_equal(pthread_create(&t, NULL, from_a_thread, NULL), 0);
	pthread_join(t, NULL);
	assert_true(recv(p[0], text, sizeof text, 0) > 0);
	log_set_level(LOG_LEVEL_DEBUG);
	log_info("at once");
	assert_true(recv(p[0], text, sizeof text, 0) > 0);
	log_set_level(LOG_LEVEL_INFO);
	/* No write is longer than what a pipe takes in one piece, no line is cut. */
	for (int i = 0; i < 300; i++)
		log_info("line %d", i);
	log_gather(NULL);
	for (int lines = 0; lines < 300;) {
		n = recv(p[0], text, sizeof text, 0);
		assert_in_range(n, 1, PIPE_BUF);
		assert_true(text[n - 1] == '\n');
		for (ssize_t i = 0; i < n; i++)
			lines += text[i] == '\n';
	}
	log_info("no turn");
	assert_true(recv(p[0], text, sizeof text, 0) > 0);
	restore(old);
	log_init("tester", LOG_LEVEL_INFO);
	close(p[0]);
	close(p[1]);
	event_base_free(base);
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
	    cmocka_unit_test(never_waits_for_a_pipe),
	    cmocka_unit_test(never_waits_for_a_socket),
	    cmocka_unit_test(lines_of_a_turn_are_one_write),
	    cmocka_unit_test(fatal_ends_with_tempfail),
	    cmocka_unit_test(reads_levels),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
