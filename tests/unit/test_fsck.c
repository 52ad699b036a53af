/*
 * fsck and salvage on spools that are whole, in use, damaged in each way that doc/SPOOL.md names: what is found, that
 * finding it changes nothing, and that after a repair a start has nothing to say and every intact message is there.
 */
#include "tests/unit/spool_files.h"

#include <sys/file.h>

#include "common/crc32c.h"
#include "queue/fsck.h"
#include "queue/salvage.h"
#include "queue/spool_record.h"
#include "queue/store_parts.h"

#define MESSAGES 6

static uint32_t tree_crc;

static int
add_to_crc(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	char block[4096];
	int fd;
	ssize_t n;

	(void)ftw;
	tree_crc = crc32c(tree_crc, path, strlen(path));
	tree_crc = crc32c(tree_crc, &st->st_mode, sizeof st->st_mode);
	tree_crc = crc32c(tree_crc, &st->st_nlink, sizeof st->st_nlink);
	tree_crc = crc32c(tree_crc, &st->st_mtim, sizeof st->st_mtim);
	if (flag != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	fd = open(path, O_RDONLY);
	while ((n = read(fd, block, sizeof block)) > 0)
		tree_crc = crc32c(tree_crc, block, (size_t)n);
	close(fd);
	return 0;
}

/* A number that changes when anything in the spool does. */
static uint32_t
snapshot(struct fixture *f)
{
	tree_crc = 0;
	nftw(f->path, add_to_crc, 16, FTW_PHYS);
	return tree_crc;
}

static void
examine(struct fixture *f, struct fsck_report *r, bool locked)
{
	uint32_t before = snapshot(f);

	assert_int_equal(fsck_open(r, f->spoolfd, locked), 0);
	fsck_check_owners(r, false);
	fsck_examine(r);
	assert_int_equal(snapshot(f), before);
}

/* The findings as text, for the failure of a test. */
static void
print_findings(const struct fsck_report *r)
{
	for (size_t i = 0; i < r->nfindings; i++)
		print_message("# %s %s: %s%s\n",
		    r->findings[i].severity == FSCK_PROBLEM ? "PROBLEM" : "note",
		    r->findings[i].file, r->findings[i].text,
		    r->findings[i].cured ? " (cured)" : "");
}

static const struct fsck_finding *
find(const struct fsck_report *r, const char *file, const char *text)
{
	for (size_t i = 0; i < r->nfindings; i++)
		if (strcmp(r->findings[i].file, file) == 0 &&
		    strstr(r->findings[i].text, text) != NULL)
			return &r->findings[i];
	print_findings(r);
	fail_msg("no finding \"%s\" about %s", text, file);
	return NULL;
}

static void
must_be_clean(struct fixture *f)
{
	struct fsck_report r;

	examine(f, &r, true);
	if (fsck_has_problem(&r, true))
		print_findings(&r);
	assert_false(fsck_has_problem(&r, true));
	fsck_release(&r);
}

/* Examines, repairs, and has a look at what the report says of it. */
static void
repair(struct fixture *f)
{
	struct fsck_report r;

	assert_int_equal(fsck_open(&r, f->spoolfd, true), 0);
	fsck_check_owners(&r, true);
	fsck_examine(&r);
	assert_int_equal(fsck_repair(&r, FIXTURE_SEGMENT), 0);
	if (fsck_has_problem(&r, false))
		print_findings(&r);
	assert_true(fsck_has_problem(&r, true));
	assert_false(fsck_has_problem(&r, false));
	fsck_release(&r);
	must_be_clean(f);
}

/* A closed spool with messages, of which the first is delivered; `at` has where the others stand. */
struct place {
	uint64_t number, offset, content;
	char file[SPOOL_FILES_PATH];
};

static void
make_spool(struct fixture *f, struct place at[MESSAGES])
{
	struct verdict ok;
	char text[64];

	fixture_init(f);
	assert_int_equal(fchmodat(f->spoolfd, "drop", 03733, 0), 0);
	fixture_add_writer(f);
	for (unsigned i = 0; i < MESSAGES; i++) {
		const struct message *m;

		snprintf(text, sizeof text, "Subject: %u\n\nmessage number %u\n", i, i);
		m = store_find(f->store, fixture_send(f, text));
		at[i] = (struct place){.number = m->number,
		    .offset = m->offset,
		    .content = store_content_offset(m)};
		spool_files_of(m, at[i].file);
	}
	verdict_set(&ok, VERDICT_OK, 250, "2.0.0", "done");
	store_deliver(f->store, message_recipient(store_find(f->store, at[0].number), 0), &ok);
	store_flush(f->store);
	fixture_close(f);
}

/* After all that was done to the spool these messages are in the queue and can be read, and no others. */
static void
must_have(struct fixture *f, const struct place at[MESSAGES], unsigned from, unsigned to)
{
	struct buf content;
	unsigned n = 0;

	buf_init(&content, 1000);
	fixture_open(f);
	for (size_t i = 0; i < f->nseen; i++)
		n += message_recipient(f->seen[i], 0)->state == RECIPIENT_DUE;
	assert_int_equal(n, to - from);
	for (unsigned i = from; i < to; i++) {
		struct message *m = store_find(f->store, at[i].number);

		assert_non_null(m);
		assert_int_equal(store_read_content(f->store, m, &content), 0);
	}
	fixture_close(f);
	buf_release(&content);
}

static void
test_whole(void **state)
{
	struct place at[MESSAGES];
	struct fsck_report r;
	struct fixture f;

	(void)state;
	make_spool(&f, at);
	examine(&f, &r, false);
	print_findings(&r);
	assert_false(fsck_has_problem(&r, true));
	assert_false(r.running);
	assert_true(r.journal_whole);
	assert_int_equal(r.messages, MESSAGES - 1);
	assert_int_equal(r.recipients, MESSAGES - 1);
	assert_int_equal(r.unknown, 0);
	assert_int_equal(r.nbad, 0);
	assert_int_equal(r.nkept, 0);
	assert_true(r.reserve > 0 && r.room > 0);
	assert_true(r.nsegments >= 1);
	assert_int_equal(r.segments[0].records, MESSAGES);
	assert_int_equal(r.segments[0].live, MESSAGES - 1);
	fsck_release(&r);
	f.store = NULL;
	fixture_release(&f);
}

/* In use, with a message that the queue manager has not heard of and one half written: nothing to complain of. */
static void
test_in_use(void **state)
{
	static const char half[] = "a batch that is being written at this moment";
	struct fsck_report r;
	struct store *kept;
	struct fixture f;
	int lock, fd;

	(void)state;
	fixture_init(&f);
	assert_int_equal(fchmodat(f.spoolfd, "drop", 03733, 0), 0);
	lock = openat(f.spoolfd, "lock", O_CREAT | O_WRONLY, 0600);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	fixture_add_writer(&f);
	fixture_send(&f, "known\n");
	kept = f.store;
	f.store = NULL;
	fixture_send(&f, "not noticed\n");
	f.store = kept;
	fd = openat(f.spoolfd, "segments/0000000001.seg", O_WRONLY);
	assert_int_equal(pwrite(fd, half, sizeof half, 3 * 4096), sizeof half);
	close(fd);
	close(openat(f.spoolfd, "segments/0000000009.seg.new", O_CREAT | O_WRONLY, 0600));
	close(openat(f.spoolfd, "journal/0000000009.ckpt.new", O_CREAT | O_WRONLY, 0600));
	store_flush(f.store);
	examine(&f, &r, false);
	print_findings(&r);
	assert_true(r.running);
	assert_int_equal(r.nfindings, 0);
	assert_int_equal(r.messages, 1);
	assert_int_equal(r.unknown, 1);
	fsck_release(&r);
	close(lock);
	fixture_release(&f);
}

/* CF-02: one message is lost, its neighbours are not; its sender will be told; its octets are in corrupt/. */
static void
test_damaged_message(void **state)
{
	struct place at[MESSAGES];
	struct fsck_report r;
	struct fixture f;

	(void)state;
	make_spool(&f, at);
	spool_files_flip(f.spoolfd, at[2].file, at[2].content + 3);
	spool_files_flip(
	    f.spoolfd, at[0].file, at[0].content + 3); /* of a delivered one: nobody needs it */
	examine(&f, &r, true);
	assert_int_equal(r.nbad, 1);
	assert_true(r.bad[0].number == at[2].number);
	assert_int_equal(r.bad[0].state, FSCK_MESSAGE_DAMAGED);
	assert_string_equal(r.bad[0].sender, "alice@domain2.test");
	find(&r, at[2].file, "damaged: 1 message of the queue");
	fsck_release(&r);
	repair(&f);
	assert_int_equal(spool_files_count(f.spoolfd, "corrupt"), 2);
	fixture_open(&f);
	assert_int_equal(store_counts(f.store)->damaged, 0); /* nothing to complain of */
	assert_int_equal(
	    message_recipient(store_find(f.store, at[2].number), 0)->state, RECIPIENT_FAILED);
	assert_null(store_find(f.store, at[0].number));
	for (unsigned i = 1; i < MESSAGES; i++)
		assert_true(
		    i == 2 || message_recipient(store_find(f.store, at[i].number), 0)->state ==
				  RECIPIENT_DUE);
	fixture_release(&f);
}

/* The journal knows what is needed of a message: its record's header and envelope may rot. */
static void
test_damaged_record_header(void **state)
{
	struct place at[MESSAGES];
	struct fsck_report r;
	struct fixture f;

	(void)state;
	make_spool(&f, at);
	spool_files_flip(f.spoolfd, at[2].file, at[2].offset + 20);
	spool_files_flip(f.spoolfd, at[3].file, at[3].offset + SPOOL_RECORD_SIZE + 5);
	examine(&f, &r, true);
	assert_int_equal(r.nbad, 0);
	assert_false(fsck_has_problem(&r, true));
	find(&r, at[2].file, "it can be delivered");
	fsck_release(&r);
	must_have(&f, at, 1, MESSAGES);
	f.store = NULL;
	fixture_release(&f);
}

static void
test_header_page(void **state)
{
	struct place at[MESSAGES];
	struct fsck_report r;
	struct fixture f;

	(void)state;
	make_spool(&f, at);
	spool_files_flip(f.spoolfd, at[0].file, 17);
	examine(&f, &r, true);
	assert_true(r.segments[0].headless);
	assert_int_equal(r.messages, MESSAGES - 1);
	find(&r, at[0].file, "header page is damaged");
	fsck_release(&r);
	repair(&f);
	examine(&f, &r, true);
	assert_false(r.segments[0].headless);
	fsck_release(&r);
	must_have(&f, at, 1, MESSAGES);
	f.store = NULL;
	fixture_release(&f);
}

/* CF-08: a segment is gone. */
static void
test_missing_segment(void **state)
{
	struct place at[MESSAGES];
	struct fsck_report r;
	struct fixture f;

	(void)state;
	make_spool(&f, at);
	assert_int_equal(unlinkat(f.spoolfd, at[0].file, 0), 0);
	examine(&f, &r, true);
	assert_int_equal(r.nbad, MESSAGES - 1);
	assert_int_equal(r.bad[0].state, FSCK_MESSAGE_MISSING);
	find(&r, at[0].file, "it is gone, and with it 5 messages");
	fsck_release(&r);
	repair(&f);
	fixture_open(&f);
	for (unsigned i = 1; i < MESSAGES; i++)
		assert_int_equal(message_recipient(store_find(f.store, at[i].number), 0)->state,
		    RECIPIENT_FAILED);
	fixture_release(&f);
}

/* A flipped bit in every file of the journal in turn; each removed in turn. */
static void
test_journal(void **state)
{
	static const char *const files[] = {"journal/0000000001.log", "journal/0000000001.ckpt",
	    "journal/0000000002.log", "journal/0000000002.ckpt", "journal/instance"};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof files / sizeof *files; i++) {
		const char *file = files[i / 2];
		struct place at[MESSAGES];
		struct fsck_report r;
		struct fixture f;
		struct stat st;

		make_spool(&f, at);
		fixture_open(&f); /* log 2, checkpoint 2: all of it is needed twice over */
		fixture_add_writer(&f);
		store_flush(f.store);
		fixture_close(&f);
		if (i % 2 == 0)
			spool_files_flip(f.spoolfd, file, 9);
		else
			assert_int_equal(unlinkat(f.spoolfd, file, 0), 0);
		examine(&f, &r, true);
		if (i / 2 != 0 && i / 2 != 1) /* what checkpoint 2 replaces is not needed */
			assert_true(fsck_has_problem(&r, true) || i / 2 == 2 || i == 7);
		assert_int_equal(r.nbad, 0);
		if (fsck_has_problem(&r, true)) {
			fsck_release(&r);
			repair(&f);
		} else {
			fsck_release(&r);
		}
		assert_int_equal(fstatat(f.spoolfd, "journal/instance", &st, 0), 0);
		must_have(&f, at, 1, MESSAGES);
		f.store = NULL;
		fixture_release(&f);
	}
}

