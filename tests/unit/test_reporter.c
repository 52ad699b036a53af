/* test_reporter: who is told when, and how often, whatever comes between. */
#include "queue/reporter.h"

#include "queue/manager_parts.h"
#include "queue/store_wishes.h"
#include "tests/unit/reporter_world.h"

static void
one_report_for_all_that_ended(void **state)
{
	const struct envelope *e;
	struct message *rep;
	struct world w;

	(void)state;
	world_init(&w, "alice@e.test", "");
	w.text = "{id} failed\n";
	refuse(&w, 0);
	refuse(&w, 1);
	fixture_turn(&w.f, 50);
	assert_int_equal(w.questions, 0); /* c is being tried */
	deliver(&w, 2);
	wait_reports(&w, 1);
	assert_int_equal(w.questions, 1);
	assert_string_equal(w.kind, "failed");
	rep = report(&w);
	assert_int_equal(message_bounce_of(rep), w.number);
	assert_int_equal(rep->report->ntold, 2);
	assert_string_equal(message_recipient(rep, 0)->address, "alice@e.test");
	assert_string_equal(rep->from, "");
	assert_true(says(&w, rep, " failed\n\n  <a@d.test>"));
	assert_true(says(&w, rep, "\nOriginal-Envelope-Id: QQ\n"));
	assert_true(says(&w, rep, "\nFinal-Recipient: rfc822; b@d.test\n"));
	assert_true(
	    says(&w, rep, "\nLast-Attempt-Date: ") == false); /* attempts were not counted */
	assert_true(says(&w, rep, "Subject: original\n\nbody\n"));
	e = envelope_cache_get(w.envelopes, rep);
	assert_non_null(e);
	assert_true(span_is(e->recipients[0].notify, "NEVER"));
	assert_true(span_is(e->bounce_entries, "0 1"));
	world_release(&w);
}

/* What ends while others are being tried for long is told after a while, and what ends later again. */
static void
does_not_wait_for_ever(void **state)
{
	struct world w;
	uint64_t began;

	(void)state;
	world_init(&w, "alice@e.test", "");
	began = clock_mono_ms();
	refuse(&w, 0);
	for (int i = 0; i < 5000 && reports(&w) == 0; i++)
		fixture_turn(&w.f, 1);
	assert_true(clock_mono_ms() - began >= PATIENCE);
	wait_reports(&w, 1);
	assert_int_equal(report(&w)->report->ntold, 1);
	assert_int_equal(message_recipient(w.m, 0)->state, RECIPIENT_SETTLED);
	refuse(&w, 1);
	deliver(&w, 2);
	wait_reports(&w, 2);
	assert_int_equal(report(&w)->report->told[0], 1);
	world_release(&w);
}

static void
tells_when_the_directory_is_back(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "alice@e.test", "");
	service_free(&w.service);
	fixture_turn(&w.f, 20);
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		refuse(&w, i);
	fixture_turn(&w.f, 300);
	assert_int_equal(reports(&w), 0);
	start_directory(&w);
	wait_reports(&w, 1);
	assert_int_equal(report(&w)->report->ntold, 3);
	world_release(&w);
}

/* More fails while the text is asked for, or the report written: told with it or after it, once. */
static void
tells_each_once(void **state)
{
	uint32_t told = 0;
	struct world w;

	(void)state;
	world_init(&w, "alice@e.test", "");
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		defer(&w, i);
	for (uint32_t i = 0; i < RECIPIENTS; i++) {
		refuse(&w, i);
		fixture_turn(&w.f, i == 0 ? 0 : 5);
	}
	for (int i = 0; i < 3000 && w.f.ngone == 0; i++)
		fixture_turn(&w.f, 1);
	for (size_t i = 0; i < w.f.nseen; i++)
		if (w.f.seen[i]->report != NULL)
			told += w.f.seen[i]->report->ntold;
	assert_int_equal(told, 3);
	world_release(&w);
}

/* CD-01: failed and on disk, the report not begun: the next start writes it. */
static void
tells_after_a_crash(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "alice@e.test", "");
	service_free(&w.service);
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		refuse(&w, i);
	fixture_turn(&w.f, 100);
	assert_int_equal(reports(&w), 0);
	stop_reporter(&w);
	fixture_close(&w.f);
	open_store(&w);
	start_directory(&w);
	start_reporter(&w);
	assert_int_equal(w.f.nseen, 1);
	reporter_consider(w.reporter, w.f.seen[0]);
	wait_reports(&w, 1);
	assert_int_equal(report(&w)->report->ntold, 3);
	/* It was not tried since: nobody knows when the last attempt was. */
	assert_false(says(&w, report(&w), "\nLast-Attempt-Date: "));
	world_release(&w);
}

