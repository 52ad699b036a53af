/* Segment files: scanning, damage, generations, locks, and files that are not what they seem. */
#include "tests/unit/spool_fixture.h"

#include <sys/syscall.h>

#include "queue/spool_record.h"
#include "queue/spool_scan.h"

/* Octets in [bad_from, bad_to) of every file but this one's executable cannot be read. */
static off_t bad_from, bad_to;

ssize_t
pread(int fd, void *p, size_t n, off_t offset)
{
	if (offset < bad_to && offset + (off_t)n > bad_from) {
		if (offset >= bad_from / 4096 * 4096) {
			errno = EIO;
			return -1;
		}
		n = (size_t)(bad_from / 4096 * 4096 -
			     offset); /* as Linux does: up to the bad page */
	}
	return syscall(SYS_pread64, fd, p, n, offset);
}

struct found {
	unsigned n;
	uint64_t last;
};

static void
count_record(struct spool_segment *s, uint64_t offset, const struct spool_record *r,
    struct span envelope, void *arg)
{
	struct found *f = arg;

	(void)s, (void)offset, (void)envelope;
	f->n++;
	f->last = r->message;
}

/* A fixture with ten messages in one segment; the segment. */
static struct spool_segment *
ten_messages(struct fixture *f)
{
	fixture_init(f);
	fixture_add_writer(f);
	for (int i = 0; i < 10; i++)
		fixture_send(f, "0123456789\n");
	return f->seen[0]->segment;
}

static unsigned
scan(struct fixture *f, struct spool_segment *s, bool past_gaps, unsigned *damaged)
{
	struct spool_scan_result result;
	struct found found = {0};

	spool_segment_scan(s, store_instance(f->store), SPOOL_PAGE, s->size, past_gaps,
	    count_record, &found, &result);
	*damaged = result.damaged;
	return found.n;
}

static void
overwrite(struct fixture *f, struct spool_segment *s, uint64_t at, const void *p, size_t n)
{
	char name[SPOOL_NAME_SIZE], path[64];
	int fd;

	snprintf(path, sizeof path, "segments/%s", spool_segment_name(s->number, false, name));
	fd = openat(f->spoolfd, path, O_WRONLY);
	assert_int_equal(pwrite(fd, p, n, (off_t)at), (ssize_t)n);
	close(fd);
}

static void
test_scan_finds_all(void **state)
{
	struct fixture f;
	struct spool_segment *s = ten_messages(&f);
	unsigned damaged;

	(void)state;
	assert_int_equal(scan(&f, s, false, &damaged), 10);
	assert_int_equal(scan(&f, s, true, &damaged), 10);
	assert_int_equal(damaged, 0);
	fixture_release(&f);
}

/* A broken content in the middle was durable once; at the end it is what a power cut leaves. */
static void
test_damage_in_the_middle_and_at_the_end(void **state)
{
	struct fixture f;
	struct spool_segment *s = ten_messages(&f);
	unsigned damaged;

	(void)state;
	overwrite(&f, s, store_content_offset(f.seen[9]), "X", 1);
	assert_int_equal(scan(&f, s, true, &damaged), 9);
	assert_int_equal(damaged, 0);
	overwrite(&f, s, store_content_offset(f.seen[4]), "X", 1);
	assert_int_equal(scan(&f, s, true, &damaged), 8);
	assert_int_equal(damaged, 1);
	fixture_release(&f);
}

static void
test_gap(void **state)
{
	static const char zeros[SPOOL_PAGE];
	struct fixture f;
	struct spool_segment *s = ten_messages(&f);
	unsigned damaged;

	(void)state;
	overwrite(&f, s, f.seen[3]->offset, zeros, sizeof zeros);
	assert_int_equal(scan(&f, s, false, &damaged), 3);
	assert_int_equal(scan(&f, s, true, &damaged), 9);
	assert_int_equal(damaged, 1);
	fixture_release(&f);
}

