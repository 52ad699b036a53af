/* test_wire: messages built and parsed, and what is not one. */
#include "common/wire.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/limits.h"
#include "tests/unit/testing.h"

/* Parses a copy of the text; the copy and the fields are the caller's to release. */
struct parsed {
	char *text;
	struct wire_fields fields;
	struct wire_msg m;
};

static int
parse(struct parsed *p, struct span text)
{
	*p = (struct parsed){.text = malloc(text.len + 1)};
	assert_non_null(p->text);
	if (text.len > 0)
		memcpy(p->text, text.p, text.len);
	return wire_parse(p->text, text.len, &p->fields, &p->m);
}

static void
parsed_release(struct parsed *p)
{
	free(p->text);
	wire_fields_release(&p->fields);
}

static void
carries_any_octet(void **state)
{
	char all[256];
	const struct span values[] = {LITERAL(""), LITERAL("plain"), LITERAL("a=b=c"),
	    LITERAL("two\nlines\n"), LITERAL("\0"), LITERAL("a\\nb\\"), LITERAL("\\\\0\n\0\\"),
	    span_make(all, sizeof all)};
	size_t n = sizeof values / sizeof *values;
	struct parsed p;
	struct wire_out w;

	(void)state;
	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (char)i;
	wire_out_init(&w, "verb", 42);
	for (size_t i = 0; i < n; i++)
		wire_add(&w, i % 2 == 0 ? "even" : "odd", values[i]);
	assert_int_equal(parse(&p, buf_span(&w.text)), 0);
	assert_true(span_is(p.m.verb, "verb"));
	assert_int_equal(p.m.id, 42);
	assert_int_equal(p.m.nfields, n);
	for (size_t i = 0; i < n; i++) {
		assert_true(span_is(p.m.fields[i].name, i % 2 == 0 ? "even" : "odd"));
		assert_true(span_eq(p.m.fields[i].value, values[i]));
	}
	parsed_release(&p);
	wire_out_release(&w);
}

static void
finds_fields(void **state)
{
	struct span s;
	uint64_t v;
	struct parsed p;

	(void)state;
	assert_int_equal(
	    parse(&p,
		LITERAL("m\na=1\nb=18446744073709551615\na=2\nyes=yes\nno=no\nY=YES\nx=\n")),
	    0);
	assert_int_equal(p.m.id, 0);
	assert_true(wire_get(&p.m, "a", &s) == 0 && span_is(s, "1"));
	assert_true(wire_get(&p.m, "x", &s) == 0 && s.len == 0);
	assert_int_equal(wire_get(&p.m, "A", &s), -1);
	assert_int_equal(wire_get(&p.m, "", &s), -1);
	assert_true(wire_get_u64(&p.m, "b", UINT64_MAX, &v) == 0 && v == UINT64_MAX);
	assert_int_equal(wire_get_u64(&p.m, "b", UINT32_MAX, &v), -1);
	assert_int_equal(wire_get_u64(&p.m, "x", 9, &v), -1);
	assert_int_equal(wire_get_u64(&p.m, "yes", 9, &v), -1);
	assert_int_equal(wire_get_u64(&p.m, "absent", 9, &v), -1);
	assert_true(wire_is_yes(&p.m, "yes"));
	assert_false(wire_is_yes(&p.m, "no"));
	assert_false(wire_is_yes(&p.m, "Y"));
	assert_false(wire_is_yes(&p.m, "absent"));
	parsed_release(&p);
}

