/*
 * test_lineend: each direction against a reference that looks at the whole text
 * at once, for every text of up to seven octets of CR, LF, dot and a letter; and
 * the same result however the text is cut and however small the buffer is.
 */
#include "common/lineend.h"

#include "tests/unit/testing.h"

#define OCTETS "\r\n.a"
#define MOST   7
#define END    "\r\n.\r\n"
#define TEXT   64

/* --- references: whole text in, whole text out --- */

/* Does s hold text at offset at? */
static bool
stands_at(const char *s, size_t at, const char *text)
{
	return strncmp(s + at, text, strlen(text)) == 0;
}

/* First CR without LF or LF without CR in the first n octets of s; n if there is none. */
static size_t
first_bare(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\r' && i + 1 < n && s[i + 1] == '\n')
			i++;
		else if (s[i] == '\r' || s[i] == '\n')
			return i;
	}
	return n;
}

/* CRLF, and with all set lone CR too, to LF. */
static void
to_lf(const char *s, size_t n, bool all, char *out)
{
	for (size_t i = 0; i < n; i++) {
		bool crlf = s[i] == '\r' && i + 1 < n && s[i + 1] == '\n';

		if (crlf)
			i++;
		*out++ = s[i] == '\r' && all ? '\n' : s[i];
	}
	*out = '\0';
}

/* DATA s (which ends somewhere): returns how many octets belong to it, sets *bare, writes content. */
static size_t
reference_eod(const char *s, bool *bare, char *out)
{
	size_t end = 0, n, cut;
	char lf[TEXT];

	while (!stands_at(s, end, ".\r\n") ||
	       (end > 0 && (end < 2 || !stands_at(s, end - 2, END))))
		end++;
	n = end + 3;
	cut = first_bare(s, end);
	*bare = cut < end;
	to_lf(s, cut, false, lf);
	for (size_t i = 0; lf[i] != '\0'; i++)
		if (lf[i] != '.' || (i > 0 && lf[i - 1] != '\n'))
			*out++ = lf[i];
	*out = '\0';
	return n;
}

/* Content s to DATA. */
static void
reference_wire(const char *s, char *out)
{
	char lf[TEXT];
	size_t i;

	to_lf(s, strlen(s), true, lf);
	for (i = 0; lf[i] != '\0'; i++) {
		if (lf[i] == '\n')
			*out++ = '\r';
		else if (lf[i] == '.' && (i == 0 || lf[i - 1] == '\n'))
			*out++ = '.';
		*out++ = lf[i];
	}
	if (i > 0 && lf[i - 1] != '\n')
		memcpy(out, END, sizeof END);
	else
		memcpy(out, END + 2, sizeof END - 2);
}

/* A program's text s to content; returns whether a dot ended it. */
static bool
reference_text(const char *s, bool dots, char *out)
{
	char lf[TEXT];
	size_t n;

	to_lf(s, strlen(s), true, lf);
	n = strlen(lf);
	if (n > 0 && lf[n - 1] != '\n')
		lf[n++] = '\n';
	lf[n] = '\0';
	for (size_t i = 0; dots && i < n; i++) {
		if (stands_at(lf, i, ".\n") && (i == 0 || lf[i - 1] == '\n')) {
			memcpy(out, lf, i);
			out[i] = '\0';
			return true;
		}
	}
	memcpy(out, lf, n + 1);
	return false;
}

/* --- the machines, fed in pieces into a buffer that is emptied whenever it is full --- */

enum direction { EOD, CHUNK, WIRE, TEXT_DOTS, TEXT_PLAIN };

struct run {
	enum direction direction;
	union {
		struct eod eod;
		struct chunk_end chunk;
		struct wire_end wire;
		struct text_end text;
	};
	struct buf out;
	char got[TEXT * 2];
	size_t ngot;
};

static void
collect(struct run *r)
{
	assert_true(r->ngot + r->out.len < sizeof r->got);
	memcpy(r->got + r->ngot, buf_str(&r->out), r->out.len);
	r->ngot += r->out.len;
	r->got[r->ngot] = '\0';
	buf_clear(&r->out);
}

