/*
 * test_snapshot: answers of forked children: what they write arrives, what the parent changes
 * meanwhile does not show, and a child whose reader is gone or takes nothing ends by itself.
 */
#include "queue/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/channel.h"
#include "tests/unit/testing.h"

static const struct snapshot_limits limits = {2, 1, 3};

struct reader {
	int frames, ended, closed;
	uint64_t sum, count;
};

static void
on_message(struct channel *c, struct wire_msg *m, void *arg)
{
	struct reader *r = arg;

	(void)c;
	r->frames++;
	if (span_is(m->verb, "end")) {
		r->ended++;
		(void)wire_get_u64(m, "count", UINT64_MAX, &r->count);
		return;
	}
	assert_true(span_is(m->verb, "part"));
	for (size_t i = 0; i < m->nfields; i++) {
		uint64_t n;

		assert_int_equal(span_to_u64(m->fields[i].value, UINT64_MAX, &n), 0);
		r->sum += n;
	}
}

static void
on_close(struct channel *c, const char *why, void *arg)
{
	struct reader *r = arg;

	(void)c, (void)why;
	r->closed++;
}

static const struct channel_ops ops = {.on_message = on_message, .on_close = on_close};

static void
write_numbers(struct snapshot_out *out, void *arg)
{
	const uint64_t *n = arg;

	for (uint64_t i = 1; i <= *n; i++)
		wire_add_u64(snapshot_part(out), "n", i);
	wire_add_u64(snapshot_end(out), "count", *n);
}

static struct reader
read_all(struct event_base *base, int fd)
{
	struct reader r = {.frames = 0};
	struct channel *c;

	assert_true(fd >= 0);
	c = channel_new(base, fd, &ops, &r);
	assert_true(testing_run_until(base, &r.closed, 1));
	channel_free(&c);
	return r;
}

static void
tells_what_was_there_when_it_began(void **state)
{
	struct event_base *base = event_base_new();
	struct snapshot_set *s = snapshot_set_new(base, &limits);
	uint64_t n = 100000;
	struct reader r;
	int fd;

	(void)state;
	fd = snapshot_begin(s, write_numbers, &n);
	n = 5;
	r = read_all(base, fd);
	assert_int_equal(r.ended, 1);
	assert_int_equal(r.count, 100000);
	assert_int_equal(r.sum, UINT64_C(100000) * 100001 / 2);
	assert_true(r.frames > 5);
	n = 0;
	r = read_all(base, snapshot_begin(s, write_numbers, &n));
	assert_int_equal(r.ended, 1);
	assert_int_equal(r.sum, 0);
	snapshot_set_free(&s);
	assert_null(s);
	event_base_free(base);
}

static void
list_descriptors(struct snapshot_out *out, void *arg)
{
	struct dirent *e;
	DIR *d = opendir("/proc/self/fd");

	(void)arg;
	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && (e->d_name[0] > '2' || e->d_name[1] != '\0'))
			wire_add_u64(snapshot_part(out), "one", 1);
}

static void
holds_no_other_descriptor(void **state)
{
	struct event_base *base = event_base_new();
	struct snapshot_set *s = snapshot_set_new(base, &limits);
	struct reader r;
	int low = open("/dev/null", O_RDONLY), high = fcntl(low, F_DUPFD, 200);

	(void)state;
	r = read_all(base, snapshot_begin(s, list_descriptors, NULL));
	assert_int_equal(r.ended, 1);
	assert_int_equal(r.sum, 2); /* its end, and the directory it reads */
	close(low);
	close(high);
	snapshot_set_free(&s);
	event_base_free(base);
}

/* Runs the loop until no child is left; how many milliseconds that took. */
static uint64_t
wait_gone(struct event_base *base, struct snapshot_set *s)
{
	uint64_t began = clock_mono_ms();

	while (snapshot_count(s) > 0 && clock_mono_ms() < began + 8000)
		testing_run_for(base, 10);
	assert_int_equal(snapshot_count(s), 0);
	return clock_mono_ms() - began;
}