static void
refuses_what_is_malformed(void **state)
{
	static const struct {
		const char *name;
		struct span text;
		int want;
	} rows[] = {
	    {"no fields", {"verb\n", 5}, 0},
	    {"id", {"verb 7\n", 7}, 0},
	    {"greatest id", {"verb 18446744073709551615\n", 26}, 0},
	    {"empty", {"", 0}, -1},
	    {"empty verb", {"\n", 1}, -1},
	    {"only an id", {" 7\n", 3}, -1},
	    {"no LF", {"verb", 4}, -1},
	    {"last line cut", {"verb\na=b", 8}, -1},
	    {"empty id", {"verb \n", 6}, -1},
	    {"id is a word", {"verb x\n", 7}, -1},
	    {"id too great", {"verb 18446744073709551616\n", 26}, -1},
	    {"two ids", {"verb 1 2\n", 9}, -1},
	    {"control in the verb", {"ve\trb\n", 6}, -1},
	    {"field without =", {"verb\nab\n", 8}, -1},
	    {"field without name", {"verb\n=b\n", 8}, -1},
	    {"empty line", {"verb\n\n", 6}, -1},
	    {"unknown escape", {"verb\na=\\x\n", 10}, -1},
	    {"cut escape", {"verb\na=b\\\n", 10}, -1},
	    {"raw NUL in a value", {"verb\na=\0\n", 9}, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct parsed p;

		check_row(rows[i].name, parse(&p, rows[i].text) == rows[i].want);
		parsed_release(&p);
	}
}

static void
bounds_the_fields(void **state)
{
	size_t size = 2 + 4 * (WIRE_FIELDS_MAX + 1);
	char *text = malloc(size);
	struct parsed p;

	(void)state;
	assert_non_null(text);
	memcpy(text, "v\n", 2);
	for (size_t i = 2; i < size; i += 4)
		memcpy(text + i, "a=b\n", 4);
	assert_int_equal(parse(&p, span_make(text, size - 4)), 0);
	assert_int_equal(p.m.nfields, WIRE_FIELDS_MAX);
	parsed_release(&p);
	assert_int_equal(parse(&p, span_make(text, size)), -1);
	parsed_release(&p);
	free(text);
}

static void
bounds_the_frame(void **state)
{
	static char payload[WIRE_PAYLOAD_MAX + 1];
	unsigned char header[WIRE_HEADER_SIZE];
	size_t text, octets, fds;
	struct wire_out w;

	(void)state;
	wire_out_init(&w, "v", 0);
	w.payload = span_make(payload, WIRE_PAYLOAD_MAX);
	assert_int_equal(wire_header(&w, WIRE_FDS_MAX, header), 0);
	assert_int_equal(wire_header_parse(header, &text, &octets, &fds), 0);
	assert_true(text == 2 && octets == WIRE_PAYLOAD_MAX && fds == WIRE_FDS_MAX);
	assert_memory_equal(header, "\0\0\0\2\0\x10\0\0\0\0\0\x08", 12);
	assert_int_equal(wire_header(&w, WIRE_FDS_MAX + 1, header), -1);
	w.payload.len++;
	assert_int_equal(wire_header(&w, 0, header), -1);
	wire_out_release(&w);

	assert_int_equal(wire_header_parse((const unsigned char *)"\0\x40\0\1\0\0\0\0\0\0\0\0",
			     &text, &octets, &fds),
	    -1);
	assert_int_equal(
	    wire_header_parse(
		(const unsigned char *)"\0\x40\0\0\0\x10\0\1\0\0\0\0", &text, &octets, &fds),
	    -1);
	assert_int_equal(wire_header_parse((const unsigned char *)"\0\0\0\2\0\0\0\0\0\0\0\x09",
			     &text, &octets, &fds),
	    -1);
	assert_int_equal(
	    wire_header_parse(
		(const unsigned char *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		&text, &octets, &fds),
	    -1);
}

/* A message that has become too long stays so, whatever is added to it. */
static void
marks_what_is_too_long(void **state)
{
	static char value[WIRE_TEXT_MAX];
	unsigned char header[WIRE_HEADER_SIZE];
	struct wire_out w;

	(void)state;
	memset(value, 'x', sizeof value);
	wire_out_init(&w, "v", 0);
	wire_add(&w, "a", span_make(value, sizeof value - 5));
	assert_int_equal(w.text.len, WIRE_TEXT_MAX);
	assert_int_equal(wire_header(&w, 0, header), 0);
	wire_add_str(&w, "b", "");
	assert_int_equal(wire_header(&w, 0, header), -1);
	wire_add_u64(&w, "c", 1);
	wire_addf(&w, "d", "%d", 1);
	assert_int_equal(wire_header(&w, 0, header), -1);
	wire_out_release(&w);

	wire_out_init(&w, "v", 0);
	memset(value, '\n', sizeof value);
	wire_add(&w, "a", span_make(value, sizeof value / 2));
	assert_int_equal(wire_header(&w, 0, header), -1);
	wire_out_release(&w);
}

static void
carries_verdicts(void **state)
{
	static const struct {
		const char *name;
		struct span text;
		int want;
	} rows[] = {
	    {"whole", LITERAL_INIT("a\nkind=ok\ncode=250\nstatus=2.1.5\ntext=fine\n"), 0},
	    {"no kind", LITERAL_INIT("a\ncode=250\nstatus=2.1.5\ntext=fine\n"), -1},
	    {"unknown kind", LITERAL_INIT("a\nkind=good\ncode=250\nstatus=2.1.5\ntext=fine\n"),
		-1},
	    {"no code", LITERAL_INIT("a\nkind=ok\nstatus=2.1.5\ntext=fine\n"), -1},
	    {"code too great", LITERAL_INIT("a\nkind=ok\ncode=600\nstatus=2.1.5\ntext=fine\n"),
		-1},
	    {"no status", LITERAL_INIT("a\nkind=ok\ncode=250\ntext=fine\n"), -1},
	    {"no text", LITERAL_INIT("a\nkind=ok\ncode=250\nstatus=2.1.5\n"), -1},
	};
	struct verdict v, back;
	struct wire_out w;
	struct parsed p;

	(void)state;
	verdict_set(&v, VERDICT_PERMANENT, 550, "5.1.1", "No such mailbox: \xc3\xbc\\n");
	wire_out_init(&w, "answer", 3);
	wire_add_verdict(&w, &v);
	assert_int_equal(parse(&p, buf_span(&w.text)), 0);
	assert_int_equal(wire_get_verdict(&p.m, &back), 0);
	assert_true(back.kind == v.kind && back.code == v.code);
	assert_string_equal(back.status, v.status);
	assert_string_equal(back.text, v.text);
	parsed_release(&p);
	wire_out_release(&w);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(parse(&p, rows[i].text), 0);
		check_row(rows[i].name, wire_get_verdict(&p.m, &back) == rows[i].want);
		check_row(rows[i].name, rows[i].want == 0 || back.kind == VERDICT_TEMPORARY);
		parsed_release(&p);
	}
}

static void
gives_descriptors_away_once(void **state)
{
	struct wire_msg m = {.fds = {7, 8}, .nfds = 2};

	(void)state;
	assert_int_equal(wire_take_fd(&m, 1), 8);
	assert_int_equal(wire_take_fd(&m, 1), -1);
	assert_int_equal(wire_take_fd(&m, 0), 7);
	assert_int_equal(wire_take_fd(&m, 2), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(carries_any_octet),
	    cmocka_unit_test(finds_fields),
	    cmocka_unit_test(refuses_what_is_malformed),
	    cmocka_unit_test(bounds_the_fields),
	    cmocka_unit_test(bounds_the_frame),
	    cmocka_unit_test(marks_what_is_too_long),
	    cmocka_unit_test(carries_verdicts),
	    cmocka_unit_test(gives_descriptors_away_once),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
