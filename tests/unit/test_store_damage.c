/*
 * The store on what bit rot, a lost file or a disk that takes no checkpoint left (doc/SPOOL.md, "What
 * damage leaves"): no intact message is lost, whatever else is gone, and a start is never refused.
 */
#include "tests/unit/spool_files.h"

#include "queue/spool_record.h"
#include "queue/store_parts.h"

static bool
knows(const struct fixture *f, uint64_t number)
{
	return store_find(f->store, number) != NULL;
}

static void
block_checkpoint(struct fixture *f, unsigned number, bool block)
{
	char name[64];

	snprintf(name, sizeof name, "journal/%010u.ckpt.new", number);
	if (block)
		assert_int_equal(mkdirat(f->spoolfd, name, 0700), 0);
	else
		assert_int_equal(unlinkat(f->spoolfd, name, AT_REMOVEDIR), 0);
}

static void
deliver(struct fixture *f, uint64_t number)
{
	struct verdict ok = fixture_verdict(VERDICT_OK, "2.0.0", "done");

	store_deliver(f->store, message_recipient(store_find(f->store, number), 0), &ok);
	fixture_turn(f, 2);
	store_flush(f->store);
}

/* Copies the journal to or from a place beside it, as what is started on it changes it. */
static void
copy_journal(struct fixture *f, const char *from, const char *to)
{
	int fd = openat(f->spoolfd, from, O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd);
	struct dirent *e;

	(void)mkdirat(f->spoolfd, to, 0700);
	while ((e = readdir(d)) != NULL) {
		char path[400], block[4096];
		int in, out;
		ssize_t n;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", to, e->d_name);
		in = openat(fd, e->d_name, O_RDONLY);
		out = openat(f->spoolfd, path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
		while ((n = read(in, block, sizeof block)) > 0)
			assert_int_equal(write(out, block, (size_t)n), n);
		close(in);
		close(out);
	}
	closedir(d);
}

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

/* Four messages: one delivered, one deferred, one failed, one untouched; all of it in a checkpoint. */
static void
make_history(struct fixture *f, uint64_t n[4])
{
	struct verdict later = fixture_verdict(VERDICT_TEMPORARY, "4.2.0", "later");
	struct verdict no = fixture_verdict(VERDICT_PERMANENT, "5.1.1", "no such user");

	fixture_init(f);
	fixture_add_writer(f);
	for (int i = 0; i < 4; i++)
		n[i] = fixture_send(f, "some content\n");
	message_recipient(store_find(f->store, n[1]), 0)->attempts = 3;
	store_defer(
	    f->store, message_recipient(store_find(f->store, n[1]), 0), &later, 2000000000);
	store_fail(f->store, message_recipient(store_find(f->store, n[2]), 0), &no);
	deliver(f, n[0]);
	fixture_reopen(f);
}

static void
check_history(struct fixture *f, const uint64_t n[4])
{
	const struct recipient *r;

	assert_false(knows(f, n[0]));
	assert_true(knows(f, n[1]) && knows(f, n[2]) && knows(f, n[3]));
	r = message_recipient(store_find(f->store, n[1]), 0);
	assert_int_equal(r->state, RECIPIENT_DEFERRED);
	assert_int_equal(r->attempts, 3);
	assert_true(r->next == 2000000000);
	r = message_recipient(store_find(f->store, n[2]), 0);
	assert_int_equal(r->state, RECIPIENT_FAILED);
	r = message_recipient(store_find(f->store, n[3]), 0);
	assert_int_equal(r->state, RECIPIENT_DUE);
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
	    cmocka_unit_test(test_header_page_of_a_segment),
	    cmocka_unit_test(test_header_page_of_a_recycled_segment),
	    cmocka_unit_test(test_missing_segment),
	    cmocka_unit_test(test_cut_segment),
	    cmocka_unit_test(test_crash_after_torn_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
