/* test_scheduler: the ways of a recipient through it, jobs, times. */
#include "tests/unit/scheduler_fixture.h"

static void
due_in_order(void **state)
{
	struct world w;
	struct message *m;

	(void)state;
	world_init(&w);
	m = world_message(&w, "s@d.test", 3);
	for (uint32_t i = 0; i < 3; i++)
		scheduler_add_due(w.s, message_recipient(m, i));
	assert_int_equal(scheduler_count_due(w.s), 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_ptr_equal(scheduler_next_due(w.s), message_recipient(m, i));
	assert_null(scheduler_next_due(w.s));
	assert_int_equal(message_recipient(m, 0)->state, RECIPIENT_RESOLVING);
	world_release(&w);
}

static void
deferred_becomes_due(void **state)
{
	struct world w;
	struct message *m;

	(void)state;
	world_init(&w);
	m = world_message(&w, "s@d.test", 2);
	assert_true(scheduler_wait(w.s) == UINT64_MAX);
	for (uint32_t i = 0; i < 2; i++) {
		recipient_set_state(message_recipient(m, i), RECIPIENT_DEFERRED);
		scheduler_add_deferred(w.s, message_recipient(m, i), 1000 + i * 500);
	}
	assert_int_equal(scheduler_count_deferred(w.s), 2);
	assert_int_equal(scheduler_wait(w.s), 1000);
	world_sleep(&w, 400);
	assert_int_equal(scheduler_wait(w.s), 600);
	assert_null(scheduler_next_due(w.s));
	world_sleep(&w, 600);
	assert_int_equal(scheduler_wait(w.s), 500);
	assert_ptr_equal(scheduler_next_due(w.s), message_recipient(m, 0));
	assert_null(scheduler_next_due(w.s));
	world_sleep(&w, 99999);
	assert_true(scheduler_wait(w.s) == UINT64_MAX);
	assert_ptr_equal(scheduler_next_due(w.s), message_recipient(m, 1));
	world_release(&w);
}

/* One message's recipients at one destination share a job; another message's do not. */
static void
job_groups_one_message(void **state)
{
	struct world w;
	struct recipient *job[10];
	struct message *a, *b;

	(void)state;
	world_init(&w);
	a = world_message(&w, "s@d.test", 4);
	b = world_message(&w, "s@d.test", 1);
	world_wait(&w, a, 0, "d.test");
	world_wait(&w, a, 3, "elsewhere.test");
	world_wait(&w, b, 0, "d.test");
	world_wait(&w, a, 1, "d.test");
	world_wait(&w, a, 2, "d.test");
	assert_int_equal(scheduler_next_job(w.s, AGENT_LOCAL, PLACES, job, 10), 0);
	assert_int_equal(scheduler_next_job(w.s, AGENT_REMOTE, PLACES, job, 2), 2);
	assert_ptr_equal(job[0], message_recipient(a, 0));
	assert_ptr_equal(job[1], message_recipient(a, 1));
	assert_int_equal(job[0]->state, RECIPIENT_ACTIVE);
	assert_string_equal(job[0]->destination->name, "d.test");
	assert_int_equal(scheduler_next_job(w.s, AGENT_REMOTE, PLACES, job, 2), 1);
	assert_string_equal(job[0]->destination->name, "elsewhere.test");
	assert_int_equal(scheduler_next_job(w.s, AGENT_REMOTE, PLACES, job, 10), 1);
	assert_ptr_equal(job[0], message_recipient(b, 0));
	assert_int_equal(scheduler_next_job(w.s, AGENT_REMOTE, PLACES, job, 10), 1);
	assert_ptr_equal(job[0], message_recipient(a, 2));
	assert_int_equal(scheduler_next_job(w.s, AGENT_REMOTE, PLACES, job, 10), 0);
	world_release(&w);
}

static void
window_limits_jobs(void **state)
{
	struct world w;
	struct recipient *job[20];

	(void)state;
	world_init(&w);
	for (int i = 0; i < 100; i++)
		(void)world_mail(&w, "s@d.test", "d.test");
	for (int i = 0; i < WINDOW_START; i++)
		assert_non_null(job[i] = world_job(&w, NULL));
	assert_null(world_job(&w, NULL));
	assert_int_equal(world_end(&w, job[2], JOB_REACHED), DESTINATION_SAME);
	assert_non_null(job[2] = world_job(&w, NULL));
	assert_null(world_job(&w, NULL));
	world_release(&w);
}

/* Mailboxes fail one by one: what happens here says nothing about the domain. */
static void
local_has_no_window(void **state)
{
	struct world w;
	struct recipient *job[10];
	struct message *m;

	(void)state;
	world_init(&w);
	for (int i = 0; i < 150; i++) {
		m = world_message(&w, "s@d.test", 1);
		scheduler_add_waiting(
		    w.s, message_recipient(m, 0), AGENT_LOCAL, span_str("d.test"));
	}
	for (int i = 0; i < DESTINATION_LOCAL_CONCURRENCY; i++) {
		assert_int_equal(scheduler_next_job(w.s, AGENT_LOCAL, PLACES, job, 10), 1);
		if (i < 50)
			assert_int_equal(
			    world_end(&w, job[0], JOB_NOT_REACHED), DESTINATION_SAME);
	}
	for (int i = 0; i < 50; i++)
		assert_int_equal(scheduler_next_job(w.s, AGENT_LOCAL, PLACES, job, 10), 1);
	assert_int_equal(scheduler_next_job(w.s, AGENT_LOCAL, PLACES, job, 10), 0);
	world_release(&w);
}

static void
forgets(void **state)
{
	struct world w;
	struct message *m;
	size_t at = 0;

	(void)state;
	world_init(&w);
	m = world_message(&w, "s@d.test", 3);
	scheduler_add_due(w.s, message_recipient(m, 0));
	assert_true(scheduler_has(message_recipient(m, 0)));
	scheduler_forget(w.s, message_recipient(m, 0));
	assert_null(scheduler_next_due(w.s));
	world_wait(&w, m, 1, "d.test");
	scheduler_forget(w.s, message_recipient(m, 1));
	assert_null(world_job(&w, NULL));
	assert_null(scheduler_next_destination(w.s, &at));
	recipient_set_state(message_recipient(m, 2), RECIPIENT_DEFERRED);
	scheduler_add_deferred(w.s, message_recipient(m, 2), 10);
	scheduler_forget(w.s, message_recipient(m, 2));
	assert_int_equal(scheduler_count_deferred(w.s), 0);
	world_release(&w);
}

static void
states_are_counted(void **state)
{
	struct world w;
	struct message *m;

	(void)state;
	world_init(&w);
	m = world_message(&w, "s@d.test", 2);
	assert_int_equal(m->busy, 2);
	assert_int_equal(m->unsettled, 2);
	recipient_set_state(message_recipient(m, 0), RECIPIENT_FAILED);
	assert_int_equal(m->busy, 1);
	assert_int_equal(message_failed(m), 1);
	recipient_set_state(message_recipient(m, 0), RECIPIENT_SETTLED);
	recipient_set_state(message_recipient(m, 1), RECIPIENT_PARKED);
	assert_int_equal(m->busy, 0);
	assert_int_equal(message_failed(m), 0);
	assert_int_equal(m->unsettled, 1);
	world_release(&w);
}

/* The state of what has no mail is kept, but not of more than ten thousand. */
static void
idle_destinations_are_bounded(void **state)
{
	struct world w;
	struct destination *d;
	char name[32];
	size_t at = 0;

	(void)state;
	world_init(&w);
	(void)world_kill(&w, "first.test");
	assert_non_null(d = scheduler_next_destination(w.s, &at));
	assert_true(d->dead);
	assert_null(scheduler_next_destination(w.s, &at));
	for (int i = 0; i < 9999; i++) {
		snprintf(name, sizeof name, "d%d.test", i);
		(void)world_mail(&w, "s@d.test", name);
		(void)world_end(&w, world_job(&w, NULL), JOB_REACHED);
	}
	at = 0;
	assert_ptr_equal(scheduler_next_destination(w.s, &at), d);
	(void)world_mail(&w, "s@d.test", "last.test");
	(void)world_end(&w, world_job(&w, NULL), JOB_REACHED);
	at = 0;
	assert_null(scheduler_next_destination(w.s, &at));
	world_release(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(due_in_order),
	    cmocka_unit_test(deferred_becomes_due),
	    cmocka_unit_test(job_groups_one_message),
	    cmocka_unit_test(window_limits_jobs),
	    cmocka_unit_test(local_has_no_window),
	    cmocka_unit_test(forgets),
	    cmocka_unit_test(states_are_counted),
	    cmocka_unit_test(idle_destinations_are_bounded),
	};

	return cmocka_run_group_tests_name("scheduler", tests, NULL, NULL);
}
