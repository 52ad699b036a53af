/* test_sendmail_input: standard input to content: line ends, dots, header, limits, memory and file. */
#include "queue/sendmail_input.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/limits.h"

#define HEADER "From: a@b.test\nDate: x\nMessage-ID: <y@z>\n"

static int
input_of(struct span text)
{
	int fd = memfd_create("input", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.len), text.len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static int
read_text(struct span text, bool dots, struct sendmail_content *c)
{
	struct sendmail_header_job job = {
	    .hostname = "mx.test", .sender = "bob@mx.test", .unique = "1"};
	int fd = input_of(text), r;
	struct buf why;

	buf_init(&why, 4096);
	r = sendmail_input_read(fd, dots, &job, c, &why);
	assert_int_equal(r != 0, why.len > 0);
	buf_release(&why);
	close(fd);
	return r;
}

/* All of the content, in odd pieces; the caller releases. */
static void
collect(const struct sendmail_content *c, struct buf *out)
{
	char piece[777];
	ssize_t n;

	buf_init(out, 64U << 20);
	while ((n = sendmail_content_read(c, out->len, piece, sizeof piece)) > 0)
		assert_int_equal(buf_add(out, piece, (size_t)n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(out->len, c->size);
}

static void
makes_content(void **state)
{
	static const struct {
		const char *in;
		bool dots;
		const char *want;
	} rows[] = {
	    {HEADER "\nbody\n", true, HEADER "\nbody\n"},
	    {HEADER "\nbody", true, HEADER "\nbody\n"},
	    {HEADER, true, HEADER "\n"},
	    {HEADER "body\n", true, HEADER "\nbody\n"},
	    {HEADER "\n\n\nbody\n", true, HEADER "\n\n\nbody\n"},
	    {HEADER "\n.\nbody\n", true, HEADER "\n"},
	    {HEADER "\n.", true, HEADER "\n"},
	    {HEADER "\n.\nbody\n", false, HEADER "\n.\nbody\n"},
	    {HEADER "\n..\n.x\n", true, HEADER "\n..\n.x\n"},
	    {HEADER ".\nSubject: lost\n", true, HEADER "\n"},
	    {HEADER "\r\nbo\rdy\r\n", true, HEADER "\nbo\ndy\n"},
	    {HEADER "\nx\r.\ry\n", true, HEADER "\nx\n"},
	    {HEADER "\nx\r.\ry\n", false, HEADER "\nx\n.\ny\n"},
	    {HEADER "\nx\n.\r\nQUIT\n", true, HEADER "\nx\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sendmail_content c;
		struct buf got;

		sendmail_content_init(&c, 1U << 20);
		assert_int_equal(read_text(span_str(rows[i].in), rows[i].dots, &c), 0);
		collect(&c, &got);
		if (!span_is(buf_span(&got), rows[i].want))
			fail_msg("%s: got %s", rows[i].in, buf_str(&got));
		buf_release(&got);
		sendmail_content_release(&c);
	}
}

static void
counts_lines_and_high_octets(void **state)
{
	struct sendmail_content c;

	(void)state;
	sendmail_content_init(&c, 1U << 20);
	assert_int_equal(read_text(span_str(HEADER "\na\nb\xc3\xa9\n"), true, &c), 0);
	assert_true(c.eight_bit);
	assert_int_equal(c.lines, 6);
	sendmail_content_release(&c);
	sendmail_content_init(&c, 1U << 20);
	assert_int_equal(read_text(span_str(HEADER "\na\n"), true, &c), 0);
	assert_false(c.eight_bit);
	sendmail_content_release(&c);
}

/* Big bodies go through the file; memory stays bounded; every octet comes back. */
static void
keeps_large_messages_in_a_file(void **state)
{
	struct sendmail_content c;
	struct buf in, got;

	(void)state;
	buf_init(&in, 8U << 20);
	buf_add_str(&in, HEADER "\n");
	for (unsigned i = 0; in.len < 3U << 20; i++)
		buf_addf(&in, "line %u of a body that is larger than memory may hold\n", i);
	sendmail_content_init(&c, 8U << 20);
	assert_int_equal(read_text(buf_span(&in), true, &c), 0);
	assert_true(c.fd >= 0);
	assert_true(c.memory.len <= MESSAGE_INLINE_MAX);
	collect(&c, &got);
	assert_true(span_eq(buf_span(&in), buf_span(&got)));
	buf_release(&got);
	buf_release(&in);
	sendmail_content_release(&c);
}

static void
takes_a_body_of_one_endless_line(void **state)
{
	struct sendmail_content c;
	struct buf in;

	(void)state;
	buf_init(&in, 8U << 20);
	buf_add_str(&in, HEADER "no field ");
	while (in.len < 2U << 20)
		buf_add_str(&in, "aaaaaaaaaaaaaaaa");
	sendmail_content_init(&c, 8U << 20);
	assert_int_equal(read_text(buf_span(&in), true, &c), 0);
	assert_int_equal(c.size, in.len + 2);
	buf_release(&in);
	sendmail_content_release(&c);
}

static void
refuses_what_is_too_large(void **state)
{
	struct sendmail_content c;
	struct buf in;

	(void)state;
	sendmail_content_init(&c, 60);
	assert_int_equal(
	    read_text(span_str(HEADER "\n01234567890123456789\n"), true, &c), EX_UNAVAILABLE);
	sendmail_content_release(&c);

	buf_init(&in, 2 * SENDMAIL_HEADER_MAX);
	while (in.len < SENDMAIL_HEADER_MAX + 70000)
		buf_add_str(&in, "X-Field: value\n");
	sendmail_content_init(&c, 8U << 20);
	assert_int_equal(read_text(buf_span(&in), true, &c), EX_DATAERR);
	sendmail_content_release(&c);

	/* A header that grows beyond measure when each name in it gets a domain. */
	buf_clear(&in);
	buf_add_str(&in, "To: a");
	while (in.len < SENDMAIL_HEADER_MAX - 10)
		buf_add_str(&in, ",a");
	buf_add_str(&in, "\n\n");
	sendmail_content_init(&c, 64U << 20);
	assert_int_equal(read_text(buf_span(&in), true, &c), EX_DATAERR);
	sendmail_content_release(&c);
	buf_release(&in);
}

static void
says_what_cannot_be_read(void **state)
{
	struct sendmail_header_job job = {.hostname = "mx.test"};
	struct sendmail_content c;
	struct buf why;
	int fd = open("/", O_RDONLY | O_DIRECTORY);

	(void)state;
	buf_init(&why, 4096);
	sendmail_content_init(&c, 100);
	assert_int_equal(sendmail_input_read(-1, true, &job, &c, &why), EX_IOERR);
	assert_int_equal(sendmail_input_read(fd, true, &job, &c, &why), EX_IOERR);
	sendmail_content_release(&c);
	buf_release(&why);
	close(fd);
}

static void
says_when_there_is_no_temporary_directory(void **state)
{
	struct sendmail_content c;
	struct buf in;

	(void)state;
	buf_init(&in, 8U << 20);
	buf_add_str(&in, HEADER "\n");
	while (in.len < 1U << 20)
		buf_add_str(&in, "0123456789\n");
	setenv("TMPDIR", "/nonexistent", 1);
	sendmail_content_init(&c, 8U << 20);
	assert_int_equal(read_text(buf_span(&in), true, &c), EX_TEMPFAIL);
	sendmail_content_release(&c);
	unsetenv("TMPDIR");
	buf_release(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(makes_content),
	    cmocka_unit_test(counts_lines_and_high_octets),
	    cmocka_unit_test(keeps_large_messages_in_a_file),
	    cmocka_unit_test(takes_a_body_of_one_endless_line),
	    cmocka_unit_test(refuses_what_is_too_large),
	    cmocka_unit_test(says_what_cannot_be_read),
	    cmocka_unit_test(says_when_there_is_no_temporary_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
