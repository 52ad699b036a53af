/* test_content: content from the wire to the spool, in memory, in a file, and nowhere; the header it reads along. */
#include "smtpd/content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/limits.h"
#include "tests/unit/smtpd_fake.h"

#define TOP	"Received: top\n"
#define ROWS(a) (sizeof(a) / sizeof *(a))

struct bench {
	struct fake fake;
	struct content_setup setup;
	struct content *content;
	bool ready;
	int done; /* calls */
	struct verdict verdict;
};

static void
bench_init(struct bench *b)
{
	memset(b, 0, sizeof *b);
	fake_init(&b->fake);
	b->setup = (struct content_setup){.spool = &fake_spool_ops,
	    .spool_arg = &b->fake,
	    .budget = &b->fake.server.budget,
	    .scratch = &b->fake.server.scratch,
	    .size_limit = 1048576,
	    .hop_limit = 50};
	b->content = content_new(&b->setup, span_str(TOP));
}

static void
bench_release(struct bench *b)
{
	content_free(&b->content);
	assert_int_equal(b->fake.server.budget.used, 0);
	assert_int_equal(b->fake.large_open, 0);
	fake_release(&b->fake);
}

static void
on_ready(const struct verdict *v, void *arg)
{
	(void)v;
	((struct bench *)arg)->ready = true;
}

static void
on_done(const struct verdict *v, void *arg)
{
	struct bench *b = arg;

	b->done++;
	b->verdict = *v;
}

/* Feeds all of it, in pieces of at most piece octets, answering the wish for a file. */
static enum content_result
feed(struct bench *b, struct span in, size_t piece, struct span *rest)
{
	struct spool_message m = {.number = 7, .envelope = span_str("envelope\n")};
	enum content_result r = CONTENT_MORE;

	while (in.len > 0 && r == CONTENT_MORE) {
		struct span part = span_first(in, piece);
		size_t had = part.len;

		while ((r = content_feed(b->content, &part)) == CONTENT_WANTS_FILE) {
			b->ready = false;
			content_open_file(b->content, &m, 0, on_ready, b);
			assert_false(b->ready);
			fake_run(&b->fake);
			assert_true(b->ready);
		}
		in = span_skip(in, had - part.len);
	}
	*rest = in;
	return r;
}

/* What the spool got, without the trace field; commits first. */
static struct span
stored(struct bench *b)
{
	struct spool_message m = {.number = 7, .envelope = span_str("envelope\n")};
	const struct fake_message *got;

	assert_int_equal(content_commit(b->content, &m, on_done, b), 0);
	assert_int_equal(b->done, 0);
	fake_run(&b->fake);
	assert_int_equal(b->done, 1);
	assert_int_equal(b->fake.nmessages, 1);
	got = &b->fake.messages[0];
	assert_int_equal(got->number, 7);
	assert_string_equal(got->envelope, "envelope\n");
	assert_memory_equal(got->content, TOP, strlen(TOP));
	return span_make(got->content + strlen(TOP), got->content_len - strlen(TOP));
}

