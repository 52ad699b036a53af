/* The store: what is recovered after each state that a stop or a crash can leave (doc/SPOOL.md). */
#include "tests/unit/spool_files.h"

#include "queue/spool_record.h"

static void
test_recovers_what_was_journaled(void **state)
{
	struct fixture f;
	uint64_t number;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	number = fixture_send(&f, "Subject: one\n\nbody\n");
	assert_int_equal(f.acked, 1);
	assert_int_equal(f.nseen, 1);
	fixture_reopen(&f);
	assert_int_equal(f.nseen, 1);
	assert_true(f.seen[0]->number == number);
	assert_string_equal(message_recipient(f.seen[0], 0)->address, "bob@domain1.test");
	assert_string_equal(f.seen[0]->from, "alice@domain2.test");
	assert_true(message_recipient(f.seen[0], 0)->recovered);
	fixture_release(&f);
}

/* Everything memory needs of a message is in the journal, with all that ESMTP and DSN said. */
static void
test_journal_keeps_all_of_a_message(void **state)
{
	static const struct {
		const char *address, *orcpt, *notify;
		uint8_t set;
	} rcpts[] = {
	    {"a@d.test", "", "", NOTIFY_DEFAULT},
	    {"\"two words\"@d.test", "rfc822;x@y", "NEVER", NOTIFY_NEVER},
	    {"b\xc3\xb6"
	     "b@d.test",
		"", "success,DELAY", NOTIFY_SUCCESS | NOTIFY_DELAY},
	};
	struct envelope_recipient r[3] = {0};
	struct envelope e = {.uid = 7,
	    .from = span_str(""),
	    .eight_bit = true,
	    .utf8 = true,
	    .bounce_of = span_str("4711"),
	    .bounce_delayed = span_str("0 7"),
	    .recipients = r,
	    .nrecipients = 3};
	struct fixture f;
	struct buf text;

	(void)state;
	fixture_init(&f);
	fixture_add_own_writer(&f);
	for (size_t i = 0; i < 3; i++)
		r[i] = (struct envelope_recipient){span_str(rcpts[i].address),
		    span_str(rcpts[i].orcpt), span_str(rcpts[i].notify)};
	buf_init(&text, 4096);
	assert_int_equal(envelope_format(&e, &text), 0);
	spool_writer_commit(f.writer, spool_writer_next_message(f.writer), 1700000000123,
	    buf_span(&text), span_str("content\n"), fixture_on_done, &f);
	fixture_until(&f, fixture_idle);
	for (int again = 0; again < 3; again++) {
		struct message *m = f.seen[0];

		assert_int_equal(f.nseen, 1);
		assert_string_equal(m->from, "");
		assert_true(m->received == 1700000000123);
		assert_true(m->eight_bit && m->utf8 && m->has_dsn);
		assert_int_equal(m->content_len, 8);
		assert_int_equal(m->envelope_len, text.len);
		assert_int_equal(m->given, 3);
		for (uint32_t i = 0; i < 3; i++) {
			assert_string_equal(message_recipient(m, i)->address, rcpts[i].address);
			assert_int_equal(message_recipient(m, i)->notify, rcpts[i].set);
		}
		assert_int_equal(message_bounce_of(m), 4711);
		assert_true(m->report->delayed);
		assert_int_equal(m->report->ntold, 2);
		assert_int_equal(m->report->told[1], 7);
		fixture_reopen(&f);
	}
	buf_release(&text);
	fixture_release(&f);
}

/* The writer made it durable, and the queue manager never heard: the scan finds it. */
static void
test_recovers_what_was_never_noticed(void **state)
{
	struct fixture f;
	struct store *kept;
	struct buf content;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	kept = f.store;
	f.store = NULL; /* the writer's notices go nowhere */
	fixture_send(&f, "a\n");
	fixture_send(&f, "b\n");
	f.store = kept;
	assert_int_equal(f.nseen, 0);
	fixture_reopen(&f);
	assert_int_equal(f.nseen, 2);
	buf_init(&content, 100);
	assert_int_equal(store_read_content(f.store, f.seen[0], &content), 0);
	assert_int_equal(content.len, 2);
	buf_release(&content);
	fixture_reopen(&f);
	assert_int_equal(f.nseen, 2);
	fixture_release(&f);
}

