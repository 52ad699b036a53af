/* test_release: messages that wait for a time (RFC 4865) in the queue, and what restarts leave of it. */
#include "tests/unit/spool_fixture.h"

#include "queue/retry.h"
#include "queue/store_wishes.h"

#define RELEASE 1700003600 /* an hour after the fixture's messages come */

static void
send_future(struct fixture *f)
{
	struct envelope_recipient r[2] = {
	    {.address = {"a@d.test", 8}}, {.address = {"b@d.test", 8}}};
	struct envelope e = {.uid = -1,
	    .from = span_str("s@d.test"),
	    .release = RELEASE,
	    .recipients = r,
	    .nrecipients = 2};
	struct buf text;

	buf_init(&text, 65536);
	assert_int_equal(envelope_format(&e, &text), 0);
	spool_writer_commit(f->writer, spool_writer_next_message(f->writer), 1700000000000,
	    buf_span(&text), span_str("x\n"), fixture_on_done, f);
	buf_release(&text);
	fixture_until(f, fixture_idle);
	assert_int_equal(f->nseen, 1);
}

static void
restarts_keep_the_time(void **state)
{
	struct message_target targets[] = {
	    {RECIPIENT_MAILBOX, {"x@d.test", 8}}, {RECIPIENT_REMOTE, {"y@e.test", 8}}};
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	send_future(&f);
	for (int again = 0; again < 3; again++) { /* from the log, from checkpoints */
		assert_int_equal(message_release(f.seen[0]), RELEASE);
		assert_int_equal(recipient_release(message_recipient(f.seen[0], 0)), RELEASE);
		assert_int_equal(recipient_release(message_recipient(f.seen[0], 1)), RELEASE);
		assert_int_equal(message_recipient(f.seen[0], 1)->state, RECIPIENT_DUE);
		message_trim_report(f.seen[0]);
		fixture_reopen(&f);
	}
	/* One is released earlier; it is expanded: its targets wait for nothing. */
	assert_true(store_release_early(f.store, message_recipient(f.seen[0], 0)));
	assert_false(store_release_early(f.store, message_recipient(f.seen[0], 0)));
	for (int again = 0; again < 3; again++) {
		assert_int_equal(recipient_release(message_recipient(f.seen[0], 0)), 0);
		assert_int_equal(recipient_release(message_recipient(f.seen[0], 1)), RELEASE);
		fixture_reopen(&f);
	}
	(void)store_expand(f.store, message_recipient(f.seen[0], 0), targets, 2);
	for (int again = 0; again < 3; again++) {
		assert_int_equal(recipient_release(message_recipient(f.seen[0], 2)), 0);
		assert_int_equal(recipient_release(message_recipient(f.seen[0], 3)), 0);
		assert_int_equal(recipient_release(message_recipient(f.seen[0], 1)), RELEASE);
		fixture_reopen(&f);
	}
	fixture_release(&f);
}

/* Held by the administrator and let go: that is his word, also after a restart. */
static void
releasing_is_releasing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	send_future(&f);
	assert_true(store_hold(f.store, message_recipient(f.seen[0], 0)));
	fixture_reopen(&f);
	assert_int_equal(recipient_release(message_recipient(f.seen[0], 0)), RELEASE);
	assert_true(store_release(f.store, message_recipient(f.seen[0], 0)));
	for (int again = 0; again < 3; again++) {
		assert_int_equal(recipient_release(message_recipient(f.seen[0], 0)), 0);
		assert_int_equal(message_recipient(f.seen[0], 0)->held, false);
		fixture_reopen(&f);
	}
	fixture_release(&f);
}

/* It is as if the message came at the time of its release. */
static void
lives_from_its_release(void **state)
{
	const int64_t hour = 3600000, came = INT64_C(1700000000000);
	struct message_report extra = {.release = RELEASE};

	(void)state;
	for (int recovered = 0; recovered < 2; recovered++) {
		struct message m = {.received = came, .report = &extra};

		retry_set_birth(&m, recovered != 0, came, came);
		assert_int_equal(retry_age(&m, came), -hour);
		assert_int_equal(retry_age(&m, came + hour), 0);
		assert_int_equal(retry_age(&m, came + 3 * hour), 2 * hour);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(restarts_keep_the_time),
	    cmocka_unit_test(releasing_is_releasing),
	    cmocka_unit_test(lives_from_its_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
