/* The journal on a disk that takes nothing, for a while or until it is given back what is kept for this day. */
#include "tests/unit/journal_fixture.h"

#include <sys/syscall.h>
#include <sys/uio.h>

#include "queue/journal_file.h"

/* With what the disk refuses everything as long as the reserve is on it; 0: it does not. */
static int refuses_with;
static int reserved_in = -1; /* the journal's directory */

static bool
is_refused(void)
{
	if (refuses_with == 0 || faccessat(reserved_in, "reserve", F_OK, 0) != 0)
		return false;
	errno = refuses_with;
	return true;
}

/* libc's calls, as the library under test sees them. */
int
fallocate(int fd, int mode, off_t offset, off_t len)
{
	return is_refused() ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t offset)
{
	return is_refused() ? -1 : syscall(SYS_pwrite64, fd, p, n, offset);
}

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	return is_refused() ? -1 : syscall(SYS_pwritev, fd, iov, n, offset, 0);
}

/* With what it refuses checkpoints alone, as long as the reserve is on it or for good. */
static int checkpoints_refused_with;
static bool for_good;

int
fsync(int fd)
{
	char link[32], path[256] = "";

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (checkpoints_refused_with != 0 && readlink(link, path, sizeof path - 1) > 0 &&
	    strstr(path, ".ckpt.new") != NULL &&
	    (for_good || faccessat(reserved_in, "reserve", F_OK, 0) == 0)) {
		errno = checkpoints_refused_with;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

/*
 * No room for a log, whichever of its names the disk gives that: the reserve is given up, and what is told is kept.
 * Another error leaves it alone.
 */
static void
test_reserve_is_given_up(void **state)
{
	static const struct {
		int error;
		bool given_up;
	} rows[] = {{ENOSPC, true}, {EDQUOT, true}, {EFBIG, true}, {EIO, false}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *name = strerror(rows[i].error);
		struct log_fixture l;

		log_init_dir(&l);
		assert_int_equal(journal_settle(l.journal), 0);
		check_row(name, faccessat(l.dirfd, "reserve", F_OK, 0) == 0);
		journal_close(&l.journal);
		reserved_in = l.dirfd;
		refuses_with = rows[i].error;
		log_open(&l);
		check_row(name, journal_healthy(l.journal) == rows[i].given_up);
		check_row(
		    name, (faccessat(l.dirfd, "reserve", F_OK, 0) != 0) == rows[i].given_up);
		refuses_with = 0;
		log_add(&l, 1, 10);
		log_await_flush(&l);
		log_reopen(&l);
		assert_int_equal(l.sum, 55);
		log_release(&l);
	}
}

static size_t
count_checkpoints(struct log_fixture *l)
{
	uint64_t *numbers;
	size_t n = journal_file_list(l->dirfd, ".ckpt", &numbers);

	free(numbers);
	return n;
}

/* Writes a checkpoint: at once, or by a child. */
static void
settle(struct log_fixture *l, bool by_child)
{
	journal_set_at_once(l->journal, by_child ? 0 : UINT64_MAX);
	(void)journal_settle(l->journal);
	for (int i = 0; by_child && i < 300; i++) {
		event_base_loop(l->base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

/*
 * No room for a checkpoint, which is what frees the room of logs: it is written with that of the reserve, which is kept
 * again then, as it is if that was in vain. Another error leaves it alone.
 */
static void
test_reserve_is_lent_to_a_checkpoint(void **state)
{
	static const struct {
		const char *name;
		int error;
		bool by_child, for_good, written;
	} rows[] = {
	    {"ENOSPC", ENOSPC, false, false, true},
	    {"EDQUOT", EDQUOT, true, false, true},
	    {"EFBIG, a child", EFBIG, true, false, true},
	    {"EIO", EIO, false, false, false},
	    {"ENOSPC for good", ENOSPC, false, true, false},
	    {"ENOSPC for good, a child", ENOSPC, true, true, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct log_fixture l;
		size_t before;

		log_init_dir(&l);
		assert_int_equal(journal_settle(l.journal), 0);
		log_add(&l, 1, 10);
		log_await_flush(&l);
		log_reopen(&l);
		before = count_checkpoints(&l);
		reserved_in = l.dirfd;
		for_good = rows[i].for_good;
		checkpoints_refused_with = rows[i].error;
		settle(&l, rows[i].by_child);
		checkpoints_refused_with = 0;
		check_row(
		    rows[i].name, count_checkpoints(&l) == before + (rows[i].written ? 1 : 0));
		check_row(rows[i].name, faccessat(l.dirfd, "reserve", F_OK, 0) == 0);
		log_reopen(&l);
		assert_int_equal(l.sum, 55);
		log_release(&l);
	}
}

/*
 * A disk that takes nothing for long: memory holds so much and no more. When it can be written to again what was dropped
 * is not missing, for a checkpoint of memory says it.
 */
static void
test_excess_is_replaced(void **state)
{
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	journal_set_buffer_maximum(l.journal, 4096);
	log_add(&l, 1, 10);
	log_await_flush(&l);
	log_limit_files(1);
	for (unsigned i = 11; i <= 3000; i++) {
		log_add(&l, i, i);
		if (i % 50 == 0)
			event_base_loop(l.base, EVLOOP_NONBLOCK);
		assert_in_range(journal_backlog(l.journal), 1, 4096 + 40);
		if (i % 100 == 0)
			usleep(1000);
	}
	assert_false(journal_healthy(l.journal));
	assert_in_range(l.durable, 10, 400);
	log_limit_files(RLIM_INFINITY);
	for (int i = 0; i < 100; i++) { /* while the child writes, too */
		log_add(&l, 1, 5);
		event_base_loop(l.base, EVLOOP_NONBLOCK);
		usleep(15000);
	}
	log_await_flush(&l);
	assert_true(journal_healthy(l.journal));
	assert_int_equal(journal_backlog(l.journal), 0);
	log_add(&l, 1, 5);
	log_reopen(&l);
	assert_int_equal(l.sum, 3000 * 3001 / 2 + 101 * 15);
	log_release(&l);
}

/* The same at the end of a process, and with a disk that is merely slow. */
static void
test_excess_at_the_end(void **state)
{
	struct log_fixture l;

	(void)state;
	log_init_dir(&l);
	journal_set_buffer_maximum(l.journal, 4096);
	log_add(&l, 1, 3000);
	assert_false(journal_healthy(l.journal));
	log_reopen(&l);
	assert_int_equal(l.sum, 3000 * 3001 / 2);
	log_release(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reserve_is_given_up),
	    cmocka_unit_test(test_reserve_is_lent_to_a_checkpoint),
	    cmocka_unit_test(test_excess_is_replaced),
	    cmocka_unit_test(test_excess_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