static void
test_delivered_stays_delivered(void **state)
{
	struct verdict ok = fixture_verdict(VERDICT_OK, "2.0.0", "done");
	static const char *const rcpts[] = {"a@d.test", "b@d.test", "c@d.test"};
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	fixture_send_to(&f, "s@d.test", rcpts, 3, "x\n", "");
	fixture_until(&f, fixture_idle);
	store_deliver(f.store, message_recipient(f.seen[0], 1), &ok);
	fixture_reopen(&f);
	assert_int_equal(f.nseen, 1);
	assert_int_equal(f.seen[0]->unsettled, 2);
	assert_int_equal(message_recipient(f.seen[0], 1)->state, RECIPIENT_SETTLED);
	store_deliver(f.store, message_recipient(f.seen[0], 0), &ok);
	store_deliver(f.store, message_recipient(f.seen[0], 2), &ok);
	fixture_reopen(&f);
	assert_int_equal(f.nseen, 0);
	fixture_release(&f);
}

static void
test_deferral_keeps_its_time_and_reason(void **state)
{
	struct verdict later = fixture_verdict(VERDICT_TEMPORARY, "4.2.2", "mailbox full");
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	fixture_send(&f, "x\n");
	message_recipient(f.seen[0], 0)->attempts = 3;
	store_defer(f.store, message_recipient(f.seen[0], 0), &later, 1700001234);
	for (int again = 0; again < 2; again++) {
		struct recipient *r;
		struct verdict v;

		fixture_reopen(&f);
		assert_int_equal(f.nseen, 1);
		r = message_recipient(f.seen[0], 0);
		assert_int_equal(r->state, RECIPIENT_DEFERRED);
		assert_int_equal(r->attempts, 3);
		assert_true(r->next == 1700001234);
		recipient_get_reason(r, &v);
		assert_string_equal(v.status, "4.2.2");
		assert_string_equal(v.text, "mailbox full");
	}
	fixture_release(&f);
}

static void
test_expansion_survives(void **state)
{
	struct verdict ok = fixture_verdict(VERDICT_OK, "2.0.0", "done");
	struct message_target targets[] = {
	    {RECIPIENT_MAILBOX, {"x@d.test", 8}}, {RECIPIENT_REMOTE, {"y@e.test", 8}}};
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	fixture_send(&f, "x\n");
	assert_int_equal(store_expand(f.store, message_recipient(f.seen[0], 0), targets, 2), 1);
	store_deliver(f.store, message_recipient(f.seen[0], 2), &ok);
	for (int again = 0; again < 2; again++) {
		fixture_reopen(&f);
		assert_int_equal(f.nseen, 1);
		assert_int_equal(f.seen[0]->nrecipients, 3);
		assert_int_equal(f.seen[0]->unsettled, 1);
		assert_string_equal(message_recipient(f.seen[0], 1)->address, "x@d.test");
		assert_int_equal(message_recipient(f.seen[0], 1)->kind, RECIPIENT_MAILBOX);
		assert_int_equal(message_recipient(f.seen[0], 1)->parent, 0);
		assert_int_equal(message_recipient(f.seen[0], 2)->state, RECIPIENT_SETTLED);
	}
	fixture_release(&f);
}

/* Failed and not told: so it stays. A report found in the spool, whose B was lost, settles it. */
static void
test_report_in_spool_settles_failure(void **state)
{
	struct verdict no = fixture_verdict(VERDICT_PERMANENT, "5.1.1", "no such user");
	static const char *const rcpt[] = {"alice@domain2.test"};
	struct fixture f;
	uint64_t number;
	char of[24];

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	number = fixture_send(&f, "x\n");
	store_fail(f.store, message_recipient(f.seen[0], 0), &no);
	fixture_reopen(&f);
	assert_int_equal(f.nseen, 1);
	assert_int_equal(message_failed(f.seen[0]), 1);
	fixture_add_own_writer(&f);
	snprintf(of, sizeof of, "%" PRIu64, number);
	fixture_send_to(&f, "", rcpt, 1, "report\n", of);
	fixture_until(&f, fixture_idle);
	fixture_reopen(&f);
	assert_int_equal(f.nseen, 1);
	assert_true(message_bounce_of(f.seen[0]) == number);
	fixture_reopen(&f);
	assert_int_equal(f.nseen, 1);
	assert_true(message_bounce_of(f.seen[0]) == number);
	fixture_release(&f);
}

