/* test_header_utf8: octets above 127 in a message's header, in memory and in a file. */
#include "deliver/header_utf8.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/buf.h"
#include "tests/unit/testing.h"

static bool
find(struct span content)
{
	struct job j = {.content = (char *)(uintptr_t)content.p, .size = content.len, .fd = -1};

	return header_utf8_find(&j);
}

static void
looks_at_the_header_alone(void **state)
{
	static const struct {
		const char *name, *content;
		bool want;
	} rows[] = {
	    {"empty", "", false},
	    {"ASCII", "Subject: x\n\nbody\n", false},
	    {"a subject", "Subject: \xc3\xbc\n\nbody\n", true},
	    {"a later field", "A: b\nSubject: x\n\t\xc3\xbc\n\nbody\n", true},
	    {"the body",
		"Subject: x\n\nb\xc3\xb6"
		"dy\n",
		false},
	    {"the body of a message without a header", "\n\xc3\xbc\n", false},
	    {"no body", "Subject: \xc3\xbc", true},
	    {"any octet", "Subject: \xff\n\n", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_row(rows[i].name, find(span_str(rows[i].content)) == rows[i].want);
}

/* Where pieces meet; and a header that is longer than is searched. */
static void
looks_at_long_headers(void **state)
{
	struct buf b;

	(void)state;
	for (size_t n = 4080; n < 4110; n++) {
		buf_init(&b, 1U << 20);
		while (b.len < n)
			buf_add_char(&b, 'x');
		buf_add_str(&b, "\n\n\xc3\xbc\n");
		assert_false(find(buf_span(&b)));
		b.len = n;
		buf_add_str(&b, "\n\xc3\xbc\n\n");
		assert_true(find(buf_span(&b)));
		buf_release(&b);
	}
	buf_init(&b, 1U << 20);
	while (b.len < HEADER_UTF8_SCAN_MAX)
		buf_add_str(&b, "X: y\n");
	assert_true(find(buf_span(&b)));
	buf_release(&b);
}

static void
reads_files(void **state)
{
	static const char text[] = "xxSubject: \xc3\xbc\n\n";
	int fd = memfd_create("header", MFD_CLOEXEC);
	struct job j = {.fd = fd, .offset = 2, .size = sizeof text - 3};

	(void)state;
	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	assert_true(header_utf8_find(&j));
	j.size = 9;
	assert_false(header_utf8_find(&j));
	j.offset = 100; /* shorter than was said: it cannot be read */
	assert_true(header_utf8_find(&j));
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(looks_at_the_header_alone),
	    cmocka_unit_test(looks_at_long_headers),
	    cmocka_unit_test(reads_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