static void
small_messages(void **state)
{
	static const struct {
		const char *name, *wire, *want;
		uint64_t size;
		bool eight_bit;
	} rows[] = {
	    {"plain", "S: t\r\n\r\nhello\r\n.\r\n", "S: t\n\nhello\n", 15, false},
	    {"empty", ".\r\n", "", 0, false},
	    {"empty header", "\r\nhello\r\n.\r\n", "\nhello\n", 9, false},
	    {"dots", "S: t\r\n\r\n..\r\n...\r\n..x\r\n.\r\n", "S: t\n\n.\n..\n.x\n", 19, false},
	    {"eight bit", "S: t\r\n\r\n\xe9\xff\r\n.\r\n", "S: t\n\n\xe9\xff\n", 12, true},
	    {"no header", "hello\r\nworld\r\n.\r\n", "\nhello\nworld\n", 14, false},
	    {"folded first line", " folded\r\n\r\nb\r\n.\r\n", "\n folded\n\nb\n", 14, false},
	    {"mbox line", "From x y\r\nS: t\r\n\r\nb\r\n.\r\n", "\nFrom x y\nS: t\n\nb\n", 21,
		false},
	    {"dots for a header", "...\r\n.\r\n", "\n..\n", 4, false},
	    {"space before the colon", "S : t\r\n\r\nb\r\n.\r\n", "S : t\n\nb\n", 12, false},
	    {"words before the colon", "Dear John: hello\r\n.\r\n", "\nDear John: hello\n", 18,
		false},
	    {"colon first", ": x\r\n.\r\n", "\n: x\n", 5, false},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		for (size_t piece = 1; piece < 40; piece += 12) {
			struct bench b;
			struct span rest, got;

			bench_init(&b);
			if (feed(&b, span_str(rows[i].wire), piece, &rest) != CONTENT_WHOLE ||
			    b.content->fault != CONTENT_GOOD)
				fail_msg("%s, pieces of %zu: not whole", rows[i].name, piece);
			assert_int_equal(rest.len, 0);
			got = stored(&b);
			if (!span_is(got, rows[i].want))
				fail_msg("%s, pieces of %zu: got \"%.*s\"", rows[i].name, piece,
				    SPAN_ARG(got));
			assert_int_equal(b.content->size, rows[i].size);
			assert_int_equal(b.content->eight_bit, rows[i].eight_bit);
			bench_release(&b);
		}
	}
}

static void
leaves_what_follows(void **state)
{
	struct bench b;
	struct span rest;

	(void)state;
	bench_init(&b);
	assert_int_equal(
	    feed(&b, span_str("S: t\r\n\r\nb\r\n.\r\nRSET\r\n"), 100, &rest), CONTENT_WHOLE);
	assert_true(span_is(rest, "RSET\r\n"));
	bench_release(&b);
}

static void
faults(void **state)
{
	static const struct {
		const char *name, *wire;
		enum content_fault want;
	} rows[] = {
	    {"bare LF", "S: t\r\n\r\nfirst\n.\r\n.\r\n", CONTENT_BARE},
	    {"bare CR", "S: t\r\n\r\na\rb\r\n.\r\n", CONTENT_BARE},
	    {"LF.LF", "S: t\r\n\r\nfirst\n.\nMAIL\r\n.\r\n", CONTENT_BARE},
	    {"CR in the end", "S: t\r\n\r\nfirst\r\n.\r\r\n.\r\n", CONTENT_BARE},
	    {"bare LF in the header", "bare\nLF: x\r\n\r\nb\r\n.\r\n", CONTENT_BARE},
	    {"dot LF first", ".\nMAIL\r\n.\r\n", CONTENT_BARE},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		for (size_t piece = 1; piece < 30; piece += 7) {
			struct bench b;
			struct span rest;

			bench_init(&b);
			if (feed(&b, span_str(rows[i].wire), piece, &rest) != CONTENT_WHOLE ||
			    b.content->fault != rows[i].want || rest.len != 0)
				fail_msg("%s, pieces of %zu", rows[i].name, piece);
			assert_int_equal(b.fake.server.budget.used, 0);
			bench_release(&b);
		}
	}
}

static void
repeat(struct buf *out, const char *text, size_t n)
{
	while (n-- > 0)
		buf_add_str(out, text);
}

/* Content of exactly n octets as RFC 1870 counts them. */
static void
of_size(struct buf *out, size_t n)
{
	buf_clear(out);
	buf_add_str(out, "S: t\r\n\r\n");
	for (n -= 8; n > 1002; n -= 1000) {
		repeat(out, "a", 998);
		buf_add_str(out, "\r\n");
	}
	repeat(out, "b", n - 2);
	buf_add_str(out, "\r\n.\r\n");
}

static void
the_limit_is_exact(void **state)
{
	struct buf wire;

	(void)state;
	buf_init(&wire, 8U << 20);
	for (size_t over = 0; over < 2; over++) {
		struct bench b;
		struct span rest;

		bench_init(&b);
		of_size(&wire, 1048576 + over);
		assert_int_equal(feed(&b, buf_span(&wire), 60000, &rest), CONTENT_WHOLE);
		assert_int_equal(b.content->fault, over != 0 ? CONTENT_TOO_BIG : CONTENT_GOOD);
		if (over == 0)
			assert_int_equal(b.content->size, 1048576);
		bench_release(&b);
	}
	buf_release(&wire);
}