static void
run_init(struct run *r, enum direction direction, size_t room)
{
	*r = (struct run){.direction = direction};
	buf_init(&r->out, room);
	if (direction == EOD)
		eod_init(&r->eod);
	else if (direction == CHUNK)
		chunk_init(&r->chunk);
	else if (direction == WIRE)
		wire_end_init(&r->wire);
	else
		text_end_init(&r->text, direction == TEXT_DOTS);
}

static bool
run_ended(const struct run *r)
{
	if (r->direction == EOD)
		return r->eod.state == EOD_DONE;
	return (r->direction == TEXT_DOTS || r->direction == TEXT_PLAIN) && r->text.done;
}

/* Feeds a piece; returns how much of it was left when the machine ended. */
static size_t
run_feed(struct run *r, struct span piece)
{
	for (bool fits = false; !fits;) {
		struct span before = piece;

		if (r->direction == EOD)
			fits = eod_feed(&r->eod, &piece, &r->out);
		else if (r->direction == CHUNK)
			fits = chunk_feed(&r->chunk, &piece, &r->out);
		else if (r->direction == WIRE)
			fits = wire_end_feed(&r->wire, &piece, &r->out);
		else
			fits = text_end_feed(&r->text, &piece, &r->out);
		assert_true(fits ? piece.len == 0 || run_ended(r) : r->out.len > 0);
		assert_ptr_equal(piece.p + piece.len, before.p + before.len);
		collect(r);
	}
	return piece.len;
}

static void
run_finish(struct run *r)
{
	r->out.max = TEXT;
	if (r->direction == CHUNK)
		chunk_finish(&r->chunk);
	else if (r->direction == WIRE)
		wire_end_finish(&r->wire, &r->out);
	else if (r->direction != EOD)
		text_end_finish(&r->text, &r->out);
	collect(r);
	buf_release(&r->out);
}

/* Compares what the machine made of text with the reference. */
static void
compare(const struct run *r, const char *text, size_t left)
{
	char want[TEXT * 2];
	size_t used = strlen(text) - left;
	bool flag;

	switch (r->direction) {
	case EOD:
		assert_int_equal(used, reference_eod(text, &flag, want));
		assert_int_equal(r->eod.state, EOD_DONE);
		assert_int_equal(r->eod.bare, flag);
		break;
	case CHUNK:
		used = first_bare(text, strlen(text));
		to_lf(text, used, false, want);
		assert_int_equal(r->chunk.bare, used < strlen(text));
		break;
	case WIRE:
		reference_wire(text, want);
		break;
	default:
		assert_int_equal(
		    r->text.done, reference_text(text, r->direction == TEXT_DOTS, want));
	}
	assert_string_equal(r->got, want);
}

/* The text cut at one place, and (cut 0) octet by octet, with little and with enough room. */
static void
try_all_ways(enum direction direction, const char *text)
{
	size_t n = strlen(text);

	for (size_t cut = 0; cut < n + (n == 0); cut++) {
		size_t room = cut % 2 == 0 ? 2 : TEXT, left = 0, at = 0;
		struct run r;

		run_init(&r, direction, room);
		while (at < n && !run_ended(&r)) {
			size_t piece = cut == 0 ? 1 : at == 0 ? cut : n - cut;

			left = run_feed(&r, span_make(text + at, piece));
			at += piece;
		}
		run_finish(&r);
		compare(&r, text, left + n - at);
	}
}

/* Calls try_all_ways for every text over OCTETS of up to MOST octets, with the tail behind it. */
static void
try_all_texts(enum direction direction, const char *tail)
{
	char text[TEXT];

	for (size_t n = 0; n <= MOST; n++) {
		for (unsigned v = 0; v < 1U << (2 * n); v++) {
			for (size_t i = 0; i < n; i++)
				text[i] = OCTETS[(v >> (2 * i)) & 3];
			memcpy(text + n, tail, strlen(tail) + 1);
			try_all_ways(direction, text);
		}
	}
}

static void
data_from_the_wire(void **state)
{
	(void)state;
	try_all_texts(EOD, END "Q");
}

static void
chunks_from_the_wire(void **state)
{
	(void)state;
	try_all_texts(CHUNK, "");
}

static void
content_to_the_wire(void **state)
{
	(void)state;
	try_all_texts(WIRE, "");
}

