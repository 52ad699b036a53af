/*
 * spool_client: smtpd's side of the conversation with the queue manager. See
 * spool_client.h.
 *
 * A large message belongs to the connection on which its file was asked for. If
 * the queue manager has gone meanwhile, its successor finds the file, sees that
 * we still hold it, and takes in what stands there when our descriptor is closed: a
 * whole message or nothing. So it is told of large messages only on the
 * connection they came from, and 250 is as true without the notice.
 */
#include "smtpd/spool_client.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "common/log.h"
#include "common/peer.h"
#include "common/xalloc.h"
#include "queue/spool_large.h"

/* Making a file flushes a directory; a disk that needs longer takes no mail anyway. */
#define LARGE_TIMEOUT_MS 30000

struct spool_client {
	struct event_base *base;
	struct peer *peer;
	struct spool_writer *writer;
	struct event *stopping;
	void (*stopped)(void *arg);
	void *stopped_arg;
	uint64_t connection; /* counts connections to the queue manager */
	unsigned segments;   /* in hand */
	bool room;
};

struct large {
	struct spool_client *client;
	struct spool_large *file; /* NULL while it is asked for, and after it was given up */
	uint64_t message;
	int64_t received_ms;
	char *envelope;
	size_t envelope_len;
	bool asked;	     /* the answer is awaited */
	uint64_t connection; /* on which it was asked for */
	large_ready_fn *ready;
	void *ready_arg;
	spool_done_fn *done;
	void *done_arg;
};

/* --- notices --- */

static void
notify_segment(struct spool_client *c, const char *verb, uint64_t number, uint64_t generation,
    uint64_t offset, const char *why)
{
	struct wire_out w;

	wire_out_init(&w, verb, 0);
	wire_add_u64(&w, "number", number);
	wire_add_u64(&w, "generation", generation);
	wire_add_u64(&w, "offset", offset);
	if (why != NULL)
		wire_add_str(&w, "why", why);
	if (peer_notify(c->peer, &w, -1) != 0)
		log_debug("segment=%" PRIu64 " %s at %" PRIu64 ": nobody to tell", number, verb,
		    offset);
}

static void
on_durable(uint64_t number, uint64_t generation, uint64_t offset, void *arg)
{
	notify_segment(arg, "durable", number, generation, offset, NULL);
}

static void
on_sealed(uint64_t number, uint64_t generation, uint64_t offset, enum spool_seal why, void *arg)
{
	static const char *const names[] = {[SPOOL_SEAL_FULL] = "full",
	    [SPOOL_SEAL_FAILED] = "failed",
	    [SPOOL_SEAL_STOP] = "stop"};
	struct spool_client *c = arg;

	log_debug("segment=%" PRIu64 " sealed at %" PRIu64 ": %s", number, offset, names[why]);
	c->segments--;
	notify_segment(c, "sealed", number, generation, offset, names[why]);
}

static void
say_holding(uint64_t number, uint64_t generation, uint64_t offset, void *arg)
{
	notify_segment(arg, "holding", number, generation, offset, NULL);
}

/* Of a large message; the name of it is the same everywhere. */
static void
add_message(struct wire_out *w, uint64_t message)
{
	wire_addf(w, "message", "%016" PRIx64, message);
}

static void
notify_large(const struct large *l, const char *verb)
{
	struct wire_out w;

	if (l->connection != l->client->connection)
		return;
	wire_out_init(&w, verb, 0);
	add_message(&w, l->message);
	if (peer_notify(l->client->peer, &w, -1) != 0)
		log_debug("message=%016" PRIx64 " %s: nobody to tell", l->message, verb);
}

/* --- the queue manager --- */

static void
on_up(struct peer *p, void *arg)
{
	struct spool_client *c = arg;

	(void)p;
	c->connection++;
	spool_writer_each_segment(c->writer, say_holding, c);
}

static void
on_down(struct peer *p, void *arg)
{
	struct spool_client *c = arg;

	(void)p;
	c->connection++;
}