static void
ends_without_a_reader(void **state)
{
	struct event_base *base = event_base_new();
	struct snapshot_set *s = snapshot_set_new(base, &limits);
	uint64_t n = UINT64_MAX;

	(void)state;
	close(snapshot_begin(s, write_numbers, &n));
	assert_true(wait_gone(base, s) < 900);
	snapshot_set_free(&s);
	event_base_free(base);
}

static void
ends_when_nothing_is_read(void **state)
{
	struct event_base *base = event_base_new();
	struct snapshot_set *s = snapshot_set_new(base, &limits);
	uint64_t n = UINT64_MAX, took;
	int fd;

	(void)state;
	fd = snapshot_begin(s, write_numbers, &n);
	took = wait_gone(base, s);
	assert_true(took > 500 && took < 2500); /* stall: one second */
	close(fd);
	snapshot_set_free(&s);
	event_base_free(base);
}

static void
compute_for_ever(struct snapshot_out *out, void *arg)
{
	volatile int *never = arg;

	(void)out;
	while (*never == 0)
		;
}

static void
ends_when_it_writes_nothing(void **state)
{
	struct event_base *base = event_base_new();
	struct snapshot_set *s = snapshot_set_new(base, &limits);
	int never = 0;
	struct reader r = read_all(base, snapshot_begin(s, compute_for_ever, &never));

	(void)state;
	assert_int_equal(r.ended, 0);
	snapshot_set_free(&s);
	event_base_free(base);
}

static void
is_bounded_in_time_however_eager_the_reader(void **state)
{
	struct event_base *base = event_base_new();
	struct snapshot_set *s = snapshot_set_new(base, &limits);
	uint64_t n = UINT64_MAX, began = clock_mono_ms();
	struct reader r = read_all(base, snapshot_begin(s, write_numbers, &n));

	(void)state;
	assert_int_equal(r.ended, 0);
	assert_true(r.frames > 0);
	assert_true(clock_mono_ms() - began < 4500); /* limit: three seconds */
	snapshot_set_free(&s);
	event_base_free(base);
}

static void
refuses_too_many(void **state)
{
	struct event_base *base = event_base_new();
	struct snapshot_set *s = snapshot_set_new(base, &limits);
	uint64_t n = UINT64_MAX, few = 3;
	int one = snapshot_begin(s, write_numbers, &n);
	int two = snapshot_begin(s, write_numbers, &n);

	(void)state;
	assert_int_equal(snapshot_begin(s, write_numbers, &few), -1);
	assert_int_equal(errno, EAGAIN);
	close(one);
	(void)wait_gone(base, s);
	close(two);
	assert_int_equal(read_all(base, snapshot_begin(s, write_numbers, &few)).count, 3);
	snapshot_set_free(&s);
	event_base_free(base);
}

static void
its_end_ends_the_children(void **state)
{
	struct event_base *base = event_base_new();
	struct snapshot_set *s = snapshot_set_new(base, &limits);
	uint64_t n = UINT64_MAX;
	int fd = snapshot_begin(s, write_numbers, &n);
	char piece[4096];

	(void)state;
	snapshot_set_free(&s);
	while (read(fd, piece, sizeof piece) > 0)
		;
	close(fd);
	event_base_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tells_what_was_there_when_it_began),
	    cmocka_unit_test(holds_no_other_descriptor),
	    cmocka_unit_test(ends_without_a_reader),
	    cmocka_unit_test(ends_when_nothing_is_read),
	    cmocka_unit_test(ends_when_it_writes_nothing),
	    cmocka_unit_test(is_bounded_in_time_however_eager_the_reader),
	    cmocka_unit_test(refuses_too_many),
	    cmocka_unit_test(its_end_ends_the_children),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
