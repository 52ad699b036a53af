/*
 * The end of a store: what its last flush brings about reaches nothing that is gone already.
 */
#include "tests/unit/spool_fixture.h"

#include <signal.h>
#include <sys/resource.h>

static const struct verdict ok = {.kind = VERDICT_OK, .status = "2.0.0", .text = "done"};

/* One message of a sealed segment, and no further segment to be had: names in its way are taken. */
static void
send_last_to_be_had(struct fixture *f)
{
	char name[SPOOL_NAME_SIZE], path[64];

	fixture_init(f);
	for (uint64_t n = 2; n < 10; n++) {
		snprintf(
		    path, sizeof path, "segments/%s.new", spool_segment_name(n, false, name));
		assert_int_equal(mkdirat(f->spoolfd, path, 0700), 0);
	}
	fixture_add_writer(f);
	fixture_send(f, "x\n");
	spool_writer_stop(f->writer);
	fixture_turn(f, 60);
	assert_int_equal(f->seen[0]->segment->state, SEGMENT_SEALED);
}

/* The last flush frees the segment that the pool has been waiting for. */
static void
test_close_frees_a_wanted_segment(void **state)
{
	struct fixture f;

	(void)state;
	send_last_to_be_had(&f);
	store_deliver(f.store, message_recipient(f.seen[0], 0), &ok);
	fixture_reopen(&f);
	assert_int_equal(f.nseen, 0);
	fixture_release(&f);
}

/* The disk takes no more just when the last records go to it: the message stays as it was. */
static void
test_close_on_a_full_disk(void **state)
{
	struct rlimit was, none;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	fixture_send(&f, "x\n");
	fixture_turn(&f, 60);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = (struct rlimit){1, was.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	store_deliver(f.store, message_recipient(f.seen[0], 0), &ok);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	fixture_close(&f);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	signal(SIGXFSZ, SIG_DFL);
	fixture_open(&f);
	assert_int_equal(f.nseen, 1);
	fixture_release(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_close_frees_a_wanted_segment),
	    cmocka_unit_test(test_close_on_a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
