/*
 * reporter_world: a reporter with a real store, a spool in a temporary directory, and a directory process
 * that may be gone. For the tests of reporter and report.
 */
#ifndef TESTS_UNIT_REPORTER_WORLD_H
#define TESTS_UNIT_REPORTER_WORLD_H

#include "tests/unit/spool_fixture.h"

#include "common/service.h"
#include "queue/reporter.h"
#include "tests/unit/sockets.h"

#define SEGMENT	   (2U << 20)
#define PATIENCE   1000 /* ms: the first interval of retry */
#define RECIPIENTS 3

struct world {
	struct fixture f;
	struct sockets at;
	struct service *service;
	struct peer *directory;
	struct own_writer *own;
	struct envelope_cache *envelopes;
	struct reporter *reporter;
	struct section_names *sections;
	struct config config;
	uint64_t retry[1];
	const char *text; /* what the directory answers, NULL: none */
	int questions;
	char kind[16]; /* asked for last */
	struct message *m;
	uint64_t number; /* its, for when it is gone */
};

static inline void
on_question(struct client *c, struct wire_msg *m, void *arg)
{
	struct world *w = arg;
	struct verdict v;
	struct wire_out out;
	struct span kind;

	assert_true(span_is(m->verb, "bounce-text"));
	assert_int_equal(wire_get(m, "kind", &kind), 0);
	snprintf(w->kind, sizeof w->kind, "%.*s", SPAN_ARG(kind));
	w->questions++;
	client_answer_init(&out, m);
	verdict_set(&v, VERDICT_OK, 250, "2.0.0", "Ok");
	wire_add_verdict(&out, &v);
	if (w->text != NULL)
		wire_add_str(&out, "template", w->text);
	client_send(c, &out, -1);
}

static const struct service_ops directory_ops = {.on_message = on_question};
static const struct peer_ops no_ops = {.on_up = NULL};

static inline void
start_directory(struct world *w)
{
	w->service = service_new(
	    w->f.base, sockets_listen(&w->at), "queue/directory", (uid_t)-1, &directory_ops, w);
}

static inline void
start_reporter(struct world *w)
{
	w->own = own_writer_new(w->f.base, w->f.store);
	w->envelopes = envelope_cache_new(w->f.store);
	w->reporter = reporter_new(w->f.base,
	    &(struct report_source){w->f.store, w->envelopes, &w->config, w->sections}, w->own,
	    w->directory);
	fixture_turn(&w->f, 50); /* a segment of our own gets ready */
}

static inline void
stop_reporter(struct world *w)
{
	reporter_stop(w->reporter);
	own_writer_free(&w->own);
	reporter_free(&w->reporter);
	envelope_cache_free(&w->envelopes);
}

static inline void
open_store(struct world *w)
{
	struct fixture *f = &w->f;

	f->nseen = f->ngone = f->nready = 0;
	f->store = store_open(f->base, f->spoolfd, SEGMENT, &fixture_store_ops, f);
	assert_non_null(f->store);
}

static bool full; /* the next world has no room for reports */

/* Names in the way of new segments. */
static inline void
fill_disk(struct world *w)
{
	char name[SPOOL_NAME_SIZE], path[64];

	for (uint64_t n = 1; n < 40; n++) {
		snprintf(
		    path, sizeof path, "segments/%s.new", spool_segment_name(n, false, name));
		(void)mkdirat(w->f.spoolfd, path, 0700);
	}
}

