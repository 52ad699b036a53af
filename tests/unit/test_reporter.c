/*
 * test_reporter: who is told of what, when, and how often: with a real store, and a directory that may
 * be gone.
 */
#include "tests/unit/spool_fixture.h"

#include "common/service.h"
#include "queue/reporter.h"
#include "queue/store_wishes.h"
#include "tests/unit/sockets.h"

#define SEGMENT	   (2U << 20)
#define PATIENCE   1000 /* ms: the first interval of retry */
#define RECIPIENTS 3

struct world {
	struct fixture f;
	struct sockets at;
	struct service *service;
	struct peer *directory;
	struct own_writer *own;
	struct envelope_cache *envelopes;
	struct reporter *reporter;
	struct config config;
	uint64_t retry[1];
	const char *text; /* what the directory answers, NULL: none */
	int questions;
	char kind[16]; /* asked for last */
	struct message *m;
	uint64_t number; /* its, for when it is gone */
};

static void
on_question(struct client *c, struct wire_msg *m, void *arg)
{
	struct world *w = arg;
	struct verdict v;
	struct wire_out out;
	struct span kind;

	assert_true(span_is(m->verb, "bounce-text"));
	assert_int_equal(wire_get(m, "kind", &kind), 0);
	snprintf(w->kind, sizeof w->kind, "%.*s", SPAN_ARG(kind));
	w->questions++;
	client_answer_init(&out, m);
	verdict_set(&v, VERDICT_OK, 250, "2.0.0", "Ok");
	wire_add_verdict(&out, &v);
	if (w->text != NULL)
		wire_add_str(&out, "template", w->text);
	client_send(c, &out, -1);
}

static const struct service_ops directory_ops = {.on_message = on_question};
static const struct peer_ops no_ops = {.on_up = NULL};

static void
start_directory(struct world *w)
{
	w->service = service_new(
	    w->f.base, sockets_listen(&w->at), "queue/directory", (uid_t)-1, &directory_ops, w);
}

static void
start_reporter(struct world *w)
{
	w->own = own_writer_new(w->f.base, w->f.store);
	w->envelopes = envelope_cache_new(w->f.store);
	w->reporter = reporter_new(w->f.base,
	    &(struct report_source){w->f.store, w->envelopes, &w->config}, w->own,
	    w->directory);
	fixture_turn(&w->f, 50); /* a segment of our own gets ready */
}

static void
stop_reporter(struct world *w)
{
	reporter_stop(w->reporter);
	own_writer_free(&w->own);
	reporter_free(&w->reporter);
	envelope_cache_free(&w->envelopes);
}

static void
open_store(struct world *w)
{
	struct fixture *f = &w->f;

	f->nseen = f->ngone = f->nready = 0;
	f->store = store_open(f->base, f->spoolfd, SEGMENT, &fixture_store_ops, f);
	assert_non_null(f->store);
}

static bool full; /* the next world has no room for reports */

/* Names in the way of new segments. */
static void
fill_disk(struct world *w)
{
	char name[SPOOL_NAME_SIZE], path[64];

	for (uint64_t n = 1; n < 40; n++) {
		snprintf(
		    path, sizeof path, "segments/%s.new", spool_segment_name(n, false, name));
		(void)mkdirat(w->f.spoolfd, path, 0700);
	}
}

