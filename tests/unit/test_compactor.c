/*
 * Compaction: the disk is given back, whatever happens to messages meanwhile, and
 * every message stays what it was. What a crash leaves: test_spool_crash, and
 * test_compact_recovery.
 */
#include "tests/unit/compact_fixture.h"

#include "common/log.h"
#include "tests/unit/spool_files.h"

/*
 * Beside segments that hold mail: free ones, ready ones and those in a writer's hand, each a constant
 * number (segment_pool's FREE_MAX, the fixture's one and ours), and COMPACT_SLACK.
 */
#define CONSTANT_SEGMENTS (8 + 2 + 3 + 2)

static void
assert_bounded(struct compact *c)
{
	uint64_t disk = compact_disk(c), live = compact_live(c);
	uint64_t most = live + live / 5 * 2 + (uint64_t)CONSTANT_SEGMENTS * FIXTURE_SEGMENT;

	print_message("# %" PRIu64 " KiB of disk for %" PRIu64 " KiB of mail, %.2f\n",
	    disk / 1024, live / 1024, (double)disk / (double)live);
	assert_true(disk <= most);
}

/* Nine of ten are delivered, at random: the others are packed together. */
static void
test_disk_is_given_back(void **state)
{
	struct compact *c = compact_new(1);
	uint64_t before;

	(void)state;
	compact_send_many(c, 3000, 500, 20000);
	compact_settle(c, 90);
	before = compact_disk(c);
	compact_start(c);
	compact_until_idle(c);
	assert_bounded(c);
	assert_true(compact_disk(c) < before / 2);
	assert_true(compactor_counts(c->compactor).segments > 50);
	assert_int_equal(
	    store_counts(c->f.store)->moved, compactor_counts(c->compactor).messages);
	compact_check_contents(c);
	compact_restart(c);
	compact_free(c);
}

/* Mail that stays over several generations of segments, among mail that comes and goes. */
static void
test_bounded_over_generations(void **state)
{
	struct compact *c = compact_new(2);

	(void)state;
	compact_start(c);
	for (unsigned generation = 0; generation < 7; generation++) {
		compact_send_many(c, 500, 300, 30000);
		compact_settle(c, generation % 2 ? 70 : 40);
		compact_until_idle(c);
		assert_bounded(c);
		compact_check_contents(c);
		if (generation % 3 == 1) {
			compact_restart(c);
			compact_start(c);
		}
	}
	compact_settle(c, 95);
	compact_until_idle(c);
	assert_bounded(c);
	compact_restart(c);
	compact_free(c);
}

/* Segments that are full of mail, and a few that are not, are left alone. */
static void
test_nothing_without_need(void **state)
{
	struct compact *c = compact_new(3);

	(void)state;
	compact_send_many(c, 200, 10000, 20000);
	compact_settle(c, 20);
	compact_start(c);
	fixture_turn(&c->f, 80);
	assert_int_equal(store_counts(c->f.store)->moved, 0);
	assert_true(compactor_counts(c->compactor).sealed > 0);
	compact_free(c);
}

/* What falls due soon, is being tried or told of stays; the rest of its segment does not. */
static void
test_busy_messages_stay(void **state)
{
	static const struct verdict failure = {
	    .kind = VERDICT_PERMANENT, .status = "5.1.1", .text = "unknown"};
	struct compact *c = compact_new(4);
	struct message *m[3];
	uint32_t was[3];

	(void)state;
	c->pace.quiet_ms = 60000;
	compact_send_many(c, 300, 10000, 10000);
	for (unsigned i = 0; i < 3; i++)
		m[i] = store_find(c->f.store, c->sent[i]);
	compact_defer(c, m[0]);
	message_recipient(m[0], 0)->next = clock_wall() + 30;
	recipient_set_state(message_recipient(m[1], 0), RECIPIENT_ACTIVE);
	store_fail(c->f.store, message_recipient(m[2], 0), &failure);
	for (size_t i = 3; i < c->nsent; i++)
		if (i > 30 && i % 5 == 0)
			compact_defer(c, store_find(c->f.store, c->sent[i]));
		else
			compact_deliver(c, store_find(c->f.store, c->sent[i]));
	for (unsigned i = 0; i < 3; i++)
		was[i] = m[i]->offset;
	fixture_turn(&c->f, 30);
	/* As if they had been sealed long ago. */
	for (struct spool_segment *s = NULL;
	     (s = segment_pool_next(store_pool(c->f.store), s)) != NULL;)
		s->sealed_at = 0;
	compact_start(c);
	compact_until_idle(c);
	assert_true(store_counts(c->f.store)->moved > 15);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(m[i]->offset, was[i]);
		assert_false(m[i]->segment->own);
	}
	/* Passed over is not damaged, and the segment gets its rest. */
	assert_int_equal(store_counts(c->f.store)->damaged, 0);
	assert_true(m[0]->segment->retry_at > clock_mono_ms());
	compact_free(c);
}

