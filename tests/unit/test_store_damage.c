/*
 * The store on what bit rot, a lost file or a disk that takes no checkpoint left of the journal (doc/SPOOL.md, "What
 * damage leaves"): no intact message is lost, whatever else is gone, and a start is never refused. What is left of
 * segments: test_store_segments.c.
 */
#include "tests/unit/store_history.h"

/*
 * Log 1 is outgrown and log 2 begun, the checkpoint between them does not succeed; then log 1 rots, at any of its
 * octets. What log 2 says of a segment's position does not hide the messages that only the rotten part of log 1 knew.
 */
static void
test_damaged_log_hides_no_message(void **state)
{
	struct fixture f;
	uint64_t n[6];
	struct stat st;

	(void)state;
	fixture_init(&f);
	block_checkpoint(&f, 2, true);
	fixture_add_writer(&f);
	for (int i = 0; i < 3; i++) {
		n[i] = fixture_send(&f, "one of log 1\n");
		store_flush(f.store);
	}
	deliver(&f, n[0]);
	journal_set_checkpoint_minimum(f.store->journal, 1);
	n[3] = fixture_send(&f, "the last of log 1\n");
	store_flush(f.store);
	fixture_turn(&f, 50);
	journal_set_checkpoint_minimum(f.store->journal, 1 << 30);
	n[4] = fixture_send(&f, "one of log 2\n");
	n[5] = fixture_send(&f, "another of log 2\n");
	store_flush(f.store);
	fixture_close(&f);
	block_checkpoint(&f, 2, false);
	assert_int_equal(fstatat(f.spoolfd, "journal/0000000002.log", &st, 0), 0);
	assert_int_equal(fstatat(f.spoolfd, "journal/0000000001.log", &st, 0), 0);
	copy_journal(&f, "journal", "kept");
	for (off_t at = 0; at < 700; at += 29) {
		spool_files_flip(f.spoolfd, "journal/0000000001.log", (uint64_t)at);
		fixture_open(&f);
		for (int i = 1; i < 6; i++)
			if (!knows(&f, n[i]))
				fail_msg("message %d is lost by a bit at %d", i, (int)at);
		fixture_close(&f);
		spool_files_remove(f.spoolfd, "journal", NULL);
		spool_files_remove(f.spoolfd, "corrupt", NULL);
		copy_journal(&f, "kept", "journal");
	}
	fixture_open(&f);
	fixture_release(&f);
}

/* The name of the newest checkpoint. */
static const char *
newest_checkpoint(struct fixture *f, char out[64])
{
	for (unsigned i = 100; i > 0; i--) {
		snprintf(out, 64, "journal/%010u.ckpt", i);
		if (faccessat(f->spoolfd, out, F_OK, 0) == 0)
			return out;
	}
	fail_msg("no checkpoint");
	return NULL;
}

/* CE-11: the newest checkpoint deleted, or corrupt at any place: the one before it and the logs since give the same. */
static void
test_lost_checkpoint_gives_the_same(void **state)
{
	struct fixture f;
	char name[64];
	uint64_t n[4];
	struct stat st;

	(void)state;
	make_history(&f, n);
	fixture_close(&f);
	assert_int_equal(unlinkat(f.spoolfd, newest_checkpoint(&f, name), 0), 0);
	fixture_open(&f);
	check_history(&f, n);
	fixture_close(&f);
	assert_int_equal(fstatat(f.spoolfd, newest_checkpoint(&f, name), &st, 0), 0);
	for (off_t at = 0; at < st.st_size; at += 41) {
		spool_files_flip(f.spoolfd, newest_checkpoint(&f, name), (uint64_t)at);
		fixture_open(&f);
		check_history(&f, n);
		fixture_reopen(&f);
		check_history(&f, n);
		fixture_close(&f);
	}
	fixture_open(&f);
	fixture_release(&f);
}

/* CE-11: nothing of the journal but its last log is left, or nothing at all: every message is found in its segment. */
static void
test_without_checkpoints_the_segments_tell(void **state)
{
	struct fixture f;
	uint64_t n[4], later;

	(void)state;
	for (int logs_too = 0; logs_too < 2; logs_too++) {
		make_history(&f, n);
		fixture_add_writer(&f);
		later = fixture_send(&f, "later\n");
		fixture_close(&f);
		spool_files_remove(f.spoolfd, "journal", ".ckpt");
		if (logs_too != 0)
			spool_files_remove(f.spoolfd, "journal", ".log");
		fixture_open(&f);
		for (int i = 1; i < 4; i++)
			assert_true(knows(&f, n[i]));
		assert_true(knows(&f, later));
		assert_int_equal(store_counts(f.store)->damaged, 0);
		/* What comes now does not take the numbers of what is there. */
		fixture_add_writer(&f);
		(void)fixture_send(&f, "new\n");
		assert_true(f.nseen >= 5);
		fixture_reopen(&f);
		for (int i = 1; i < 4; i++)
			assert_true(knows(&f, n[i]));
		fixture_release(&f);
	}
}

