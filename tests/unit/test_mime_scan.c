/*
 * test_mime_scan: which header fields a message has, and whose; in one piece, octet by octet, and at the
 * limits.
 */
#include "common/mime_scan.h"

#include "common/xalloc.h"
#include "tests/unit/testing.h"

/* Collects "where line text" lines. */
static void
on_field(const struct mime_field *f, void *arg)
{
	struct buf *b = arg;

	assert_int_equal(buf_addf(b, "%s %u ", mime_where_name(f->where), f->line), 0);
	assert_int_equal(buf_add_span(b, span_first(f->text, 100)), 0);
	assert_int_equal(buf_add_str(b, f->cut ? " CUT\n" : "\n"), 0);
}

/* The caller releases *out. */
static unsigned
scan(struct span content, size_t piece, struct buf *out)
{
	struct mime_scan m;
	unsigned notes;

	buf_init(out, 16U << 20);
	mime_scan_init(&m, on_field, out);
	while (content.len > 0) {
		struct span some = span_first(content, piece);

		mime_scan_feed(&m, some);
		content = span_skip(content, some.len);
	}
	mime_scan_finish(&m);
	notes = m.notes;
	mime_scan_release(&m);
	return notes;
}

static void
check(const char *name, struct span content, const char *want)
{
	static const size_t pieces[] = {SIZE_MAX, 1, 2, 3, 7, 64};

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct buf got;

		(void)scan(content, pieces[i], &got);
		if (strcmp(buf_str(&got), want) != 0)
			fail_msg("%s, in pieces of %zu:\n%s-- expected\n%s", name, pieces[i],
			    buf_str(&got), want);
		buf_release(&got);
	}
}

