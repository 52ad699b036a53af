/*
 * crash_play: plays a script on the disk that remembers (crash_disk.h), cuts the
 * power at every change it saw (crash_image.h) and compares what recovery finds
 * with what had been promised (crash_check.h). To be included by one file of a
 * test program: it defines libc's calls.
 *
 * make check takes one image a point, of long scripts every second point; CRASH_LONG=1
 * every point, and several images of each. CRASH_SEEDS=n plays the scripts that take seeds with seeds 1 to n.
 */
#ifndef TESTS_UNIT_CRASH_PLAY_H
#define TESTS_UNIT_CRASH_PLAY_H

#include "tests/unit/crash_check.h"

/* libc's calls, as the library under test sees them. */
int
mkdirat(int dirfd, const char *name, mode_t mode)
{
	return disk_mkdir(dirfd, name, mode);
}

int
openat(int dirfd, const char *name, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return disk_open(dirfd, name, flags, mode);
}

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	return disk_write(fd, iov, n, offset);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t offset)
{
	struct iovec iov = {(void *)(uintptr_t)p, n};

	return disk_write(fd, &iov, 1, offset);
}

int
fdatasync(int fd)
{
	return disk_flush(fd);
}

int
fsync(int fd)
{
	return disk_flush(fd);
}

int
fallocate(int fd, int mode, off_t offset, off_t len)
{
	return disk_allocate(fd, mode, offset, len);
}

int
renameat(int from, const char *name, int to, const char *new_name)
{
	return disk_rename(from, name, to, new_name);
}

int
unlinkat(int dirfd, const char *name, int flags)
{
	return disk_unlink(dirfd, name, flags);
}

/* In a short run every second point of a longer log is enough. */
#define SHORT_LOG 200

static bool long_run;
static unsigned points, images, failures; /* over all tests */
static struct tally tally;

typedef void script_fn(struct world *w);

static inline struct image_pick
pick_at(uint64_t *random, unsigned which)
{
	static const unsigned chances[] = {128, 24, 232};
	unsigned dice = (unsigned)(image_random(random) % 8);
	struct image_pick pick = {.part = IMAGE_SOME, .random = image_random(random) | 1};

	pick.chance = chances[image_random(random) % 3];
	pick.torn = image_random(random) % 4 != 0;
	pick.ordered = image_random(random) % 3 == 0;
	if (long_run ? which == 0 : dice == 0)
		pick.part = IMAGE_NOTHING;
	else if (long_run ? which == 1 : dice == 1)
		pick.part = IMAGE_EVERYTHING;
	return pick;
}

/* Cuts the power here, once or several times. */
static inline void
cut_here(
    struct check *c, const struct image *im, const char *name, uint64_t seed, uint64_t *random)
{
	points++;
	for (unsigned k = 0; k < (long_run && im->npending > 0 ? 5U : 1U); k++) {
		struct image_pick pick = pick_at(random, k);
		unsigned stop = image_random(random) % 4 == 0
				    ? 1 + (unsigned)(image_random(random) % 14)
				    : 0;

		c->limits.checkpoint_at_once = image_random(random) % 3 == 0;
		snprintf(c->where, sizeof c->where,
		    "%s(%" PRIu64 ") cut after %u of %u, image %u (part %d)", name, seed,
		    im->at, disk->nops, k, pick.part);
		check_image(c, im, pick, stop);
		images++;
	}
}

/* Cuts the power at every point of the recorded log, or at about one of so many, and at the last. */
static inline void
cut(struct world *w, const char *name, uint64_t seed, unsigned one_of)
{
	struct check *c = xcalloc(1, sizeof *c);
	struct image *im = image_new();
	struct promises *p = xcalloc(1, sizeof *p);
	uint64_t random = seed * 77 + 1;

	assert_false(disk->overflow);
	assert_int_equal(disk->misuse, 0);
	c->w = w;
	c->p = p;
	c->tally = &tally;
	while (im->at < disk->nops) {
		if (disk->ops[im->at].kind != DISK_NOTE)
			image_step(im);
		/* Everything noted before the next change is promised already. */
		while (im->at < disk->nops && disk->ops[im->at].kind == DISK_NOTE)
			promises_note(p, &disk->ops[im->at++]);
		if (image_random(&random) % one_of == 0 || im->at == disk->nops)
			cut_here(c, im, name, seed, &random);
	}
	image_free(&im);
	free(p);
	free(c);
}

