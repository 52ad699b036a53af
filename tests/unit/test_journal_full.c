/* The journal on a disk that takes nothing, for a while or until it is given back what is kept for this day. */
#include "tests/unit/journal_fixture.h"

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
	    cmocka_unit_test(test_excess_is_replaced),
	    cmocka_unit_test(test_excess_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
