/* test_scheduler_stop: what stops mail and lets it go on: no answer, a rate, a pause. */
#include "tests/unit/scheduler_fixture.h"

static struct buf said;

static const char *
why(const struct world *w, const struct recipient *r)
{
	buf_clear(&said);
	scheduler_explain(r, w->now, 1800000000, &said);
	return buf_str(&said);
}

static void
count(struct recipient *r, void *arg)
{
	assert_int_equal(r->state, RECIPIENT_PARKED);
	++*(int *)arg;
}

/* How many recipients all sweeps under way visit. */
static int
sweep(struct world *w)
{
	int n = 0;

	while (scheduler_sweep(w->s, count, &n))
		;
	return n;
}

static void
dead_mail_waits_for_a_probe(void **state)
{
	struct world w;
	struct destination *d;
	struct recipient *r[50], *probe;

	(void)state;
	world_init(&w);
	d = world_kill(&w, "d.test");
	for (int i = 0; i < 50; i++) {
		r[i] = world_mail(&w, "s@d.test", "d.test");
		assert_int_equal(r[i]->state, RECIPIENT_PARKED);
		assert_int_equal(r[i]->message->busy, 0);
	}
	assert_null(world_job(&w, NULL));
	assert_int_equal(scheduler_wait(w.s), DESTINATION_PROBE_FIRST_MS);
	assert_int_equal(scheduler_next_time(r[0], w.now), DESTINATION_PROBE_FIRST_MS);
	assert_string_equal(why(&w, r[0]),
	    "d.test has not answered since 2027-01-15T08:00:00Z; next probe "
	    "2027-01-15T08:01:00Z (in 60s); last: 4.4.1 connection refused; 50 wait for it");
	world_sleep(&w, DESTINATION_PROBE_FIRST_MS - 1);
	assert_null(world_job(&w, NULL));
	world_sleep(&w, 1);
	assert_non_null(probe = world_job(&w, NULL));
	assert_null(world_job(&w, NULL));
	assert_string_equal(why(&w, r[1]),
	    "d.test has not answered since 2027-01-15T07:59:00Z; it is being probed; last: "
	    "4.4.1 connection refused; 49 wait for it");
	assert_int_equal(world_end(&w, probe, JOB_REACHED), DESTINATION_REVIVED);
	assert_false(d->dead);
	assert_null(d->last);
	for (int i = 0; i < WINDOW_START; i++)
		assert_ptr_equal(world_job(&w, NULL), r[i + 1]);
	assert_null(world_job(&w, NULL));
	world_release(&w);
}

/* 1 minute, then as mail would be retried, never more than half an hour. */
static void
probes_become_rare(void **state)
{
	static const uint64_t minutes[] = {1, 5, 20, 30, 30};
	struct world w;
	struct destination *d;

	(void)state;
	world_init(&w);
	w.config.retry = (uint64_t[]){5 * MINUTE, 20 * MINUTE, 240 * MINUTE};
	w.config.nretry = 3;
	scheduler_set_config(w.s, &w.config);
	d = world_kill(&w, "d.test");
	for (int i = 0; i < 10; i++)
		(void)world_mail(&w, "s@d.test", "d.test");
	for (size_t i = 0; i < sizeof minutes / sizeof *minutes; i++) {
		assert_int_equal(scheduler_wait(w.s), minutes[i] * MINUTE);
		world_sleep(&w, minutes[i] * MINUTE);
		assert_int_equal(
		    world_end(&w, world_job(&w, NULL), JOB_NOT_REACHED), DESTINATION_PROBED);
	}
	assert_int_equal(d->probes, 5);
	scheduler_set_config(w.s, &w.config);
	assert_true(d->dead);
	world_release(&w);
}

/* With retries every ten seconds a probe does not wait for a minute. */
static void
probes_are_not_slower_than_retries(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.retry[0] = 10000;
	(void)world_kill(&w, "d.test");
	(void)world_mail(&w, "s@d.test", "d.test");
	assert_int_equal(scheduler_wait(w.s), 10000);
	world_release(&w);
}

/* Dead without mail: new mail does not try for itself, and is the probe when it is time. */
static void
stays_dead_without_mail(void **state)
{
	struct world w;
	struct recipient *r;

	(void)state;
	world_init(&w);
	(void)world_kill(&w, "d.test");
	assert_true(scheduler_wait(w.s) == UINT64_MAX);
	world_sleep(&w, 30000);
	r = world_mail(&w, "s@d.test", "d.test");
	assert_null(world_job(&w, NULL));
	assert_int_equal(scheduler_wait(w.s), 30000);
	world_sleep(&w, 30000);
	assert_ptr_equal(world_job(&w, NULL), r);
	assert_int_equal(world_end(&w, r, JOB_NOT_REACHED), DESTINATION_PROBED);
	world_sleep(&w, 60 * MINUTE);
	r = world_mail(&w, "s@d.test", "d.test");
	assert_ptr_equal(world_job(&w, NULL), r);
	world_release(&w);
}

