/*
 * Moving messages, step by step: whatever becomes of a message while its copy is
 * being written, and what recovery makes of copies with and without the journal's
 * word for them (doc/SPOOL.md, "Compaction"; CE-01 to CE-05).
 */
#include "tests/unit/compact_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "common/log.h"

static const struct verdict later = {
    .kind = VERDICT_TEMPORARY, .status = "4.2.0", .text = "later"};

static bool
own_is_ready(struct fixture *f)
{
	return segment_pool_own_ready(store_pool(f->store));
}

/* A spool with n messages, deferred, in a sealed segment of smtpd's. */
static struct compact *
begin(unsigned n)
{
	struct compact *c = compact_new(n);

	for (unsigned i = 0; i < n; i++)
		(void)compact_send(c, 3000 + 100 * i);
	fixture_until(&c->f, fixture_idle);
	for (unsigned i = 0; i < n; i++)
		compact_defer(c, store_find(c->f.store, c->sent[i]));
	spool_writer_stop(c->f.writer);
	c->own = own_writer_new(c->f.base, c->f.store);
	fixture_until(&c->f, own_is_ready);
	fixture_turn(&c->f, 30);
	return c;
}

/* Hands a copy of message i to the queue manager's own writer, or to another. */
static void
copy_to(struct compact *c, unsigned i, struct spool_writer *w, char first)
{
	struct message *m = store_find(c->f.store, c->sent[i]);
	struct buf envelope, content;

	buf_init(&envelope, 65536);
	buf_init(&content, 65536);
	assert_int_equal(store_read_envelope(c->f.store, m, &envelope), 0);
	assert_int_equal(store_read_content(c->f.store, m, &content), 0);
	content.p[0] = first;
	spool_writer_copy(w, m->number, m->received, buf_span(&envelope), buf_span(&content),
	    fixture_on_done, &c->f);
	buf_release(&envelope);
	buf_release(&content);
}

static void
copy(struct compact *c, unsigned i)
{
	copy_to(c, i, own_writer_for_copies(c->own, 65536), 'S');
}

static unsigned answers; /* that fixture_answered waits for */

static bool
fixture_answered(struct fixture *f)
{
	return f->acked + f->refused >= answers;
}

/* Until that many copies are on disk, or the last failed. */
static void
wait_for_copies(struct compact *c, unsigned n)
{
	answers = c->f.acked + c->f.refused + n;
	fixture_until(&c->f, fixture_answered);
}

/* The journal is on disk; what became unneeded by it is let go. */
static void
flush(struct compact *c)
{
	store_flush(c->f.store);
	fixture_turn(&c->f, 5);
}

static void
test_moved_when_durable(void **state)
{
	struct compact *c = begin(3);
	struct spool_segment *old = store_find(c->f.store, c->sent[0])->segment;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		copy(c, i);
	assert_int_equal(old->live, 3); /* nothing has happened yet */
	wait_for_copies(c, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(store_find(c->f.store, c->sent[i])->segment->own);
	assert_int_equal(old->live, 0);
	assert_int_equal(old->live_octets, 0);
	/* V is not on disk, whatever else is. */
	segment_pool_on_durable(store_pool(c->f.store), journal_durable(c->f.store->journal));
	assert_int_equal(old->state, SEGMENT_SEALED);
	flush(c);
	assert_true(old->state != SEGMENT_SEALED);
	compact_check_contents(c);
	compact_restart(c);
	compact_restart(c);
	compact_free(c);
}

/* What the message was when it was copied is not what it is when the copy is durable. */
static void
test_whatever_happens_meanwhile(void **state)
{
	struct compact *c = begin(6);
	struct message *m[6];

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		m[i] = store_find(c->f.store, c->sent[i]);
		copy(c, i);
	}
	compact_deliver(c, m[0]);
	store_remove(c->f.store, message_recipient(m[1], 0));
	store_defer(c->f.store, message_recipient(m[2], 0), &later, 4711);
	recipient_set_state(message_recipient(m[3], 0), RECIPIENT_ACTIVE);
	store_fail(c->f.store, message_recipient(m[4], 0), &later);
	(void)store_expand(c->f.store, message_recipient(m[5], 0),
	    &(struct message_target){RECIPIENT_REMOTE, span_str("x@y.test")}, 1);
	wait_for_copies(c, 6);
	assert_int_equal(store_counts(c->f.store)->moved, 4);
	assert_int_equal(compact_count(c), 4);
	for (unsigned i = 2; i < 6; i++)
		assert_true(m[i]->segment->own);
	compact_restart(c);
	for (unsigned i = 2; i < 6; i++)
		m[i] = store_find(c->f.store, c->sent[i]);
	assert_int_equal(message_recipient(m[2], 0)->next, 4711);
	assert_int_equal(message_recipient(m[3], 0)->state, RECIPIENT_DEFERRED);
	assert_int_equal(message_recipient(m[4], 0)->state, RECIPIENT_FAILED);
	assert_string_equal(message_recipient(m[5], 1)->address, "x@y.test");
	compact_free(c);
}