static void
test_young_segments_are_left_alone(void **state)
{
	struct compact *c = compact_new(5);

	(void)state;
	c->pace.quiet_ms = 60000;
	compact_send_many(c, 300, 10000, 10000);
	compact_settle(c, 90);
	compact_start(c);
	fixture_turn(&c->f, 80);
	assert_int_equal(store_counts(c->f.store)->moved, 0);
	compact_free(c);
}

/*
 * Whatever becomes of a message at whatever point of its copy's way: it is settled once and for all, or
 * there once, and a restart finds the same.
 */
static void
test_outcomes_while_copies_are_under_way(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 12; seed++) {
		struct compact *c = compact_new(100 + seed);
		unsigned turns = 0;

		compact_send_many(c, 250, 3000, 12000);
		compact_settle(c, 70);
		compact_start(c);
		for (; turns < 400; turns++) {
			struct message *m =
			    store_find(c->f.store, c->sent[compact_random(c, 250)]);
			unsigned what = compact_random(c, 4);

			event_base_loop(c->f.base, EVLOOP_NONBLOCK);
			if (compact_random(c, 3) == 0)
				usleep(300);
			if (m == NULL || compact_random(c, 3) != 0)
				continue;
			if (what == 0)
				compact_deliver(c, m);
			else if (what == 1)
				store_remove(c->f.store, message_recipient(m, 0));
			else
				compact_defer(c, m);
		}
		compact_until_idle(c);
		compact_check_contents(c);
		compact_restart(c);
		compact_free(c);
	}
}

/* The first message of a segment that so many are left in, so few that it is the first to be emptied. */
static struct message *
first_of_a_segment(struct compact *c, uint32_t left)
{
	struct message *first = NULL;

	for (size_t i = 0; i < c->nsent; i++) {
		struct message *m = store_find(c->f.store, c->sent[i]);

		if (m == NULL || m->segment->state != SEGMENT_SEALED)
			continue;
		if (first == NULL && m->segment->live > left)
			first = m;
		else if (first != NULL && m->segment == first->segment &&
			 store_segment_messages(c->f.store, m->segment) > left)
			compact_deliver(c, m);
	}
	assert_non_null(first);
	fixture_turn(&c->f, 30);
	assert_int_equal(first->segment->live, left);
	return first;
}

static void
overwrite(struct compact *c, const struct message *m, uint64_t offset, size_t n)
{
	char name[SPOOL_NAME_SIZE], path[64], garbage[64];
	int fd;

	snprintf(path, sizeof path, "segments/%s",
	    spool_segment_name(m->segment->number, false, name));
	fd = openat(c->f.spoolfd, path, O_WRONLY);
	memset(garbage, 0xa5, sizeof garbage);
	assert_true(pwrite(fd, garbage, n, (off_t)(m->offset + offset)) == (ssize_t)n);
	close(fd);
}

/* A message that is damaged in its header, envelope or content stays; the others of its segment are copied. */
static void
test_damage_is_set_aside_and_blocks_nobody(void **state)
{
	static const uint64_t where[] = {30, 85, 4000};

	for (unsigned i = 0; i < 3; i++) {
		struct compact *c = compact_new(200 + i);
		struct spool_segment *s;
		struct message *m;
		struct buf content;
		size_t before;

		compact_send_many(c, 300, 8000, 12000);
		compact_settle(c, 85);
		m = first_of_a_segment(c, 2);
		before = compact_count(c);
		s = m->segment;
		overwrite(c, m, where[i], 4);
		compact_start(c);
		compact_until_idle(c);
		assert_ptr_equal(m->segment, s);
		assert_int_equal(s->live, 1);
		assert_true(s->damaged);
		assert_int_equal(compactor_counts(c->compactor).damaged, 1);
		assert_int_equal(store_counts(c->f.store)->damaged, 1);
		assert_int_equal(spool_files_count(c->f.spoolfd, "corrupt"),
		    2); /* the segment, and the reason */
		assert_int_equal(compact_count(c), before);
		buf_init(&content, 65536);
		if (i == 2)
			assert_int_equal(store_read_content(c->f.store, m, &content), -1);
		buf_release(&content);
		/* It is not tried again and again. */
		assert_true(s->retry_at == UINT64_MAX);
		/* Once its message is gone the file is, too. */
		store_remove(c->f.store, message_recipient(m, 0));
		fixture_turn(&c->f, 40);
		compact_check_contents(c);
		compact_restart(c);
		compact_free(c);
	}
	(void)state;
}

