/*
 * own_writer: what the queue manager writes itself stands in segments that the
 * journal says are its own, before the first octet; and on a full disk copies,
 * which make room, come before reports.
 */
#include "tests/unit/spool_fixture.h"

#include "queue/own_writer.h"
#include "queue/store_parts.h"

#define REPORT 20000U

static struct own_writer *own;

static bool
own_is_ready(struct fixture *f)
{
	return segment_pool_own_ready(store_pool(f->store));
}

static bool
worker_is_ready(struct fixture *f)
{
	return segment_pool_ready(store_pool(f->store)) > 0;
}

static bool
is_full(struct fixture *f)
{
	return !segment_pool_has_room(store_pool(f->store));
}

/* No further segment can be made: names in its way are taken. */
static void
fill_disk(struct fixture *f)
{
	char name[SPOOL_NAME_SIZE], path[64];

	for (uint64_t n = 1; n < 40; n++) {
		snprintf(
		    path, sizeof path, "segments/%s.new", spool_segment_name(n, false, name));
		assert_true(mkdirat(f->spoolfd, path, 0700) == 0);
	}
}

static void
write_report(struct fixture *f, struct spool_writer *w, size_t size)
{
	struct buf e, content;
	static const char *const rcpt[] = {"bob@domain1.test"};

	fixture_envelope(&e, "", rcpt, 1, "");
	buf_init(&content, size + 1);
	while (content.len < size)
		buf_add(&content, "x", 1);
	spool_writer_commit(w, spool_writer_next_message(w), 1700000000000, buf_span(&e),
	    buf_span(&content), fixture_on_done, f);
	buf_release(&e);
	buf_release(&content);
}

static bool
has_seen_one(struct fixture *f)
{
	return f->nseen == 1;
}

/* The numbers of segments that are the queue manager's own. */
static unsigned
count_own(struct fixture *f)
{
	struct spool_segment *s = NULL;
	unsigned n = 0;

	while ((s = segment_pool_next(store_pool(f->store), s)) != NULL)
		n += s->own;
	return n;
}

static void
test_written_only_when_the_journal_says_whose(void **state)
{
	struct fixture f;
	uint64_t before;

	(void)state;
	fixture_init(&f);
	own = own_writer_new(f.base, f.store);
	assert_null(own_writer_for_report(own, REPORT));
	before = journal_position(f.store->journal);
	assert_true(before > 0 && journal_durable(f.store->journal) < before);
	fixture_until(&f, own_is_ready);
	assert_true(journal_durable(f.store->journal) >= before);
	assert_int_equal(f.nready, 1);
	/* Writers never get it. */
	assert_null(segment_pool_take(store_pool(f.store), &f, &(int){0}));
	assert_int_equal(own_writer_room(own), FIXTURE_SEGMENT);
	assert_non_null(own_writer_for_report(own, REPORT));
	own_writer_free(&own);
	fixture_release(&f);
}

/* Log, checkpoint: both know it after a restart. */
static void
test_known_after_a_restart(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	own = own_writer_new(f.base, f.store);
	fixture_until(&f, own_is_ready);
	write_report(&f, own_writer_for_report(own, REPORT), REPORT);
	fixture_until(&f, has_seen_one);
	assert_int_equal(f.acked, 1);
	assert_true(f.seen[0]->segment->own);
	for (unsigned i = 0; i < 3; i++) {
		own_writer_free(&own);
		fixture_reopen(&f);
		assert_int_equal(f.nseen, 1);
		assert_true(f.seen[0]->segment->own);
		assert_int_equal(f.seen[0]->segment->live_octets, message_extent(f.seen[0]));
	}
	fixture_release(&f);
}

