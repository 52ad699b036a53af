/*
 * test_content_checks: header checks while content passes: refused, thrown away, and what is put on top, in memory
 * and in a file of its own, whose envelope is written anew.
 */
#include "smtpd/content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/limits.h"
#include "queue/spool_envelope.h"
#include "tests/unit/smtpd_fake.h"

#define TOP "Received: top\n"

static const char rules[] =
    "/^S: reject/ REJECT 5.6.0 no\n/^S: discard/ DISCARD\n/^S: prepend/ PREPEND X-A: b\n"
    "/^S: hold/ HOLD why\n/^S: redirect/ REDIRECT x@y.test\n";

struct bench {
	struct fake fake;
	struct content *content;
	bool ready;
	int done;
};

static void
on_hit(const struct header_hit *h, void *arg)
{
	(void)h, (void)arg;
}

static void
on_trouble(const char *text, void *arg)
{
	(void)arg;
	fail_msg("%s", text);
}

static void
bench_init(struct bench *b)
{
	static const struct header_check_ops ops = {.on_hit = on_hit, .on_trouble = on_trouble};
	struct config_errors errors = {0};
	struct header_set *set = header_set_new(&(struct header_text){"r", span_str(rules)},
	    &(struct header_text){NULL, {NULL, 0}}, &errors);
	struct content_setup setup;

	assert_non_null(set);
	memset(b, 0, sizeof *b);
	fake_init(&b->fake);
	setup = (struct content_setup){.spool = &fake_spool_ops,
	    .spool_arg = &b->fake,
	    .budget = &b->fake.server.budget,
	    .scratch = &b->fake.server.scratch,
	    .size_limit = 2097152,
	    .hop_limit = 50,
	    .check = header_check_new(set, &ops, b)};
	header_set_unref(&set);
	b->content = content_new(&setup, span_str(TOP));
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
	(void)v;
	((struct bench *)arg)->done++;
}

/* An envelope as sessions write them; the second time it is another one, as rules make it. */
static void
write_envelope(const struct header_check *c, struct buf *out)
{
	struct envelope_recipient to = {
	    .address = span_str(c->redirect != NULL ? c->redirect : "bob@domain1.com")};
	struct envelope e = {.from = span_str("s@else.test"),
	    .uid = -1,
	    .hold = span_str(c->hold),
	    .recipients = &to,
	    .nrecipients = 1};

	buf_init(out, 10000);
	assert_int_equal(envelope_format(&e, out), 0);
}

static enum content_result
feed(struct bench *b, struct span in, size_t piece)
{
	enum content_result r = CONTENT_MORE;

	while (in.len > 0 && r == CONTENT_MORE) {
		struct span part = span_first(in, piece);
		struct buf envelope;

		in = span_skip(in, part.len);
		while ((r = content_feed(b->content, &part)) == CONTENT_WANTS_FILE) {
			write_envelope(b->content->check, &envelope);
			content_open_file(b->content,
			    &(struct spool_message){7, 0, buf_span(&envelope)}, 0, on_ready, b);
			buf_release(&envelope);
			fake_run(&b->fake);
		}
	}
	return r;
}

/* A message of some size; field stands in its header, or with late in the header of its last part. */
static void
message(struct buf *wire, const char *field, size_t size, bool late)
{
	buf_init(wire, 8U << 20);
	buf_addf(wire, "%s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n",
	    late ? "S: x" : field);
	while (wire->len < size)
		buf_add_str(wire, "This line is as long as another one, and says nothing.\r\n");
	buf_addf(wire, "--b\r\n%s\r\n\r\nx\r\n--b--\r\n.\r\n", late ? field : "X: x");
}

static void
check_stored(struct bench *b, const char *top, const char *hold, const char *to)
{
	const struct fake_message *got;
	struct envelope e;
	struct buf envelope;
	char *front = xasprintf("%s" TOP "S: ", top);

	write_envelope(b->content->check, &envelope);
	assert_int_equal(content_commit(b->content,
			     &(struct spool_message){7, 0, buf_span(&envelope)}, on_done, b),
	    0);
	buf_release(&envelope);
	fake_run(&b->fake);
	assert_int_equal(b->done, 1);
	got = &b->fake.messages[0];
	assert_memory_equal(got->content, front, strlen(front));
	assert_true(got->content_len > 10 &&
		    memcmp(got->content + got->content_len - 8, "x\n--b--\n", 8) == 0);
	assert_int_equal(envelope_parse(span_str(got->envelope), &e), 0);
	assert_true(span_is(e.hold, hold));
	assert_int_equal(e.nrecipients, 1);
	assert_true(span_is(e.recipients[0].address, to));
	envelope_release(&e);
	free(front);
}

static void
in_memory_and_in_a_file(void **state)
{
	static const struct {
		const char *field;
		enum content_fault fault;
		const char *top, *hold, *to;
	} rows[] = {
	    {"S: plain", CONTENT_GOOD, "", "", "bob@domain1.com"},
	    {"S: reject", CONTENT_REFUSED, NULL, NULL, NULL},
	    {"S: discard", CONTENT_DISCARDED, NULL, NULL, NULL},
	    {"S: prepend", CONTENT_GOOD, "X-A: b\n", "", "bob@domain1.com"},
	    {"S: hold", CONTENT_GOOD, "", "why", "bob@domain1.com"},
	    {"S: redirect", CONTENT_GOOD, "", "", "x@y.test"},
	    {"S: prepend\r\nS: hold\r\nS: redirect", CONTENT_GOOD, "X-A: b\n", "why",
		"x@y.test"},
	};
	/* About the border: the last of what memory takes, and the first that goes to a file. */
	static const size_t sizes[] = {0, 60000, 257000, 258000, 262000, 266000, 1000000};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
		for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
			struct bench b;
			struct buf wire;

			bench_init(&b);
			message(&wire, rows[i / 2].field, sizes[k], i % 2 != 0);
			assert_int_equal(
			    feed(&b, buf_span(&wire), sizes[k] == 0 ? 1 : 4096), CONTENT_WHOLE);
			assert_int_equal(b.content->fault, rows[i / 2].fault);
			if (rows[i / 2].fault == CONTENT_GOOD) {
				assert_int_equal(b.content->where,
				    sizes[k] > 264000 ? CONTENT_FILE : b.content->where);
				check_stored(
				    &b, rows[i / 2].top, rows[i / 2].hold, rows[i / 2].to);
			} else {
				assert_int_equal(b.content->where, CONTENT_NOWHERE);
			}
			buf_release(&wire);
			bench_release(&b);
		}
	}
}

/* A message that nobody will have ends like any other that is too large. */
static void
endless_discard(void **state)
{
	struct buf wire;
	struct bench b;

	(void)state;
	bench_init(&b);
	message(&wire, "S: discard", 3000000, false);
	assert_int_equal(feed(&b, buf_span(&wire), 65536), CONTENT_WHOLE);
	assert_int_equal(b.content->fault, CONTENT_TOO_BIG);
	buf_release(&wire);
	bench_release(&b);
}

/* A bare CR is worse than whatever the rules say. */
static void
bare_after_discard(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(
	    feed(&b, span_str("S: discard\r\n\r\na\rb\r\n.\r\n"), 1), CONTENT_WHOLE);
	assert_int_equal(b.content->fault, CONTENT_BARE);
	bench_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(in_memory_and_in_a_file),
	    cmocka_unit_test(endless_discard),
	    cmocka_unit_test(bare_after_discard),
	};

	return cmocka_run_group_tests_name("content_checks", tests, NULL, NULL);
}