/* What does not belong: set aside, never removed; a message that only a link endangers is kept. */
static void
test_files_that_do_not_belong(void **state)
{
	struct place at[MESSAGES];
	unsigned char page[SPOOL_PAGE];
	struct spool_segment_header h = {77, 5, 0x1234567890abcdef, sizeof page};
	struct fsck_report r;
	struct fixture f;
	int fd;

	(void)state;
	make_spool(&f, at);
	fd = openat(f.spoolfd, "segments/0000000077.seg", O_CREAT | O_WRONLY, 0600);
	spool_segment_header_format(&h, page);
	assert_int_equal(write(fd, page, sizeof page), sizeof page);
	close(fd);
	close(openat(f.spoolfd, "large/notes", O_CREAT | O_WRONLY, 0600));
	close(openat(f.spoolfd, "large/notes.new", O_CREAT | O_WRONLY, 0600));
	close(openat(f.spoolfd, "journal/0000000001.log.bak", O_CREAT | O_WRONLY, 0600));
	close(openat(f.spoolfd, "segments/0000000099.seg.new", O_CREAT | O_WRONLY, 0600));
	assert_int_equal(symlinkat("/etc/passwd", f.spoolfd, "segments/0000000078.seg"), 0);
	assert_int_equal(linkat(f.spoolfd, at[0].file, f.spoolfd, "another-name", 0), 0);
	examine(&f, &r, true);
	find(&r, "segments/0000000077.seg", "belongs to another spool"); /* CF-09 */
	find(&r, "segments/0000000078.seg", "");
	find(&r, "large/notes", "no segment");
	find(&r, "large/notes.new", "no segment");
	find(&r, "journal/0000000001.log.bak", "no file of the journal");
	assert_int_equal(find(&r, "segments/0000000099.seg.new", "")->severity, FSCK_NOTE);
	assert_int_equal(find(&r, "another-name", "")->severity, FSCK_NOTE);
	find(&r, at[0].file, "more than one link");
	fsck_release(&r);
	repair(&f);
	assert_int_equal(spool_files_count(f.spoolfd, "corrupt"), 10);
	must_have(&f, at, 1, MESSAGES);
	f.store = NULL;
	fixture_release(&f);
}