/* Strictness does not end where keeping does (SM-33). */
static void
too_big_and_bare(void **state)
{
	struct bench b;
	struct span rest;
	struct buf wire;

	(void)state;
	bench_init(&b);
	buf_init(&wire, 8U << 20);
	of_size(&wire, 1100000);
	wire.len -= 3;
	buf_add_str(&wire, "\n.\nMAIL FROM:<smuggled@remote.test>\r\n.\r\n");
	assert_int_equal(feed(&b, buf_span(&wire), 65536, &rest), CONTENT_WHOLE);
	assert_int_equal(b.content->fault, CONTENT_BARE);
	assert_int_equal(rest.len, 0);
	buf_release(&wire);
	bench_release(&b);
}

static void
endless_content_ends(void **state)
{
	static const char block[60000] = {'a'};
	struct bench b;
	struct span rest;
	enum content_result r = CONTENT_MORE;
	uint64_t sent = 0;

	(void)state;
	bench_init(&b);
	for (; r == CONTENT_MORE && sent < 3 * (uint64_t)CONTENT_DROP_MAX; sent += sizeof block)
		r = feed(&b, span_make(block, sizeof block), sizeof block, &rest);
	assert_int_equal(r, CONTENT_ENDLESS);
	assert_int_equal(b.content->fault, CONTENT_TOO_BIG);
	assert_in_range(sent, CONTENT_DROP_MAX, CONTENT_DROP_MAX + (4U << 20));
	bench_release(&b);
}

static void
counts_hops_in_the_header_alone(void **state)
{
	static const struct {
		const char *line;
		size_t times;
		const char *before;
		enum content_fault want;
	} rows[] = {
	    {"Received: by h\r\n", 50, "", CONTENT_GOOD},
	    {"Received: by h\r\n", 51, "", CONTENT_LOOPING},
	    {"rEcEiVeD : by h\r\n", 51, "", CONTENT_LOOPING},
	    {"Received-SPF: x\r\n", 60, "", CONTENT_GOOD},
	    {"X-Received: x\r\n", 60, "", CONTENT_GOOD},
	    {"Receive: x\r\n", 60, "", CONTENT_GOOD},
	    {" Received: folded\r\n", 60, "S: t\r\n", CONTENT_GOOD},
	    {"Received: by h\r\n", 60, "S: t\r\n\r\n", CONTENT_GOOD},
	    {"Received: by h\r\n", 60, "no header\r\n", CONTENT_GOOD},
	    {"Delivered-To: x@d.test\r\n", 50, "", CONTENT_GOOD},
	    {"Delivered-To: x@d.test\r\n", 51, "", CONTENT_LOOPING},
	};
	struct buf wire;

	(void)state;
	buf_init(&wire, 1U << 20);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct bench b;
		struct span rest;

		buf_clear(&wire);
		buf_add_str(&wire, rows[i].before);
		repeat(&wire, rows[i].line, rows[i].times);
		buf_add_str(&wire, "\r\nb\r\n.\r\n");
		bench_init(&b);
		assert_int_equal(feed(&b, buf_span(&wire), 7, &rest), CONTENT_WHOLE);
		if (b.content->fault != rows[i].want)
			fail_msg("%s%s", rows[i].before, rows[i].line);
		bench_release(&b);
	}
	buf_release(&wire);
}

