/* The scheduler: order, fairness, concurrency, times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "queue/scheduler.h"

static struct atom_table *atoms;
static const uint32_t limits[AGENT_KINDS] = {2, 3};

static struct message *
message_to(uint64_t number, size_t n)
{
	struct message_given given[3];

	for (size_t i = 0; i < n; i++)
		given[i] = (struct message_given){span_str("x@d.test"), NOTIFY_DEFAULT};
	return message_new(atoms, number, span_str("s@d.test"), given, (uint32_t)n);
}

static void
wait_at(struct scheduler *s, struct message *m, uint32_t entry, const char *destination)
{
	recipient_set_state(message_recipient(m, entry), RECIPIENT_RESOLVING);
	scheduler_add_waiting(
	    s, message_recipient(m, entry), AGENT_REMOTE, span_str(destination));
}

static void
end(struct scheduler *s, struct recipient *r)
{
	struct destination *d = r->destination;

	r->destination = NULL;
	recipient_set_state(r, RECIPIENT_SETTLED);
	scheduler_end_job(s, d);
}

static void
test_due_in_order(void **state)
{
	struct scheduler *s = scheduler_new(limits);
	struct message *m = message_to(1, 3);

	(void)state;
	for (int i = 0; i < 3; i++)
		scheduler_add_due(s, message_recipient(m, i));
	assert_int_equal(scheduler_count_due(s), 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_ptr_equal(scheduler_next_due(s), message_recipient(m, i));
	assert_null(scheduler_next_due(s));
	assert_int_equal(message_recipient(m, 0)->state, RECIPIENT_RESOLVING);
	scheduler_free(&s);
	message_free(&m);
}

static void
test_deferred_becomes_due(void **state)
{
	struct scheduler *s = scheduler_new(limits);
	struct message *m = message_to(1, 2);

	(void)state;
	for (int i = 0; i < 2; i++) {
		recipient_set_state(message_recipient(m, i), RECIPIENT_DEFERRED);
		scheduler_add_deferred(s, message_recipient(m, i), 1000 + (uint64_t)i * 500);
	}
	assert_int_equal(scheduler_tick(s, 400), 600);
	assert_int_equal(scheduler_count_due(s), 0);
	assert_int_equal(scheduler_tick(s, 1000), 500);
	assert_ptr_equal(scheduler_next_due(s), message_recipient(m, 0));
	assert_true(scheduler_tick(s, 99999) == UINT64_MAX);
	assert_ptr_equal(scheduler_next_due(s), message_recipient(m, 1));
	scheduler_free(&s);
	message_free(&m);
}

/* One message's recipients at one destination share a job; another message's do not. */
static void
test_job_groups_one_message(void **state)
{
	struct scheduler *s = scheduler_new(limits);
	struct message *a = message_to(1, 3), *b = message_to(2, 1);
	struct recipient *job[10];

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		wait_at(s, a, i, "d.test");
	wait_at(s, b, 0, "d.test");
	assert_int_equal(scheduler_next_job(s, AGENT_LOCAL, job, 10), 0);
	assert_int_equal(scheduler_next_job(s, AGENT_REMOTE, job, 2), 2);
	assert_ptr_equal(job[0], message_recipient(a, 0));
	assert_int_equal(scheduler_next_job(s, AGENT_REMOTE, job, 10), 1);
	assert_ptr_equal(job[0], message_recipient(a, 2));
	assert_int_equal(scheduler_next_job(s, AGENT_REMOTE, job, 10), 1);
	assert_ptr_equal(job[0], message_recipient(b, 0));
	scheduler_free(&s);
	message_free(&a);
	message_free(&b);
}