static void
flip(struct spool_segment *s, struct fixture *f, uint64_t at, unsigned char bit)
{
	unsigned char c;

	assert_int_equal(spool_segment_read(s, at, &c, 1), 0);
	c ^= bit;
	overwrite(f, s, at, &c, 1);
}

/* CF-01, CF-02: a bit flipped at every octet of a record: it alone is missed, and only what had been durable is called damaged. */
static void
test_every_octet_of_a_record(void **state)
{
	struct fixture f;
	struct spool_segment *s = ten_messages(&f);
	struct spool_record r;
	unsigned damaged;

	(void)state;
	for (unsigned which = 5; which <= 9; which += 4) {
		uint64_t at = f.seen[which]->offset, end;

		assert_int_equal(spool_segment_look(s, store_instance(f.store), at, &r, NULL),
		    SPOOL_FOUND_RECORD);
		end = at + SPOOL_RECORD_SIZE + r.envelope_len + r.content_len;
		for (; at < end; at++) {
			flip(s, &f, at, (unsigned char)(1U << at % 8));
			assert_int_equal(scan(&f, s, true, &damaged), 9);
			assert_int_equal(damaged, which == 5);
			flip(s, &f, at, (unsigned char)(1U << at % 8));
		}
	}
	assert_int_equal(scan(&f, s, true, &damaged), 10);
	assert_int_equal(damaged, 0);
	fixture_release(&f);
}

/* Three messages in one batch: a header that is gone leaves a gap between its neighbours, or before the next batch. */
static void
test_missing_header_within_a_batch(void **state)
{
	static const char *const rcpt[] = {"bob@domain1.test"};
	struct fixture f;
	struct spool_segment *s;
	unsigned damaged;

	(void)state;
	for (unsigned which = 1; which <= 3; which++) {
		fixture_init(&f);
		fixture_add_writer(&f);
		fixture_send(&f, "a batch of its own\n");
		for (int i = 0; i < 4; i++) /* the first is flushed while the others collect */
			fixture_send_to(&f, "a@d.test", rcpt, 1, "one of a batch\n", "");
		fixture_until(&f, fixture_idle);
		fixture_send(&f, "the batch after\n");
		s = f.seen[0]->segment;
		assert_int_equal(f.nseen, 6);
		assert_true(f.seen[2]->offset / SPOOL_PAGE == f.seen[4]->offset / SPOOL_PAGE);
		flip(s, &f, f.seen[1 + which]->offset, 1);
		assert_int_equal(scan(&f, s, true, &damaged), 5);
		assert_int_equal(damaged, 1);
		fixture_release(&f);
	}
}

/* CF-10: a page that cannot be read costs the records that touch it, and is told apart from what never was there. */
static void
test_unreadable_page(void **state)
{
	struct fixture f;
	struct spool_segment *s = ten_messages(&f);
	struct spool_scan_result result;
	struct spool_record r;
	struct found found = {0};

	(void)state;
	bad_from = (off_t)f.seen[4]->offset + 100;
	bad_to = bad_from + 512;
	spool_segment_scan(s, store_instance(f.store), SPOOL_PAGE, s->size, true, count_record,
	    &found, &result);
	assert_int_equal(found.n, 9);
	assert_int_equal(result.unreadable, 1);
	assert_int_equal(
	    spool_segment_look(s, store_instance(f.store), f.seen[4]->offset, &r, NULL),
	    SPOOL_FOUND_UNREADABLE);
	assert_int_equal(
	    spool_segment_look(s, store_instance(f.store), f.seen[5]->offset, &r, NULL),
	    SPOOL_FOUND_RECORD);
	bad_from = bad_to = 0;
	fixture_release(&f);
}

