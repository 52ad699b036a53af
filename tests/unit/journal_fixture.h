/*
 * journal_fixture: a journal in a temporary directory whose state is one number,
 * the sum of what was appended. For the tests of queue/journal.
 */
#ifndef TESTS_UNIT_JOURNAL_FIXTURE_H
#define TESTS_UNIT_JOURNAL_FIXTURE_H

#include "tests/unit/spool_fixture.h"

#include <signal.h>
#include <sys/resource.h>

#include "queue/journal.h"
#include "tests/unit/testing.h"

#define INSTANCE 99

struct log_fixture {
	char path[64];
	int dirfd, corruptfd;
	struct event_base *base;
	struct journal *journal;
	unsigned replayed;
	uint64_t sum, durable;
	bool slow; /* checkpoints take until there is a file `go` */
};

static inline void
log_replay(struct span record, void *arg)
{
	struct log_fixture *l = arg;
	uint64_t v;

	assert_int_equal(span_to_u64(record, UINT64_MAX, &v), 0);
	l->replayed++;
	l->sum += v;
}

static inline void
log_on_durable(uint64_t position, void *arg)
{
	((struct log_fixture *)arg)->durable = position;
}

static inline void
log_on_health(bool healthy, void *arg)
{
	(void)healthy, (void)arg;
}

/* The state is one number. */
static inline void
log_on_checkpoint(struct journal *j, void *arg)
{
	struct log_fixture *l = arg;

	for (int i = 0; l->slow && i < 20000 && faccessat(l->dirfd, "go", F_OK, 0) != 0; i++)
		usleep(1000);
	journal_checkpoint_addf(j, "%" PRIu64, l->sum);
}

static const struct journal_ops log_ops = {.on_durable = log_on_durable,
    .on_health = log_on_health,
    .on_checkpoint = log_on_checkpoint};

static inline void
log_open(struct log_fixture *l)
{
	l->replayed = 0;
	l->sum = l->durable = 0;
	l->journal =
	    journal_open(l->base, l->dirfd, l->corruptfd, INSTANCE, log_replay, &log_ops, l);
	assert_non_null(l->journal);
}

static inline void
log_init_dir(struct log_fixture *l)
{
	memset(l, 0, sizeof *l);
	snprintf(l->path, sizeof l->path, "/tmp/postrider-test.XXXXXX");
	assert_non_null(mkdtemp(l->path));
	l->dirfd = open(l->path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(mkdirat(l->dirfd, "corrupt", 0700), 0);
	l->corruptfd = openat(l->dirfd, "corrupt", O_RDONLY | O_DIRECTORY);
	l->base = event_base_new();
	log_open(l);
}

static inline void
log_release(struct log_fixture *l)
{
	journal_close(&l->journal);
	event_base_free(l->base);
	close(l->dirfd);
	close(l->corruptfd);
	nftw(l->path, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void
log_add(struct log_fixture *l, unsigned from, unsigned to)
{
	for (unsigned i = from; i <= to; i++) {
		journal_appendf(l->journal, "%u", i);
		l->sum += i;
	}
}

static inline void
log_reopen(struct log_fixture *l)
{
	journal_close(&l->journal);
	log_open(l);
}

static inline void
log_await_flush(struct log_fixture *l)
{
	uint64_t position = journal_position(l->journal);

	for (int i = 0; i < 2000 && l->durable < position; i++) {
		event_base_loop(l->base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	assert_true(l->durable == position);
	assert_true(journal_durable(l->journal) == position);
}

/* No file may be written to, or any again. */
static inline void
log_limit_files(rlim_t octets)
{
	struct rlimit r;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

#endif
