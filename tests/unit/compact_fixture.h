/*
 * compact_fixture: a spool with many messages, of which most are settled, and a
 * compactor that hurries. For the tests of compaction.
 */
#ifndef TESTS_UNIT_COMPACT_FIXTURE_H
#define TESTS_UNIT_COMPACT_FIXTURE_H

#include "tests/unit/spool_fixture.h"

#include <dirent.h>
#include <limits.h>

#include "common/clock.h"
#include "queue/compactor.h"
#include "queue/store_move.h"
#include "queue/store_parts.h"

#define FAR 1000000 /* seconds: nothing falls due in a test */

/* No pauses, nothing too young: a test waits for results, not for time. */
static const struct compactor_pace compact_at_once = {
    .check_ms = 1, .quiet_ms = 0, .late_ms = UINT_MAX, .per_second = 1U << 30, .share = 1};

struct compact {
	struct fixture f;
	struct own_writer *own;
	struct compactor *compactor;
	struct compactor_pace pace;
	uint64_t random;
	uint64_t sent[FIXTURE_MESSAGES]; /* numbers of all messages ever */
	size_t sizes[FIXTURE_MESSAGES];
	size_t nsent;
};

static inline unsigned
compact_random(struct compact *c, unsigned n)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return (unsigned)((c->random >> 20) % n);
}

static inline void
compact_start(struct compact *c)
{
	c->own = own_writer_new(c->f.base, c->f.store);
	c->compactor = compactor_new(c->f.base, c->f.store, c->own, &c->pace);
}

static inline void
compact_stop(struct compact *c)
{
	if (c->compactor != NULL)
		compactor_stop(c->compactor);
	own_writer_free(&c->own);
	compactor_free(&c->compactor);
}

static inline struct compact *
compact_new(uint64_t seed)
{
	struct compact *c = xcalloc(1, sizeof *c);

	c->random = seed * 7919 + 1;
	c->pace = compact_at_once;
	fixture_init(&c->f);
	return c;
}

static inline void
compact_free(struct compact *c)
{
	compact_stop(c);
	fixture_release(&c->f);
	free(c);
}

static inline void
compact_content(uint64_t number, size_t size, struct buf *out)
{
	uint64_t x = number * 0x9E3779B97F4A7C15ULL | 1;

	buf_init(out, size + 64);
	buf_addf(out, "Subject: %" PRIu64 "\n\n", number);
	while (out->len < size) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buf_add(out, &x, size - out->len < 8 ? size - out->len : 8);
	}
}

/* One message of about this size to one recipient; the writer gets segments as it needs them. */
static inline uint64_t
compact_send(struct compact *c, size_t size)
{
	static const char *const rcpt[] = {"bob@domain1.test"};
	struct buf content, envelope;
	uint64_t number;

	assert_true(c->nsent < FIXTURE_MESSAGES);
	if (c->f.writer == NULL)
		fixture_add_writer(&c->f);
	if (spool_writer_left(c->f.writer) < size + 3 * SPOOL_PAGE)
		fixture_until(&c->f, fixture_idle);
	if (spool_writer_left(c->f.writer) < size + 3 * SPOOL_PAGE)
		fixture_add_writer(&c->f);
	number = spool_writer_next_message(c->f.writer);
	compact_content(number, size, &content);
	fixture_envelope(&envelope, "alice@domain2.test", rcpt, 1, "");
	spool_writer_commit(c->f.writer, number, 1700000000000 + (int64_t)c->nsent,
	    buf_span(&envelope), buf_span(&content), fixture_on_done, &c->f);
	buf_release(&content);
	buf_release(&envelope);
	c->sizes[c->nsent] = size;
	c->sent[c->nsent++] = number;
	return number;
}

static inline void
compact_send_many(struct compact *c, unsigned n, size_t least, size_t most)
{
	for (unsigned i = 0; i < n; i++) {
		(void)compact_send(c, least + compact_random(c, (unsigned)(most - least + 1)));
		if (i % 16 == 15)
			fixture_until(&c->f, fixture_idle);
	}
	fixture_until(&c->f, fixture_idle);
	fixture_turn(&c->f, 1);
}

