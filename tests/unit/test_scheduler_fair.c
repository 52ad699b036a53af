/* test_scheduler_fair: who is next. Nobody's thousands delay another's one by more than a few jobs. */
#include "tests/unit/scheduler_fixture.h"

#define MANY 50000

/* Jobs until one of this sender's comes, each over at once. */
static unsigned
jobs_until(struct world *w, const char *from)
{
	unsigned n = 0;
	struct recipient *r;

	do {
		r = world_job(w, NULL);
		assert_non_null(r);
		n++;
		(void)world_end(w, r, JOB_REACHED);
	} while (strcmp(r->message->from, from) != 0);
	return n;
}

static void
one_mail_passes_fifty_thousand(void **state)
{
	struct world w;
	struct recipient *r;

	(void)state;
	world_init(&w);
	for (int i = 0; i < MANY; i++)
		(void)world_mail(&w, "bulk@a.test", "slow.test");
	for (int i = 0; i < 100; i++)
		(void)world_end(&w, world_job(&w, NULL), JOB_REACHED);
	(void)world_mail(&w, "one@b.test", "slow.test");
	assert_in_range(jobs_until(&w, "one@b.test"), 1, 2);

	/* Elsewhere it is not behind any of them. */
	(void)world_mail(&w, "one@b.test", "elsewhere.test");
	r = world_job(&w, NULL);
	if (strcmp(r->destination->name, "slow.test") == 0)
		r = world_job(&w, NULL);
	assert_string_equal(r->destination->name, "elsewhere.test");
	world_release(&w);
}

/* The window of a slow destination is full: what comes is first as soon as one place is free. */
static void
one_mail_passes_a_full_window(void **state)
{
	struct world w;
	struct recipient *first, *r;

	(void)state;
	world_init(&w);
	for (int i = 0; i < 1000; i++)
		(void)world_mail(&w, "bulk@a.test", "slow.test");
	first = world_job(&w, NULL);
	while (world_job(&w, NULL) != NULL)
		;
	(void)world_mail(&w, "one@b.test", "elsewhere.test");
	r = world_job(&w, NULL);
	assert_string_equal(r->destination->name, "elsewhere.test");
	(void)world_mail(&w, "two@b.test", "slow.test");
	assert_null(world_job(&w, NULL));
	(void)world_end(&w, first, JOB_REACHED);
	assert_in_range(jobs_until(&w, "two@b.test"), 1, 2);
	world_release(&w);
}

/* The resolver is shared in the same way, and a list there yields to small mail of its own sender domain. */
static void
resolving_takes_turns(void **state)
{
	struct world w;
	struct message *list, *own, *other;
	struct recipient *r;
	int n = 0;

	(void)state;
	world_init(&w);
	list = world_message(&w, "bulk@a.test", 5000);
	own = world_message(&w, "small@a.test", 1);
	other = world_message(&w, "one@b.test", 1);
	for (uint32_t i = 0; i < 5000; i++)
		scheduler_add_due(w.s, message_recipient(list, i));
	for (int i = 0; i < 10; i++)
		assert_ptr_equal(scheduler_next_due(w.s)->message, list);
	scheduler_add_due(w.s, message_recipient(own, 0));
	scheduler_add_due(w.s, message_recipient(other, 0));
	for (int got = 0; got < 2; n++) {
		r = scheduler_next_due(w.s);
		got += r->message == own || r->message == other;
	}
	assert_in_range(n, 2, 4);
	world_release(&w);
}

/* A list of five thousand at one destination, and small mail of the same sender domain. */
static void
small_mail_passes_a_list(void **state)
{
	struct world w;
	struct message *list;
	size_t n;

	(void)state;
	world_init(&w);
	list = world_message(&w, "list@a.test", 5000);
	for (uint32_t i = 0; i < 5000; i++)
		world_wait(&w, list, i, "d.test");
	for (int i = 0; i < 3; i++) {
		struct recipient *r = world_job(&w, &n);

		assert_int_equal(n, JOB_MAX);
		scheduler_end_job(w.s, r->destination, JOB_REACHED, NULL, JOB_MAX);
	}
	for (int i = 0; i < 10; i++)
		(void)world_mail(&w, "small@a.test", "d.test");
	assert_in_range(jobs_until(&w, "small@a.test"), 1, 2);
	world_release(&w);
}