/* Jobs that were under way when it died say nothing new, unless one of them gets through. */
static void
late_jobs_are_no_probes(void **state)
{
	struct world w;
	struct recipient *job[5];
	struct destination *d;

	(void)state;
	world_init(&w);
	for (int i = 0; i < 5; i++)
		(void)world_mail(&w, "s@d.test", "d.test");
	for (int i = 0; i < 2; i++)
		assert_non_null(job[i] = world_job(&w, NULL));
	d = job[0]->destination;
	while (!d->dead) {
		(void)world_mail(&w, "s@d.test", "d.test");
		(void)world_end(&w, world_job(&w, NULL), JOB_NOT_REACHED);
	}
	assert_int_equal(world_end(&w, job[0], JOB_NOT_REACHED), DESTINATION_SAME);
	assert_int_equal(d->probes, 0);
	assert_int_equal(d->probe_at, w.now + DESTINATION_PROBE_FIRST_MS);
	assert_int_equal(world_end(&w, job[1], JOB_REACHED), DESTINATION_REVIVED);
	assert_non_null(world_job(&w, NULL));
	world_release(&w);
}

/* An agent that died with the probe has told nothing: the next one is sent as soon as there is an agent. */
static void
a_lost_probe_is_repeated(void **state)
{
	struct world w;
	struct destination *d;

	(void)state;
	world_init(&w);
	d = world_kill(&w, "d.test");
	for (int i = 0; i < 3; i++)
		(void)world_mail(&w, "s@d.test", "d.test");
	world_sleep(&w, MINUTE);
	assert_int_equal(world_end(&w, world_job(&w, NULL), JOB_LOST), DESTINATION_SAME);
	assert_true(d->dead);
	assert_non_null(world_job(&w, NULL));
	world_release(&w);
}

/* Those that wait when it dies are parked in slices; all of them are looked at after each failed probe. */
static void
sweeps_what_is_parked(void **state)
{
	struct world w;
	struct recipient *r[3000];
	struct destination *d;

	(void)state;
	world_init(&w);
	for (int i = 0; i < 3000; i++) {
		r[i] =
		    message_recipient(world_message(&w, i % 2 ? "s@a.test" : "s@b.test", 1), 0);
		r[i]->attempts = i % 3;
		world_wait(&w, r[i]->message, 0, "d.test");
	}
	assert_int_equal(r[2999]->state, RECIPIENT_WAITING);
	assert_int_equal(sweep(&w), 0);
	d = world_kill(&w, "d.test");
	assert_int_equal(sweep(&w), (int)d->waiting.n);
	assert_int_equal(r[2999]->state, RECIPIENT_PARKED);
	assert_int_equal(r[2999]->message->busy, 0);
	assert_int_equal(sweep(&w), 0);
	world_sleep(&w, MINUTE);
	(void)world_end(&w, world_job(&w, NULL), JOB_NOT_REACHED);
	assert_int_equal(sweep(&w), (int)d->waiting.n);
	world_sleep(&w, 10 * MINUTE);
	(void)world_job(&w, NULL);
	assert_int_equal(sweep(&w), (int)d->waiting.n);
	world_release(&w);
}

static struct world *in;

static void
forget_odd(struct recipient *r, void *arg)
{
	(void)arg;
	if (r->message->number % 2 == 1) {
		scheduler_forget(in->s, r);
		recipient_set_state(r, RECIPIENT_FAILED);
	}
}

/* What a sweep finds too old leaves while the sweep goes on, last of its batch and lane or not. */
static void
a_sweep_may_take_out(void **state)
{
	struct world w;
	struct destination *d;
	char from[32];

	(void)state;
	world_init(&w);
	in = &w;
	d = world_kill(&w, "d.test");
	for (int i = 0; i < 100; i++) {
		struct message *m;

		snprintf(from, sizeof from, "s@s%d.test", i / 3);
		m = world_message(&w, from, 1 + i % 4);
		for (uint32_t k = 0; k < m->nrecipients; k++) {
			message_recipient(m, k)->attempts = i % 5 == 0;
			world_wait(&w, m, k, "d.test");
		}
	}
	world_sleep(&w, 10 * MINUTE);
	(void)sweep(&w);
	world_sleep(&w, 10 * MINUTE);
	while (scheduler_sweep(w.s, forget_odd, NULL))
		;
	world_sleep(&w, 10 * MINUTE);
	for (size_t i = 0; i < w.n; i++)
		for (uint32_t k = 0; k < w.messages[i]->nrecipients; k++)
			assert_true(w.messages[i]->number % 2 == 0 ||
				    !scheduler_has(message_recipient(w.messages[i], k)));
	assert_int_equal(sweep(&w), (int)d->waiting.n);
	assert_in_range(d->waiting.n, 100, 150);
	world_release(&w);
}