static inline void
compact_defer(struct compact *c, struct message *m)
{
	static const struct verdict later = {
	    .kind = VERDICT_TEMPORARY, .status = "4.2.0", .text = "later"};

	message_recipient(m, 0)->attempts++;
	store_defer(c->f.store, message_recipient(m, 0), &later, clock_wall() + FAR);
}

static inline void
compact_deliver(struct compact *c, struct message *m)
{
	static const struct verdict ok = {
	    .kind = VERDICT_OK, .status = "2.0.0", .text = "done"};

	store_deliver(c->f.store, message_recipient(m, 0), &ok);
}

/* Of 100 messages that are in the queue so many, at random, are delivered; the others are deferred. */
static inline void
compact_settle(struct compact *c, unsigned percent)
{
	for (size_t i = 0; i < c->nsent; i++) {
		struct message *m = store_find(c->f.store, c->sent[i]);

		if (m == NULL)
			continue;
		if (compact_random(c, 100) < percent)
			compact_deliver(c, m);
		else if (message_recipient(m, 0)->state != RECIPIENT_DEFERRED)
			compact_defer(c, m);
		if (i % 500 == 499)
			fixture_turn(&c->f, 1);
	}
	fixture_turn(&c->f, 30);
}

/* Turns the loop until compaction has had nothing to do for a while. */
static inline void
compact_until_idle(struct compact *c)
{
	unsigned idle = 0;

	for (unsigned i = 0; i < 20000 && idle < 60; i++) {
		fixture_turn(&c->f, 1);
		idle = compactor_counts(c->compactor).active ? 0 : idle + 1;
	}
	assert_true(idle == 60);
}

/* Octets of disk that the segments take, as the file system counts. */
static inline uint64_t
compact_disk(const struct compact *c)
{
	int fd = openat(c->f.spoolfd, "segments", O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd);
	struct dirent *e;
	uint64_t octets = 0;

	while ((e = readdir(d)) != NULL) {
		struct stat st;

		if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, 0) == 0)
			octets += (uint64_t)st.st_blocks * 512;
	}
	closedir(d);
	return octets;
}

/* Octets of the records of all messages in the queue. */
static inline uint64_t
compact_live(const struct compact *c)
{
	const struct message *m;
	uint64_t octets = 0;
	size_t at = 0;

	while ((m = store_next(c->f.store, &at)) != NULL)
		octets += message_extent(m);
	return octets;
}

/* Every message in the queue has the content it was sent with. */
static inline void
compact_check_contents(struct compact *c)
{
	for (size_t i = 0; i < c->nsent; i++) {
		struct message *m = store_find(c->f.store, c->sent[i]);
		struct buf want, got;

		if (m == NULL)
			continue;
		compact_content(c->sent[i], c->sizes[i], &want);
		buf_init(&got, want.len + 64);
		assert_int_equal(store_read_content(c->f.store, m, &got), 0);
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.p, want.p, want.len);
		assert_int_equal(m->received, 1700000000000 + (int64_t)i);
		assert_string_equal(m->from, "alice@domain2.test");
		assert_string_equal(message_recipient(m, 0)->address, "bob@domain1.test");
		buf_release(&want);
		buf_release(&got);
	}
}

/* How many of those ever sent are in the queue. */
static inline size_t
compact_count(const struct compact *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nsent; i++)
		n += store_find(c->f.store, c->sent[i]) != NULL;
	return n;
}

/* A stop as a crash would leave it but for the journal, and a start; the queue must be as before. */
static inline void
compact_restart(struct compact *c)
{
	size_t before = compact_count(c);

	compact_stop(c);
	fixture_reopen(&c->f);
	assert_int_equal(c->f.nseen, before);
	assert_int_equal(compact_count(c), before);
	assert_int_equal(store_counts(c->f.store)->damaged, 0);
	compact_check_contents(c);
}

#endif
