/* test_report: of what nobody is told, and what a report says to whom. */
#include "queue/report.h"

#include "tests/unit/reporter_world.h"

static const struct {
	const char *name, *from, *notify;
	enum config_double_bounce double_bounce;
	size_t reports;
	const char *to;
} silences[] = {
    {"as usual", "alice@e.test", "", DOUBLE_BOUNCE_DROP, 1, "alice@e.test"},
    {"failures", "alice@e.test", "FAILURE", DOUBLE_BOUNCE_DROP, 1, "alice@e.test"},
    {"never", "alice@e.test", "NEVER", DOUBLE_BOUNCE_DROP, 0, NULL},
    {"success alone", "alice@e.test", "SUCCESS", DOUBLE_BOUNCE_DROP, 0, NULL},
    {"never, and not to the postmaster", "alice@e.test", "NEVER", DOUBLE_BOUNCE_POSTMASTER, 0,
	NULL},
    {"no sender", "", "", DOUBLE_BOUNCE_DROP, 0, NULL},
    {"no sender, the postmaster", "", "NEVER", DOUBLE_BOUNCE_POSTMASTER, 1, "postmaster"},
};

static void
keeps_silence(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof silences / sizeof *silences; i++) {
		struct world w;

		world_init(&w, silences[i].from, silences[i].notify);
		w.config.double_bounce = silences[i].double_bounce;
		for (uint32_t k = 0; k < RECIPIENTS; k++)
			refuse(&w, k);
		wait_reports(&w, silences[i].reports);
		assert_int_equal(w.f.ngone, 1); /* the message is settled */
		check_row(silences[i].name,
		    silences[i].to == NULL ||
			strcmp(message_recipient(report(&w), 0)->address, silences[i].to) == 0);
		world_release(&w);
	}
}

/* The postmaster's own report comes back: it ends there. */
static void
ends_at_the_postmaster(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "", "");
	w.config.double_bounce = DOUBLE_BOUNCE_POSTMASTER;
	for (uint32_t k = 0; k < RECIPIENTS; k++)
		refuse(&w, k);
	wait_reports(&w, 1);
	assert_true(says(&w, report(&w), "\nTo: <postmaster@mx.test>\n"));
	w.m = report(&w);
	refuse(&w, 0);
	fixture_turn(&w.f, 200);
	assert_int_equal(w.f.nseen, 0);
	world_release(&w);
}

/* A report that returned 8-bit content is refused for that alone: it goes again in 7 bits, once. */
static void
goes_again_in_seven_bits(void **state)
{
	struct message *first;
	struct verdict v;
	struct world w;
	uint64_t number;

	(void)state;
	world_init(&w, "alice@e.test", "");
	number = w.m->number;
	{ /* an 8-bit message in place of the other */
		static const char *const to[] = {"z@d.test"};

		for (uint32_t i = 0; i < RECIPIENTS; i++)
			deliver(&w, i);
		fixture_send_to(
		    &w.f, "alice@e.test", to, 1, "Subject: o\n\nGr\xc3\xbc\xc3\x9f\x65\n", "");
		fixture_until(&w.f, fixture_idle);
		fixture_turn(&w.f, 20);
		w.m = w.f.seen[0];
		assert_int_not_equal(w.m->number, number);
	}
	recipient_set_state(message_recipient(w.m, 0), RECIPIENT_ACTIVE);
	refuse(&w, 0);
	wait_reports(&w, 1);
	first = report(&w);
	assert_true(first->eight_bit);
	w.m = first;
	number = first->number;
	recipient_set_state(message_recipient(w.m, 0), RECIPIENT_ACTIVE);
	verdict_set(&v, VERDICT_PERMANENT, 554, "5.6.3", "no 8-bit here");
	store_fail(w.f.store, message_recipient(w.m, 0), &v);
	reporter_consider(w.reporter, w.m);
	for (int i = 0; i < 3000 && (w.f.nseen != 1 || w.f.seen[0]->number == number); i++)
		fixture_turn(&w.f, 1);
	w.m = report(&w);
	assert_false(w.m->eight_bit);
	assert_string_equal(message_recipient(w.m, 0)->address, "alice@e.test");
	assert_true(says(&w, w.m, "text/rfc822-headers\n\nSubject: o\n\n--"));
	store_fail(w.f.store, message_recipient(w.m, 0), &v);
	reporter_consider(w.reporter, w.m);
	fixture_turn(&w.f, 200);
	assert_int_equal(w.f.nseen, 0);
	world_release(&w);
}

/* A mailbox behind an alias says that it had the message: by a header anybody may write. */
static void
loops_are_told_to_those_we_know(void **state)
{
	static const struct message_target target = {RECIPIENT_MAILBOX, {"x@d.test", 8}};

	(void)state;
	for (int known = 0; known <= 1; known++) {
		struct envelope_recipient to = {.address = span_str("sales@d.test")};
		struct envelope e = {.uid = known ? 1000 : -1,
		    .from = span_str("alice@e.test"),
		    .recipients = &to,
		    .nrecipients = 1};
		struct verdict v;
		struct buf text;
		struct world w;
		uint32_t entry;

		world_init(&w, "alice@e.test", "");
		for (uint32_t i = 0; i < RECIPIENTS; i++)
			deliver(&w, i);
		buf_init(&text, 65536);
		assert_int_equal(envelope_format(&e, &text), 0);
		spool_writer_commit(w.f.writer, spool_writer_next_message(w.f.writer), 1,
		    buf_span(&text), span_str("Subject: x\n\n"), fixture_on_done, &w.f);
		buf_release(&text);
		fixture_until(&w.f, fixture_idle);
		fixture_turn(&w.f, 20);
		w.m = w.f.seen[0];
		entry = store_expand(w.f.store, message_recipient(w.m, 0), &target, 1);
		verdict_set(&v, VERDICT_PERMANENT, 554, "5.4.6", "Mail loops");
		store_fail(w.f.store, message_recipient(w.m, entry), &v);
		reporter_consider(w.reporter, w.m);
		wait_reports(&w, known ? 1 : 0);
		world_release(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keeps_silence),
	    cmocka_unit_test(ends_at_the_postmaster),
	    cmocka_unit_test(goes_again_in_seven_bits),
	    cmocka_unit_test(loops_are_told_to_those_we_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