/* Whoever writes to a segment that is not our own (smtpd, perhaps in bad hands) cannot make us believe that a sender was told. */
static void
a_forged_report_settles_nothing(void **state)
{
	static const char *const to[] = {"alice@e.test"};
	char of[24];
	struct world w;

	(void)state;
	world_init(&w, "alice@e.test", "");
	service_free(&w.service);
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		refuse(&w, i);
	fixture_turn(&w.f, 100);
	snprintf(of, sizeof of, "%" PRIu64, w.number);
	fixture_send_to(&w.f, "", to, 1, "Subject: forged\n\n", of); /* of entry 0 */
	fixture_until(&w.f, fixture_idle);
	stop_reporter(&w);
	fixture_close(&w.f);
	open_store(&w);
	w.m = store_find(w.f.store, w.number);
	assert_int_equal(message_failed(w.m), 3);
	start_directory(&w);
	start_reporter(&w);
	reporter_consider(w.reporter, w.m);
	wait_reports(&w, 1);
	assert_int_equal(report(&w)->report->ntold, 3);
	world_release(&w);
}

/* CD-03: no room to write it: it waits, and nothing is forgotten. */
static void
waits_for_room(void **state)
{
	char name[SPOOL_NAME_SIZE], path[64];
	struct world w;

	(void)state;
	full = true;
	world_init(&w, "alice@e.test", "");
	full = false;
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		refuse(&w, i);
	fixture_turn(&w.f, 200);
	assert_int_equal(reports(&w), 0);
	assert_int_equal(message_failed(w.m), 3);
	for (uint64_t n = 1; n < 40; n++) {
		snprintf(
		    path, sizeof path, "segments/%s.new", spool_segment_name(n, false, name));
		(void)unlinkat(w.f.spoolfd, path, AT_REMOVEDIR);
	}
	for (int i = 0; i < 3000 && reports(&w) == 0; i++) {
		fixture_turn(&w.f, 1);
		if (i % 100 == 0)
			reporter_on_ready(w.reporter);
	}
	wait_reports(&w, 1);
	assert_int_equal(report(&w)->report->ntold, 3);
	world_release(&w);
}

static void
tells_of_success(void **state)
{
	struct verdict v;
	struct world w;

	(void)state;
	world_init(&w, "alice@e.test", "SUCCESS,FAILURE");
	verdict_set(&v, VERDICT_OK, 250, "2.0.0", "yes");
	store_succeed(w.f.store, message_recipient(w.m, 0), RECIPIENT_DELIVERED, &v);
	store_succeed(w.f.store, message_recipient(w.m, 1), RECIPIENT_RELAYED, &v);
	deliver(&w, 2);
	wait_reports(&w, 1);
	assert_int_equal(w.questions, 0); /* no domain has a text for that */
	assert_true(says(&w, report(&w), "\nAction: delivered\n"));
	assert_true(says(&w, report(&w), "\nAction: relayed\n"));
	assert_false(says(&w, report(&w), "body"));
	world_release(&w);
}

/* RFC 3461 5.2.7.3; and a start after a crash knows it from the expansion's record alone. */
static void
tells_of_an_expansion(void **state)
{
	static const struct message_target targets[] = {
	    {RECIPIENT_MAILBOX, {"x@d.test", 8}}, {RECIPIENT_REMOTE, {"y@f.test", 8}}};

	(void)state;
	for (int crash = 0; crash <= 1; crash++) {
		struct world w;

		world_init(&w, "alice@e.test", "SUCCESS");
		(void)store_expand(w.f.store, message_recipient(w.m, 0), targets, 2);
		deliver(&w, 1);
		deliver(&w, 2);
		if (crash) {
			stop_reporter(&w);
			fixture_close(&w.f);
			open_store(&w);
			w.m = w.f.seen[0];
			start_reporter(&w);
			assert_int_equal(message_recipient(w.m, 0)->state, RECIPIENT_TELL);
		}
		assert_int_equal(message_recipient(w.m, 3)->notify, NOTIFY_NEVER);
		reporter_consider(w.reporter, w.m);
		wait_reports(&w, 1);
		assert_true(says(&w, report(&w), "rfc822; a@d.test\nAction: expanded\n"));
		assert_int_equal(message_recipient(w.m, 0)->state, RECIPIENT_SETTLED);
		/* Told, it stays so. */
		stop_reporter(&w);
		fixture_close(&w.f);
		open_store(&w);
		start_reporter(&w);
		for (size_t i = 0; i < w.f.nseen; i++)
			reporter_consider(w.reporter, w.f.seen[i]);
		wait_reports(&w, 1);
		world_release(&w);
	}
}