static void
on_segment(struct spool_client *c, struct wire_msg *m)
{
	uint64_t number, generation, instance, size, start;
	int fd = wire_take_fd(m, 0);

	if (c->stopping != NULL) {
		if (fd >= 0)
			close(fd); /* it goes to another worker, or to our successor */
		return;
	}
	if (fd < 0 || wire_get_u64(m, "number", UINT64_MAX, &number) != 0 ||
	    wire_get_u64(m, "generation", UINT64_MAX, &generation) != 0 ||
	    wire_get_u64(m, "instance", UINT64_MAX, &instance) != 0 ||
	    wire_get_u64(m, "size", INT64_MAX, &size) != 0 ||
	    wire_get_u64(m, "start", size, &start) != 0) {
		log_warnx("the queue manager hands out a segment without saying which");
		if (fd >= 0)
			close(fd);
		return;
	}
	log_debug("segment=%" PRIu64 " generation=%" PRIu64 " in hand, from %" PRIu64, number,
	    generation, start);
	c->segments++;
	spool_writer_add_segment(c->writer, number, generation, instance, size, start, fd);
}

static void
on_message(struct peer *p, struct wire_msg *m, void *arg)
{
	struct spool_client *c = arg;

	(void)p;
	if (span_is(m->verb, "segment")) {
		on_segment(c, m);
	} else if (span_is(m->verb, "space")) {
		c->room = wire_is_yes(m, "room");
		if (!c->room)
			spool_writer_expect_none(c->writer);
	} else {
		log_warnx(
		    "the queue manager says %.*s, which means nothing here", SPAN_ARG(m->verb));
	}
}

struct spool_client *
spool_client_new(struct event_base *base, const char *path)
{
	static const struct spool_writer_ops writer_ops = {
	    .on_durable = on_durable, .on_sealed = on_sealed};
	static const struct peer_ops peer_ops = {
	    .on_up = on_up, .on_down = on_down, .on_message = on_message};
	struct spool_client *c = xcalloc(1, sizeof *c);

	c->base = base;
	c->room = true;
	c->writer = spool_writer_new(base, &writer_ops, c);
	c->peer = peer_new(base, path, "smtpd", &peer_ops, c);
	return c;
}

void
spool_client_free(struct spool_client **cp)
{
	struct spool_client *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	spool_writer_free(&c->writer);
	if (c->stopping != NULL)
		event_free(c->stopping);
	peer_free(&c->peer);
	free(c);
}

void
spool_client_count(
    struct spool_client *c, uint64_t connections, uint64_t accepted, uint64_t refused)
{
	struct wire_out w;

	wire_out_init(&w, "count", 0);
	wire_add_u64(&w, "connections", connections);
	wire_add_u64(&w, "accepted", accepted);
	wire_add_u64(&w, "refused", refused);
	if (peer_notify(c->peer, &w, -1) != 0)
		log_debug("counters: nobody to tell");
}

unsigned
spool_client_pending(const struct spool_client *c)
{
	return spool_writer_pending(c->writer);
}

/* --- messages --- */

static bool
has_room(void *arg)
{
	const struct spool_client *c = arg;

	return c->room && spool_writer_has_room(c->writer);
}

static uint64_t
next_message(void *arg)
{
	struct spool_client *c = arg;

	return spool_writer_next_message(c->writer);
}

static void
commit(void *arg, const struct spool_message *m, struct span content, spool_done_fn *done,
    void *done_arg)
{
	struct spool_client *c = arg;

	spool_writer_commit(
	    c->writer, m->number, m->received_ms, m->envelope, content, done, done_arg);
}

/* --- large messages --- */

static void
large_abort(struct large **lp)
{
	struct large *l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	l->ready = NULL;
	if (l->asked)
		return; /* the file that may still come has to be given back: on_large_answer */
	/* The descriptor is closed first: what is removed then is nobody's. */
	if (l->file != NULL) {
		spool_large_abort(&l->file);
		notify_large(l, "large-drop");
	}
	free(l->envelope);
	free(l);
}