static void
hurry_probes_at_once(void **state)
{
	struct world w;
	struct recipient *r, *deferred;

	(void)state;
	world_init(&w);
	(void)world_kill(&w, "d.test");
	for (int i = 0; i < 10; i++)
		(void)world_mail(&w, "s@d.test", "d.test");
	r = world_mail(&w, "t@t.test", "d.test");
	assert_null(world_job(&w, NULL));
	scheduler_hurry(w.s, r);
	assert_ptr_equal(world_job(&w, NULL), r);
	assert_int_equal(world_end(&w, r, JOB_NOT_REACHED), DESTINATION_PROBED);

	/* One that is deferred is resolved first, and passes its own sender's new mail. */
	deferred = message_recipient(world_message(&w, "s@d.test", 1), 0);
	deferred->attempts = 3;
	recipient_set_state(deferred, RECIPIENT_DEFERRED);
	scheduler_add_deferred(w.s, deferred, 240 * MINUTE);
	scheduler_hurry(w.s, deferred);
	assert_ptr_equal(scheduler_next_due(w.s), deferred);
	world_wait(&w, deferred->message, 0, "d.test");
	assert_ptr_equal(world_job(&w, NULL), deferred);
	world_release(&w);
}

static void
rate_spaces_jobs(void **state)
{
	struct world w;
	struct recipient *r;

	(void)state;
	world_init(&w);
	w.config.ndestinations = 1;
	w.destinations[0].rate.count = 6;
	w.destinations[0].rate.period_ms = MINUTE;
	for (int i = 0; i < 10; i++)
		r = world_mail(&w, "s@d.test", "a.test");
	for (int i = 0; i < 4; i++) {
		assert_non_null(world_job(&w, NULL));
		assert_null(world_job(&w, NULL));
		assert_int_equal(scheduler_wait(w.s), 10000);
		world_sleep(&w, 9999);
		assert_null(world_job(&w, NULL));
		assert_int_equal(scheduler_next_time(r, w.now), 1);
		world_sleep(&w, 1);
	}
	assert_non_null(world_job(&w, NULL));
	assert_true(scheduler_wait(w.s) == UINT64_MAX); /* the window is full, too */
	world_release(&w);
}

/* A rate that is set, and taken back, holds for what waits already. */
static void
rate_is_configured(void **state)
{
	struct world w;
	struct recipient *r;

	(void)state;
	world_init(&w);
	for (int i = 0; i < 10; i++)
		r = world_mail(&w, "s@d.test", "a.test");
	assert_non_null(world_job(&w, NULL));
	w.config.ndestinations = 1;
	w.destinations[0].rate.count = 6;
	w.destinations[0].rate.period_ms = MINUTE;
	scheduler_set_config(w.s, &w.config);
	assert_non_null(world_job(&w, NULL));
	assert_null(world_job(&w, NULL));
	assert_string_equal(why(&w, r),
	    "the rate set for a.test allows the next delivery in 10s; 8 wait for it");
	w.config.ndestinations = 0;
	scheduler_set_config(w.s, &w.config);
	assert_non_null(world_job(&w, NULL));
	assert_non_null(world_job(&w, NULL));
	world_release(&w);
}

static void
concurrency_is_configured(void **state)
{
	struct world w;
	struct recipient *job[2];

	(void)state;
	world_init(&w);
	w.config.ndestinations = 2;
	w.destinations[0].concurrency = 2;
	for (int i = 0; i < 10; i++)
		(void)world_mail(&w, "s@d.test", "a.test");
	assert_non_null(job[0] = world_job(&w, NULL));
	assert_non_null(job[1] = world_job(&w, NULL));
	assert_string_equal(why(&w, message_recipient(w.messages[9], 0)),
	    "2 deliveries to a.test are under way, as many as it takes now; 8 wait for it");
	assert_null(world_job(&w, NULL));
	w.destinations[0].concurrency = 1;
	scheduler_set_config(w.s, &w.config);
	(void)world_end(&w, job[0], JOB_REACHED);
	assert_null(world_job(&w, NULL));
	(void)world_end(&w, job[1], JOB_REACHED);
	assert_non_null(world_job(&w, NULL));
	world_release(&w);
}

