/*
 * spool_fixture: a spool in a temporary directory, a writer beside it, and the
 * loop turned until things have happened. For the tests of queue/.
 */
#ifndef TESTS_UNIT_SPOOL_FIXTURE_H
#define TESTS_UNIT_SPOOL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/xalloc.h"
#include "queue/spool_envelope.h"
#include "queue/spool_large.h"
#include "queue/spool_writer.h"
#include "queue/store.h"

#define FIXTURE_SEGMENT	 (256U << 10)
#define FIXTURE_MESSAGES 4096

struct fixture {
	char path[64];
	int spoolfd;
	struct event_base *base;
	struct store *store;
	struct spool_writer *writer;
	struct message *seen[FIXTURE_MESSAGES]; /* what on_message named */
	size_t nseen, ngone, nready;
	unsigned acked, refused;
	int room;
};

static inline void
fixture_on_message(struct message *m, bool recovered, void *arg)
{
	struct fixture *f = arg;

	(void)recovered;
	assert_true(f->nseen < FIXTURE_MESSAGES);
	f->seen[f->nseen++] = m;
}

static inline void
fixture_on_gone(struct message *m, void *arg)
{
	struct fixture *f = arg;

	for (size_t i = 0; i < f->nseen; i++)
		if (f->seen[i] == m)
			f->seen[i] = f->seen[--f->nseen];
	f->ngone++;
}

static inline void
fixture_on_ready(void *arg)
{
	((struct fixture *)arg)->nready++;
}

static inline void
fixture_on_space(bool room, void *arg)
{
	((struct fixture *)arg)->room = room;
}

static const struct store_ops fixture_store_ops = {.on_message = fixture_on_message,
    .on_gone = fixture_on_gone,
    .on_ready = fixture_on_ready,
    .on_space = fixture_on_space};

static inline void
fixture_on_durable(uint64_t segment, uint64_t generation, uint64_t offset, void *arg)
{
	struct fixture *f = arg;
	struct spool_segment *s =
	    f->store != NULL ? segment_pool_find(store_pool(f->store), segment, false) : NULL;

	(void)generation;
	if (s != NULL)
		assert_int_equal(store_intake(f->store, s, offset), 0);
}

static inline void
fixture_on_sealed(
    uint64_t segment, uint64_t generation, uint64_t offset, enum spool_seal why, void *arg)
{
	struct fixture *f = arg;
	struct spool_segment *s =
	    f->store != NULL ? segment_pool_find(store_pool(f->store), segment, false) : NULL;

	(void)generation, (void)offset, (void)why;
	if (s != NULL)
		store_seal(f->store, s);
}

static const struct spool_writer_ops fixture_writer_ops = {
    .on_durable = fixture_on_durable, .on_sealed = fixture_on_sealed};