/* The file that came with an answer, as something to append to. */
static int
take_file(struct large *l, struct wire_msg *m)
{
	uint64_t generation, instance;
	int fd = wire_take_fd(m, 0);

	if (fd < 0 || wire_get_u64(m, "generation", UINT64_MAX, &generation) != 0 ||
	    wire_get_u64(m, "instance", UINT64_MAX, &instance) != 0) {
		log_warnx("the queue manager agrees to a large message without a file");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	l->connection = l->client->connection;
	l->file = spool_large_new(l->client->writer, fd, l->message, generation, instance,
	    l->received_ms, span_make(l->envelope, l->envelope_len));
	return 0;
}

static void
on_large_answer(struct wire_msg *m, void *arg)
{
	struct large *l = arg;
	struct verdict v;

	l->asked = false;
	if (m == NULL || wire_get_verdict(m, &v) != 0)
		verdict_set(&v, VERDICT_TEMPORARY, 452, "4.3.1",
		    "A large message cannot be stored now, try again later");
	else if (v.kind == VERDICT_OK && take_file(l, m) != 0)
		verdict_init(&v);
	if (l->ready != NULL)
		l->ready(&v, l->ready_arg);
	else
		large_abort(&l);
}

static struct large *
large_open(void *arg, const struct spool_message *m, uint64_t size, large_ready_fn *ready,
    void *ready_arg)
{
	struct spool_client *c = arg;
	struct large *l = xcalloc(1, sizeof *l);
	struct wire_out w;

	l->client = c;
	l->message = m->number;
	l->received_ms = m->received_ms;
	l->envelope = xspandup(m->envelope);
	l->envelope_len = m->envelope.len;
	l->ready = ready;
	l->ready_arg = ready_arg;
	l->asked = true;
	wire_out_init(&w, "large", peer_next_id(c->peer));
	add_message(&w, l->message);
	wire_add_u64(&w, "size", size);
	peer_call(c->peer, &w, LARGE_TIMEOUT_MS, on_large_answer, l);
	return l;
}

static int
large_append(struct large *l, struct span content)
{
	return spool_large_append(l->file, content);
}

static int
large_amend(struct large *l, struct span envelope, struct span top)
{
	return spool_large_amend(l->file, envelope, top);
}

/* Whole and flushed, or given up; the descriptor is closed when this returns to the writer. */
static void
on_large_done(const struct verdict *v, void *arg)
{
	struct large *l = arg;

	notify_large(l, v->kind == VERDICT_OK ? "large-durable" : "large-drop");
	l->done(v, l->done_arg);
	free(l->envelope);
	free(l);
}

static void
large_commit(struct large **lp, spool_done_fn *done, void *arg)
{
	struct large *l = *lp;

	*lp = NULL;
	l->done = done;
	l->done_arg = arg;
	spool_large_commit(&l->file, on_large_done, l);
}

const struct spool_ops spool_client_ops = {
    .has_room = has_room,
    .next_message = next_message,
    .commit = commit,
    .large_open = large_open,
    .large_append = large_append,
    .large_amend = large_amend,
    .large_commit = large_commit,
    .large_abort = large_abort,
};

/* --- the end --- */

#define STOP_POLL_MS 5

static void
on_stopping(evutil_socket_t fd, short what, void *arg)
{
	struct spool_client *c = arg;

	(void)fd, (void)what;
	peer_flush(c->peer);
	if (c->segments == 0 && peer_backlog(c->peer) == 0) {
		event_del(c->stopping);
		c->stopped(c->stopped_arg);
	}
}

void
spool_client_stop(struct spool_client *c, void (*stopped)(void *arg), void *arg)
{
	c->stopped = stopped;
	c->stopped_arg = arg;
	spool_writer_stop(c->writer);
	c->stopping = event_new(c->base, -1, EV_PERSIST, on_stopping, c);
	if (c->stopping == NULL)
		fatalx("cannot make a timer");
	event_add(c->stopping, &(struct timeval){0, STOP_POLL_MS * 1000});
}