/* A message of `from` to a, b, c @d.test, each with this NOTIFY, in state ACTIVE. */
static void
world_init(struct world *w, const char *from, const char *notify)
{
	static const char *const names[] = {"a@d.test", "b@d.test", "c@d.test"};
	struct envelope_recipient to[RECIPIENTS] = {0};
	struct envelope e = {.uid = -1,
	    .from = span_str(from),
	    .envid = span_str("QQ"),
	    .recipients = to,
	    .nrecipients = RECIPIENTS};
	struct buf text;

	memset(w, 0, sizeof *w);
	fixture_init(&w->f);
	fixture_close(&w->f);
	open_store(w);
	sockets_init(&w->at);
	w->retry[0] = PATIENCE;
	w->config = (struct config){.hostname = (char *)(uintptr_t) "mx.test",
	    .retry = w->retry,
	    .nretry = 1,
	    .queue_lifetime = 3600000,
	    .bounce_lifetime = 3600000};
	start_directory(w);
	w->directory = peer_new(w->f.base, w->at.path, "queue", &no_ops, NULL);
	for (size_t i = 0; i < RECIPIENTS; i++)
		to[i] = (struct envelope_recipient){
		    .address = span_str(names[i]), .notify = span_str(notify)};
	fixture_add_writer(&w->f);
	buf_init(&text, 65536);
	assert_int_equal(envelope_format(&e, &text), 0);
	spool_writer_commit(w->f.writer, spool_writer_next_message(w->f.writer), 1700000000000,
	    buf_span(&text), span_str("Subject: original\n\nbody\n"), fixture_on_done, &w->f);
	buf_release(&text);
	fixture_until(&w->f, fixture_idle);
	assert_int_equal(w->f.nseen, 1);
	w->m = w->f.seen[0];
	w->number = w->m->number;
	if (full)
		fill_disk(w);
	start_reporter(w);
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		recipient_set_state(message_recipient(w->m, i), RECIPIENT_ACTIVE);
}

static void
world_release(struct world *w)
{
	stop_reporter(w);
	peer_free(&w->directory);
	service_free(&w->service);
	fixture_release(&w->f);
	sockets_release(&w->at);
}

static void
refuse(struct world *w, uint32_t entry)
{
	struct verdict v;

	verdict_set(&v, VERDICT_PERMANENT, 550, "5.1.1", "no %u", entry);
	store_fail(w->f.store, message_recipient(w->m, entry), &v);
	reporter_consider(w->reporter, w->m);
}

static void
deliver(struct world *w, uint32_t entry)
{
	struct verdict v;

	verdict_set(&v, VERDICT_OK, 250, "2.0.0", "yes");
	store_deliver(w->f.store, message_recipient(w->m, entry), &v);
	reporter_consider(w->reporter, w->m);
}

static void
defer(struct world *w, uint32_t entry)
{
	struct verdict v;

	verdict_set(&v, VERDICT_TEMPORARY, 450, "4.2.1", "busy");
	store_defer(w->f.store, message_recipient(w->m, entry), &v, 0);
	reporter_consider(w->reporter, w->m);
}

/* Reports that are in the queue, the message itself not counted. */
static size_t
reports(const struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->f.nseen; i++)
		n += message_bounce_of(w->f.seen[i]) != 0;
	return n;
}

/* The last one taken in. */
static struct message *
report(const struct world *w)
{
	struct message *last = NULL;

	for (size_t i = 0; i < w->f.nseen; i++)
		if (message_bounce_of(w->f.seen[i]) != 0 &&
		    (last == NULL || w->f.seen[i]->number > last->number))
			last = w->f.seen[i];
	assert_non_null(last);
	return last;
}

static void
wait_reports(struct world *w, size_t n)
{
	for (int i = 0; i < 5000 && reports(w) < n; i++)
		fixture_turn(&w->f, 1);
	fixture_turn(&w->f, 100); /* no more than these */
	assert_int_equal(reports(w), n);
}

/* Does the content of the report hold this? */
static bool
says(struct world *w, const struct message *m, const char *what)
{
	struct buf b;
	bool found;

	buf_init(&b, 1U << 20);
	assert_int_equal(store_read_content(w->f.store, (struct message *)(uintptr_t)m, &b), 0);
	found = strstr(b.p, what) != NULL;
	buf_release(&b);
	return found;
}

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
	    cmocka_unit_test(one_report_for_all_that_ended),
	    cmocka_unit_test(does_not_wait_for_ever),
	    cmocka_unit_test(tells_when_the_directory_is_back),
	    cmocka_unit_test(tells_each_once),
	    cmocka_unit_test(tells_after_a_crash),
	    cmocka_unit_test(waits_for_room),
	    cmocka_unit_test(keeps_silence),
	    cmocka_unit_test(ends_at_the_postmaster),
	    cmocka_unit_test(tells_of_success),
	    cmocka_unit_test(tells_of_an_expansion),
	    cmocka_unit_test(warns_once),
	    cmocka_unit_test(warns_and_then_reports),
	    cmocka_unit_test(goes_again_in_seven_bits),
	    cmocka_unit_test(loops_are_told_to_those_we_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