/* DT-19: mail that says that it was delivered to whom it is to go has come round, or says so to make us bounce it. */
static void
knows_what_has_been_here(void **state)
{
	static const struct {
		const char *name, *header;
		bool returned;
	} rows[] = {
	    {"ours", "Delivered-To: bob@d.test\n\n", true},
	    {"behind others",
		"Received: x\nDelivered-To: a@d.test\nDelivered-To: carl@d.test\n\n", true},
	    {"cases and blanks", "dElivered-tO :\t BOB@D.test \t\n\n", true},
	    {"no blank", "Delivered-To:bob@d.test\n\n", true},
	    {"another's", "Delivered-To: bo@d.test\nDelivered-To: bob@d.test.x\n\n", false},
	    {"not hosted", "Delivered-To: far@away.test\n\n", false},
	    {"of another field", "X-Delivered-To: bob@d.test\nDelivered-Tox: bob@d.test\n\n",
		false},
	    {"in the body", "S: t\n\nDelivered-To: bob@d.test\n", false},
	    {"folded", "X: y\n Delivered-To: bob@d.test\n\n", false},
	    {"a folded value", "Delivered-To:\n bob@d.test\n\n", false},
	    {"within a value", "X: Delivered-To: bob@d.test\n\n", false},
	    {"empty", "Delivered-To:\nDelivered-To: \n\n", false},
	};
	static const char *const hosted[] = {"bob@d.test", "carl@d.test"};
	struct recipients all;

	(void)state;
	recipients_init(&all);
	recipients_add(&all, &(struct recipient){.address = span_str("far@away.test")});
	for (size_t i = 0; i < ROWS(hosted); i++)
		recipients_add(
		    &all, &(struct recipient){.address = span_str(hosted[i]), .hosted = true});
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct header_scan h, bytewise;

		header_scan_init(&h, &all);
		header_scan_init(&bytewise, &all);
		header_scan_feed(&h, span_str(rows[i].header));
		for (const char *p = rows[i].header; *p != '\0'; p++)
			header_scan_feed(&bytewise, span_make(p, 1));
		if (h.returned != rows[i].returned || bytewise.returned != rows[i].returned)
			fail_msg("%s", rows[i].name);
		header_scan_init(&h, NULL);
		header_scan_feed(&h, span_str(rows[i].header));
		assert_false(h.returned);
	}
	recipients_release(&all);
}

/* A value without end, and one that is as long as an address may be. */
static void
long_values_name_nobody(void **state)
{
	char address[ADDRESS_MAX + 2], header[ADDRESS_MAX + 40];
	struct recipients all;

	(void)state;
	for (size_t n = ADDRESS_MAX - 1; n <= ADDRESS_MAX + 1; n++) {
		struct header_scan h;

		memset(address, 'a', n);
		address[n] = '\0';
		snprintf(header, sizeof header, "Delivered-To: %s\n\n", address);
		recipients_init(&all);
		recipients_add(
		    &all, &(struct recipient){.address = span_str(address), .hosted = true});
		header_scan_init(&h, &all);
		header_scan_feed(&h, span_str(header));
		assert_int_equal(h.returned, n <= ADDRESS_MAX);
		recipients_release(&all);
	}
}

static void
long_headers_take_no_memory(void **state)
{
	struct bench b;
	struct span rest;
	struct buf wire;

	(void)state;
	bench_init(&b);
	buf_init(&wire, 8U << 20);
	buf_add_str(&wire, "X: ");
	repeat(&wire, "h", 900000);
	buf_add_str(&wire, "\r\n\r\nb\r\n.\r\n");
	assert_int_equal(feed(&b, buf_span(&wire), 65536, &rest), CONTENT_WHOLE);
	assert_int_equal(b.content->fault, CONTENT_GOOD);
	assert_int_equal(b.content->where, CONTENT_FILE);
	assert_int_equal(b.fake.server.budget.used, 0);
	buf_release(&wire);
	bench_release(&b);
}

