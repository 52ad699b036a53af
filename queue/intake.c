/* intake: the smtpd workers and what they write. See intake.h. */
#include "queue/intake.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/service.h"
#include "common/xalloc.h"
#include "queue/spool_io.h"

#define GRACE_MS	    1000 /* after the start: time for workers to say what they hold */
#define SEGMENTS_PER_WORKER 2	 /* one to write to, one to go on with at once */
#define KEEP_READY	    3

struct worker_client {
	TAILQ_ENTRY(worker_client) link;
	struct client *client;
	struct intake *intake;
	unsigned segments; /* in its hands, large files aside */
	uint64_t connections, accepted, refused;
};

struct intake {
	struct event_base *base;
	struct store *store;
	struct service *service;
	struct event *grace;
	uint64_t began;
	TAILQ_HEAD(, worker_client) workers;
};

static void
on_grace(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	intake_on_ready(arg);
}

struct intake *
intake_new(struct event_base *base, struct store *store)
{
	struct intake *i = xcalloc(1, sizeof *i);

	i->base = base;
	i->store = store;
	i->began = clock_mono_ms();
	i->grace = evtimer_new(base, on_grace, i);
	event_add(i->grace, &(struct timeval){GRACE_MS / 1000, GRACE_MS % 1000 * 1000});
	TAILQ_INIT(&i->workers);
	segment_pool_keep_ready(store_pool(store), KEEP_READY);
	return i;
}

void
intake_free(struct intake **ip)
{
	struct intake *i = *ip;

	if (i == NULL)
		return;
	*ip = NULL;
	service_free(&i->service);
	event_free(i->grace);
	free(i);
}

static void
say_space(struct worker_client *w, bool room)
{
	struct wire_out out;

	wire_out_init(&out, "space", 0);
	wire_add_str(&out, "room", room ? "yes" : "no");
	client_send(w->client, &out, -1);
}

/* After our start: is there a segment that a worker holds and has not claimed yet? */
static bool
claims_to_come(struct intake *i)
{
	struct segment_pool *pool = store_pool(i->store);

	if (clock_mono_ms() >= i->began + GRACE_MS)
		return false;
	for (struct spool_segment *s = NULL; (s = segment_pool_next(pool, s)) != NULL;)
		if (s->state == SEGMENT_ORPHAN && !s->large)
			return true;
	return false;
}

/*
 * Is a worker without any? Just after the start those that are filled are worth waiting for: a new spool begins with them. Later
 * mail is answered 452 meanwhile, as it is with many workers.
 */
static void
hurry_for_those_without(struct intake *i)
{
	struct worker_client *w;

	if (clock_mono_ms() < i->began + GRACE_MS)
		return;
	TAILQ_FOREACH (w, &i->workers, link)
		if (w->segments == 0)
			segment_pool_hurry(store_pool(i->store));
}

/* Gives the worker segments until it has enough, as far as there are any. */
static void
supply(struct worker_client *w)
{
	struct segment_pool *pool = store_pool(w->intake->store);

	/* What it still holds comes first: else each restart would give every worker two more. */
	if (claims_to_come(w->intake))
		return;
	while (w->segments < SEGMENTS_PER_WORKER && store_has_room(w->intake->store)) {
		struct spool_segment *s;
		struct wire_out out;
		int fd;

		/* The last one is for a worker that has none: on a small disk there may be no more. */
		if (w->segments > 0 && segment_pool_ready(pool) < 2)
			return;
		s = segment_pool_take(pool, w, &fd);
		if (s == NULL)
			return;
		wire_out_init(&out, "segment", 0);
		wire_add_u64(&out, "number", s->number);
		wire_add_u64(&out, "generation", s->generation);
		wire_add_u64(&out, "instance", store_instance(w->intake->store));
		wire_add_u64(&out, "size", s->size);
		wire_add_u64(&out, "start", s->accounted);
		w->segments++;
		client_send(w->client, &out, fd);
	}
}