/* What smtpd wrote cannot settle a failure, whatever its envelope says: not at once, and not found by recovery. */
static void
test_report_of_a_stranger_is_not_believed(void **state)
{
	struct verdict no = fixture_verdict(VERDICT_PERMANENT, "5.1.1", "no such user");
	static const char *const rcpt[] = {"alice@domain2.test"};
	struct fixture f;
	struct store *kept;
	uint64_t number;
	char of[24];

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	number = fixture_send(&f, "x\n");
	store_fail(f.store, f.seen[0]->own, &no);
	snprintf(of, sizeof of, "%" PRIu64, number);
	fixture_send_to(&f, "", rcpt, 1, "noticed\n", of);
	fixture_until(&f, fixture_idle);
	assert_int_equal(f.nseen, 2);
	assert_int_equal(message_bounce_of(f.seen[1]), 0);
	store_flush(f.store);
	kept = f.store;
	f.store = NULL;
	fixture_send_to(&f, "", rcpt, 1, "never noticed\n", of);
	fixture_until(&f, fixture_idle);
	f.store = kept;
	for (int again = 0; again < 2; again++) {
		unsigned failed = 0;

		fixture_reopen(&f);
		assert_int_equal(f.nseen, 3);
		for (size_t i = 0; i < f.nseen; i++) {
			failed += message_failed(f.seen[i]);
			assert_int_equal(message_bounce_of(f.seen[i]), 0);
		}
		assert_int_equal(failed, 1);
	}
	fixture_release(&f);
}

static void
test_unfinished_files_are_removed(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_close(&f);
	close(openat(f.spoolfd, "segments/0000000009.seg.new", O_CREAT | O_WRONLY, 0600));
	close(openat(f.spoolfd, "large/00000000000000ff.seg.new", O_CREAT | O_WRONLY, 0600));
	close(openat(f.spoolfd, "journal/0000000001.ckpt.new", O_CREAT | O_WRONLY, 0600));
	close(openat(f.spoolfd, "segments/rubbish", O_CREAT | O_WRONLY, 0600));
	fixture_open(&f);
	assert_int_equal(faccessat(f.spoolfd, "segments/0000000009.seg.new", F_OK, 0), -1);
	assert_int_equal(faccessat(f.spoolfd, "large/00000000000000ff.seg.new", F_OK, 0), -1);
	assert_int_equal(faccessat(f.spoolfd, "journal/0000000001.ckpt.new", F_OK, 0), -1);
	assert_int_equal(
	    spool_files_count(f.spoolfd, "corrupt"), 2); /* the rubbish and its reason */
	fixture_release(&f);
}

/*
 * Bit rot in one message: it is reported and set aside when it is read, the others live. What the
 * journal knows of a message needs nothing of its header.
 */
static void
test_damage_hurts_one_message_only(void **state)
{
	struct fixture f;
	struct buf content;
	char name[64];
	off_t at;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	for (int i = 0; i < 5; i++)
		fixture_send(&f, "some content\n");
	spool_files_of(f.seen[2], name);
	at = (off_t)f.seen[2]->offset + 30; /* its header */
	fixture_close(&f);
	spool_files_flip(f.spoolfd, name, (uint64_t)at);
	fixture_open(&f);
	assert_int_equal(f.nseen, 5);
	assert_int_equal(store_counts(f.store)->damaged, 0);
	buf_init(&content, 1000);
	for (size_t i = 0; i < f.nseen; i++)
		assert_int_equal(store_read_content(f.store, f.seen[i], &content), 0);
	at = (off_t)store_content_offset(f.seen[0]);
	spool_files_flip(f.spoolfd, name, (uint64_t)at);
	assert_int_equal(store_read_content(f.store, f.seen[0], &content), -1);
	assert_int_equal(store_read_content(f.store, f.seen[1], &content), 0);
	assert_int_equal(store_counts(f.store)->damaged, 1);
	assert_int_equal(spool_files_count(f.spoolfd, "corrupt"), 2);
	buf_release(&content);
	fixture_release(&f);
}

/* The rest of a log is cut at every length: a start is never refused, and no message is lost. */
static void
test_journal_cut_anywhere(void **state)
{
	struct verdict ok = fixture_verdict(VERDICT_OK, "2.0.0", "done");
	char log[] = "journal/0000000002.log";
	struct fixture f;

	(void)state;
	for (off_t cut = 0; cut < 400; cut += 7) {
		fixture_init(&f);
		fixture_reopen(&f);
		fixture_add_writer(&f);
		fixture_send(&f, "one\n");
		fixture_send(&f, "two\n");
		store_deliver(f.store, message_recipient(f.seen[0], 0), &ok);
		fixture_close(&f);
		spool_files_cut(f.spoolfd, log, cut);
		fixture_open(&f);
		assert_true(f.nseen == 1 || f.nseen == 2);
		fixture_release(&f);
	}
}