/* Pages that cannot be read, at the end of the file and in the middle of records. */
static void
test_what_cannot_be_read_blocks_nobody(void **state)
{
	struct compact *c = compact_new(300);
	char name[SPOOL_NAME_SIZE], path[96];
	struct spool_segment *s;
	struct message *m;
	uint32_t lost = 0, live;
	uint64_t end;
	size_t at = 0;

	(void)state;
	compact_send_many(c, 300, 8000, 12000);
	compact_settle(c, 60);
	m = first_of_a_segment(c, 3);
	s = m->segment;
	live = s->live;
	end = m->offset + message_extent(m);
	while ((m = store_next(c->f.store, &at)) != NULL)
		lost += m->segment == s && m->offset + message_extent(m) > end;
	assert_true(lost > 0 && lost < live);
	snprintf(path, sizeof path, "%s/segments/%s", c->f.path,
	    spool_segment_name(s->number, false, name));
	assert_int_equal(truncate(path, (off_t)end), 0);
	compact_start(c);
	compact_until_idle(c);
	assert_int_equal(s->live, lost);
	assert_int_equal(compactor_counts(c->compactor).damaged, lost);
	compact_free(c);
}

static bool
is_full(struct fixture *f)
{
	return !segment_pool_has_room(store_pool(f->store));
}

static bool
has_room(struct fixture *f)
{
	return segment_pool_has_room(store_pool(f->store));
}

/*
 * The disk is full, all segments are sparse, and only the one kept ready is left: there is room
 * again, without a restart, also when everything in them is busy.
 */
static void
test_makes_room_on_a_full_disk(void **state)
{
	for (unsigned busy = 0; busy < 2; busy++) {
		struct compact *c = compact_new(400);
		char name[SPOOL_NAME_SIZE], path[64];
		size_t before;

		c->pace.quiet_ms = 60000;
		c->pace.check_ms = 5;
		compact_send_many(c, 200, 10000, 20000);
		for (size_t i = 0; i < c->nsent; i++) {
			struct message *m = store_find(c->f.store, c->sent[i]);

			if (i % 2 == 0)
				compact_deliver(c, m);
			else if (busy)
				recipient_set_state(message_recipient(m, 0), RECIPIENT_ACTIVE);
			else
				compact_defer(c, m);
		}
		fixture_turn(&c->f, 30);
		c->own = own_writer_new(c->f.base, c->f.store);
		fixture_turn(&c->f, 50);
		assert_true(segment_pool_own_ready(store_pool(c->f.store)));
		for (uint64_t n = 1; n < 60; n++) {
			snprintf(path, sizeof path, "segments/%s.new",
			    spool_segment_name(n, false, name));
			assert_int_equal(mkdirat(c->f.spoolfd, path, 0700), 0);
		}
		fixture_add_writer(&c->f);
		segment_pool_keep_ready(store_pool(c->f.store), 4);
		fixture_until(&c->f, is_full);
		before = compact_count(c);
		c->compactor = compactor_new(c->f.base, c->f.store, c->own, &c->pace);
		fixture_until(&c->f, has_room);
		compact_until_idle(c);
		assert_true(segment_pool_ready(store_pool(c->f.store)) >= 1);
		assert_true(segment_pool_own_ready(store_pool(c->f.store)));
		assert_int_equal(compact_count(c), before);
		compact_check_contents(c);
		compact_free(c);
	}
	(void)state;
}

/* The end of the queue manager at any moment of compaction. */
static void
test_stopped_at_any_moment(void **state)
{
	struct compact *c = compact_new(500);

	(void)state;
	compact_send_many(c, 400, 3000, 12000);
	compact_settle(c, 80);
	for (unsigned i = 0; i < 40; i++) {
		compact_start(c);
		for (unsigned k = 0; k < 30 + i; k++) {
			event_base_loop(c->f.base, EVLOOP_NONBLOCK);
			usleep(compact_random(c, 500));
		}
		compact_restart(c);
	}
	assert_true(store_counts(c->f.store)->messages > 0);
	compact_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_disk_is_given_back),
	    cmocka_unit_test(test_bounded_over_generations),
	    cmocka_unit_test(test_nothing_without_need),
	    cmocka_unit_test(test_busy_messages_stay),
	    cmocka_unit_test(test_young_segments_are_left_alone),
	    cmocka_unit_test(test_outcomes_while_copies_are_under_way),
	    cmocka_unit_test(test_damage_is_set_aside_and_blocks_nobody),
	    cmocka_unit_test(test_what_cannot_be_read_blocks_nobody),
	    cmocka_unit_test(test_makes_room_on_a_full_disk),
	    cmocka_unit_test(test_stopped_at_any_moment),
	};

	log_init("test", LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