static void
paused_destination_waits(void **state)
{
	struct world w;
	struct recipient *before, *after;

	(void)state;
	world_init(&w);
	before = world_mail(&w, "s@d.test", "d.test");
	scheduler_pause(w.s, PAUSE_DESTINATION, span_str("d.test"));
	scheduler_pause(w.s, PAUSE_DESTINATION, span_str("later.test"));
	assert_null(world_job(&w, NULL));
	assert_int_equal(sweep(&w), 1);
	after = world_mail(&w, "s@d.test", "d.test");
	assert_int_equal(after->state, RECIPIENT_PARKED);
	assert_int_equal(before->state, RECIPIENT_PARKED);
	assert_int_equal(world_mail(&w, "s@d.test", "later.test")->state, RECIPIENT_PARKED);
	assert_null(world_job(&w, NULL));
	assert_true(scheduler_next_time(after, w.now) == UINT64_MAX);
	assert_string_equal(
	    why(&w, after), "d.test is paused by the administrator; 2 wait for it");
	(void)world_mail(&w, "s@d.test", "elsewhere.test");
	assert_string_equal(world_job(&w, NULL)->destination->name, "elsewhere.test");
	world_sleep(&w, 100 * 24 * 60 * MINUTE);
	assert_null(world_job(&w, NULL));
	scheduler_continue(w.s, PAUSE_DESTINATION, span_str("d.test"));
	scheduler_continue(w.s, PAUSE_DESTINATION, span_str("never-paused.test"));
	assert_ptr_equal(world_job(&w, NULL), before);
	assert_ptr_equal(world_job(&w, NULL), after);
	assert_null(world_job(&w, NULL));
	world_release(&w);
}

/* In every list, at the resolver too, and others' mail passes. */
static void
paused_sender_waits(void **state)
{
	struct world w;
	struct recipient *a, *b, *due;
	struct message *m;

	(void)state;
	world_init(&w);
	a = world_mail(&w, "x@a.test", "d.test");
	b = world_mail(&w, "x@b.test", "d.test");
	m = world_message(&w, "y@a.test", 2);
	due = message_recipient(m, 0);
	scheduler_add_due(w.s, due);
	scheduler_pause(w.s, PAUSE_SENDER, span_str("a.test"));
	assert_null(scheduler_next_due(w.s));
	assert_int_equal(sweep(&w), 2);
	scheduler_add_due(w.s, message_recipient(m, 1));
	assert_int_equal(message_recipient(m, 1)->state, RECIPIENT_PARKED);
	assert_int_equal(m->busy, 0);
	assert_string_equal(
	    why(&w, due), "mail of senders of a.test is paused by the administrator");
	assert_ptr_equal(world_job(&w, NULL), b);
	assert_null(world_job(&w, NULL));
	assert_true(scheduler_next_time(a, w.now) == UINT64_MAX);
	scheduler_continue(w.s, PAUSE_SENDER, span_str("a.test"));
	scheduler_continue(w.s, PAUSE_SENDER, span_str("b.test"));
	assert_ptr_equal(world_job(&w, NULL), a);
	assert_ptr_equal(scheduler_next_due(w.s), due);
	assert_non_null(scheduler_next_due(w.s));

	/* Before it has any mail; and the null sender. */
	scheduler_pause(w.s, PAUSE_SENDER, span_str("new.test"));
	scheduler_pause(w.s, PAUSE_SENDER, span_str(""));
	assert_int_equal(world_mail(&w, "x@new.test", "d.test")->state, RECIPIENT_PARKED);
	a = world_mail(&w, "", "d.test");
	assert_int_equal(a->state, RECIPIENT_PARKED);
	assert_string_equal(
	    why(&w, a), "mail of senders without an address is paused by the administrator");
	scheduler_forget(w.s, a);
	assert_int_equal(world_mail(&w, "", "d.test")->state, RECIPIENT_PARKED);
	scheduler_continue(w.s, PAUSE_SENDER, span_str(""));
	assert_non_null(world_job(&w, NULL));
	world_release(&w);
}

