/*
 * scheduler_fixture: a scheduler with a clock of its own, and mail made on the spot. For
 * tests/unit/test_scheduler*.c.
 */
#ifndef TESTS_UNIT_SCHEDULER_FIXTURE_H
#define TESTS_UNIT_SCHEDULER_FIXTURE_H

#include <stdlib.h>

#include "common/xalloc.h"
#include "queue/scheduler.h"
#include "tests/unit/testing.h"

#define MINUTE	 60000ULL
#define JOB_MAX	 100
#define PLACES	 1000 /* the agents' */
#define WORLD_AT 1000000000ULL

struct world {
	struct atom_table *atoms;
	struct config config;
	uint64_t retry[2];
	struct config_destination
	    destinations[2]; /* a.test and b.test; used if ndestinations says so */
	struct scheduler *s;
	uint64_t now;
	struct message **messages;
	size_t n, cap;
};

static inline void
world_init(struct world *w)
{
	static char a[] = "a.test", b[] = "b.test";

	*w = (struct world){.now = WORLD_AT, .retry = {5 * MINUTE, 20 * MINUTE}};
	w->atoms = atom_table_new();
	w->destinations[0].name = a;
	w->destinations[1].name = b;
	w->config.destinations = w->destinations;
	w->config.retry = w->retry;
	w->config.nretry = 2;
	w->config.destination_concurrency = 20;
	w->s = scheduler_new(&w->config, w->now);
}

static inline void
world_release(struct world *w)
{
	scheduler_free(&w->s);
	for (size_t i = 0; i < w->n; i++)
		message_free(&w->messages[i]);
	free(w->messages);
	atom_table_free(&w->atoms);
}

static inline void
world_sleep(struct world *w, uint64_t ms)
{
	w->now += ms;
	scheduler_tick(w->s, w->now);
}

/* A message with n recipients of this address, all RESOLVING. */
static inline struct message *
world_message_to(struct world *w, const char *from, const char *to, uint32_t n)
{
	struct message_given *given = xcalloc(n, sizeof *given);
	struct message *m;

	for (uint32_t i = 0; i < n; i++)
		given[i] = (struct message_given){span_str(to), NOTIFY_DEFAULT};
	m = message_new(w->atoms, w->n + 1, span_str(from), given, n);
	free(given);
	for (uint32_t i = 0; i < n; i++)
		recipient_set_state(message_recipient(m, i), RECIPIENT_RESOLVING);
	if (w->n == w->cap) {
		w->cap = w->cap > 0 ? w->cap * 2 : 64;
		w->messages = xreallocarray(w->messages, w->cap, sizeof(*w->messages));
	}
	return w->messages[w->n++] = m;
}

static inline struct message *
world_message(struct world *w, const char *from, uint32_t n)
{
	return world_message_to(w, from, "r@rcpt.test", n);
}

static inline void
world_wait(struct world *w, struct message *m, uint32_t entry, const char *destination)
{
	scheduler_add_waiting(
	    w->s, message_recipient(m, entry), AGENT_REMOTE, span_str(destination));
}

/* A message with one recipient, which waits at the destination. */
static inline struct recipient *
world_mail(struct world *w, const char *from, const char *destination)
{
	struct message *m = world_message(w, from, 1);

	world_wait(w, m, 0, destination);
	return message_recipient(m, 0);
}

/* The next job of remote, or NULL: its first recipient; *n (may be NULL): how many. */
static inline struct recipient *
world_job(struct world *w, size_t *n)
{
	struct recipient *job[JOB_MAX];
	size_t got = scheduler_next_job(w->s, AGENT_REMOTE, PLACES, job, JOB_MAX);

	if (n != NULL)
		*n = got;
	return got > 0 ? job[0] : NULL;
}

/* A job with this one recipient ends. */
static inline enum destination_change
world_end(struct world *w, struct recipient *r, enum job_end end)
{
	struct destination *d = r->destination;
	struct verdict v;

	recipient_set_state(r, RECIPIENT_SETTLED);
	verdict_set(&v, VERDICT_TEMPORARY, 0, "4.4.1", "connection refused");
	return scheduler_end_job(
	    w->s, d, end, end == JOB_NOT_REACHED ? &v : NULL, end == JOB_REACHED ? 1 : 0);
}

/* Mails to the destination from one sender, tried in vain until it is dead. */
static inline struct destination *
world_kill(struct world *w, const char *destination)
{
	struct destination *d;
	struct recipient *r;

	do {
		(void)world_mail(w, "s@killer.test", destination);
		r = world_job(w, NULL);
		assert_non_null(r);
		d = r->destination;
		assert_string_equal(d->name, destination);
	} while (world_end(w, r, JOB_NOT_REACHED) != DESTINATION_DIED);
	return d;
}

#endif
