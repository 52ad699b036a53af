/*
 * test_outcome: what becomes of a recipient after an attempt, and above all what age has to do with it:
 * nothing expires but by an attempt that failed, whatever the clock does (CD-05, CD-06).
 */
#include "tests/unit/spool_fixture.h"

#include "queue/manager_parts.h"
#include "queue/retry.h"
#include "tests/unit/testing.h"

#define MINUTE 60000LL
#define DAY    86400000LL

static uint64_t retry[] = {5 * MINUTE, 20 * MINUTE}, often[] = {1000};
static char patient[] = "patient.test", unreachable[] = "unreachable";
static struct config_destination destinations[] = {
    {.name = patient, .lifetime = 30 * DAY, .retry = often, .nretry = 1}};
static struct config_retry_status statuses[] = {
    {.status = unreachable, .retry = often, .nretry = 1}};

/* A manager without agents, directory and reporter. */
struct world {
	struct fixture f;
	struct config config;
	struct manager m;
	struct recipient *r;
	int pumped;
};

static void
on_pump(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	((struct world *)arg)->pumped++;
}

/* One message from `from` to r@there.test, that came so long ago. */
static void
world_init(struct world *w, const char *from, int64_t age)
{
	static const char *const to[] = {"r@there.test"};
	struct buf text;

	*w = (struct world){.config = {.retry = retry,
				.nretry = 2,
				.queue_lifetime = 5 * DAY,
				.bounce_lifetime = DAY,
				.destination_concurrency = 20,
				.destinations = destinations,
				.ndestinations = 1,
				.retry_statuses = statuses,
				.nretry_statuses = 1}};
	fixture_init(&w->f);
	fixture_add_writer(&w->f);
	fixture_envelope(&text, from, to, 1, "");
	spool_writer_commit(w->f.writer, spool_writer_next_message(w->f.writer),
	    clock_wall_ms() - age, buf_span(&text), span_str("Subject: x\n\n"), fixture_on_done,
	    &w->f);
	buf_release(&text);
	fixture_until(&w->f, fixture_idle);
	assert_int_equal(w->f.nseen, 1);
	w->r = message_recipient(w->f.seen[0], 0);
	w->m = (struct manager){.config = &w->config, .store = w->f.store};
	clock_steady_start(&w->m.clock);
	w->m.pump = event_new(w->f.base, -1, 0, on_pump, w);
	w->m.scheduler = scheduler_new(&w->config, clock_mono_ms());
	w->m.sections = section_names_new();
	retry_set_birth(
	    w->r->message, age > 0, clock_steady_wall_ms(&w->m.clock), clock_wall_ms());
}

static void
world_release(struct world *w)
{
	scheduler_free(&w->m.scheduler);
	section_names_free(&w->m.sections);
	event_free(w->m.pump);
	fixture_release(&w->f);
}

static void
conclude(struct world *w, enum verdict_kind kind, const char *status, bool reached, bool dsn)
{
	struct verdict v;

	recipient_set_state(w->r, RECIPIENT_ACTIVE);
	verdict_set(&v, kind, 0, status, "as it is");
	outcome_conclude(&w->m, w->r,
	    &(struct outcome){.verdict = &v,
		.mta = span_str("mx.there.test"),
		.destination = span_str("there.test"),
		.reached = reached,
		.dsn = dsn});
}

/* How far off the next attempt is, in milliseconds. */
static uint64_t
next_in(const struct world *w)
{
	return scheduler_next_time(w->r, clock_mono_ms());
}

static void
defers_by_the_schedule(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "s@d.test", 0);
	conclude(&w, VERDICT_TEMPORARY, "4.2.1", true, false);
	assert_int_equal(w.r->state, RECIPIENT_DEFERRED);
	assert_int_equal(w.r->attempts, 1);
	assert_string_equal(w.r->mta, "mx.there.test");
	assert_string_equal(w.r->reason, "0 4.2.1 as it is");
	assert_in_range(next_in(&w), 5 * MINUTE * 8 / 10, 5 * MINUTE * 11 / 10);
	assert_in_range(w.r->next, clock_wall() + 200, clock_wall() + 400);
	scheduler_forget(w.m.scheduler, w.r);
	conclude(&w, VERDICT_TEMPORARY, "4.2.1", true, false);
	assert_in_range(next_in(&w), 20 * MINUTE * 8 / 10, 20 * MINUTE * 11 / 10);
	scheduler_forget(w.m.scheduler, w.r);
	conclude(&w, VERDICT_TEMPORARY, "4.4.1", false, false);
	assert_in_range(next_in(&w), 100, 1100); /* retry-status "unreachable" */
	world_release(&w);
}