static void
test_other_generation_is_nothing(void **state)
{
	struct fixture f;
	struct spool_segment *s = ten_messages(&f);
	unsigned damaged;

	(void)state;
	s->generation++; /* CF-05: records of an earlier life */
	assert_int_equal(scan(&f, s, true, &damaged), 0);
	assert_int_equal(damaged, 0);
	s->generation--;
	fixture_release(&f);
}

static void
test_lock_tells_of_a_writer(void **state)
{
	struct fixture f;
	struct spool_segment *s = ten_messages(&f);
	struct segment_pool *pool = store_pool(f.store);

	(void)state;
	assert_true(segment_pool_is_held(pool, s));
	spool_writer_free(&f.writer);
	assert_false(segment_pool_is_held(pool, s));
	fixture_release(&f);
}

/* A link, a device, another spool's segment: none is opened, each says why. */
static void
test_refuses_strange_files(void **state)
{
	struct fixture f;
	struct spool_segment *s = ten_messages(&f);
	uint64_t instance = store_instance(f.store);
	int dirfd = segment_pool_dirfd(store_pool(f.store), s);
	char name[SPOOL_NAME_SIZE];
	const char *why = NULL;

	(void)state;
	spool_segment_name(s->number, false, name);
	assert_null(spool_segment_open(dirfd, name, false, instance + 1, &why));
	assert_string_equal(why, "it belongs to another spool");
	assert_int_equal(linkat(dirfd, name, dirfd, "0000000077.seg", 0), 0);
	assert_null(spool_segment_open(dirfd, name, false, instance, &why));
	assert_string_equal(why, "has more than one link");
	assert_int_equal(unlinkat(dirfd, "0000000077.seg", 0), 0);
	assert_int_equal(symlinkat(name, dirfd, "0000000078.seg"), 0);
	assert_null(spool_segment_open(dirfd, "0000000078.seg", false, instance, &why));
	assert_int_equal(mkfifoat(dirfd, "0000000079.seg", 0600), 0);
	assert_null(spool_segment_open(dirfd, "0000000079.seg", false, instance, &why));
	assert_string_equal(why, "not a regular file");
	fixture_release(&f);
}

/* A hole is what was only set aside: each flush of mail into it would write to the file system's own tables as well. */
static void
test_new_segments_are_written_to_their_end(void **state)
{
	struct fixture f;
	struct spool_segment *s;

	(void)state;
	fixture_init(&f);
	fixture_add_writer(&f);
	fixture_send(&f, "0123456789\n");
	s = f.seen[0]->segment;
	assert_int_equal(s->size, FIXTURE_SEGMENT);
	assert_int_equal(lseek(s->fd, 0, SEEK_HOLE), FIXTURE_SEGMENT);
	fixture_release(&f);
}

static void
test_names(void **state)
{
	uint64_t n;

	(void)state;
	assert_int_equal(spool_segment_name_parse("0000000042.seg", false, &n), 0);
	assert_true(n == 42);
	assert_int_equal(spool_segment_name_parse("00000000000000ff.seg", true, &n), 0);
	assert_true(n == 255);
	assert_int_equal(spool_segment_name_parse("42.seg", false, &n), -1);
	assert_int_equal(spool_segment_name_parse("0000000042.seg.new", false, &n), -1);
	assert_int_equal(spool_segment_name_parse("-000000042.seg", false, &n), -1);
	assert_int_equal(spool_segment_name_parse("", false, &n), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_scan_finds_all),
	    cmocka_unit_test(test_damage_in_the_middle_and_at_the_end),
	    cmocka_unit_test(test_gap),
	    cmocka_unit_test(test_every_octet_of_a_record),
	    cmocka_unit_test(test_missing_header_within_a_batch),
	    cmocka_unit_test(test_unreadable_page),
	    cmocka_unit_test(test_other_generation_is_nothing),
	    cmocka_unit_test(test_lock_tells_of_a_writer),
	    cmocka_unit_test(test_refuses_strange_files),
	    cmocka_unit_test(test_new_segments_are_written_to_their_end),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
