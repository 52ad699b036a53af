/* test_spool_gather: who waits before a flush, for how many, and that nobody waits for ever. */
#include "queue/spool_gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#define FLUSH_MS 4

struct bench {
	struct event_base *base;
	struct spool_gather *gather;
	unsigned overs;
};

static void
on_over(void *arg)
{
	struct bench *b = arg;

	b->overs++;
}

static int
set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	assert_non_null(b);
	b->base = event_base_new();
	b->gather = spool_gather_new(b->base, on_over, b);
	assert_non_null(b->gather);
	*state = b;
	return 0;
}

static int
tear_down(void **state)
{
	struct bench *b = *state;

	spool_gather_free(&b->gather);
	event_base_free(b->base);
	free(b);
	return 0;
}

/* A flush of this length that answers so many, while so many wait. */
static bool
flush(struct bench *b, unsigned answered, unsigned waiting)
{
	spool_gather_flush_began(b->gather);
	nanosleep(&(struct timespec){0, FLUSH_MS * 1000000L}, NULL);
	return spool_gather_flush_ended(b->gather, answered, waiting);
}

/* The loop, for far longer than anything is gathered here. */
static void
turn(struct bench *b)
{
	struct timeval limit = {0, 200000};

	event_base_loopexit(b->base, &limit);
	event_base_dispatch(b->base);
}

static void
lets_a_lone_client_pass(void **state)
{
	struct bench *b = *state;

	assert_true(spool_gather_enough(b->gather, 1));
	assert_false(flush(b, 1, 0));
	assert_true(spool_gather_enough(b->gather, 1));
}

static void
waits_for_those_who_were_answered(void **state)
{
	struct bench *b = *state;

	assert_true(flush(b, 2, 1));
	assert_false(spool_gather_enough(b->gather, 1));
	assert_false(spool_gather_enough(b->gather, 2));
	assert_true(spool_gather_enough(b->gather, 3));
	assert_true(spool_gather_enough(b->gather, 1));
	turn(b);
	assert_int_equal(b->overs, 0);
}

static void
waits_no_longer_than_a_part_of_a_flush(void **state)
{
	struct bench *b = *state;

	assert_true(flush(b, 5, 5));
	assert_false(spool_gather_enough(b->gather, 9));
	turn(b);
	assert_int_equal(b->overs, 1);
	assert_true(spool_gather_enough(b->gather, 1));
}

/* What one flush takes is there: nobody else is worth waiting for. */
static void
waits_for_nobody_when_full(void **state)
{
	struct bench *b = *state;

	assert_false(flush(b, 5, SPOOL_GATHER_FULL));
	assert_true(flush(b, 600, 5));
	assert_false(spool_gather_enough(b->gather, 511));
	assert_true(spool_gather_enough(b->gather, SPOOL_GATHER_FULL));
	turn(b);
	assert_int_equal(b->overs, 0);
}

static void
begins_anew_after_each_flush(void **state)
{
	struct bench *b = *state;

	assert_true(flush(b, 5, 5));
	assert_true(spool_gather_enough(b->gather, 10));
	assert_true(flush(b, 10, 0));
	assert_false(spool_gather_enough(b->gather, 9));
	turn(b);
	assert_int_equal(b->overs, 1);
}

static void
ends_without_a_word_when_stopped(void **state)
{
	struct bench *b = *state;

	assert_true(flush(b, 5, 5));
	spool_gather_stop(b->gather);
	assert_true(spool_gather_enough(b->gather, 1));
	turn(b);
	assert_int_equal(b->overs, 0);
}

static void
gathers_nothing_without_a_descriptor(void **state)
{
	struct spool_gather *none = NULL;

	(void)state;
	spool_gather_flush_began(none);
	assert_false(spool_gather_flush_ended(none, 5, 5));
	assert_true(spool_gather_enough(none, 1));
	spool_gather_stop(none);
	spool_gather_free(&none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(lets_a_lone_client_pass, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		waits_for_those_who_were_answered, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(waits_for_nobody_when_full, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		waits_no_longer_than_a_part_of_a_flush, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(begins_anew_after_each_flush, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		ends_without_a_word_when_stopped, set_up, tear_down),
	    cmocka_unit_test(gathers_nothing_without_a_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