/* The last that was written is the copy of a message that was settled meanwhile: a scan finds it, and passes it over. */
static void
test_a_dead_copy_stays_dead(void **state)
{
	struct compact *c = begin(2);

	(void)state;
	copy(c, 0);
	compact_deliver(c, store_find(c->f.store, c->sent[0]));
	wait_for_copies(c, 1);
	assert_int_equal(store_counts(c->f.store)->moved, 0);
	for (unsigned i = 0; i < 3; i++) {
		compact_restart(c);
		assert_int_equal(compact_count(c), 1);
	}
	compact_free(c);
}

/* CE-05: settled after it was moved: neither the old place nor the new one brings it back, ever. */
static void
test_settled_after_the_move(void **state)
{
	struct compact *c = begin(4);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		copy(c, i);
	wait_for_copies(c, 4);
	compact_deliver(c, store_find(c->f.store, c->sent[0]));
	compact_deliver(c, store_find(c->f.store, c->sent[2]));
	for (unsigned i = 0; i < 3; i++) {
		compact_restart(
		    c); /* from the log, and from checkpoints that know nothing of it */
		assert_int_equal(compact_count(c), 2);
		assert_null(store_find(c->f.store, c->sent[0]));
	}
	compact_free(c);
}

/* Moved on and on: the place that counts is the last. */
static void
test_moved_several_times(void **state)
{
	struct compact *c = begin(3);

	(void)state;
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 3; i++)
			copy(c, i);
		wait_for_copies(c, 3);
		if (round % 2 == 1) {
			compact_restart(c);
			c->own = own_writer_new(c->f.base, c->f.store);
			fixture_until(&c->f, own_is_ready);
		}
		compact_check_contents(c);
	}
	compact_free(c);
}

/* A copy that is not, octet for octet, what it should be; and one where only smtpd writes. */
static void
test_no_place_but_a_good_copy_of_our_own(void **state)
{
	struct compact *c = begin(2);
	struct spool_segment *old = store_find(c->f.store, c->sent[0])->segment;

	(void)state;
	copy_to(c, 0, own_writer_for_copies(c->own, 65536), 'X');
	wait_for_copies(c, 1);
	spool_writer_free(&c->f.writer);
	fixture_add_writer(&c->f);
	copy_to(c, 1, c->f.writer, 'S');
	wait_for_copies(c, 1);
	assert_int_equal(store_counts(c->f.store)->moved, 0);
	assert_int_equal(old->live, 2);
	compact_check_contents(c);
	compact_restart(c);
	compact_free(c);
}

/* The disk did not keep what it was given: found when it is read back, before the old place is given up. */
static void
on_durable_but_wrong(uint64_t number, uint64_t generation, uint64_t offset, void *arg)
{
	struct compact *c = arg;
	struct spool_segment *s = segment_pool_find(store_pool(c->f.store), number, false);
	char name[SPOOL_NAME_SIZE], path[64];
	int fd;

	(void)generation;
	snprintf(path, sizeof path, "segments/%s", spool_segment_name(number, false, name));
	fd = openat(c->f.spoolfd, path, O_WRONLY);
	assert_true(pwrite(fd, "?", 1, SPOOL_PAGE + 2000) == 1);
	close(fd);
	assert_int_equal(store_intake(c->f.store, s, offset), 0);
}

static void
test_read_back_before_it_counts(void **state)
{
	static const struct spool_writer_ops ops = {
	    .on_durable = on_durable_but_wrong, .on_sealed = fixture_on_sealed};
	struct compact *c = begin(2);
	struct spool_writer *w = spool_writer_new(c->f.base, &ops, c);
	struct spool_segment *s, *old = store_find(c->f.store, c->sent[0])->segment;
	int fd;

	(void)state;
	own_writer_free(&c->own);
	s = segment_pool_take_own(store_pool(c->f.store), c, &fd);
	spool_writer_add_segment(
	    w, s->number, s->generation, store_instance(c->f.store), s->size, s->accounted, fd);
	copy_to(c, 0, w, 'S');
	copy_to(c, 1, w, 'S');
	wait_for_copies(c, 2);
	assert_int_equal(store_counts(c->f.store)->moved, 1);
	assert_ptr_equal(store_find(c->f.store, c->sent[0])->segment, old);
	assert_ptr_equal(store_find(c->f.store, c->sent[1])->segment, s);
	compact_check_contents(c);
	spool_writer_free(&w);
	compact_free(c);
}

static void
remove_files(struct compact *c, const char *dir, const char *suffix)
{
	DIR *d = fdopendir(openat(c->f.spoolfd, dir, O_RDONLY | O_DIRECTORY));
	struct dirent *e;

	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && strstr(e->d_name, suffix) != NULL)
			assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
	closedir(d);
}