void
intake_on_ready(struct intake *i)
{
	struct worker_client *w;

	TAILQ_FOREACH (w, &i->workers, link)
		supply(w);
	hurry_for_those_without(i);
}

void
intake_on_space(struct intake *i, bool room)
{
	struct worker_client *w;

	TAILQ_FOREACH (w, &i->workers, link) {
		say_space(w, room);
		if (room)
			supply(w);
	}
}

/* The segment a message names, if it is in this worker's hands; NULL: it claims what it does not have. */
static struct spool_segment *
named_segment(struct worker_client *w, const struct wire_msg *m, uint64_t *offset)
{
	uint64_t number, generation;
	struct spool_segment *s;

	if (wire_get_u64(m, "number", UINT64_MAX, &number) != 0 ||
	    wire_get_u64(m, "generation", UINT64_MAX, &generation) != 0 ||
	    wire_get_u64(m, "offset", INT64_MAX, offset) != 0)
		return NULL;
	s = segment_pool_find(store_pool(w->intake->store), number, false);
	if (s == NULL || s->generation != generation || *offset > s->size)
		return NULL;
	return s;
}

/* After a reconnect: the worker goes on with what an earlier queue manager gave it. */
static int
on_holding(struct worker_client *w, const struct wire_msg *m)
{
	uint64_t offset;
	struct spool_segment *s = named_segment(w, m, &offset);

	if (s == NULL || s->state != SEGMENT_ORPHAN || s->own)
		return -1;
	s->state = SEGMENT_OWNED;
	s->owner = w;
	w->segments++;
	intake_on_ready(w->intake);
	return store_intake(w->intake->store, s, offset);
}

static int
on_durable(struct worker_client *w, const struct wire_msg *m)
{
	uint64_t offset;
	struct spool_segment *s = named_segment(w, m, &offset);

	if (s == NULL || s->owner != w)
		return -1;
	return store_intake(w->intake->store, s, offset);
}

static int
on_sealed(struct worker_client *w, const struct wire_msg *m)
{
	uint64_t offset;
	struct spool_segment *s = named_segment(w, m, &offset);
	struct span why;
	int r;

	if (s == NULL || s->owner != w)
		return -1;
	r = store_intake(w->intake->store, s, offset);
	if (wire_get(m, "why", &why) == 0 && span_is(why, "failed")) {
		log_warnx("segment=%" PRIu64 " could not be written and is retired", s->number);
		s->damaged = true; /* never given a new life */
	}
	store_seal(w->intake->store, s);
	w->segments--;
	supply(w);
	/* It fills them faster than they are made. */
	if (w->segments < SEGMENTS_PER_WORKER)
		segment_pool_hurry(store_pool(w->intake->store));
	return r;
}

static struct spool_segment *
named_large(struct worker_client *w, const struct wire_msg *m, uint64_t *message)
{
	struct span hex;
	char text[17] = {0}, *end;
	struct spool_segment *s;

	if (wire_get(m, "message", &hex) != 0 || hex.len != 16)
		return NULL;
	memcpy(text, hex.p, hex.len);
	*message = strtoull(text, &end, 16);
	if (*end != '\0')
		return NULL;
	s = segment_pool_find(store_pool(w->intake->store), *message, true);
	return s != NULL && s->owner == w ? s : NULL;
}

static int
on_large(struct worker_client *w, const struct wire_msg *m)
{
	struct store *store = w->intake->store;
	struct spool_segment *s = NULL;
	uint64_t message = 0, size;
	struct wire_out out;
	struct verdict v;
	int fd = -1;

	if (named_large(w, m, &message) != NULL || message == 0 ||
	    wire_get_u64(m, "size", INT64_MAX, &size) != 0)
		return -1;
	verdict_set_text(&v, VERDICT_OK, 250, "2.0.0", "Go on");
	if (store_has_room(store))
		s = segment_pool_create_large(store_pool(store), message, size, w, &fd);
	else
		errno = ENOSPC;
	if (s == NULL) {
		spool_verdict_of_error(&v, errno);
		log_warn("a large message is refused");
	}
	client_answer_init(&out, m);
	wire_add_verdict(&out, &v);
	if (s != NULL) {
		wire_add_u64(&out, "generation", s->generation);
		wire_add_u64(&out, "instance", store_instance(store));
	}
	client_send(w->client, &out, fd);
	return 0;
}