static void
a_programs_text(void **state)
{
	(void)state;
	try_all_texts(TEXT_DOTS, "");
	try_all_texts(TEXT_PLAIN, "");
}

/* What is written for the wire and read from there is the content again. */
static void
there_and_back(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 1U << 12; v++) {
		char content[8], wire[TEXT], back[TEXT];
		bool bare;

		for (size_t i = 0; i < 6; i++)
			content[i] = "\n.a\xff"[(v >> (2 * i)) & 3];
		memcpy(content + 6, "\n", 2);
		reference_wire(content, wire);
		assert_int_equal(reference_eod(wire, &bare, back), strlen(wire));
		assert_false(bare);
		assert_string_equal(back, content);
	}
}

/* By hand, so that the references have a reference. */
static void
known_cases(void **state)
{
	static const struct {
		const char *in;
		int want; /* octets up to the end, -1 if it does not end */
		bool bare;
		const char *content;
	} rows[] = {
	    {".\r\n", 3, false, ""},
	    {"\r\n.\r\n", 5, false, "\n"},
	    {"a\r\n.\r\nQUIT\r\n", 6, false, "a\n"},
	    {"..\r\n...\r\n.x\r\n.\r\n", 16, false, ".\n..\nx\n"},
	    {"a\n.\nMAIL", -1, true, "a"},
	    {"a\n.\r\nMAIL", -1, true, "a"},
	    {"a\r\n.\nMAIL", -1, true, "a\n"},
	    {"a\r\n.\rMAIL", -1, true, "a\n"},
	    {"a\r.\rMAIL", -1, true, "a"},
	    {"a\r.\r\nMAIL", -1, true, "a"},
	    {"a\r\n.\r\r\nMAIL", -1, true, "a\n"},
	    {"a\r\r\n.\r\nMAIL", 7, true, "a"},
	    {"a\r\n.", -1, false, "a\n"},
	    {"a\r\n.\r", -1, false, "a\n"},
	    {"a\r", -1, false, "a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span in = span_str(rows[i].in);
		struct eod e;
		struct buf out;

		eod_init(&e);
		buf_init(&out, TEXT);
		check_row(rows[i].in, eod_feed(&e, &in, &out));
		check_row(rows[i].in, (e.state == EOD_DONE) == (rows[i].want >= 0));
		check_row(rows[i].in,
		    in.len ==
			(rows[i].want >= 0 ? strlen(rows[i].in) - (size_t)rows[i].want : 0));
		check_row(rows[i].in, e.bare == rows[i].bare);
		check_row(rows[i].in, strcmp(buf_str(&out), rows[i].content) == 0);
		buf_release(&out);
	}
}

/* Lines longer than any window, NULs and high octets. */
static void
long_lines(void **state)
{
	static char line[100000];
	struct buf wire, back;
	struct span in = span_make(line, sizeof line);
	struct wire_end w;
	struct eod e;

	(void)state;
	for (size_t i = 0; i < sizeof line; i++)
		line[i] = i % 9973 == 0			   ? '\n'
			  : i % 251 == 10 || i % 251 == 13 ? '\0'
							   : (char)(i % 251);
	line[sizeof line - 1] = '\n';
	buf_init(&wire, 4 * sizeof line);
	buf_init(&back, 4 * sizeof line);
	wire_end_init(&w);
	eod_init(&e);
	assert_true(wire_end_feed(&w, &in, &wire));
	wire_end_finish(&w, &wire);
	in = buf_span(&wire);
	assert_true(eod_feed(&e, &in, &back));
	assert_true(e.state == EOD_DONE && !e.bare && in.len == 0);
	assert_int_equal(back.len, sizeof line);
	assert_memory_equal(back.p, line, sizeof line);
	buf_release(&wire);
	buf_release(&back);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_cases),
	    cmocka_unit_test(data_from_the_wire),
	    cmocka_unit_test(chunks_from_the_wire),
	    cmocka_unit_test(content_to_the_wire),
	    cmocka_unit_test(a_programs_text),
	    cmocka_unit_test(there_and_back),
	    cmocka_unit_test(long_lines),
	};

	return cmocka_run_group_tests_name("lineend", tests, NULL, NULL);
}