/* A log in the middle is gone: what the later ones say of positions is not believed. */
static void
test_missing_log_hides_no_message(void **state)
{
	struct fixture f;
	uint64_t n[3];

	(void)state;
	fixture_init(&f);
	for (unsigned i = 2; i < 9; i++)
		block_checkpoint(&f, i, true);
	fixture_add_writer(&f);
	journal_set_checkpoint_minimum(f.store->journal, 1);
	for (int i = 0; i < 3; i++) {
		n[i] = fixture_send(&f, "each in a log of its own\n");
		store_flush(f.store);
		fixture_turn(&f, 50);
	}
	fixture_close(&f);
	for (unsigned i = 2; i < 9; i++)
		block_checkpoint(&f, i, false);
	assert_int_equal(faccessat(f.spoolfd, "journal/0000000003.log", F_OK, 0), 0);
	assert_int_equal(unlinkat(f.spoolfd, "journal/0000000002.log", 0), 0);
	fixture_open(&f);
	for (int i = 0; i < 3; i++)
		assert_true(knows(&f, n[i]));
	fixture_release(&f);
}

/*
 * What a scan found at a start whose checkpoint could not be written stays known, though later records
 * say that its segment is accounted for beyond it.
 */
static void
test_found_without_checkpoint_is_not_forgotten(void **state)
{
	struct spool_writer *writer;
	struct fixture f;
	struct spool_segment *s;
	struct store *kept;
	uint64_t unheard, number, later;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	number = fixture_send(&f, "x\n");
	number = store_find(f.store, number)->segment->number;
	kept = f.store;
	f.store = NULL; /* the next is durable, and the queue manager does not hear of it */
	unheard = fixture_send(&f, "durable, and never noticed\n");
	f.store = kept;
	writer = f.writer;
	f.writer = NULL;
	store_close(&f.store);
	block_checkpoint(&f, 2, true);
	block_checkpoint(&f, 3, true);
	fixture_open(&f);
	assert_true(knows(&f, unheard));
	s = segment_pool_find(store_pool(f.store), number, false);
	assert_int_equal(s->state, SEGMENT_ORPHAN);
	s->state = SEGMENT_OWNED; /* its writer claims it and goes on */
	f.writer = writer;
	later = fixture_send(&f, "after the start\n");
	assert_true(knows(&f, later));
	store_flush(f.store);
	fixture_close(&f);
	fixture_open(&f);
	assert_true(knows(&f, later));
	assert_true(knows(&f, unheard));
	fixture_close(&f);
	block_checkpoint(&f, 2, false);
	block_checkpoint(&f, 3, false);
	fixture_open(&f);
	fixture_release(&f);
}

/* The file that says which spool this is: gone, cut or overwritten. The segments say it as well. */
static void
test_instance_is_found_again(void **state)
{
	static const char *const wrong[] = {
	    NULL, "", "0123\n", "0000000000000000\n", "g123456789abcdef\n"};
	struct fixture f;
	uint64_t n[4], instance;

	(void)state;
	make_history(&f, n);
	instance = store_instance(f.store);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		int fd;

		fixture_close(&f);
		assert_int_equal(unlinkat(f.spoolfd, "journal/instance", 0), 0);
		if (wrong[i] != NULL) {
			fd = openat(f.spoolfd, "journal/instance", O_CREAT | O_WRONLY, 0600);
			assert_int_equal(
			    write(fd, wrong[i], strlen(wrong[i])), (ssize_t)strlen(wrong[i]));
			close(fd);
		}
		fixture_open(&f);
		assert_true(store_instance(f.store) == instance);
		check_history(&f, n);
	}
	fixture_release(&f);
}

/* Puts the beginning of a write behind the last log, as a crash leaves it. */
static void
tear_last_log(struct fixture *f)
{
	char name[64], last[64] = "", octets[20];
	struct stat st;
	off_t end;
	int fd;

	for (unsigned i = 1; i < 100; i++) {
		snprintf(name, sizeof name, "journal/%010u.log", i);
		if (fstatat(f->spoolfd, name, &st, 0) == 0)
			memcpy(last, name, sizeof last);
	}
	fd = openat(f->spoolfd, last, O_RDWR);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	memset(octets, 'x', sizeof octets);
	for (end = st.st_size; end > 0; end--) {
		char c;

		assert_int_equal(pread(fd, &c, 1, end - 1), 1);
		if (c != '\0')
			break;
	}
	assert_int_equal(pwrite(fd, octets, sizeof octets, end), sizeof octets);
	close(fd);
}

/*
 * A crash in the middle of a write, and another one before the checkpoint of the start after it: nothing was lost, so
 * what was settled long ago does not come back.
 */
static void
test_crash_after_torn_write(void **state)
{
	struct fixture f;
	uint64_t settled, waiting;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	settled = fixture_send(&f, "delivered\n");
	waiting = fixture_send(&f, "keeps the segment\n");
	deliver(&f, settled);
	for (int i = 0; i < 3; i++)
		fixture_reopen(&f);
	assert_false(knows(&f, settled));
	fixture_close(&f);
	tear_last_log(&f);
	for (unsigned i = 2; i < 20; i++)
		block_checkpoint(&f, i, true);
	fixture_open(&f);
	assert_false(knows(&f, settled));
	assert_true(knows(&f, waiting));
	fixture_close(&f);
	for (unsigned i = 2; i < 20; i++)
		block_checkpoint(&f, i, false);
	fixture_open(&f);
	assert_true(knows(&f, waiting));
	assert_false(knows(&f, settled));
	fixture_release(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_damaged_log_hides_no_message),
	    cmocka_unit_test(test_lost_checkpoint_gives_the_same),
	    cmocka_unit_test(test_without_checkpoints_the_segments_tell),
	    cmocka_unit_test(test_missing_log_hides_no_message),
	    cmocka_unit_test(test_found_without_checkpoint_is_not_forgotten),
	    cmocka_unit_test(test_instance_is_found_again),
	    cmocka_unit_test(test_crash_after_torn_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
