/* test_txn: transactions, their recipients, their strings, and the envelope that is stored. */
#include "smtpd/txn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/limits.h"
#include "queue/spool_envelope.h"

static void
add(struct txn *t, const char *address)
{
	struct recipient one = {.address = arena_copy(&t->strings, span_str(address))};

	if (!recipients_has(&t->recipients, one.address))
		recipients_add(&t->recipients, &one);
}

static void
strings_stay_where_they_are(void **state)
{
	struct span kept[2000];
	struct arena a;
	char text[32];

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < 2000; i++) {
		int n = snprintf(text, sizeof text, "string %zu", i);

		kept[i] = arena_copy(&a, span_make(text, (size_t)n));
	}
	for (size_t i = 0; i < 2000; i++) {
		snprintf(text, sizeof text, "string %zu", i);
		assert_true(span_is(kept[i], text));
	}
	assert_int_equal(arena_copy(&a, span_str("")).len, 0);
	arena_release(&a);
	assert_int_equal(a.octets, 0);
}

static void
a_recipient_stands_once(void **state)
{
	struct txn *t = txn_new(span_str("s@remote.test"));

	(void)state;
	for (int round = 0; round < 3; round++) {
		add(t, "alice@a.test");
		add(t, "bob@a.test");
		add(t, "alice@b.test");
		add(t, "Alice@a.test"); /* another mailbox, as far as this side knows */
	}
	assert_int_equal(t->recipients.n, 4);
	assert_true(span_is(t->recipients.v[3].address, "Alice@a.test"));
	txn_free(&t);
	assert_null(t);
	txn_free(&t);
}

static void
the_envelope_comes_back(void **state)
{
	struct txn *t = txn_new(span_str("s@remote.test"));
	struct txn_origin o = {
	    .client = span_str("192.0.2.7"), .helo = span_str("c.test"), .uid = -1};
	struct envelope e;
	struct buf out;

	(void)state;
	buf_init(&out, ENVELOPE_MAX);
	t->eight_bit = true;
	add(t, "\"a\\\\b\"@a.test");
	add(t, "bob@b.test");
	assert_int_equal(txn_format_envelope(t, &o, &out), 0);
	assert_int_equal(envelope_parse(buf_span(&out), &e), 0);
	assert_true(span_is(e.from, "s@remote.test"));
	assert_true(span_is(e.client, "192.0.2.7") && span_is(e.helo, "c.test"));
	assert_int_equal(e.uid, -1);
	assert_true(e.eight_bit);
	assert_int_equal(e.nrecipients, 2);
	assert_true(span_is(e.recipients[0].address, "\"a\\\\b\"@a.test"));
	assert_true(span_is(e.recipients[1].address, "bob@b.test"));
	envelope_release(&e);
	buf_release(&out);
	txn_free(&t);
}

static void
local_submission_names_its_user(void **state)
{
	struct txn *t = txn_new(span_str(""));
	struct txn_origin o = {.helo = span_str("mx.test"), .uid = 1000};
	struct envelope e;
	struct buf out;

	(void)state;
	buf_init(&out, ENVELOPE_MAX);
	add(t, "bob@b.test");
	assert_int_equal(txn_format_envelope(t, &o, &out), 0);
	assert_int_equal(envelope_parse(buf_span(&out), &e), 0);
	assert_int_equal(e.uid, 1000);
	assert_int_equal(e.from.len, 0);
	assert_int_equal(e.client.len, 0);
	assert_false(e.eight_bit);
	envelope_release(&e);
	buf_release(&out);
	txn_free(&t);
}

/* However many recipients are let in, the envelope fits, even if every octet of them is escaped. */
static void
a_full_transaction_still_fits(void **state)
{
	struct txn *t = txn_new(span_str("s@remote.test"));
	struct txn_origin o = {.uid = -1};
	char address[ADDRESS_MAX];
	struct buf out;

	(void)state;
	memset(address, '\\', sizeof address);
	while (!txn_is_full(t)) {
		struct recipient one = {
		    .address = arena_copy(&t->strings, span_make(address, sizeof address))};

		recipients_add(&t->recipients, &one);
	}
	buf_init(&out, ENVELOPE_MAX);
	assert_int_equal(txn_format_envelope(t, &o, &out), 0);
	buf_release(&out);
	txn_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(strings_stay_where_they_are),
	    cmocka_unit_test(a_recipient_stands_once),
	    cmocka_unit_test(the_envelope_comes_back),
	    cmocka_unit_test(local_submission_names_its_user),
	    cmocka_unit_test(a_full_transaction_still_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
