/* What the administrator wants of the queue, and what senders want to hear: each survives a start from the log and one from a checkpoint. */
#include "tests/unit/spool_fixture.h"

#include "queue/store_wishes.h"

/* A store with one message to three recipients. */
static void
begin(struct fixture *f)
{
	static const char *const rcpts[] = {"a@d.test", "b@d.test", "c@d.test"};

	fixture_init(f);
	fixture_add_writer(f);
	fixture_send_to(f, "s@d.test", rcpts, 3, "x\n", "");
	fixture_until(f, fixture_idle);
	assert_int_equal(f->nseen, 1);
}

static struct recipient *
rcpt(struct fixture *f, uint32_t entry)
{
	assert_int_equal(f->nseen, 1);
	return message_recipient(f->seen[0], entry);
}

static void
defer(struct fixture *f, uint32_t entry, uint16_t attempts, int64_t next)
{
	struct verdict v;

	verdict_set(&v, VERDICT_TEMPORARY, 450, "4.2.0", "later");
	rcpt(f, entry)->attempts = attempts;
	recipient_set_mta(rcpt(f, entry), span_str("mx.d.test"));
	store_defer(f->store, rcpt(f, entry), &v, next);
}

static void
test_held_and_released(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	defer(&f, 0, 2, 1700001234);
	assert_true(store_hold(f.store, rcpt(&f, 0)));
	assert_false(store_hold(f.store, rcpt(&f, 0)));
	assert_true(store_hold(f.store, rcpt(&f, 1)));
	assert_int_equal(f.seen[0]->busy, 1);
	assert_int_equal(f.seen[0]->unsettled, 3);
	for (int again = 0; again < 3; again++) {
		assert_int_equal(rcpt(&f, 0)->state, RECIPIENT_HELD);
		assert_int_equal(rcpt(&f, 0)->next, 1700001234);
		assert_int_equal(rcpt(&f, 0)->attempts, 2);
		assert_string_equal(rcpt(&f, 0)->mta, "mx.d.test");
		assert_int_equal(rcpt(&f, 1)->state, RECIPIENT_HELD);
		assert_int_equal(rcpt(&f, 1)->attempts, 0);
		assert_int_equal(rcpt(&f, 2)->state, RECIPIENT_DUE);
		assert_false(rcpt(&f, 2)->held);
		fixture_reopen(&f);
	}
	assert_true(store_release(f.store, rcpt(&f, 0)));
	assert_false(store_release(f.store, rcpt(&f, 0)));
	assert_true(store_release(f.store, rcpt(&f, 1)));
	assert_int_equal(rcpt(&f, 0)->state, RECIPIENT_DUE);
	for (int again = 0; again < 2; again++) {
		fixture_reopen(&f);
		assert_int_equal(rcpt(&f, 0)->state, RECIPIENT_DEFERRED);
		assert_int_equal(rcpt(&f, 0)->next, 0); /* tried at once */
		assert_int_equal(rcpt(&f, 0)->attempts, 2);
		assert_int_equal(rcpt(&f, 1)->state, RECIPIENT_DUE);
		assert_false(rcpt(&f, 0)->held || rcpt(&f, 1)->held);
	}
	fixture_release(&f);
}

/* Held while under way: when the attempt fails it waits for its release; when it is delivered that was that. */
static void
test_held_while_active(void **state)
{
	struct verdict ok;
	struct fixture f;

	(void)state;
	begin(&f);
	verdict_set(&ok, VERDICT_OK, 250, "2.0.0", "done");
	recipient_set_state(rcpt(&f, 0), RECIPIENT_ACTIVE);
	recipient_set_state(rcpt(&f, 1), RECIPIENT_ACTIVE);
	assert_true(store_hold(f.store, rcpt(&f, 0)));
	assert_true(store_hold(f.store, rcpt(&f, 1)));
	assert_int_equal(rcpt(&f, 0)->state, RECIPIENT_ACTIVE);
	defer(&f, 0, 1, 1700001234);
	assert_int_equal(rcpt(&f, 0)->state, RECIPIENT_HELD);
	store_deliver(f.store, rcpt(&f, 1), &ok);
	for (int again = 0; again < 2; again++) {
		fixture_reopen(&f);
		assert_int_equal(rcpt(&f, 0)->state, RECIPIENT_HELD);
		assert_int_equal(rcpt(&f, 0)->next, 1700001234);
		assert_int_equal(rcpt(&f, 1)->state, RECIPIENT_SETTLED);
	}
	assert_false(store_hold(f.store, rcpt(&f, 1)));
	fixture_release(&f);
}