static void
test_given_another_life_it_is_anybodys(void **state)
{
	static const struct verdict ok = {
	    .kind = VERDICT_OK, .status = "2.0.0", .text = "done"};
	struct fixture f;
	struct spool_segment *s;

	(void)state;
	fixture_init(&f);
	own = own_writer_new(f.base, f.store);
	fixture_until(&f, own_is_ready);
	write_report(&f, own_writer_for_report(own, REPORT), REPORT);
	fixture_until(&f, has_seen_one);
	s = f.seen[0]->segment;
	fixture_until(&f, own_is_ready);
	own_writer_free(&own);
	fixture_turn(&f, 5);
	store_intake_rest(f.store, s); /* sealed, as if it were full */
	fill_disk(&f);
	store_deliver(f.store, message_recipient(f.seen[0], 0), &ok);
	segment_pool_keep_ready(store_pool(f.store), 1);
	fixture_until(&f, worker_is_ready);
	assert_false(s->own);
	assert_int_equal(count_own(&f), 1);
	fixture_reopen(&f);
	assert_true(count_own(&f) <= 1);
	fixture_release(&f);
}

/* On a full disk reports leave two thirds of a segment to copies, and the one kept ready if these are urgent. */
static void
test_reports_leave_room_for_copies(void **state)
{
	struct fixture f;
	struct spool_writer *w;
	unsigned reports = 0;

	(void)state;
	fixture_init(&f);
	own = own_writer_new(f.base, f.store);
	fixture_until(&f, own_is_ready);
	fill_disk(&f);
	segment_pool_keep_ready(store_pool(f.store), 1);
	fixture_until(&f, is_full);
	own_writer_set_urgent(own, true);
	assert_null(own_writer_for_report(own, REPORT));
	assert_non_null(own_writer_for_copies(own, REPORT));
	assert_null(own_writer_for_report(own, REPORT));
	own_writer_set_urgent(own, false);
	while ((w = own_writer_for_report(own, REPORT)) != NULL) {
		write_report(&f, w, REPORT - 1000);
		reports++;
	}
	assert_true(reports >= 3);
	fixture_turn(&f, 40);
	assert_int_equal(f.acked, reports);
	assert_true(own_writer_room(own) >= FIXTURE_SEGMENT / 3 * 2);
	assert_true(own_writer_room(own) < FIXTURE_SEGMENT);
	own_writer_set_urgent(own, true);
	assert_non_null(own_writer_for_copies(own, FIXTURE_SEGMENT / 3 * 2));
	own_writer_free(&own);
	fixture_release(&f);
}

/* The end, while a report is being written: whoever asked hears of it, and gets no writer any more. */
static void
on_last(const struct verdict *v, void *arg)
{
	struct fixture *f = arg;

	assert_int_equal(v->kind, VERDICT_OK);
	f->acked++;
	assert_null(own_writer_for_report(own, REPORT));
	assert_null(own_writer_for_copies(own, REPORT));
}

static void
test_the_end_waits_for_what_is_being_written(void **state)
{
	static const char *const rcpt[] = {"bob@domain1.test"};
	struct own_writer *last;
	struct spool_writer *w;
	struct fixture f;
	struct buf e;

	(void)state;
	fixture_init(&f);
	own = last = own_writer_new(f.base, f.store);
	fixture_until(&f, own_is_ready);
	w = own_writer_for_report(own, REPORT);
	fixture_envelope(&e, "", rcpt, 1, "");
	spool_writer_commit(w, spool_writer_next_message(w), 1700000000000, buf_span(&e),
	    span_str("x\n"), on_last, &f);
	event_base_loop(f.base, EVLOOP_NONBLOCK);
	/* This one has to wait for the next flush, which does not come. */
	write_report(&f, w, 1000);
	own_writer_free(&last);
	assert_int_equal(f.acked, 1);
	assert_int_equal(f.nseen, 1);
	buf_release(&e);
	fixture_release(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_written_only_when_the_journal_says_whose),
	    cmocka_unit_test(test_known_after_a_restart),
	    cmocka_unit_test(test_given_another_life_it_is_anybodys),
	    cmocka_unit_test(test_reports_leave_room_for_copies),
	    cmocka_unit_test(test_the_end_waits_for_what_is_being_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