static void
warns_once(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "alice@e.test", "");
	message_recipient(w.m, 1)->notify = NOTIFY_FAILURE;
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		defer(&w, i);
	(void)store_hold(w.f.store, message_recipient(w.m, 2));
	reporter_warn(w.reporter, w.m);
	reporter_warn(w.reporter, w.m);
	wait_reports(&w, 1);
	assert_string_equal(w.kind, "delayed");
	assert_true(report(&w)->report->delayed);
	assert_int_equal(report(&w)->report->ntold, 1);
	assert_true(says(&w, report(&w), "\nAction: delayed\nStatus: 4.2.1\n"));
	assert_true(says(&w, report(&w), "\nWill-Retry-Until: "));
	assert_false(says(&w, report(&w), "body"));
	assert_true(message_recipient(w.m, 0)->warned);
	reporter_warn(w.reporter, w.m);
	wait_reports(&w, 1);
	/* A start knows who was warned. */
	stop_reporter(&w);
	fixture_close(&w.f);
	open_store(&w);
	start_reporter(&w);
	w.m = store_find(w.f.store, w.number);
	message_recipient(w.m, 1)->notify = NOTIFY_FAILURE;
	assert_true(message_recipient(w.m, 0)->warned);
	reporter_warn(w.reporter, w.m);
	wait_reports(&w, 1);
	world_release(&w);
}

/* A failure after the warning is a report of its own. */
static void
warns_and_then_reports(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "alice@e.test", "");
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		defer(&w, i);
	reporter_warn(w.reporter, w.m);
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		refuse(&w, i); /* while the warning is on its way */
	for (int i = 0; i < 3000 && w.f.ngone == 0; i++)
		fixture_turn(&w.f, 1);
	fixture_turn(&w.f, 100);
	assert_true(reports(&w) >= 1);
	assert_int_equal(report(&w)->report->ntold, 3);
	assert_false(report(&w)->report->delayed);
	world_release(&w);
}

static void
on_pump(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

/*
 * RFC 3464 2.3.9: the lifetime is that of the section named after the next hop, for one that is put off (a), and one
 * that waits for a probe (b); c went straight to its domain, which has none. It is that of the
 * configuration as it is now.
 */
static void
says_until_when_by_the_next_hop(void **state)
{
	static char relay[] = "relay.test", other[] = "other.test";
	struct config_destination sections[] = {
	    {.name = other, .lifetime = 8000 * UINT64_C(86400000)},
	    {.name = relay, .lifetime = 7000 * UINT64_C(86400000)}};
	static const char *const hops[] = {"relay.test", "relay.test", "d.test"};
	struct manager m = {0};
	struct verdict v;
	struct world w;

	(void)state;
	world_init(&w, "alice@e.test", "");
	w.config.destinations = sections;
	w.config.ndestinations = 2;
	w.config.queue_lifetime = 9000 * UINT64_C(86400000);
	w.config.delay_warning = 1000;
	w.config.destination_concurrency = 20;
	m = (struct manager){.config = &w.config,
	    .store = w.f.store,
	    .reporter = w.reporter,
	    .sections = w.sections,
	    .pump = event_new(w.f.base, -1, 0, on_pump, NULL),
	    .scheduler = scheduler_new(&w.config, clock_mono_ms())};
	clock_steady_start(&m.clock);
	verdict_set(&v, VERDICT_TEMPORARY, 450, "4.2.1", "busy");
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		outcome_conclude(&m, message_recipient(w.m, i),
		    &(struct outcome){
			.verdict = &v, .destination = span_str(hops[i]), .reached = true});
	/* While the text is asked for, b comes up again, by another way that is paused, and a section changes. */
	scheduler_forget(m.scheduler, message_recipient(w.m, 1));
	scheduler_pause(m.scheduler, PAUSE_DESTINATION, span_str(other));
	scheduler_add_waiting(
	    m.scheduler, message_recipient(w.m, 1), AGENT_REMOTE, span_str(other));
	assert_int_equal(message_recipient(w.m, 1)->state, RECIPIENT_PARKED);
	sections[1].lifetime += UINT64_C(86400000);
	wait_reports(&w, 1);
	assert_true(says(&w, report(&w), "\nWill-Retry-Until: Wed, 14 Jan 2043 22:13:20"));
	assert_true(says(&w, report(&w), "\nWill-Retry-Until: Mon, 09 Oct 2045 22:13:20"));
	assert_true(says(&w, report(&w), "\nWill-Retry-Until: Sun, 05 Jul 2048 22:13:20"));
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		scheduler_forget(m.scheduler, message_recipient(w.m, i));
	scheduler_free(&m.scheduler);
	event_free(m.pump);
	world_release(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_report_for_all_that_ended),
	    cmocka_unit_test(does_not_wait_for_ever),
	    cmocka_unit_test(tells_when_the_directory_is_back),
	    cmocka_unit_test(tells_each_once),
	    cmocka_unit_test(tells_after_a_crash),
	    cmocka_unit_test(a_forged_report_settles_nothing),
	    cmocka_unit_test(waits_for_room),
	    cmocka_unit_test(tells_of_success),
	    cmocka_unit_test(tells_of_an_expansion),
	    cmocka_unit_test(warns_once),
	    cmocka_unit_test(warns_and_then_reports),
	    cmocka_unit_test(says_until_when_by_the_next_hop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