/* A segment with a new life: what it held before does not come back. */
static void
test_recycled_segment_forgets(void **state)
{
	struct verdict ok = fixture_verdict(VERDICT_OK, "2.0.0", "done");
	struct fixture f;
	uint64_t number, generation;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	for (int i = 0; i < 10; i++)
		fixture_send(&f, "old\n");
	number = f.seen[0]->segment->number;
	generation = f.seen[0]->segment->generation;
	while (f.nseen > 0) {
		store_deliver(f.store, message_recipient(f.seen[0], 0), &ok);
		fixture_turn(&f, 1);
	}
	spool_writer_stop(f.writer);
	fixture_turn(&f, 60);
	spool_writer_free(&f.writer);
	for (int i = 0; i < 4; i++) {
		struct spool_segment *s;

		fixture_add_writer(&f);
		fixture_send(&f, "new\n");
		s = segment_pool_find(store_pool(f.store), number, false);
		if (s != NULL && s->generation > generation && s->live > 0)
			break;
		spool_writer_stop(f.writer);
		fixture_turn(&f, 30);
		spool_writer_free(&f.writer);
	}
	assert_true(
	    segment_pool_find(store_pool(f.store), number, false)->generation > generation);
	{
		size_t n = f.nseen;

		fixture_reopen(&f);
		assert_int_equal(f.nseen, n);
	}
	fixture_release(&f);
}

static void
test_large_file_without_record_is_removed(void **state)
{
	struct fixture f;
	struct spool_segment *s;
	int fd;

	(void)state;
	fixture_init(&f);
	s = segment_pool_create_large(store_pool(f.store), 77, 1000000, &f, &fd);
	assert_non_null(s);
	assert_int_equal(pwrite(fd, "half", 4, 5000), 4);
	close(fd);
	fixture_reopen(&f);
	fixture_turn(&f, 60);
	assert_int_equal(f.nseen, 0);
	assert_int_equal(spool_files_count(f.spoolfd, "large"), 0);
	fixture_release(&f);
}

static void
test_large_message(void **state)
{
	static const char *const rcpt[] = {"bob@d.test"};
	struct spool_large *l;
	struct spool_segment *s;
	struct fixture f;
	struct buf e;
	int fd;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	fixture_envelope(&e, "a@d.test", rcpt, 1, "");
	s = segment_pool_create_large(store_pool(f.store), 4711, 0, &f, &fd);
	assert_non_null(s);
	l = spool_large_new(
	    f.writer, fd, 4711, s->generation, store_instance(f.store), 5000, buf_span(&e));
	for (int i = 0; i < 1000; i++)
		assert_int_equal(spool_large_append(l, span_str("0123456789\n")), 0);
	spool_large_commit(&l, fixture_on_done, &f);
	fixture_until(&f, fixture_idle);
	assert_int_equal(f.acked, 1);
	fixture_reopen(&f);
	assert_int_equal(f.nseen, 1);
	assert_true(f.seen[0]->number == 4711);
	assert_int_equal(f.seen[0]->content_len, 11000);
	buf_release(&e);
	fixture_release(&f);
}

/* A living writer's segment is left to it; when the writer is gone the segment is taken in. */
static void
test_living_writer_keeps_its_segment(void **state)
{
	struct spool_writer *writer;
	struct fixture f;
	struct spool_segment *s;
	uint64_t number;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	fixture_send(&f, "x\n");
	number = f.seen[0]->segment->number;
	writer = f.writer;
	f.writer = NULL; /* lives on while the queue manager starts anew */
	store_close(&f.store);
	fixture_open(&f);
	assert_int_equal(f.nseen, 1);
	s = segment_pool_find(store_pool(f.store), number, false);
	assert_int_equal(s->state, SEGMENT_ORPHAN);
	spool_writer_free(&writer);
	store_poll_orphans(f.store);
	fixture_turn(&f, 60);
	assert_int_equal(s->state, SEGMENT_SEALED);
	fixture_release(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_recovers_what_was_journaled),
	    cmocka_unit_test(test_journal_keeps_all_of_a_message),
	    cmocka_unit_test(test_recovers_what_was_never_noticed),
	    cmocka_unit_test(test_delivered_stays_delivered),
	    cmocka_unit_test(test_deferral_keeps_its_time_and_reason),
	    cmocka_unit_test(test_expansion_survives),
	    cmocka_unit_test(test_report_in_spool_settles_failure),
	    cmocka_unit_test(test_report_of_a_stranger_is_not_believed),
	    cmocka_unit_test(test_unfinished_files_are_removed),
	    cmocka_unit_test(test_damage_hurts_one_message_only),
	    cmocka_unit_test(test_journal_cut_anywhere),
	    cmocka_unit_test(test_recycled_segment_forgets),
	    cmocka_unit_test(test_large_file_without_record_is_removed),
	    cmocka_unit_test(test_large_message),
	    cmocka_unit_test(test_living_writer_keeps_its_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
