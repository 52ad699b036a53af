/* Segment files: scanning, damage, generations, locks, and files that are not what they seem. */
#include "tests/unit/spool_fixture.h"

#include "queue/spool_record.h"

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
	fixture_release(&f);
}

static void
test_other_generation_is_nothing(void **state)
{
	struct fixture f;
	struct spool_segment *s = ten_messages(&f);
	unsigned damaged;

	(void)state;
	s->generation++;
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
	    cmocka_unit_test(test_other_generation_is_nothing),
	    cmocka_unit_test(test_lock_tells_of_a_writer),
	    cmocka_unit_test(test_refuses_strange_files),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
