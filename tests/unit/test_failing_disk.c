/*
 * The storage library on a disk that fails: every call in turn, once or from then on; a disk that takes nothing for a
 * time; then the power is cut as well (crash_play.h). What had been promised holds, nothing is promised that cannot be
 * kept, and service comes back by itself.
 */
#include "tests/unit/crash_play.h"

/* Something of everything, in a short time. */
static void
script_everything(struct world *w)
{
	for (unsigned round = 0; round < 5; round++) {
		int m = world_send(w, 2000, 3), large;

		for (unsigned i = 0; i < 3; i++)
			(void)world_send(w, 20000 * i + 500, 1);
		large = world_send_large(w, 70000, round == 2);
		world_settle_down(w);
		for (int i = m; m >= 0 && i < (int)w->nmessages; i++)
			world_outcome(w, i, 0, "DFDXHTS"[(i - m + (int)round) % 7]);
		world_outcome(w, m, 1, "TUHQh"[round]);
		world_pause(w, round % 3, round < 3 ? 'P' : 'C');
		if (large >= 0)
			world_outcome(w, large, 0, 'D');
		world_turn(w, 24);
		for (unsigned i = 0; i < w->nmessages; i++)
			(void)world_write_report(w, (int)i, round == 2);
		world_settle_down(w);
	}
	world_turn(w, 24);
}

static void
play_failing(const struct failing_row *row, unsigned n, bool on)
{
	struct world *w = world_new(n);

	w->limits.checkpoint_minimum = 300;
	w->limits.checkpoint_at_once = n % 2;
	if (n % 3 == 0)
		w->limits.journal_buffer = 700;
	world_reopen(w);
	w->failing = true;
	disk_fail(row->call, n, row->error, on);
	script_everything(w);
	cut_failing(w, row, n, on, long_run ? 7 : 40);
}

static void
test_failing_calls(void **state)
{
	static const struct failing_row rows[] = {
	    {CALL_OPEN, EMFILE, 30},
	    {CALL_OPEN, ENOSPC, 30},
	    {CALL_WRITE, 0, 90},
	    {CALL_WRITE, ENOSPC, 90},
	    {CALL_WRITE, EIO, 90},
	    {CALL_FLUSH, EIO, 90},
	    {CALL_ALLOCATE, ENOSPC, 12},
	    {CALL_ALLOCATE, EDQUOT, 12},
	    {CALL_RENAME, EIO, 12},
	    {CALL_UNLINK, EIO, 20},
	};

	(void)state;
	play_failing_rows(rows, sizeof rows / sizeof *rows, 4, 4711, play_failing);
}

/* Messages of so many recipients each, all answered. */
static void
send_some(struct world *w, unsigned n, unsigned recipients)
{
	for (unsigned i = 0; i < n; i++)
		(void)world_send(w, 400, recipients);
	world_settle_down(w);
}

/* The disk works again: service comes back by itself. */
static void
heal(struct world *w)
{
	disk_heal();
	fixture_until(&w->f, fixture_has_room);
	w->failing = false;
}

/* All that happened gets onto the disk; then the power is cut at about one of so many points. w is freed. */
static void
end_and_cut(struct world *w, const char *name, uint64_t seed, unsigned one_of)
{
	for (unsigned i = 0; i < 5000 && w->ndurable < w->noutcomes; i++)
		world_turn(w, 1);
	assert_int_equal(w->ndurable, w->noutcomes);
	world_close(w);
	world_end(w);
	cut(w, name, seed, one_of);
	free(w);
}

/* A disk that fails, or is full, for a time: nothing is promised meanwhile, and service comes back by itself. */
static void
test_service_returns(void **state)
{
	static const struct {
		enum disk_call call;
		int error;
	} rows[] = {{CALL_FLUSH, EIO}, {CALL_ALLOCATE, ENOSPC}, {CALL_WRITE, ENOSPC}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world *w = world_new(i);
		int m = world_send(w, 1000, 1), after;

		world_settle_down(w);
		w->failing = true;
		disk_fail(rows[i].call, 1, rows[i].error, true);
		for (unsigned k = 0; k < 20; k++) {
			(void)world_send(w, 60000, 1);
			world_turn(w, 3);
		}
		world_outcome(w, m, 0, 'D');
		world_turn(w, 60);
		if (rows[i].call != CALL_ALLOCATE)
			for (unsigned k = 1; k < w->nmessages; k++)
				assert_false(w->messages[k].acked);
		assert_false(store_has_room(w->f.store));
		heal(w);
		after = world_send(w, 1000, 1);
		world_settle_down(w);
		assert_true(w->messages[after].acked);
		end_and_cut(w, "service returns", i, 5);
	}
}

/*
 * The disk does not take a write to a log, or a part of it only, and another log goes on. Until a checkpoint replaces both, what
 * was settled before those that are kept does not come back, whenever the power goes.
 */
static void
test_failed_log(void **state)
{
	uint64_t seeds = play_seeds(2, 8);

	(void)state;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct world *w = world_new(seed);

		send_some(w, 24, 2);
		for (unsigned k = 0; k < 8; k++) {
			world_outcome(w, (int)k, 0, 'D');
			world_outcome(w, (int)k, 1, 'D');
		}
		world_turn(w, 25);
		for (unsigned k = 0; k < 3; k++)
			world_reopen(w);
		w->failing = true;
		disk_fail(seed % 4 == 3 ? CALL_WRITE : CALL_FLUSH, 1, EIO, false);
		for (unsigned k = 8; k < 24; k++)
			world_outcome(w, (int)k, 0, "DTF"[k % 3]);
		for (unsigned i = 0; i < 100 && journal_healthy(w->f.store->journal); i++)
			world_turn(w, 1);
		assert_int_equal(disk->failed, 1);
		fixture_until(&w->f, fixture_has_room);
		world_turn(w, 2);
		for (unsigned k = 8; k < 24; k++)
			world_outcome(w, (int)k, 1, "TDQ"[k % 3]);
		end_and_cut(w, "failed log", seed, 1);
	}
}

/* More than memory may hold waits for a disk that takes nothing; what a checkpoint says then is all there was. */
static void
test_excess(void **state)
{
	static const enum disk_call calls[] = {CALL_FLUSH, CALL_WRITE, CALL_ALLOCATE};

	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct world *w = world_new(i);

		w->limits.journal_buffer = 500;
		world_reopen(w);
		send_some(w, 12, 4);
		world_turn(w, 25);
		w->failing = true;
		disk_fail(calls[i], 1, EIO, true);
		for (unsigned k = 0; k < 12; k++) {
			world_outcome(w, (int)k, 0, "DTFX"[k % 4]);
			world_outcome(w, (int)k, 1, "HQTT"[k % 4]);
			world_turn(w, 5);
		}
		world_outcome(w, 1, 2, 'D');
		world_turn(w, 20);
		assert_false(store_has_room(w->f.store));
		assert_in_range(journal_backlog(w->f.store->journal), 1, 500);
		heal(w);
		for (unsigned k = 0; k < 12; k++)
			world_outcome(w, (int)k, 3, 'T'); /* enough to exceed it again */
		end_and_cut(w, "excess", i, 2);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_failing_calls),
	    cmocka_unit_test(test_service_returns),
	    cmocka_unit_test(test_failed_log),
	    cmocka_unit_test(test_excess),
	};
	int r;

	play_init();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	play_summary();
	return r;
}
