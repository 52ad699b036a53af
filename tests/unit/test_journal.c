/* The journal: what is replayed after a stop, a cut, a flipped bit, and a checkpoint. */
#include "tests/unit/journal_fixture.h"

#include <sys/file.h>

#define FIRST 15 /* octets of the first record of log 1: "LOG 1 0" */

static void
test_replays_in_full(void **state)
{
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	log_add(&l, 1, 1000);
	log_reopen(&l);
	assert_int_equal(l.replayed, 1000);
	assert_int_equal(l.sum, 500500);
	log_release(&l);
}

static void
test_flushes_by_itself(void **state)
{
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	log_add(&l, 1, 10);
	log_await_flush(&l);
	log_release(&l);
}

static void
test_checkpoint_replaces_logs(void **state)
{
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	log_add(&l, 1, 100);
	log_reopen(&l);
	assert_int_equal(journal_settle(l.journal), 0);
	log_add(&l, 1, 10);
	log_reopen(&l);
	assert_int_equal(l.replayed, 11);
	assert_int_equal(l.sum, 5050 + 55);
	log_release(&l);
}

/* The last checkpoint but one stays, with its log; what is older goes. */
static void
test_one_checkpoint_in_reserve(void **state)
{
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	for (unsigned i = 1; i <= 4; i++) {
		assert_int_equal(journal_settle(l.journal), 0);
		log_add(&l, i, i);
		log_reopen(&l);
		assert_int_equal(l.sum, i * (i + 1) / 2);
	}
	assert_int_equal(faccessat(l.dirfd, "0000000002.log", F_OK, 0), -1);
	assert_int_equal(faccessat(l.dirfd, "0000000002.ckpt", F_OK, 0), -1);
	assert_int_equal(faccessat(l.dirfd, "0000000003.log", F_OK, 0), 0);
	journal_close(&l.journal);
	assert_int_equal(unlinkat(l.dirfd, "0000000004.ckpt", 0), 0);
	log_open(&l);
	assert_int_equal(l.sum, 10);
	assert_true(journal_is_whole(l.journal));
	log_release(&l);
}

/* CE-11: without any checkpoint, or with a log gone from the middle, it says that it does not know everything. */
static void
test_gaps_are_noticed(void **state)
{
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	for (unsigned i = 1; i <= 3; i++) {
		log_add(&l, i, i);
		log_reopen(&l);
		assert_true(journal_is_whole(l.journal));
	}
	assert_int_equal(journal_settle(l.journal), 0);
	journal_close(&l.journal);
	assert_int_equal(unlinkat(l.dirfd, "0000000004.ckpt", 0), 0);
	assert_int_equal(unlinkat(l.dirfd, "0000000002.log", 0), 0);
	log_open(&l);
	assert_false(journal_is_whole(l.journal));
	assert_int_equal(l.sum, 4);
	assert_int_equal(journal_settle(l.journal), 0);
	log_reopen(&l);
	assert_true(journal_is_whole(l.journal));
	journal_close(&l.journal);
	assert_int_equal(unlinkat(l.dirfd, "0000000005.log", 0), 0);
	log_open(&l);
	assert_false(journal_is_whole(l.journal));
	log_release(&l);
}

/* Without its END a checkpoint does not count, and the one before it does. */
static void
test_unfinished_checkpoint_is_not_used(void **state)
{
	struct log_fixture l;
	struct stat st;
	int fd;

	(void)state;
	log_init_dir(&l);
	log_add(&l, 1, 100);
	log_reopen(&l);
	fd = openat(l.dirfd, "0000000002.ckpt", O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "\0\0\0\1xxxx1", 9), 9);
	close(fd);
	log_reopen(&l);
	assert_int_equal(l.sum, 5050);
	assert_int_equal(fstatat(l.dirfd, "0000000002.ckpt", &st, 0), -1);
	log_release(&l);
}