static int
on_large_durable(struct worker_client *w, const struct wire_msg *m)
{
	uint64_t message;
	struct spool_segment *s = named_large(w, m, &message);
	struct stat st;
	int r;

	if (s == NULL || fstat(s->fd, &st) != 0)
		return -1;
	r = store_intake(w->intake->store, s, (uint64_t)st.st_size);
	store_seal(w->intake->store, s);
	return r;
}

static int
on_large_drop(struct worker_client *w, const struct wire_msg *m)
{
	uint64_t message;
	struct spool_segment *s = named_large(w, m, &message);

	if (s == NULL)
		return -1;
	store_drop_large(w->intake->store, s);
	return 0;
}

static int
on_count(struct worker_client *w, const struct wire_msg *m)
{
	return wire_get_u64(m, "connections", UINT64_MAX, &w->connections) != 0 ||
		       wire_get_u64(m, "accepted", UINT64_MAX, &w->accepted) != 0 ||
		       wire_get_u64(m, "refused", UINT64_MAX, &w->refused) != 0
		   ? -1
		   : 0;
}

static const struct {
	const char *verb;
	int (*run)(struct worker_client *w, const struct wire_msg *m);
} verbs[] = {
    {"durable", on_durable},
    {"sealed", on_sealed},
    {"holding", on_holding},
    {"large", on_large},
    {"large-durable", on_large_durable},
    {"large-drop", on_large_drop},
    {"count", on_count},
};

static void
on_message(struct client *c, struct wire_msg *m, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (!span_is(m->verb, verbs[i].verb))
			continue;
		if (verbs[i].run(client_data(c), m) != 0)
			client_drop(c, verbs[i].verb);
		return;
	}
	client_drop(c, "a message that is not understood");
}

static void
on_up(struct client *c, void *arg)
{
	struct intake *i = arg;
	struct worker_client *w = xcalloc(1, sizeof *w);

	w->client = c;
	w->intake = i;
	client_set_data(c, w);
	TAILQ_INSERT_TAIL(&i->workers, w, link);
	say_space(w, store_has_room(i->store));
	supply(w);
}

/* What it held is an orphan now: taken in when its descriptors are closed, or claimed when it comes back. */
static void
on_down(struct client *c, void *arg)
{
	struct intake *i = arg;
	struct worker_client *w = client_data(c);
	struct segment_pool *pool = store_pool(i->store);

	for (struct spool_segment *s = NULL; (s = segment_pool_next(pool, s)) != NULL;) {
		if (s->owner != w)
			continue;
		s->owner = NULL;
		s->state = SEGMENT_ORPHAN;
	}
	store_poll_orphans(i->store);
	TAILQ_REMOVE(&i->workers, w, link);
	free(w);
}

static const struct service_ops service_ops = {
    .on_up = on_up, .on_down = on_down, .on_message = on_message};

void
intake_listen(struct intake *i, int fd, const char *name, uid_t uid)
{
	service_free(&i->service);
	i->service = service_new(i->base, fd, name, uid, &service_ops, i);
}

struct intake_counts
intake_counts(const struct intake *i)
{
	struct intake_counts n = {0};
	struct worker_client *w;

	TAILQ_FOREACH (w, &i->workers, link) {
		n.workers++;
		n.connections += w->connections;
		n.accepted += w->accepted;
		n.refused += w->refused;
	}
	return n;
}