/* A message of `from` to a, b, c @d.test, each with this NOTIFY, in state ACTIVE. */
static inline void
world_init(struct world *w, const char *from, const char *notify)
{
	static const char *const names[] = {"a@d.test", "b@d.test", "c@d.test"};
	struct envelope_recipient to[RECIPIENTS] = {0};
	struct envelope e = {.uid = -1,
	    .from = span_str(from),
	    .envid = span_str("QQ"),
	    .recipients = to,
	    .nrecipients = RECIPIENTS};
	struct buf text;

	memset(w, 0, sizeof *w);
	fixture_init(&w->f);
	fixture_close(&w->f);
	open_store(w);
	sockets_init(&w->at);
	w->retry[0] = PATIENCE;
	w->sections = section_names_new();
	w->config = (struct config){.hostname = (char *)(uintptr_t) "mx.test",
	    .retry = w->retry,
	    .nretry = 1,
	    .queue_lifetime = 3600000,
	    .bounce_lifetime = 3600000};
	start_directory(w);
	w->directory = peer_new(w->f.base, w->at.path, "queue", &no_ops, NULL);
	for (size_t i = 0; i < RECIPIENTS; i++)
		to[i] = (struct envelope_recipient){
		    .address = span_str(names[i]), .notify = span_str(notify)};
	fixture_add_writer(&w->f);
	buf_init(&text, 65536);
	assert_int_equal(envelope_format(&e, &text), 0);
	spool_writer_commit(w->f.writer, spool_writer_next_message(w->f.writer), 1700000000000,
	    buf_span(&text), span_str("Subject: original\n\nbody\n"), fixture_on_done, &w->f);
	buf_release(&text);
	fixture_until(&w->f, fixture_idle);
	assert_int_equal(w->f.nseen, 1);
	w->m = w->f.seen[0];
	w->number = w->m->number;
	if (full)
		fill_disk(w);
	start_reporter(w);
	for (uint32_t i = 0; i < RECIPIENTS; i++)
		recipient_set_state(message_recipient(w->m, i), RECIPIENT_ACTIVE);
}

static inline void
world_release(struct world *w)
{
	stop_reporter(w);
	section_names_free(&w->sections);
	peer_free(&w->directory);
	service_free(&w->service);
	fixture_release(&w->f);
	sockets_release(&w->at);
}

static inline void
refuse(struct world *w, uint32_t entry)
{
	struct verdict v;

	verdict_set(&v, VERDICT_PERMANENT, 550, "5.1.1", "no %u", entry);
	store_fail(w->f.store, message_recipient(w->m, entry), &v);
	reporter_consider(w->reporter, w->m);
}

static inline void
deliver(struct world *w, uint32_t entry)
{
	struct verdict v;

	verdict_set(&v, VERDICT_OK, 250, "2.0.0", "yes");
	store_deliver(w->f.store, message_recipient(w->m, entry), &v);
	reporter_consider(w->reporter, w->m);
}

static inline void
defer(struct world *w, uint32_t entry)
{
	struct verdict v;

	verdict_set(&v, VERDICT_TEMPORARY, 450, "4.2.1", "busy");
	store_defer(w->f.store, message_recipient(w->m, entry), &v, 0);
	reporter_consider(w->reporter, w->m);
}

/* Reports that are in the queue, the message itself not counted. */
static inline size_t
reports(const struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->f.nseen; i++)
		n += message_bounce_of(w->f.seen[i]) != 0;
	return n;
}

/* The last one taken in. */
static inline struct message *
report(const struct world *w)
{
	struct message *last = NULL;

	for (size_t i = 0; i < w->f.nseen; i++)
		if (message_bounce_of(w->f.seen[i]) != 0 &&
		    (last == NULL || w->f.seen[i]->number > last->number))
			last = w->f.seen[i];
	assert_non_null(last);
	return last;
}

static inline void
wait_reports(struct world *w, size_t n)
{
	for (int i = 0; i < 5000 && reports(w) < n; i++)
		fixture_turn(&w->f, 1);
	fixture_turn(&w->f, 100); /* no more than these */
	assert_int_equal(reports(w), n);
}

/* Does the content of the report hold this? */
static inline bool
says(struct world *w, const struct message *m, const char *what)
{
	struct buf b;
	bool found;

	buf_init(&b, 1U << 20);
	assert_int_equal(store_read_content(w->f.store, (struct message *)(uintptr_t)m, &b), 0);
	found = strstr(b.p, what) != NULL;
	buf_release(&b);
	return found;
}

#endif