/* Turns the loop until done says so, at most five seconds. */
static inline void
fixture_until(struct fixture *f, bool (*done)(struct fixture *f))
{
	for (int i = 0; i < 5000 && !done(f); i++) {
		event_base_loop(f->base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	assert_true(done(f));
}

static inline void
fixture_turn(struct fixture *f, unsigned ms)
{
	for (unsigned i = 0; i < ms; i++) {
		event_base_loop(f->base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

static inline void
fixture_open(struct fixture *f)
{
	f->nseen = f->ngone = f->nready = 0;
	f->room = 1;
	f->store = store_open(f->base, f->spoolfd, FIXTURE_SEGMENT, &fixture_store_ops, f);
	assert_non_null(f->store);
}

static inline void
fixture_close(struct fixture *f)
{
	spool_writer_free(&f->writer);
	store_close(&f->store);
}

static inline void
fixture_init(struct fixture *f)
{
	static const char *const dirs[] = {"segments", "large", "journal", "corrupt", "drop"};

	memset(f, 0, sizeof *f);
	snprintf(f->path, sizeof f->path, "/tmp/postrider-test.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->spoolfd = open(f->path, O_RDONLY | O_DIRECTORY);
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		assert_int_equal(mkdirat(f->spoolfd, dirs[i], 0700), 0);
	f->base = event_base_new();
	fixture_open(f);
}

static inline int
fixture_unlink(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static inline void
fixture_release(struct fixture *f)
{
	fixture_close(f);
	event_base_free(f->base);
	close(f->spoolfd);
	nftw(f->path, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* A writer with one segment of the pool. */
static inline void
fixture_add_writer(struct fixture *f)
{
	struct spool_segment *s = NULL;
	int fd;

	segment_pool_keep_ready(store_pool(f->store), 1);
	for (int i = 0; i < 5000 && s == NULL; i++) {
		fixture_turn(f, 1);
		s = segment_pool_take(store_pool(f->store), f, &fd);
	}
	assert_non_null(s);
	if (f->writer == NULL)
		f->writer = spool_writer_new(f->base, &fixture_writer_ops, f);
	spool_writer_add_segment(f->writer, s->number, s->generation, store_instance(f->store),
	    s->size, s->accounted, fd);
}

/* The same with a segment of the queue manager's own: reports in it are believed. */
static inline void
fixture_add_own_writer(struct fixture *f)
{
	struct spool_segment *s = NULL;
	int fd;

	segment_pool_keep_own(store_pool(f->store));
	for (int i = 0; i < 5000 && s == NULL; i++) {
		fixture_turn(f, 1);
		s = segment_pool_take_own(store_pool(f->store), f, &fd);
	}
	assert_non_null(s);
	assert_true(s->own);
	if (f->writer == NULL)
		f->writer = spool_writer_new(f->base, &fixture_writer_ops, f);
	spool_writer_add_segment(f->writer, s->number, s->generation, store_instance(f->store),
	    s->size, s->accounted, fd);
}

static inline void
fixture_on_done(const struct verdict *v, void *arg)
{
	struct fixture *f = arg;

	if (v->kind == VERDICT_OK)
		f->acked++;
	else
		f->refused++;
}

static inline void
fixture_envelope(struct buf *out, const char *from, const char *const *rcpts, size_t n,
    const char *bounce_of)
{
	struct envelope_recipient r[16] = {0};
	struct envelope e = {.uid = -1,
	    .from = span_str(from),
	    .bounce_of = span_str(bounce_of),
	    .bounce_entries = span_str(bounce_of[0] != '\0' ? "0" : ""),
	    .recipients = r,
	    .nrecipients = n};

	for (size_t i = 0; i < n; i++)
		r[i].address = span_str(rcpts[i]);
	buf_init(out, 65536);
	assert_int_equal(envelope_format(&e, out), 0);
}

/* Hands a message to the writer; its number. */
static inline uint64_t
fixture_send_to(struct fixture *f, const char *from, const char *const *rcpts, size_t n,
    const char *content, const char *bounce_of)
{
	uint64_t number = spool_writer_next_message(f->writer);
	struct buf e;

	fixture_envelope(&e, from, rcpts, n, bounce_of);
	spool_writer_commit(f->writer, number, 1700000000000, buf_span(&e), span_str(content),
	    fixture_on_done, f);
	buf_release(&e);
	return number;
}

static inline struct verdict
fixture_verdict(enum verdict_kind kind, const char *status, const char *text)
{
	struct verdict v;

	verdict_set(&v, kind, 0, status, "%s", text);
	return v;
}

static inline bool
fixture_has_room(struct fixture *f)
{
	return store_has_room(f->store);
}

static inline bool
fixture_idle(struct fixture *f)
{
	return spool_writer_pending(f->writer) == 0;
}

/* Sends one message to one recipient and waits until it is on disk. */
static inline uint64_t
fixture_send(struct fixture *f, const char *content)
{
	static const char *const rcpt[] = {"bob@domain1.test"};
	uint64_t number = fixture_send_to(f, "alice@domain2.test", rcpt, 1, content, "");

	fixture_until(f, fixture_idle);
	return number;
}

/* Close as a crash would (nothing more is said to anybody), and open again. */
static inline void
fixture_reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

#endif