static void
damage(struct log_fixture *l, const char *name, off_t at)
{
	int fd = openat(l->dirfd, name, O_RDWR);
	char c;

	assert_int_equal(pread(fd, &c, 1, at), 1);
	c = (char)(c ^ 1);
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

/* A damaged record takes what was flushed with it along; what was flushed later is used, and the log kept for people. */
static void
test_damaged_middle_is_set_aside(void **state)
{
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	log_add(&l, 1, 5); /* nine octets each, and nine in front of each flush */
	log_await_flush(&l);
	log_add(&l, 6, 9);
	journal_close(&l.journal);
	damage(&l, "0000000001.log", FIRST + 5 * 9 + 8);
	log_open(&l);
	assert_int_equal(l.replayed, 8);
	assert_int_equal(l.sum, 45 - 5);
	assert_false(journal_is_whole(l.journal));
	assert_int_not_equal(unlinkat(l.dirfd, "corrupt", AT_REMOVEDIR), 0); /* not empty */
	log_release(&l);
}

static void
test_damaged_last_record_is_a_cut(void **state)
{
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	log_add(&l, 1, 9);
	journal_close(&l.journal);
	damage(&l, "0000000001.log", FIRST + 9 * 9 + 8);
	log_open(&l);
	assert_int_equal(l.replayed, 8);
	close(l.corruptfd);
	assert_int_equal(unlinkat(l.dirfd, "corrupt", AT_REMOVEDIR), 0); /* empty */
	l.corruptfd = dup(l.dirfd);
	log_release(&l);
}

/* The pages of one write reach the disk in any order: a gap in the last is a cut, whatever follows it. */
static void
test_gap_in_the_last_write_is_a_cut(void **state)
{
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	log_add(&l, 1, 3);
	log_await_flush(&l);
	log_add(&l, 4, 9);
	journal_close(&l.journal);
	damage(&l, "0000000001.log", FIRST + 6 * 9 + 8);
	log_open(&l);
	assert_int_equal(l.replayed, 4);
	close(l.corruptfd);
	assert_int_equal(unlinkat(l.dirfd, "corrupt", AT_REMOVEDIR), 0); /* empty */
	l.corruptfd = dup(l.dirfd);
	log_release(&l);
}

static void
test_other_instance_is_not_understood(void **state)
{
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	log_add(&l, 1, 9);
	journal_close(&l.journal);
	l.sum = l.replayed = 0;
	l.journal =
	    journal_open(l.base, l.dirfd, l.corruptfd, INSTANCE + 1, log_replay, &log_ops, &l);
	assert_non_null(l.journal);
	assert_int_equal(l.replayed, 0);
	log_release(&l);
}

/*
 * A write that the disk takes in part, and a log behind it: nothing is missing, though the end of the first is not whole.
 * Nor is it after a start that comes to no checkpoint, and another one.
 */
static void
test_log_behind_a_failed_write(void **state)
{
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	log_add(&l, 1, 9);
	log_await_flush(&l);
	log_limit_files(FIRST + 10 * 9 + 14); /* amid its first record */
	log_add(&l, 10, 30);
	for (int i = 0; i < 2000 && journal_healthy(l.journal); i++) {
		event_base_loop(l.base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	assert_false(journal_healthy(l.journal));
	log_limit_files(RLIM_INFINITY);
	log_await_flush(&l);
	for (int again = 0; again < 3; again++) {
		log_add(&l, 31, 40);
		log_reopen(&l);
		assert_true(journal_is_whole(l.journal));
		assert_int_equal(l.sum, 30 * 31 / 2 + (again + 1) * 355);
	}
	log_release(&l);
}

static void
cut(struct log_fixture *l, const char *name, off_t size)
{
	int fd = openat(l->dirfd, name, O_WRONLY);

	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

/* The next log knows how far one was on disk: if its end is gone since it says so, at every start until there is a checkpoint. */
static void
test_lost_end_of_a_log(void **state)
{
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	log_add(&l, 1, 9);
	log_reopen(&l);
	log_add(&l, 10, 12);
	log_reopen(&l);
	assert_true(journal_is_whole(l.journal));
	journal_close(&l.journal);
	cut(&l, "0000000001.log", FIRST + 9 * 9);
	for (int again = 0; again < 2; again++) {
		log_open(&l);
		assert_int_equal(l.sum, 12 * 13 / 2 - 9);
		assert_false(journal_is_whole(l.journal));
		journal_close(&l.journal);
	}
	log_open(&l);
	assert_int_equal(journal_settle(l.journal), 0);
	log_reopen(&l);
	assert_true(journal_is_whole(l.journal));
	log_release(&l);
}

/* Logs of snapshots have no first record: they are read, with or without anything in them, and a cut in the last is a cut. */
static void
test_logs_without_a_first_record(void **state)
{
	struct log_fixture l;
	char octets[200];
	ssize_t n;
	int fd;

	(void)state;
	log_init_dir(&l);
	log_add(&l, 1, 9);
	for (int cut_off = 0; cut_off <= 3; cut_off += 3) {
		journal_close(&l.journal);
		fd = openat(l.dirfd, "0000000001.log", O_RDWR);
		n = pread(fd, octets, FIRST + 10 * 9, cut_off == 0 ? FIRST : 0);
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(
		    pwrite(fd, octets, 10 * 9 - (size_t)cut_off, 0), 10 * 9 - cut_off);
		close(fd);
		assert_true(n >= 10 * 9);
		(void)unlinkat(l.dirfd, "0000000002.log", 0);
		log_open(&l);
		assert_true(journal_is_whole(l.journal));
		assert_int_equal(l.sum, cut_off == 0 ? 45 : 36);
	}
	assert_int_equal(journal_settle(l.journal), 0);
	journal_close(&l.journal);
	cut(&l, "0000000002.log", 0);
	cut(&l, "0000000002.log", 4096);
	log_open(&l);
	assert_true(journal_is_whole(l.journal));
	assert_int_equal(l.sum, 36);
	log_release(&l);
}

/*
 * The log of a snapshot that nothing was written to, and starts behind it that came to no checkpoint: the next log says that nothing
 * of it counts. If that says that something did, it is missing.
 */
static void
test_unused_log_of_a_snapshot(void **state)
{
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	log_add(&l, 1, 9);
	log_reopen(&l);
	assert_int_equal(journal_settle(l.journal), 0);
	journal_close(&l.journal);
	cut(&l, "0000000002.log", 0);
	cut(&l, "0000000002.log", 4096);
	for (unsigned again = 0; again < 3; again++) {
		log_open(&l);
		assert_true(journal_is_whole(l.journal));
		assert_int_equal(l.sum, 45 + again);
		log_add(&l, 1, 1);
		journal_close(&l.journal);
	}
	cut(&l, "0000000003.log", 0);
	cut(&l, "0000000003.log", 4096);
	log_open(&l);
	assert_false(journal_is_whole(l.journal));
	log_release(&l);
}

/* A log of which not even the first record is there was never used: another takes its place. One that had records was. */
static void
test_log_that_was_not_begun(void **state)
{
	static const off_t sizes[] = {0, 7, FIRST - 1};
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	log_add(&l, 1, 9);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		char name[32];

		log_reopen(&l);
		journal_close(&l.journal);
		snprintf(name, sizeof name, "%010zu.log", i + 2);
		cut(&l, name, sizes[i]);
		if (sizes[i] == 0)
			cut(&l, name, 4096); /* allocated */
		log_open(&l);
		assert_int_equal(l.sum, 45);
		assert_true(journal_is_whole(l.journal));
		snprintf(name, sizeof name, "%010zu.log", i + 3);
		assert_int_equal(faccessat(l.dirfd, name, F_OK, 0), -1);
	}
	log_add(&l, 10, 10);
	journal_close(&l.journal);
	damage(&l, "0000000004.log", 9);
	log_open(&l);
	assert_int_equal(l.sum, 55);
	assert_false(journal_is_whole(l.journal));
	log_release(&l);
}

/* A big state is not written before the loop runs, and then by a child; the logs count until it is done. */
static void
test_settled_later(void **state)
{
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	log_add(&l, 1, 100);
	for (int again = 0; again < 3; again++) {
		log_reopen(&l);
		assert_int_equal(l.sum, 5050);
		journal_set_at_once(l.journal, 10);
		assert_int_equal(journal_settle(l.journal), 0);
		assert_int_equal(faccessat(l.dirfd, "0000000002.ckpt", F_OK, 0), -1);
	}
	for (int i = 0; i < 2000 && faccessat(l.dirfd, "0000000004.ckpt", F_OK, 0) != 0; i++) {
		event_base_loop(l.base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	log_reopen(&l);
	assert_int_equal(l.replayed, 1);
	assert_int_equal(l.sum, 5050);
	log_release(&l);
}

/* The child that writes it holds none of the locks its parent held: a segment's writer is gone when it is gone. */
static void
test_child_holds_no_lock(void **state)
{
	struct log_fixture l;
	int locked, go, r = -1;

	(void)state;
	log_init_dir(&l);
	l.slow = true;
	locked = openat(l.dirfd, "locked", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(locked, LOCK_EX | LOCK_NB), 0);
	log_add(&l, 1, 100);
	log_reopen(&l);
	journal_set_at_once(l.journal, 10);
	assert_int_equal(journal_settle(l.journal), 0);
	for (int i = 0; i < 5000 && faccessat(l.dirfd, "0000000002.ckpt.new", F_OK, 0) != 0;
	     i++) {
		event_base_loop(l.base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	assert_int_equal(faccessat(l.dirfd, "0000000002.ckpt.new", F_OK, 0), 0);
	close(locked);
	locked = openat(l.dirfd, "locked", O_WRONLY | O_CLOEXEC);
	for (int i = 0; i < 2000 && r != 0; i++) {
		r = flock(locked, LOCK_EX | LOCK_NB);
		usleep(1000);
	}
	assert_int_equal(faccessat(l.dirfd, "0000000002.ckpt", F_OK, 0), -1);
	go = openat(l.dirfd, "go", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	log_reopen(&l);
	assert_int_equal(l.sum, 5050);
	assert_int_equal(faccessat(l.dirfd, "0000000002.ckpt", F_OK, 0), 0);
	assert_int_equal(r, 0);
	close(go);
	close(locked);
	log_release(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_replays_in_full),
	    cmocka_unit_test(test_flushes_by_itself),
	    cmocka_unit_test(test_checkpoint_replaces_logs),
	    cmocka_unit_test(test_one_checkpoint_in_reserve),
	    cmocka_unit_test(test_gaps_are_noticed),
	    cmocka_unit_test(test_unfinished_checkpoint_is_not_used),
	    cmocka_unit_test(test_damaged_middle_is_set_aside),
	    cmocka_unit_test(test_damaged_last_record_is_a_cut),
	    cmocka_unit_test(test_gap_in_the_last_write_is_a_cut),
	    cmocka_unit_test(test_other_instance_is_not_understood),
	    cmocka_unit_test(test_log_behind_a_failed_write),
	    cmocka_unit_test(test_lost_end_of_a_log),
	    cmocka_unit_test(test_logs_without_a_first_record),
	    cmocka_unit_test(test_unused_log_of_a_snapshot),
	    cmocka_unit_test(test_log_that_was_not_begun),
	    cmocka_unit_test(test_settled_later),
	    cmocka_unit_test(test_child_holds_no_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