/* A job of a hundred recipients costs eleven turns; its sender sits the other ten out. */
static void
large_jobs_cost_turns(void **state)
{
	struct world w;
	unsigned lists = 0;

	(void)state;
	world_init(&w);
	for (int i = 0; i < 100; i++) {
		struct message *m = world_message(&w, "list@a.test", 100);

		for (uint32_t k = 0; k < 100; k++)
			world_wait(&w, m, k, "d.test");
	}
	for (int i = 0; i < 200; i++)
		(void)world_mail(&w, "small@b.test", "d.test");
	for (int i = 0; i < 120; i++) {
		struct recipient *r = world_job(&w, NULL);

		lists += strcmp(r->message->from, "list@a.test") == 0;
		scheduler_end_job(w.s, r->destination, JOB_REACHED, NULL, 1);
	}
	assert_in_range(lists, 9, 12);
	world_release(&w);
}

/* Thirty megabytes at a time are thirty-one turns. */
static void
large_messages_cost_turns(void **state)
{
	struct world w;
	unsigned large = 0;

	(void)state;
	world_init(&w);
	for (int i = 0; i < 100; i++) {
		struct message *m = world_message(&w, "large@a.test", 1);

		m->content_len = 30 << 20;
		world_wait(&w, m, 0, "d.test");
		(void)world_mail(&w, "small@b.test", "d.test");
	}
	for (int i = 0; i < 64; i++) {
		struct recipient *r = world_job(&w, NULL);

		large += r->message->content_len > 0;
		(void)world_end(&w, r, JOB_REACHED);
	}
	assert_in_range(large, 2, 3);
	world_release(&w);
}

/* A destination with a thousand waiting delays another's one by a single job, and large jobs cost it turns. */
static void
destinations_take_turns(void **state)
{
	struct world w;
	unsigned big = 0;

	(void)state;
	world_init(&w);
	for (int i = 0; i < 1000; i++) {
		struct message *m = world_message(&w, "list@a.test", 50);

		for (uint32_t k = 0; k < 50; k++)
			world_wait(&w, m, k, "big.test");
	}
	for (int i = 0; i < 100; i++)
		(void)world_mail(&w, "small@a.test", "small.test");
	for (int i = 0; i < 70; i++) {
		struct recipient *r = world_job(&w, NULL);

		big += strcmp(r->destination->name, "big.test") == 0;
		scheduler_end_job(w.s, r->destination, JOB_REACHED, NULL, 1);
	}
	assert_in_range(big, 9, 12);
	world_release(&w);
}

/* Thirty destinations that hang, each with a wide window, leave some of an agent's places to others. */
static void
hanging_destinations_leave_places(void **state)
{
	struct world w;
	struct recipient *job[JOB_MAX];
	unsigned places = 200;
	char name[32];

	(void)state;
	world_init(&w);
	for (int i = 0; i < 50 * 30; i++) {
		struct recipient *r;

		snprintf(name, sizeof name, "hangs%d.test", i % 30);
		r = world_mail(&w, "s@d.test", name);
		/* What it once took lets it have much at a time. */
		scheduler_destination_of(r)->window.size = 20000;
	}
	while (scheduler_next_job(w.s, AGENT_REMOTE, places, job, 1) > 0)
		places--;
	assert_in_range(places, 3, 100);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "well%d.test", i);
		(void)world_mail(&w, "s@d.test", name);
		assert_int_equal(scheduler_next_job(w.s, AGENT_REMOTE, places, job, 1), 1);
		assert_string_equal(job[0]->destination->name, name);
		places--;
	}
	world_release(&w);
}

/* Twenty sender domains at one destination: each gets its share. */
static void
twenty_senders_share(void **state)
{
	struct world w;
	unsigned got[20] = {0};
	char from[32];

	(void)state;
	world_init(&w);
	for (int i = 0; i < 20; i++) {
		snprintf(from, sizeof from, "%d@s%d.test", i, i);
		for (int k = 0; k < (i == 0 ? 5000 : 50); k++)
			(void)world_mail(&w, from, "d.test");
	}
	for (int i = 0; i < 1000; i++) {
		struct recipient *r = world_job(&w, NULL);

		got[strtoul(r->message->from, NULL, 10)]++;
		(void)world_end(&w, r, JOB_REACHED);
	}
	for (int i = 0; i < 20; i++)
		assert_in_range(got[i], 49, 51);
	world_release(&w);
}

