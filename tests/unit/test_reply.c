/* test_reply: SMTP replies in pieces of any size, and what is none. */
#include "deliver/reply.h"

#include <stdlib.h>

#include "common/limits.h"
#include "tests/unit/testing.h"

struct row {
	const char *name;
	struct span in;
	enum reply_state state;
	int code;
	const char *text; /* lines joined by LF */
	size_t left;	  /* octets not consumed */
};

#define ROW(name, in, ...)                                                                     \
	{                                                                                      \
		name, LITERAL_INIT(in), __VA_ARGS__                                            \
	}

static const struct row rows[] = {
    ROW("one line", "250 ok\r\n", REPLY_DONE, 250, "ok", 0),
    ROW("two lines", "250-a\r\n250 b\r\n", REPLY_DONE, 250, "a\nb", 0),
    ROW("no text", "250\r\n", REPLY_DONE, 250, "", 0),
    ROW("no text in continuation lines", "550-\r\n550-\r\n550 \r\n", REPLY_DONE, 550, "\n\n",
	0),
    ROW("bare LF", "220 hello\n", REPLY_DONE, 220, "hello", 0),
    ROW("another reply behind it", "250 a\r\n354 b\r\n", REPLY_DONE, 250, "a", 7),
    ROW("not whole", "250 o", REPLY_MORE, 0, "", 0),
    ROW("not the last line", "250-a\r\n", REPLY_MORE, 250, "a", 0),
    ROW("empty keyword", "250-mx\r\n250 \r\n", REPLY_DONE, 250, "mx\n", 0),
    ROW("control octets are kept for the escaper", "550 x\0y\x1b[2J\r\n", REPLY_DONE, 550, "x",
	0),
    ROW("two digits", "25\r\n", REPLY_BAD, 0, "", 0),
    ROW("class 6", "650 x\r\n", REPLY_BAD, 0, "", 0),
    ROW("class 1", "150 x\r\n", REPLY_BAD, 0, "", 0),
    ROW("no separator", "2500 x\r\n", REPLY_BAD, 0, "", 0),
    ROW("an empty line", "\r\n", REPLY_BAD, 0, "", 0),
    ROW("another code in between", "250-a\r\n550 b\r\n", REPLY_BAD, 250, "a", 0),
    ROW("HTTP", "HTTP/1.1 400 Bad Request\r\n", REPLY_BAD, 0, "", 0),
};

/* Feeds pieces of n octets until the reply ends. */
static enum reply_state
feed(struct reply *r, struct span in, size_t n, size_t *left)
{
	enum reply_state state = REPLY_MORE;

	while (in.len > 0 && state == REPLY_MORE) {
		struct span piece = span_first(in, n), rest = piece;

		state = reply_feed(r, &rest);
		in = span_skip(in, piece.len - rest.len);
	}
	*left = in.len;
	return state;
}

static void
reads_replies(void **state)
{
	struct reply r;
	size_t left;

	(void)state;
	reply_init(&r);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t piece = 1; piece <= rows[i].in.len; piece++) {
			reply_clear(&r);
			check_row(
			    rows[i].name, feed(&r, rows[i].in, piece, &left) == rows[i].state);
			check_row(rows[i].name, r.code == rows[i].code);
			check_row(rows[i].name, strcmp(buf_str(&r.text), rows[i].text) == 0);
			check_row(
			    rows[i].name, rows[i].state == REPLY_BAD || left == rows[i].left);
		}
	}
	reply_release(&r);
}

struct verdict_row {
	const char *in;
	enum verdict_kind kind;
	int code;
	const char *status, *text;
};

static const struct verdict_row verdict_rows[] = {
    {"250 2.1.5 fine\r\n", VERDICT_OK, 250, "2.1.5", "fine"},
    {"354 go\r\n", VERDICT_OK, 354, "2.0.0", "go"},
    {"450 4.2.1 later\r\n", VERDICT_TEMPORARY, 450, "4.2.1", "later"},
    {"550 no\r\n", VERDICT_PERMANENT, 550, "5.0.0", "no"},
    {"550 4.1.1 x\r\n", VERDICT_PERMANENT, 550, "5.1.1", "x"},
    {"550-5.1.1 no\r\n550 5.1.1 such user\r\n", VERDICT_PERMANENT, 550, "5.1.1",
	"no such user"},
    {"550-\r\n550-\r\n550 \r\n", VERDICT_PERMANENT, 550, "5.0.0", ""},
    {"550\r\n", VERDICT_PERMANENT, 550, "5.0.0", ""},
    {"550 5.1.1\r\n", VERDICT_PERMANENT, 550, "5.1.1", ""},
    {"550 5.1. x\r\n", VERDICT_PERMANENT, 550, "5.0.0", "5.1. x"},
    {"550 x\x1b[2J\r\n", VERDICT_PERMANENT, 550, "5.0.0", "x\\x1b[2J"},
    {"550 \xff\xfe\r\n", VERDICT_PERMANENT, 550, "5.0.0", "\\xff\\xfe"},
};

static void
gives_verdicts(void **state)
{
	struct verdict v;
	struct reply r;

	(void)state;
	reply_init(&r);
	for (size_t i = 0; i < sizeof verdict_rows / sizeof *verdict_rows; i++) {
		const struct verdict_row *row = &verdict_rows[i];
		struct span in = span_str(row->in);

		reply_clear(&r);
		check_row(row->in, reply_feed(&r, &in) == REPLY_DONE);
		reply_verdict(&r, &v);
		check_row(row->in, v.kind == row->kind && v.code == row->code);
		check_row(row->in, strcmp(v.status, row->status) == 0);
		check_row(row->in, strcmp(v.text, row->text) == 0);
	}
	reply_release(&r);
}

static void
bounds_lines_and_octets(void **state)
{
	enum reply_state result = REPLY_MORE;
	struct reply r;
	unsigned lines = 0;
	size_t octets = 0;

	(void)state;
	reply_init(&r);
	for (; result == REPLY_MORE && lines < 1000; lines++) {
		struct span in = LITERAL("220-x\r\n");

		result = reply_feed(&r, &in);
	}
	assert_int_equal(result, REPLY_BAD);
	assert_int_equal(lines, REMOTE_REPLY_LINES_MAX + 1);
	reply_clear(&r);
	for (result = REPLY_MORE; result == REPLY_MORE && octets < 1U << 20; octets++) {
		struct span in = LITERAL("2");

		result = reply_feed(&r, &in);
	}
	assert_int_equal(result, REPLY_BAD);
	assert_int_equal(octets, REPLY_OCTETS_MAX + 1);
	assert_true(r.line.cap <= REMOTE_REPLY_MAX);
	reply_release(&r);
}

static void
keeps_part_of_a_long_line(void **state)
{
	static char line[50000];
	struct span in = span_make(line, sizeof line);
	struct reply r;

	(void)state;
	memset(line, ' ', sizeof line);
	memcpy(line, "250-AUTH", 8);
	memcpy(line + sizeof line - 3, "x\r\n", 3);
	reply_init(&r);
	assert_int_equal(reply_feed(&r, &in), REPLY_MORE);
	in = LITERAL("250 ok\r\n");
	assert_int_equal(reply_feed(&r, &in), REPLY_DONE);
	assert_true(span_starts_with(buf_span(&r.text), "AUTH "));
	assert_true(r.text.len < 4096);
	reply_release(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_replies),
	    cmocka_unit_test(gives_verdicts),
	    cmocka_unit_test(bounds_lines_and_octets),
	    cmocka_unit_test(keeps_part_of_a_long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
