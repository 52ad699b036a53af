/*
 * Compaction under power cuts, kills and failing disks: as test_spool_crash, with
 * scripts in which old segments are emptied (CE-01 to CE-05). At every change the
 * disk saw, the power is cut, or everything dies; what the journal had on disk by
 * then holds, and every message is there once, octet for octet.
 */
#include "tests/unit/crash_play.h"

#include "tests/unit/crash_compact.h"

static uint64_t moved; /* over all scripts: they did what they are for */

static void
begin(struct world *w)
{
	w->segment_size = COMPACT_SEGMENT;
	world_reopen(w);
}

static void
end_life(struct world *w)
{
	moved += world_moved(w);
	world_reopen(w);
}

/* Segments are emptied; then their messages are tried again, settled, and the queue manager restarts. */
static void
script_emptied(struct world *w)
{
	begin(w);
	world_fill(w, 48, 5);
	world_compact(w, 3000);
	assert_true(world_moved(w) > 3);
	for (unsigned i = 0; i < w->nmessages; i += 5)
		world_outcome(w, (int)i, 0, i % 2 ? 'D' : 'T');
	world_turn(w, 25);
	end_life(w);
	for (unsigned i = 0; i < w->nmessages; i += 10)
		world_outcome(w, (int)i, 0, 'D');
	world_turn(w, 25);
}

/* Mail of several ages, moved again and again, with a checkpoint after every few records and restarts. */
static void
script_generations(struct world *w)
{
	w->limits = (struct store_limits){.checkpoint_minimum = 1500, .checkpoint_at_once = 1};
	begin(w);
	for (unsigned round = 0; round < 4; round++) {
		world_fill(w, 20, 4);
		world_compact(w, 3000);
		for (unsigned i = round; i < w->nmessages; i += 3)
			world_outcome(w, (int)i, 0, "TDFT"[i % 4]);
		world_turn(w, 25);
		if (round % 2 == 1)
			end_life(w);
	}
	moved += world_moved(w);
}

/* Whatever may become of a message, while its copy is under way. */
static void
script_outcomes(struct world *w)
{
	begin(w);
	world_fill(w, 40, 2);
	for (unsigned i = 1; i < w->nmessages; i++)
		if (i % 4 != 0)
			world_outcome(w, (int)i, 0, 'D');
	world_turn(w, 25);
	world_compact_start(w);
	for (unsigned i = 0; i < 120; i++) {
		unsigned any = world_random(w, w->nmessages);

		if (i % 3 == 0)
			world_outcome(w, (int)any, world_random(w, 2), "TDFRXHUQ"[i / 3 % 8]);
		if (i % 20 == 19)
			(void)world_send(w, 3000, 1);
		world_turn(w, 1);
	}
	for (unsigned i = 0; i < w->nmessages; i++)
		(void)world_report(w, (int)i);
	world_settle_down(w);
	world_compact(w, 3000);
	world_turn(w, 25);
	end_life(w);
}

/* The end in the middle of it, several times. */
static void
script_interrupted(struct world *w)
{
	begin(w);
	world_fill(w, 44, 4);
	for (unsigned life = 0; life < 7; life++) {
		world_compact_start(w);
		world_turn(w, 1 + life * 4);
		end_life(w);
	}
}

SCRIPT_TEST(emptied)
SCRIPT_TEST(generations)
SCRIPT_TEST(outcomes)
SCRIPT_TEST(interrupted)

/* Calls of its compaction fail; then the disk is well again. */
static void
play_failing(const struct failing_row *row, unsigned n, bool on)
{
	struct world *w = world_new(n);

	begin(w);
	world_fill(w, 60, 6);
	w->failing = true;
	disk_fail(row->call, n, row->error, on);
	world_compact(w, 120);
	disk_heal();
	for (unsigned i = 0; i < w->nmessages; i += 8)
		world_outcome(w, (int)i, 0, 'D');
	world_compact(w, 1500); /* after trouble it waits for a second */
	moved += world_moved(w);
	cut_failing(w, row, n, on, long_run ? 3 : 24);
}

static void
test_failing_calls(void **state)
{
	static const struct failing_row rows[] = {
	    {CALL_OPEN, EMFILE, 7},
	    {CALL_WRITE, 0, 16},
	    {CALL_WRITE, ENOSPC, 16},
	    {CALL_WRITE, EIO, 16},
	    {CALL_FLUSH, EIO, 17},
	    {CALL_ALLOCATE, ENOSPC, 2},
	    {CALL_RENAME, EIO, 2},
	    {CALL_UNLINK, EIO, 3},
	};

	(void)state;
	play_failing_rows(rows, sizeof rows / sizeof *rows, 3, 815, play_failing);
}

/* The disk is full and gives nothing more: what is sparse makes room for mail, and the power may go at any time. */
static void
test_full_disk(void **state)
{
	struct world *w = world_new(5);
	int after;

	(void)state;
	begin(w);
	w->own = own_writer_new(w->f.base, w->f.store);
	world_fill(w, 60, 3);
	world_turn(w, 40);
	assert_true(segment_pool_own_ready(store_pool(w->f.store)));
	w->failing = true;
	disk_fail(CALL_ALLOCATE, 1, ENOSPC, true);
	for (unsigned i = 0; i < 80 && store_has_room(w->f.store); i++) {
		(void)world_send(w, 12000, 1);
		world_turn(w, 3);
	}
	assert_false(store_has_room(w->f.store));
	for (unsigned i = 0; i < w->nmessages; i++)
		if (i % 2 == 0)
			world_outcome(w, (int)i, 0, 'D');
	world_compact_start(w);
	fixture_until(&w->f, fixture_has_room);
	assert_true(world_moved(w) > 0);
	spool_writer_free(&w->f.writer);
	after = world_send(w, 1000, 1);
	assert_true(after >= 0);
	world_settle_down(w);
	assert_true(w->messages[after].acked);
	moved += world_moved(w);
	disk_heal();
	world_close(w);
	world_end(w);
	cut(w, "full disk", 5, long_run ? 1 : 6);
	free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_emptied),
	    cmocka_unit_test(test_generations),
	    cmocka_unit_test(test_outcomes),
	    cmocka_unit_test(test_interrupted),
	    cmocka_unit_test(test_failing_calls),
	    cmocka_unit_test(test_full_disk),
	};
	int r;

	play_init();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	play_summary();
	print_message("# %" PRIu64 " messages moved\n", moved);
	return r != 0 || moved < 50;
}