/* Held while it was being resolved: so are the targets. */
static void
test_held_while_resolving(void **state)
{
	struct message_target targets[] = {
	    {RECIPIENT_MAILBOX, {"x@d.test", 8}}, {RECIPIENT_REMOTE, {"y@e.test", 8}}};
	struct fixture f;

	(void)state;
	begin(&f);
	recipient_set_state(rcpt(&f, 0), RECIPIENT_RESOLVING);
	assert_true(store_hold(f.store, rcpt(&f, 0)));
	assert_int_equal(store_expand(f.store, rcpt(&f, 0), targets, 2), 3);
	for (int again = 0; again < 3; again++) {
		assert_int_equal(rcpt(&f, 0)->state, RECIPIENT_SETTLED);
		assert_int_equal(rcpt(&f, 3)->state, RECIPIENT_HELD);
		assert_int_equal(rcpt(&f, 4)->state, RECIPIENT_HELD);
		fixture_reopen(&f);
	}
	fixture_release(&f);
}

/* A target of an expansion, requeued, is resolved in full; a held one stays held. */
static void
test_requeued(void **state)
{
	struct message_target target = {RECIPIENT_MAILBOX, {"x@d.test", 8}};
	struct verdict ok;
	struct fixture f;

	(void)state;
	begin(&f);
	verdict_set(&ok, VERDICT_OK, 250, "2.0.0", "done");
	assert_int_equal(store_expand(f.store, rcpt(&f, 0), &target, 1), 3);
	defer(&f, 3, 7, 1700001234);
	defer(&f, 1, 7, 1700001234);
	assert_true(store_hold(f.store, rcpt(&f, 1)));
	store_deliver(f.store, rcpt(&f, 2), &ok);
	assert_false(store_requeue(f.store, rcpt(&f, 0)));
	assert_true(store_requeue(f.store, rcpt(&f, 1)));
	assert_false(store_requeue(f.store, rcpt(&f, 2)));
	assert_true(store_requeue(f.store, rcpt(&f, 3)));
	for (int again = 0; again < 3; again++) {
		assert_int_equal(rcpt(&f, 1)->state, RECIPIENT_HELD);
		assert_int_equal(rcpt(&f, 1)->attempts, 0);
		assert_null(rcpt(&f, 1)->reason);
		assert_int_equal(rcpt(&f, 3)->state, RECIPIENT_DUE);
		assert_int_equal(rcpt(&f, 3)->kind, RECIPIENT_GIVEN);
		assert_int_equal(rcpt(&f, 3)->attempts, 0);
		assert_null(rcpt(&f, 3)->mta);
		assert_true(rcpt(&f, 3)->recovered);
		fixture_reopen(&f);
	}
	fixture_release(&f);
}