static inline void
play_and_cut(script_fn *script, const char *name, uint64_t seed)
{
	struct world *w = world_new(seed);

	script(w);
	world_close(w);
	world_end(w);
	cut(w, name, seed, long_run || disk->nops < SHORT_LOG ? 1 : 2);
	print_message(
	    "# %-12s %5u operations, %u messages, %u outcomes; so far %u points, %u images\n",
	    name, disk->nops, w->nmessages, w->noutcomes, points, images);
	free(w);
}

#define SCRIPT_TEST(name)                                                                      \
	static void test_##name(void **state)                                                  \
	{                                                                                      \
		(void)state;                                                                   \
		play_and_cut(script_##name, #name, 1);                                         \
	}

/* A kind of call that a script makes, about so often, and how it fails. */
struct failing_row {
	enum disk_call call;
	int error; /* errno; 0: a short write */
	unsigned upto;
};

/* Plays a script with call number n failing, and all of its kind after it if on; ends with cut_failing. */
typedef void failing_fn(const struct failing_row *row, unsigned n, bool on);

/* Each call of each row in turn; in a short run about so many of each. */
static inline void
play_failing_rows(const struct failing_row *rows, size_t nrows, unsigned of_each,
    uint64_t random, failing_fn *play)
{
	for (size_t i = 0; i < nrows; i++) {
		unsigned step = long_run ? 1 : (rows[i].upto + of_each - 1) / of_each;

		for (unsigned n = long_run ? 1 : 1 + (unsigned)(image_random(&random) % step);
		     n <= rows[i].upto; n += step)
			play(&rows[i], n, image_random(&random) % 3 == 0);
	}
	print_message(
	    "# failing calls: %u, so far %u points, %u images\n", failures, points, images);
}

/* Ends what was played with a failing call, cuts at about one of so many points, and frees. */
static inline void
cut_failing(
    struct world *w, const struct failing_row *row, unsigned n, bool on, unsigned one_of)
{
	static const char *const names[] = {
	    "open", "write", "flush", "allocate", "rename", "unlink"};
	char name[64];

	failures += disk->failed;
	world_close(w);
	world_end(w);
	snprintf(name, sizeof name, "%s %u: %s%s", names[row->call], n,
	    row->error != 0 ? strerror(row->error) : "short", on ? ", and on" : "");
	cut(w, name, n, one_of);
	free(w);
}

/* How many seeds a script is played with. */
static inline uint64_t
play_seeds(unsigned in_short, unsigned in_long)
{
	const char *asked = getenv("CRASH_SEEDS");
	uint64_t n;

	if (asked != NULL && span_to_u64(span_str(asked), UINT32_MAX, &n) == 0)
		return n;
	return long_run ? in_long : in_short;
}

/* What it all came to. */
static inline void
play_summary(void)
{
	print_message(
	    "# %u cut points, %u images, %u failed calls\n", points, images, failures);
	print_message("# %" PRIu64 " acknowledged messages looked for, 0 lost; %" PRIu64
		      " deliveries, %" PRIu64
		      " made again, all of them with their record cut\n",
	    tally.acked, tally.delivered, tally.once_again);
}

/* How long a run is asked for; the log; the disk. To be called first. */
static inline void
play_init(void)
{
	static const char *const asks[] = {"CRASH_LONG", "POSTRIDER_TEST_LONG"};

	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
		long_run |= getenv(asks[i]) != NULL && getenv(asks[i])[0] == '1';
	log_init("test", LOG_LEVEL_FATAL);
	disk_init();
}

#endif