static void
expires_by_a_failed_attempt(void **state)
{
	static const struct {
		const char *name, *from;
		int64_t age;
		enum verdict_kind kind;
		enum recipient_state want;
	} rows[] = {
	    {"young", "s@d.test", 4 * DAY, VERDICT_TEMPORARY, RECIPIENT_DEFERRED},
	    {"old, and the attempt fails", "s@d.test", 6 * DAY, VERDICT_TEMPORARY,
		RECIPIENT_FAILED},
	    {"old, and the attempt succeeds", "s@d.test", 6 * DAY, VERDICT_OK,
		RECIPIENT_SETTLED},
	    {"refused for good", "s@d.test", 0, VERDICT_PERMANENT, RECIPIENT_FAILED},
	    {"a bounce, young", "", DAY / 2, VERDICT_TEMPORARY, RECIPIENT_DEFERRED},
	    {"a bounce, two days old", "", 2 * DAY, VERDICT_TEMPORARY, RECIPIENT_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world w;

		world_init(&w, rows[i].from, rows[i].age);
		check_row(rows[i].name, w.r->state == RECIPIENT_DUE);
		conclude(&w, rows[i].kind,
		    rows[i].kind == VERDICT_TEMPORARY ? "4.2.1"
		    : rows[i].kind == VERDICT_OK      ? "2.0.0"
						      : "5.1.1",
		    true, false);
		check_row(rows[i].name, w.r->state == rows[i].want);
		world_release(&w);
	}
}

/* The wall clock is set ten days forward while mail waits: it is not a minute older for it. */
static void
a_clock_set_forward_expires_nothing(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "s@d.test", DAY);
	/* To the steady clock that is a wall clock which showed ten days less at the start. */
	w.m.clock.wall_ms -= 10 * DAY;
	w.r->message->received -= 10 * DAY;
	conclude(&w, VERDICT_TEMPORARY, "4.2.1", true, false);
	assert_int_equal(w.r->state, RECIPIENT_DEFERRED);
	/* What comes after the jump has the new time, and is new. */
	w.r->message->received = clock_wall_ms();
	retry_set_birth(w.r->message, false, clock_steady_wall_ms(&w.m.clock), clock_wall_ms());
	assert_in_range(
	    retry_age(w.r->message, clock_steady_wall_ms(&w.m.clock)) + MINUTE, 0, 2 * MINUTE);
	world_release(&w);
}

static void
tells_of_success(void **state)
{
	static const struct {
		const char *name, *from;
		uint8_t notify;
		bool dsn, local;
		enum recipient_state want;
		enum recipient_action action;
	} rows[] = {
	    {"not asked for", "s@d.test", NOTIFY_DEFAULT, false, true, RECIPIENT_SETTLED, 0},
	    {"delivered here", "s@d.test", NOTIFY_SUCCESS, false, true, RECIPIENT_TELL,
		RECIPIENT_DELIVERED},
	    {"relayed to a host without DSN", "s@d.test", NOTIFY_SUCCESS | NOTIFY_FAILURE,
		false, false, RECIPIENT_TELL, RECIPIENT_RELAYED},
	    {"relayed to one that tells", "s@d.test", NOTIFY_SUCCESS, true, false,
		RECIPIENT_SETTLED, 0},
	    {"nobody to tell", "", NOTIFY_SUCCESS, false, true, RECIPIENT_SETTLED, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world w;
		struct verdict v;

		world_init(&w, rows[i].from, 0);
		w.r->notify = rows[i].notify & 0x1f;
		verdict_set(&v, VERDICT_OK, 250, "2.0.0", "fine");
		outcome_conclude(&w.m, w.r,
		    &(struct outcome){.verdict = &v,
			.destination = span_str("there.test"),
			.reached = true,
			.dsn = rows[i].dsn,
			.local = rows[i].local});
		check_row(rows[i].name, w.r->state == rows[i].want);
		check_row(rows[i].name,
		    rows[i].want != RECIPIENT_TELL || w.r->action == rows[i].action);
		world_release(&w);
	}
}

/* The hold was wished for while it was under way. */
static void
holds_instead_of_deferring(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "s@d.test", 0);
	w.r->held = true;
	conclude(&w, VERDICT_TEMPORARY, "4.2.1", true, false);
	assert_int_equal(w.r->state, RECIPIENT_HELD);
	assert_int_equal(scheduler_count_deferred(w.m.scheduler), 0);
	world_release(&w);
}

/* Parked at a destination that died `failed` milliseconds ago; what the sweep makes of it. */
static enum recipient_state
swept(struct world *w, uint64_t failed, bool with_verdict)
{
	struct destination *d;

	recipient_set_state(w->r, RECIPIENT_RESOLVING);
	scheduler_add_waiting(w->m.scheduler, w->r, AGENT_REMOTE, span_str("there.test"));
	d = scheduler_destination_of(w->r);
	d->dead = true;
	d->failed_at = clock_mono_ms() - failed;
	if (with_verdict) {
		d->last = xcalloc(1, sizeof *d->last);
		verdict_set(d->last, VERDICT_TEMPORARY, 0, "4.4.1", "no answer");
	}
	recipient_set_state(w->r, RECIPIENT_PARKED);
	d->waiting.stopped = true;
	outcome_on_parked(w->r, &w->m);
	return (enum recipient_state)w->r->state;
}

/* Too old at a dead destination: only if its last probe failed when it was too old already. */
static void
expires_by_a_failed_probe(void **state)
{
	static const struct {
		const char *name;
		int64_t age;
		uint64_t failed;
		bool with_verdict;
		enum recipient_state want;
	} rows[] = {
	    {"young", 4 * DAY, 0, true, RECIPIENT_PARKED},
	    {"old when the probe failed", 6 * DAY, MINUTE, true, RECIPIENT_FAILED},
	    {"old since, no probe yet", 5 * DAY + MINUTE, 2 * MINUTE, true, RECIPIENT_PARKED},
	    {"never told why", 6 * DAY, MINUTE, false, RECIPIENT_PARKED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world w;

		world_init(&w, "s@d.test", rows[i].age);
		check_row(rows[i].name,
		    swept(&w, rows[i].failed, rows[i].with_verdict) == rows[i].want);
		check_row(rows[i].name, rows[i].want != RECIPIENT_FAILED ||
					    strcmp(w.r->reason, "0 4.4.1 no answer") == 0);
		world_release(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defers_by_the_schedule),
	    cmocka_unit_test(expires_by_a_failed_attempt),
	    cmocka_unit_test(a_clock_set_forward_expires_nothing),
	    cmocka_unit_test(tells_of_success),
	    cmocka_unit_test(holds_instead_of_deferring),
	    cmocka_unit_test(expires_by_a_failed_probe),
	};

	return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