static void
test_paused(void **state)
{
	struct fixture f;
	const char *name;
	size_t at = 0;

	(void)state;
	begin(&f);
	assert_true(store_pause(f.store, PAUSE_DESTINATION, span_str("Example.org")));
	assert_false(store_pause(f.store, PAUSE_DESTINATION, span_str("example.ORG")));
	assert_true(store_pause(f.store, PAUSE_DESTINATION, span_str("[192.0.2.1]:2525")));
	assert_true(store_pause(f.store, PAUSE_SENDER, span_str("")));
	assert_true(store_pause(f.store, PAUSE_SENDER, span_str("gone.test")));
	assert_true(store_continue(f.store, PAUSE_SENDER, span_str("GONE.test")));
	assert_false(store_continue(f.store, PAUSE_SENDER, span_str("gone.test")));
	assert_false(store_pause(f.store, PAUSE_DESTINATION, span_str("")));
	assert_false(store_pause(f.store, PAUSE_DESTINATION, span_str("two\nlines")));
	for (int again = 0; again < 3; again++) {
		const struct pauses *p = store_pauses(f.store);

		assert_true(pauses_has(p, PAUSE_DESTINATION, span_str("example.org")));
		assert_true(pauses_has(p, PAUSE_DESTINATION, span_str("[192.0.2.1]:2525")));
		assert_false(pauses_has(p, PAUSE_SENDER, span_str("example.org")));
		assert_true(pauses_has(p, PAUSE_SENDER, span_str("")));
		assert_false(pauses_has(p, PAUSE_SENDER, span_str("gone.test")));
		fixture_reopen(&f);
	}
	name = pauses_next(store_pauses(f.store), PAUSE_SENDER, &at);
	assert_string_equal(name, "");
	assert_null(pauses_next(store_pauses(f.store), PAUSE_SENDER, &at));
	fixture_release(&f);
}

static void
test_success_to_tell(void **state)
{
	const uint32_t entries[] = {1, 2};
	struct verdict v;
	struct fixture f;

	(void)state;
	begin(&f);
	rcpt(&f, 1)->attempts = 1;
	recipient_set_mta(rcpt(&f, 1), span_str("mx.d.test"));
	verdict_set(&v, VERDICT_OK, 250, "2.1.5", "as you like it");
	store_succeed(f.store, rcpt(&f, 1), RECIPIENT_RELAYED, &v);
	store_deliver(f.store, rcpt(&f, 0), &v);
	assert_false(store_may_tell(f.store, f.seen[0]));
	for (int again = 0; again < 3; again++) {
		struct verdict got;

		assert_int_equal(message_tell(f.seen[0]), 1);
		assert_int_equal(rcpt(&f, 1)->state, RECIPIENT_TELL);
		assert_int_equal(rcpt(&f, 1)->action, RECIPIENT_RELAYED);
		assert_string_equal(rcpt(&f, 1)->mta, "mx.d.test");
		recipient_get_reason(rcpt(&f, 1), &got);
		assert_int_equal(got.kind, VERDICT_OK);
		assert_string_equal(got.text, v.text);
		fixture_reopen(&f);
	}
	assert_true(store_may_tell(f.store, f.seen[0]));
	store_told(f.store, f.seen[0], entries, 2);
	for (int again = 0; again < 3; again++) {
		assert_int_equal(rcpt(&f, 1)->state, RECIPIENT_SETTLED);
		assert_int_equal(rcpt(&f, 2)->state, RECIPIENT_DUE);
		assert_int_equal(message_tell(f.seen[0]), 0);
		assert_null(f.seen[0]->report);
		fixture_reopen(&f);
	}
	fixture_release(&f);
}

static void
test_warned(void **state)
{
	const uint32_t entries[] = {0, 2};
	struct fixture f;

	(void)state;
	begin(&f);
	defer(&f, 0, 1, 1700001234);
	message_report(f.seen[0])->bouncing = true;
	store_warned(f.store, f.seen[0], entries, 2);
	assert_null(f.seen[0]->report);
	for (int again = 0; again < 3; again++) {
		assert_true(rcpt(&f, 0)->warned);
		assert_false(rcpt(&f, 1)->warned);
		assert_true(rcpt(&f, 2)->warned);
		assert_int_equal(rcpt(&f, 0)->state, RECIPIENT_DEFERRED);
		fixture_reopen(&f);
	}
	fixture_release(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_held_and_released),
	    cmocka_unit_test(test_held_while_active),
	    cmocka_unit_test(test_held_while_resolving),
	    cmocka_unit_test(test_requeued),
	    cmocka_unit_test(test_paused),
	    cmocka_unit_test(test_success_to_tell),
	    cmocka_unit_test(test_warned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
