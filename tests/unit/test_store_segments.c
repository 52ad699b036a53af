/*
 * The store on segments that are damaged, cut or gone (doc/SPOOL.md, "What damage leaves"): what is whole is there, what is not
 * is called damaged if it is known, and a start is never refused.
 */
#include "tests/unit/store_history.h"

/* A bit flipped anywhere in the header page: the records say whose they are, none is given up for it. */
static void
test_header_page_of_a_segment(void **state)
{
	struct fixture f;
	char path[64];
	uint64_t n[4], later;

	(void)state;
	for (off_t at = 0; at < 44; at += 3) {
		make_history(&f, n);
		fixture_add_writer(&f);
		later = fixture_send(&f, "in a segment of its own\n");
		spool_files_of(store_find(f.store, later), path);
		fixture_close(&f);
		spool_files_flip(f.spoolfd, path, (uint64_t)at);
		spool_files_flip(f.spoolfd, "segments/0000000001.seg", (uint64_t)at);
		for (int i = 0; i < 2; i++) {
			fixture_open(&f);
			check_history(&f, n);
			assert_true(knows(&f, later));
			assert_true(store_find(f.store, later)->segment->headless);
			assert_int_equal(store_counts(f.store)->messages, 4);
			assert_int_equal(spool_files_count(f.spoolfd, "corrupt"), 0);
			fixture_close(&f);
		}
		fixture_open(&f);
		deliver(&f, later); /* and the segment goes: it has no further life */
		fixture_turn(&f, 20);
		assert_int_equal(faccessat(f.spoolfd, path, F_OK, 0), -1);
		fixture_release(&f);
	}
}

/* Without header and without records of its newest life: what an earlier life left in a segment stays dead. */
static void
test_header_page_of_a_recycled_segment(void **state)
{
	struct fixture f;
	uint64_t n;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	n = fixture_send(&f, "first life\n");
	deliver(&f, n);
	fixture_reopen(&f); /* sealed, and free: its records are still there */
	segment_pool_keep_ready(store_pool(f.store), 2);
	fixture_turn(&f, 50); /* a new life is prepared */
	fixture_reopen(&f);   /* and stands in a checkpoint */
	fixture_close(&f);
	spool_files_flip(f.spoolfd, "segments/0000000001.seg", 20);
	fixture_open(&f);
	assert_int_equal(f.nseen, 0);
	fixture_release(&f);
}

/*
 * CF-08: a segment is gone. Its messages stay, with what is known of them, over starts and checkpoints: it
 * may come back. Others are not touched by it. When they are settled nothing of it is left.
 */
static void
test_missing_segment(void **state)
{
	struct buf content;
	struct fixture f;
	char path[64];
	uint64_t n[4], other;

	(void)state;
	buf_init(&content, 1000);
	make_history(&f, n);
	spool_files_of(store_find(f.store, n[1]), path);
	fixture_add_writer(&f);
	other = fixture_send(&f, "elsewhere\n");
	fixture_close(&f);
	assert_int_equal(renameat(f.spoolfd, path, f.spoolfd, "away"), 0);
	for (int i = 0; i < 3; i++) {
		fixture_open(&f);
		check_history(&f, n);
		assert_int_equal(store_counts(f.store)->damaged, 3);
		errno = 0;
		assert_int_equal(
		    store_read_content(f.store, store_find(f.store, n[1]), &content), -1);
		assert_int_equal(errno, ENOENT);
		assert_int_equal(
		    store_read_content(f.store, store_find(f.store, other), &content), 0);
		assert_int_equal(spool_files_count(f.spoolfd, "corrupt"), 0);
		fixture_add_writer(&f); /* what is prepared does not take its name */
		fixture_send(&f, "new\n");
		assert_int_equal(faccessat(f.spoolfd, path, F_OK, 0), -1);
		fixture_close(&f);
	}
	assert_int_equal(renameat(f.spoolfd, "away", f.spoolfd, path), 0);
	fixture_open(&f);
	check_history(&f, n);
	assert_int_equal(store_counts(f.store)->damaged, 0);
	assert_int_equal(store_read_content(f.store, store_find(f.store, n[1]), &content), 0);
	fixture_close(&f);
	assert_int_equal(unlinkat(f.spoolfd, path, 0), 0);
	fixture_open(&f);
	for (int i = 1; i < 4; i++)
		deliver(&f, n[i]);
	fixture_turn(&f, 20);
	fixture_reopen(&f);
	assert_int_equal(store_counts(f.store)->damaged, 0);
	assert_true(knows(&f, other));
	fixture_release(&f);
	buf_release(&content);
}

/*
 * CF-03, CF-04: the newest segment cut at any length, or its tail zeroed, before the journal heard of the messages (it is
 * taken away) and after: those before the cut are there, whole; those behind it are called damaged if they are known.
 */
static void
test_cut_segment(void **state)
{
	static const char path[] = "segments/0000000001.seg";
	uint64_t n[6], end[6];
	struct buf content;
	struct fixture f;

	(void)state;
	buf_init(&content, 1000);
	for (int turn = 0; turn < 2; turn++) {
		fixture_init(&f);
		fixture_add_writer(&f);
		for (int i = 0; i < 6; i++) {
			n[i] = fixture_send(&f, "a batch of its own\n");
			end[i] = store_content_offset(f.seen[i]) + f.seen[i]->content_len;
		}
		fixture_close(&f);
		copy_journal(&f, "journal", "kept");
		for (off_t at = 7 * 4096; at > 4096; at -= 411) {
			bool zero = at < 4 * 4096; /* from there on it is zeros instead */

			spool_files_remove(f.spoolfd, "corrupt", NULL);
			spool_files_remove(f.spoolfd, "journal", NULL);
			copy_journal(&f, "kept", "journal");
			if (turn == 1) { /* nothing but its number */
				spool_files_remove(f.spoolfd, "journal", ".log");
				spool_files_remove(f.spoolfd, "journal", ".ckpt");
			}
			spool_files_cut(f.spoolfd, path, at);
			if (zero)
				spool_files_cut(f.spoolfd, path, FIXTURE_SEGMENT);
			fixture_open(&f);
			for (int i = 0; i < 6; i++) {
				struct message *m = store_find(f.store, n[i]);
				bool whole = end[i] <= (uint64_t)at;

				assert_true(turn == 1 ? (m != NULL) == whole : m != NULL);
				if (m == NULL)
					continue;
				buf_clear(&content);
				assert_int_equal(
				    store_read_content(f.store, m, &content), whole ? 0 : -1);
				assert_true(whole || errno == EBADMSG);
			}
			fixture_close(&f);
		}
		fixture_open(&f);
		fixture_release(&f);
	}
	buf_release(&content);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_header_page_of_a_segment),
	    cmocka_unit_test(test_header_page_of_a_recycled_segment),
	    cmocka_unit_test(test_missing_segment),
	    cmocka_unit_test(test_cut_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
