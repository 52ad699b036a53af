/* test_segment_pool: what becomes of a great many segments in which nothing is needed any more. */
#include "queue/segment_pool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/spool_files.h"

#define INSTANCE 77
#define SIZE	 65536
#define MANY	 60
#define KEPT	 8 /* free ones, for a new life */

static void
on_ready(void *arg)
{
	(void)arg;
}

static void
on_space(bool room, void *arg)
{
	(void)room, (void)arg;
}

static uint64_t
on_generation(uint64_t number, uint64_t generation, bool own, void *arg)
{
	(void)number, (void)generation, (void)own, (void)arg;
	return 0;
}

static const struct segment_pool_ops ops = {
    .on_ready = on_ready, .on_space = on_space, .on_generation = on_generation};

/* An administrator removes all mail: no turn of the loop is long for it, and in the end all are given up. */
static void
gives_up_some_in_a_turn(void **state)
{
	char path[] = "/tmp/postrider-test.XXXXXX";
	struct segment_pool *p;
	struct event_base *base = event_base_new();
	unsigned left = MANY, turns = 0;
	int spoolfd, dirfd;

	(void)state;
	assert_non_null(mkdtemp(path));
	spoolfd = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(mkdirat(spoolfd, "segments", 0700), 0);
	assert_int_equal(mkdirat(spoolfd, "large", 0700), 0);
	dirfd = openat(spoolfd, "segments", O_RDONLY | O_DIRECTORY);
	for (uint64_t n = 1; n <= MANY; n++) {
		struct spool_segment_header h = {
		    .number = n, .generation = n, .instance = INSTANCE, .size = SIZE};

		assert_int_equal(spool_segment_create(dirfd, &h, false, NULL), 0);
	}
	p = segment_pool_new(base, spoolfd, -1, INSTANCE, SIZE, &ops, NULL);
	assert_non_null(p);
	segment_pool_on_durable(p, 0);
	for (int i = 0; i < 5000 && left > KEPT; i++) {
		unsigned now = spool_files_count(spoolfd, "segments");

		assert_in_range(left - now, 0, 10);
		turns += now < left;
		left = now;
		segment_pool_on_durable(p, turns); /* meanwhile the journal goes on */
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		usleep(200);
	}
	assert_int_equal(left, KEPT);
	assert_in_range(turns, 6, MANY);
	segment_pool_free(&p);
	event_base_free(base);
	close(dirfd);
	close(spoolfd);
	nftw(path, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* Who says that he will send a great deal gets no more of the disk than he sends, but for a little. */
static void
a_large_message_is_believed_when_it_comes(void **state)
{
	struct spool_segment_header h = {
	    .number = 7, .generation = 1, .instance = INSTANCE, .size = UINT64_C(100) << 20};
	char path[] = "/tmp/postrider-test.XXXXXX", name[SPOOL_NAME_SIZE];
	struct stat st;
	int dirfd;

	(void)state;
	assert_non_null(mkdtemp(path));
	dirfd = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(spool_segment_create(dirfd, &h, true, NULL), 0);
	spool_segment_name(h.number, true, name);
	assert_int_equal(fstatat(dirfd, name, &st, 0), 0);
	assert_in_range(st.st_blocks * 512, 1, SPOOL_LARGE_AHEAD + 65536);
	assert_int_equal(unlinkat(dirfd, name, 0), 0);
	close(dirfd);
	rmdir(path);
}

/* Where a writer waits a segment is there at once, with all its room, and is not filled with zeros first. */
static void
filling_ends_when_somebody_waits(void **state)
{
	struct spool_segment_header h = {
	    .number = 7, .generation = 1, .instance = INSTANCE, .size = UINT64_C(4) << 20};
	char path[] = "/tmp/postrider-test.XXXXXX", name[SPOOL_NAME_SIZE];
	atomic_bool hurry = true;
	struct stat st;
	int dirfd, fd;

	(void)state;
	assert_non_null(mkdtemp(path));
	dirfd = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(spool_segment_create(dirfd, &h, false, &hurry), 0);
	fd = openat(dirfd, spool_segment_name(h.number, false, name), O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, h.size);
	assert_true((uint64_t)st.st_blocks * 512 >= h.size);
	assert_int_equal(lseek(fd, SPOOL_PAGE, SEEK_DATA), -1);
	close(fd);
	assert_int_equal(unlinkat(dirfd, name, 0), 0);
	close(dirfd);
	rmdir(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gives_up_some_in_a_turn),
	    cmocka_unit_test(a_large_message_is_believed_when_it_comes),
	    cmocka_unit_test(filling_ends_when_somebody_waits),
	};

	return cmocka_run_group_tests_name("segment_pool", tests, NULL, NULL);
}