static void
test_modes(void **state)
{
	struct place at[MESSAGES];
	struct fsck_report r;
	struct fixture f;

	(void)state;
	make_spool(&f, at);
	assert_int_equal(fchmodat(f.spoolfd, at[0].file, 0644, 0), 0);
	assert_int_equal(fchmodat(f.spoolfd, "journal", 0755, 0), 0);
	examine(&f, &r, true);
	find(&r, at[0].file, "mode 0644, not 0600");
	find(&r, "journal", "mode 0755, not 0700");
	fsck_release(&r);
	repair(&f);
	must_have(&f, at, 1, MESSAGES);
	f.store = NULL;
	fixture_release(&f);
}

static void
on_salvaged(const struct salvage_message *m, void *arg)
{
	unsigned *n = arg;

	assert_string_equal(m->name[0] != '\0' ? "named" : "", "named");
	*n += !m->there;
}

/* Every whole message of a file becomes a file of its own, with or without the header page, once. */
static void
test_salvage(void **state)
{
	struct place at[MESSAGES];
	struct salvage_result result;
	struct fixture f;
	char id[SPOOL_ID_SIZE], name[64], text[600];
	unsigned n = 0;
	int out, fd;
	ssize_t len;

	(void)state;
	make_spool(&f, at);
	assert_int_equal(mkdirat(f.spoolfd, "out", 0700), 0);
	out = openat(f.spoolfd, "out", O_RDONLY | O_DIRECTORY);
	spool_files_flip(f.spoolfd, at[2].file, at[2].content + 3);
	for (int turn = 0; turn < 2; turn++) {
		assert_int_equal(
		    salvage_file(f.spoolfd, at[0].file, out, on_salvaged, &n, &result), 0);
		assert_int_equal(result.written, turn == 0 ? MESSAGES - 1 : 0);
		assert_int_equal(result.there, turn == 0 ? 0 : MESSAGES - 1);
		assert_int_equal(result.damaged, 1);
		spool_files_flip(f.spoolfd, at[0].file, 9);
	}
	assert_int_equal(n, MESSAGES - 1);
	snprintf(name, sizeof name, "%s.eml", spool_id_format(at[3].number, id));
	fd = openat(out, name, O_RDONLY);
	len = read(fd, text, sizeof text - 1);
	assert_true(len > 0);
	text[len] = '\0';
	close(fd);
	assert_string_equal(text, "Subject: 3\n\nmessage number 3\n");
	snprintf(name, sizeof name, "%s.envelope", id);
	fd = openat(out, name, O_RDONLY);
	len = read(fd, text, sizeof text - 1);
	assert_true(len > 0);
	text[len] = '\0';
	close(fd);
	assert_non_null(
	    strstr(text, "\nfrom: <alice@domain2.test>\nrecipient: <bob@domain1.test>\n"));
	assert_int_equal(
	    salvage_file(f.spoolfd, "journal/instance", out, on_salvaged, &n, &result), -1);
	assert_int_equal(errno, EINVAL);
	close(out);
	f.store = NULL;
	fixture_release(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whole),
	    cmocka_unit_test(test_in_use),
	    cmocka_unit_test(test_damaged_message),
	    cmocka_unit_test(test_damaged_record_header),
	    cmocka_unit_test(test_header_page),
	    cmocka_unit_test(test_missing_segment),
	    cmocka_unit_test(test_journal),
	    cmocka_unit_test(test_files_that_do_not_belong),
	    cmocka_unit_test(test_modes),
	    cmocka_unit_test(test_salvage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