/* The journal is gone, and with it what says where messages stand: copies are messages then. */
static void
test_copies_count_without_the_journal(void **state)
{
	struct compact *c = begin(5);
	struct spool_segment *old = store_find(c->f.store, c->sent[0])->segment;
	char name[SPOOL_NAME_SIZE], path[64];

	(void)state;
	snprintf(
	    path, sizeof path, "segments/%s", spool_segment_name(old->number, false, name));
	for (unsigned i = 0; i < 5; i++)
		copy(c, i);
	wait_for_copies(c, 5);
	flush(c);
	compact_stop(c);
	fixture_close(&c->f);
	remove_files(c, "journal", ".log");
	remove_files(c, "journal", ".ckpt");
	/* Its first life is over: it may have been removed, or hold anything. */
	(void)unlinkat(c->f.spoolfd, path, 0);
	fixture_open(&c->f);
	assert_int_equal(c->f.nseen, 5);
	compact_check_contents(c);
	compact_restart(c);
	compact_free(c);
}

/* While the old place is still there, too, it is one message all the same (CE-04). */
static void
test_two_places_are_one_message(void **state)
{
	struct compact *c = begin(5);
	struct spool_segment *old = store_find(c->f.store, c->sent[0])->segment;

	(void)state;
	old->damaged = false;
	segment_pool_more(old, 0); /* something keeps it */
	for (unsigned i = 0; i < 5; i++)
		copy(c, i);
	wait_for_copies(c, 5);
	flush(c);
	compact_stop(c);
	fixture_close(&c->f);
	remove_files(c, "journal", ".log");
	remove_files(c, "journal", ".ckpt");
	fixture_open(&c->f);
	assert_int_equal(c->f.nseen, 5);
	compact_check_contents(c);
	compact_restart(c);
	compact_free(c);
}

/* The journal knows of the message, but not that it was moved: the end of the log was lost after the old place was given away. */
static void
test_found_where_the_journal_does_not_know(void **state)
{
	struct compact *c = begin(3);
	struct spool_segment *old = store_find(c->f.store, c->sent[0])->segment;
	char name[SPOOL_NAME_SIZE], path[64], aside[2][64];

	(void)state;
	snprintf(
	    path, sizeof path, "segments/%s", spool_segment_name(old->number, false, name));
	/* The checkpoint of a restart, kept to be put back. */
	compact_restart(c);
	compact_stop(c);
	fixture_close(&c->f);
	snprintf(aside[0], sizeof aside[0], "%s/journal", c->f.path);
	snprintf(aside[1], sizeof aside[1], "%s/kept", c->f.path);
	assert_int_equal(rename(aside[0], aside[1]), 0);
	assert_int_equal(mkdir(aside[0], 0700), 0);
	{
		char command[256];

		snprintf(command, sizeof command, "cp -p %s/* %s/", aside[1], aside[0]);
		assert_int_equal(system(command), 0);
	}
	fixture_open(&c->f);
	c->own = own_writer_new(c->f.base, c->f.store);
	fixture_until(&c->f, own_is_ready);
	for (unsigned i = 0; i < 3; i++)
		copy(c, i);
	wait_for_copies(c, 3);
	flush(c);
	compact_stop(c);
	fixture_close(&c->f);
	(void)unlinkat(c->f.spoolfd, path, 0);
	remove_files(c, "journal", "");
	assert_int_equal(rmdir(aside[0]), 0);
	assert_int_equal(rename(aside[1], aside[0]), 0);
	fixture_open(&c->f);
	assert_int_equal(c->f.nseen, 3);
	assert_int_equal(message_recipient(c->f.seen[0], 0)->attempts, 1);
	compact_check_contents(c);
	compact_restart(c);
	compact_free(c);
}

/* A process forked from the queue manager outlives it and holds the segment: it is taken in when that is gone. */
static void
test_own_segment_held_by_a_child(void **state)
{
	struct compact *c = begin(4);
	struct spool_segment *s = NULL;
	bool orphan = false;
	int ends[2];
	pid_t child;
	char byte;

	(void)state;
	copy(c, 0);
	copy(c, 1);
	wait_for_copies(c, 2);
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
	}
	compact_restart(c);
	while ((s = segment_pool_next(store_pool(c->f.store), s)) != NULL)
		orphan |= s->own && s->state == SEGMENT_ORPHAN;
	assert_true(orphan);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	store_poll_orphans(c->f.store);
	fixture_turn(&c->f, 60);
	while ((s = segment_pool_next(store_pool(c->f.store), s)) != NULL)
		assert_true(s->state != SEGMENT_ORPHAN);
	assert_int_equal(compact_count(c), 4);
	compact_check_contents(c);
	compact_restart(c);
	compact_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_moved_when_durable),
	    cmocka_unit_test(test_whatever_happens_meanwhile),
	    cmocka_unit_test(test_a_dead_copy_stays_dead),
	    cmocka_unit_test(test_settled_after_the_move),
	    cmocka_unit_test(test_moved_several_times),
	    cmocka_unit_test(test_no_place_but_a_good_copy_of_our_own),
	    cmocka_unit_test(test_read_back_before_it_counts),
	    cmocka_unit_test(test_copies_count_without_the_journal),
	    cmocka_unit_test(test_two_places_are_one_message),
	    cmocka_unit_test(test_found_where_the_journal_does_not_know),
	    cmocka_unit_test(test_own_segment_held_by_a_child),
	};

	log_init("test", LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