static void
test_concurrency_limit(void **state)
{
	struct scheduler *s = scheduler_new(limits);
	struct message *m[5];
	struct recipient *job[4], *r;

	(void)state;
	for (int i = 0; i < 5; i++) {
		m[i] = message_to((uint64_t)i + 1, 1);
		wait_at(s, m[i], 0, "d.test");
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(scheduler_next_job(s, AGENT_REMOTE, &job[i], 1), 1);
	assert_int_equal(scheduler_next_job(s, AGENT_REMOTE, &r, 1), 0);
	end(s, job[1]);
	assert_int_equal(scheduler_next_job(s, AGENT_REMOTE, &r, 1), 1);
	assert_ptr_equal(r, message_recipient(m[3], 0));
	assert_int_equal(scheduler_next_job(s, AGENT_REMOTE, &r, 1), 0);
	scheduler_free(&s);
	for (int i = 0; i < 5; i++)
		message_free(&m[i]);
}

/* A destination with a thousand waiting delays another's one by a single job. */
static void
test_destinations_take_turns(void **state)
{
	uint32_t many[AGENT_KINDS] = {100, 100};
	struct scheduler *s = scheduler_new(many);
	struct message *m[1001];
	struct recipient *r;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		m[i] = message_to((uint64_t)i + 1, 1);
		wait_at(s, m[i], 0, "big.test");
	}
	m[1000] = message_to(2000, 1);
	wait_at(s, m[1000], 0, "small.test");
	assert_int_equal(scheduler_next_job(s, AGENT_REMOTE, &r, 1), 1);
	assert_int_equal(scheduler_next_job(s, AGENT_REMOTE, &r, 1), 1);
	assert_ptr_equal(r, message_recipient(m[1000], 0));
	scheduler_free(&s);
	for (int i = 0; i < 1001; i++)
		message_free(&m[i]);
}

static void
test_forget(void **state)
{
	struct scheduler *s = scheduler_new(limits);
	struct message *m = message_to(1, 3);
	struct recipient *r;
	size_t at = 0;

	(void)state;
	scheduler_add_due(s, message_recipient(m, 0));
	scheduler_forget(s, message_recipient(m, 0));
	assert_null(scheduler_next_due(s));
	wait_at(s, m, 1, "d.test");
	scheduler_forget(s, message_recipient(m, 1));
	assert_int_equal(scheduler_next_job(s, AGENT_REMOTE, &r, 1), 0);
	assert_null(scheduler_next_destination(s, &at));
	recipient_set_state(message_recipient(m, 2), RECIPIENT_DEFERRED);
	scheduler_add_deferred(s, message_recipient(m, 2), 10);
	scheduler_forget(s, message_recipient(m, 2));
	assert_int_equal(scheduler_count_deferred(s), 0);
	scheduler_free(&s);
	message_free(&m);
}

static void
test_interval(void **state)
{
	static const uint64_t schedule[] = {300000, 600000, 1200000};

	(void)state;
	for (uint32_t random = 0; random < 100000; random += 777) {
		uint64_t first = scheduler_interval(schedule, 3, 1, random);
		uint64_t last = scheduler_interval(schedule, 3, 50, random);

		assert_in_range(first, 270000, 330000);
		assert_in_range(last, 1080000, 1320000);
	}
	assert_true(
	    scheduler_interval(schedule, 3, 1, 1) != scheduler_interval(schedule, 3, 1, 5000));
}

static void
test_counts_follow_states(void **state)
{
	struct message *m = message_to(1, 2);

	(void)state;
	assert_int_equal(m->busy, 2);
	assert_int_equal(m->unsettled, 2);
	recipient_set_state(message_recipient(m, 0), RECIPIENT_FAILED);
	assert_int_equal(m->busy, 1);
	assert_int_equal(message_failed(m), 1);
	recipient_set_state(message_recipient(m, 0), RECIPIENT_SETTLED);
	recipient_set_state(message_recipient(m, 1), RECIPIENT_DEFERRED);
	assert_int_equal(m->busy, 0);
	assert_int_equal(message_failed(m), 0);
	assert_int_equal(m->unsettled, 1);
	message_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_due_in_order),
	    cmocka_unit_test(test_deferred_becomes_due),
	    cmocka_unit_test(test_job_groups_one_message),
	    cmocka_unit_test(test_concurrency_limit),
	    cmocka_unit_test(test_destinations_take_turns),
	    cmocka_unit_test(test_forget),
	    cmocka_unit_test(test_interval),
	    cmocka_unit_test(test_counts_follow_states),
	};

	int r;

	atoms = atom_table_new();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	atom_table_free(&atoms);
	return r;
}