/* What comes due at once is moved in slices, and what has just come does not wait for it. */
static void
a_flood_comes_in_slices(void **state)
{
	struct world w;
	struct message *m;

	(void)state;
	world_init(&w);
	for (int i = 0; i < MANY; i++) {
		m = world_message(&w, "bulk@a.test", 1);
		recipient_set_state(message_recipient(m, 0), RECIPIENT_DEFERRED);
		scheduler_add_deferred(w.s, message_recipient(m, 0), 1000);
	}
	world_sleep(&w, 1000);
	assert_int_equal(scheduler_count_due(w.s), 500);
	assert_int_equal(scheduler_wait(w.s), 0);
	m = world_message(&w, "one@b.test", 1);
	scheduler_add_due(w.s, message_recipient(m, 0));
	assert_non_null(scheduler_next_due(w.s));
	assert_ptr_equal(scheduler_next_due(w.s), message_recipient(m, 0));
	for (int i = 1; i < MANY / 500; i++)
		world_sleep(&w, 0);
	assert_int_equal(scheduler_count_deferred(w.s), 0);
	assert_true(scheduler_wait(w.s) == UINT64_MAX);
	world_release(&w);
}

/* So many of a sender that were put off together, all to one destination, are there again. */
static void
retry_wave(struct world *w, const char *from, int n)
{
	for (int i = 0; i < n; i++) {
		struct recipient *r = message_recipient(world_message(w, from, 1), 0);

		r->attempts = 1;
		recipient_set_state(r, RECIPIENT_DEFERRED);
		scheduler_add_deferred(w->s, r, 1000);
	}
	world_sleep(w, 1000);
	while (scheduler_count_deferred(w->s) > 0)
		world_sleep(w, 0);
}

/* Resolves until this one is; how many that took. */
static unsigned
resolved_until(struct world *w, const struct recipient *last, const char *destination)
{
	struct recipient *r;
	unsigned n = 0;

	do {
		r = scheduler_next_due(w->s);
		assert_non_null(r);
		world_wait(w, r->message, r->entry, destination);
		n++;
	} while (r != last);
	return n;
}

/* Ten thousand retries to one destination, and one new message to it: at the resolver and there it is among the next. */
static void
new_mail_passes_retries(void **state)
{
	static const char *const from[] = {"one@b.test", "one@a.test"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world w;
		struct message *m;

		world_init(&w);
		retry_wave(&w, "bulk@a.test", 10000);
		for (int k = 0; k < 5000; k++) {
			struct recipient *r = scheduler_next_due(w.s);

			world_wait(&w, r->message, 0, "d.test");
		}
		for (int k = 0; k < 10; k++)
			(void)world_end(&w, world_job(&w, NULL), JOB_REACHED);
		m = world_message(&w, from[i], 1);
		scheduler_add_due(w.s, message_recipient(m, 0));
		assert_in_range(resolved_until(&w, message_recipient(m, 0), "d.test"), 1, 2);
		assert_in_range(jobs_until(&w, from[i]), 1, 2);
		world_release(&w);
	}
}

/* Nor do the retries wait for all new mail of their sender: they take turns. */
static void
retries_pass_new_mail(void **state)
{
	struct world w;
	unsigned got = 0;

	(void)state;
	world_init(&w);
	for (int i = 0; i < 1000; i++)
		(void)world_mail(&w, "new@a.test", "d.test");
	retry_wave(&w, "again@a.test", 50);
	for (int i = 0; i < 50; i++) {
		struct recipient *r = scheduler_next_due(w.s);

		world_wait(&w, r->message, 0, "d.test");
	}
	for (int i = 0; i < 60; i++) {
		struct recipient *r = world_job(&w, NULL);

		got += r->attempts > 0;
		(void)world_end(&w, r, JOB_REACHED);
	}
	assert_in_range(got, 29, 31);
	world_release(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_mail_passes_fifty_thousand),
	    cmocka_unit_test(one_mail_passes_a_full_window),
	    cmocka_unit_test(resolving_takes_turns),
	    cmocka_unit_test(small_mail_passes_a_list),
	    cmocka_unit_test(large_jobs_cost_turns),
	    cmocka_unit_test(large_messages_cost_turns),
	    cmocka_unit_test(destinations_take_turns),
	    cmocka_unit_test(hanging_destinations_leave_places),
	    cmocka_unit_test(twenty_senders_share),
	    cmocka_unit_test(a_flood_comes_in_slices),
	    cmocka_unit_test(new_mail_passes_retries),
	    cmocka_unit_test(retries_pass_new_mail),
	};

	return cmocka_run_group_tests_name("scheduler fair", tests, NULL, NULL);
}