static void
test_fields(void **state)
{
	static const struct {
		const char *name, *content, *want;
	} rows[] = {
	    {"plain", "Subject: x\nTo: y\n\nSubject: body\n",
		"message 1 Subject: x\nmessage 2 To: y\n"},
	    {"folded", "Subject: a\n b\n\tc\nTo: y\n\n",
		"message 1 Subject: a b\tc\nmessage 4 To: y\n"},
	    {"no body", "Subject: x\n", "message 1 Subject: x\n"},
	    {"no end of line", "Subject: x", "message 1 Subject: x\n"},
	    {"no header", "Hello\nSubject: x\n\n", ""},
	    {"white space first", " Subject: x\nTo: y\n\n", ""},
	    {"empty header", "\nSubject: x\n", ""},
	    {"nothing", "", ""},
	    {"junk in the header is passed over", "Subject: x\njunk\n folded junk\nTo: y\n\n",
		"message 1 Subject: x\nmessage 4 To: y\n"},
	    {"space before the colon", "Subject : x\n\n", "message 1 Subject : x\n"},
	    {"multipart",
		"Content-Type: multipart/mixed; boundary=\"b\"\n\nSubject: preamble\n--b\n"
		"Content-Type: text/plain\n\nSubject: text\n--b\nX: 1\n\n--b--\n\nX: "
		"epilogue\n",
		"message 1 Content-Type: multipart/mixed; boundary=\"b\"\n"
		"part 5 Content-Type: text/plain\npart 9 X: 1\n"},
	    {"part without a header",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nX: 1\n--b\nY: 2\n\n",
		"message 1 Content-Type: multipart/mixed; boundary=b\npart 7 Y: 2\n"},
	    {"part whose header has no end",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nX: 1\n--b\nY: 2\n",
		"message 1 Content-Type: multipart/mixed; boundary=b\npart 4 X: 1\npart 6 Y: "
		"2\n"},
	    {"the boundary need not fill its line",
		"Content-Type: multipart/mixed; boundary=b\n\n--b and more\nX: 1\n\n",
		"message 1 Content-Type: multipart/mixed; boundary=b\npart 4 X: 1\n"},
	    {"nested; the longest boundary counts",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\n"
		"Content-Type: multipart/alternative; boundary=bb\n\n--bb\nX: 1\n\n--bb\nX: "
		"2\n\n--bb--\n"
		"X: 3\n--b\nX: 4\n\n",
		"message 1 Content-Type: multipart/mixed; boundary=b\n"
		"part 4 Content-Type: multipart/alternative; boundary=bb\n"
		"part 7 X: 1\npart 10 X: 2\npart 15 X: 4\n"},
	    {"the outer boundary ends the inner parts",
		"Content-Type: multipart/mixed; boundary=out\n\n--out\n"
		"Content-Type: multipart/mixed; boundary=in\n\n--in\nX: 1\n\n--out\nX: "
		"2\n\n--in\nX: 3\n\n",
		"message 1 Content-Type: multipart/mixed; boundary=out\n"
		"part 4 Content-Type: multipart/mixed; boundary=in\npart 7 X: 1\npart 10 X: "
		"2\n"},
	    {"attached message",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: "
		"message/rfc822\n\n"
		"Subject: in\nContent-Type: multipart/mixed; boundary=c\n\n--c\nX: "
		"1\n\n--c--\n--b\nX: 2\n\n",
		"message 1 Content-Type: multipart/mixed; boundary=b\npart 4 Content-Type: "
		"message/rfc822\n"
		"attached 6 Subject: in\nattached 7 Content-Type: multipart/mixed; "
		"boundary=c\npart 10 X: 1\n"
		"part 14 X: 2\n"},
	    {"the message is an attached message",
		"Content-Type: Message/RFC822\n\nSubject: in\n\nX: 1\n",
		"message 1 Content-Type: Message/RFC822\nattached 3 Subject: in\n"},
	    {"a report is no message",
		"Content-Type: message/delivery-status\n\nReporting-MTA: x\n",
		"message 1 Content-Type: message/delivery-status\n"},
	    {"digest",
		"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: in\n\n--b\n"
		"Content-Type: text/plain\n\nX: 1\n",
		"message 1 Content-Type: multipart/digest; boundary=b\nattached 5 Subject: in\n"
		"part 8 Content-Type: text/plain\n"},
	    {"boundary with a comment, quotes and RFC 2231",
		"Content-Type: (c;) multipart/mixed (d); x=\";\"; boundary*0=\"a\\\"\"; "
		"boundary*1*=b%20c\n\n"
		"--a\"b c\nX: 1\n\n",
		"message 1 Content-Type: (c;) multipart/mixed (d); x=\";\"; "
		"boundary*0=\"a\\\"\"; boundary*1*=b%20c\n"
		"part 4 X: 1\n"},
	    {"no boundary", "Content-Type: multipart/mixed\n\n--\nX: 1\n\n",
		"message 1 Content-Type: multipart/mixed\n"},
	    {"an empty boundary",
		"Content-Type: multipart/mixed; boundary=\"\"\n\n--\nX: 1\n\n",
		"message 1 Content-Type: multipart/mixed; boundary=\"\"\n"},
	    {"of two types the first",
		"Content-Type: multipart/mixed; boundary=b\nContent-Type: "
		"text/plain\n\n--b\nX: 1\n\n",
		"message 1 Content-Type: multipart/mixed; boundary=b\nmessage 2 Content-Type: "
		"text/plain\npart 5 X: 1\n"},
	    {"a boundary behind the closing one begins a part for some",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nX: 1\n\n--b--\nX: "
		"e\n--b\nX: 2\n\n",
		"message 1 Content-Type: multipart/mixed; boundary=b\npart 4 X: 1\npart 9 X: "
		"2\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check(rows[i].name, span_str(rows[i].content), rows[i].want);
}

/* Which octets of the parameter are the boundary. */
static void
test_boundaries(void **state)
{
	static const struct {
		const char *name, *content, *want;
	} rows[] = {
	    {"of the spaces of a boundary those at its end go",
		"Content-Type: multipart/mixed; boundary=\" b \"\n\n--b\nX: 1\n\n-- b\nX: "
		"2\n\n",
		"message 1 Content-Type: multipart/mixed; boundary=\" b \"\npart 7 X: 2\n"},
	    {"a boundary of spaces",
		"Content-Type: multipart/mixed; boundary=\"  \"\n\n--\nX: 1\n\n",
		"message 1 Content-Type: multipart/mixed; boundary=\"  \"\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check(rows[i].name, span_str(rows[i].content), rows[i].want);
}

/* Those who read mail differ in where they see a part: "X: evil" stands where one of them sees it in a part's header. */
static void
test_readers_differ(void **state)
{
	static const struct {
		const char *name, *content;
	} rows[] = {
	    {"a line that goes on behind the closing boundary closes for some",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--junk\n"
		"--b\nX: evil\n\n"},
	    {"one that goes on behind the boundary is part of the header, or its end, for some",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\n"
		"Content-Type: multipart/mixed; boundary=in\n--b!\n\n--in\nX: evil\n\n"},
	    {"and does not end the parts within",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\n"
		"Content-Type: multipart/mixed; boundary=in\n\n--in\n\nx\n--b!\n\n"
		"--in\nX: evil\n\n"},
	    {"of two types the second",
		"Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=b\n\n"
		"--b\nX: evil\n\n"},
	    {"of two multiparts the second",
		"Content-Type: multipart/mixed; boundary=a\n"
		"Content-Type: multipart/mixed; boundary=b\n\n--a\n\n--b\nX: evil\n\n"},
	    {"of two multiparts the first",
		"Content-Type: multipart/mixed; boundary=b\n"
		"Content-Type: multipart/mixed; boundary=a\n\n--a\n\n--b\nX: evil\n\n"},
	    {"the second type is an attached message",
		"Content-Type: text/plain\nContent-Type: message/rfc822\n\nX: evil\n\n"},
	    {"junk ends a header",
		"Content-Type: multipart/mixed; boundary=b\njunk\n--b\n"
		"Content-Type: multipart/mixed; boundary=in\n\n--in\nX: evil\n\n"},
	    {"of two forms of a boundary the plain one",
		"Content-Type: multipart/mixed; boundary*=c; boundary=b\n\n--b\nX: "
		"evil\n\n"},
	    {"of two forms of a boundary the coded one",
		"Content-Type: multipart/mixed; boundary=c; boundary*=us-ascii''b\n\n--b\nX: "
		"evil\n\n"},
	    {"of two forms of a boundary the one in pieces",
		"Content-Type: multipart/mixed; boundary=c; boundary*0=a; "
		"boundary*1=b\n\n--ab\nX: evil\n\n"},
	    {"of two boundaries the second",
		"Content-Type: multipart/mixed; boundary=a; boundary=b\n\n--b\nX: "
		"evil\n\n"},
	    {"a boundary of a type that is no multipart",
		"Content-Type: \"multipart/mixed\"; boundary=b\n\n--b\nX: evil\n\n"},
	    {"a quote in a comment",
		"Content-Type: multipart/mixed (\"); boundary=b\n\n--b\nX: evil\n\n"},
	    {"a boundary in a comment",
		"Content-Type: multipart/mixed (a; boundary=a); boundary=b\n\n--b\nX: "
		"evil\n\n"},
	    {"a comment behind the name",
		"Content-Type: multipart/mixed; boundary (c) = (d) b\n\n--b\nX: "
		"evil\n\n"},
	    {"a boundary ends the header",
		"Content-Type: multipart/digest; boundary=b\njunk\n--b\n\nX: evil\n\n"},
	    {"or does not", "Content-Type: text/plain; boundary=b\n--b\n"
			    "Content-Type: multipart/mixed; boundary=in\n\n--in\nX: evil\n\n"},
	    {"a boundary in angle brackets",
		"Content-Type: multipart/mixed; boundary=<b>\n\n--b\nX: evil\n\n"},
	    {"no semicolon",
		"Content-Type: multipart/mixed boundary=\"b\"\n\n--b\nX: evil\n\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf got;

		assert_int_equal(scan(span_str(rows[i].content), 5, &got), 0);
		if (strstr(buf_str(&got), "X: evil") == NULL)
			fail_msg("%s: not seen among\n%s", rows[i].name, buf_str(&got));
		buf_release(&got);
	}
}

/* More boundaries of one header than are looked for. */
static void
test_many_boundaries(void **state)
{
	struct buf text, got;

	(void)state;
	buf_init(&text, 1U << 20);
	buf_add_str(&text, "Content-Type: multipart/mixed");
	for (unsigned i = 0; i <= MIME_BOUNDARIES_MAX; i++)
		buf_addf(&text, "; boundary=b%uz", i);
	buf_addf(&text, "\n\n--b%uz\nX: 1\n\n", MIME_BOUNDARIES_MAX - 1);
	assert_int_equal(scan(buf_span(&text), SIZE_MAX, &got), MIME_TOO_MANY_BOUNDARIES);
	assert_non_null(strstr(buf_str(&got), "X: 1"));
	buf_release(&got);
	buf_release(&text);
}

/* A NUL does not end a boundary. */
static void
test_nul(void **state)
{
	const struct span text = LITERAL("Content-Type: multipart/mixed; boundary=\"b\0c\"\n\n"
					 "--b\nX: 1\n\n--b\0c\nX: 2\n\n");
	struct buf got;

	(void)state;
	(void)scan(text, 1, &got);
	assert_null(memmem(got.p, got.len, "X: 1", 4));
	assert_non_null(memmem(got.p, got.len, "X: 2", 4));
	buf_release(&got);
}

static void
test_depth(void **state)
{
	struct buf text, got;

	(void)state;
	buf_init(&text, 1U << 20);
	buf_add_str(&text, "A: 0\n");
	for (unsigned i = 0; i <= MIME_DEPTH_MAX; i++)
		buf_addf(&text,
		    "Content-Type: multipart/mixed; boundary=b%uz\n\n--b%uz\nX: %u\n", i, i, i);
	assert_int_equal(scan(buf_span(&text), 100, &got), MIME_TOO_DEEP);
	assert_non_null(strstr(buf_str(&got), "X: 9\n"));
	assert_null(strstr(buf_str(&got), "X: 10\n"));
	buf_release(&got);
	buf_release(&text);
}

static void
test_many_parts(void **state)
{
	struct buf text, got;

	(void)state;
	buf_init(&text, 1U << 20);
	buf_add_str(&text, "Content-Type: multipart/mixed; boundary=b\n\n");
	for (unsigned i = 1; i <= MIME_PARTS_MAX + 1; i++)
		buf_addf(&text, "--b\nX: %u\n\n", i);
	assert_int_equal(scan(buf_span(&text), SIZE_MAX, &got), MIME_TOO_MANY);
	assert_non_null(strstr(buf_str(&got), "X: 1000\n"));
	assert_null(strstr(buf_str(&got), "X: 1001\n"));
	buf_release(&got);
	buf_clear(&text);
	for (unsigned i = 1; i <= MIME_PARTS_MAX + 2; i++)
		buf_addf(&text, "Content-Type: message/rfc822\n\n");
	assert_int_equal(scan(buf_span(&text), SIZE_MAX, &got), MIME_TOO_MANY);
	buf_release(&got);
	buf_release(&text);
}

/* A field of any length costs no more memory than MIME_FIELD_MAX, and the next one is found. */
static void
test_long_field(void **state)
{
	struct buf text, got;

	(void)state;
	buf_init(&text, 1U << 20);
	buf_add_str(&text, "X: ");
	for (unsigned i = 0; i < 300000; i++)
		buf_add_char(&text, 'x');
	buf_add_str(&text, "\nY:\n");
	for (unsigned i = 0; i < 3000; i++)
		buf_add_str(&text, " xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n");
	buf_add_str(&text, "Z: 1\n\n");
	for (size_t piece = 1000; piece <= 1000000; piece *= 10) {
		assert_int_equal(scan(buf_span(&text), piece, &got), MIME_FIELD_CUT);
		assert_non_null(strstr(buf_str(&got), " CUT\nmessage 2 Y: xxx"));
		assert_non_null(strstr(buf_str(&got), " CUT\nmessage 3003 Z: 1\n"));
		buf_release(&got);
	}
	buf_release(&text);
}

static void
test_long_boundary(void **state)
{
	char *name = xcalloc(MIME_BOUNDARY_MAX + 2, 1), *text;
	struct buf got;

	(void)state;
	memset(name, 'b', MIME_BOUNDARY_MAX + 1);
	text = xasprintf(
	    "Content-Type: multipart/mixed; boundary=%s\n\n--%s\nX: 1\n\n", name, name);
	assert_int_equal(scan(span_str(text), SIZE_MAX, &got), MIME_BOUNDARY_TOO_LONG);
	assert_null(strstr(buf_str(&got), "X: 1"));
	buf_release(&got);
	free(text);
	name[MIME_BOUNDARY_MAX] = '\0';
	text = xasprintf(
	    "Content-Type: multipart/mixed; boundary=%s\n\n--%s\nX: 1\n\n", name, name);
	assert_int_equal(scan(span_str(text), 10, &got), 0);
	assert_non_null(strstr(buf_str(&got), "X: 1"));
	buf_release(&got);
	free(text);
	free(name);
}

/* A type, or its boundary, behind what is kept of the field: that there may be parts is told. */
static void
test_type_behind_the_cut(void **state)
{
	static const struct {
		const char *before, *behind;
		unsigned notes;
	} rows[] = {
	    {"multipart/mixed;\n", " boundary=b\n", MIME_BOUNDARY_TOO_LONG},
	    {"\n", " multipart/mixed; boundary=b\n", MIME_BOUNDARY_TOO_LONG},
	    {"multipart/mixed; boundary=b;\n", " x=y\n", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf text, got;

		buf_init(&text, 2 * MIME_FIELD_MAX);
		buf_addf(&text, "Content-Type: %s", rows[i].before);
		for (size_t n = 0; n < MIME_FIELD_MAX; n += 50)
			buf_addf(&text, " %49s\n", "");
		buf_addf(&text, "%s\n--b\nX: 1\n\n", rows[i].behind);
		assert_int_equal(
		    scan(buf_span(&text), SIZE_MAX, &got), MIME_FIELD_CUT | rows[i].notes);
		assert_true((strstr(buf_str(&got), "X: 1") == NULL) == (rows[i].notes != 0));
		buf_release(&got);
		buf_release(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_boundaries),
	    cmocka_unit_test(test_readers_differ),
	    cmocka_unit_test(test_many_boundaries),
	    cmocka_unit_test(test_nul),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_many_parts),
	    cmocka_unit_test(test_long_field),
	    cmocka_unit_test(test_long_boundary),
	    cmocka_unit_test(test_type_behind_the_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