/* One domain behind a smarthost: its mail waits, that of others passes; then it is resolved anew. */
static void
paused_domain_waits_behind_a_smarthost(void **state)
{
	struct world w;
	struct message *m;
	struct recipient *r[20], *other;

	(void)state;
	world_init(&w);
	for (int i = 0; i < 20; i++)
		r[i] = world_mail(&w, "s@d.test", "[smart.test]:25");
	scheduler_pause(w.s, PAUSE_DESTINATION, span_str("Rcpt.test"));
	m = world_message_to(&w, "s@d.test", "x@other.test", 1);
	other = message_recipient(m, 0);
	world_wait(&w, m, 0, "[smart.test]:25");
	assert_ptr_equal(world_job(&w, NULL), other);
	assert_null(world_job(&w, NULL));
	(void)world_end(&w, other, JOB_REACHED);
	r[0] = world_mail(&w, "s@d.test", "[smart.test]:25");
	for (int i = 0; i < 20; i++)
		assert_int_equal(r[i]->state, RECIPIENT_PARKED);
	assert_string_equal(
	    why(&w, r[0]), "rcpt.test is paused by the administrator; 21 wait for it");
	assert_true(scheduler_wait(w.s) == UINT64_MAX);
	scheduler_pause(w.s, PAUSE_SENDER, span_str("d.test"));
	scheduler_continue(w.s, PAUSE_DESTINATION, span_str("rcpt.test"));
	assert_true(scheduler_wait(w.s) == UINT64_MAX);
	scheduler_continue(w.s, PAUSE_SENDER, span_str("d.test"));
	assert_int_equal(scheduler_wait(w.s), 0);
	world_sleep(&w, 0);
	assert_true(scheduler_wait(w.s) == UINT64_MAX);
	assert_int_equal(scheduler_count_due(w.s), 21);
	assert_int_equal(r[0]->state, RECIPIENT_DUE);
	while ((other = scheduler_next_due(w.s)) != NULL)
		world_wait(&w, other->message, 0, "[smart.test]:25");
	assert_non_null(world_job(&w, NULL));
	world_release(&w);
}

static void
explains_the_rest(void **state)
{
	struct world w;
	struct message *m;
	struct recipient *r;

	(void)state;
	world_init(&w);
	m = world_message(&w, "s@d.test", 1);
	r = message_recipient(m, 0);
	assert_string_equal(why(&w, r), "the directory has been asked where it goes");
	scheduler_add_due(w.s, r);
	assert_string_equal(why(&w, r), "waits to be resolved, among 1");
	(void)scheduler_next_due(w.s);
	world_wait(&w, m, 0, "d.test");
	assert_string_equal(why(&w, r), "waits for its turn at d.test, among 1");
	assert_int_equal(scheduler_next_time(r, w.now), 0);
	(void)world_job(&w, NULL);
	assert_string_equal(why(&w, r), "is being delivered to d.test");
	recipient_set_state(r, RECIPIENT_DEFERRED);
	r->attempts = 3;
	scheduler_add_deferred(w.s, r, 20 * MINUTE);
	assert_string_equal(why(&w, r),
	    "attempt 3 did not succeed; by the retry schedule the next is "
	    "2027-01-15T08:20:00Z (in 20m)");
	assert_int_equal(scheduler_next_time(r, w.now), 20 * MINUTE);
	scheduler_forget(w.s, r);
	recipient_set_state(r, RECIPIENT_HELD);
	assert_string_equal(why(&w, r), "held until it is released by the administrator");
	assert_true(scheduler_next_time(r, w.now) == UINT64_MAX);
	world_release(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dead_mail_waits_for_a_probe),
	    cmocka_unit_test(probes_become_rare),
	    cmocka_unit_test(probes_are_not_slower_than_retries),
	    cmocka_unit_test(stays_dead_without_mail),
	    cmocka_unit_test(late_jobs_are_no_probes),
	    cmocka_unit_test(a_lost_probe_is_repeated),
	    cmocka_unit_test(sweeps_what_is_parked),
	    cmocka_unit_test(a_sweep_may_take_out),
	    cmocka_unit_test(hurry_probes_at_once),
	    cmocka_unit_test(rate_spaces_jobs),
	    cmocka_unit_test(rate_is_configured),
	    cmocka_unit_test(concurrency_is_configured),
	    cmocka_unit_test(paused_destination_waits),
	    cmocka_unit_test(paused_sender_waits),
	    cmocka_unit_test(paused_domain_waits_behind_a_smarthost),
	    cmocka_unit_test(explains_the_rest),
	};
	int failed;

	buf_init(&said, 10000);
	failed = cmocka_run_group_tests_name("scheduler stop", tests, NULL, NULL);
	buf_release(&said);
	return failed;
}