static void
large_messages_go_to_a_file(void **state)
{
	static const size_t sizes[] = {
	    262000, 262144 - 14, 262144 - 13, 262144, 262200, 1000000};

	(void)state;
	for (size_t i = 0; i < ROWS(sizes); i++) {
		struct bench b;
		struct span rest, got;
		struct buf wire;

		bench_init(&b);
		buf_init(&wire, 8U << 20);
		of_size(&wire, sizes[i]);
		assert_int_equal(feed(&b, buf_span(&wire), 50001, &rest), CONTENT_WHOLE);
		assert_int_equal(b.content->fault, CONTENT_GOOD);
		got = stored(&b);
		assert_int_equal(b.fake.messages[0].large, b.content->where == CONTENT_FILE);
		assert_int_equal(b.content->size, sizes[i]);
		/* The wire holds CRs and the end beside. */
		assert_true(got.len < wire.len && got.p[got.len - 1] == '\n');
		for (size_t at = 0, k = 0; k < got.len; at++)
			if (wire.p[at] != '\r')
				assert_true(got.p[k++] == wire.p[at]);
		buf_release(&wire);
		bench_release(&b);
	}
}

static void
no_file_no_message(void **state)
{
	struct bench b;
	struct span rest;
	struct buf wire;

	(void)state;
	bench_init(&b);
	b.fake.no_file = true;
	buf_init(&wire, 8U << 20);
	of_size(&wire, 500000);
	assert_int_equal(feed(&b, buf_span(&wire), 65536, &rest), CONTENT_WHOLE);
	assert_int_equal(b.content->fault, CONTENT_UNSTORED);
	assert_int_equal(b.content->verdict.code, 452);
	buf_release(&wire);
	bench_release(&b);
}

static void
a_file_that_cannot_be_written(void **state)
{
	struct bench b;
	struct span rest;
	struct buf wire;

	(void)state;
	bench_init(&b);
	b.fake.failing = true;
	buf_init(&wire, 8U << 20);
	of_size(&wire, 500000);
	assert_int_equal(feed(&b, buf_span(&wire), 65536, &rest), CONTENT_WHOLE);
	assert_int_equal(b.content->fault, CONTENT_UNSTORED);
	assert_int_equal(b.content->verdict.kind, VERDICT_TEMPORARY);
	assert_int_equal(b.fake.large_aborted, 1);
	buf_release(&wire);
	bench_release(&b);
}

/* Above the worker's budget even a small message goes to a file. */
static void
the_budget_holds(void **state)
{
	struct bench b;
	struct span rest;

	(void)state;
	bench_init(&b);
	b.fake.server.budget.max = 1;
	assert_int_equal(feed(&b, span_str(" folded\r\n\r\nb\r\n"), 3, &rest), CONTENT_MORE);
	assert_int_equal(b.content->where, CONTENT_FILE);
	assert_int_equal(feed(&b, span_str("more\r\n.\r\n"), 3, &rest), CONTENT_WHOLE);
	assert_true(span_is(stored(&b), "\n folded\n\nb\nmore\n"));
	bench_release(&b);
}

static void
freed_on_the_way(void **state)
{
	struct spool_message m = {.number = 7, .envelope = span_str("envelope\n")};
	struct bench b;
	struct span in;
	struct buf wire;

	(void)state;
	bench_init(&b);
	buf_init(&wire, 8U << 20);
	of_size(&wire, 500000);
	in = buf_span(&wire);
	assert_int_equal(content_feed(b.content, &in), CONTENT_WANTS_FILE);
	content_open_file(b.content, &m, 0, on_ready, &b);
	content_free(&b.content);
	fake_run(&b.fake);
	assert_false(b.ready);
	assert_int_equal(b.fake.large_aborted, 1);
	buf_release(&wire);
	bench_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(small_messages),
	    cmocka_unit_test(leaves_what_follows),
	    cmocka_unit_test(faults),
	    cmocka_unit_test(the_limit_is_exact),
	    cmocka_unit_test(too_big_and_bare),
	    cmocka_unit_test(endless_content_ends),
	    cmocka_unit_test(counts_hops_in_the_header_alone),
	    cmocka_unit_test(knows_what_has_been_here),
	    cmocka_unit_test(long_values_name_nobody),
	    cmocka_unit_test(long_headers_take_no_memory),
	    cmocka_unit_test(large_messages_go_to_a_file),
	    cmocka_unit_test(no_file_no_message),
	    cmocka_unit_test(a_file_that_cannot_be_written),
	    cmocka_unit_test(the_budget_holds),
	    cmocka_unit_test(freed_on_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
