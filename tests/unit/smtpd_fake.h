/*
 * smtpd_fake: a policy and a spool for sessions under test, and the client's end of a session's
 * socket. Answers never come before the asking function returns, as the seams demand: they are
 * given when the test lets the loop run. Used by test_session.c and fuzz_session.c.
 */
#ifndef TESTS_UNIT_SMTPD_FAKE_H
#define TESTS_UNIT_SMTPD_FAKE_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "common/limits.h"
#include "common/xalloc.h"
#include "smtpd/session.h"
#include "smtpd/txn.h"

#define FAKE_CALLS    64
#define FAKE_MESSAGES 256

struct fake_message {
	uint64_t number;
	char *envelope, *content;
	size_t content_len;
	bool large;
};

/* A commit whose outcome is due. */
struct fake_commit {
	spool_done_fn *done;
	void *arg;
	struct fake_message message;
};

struct large {
	struct fake *fake;
	struct spool_message message;
	char *envelope;
	struct buf content;
	large_ready_fn *ready; /* NULL: was called */
	void *arg;
};

struct fake {
	struct event_base *base;
	struct server server;
	uint64_t now_ms;

	/* What the policy does. */
	bool hold_policy; /* keep questions unanswered */
	bool untold;	  /* cannot tell */
	const char *refuse_client;
	struct question_call *calls[FAKE_CALLS];
	struct answer answers[FAKE_CALLS];
	size_t ncalls;
	char asked[1024]; /* the last question, as text */
	unsigned questions, asked_commands;
	bool asked_certificate; /* it was with one */
	bool counting;		/* answers want to know what becomes of it */
	unsigned discarded;	/* recipients it had thrown away */
	char told[512];		/* the last notice, as text */
	unsigned tellings;

	/* What the spool does. */
	bool full, failing, no_file, hold_commits;
	struct fake_commit commits[FAKE_CALLS];
	size_t ncommits;
	struct large *opening[FAKE_CALLS];
	size_t nopening;
	unsigned large_open, large_aborted;
	uint64_t next_number;
	struct fake_message messages[FAKE_MESSAGES];
	size_t nmessages;
};

/* --- policy --- */

/* The local part says what becomes of a recipient: no…: 550 5.1.1; later…: 451; discard…: thrown away. A login wants "s3cret". */
static inline void
fake_decide(struct fake *f, const struct question *q, struct answer *a)
{
	*a = (struct answer){.told = !f->untold, .rule = span_str("fake")};
	verdict_set(&a->verdict, VERDICT_OK, 250, "2.0.0", "OK");
	a->count = f->counting;
	if (span_starts_with(q->rcpt, "small"))
		a->size_limit = 1000;
	if (span_starts_with(q->rcpt, "huge"))
		a->size_limit = UINT64_C(1) << 40;
	if (f->untold)
		verdict_set(&a->verdict, VERDICT_TEMPORARY, 451, "4.3.0", "Cannot tell");
	else if (q->kind == QUESTION_CONNECT && f->refuse_client != NULL)
		verdict_set(&a->verdict,
		    f->refuse_client[0] == '5' ? VERDICT_PERMANENT : VERDICT_TEMPORARY, 0,
		    f->refuse_client[0] == '5' ? "5.7.1" : "4.7.1", "%s", f->refuse_client);
	else if (q->kind == QUESTION_MAIL && span_starts_with(q->from, "forged@"))
		verdict_set(&a->verdict, VERDICT_PERMANENT, 553, "5.7.1", "Not your address");
	else if ((q->kind == QUESTION_RCPT || q->kind == QUESTION_REDIRECT) &&
		 span_starts_with(q->rcpt, "no"))
		verdict_set(&a->verdict, VERDICT_PERMANENT, 550, "5.1.1", "No such mailbox");
	else if (q->kind == QUESTION_RCPT && span_starts_with(q->rcpt, "later"))
		verdict_set(&a->verdict, VERDICT_TEMPORARY, 451, "4.2.1", "Not now");
	else if (q->kind == QUESTION_RCPT && span_starts_with(q->rcpt, "discard")) {
		a->action = ANSWER_DISCARD;
		f->discarded++;
	} else if (q->kind == QUESTION_LOGIN && span_is(q->password, "s3cret"))
		a->account = span_str("alice@a.test");
	else if (q->kind == QUESTION_LOGIN)
		verdict_set(&a->verdict, VERDICT_PERMANENT, 535, "5.7.8", "Wrong");
	else if (q->kind == QUESTION_RCPT && span_starts_with(q->rcpt, "bye"))
		verdict_set(&a->verdict, VERDICT_TEMPORARY, 421, "4.7.0", "Go away");
}

static inline void
fake_ask(void *arg, const struct question *q, struct question_call *call)
{
	struct fake *f = arg;

	assert(f->ncalls < FAKE_CALLS && call->id == 0);
	snprintf(f->asked, sizeof f->asked,
	    "%d role=%d client=%.*s uid=%lld helo=%.*s from=%.*s rcpt=%.*s", (int)q->kind,
	    (int)q->role, SPAN_ARG(q->client), (long long)q->uid, SPAN_ARG(q->helo),
	    SPAN_ARG(q->from), SPAN_ARG(q->rcpt));
	f->asked_commands = q->commands;
	f->asked_certificate = q->certificate.len > 0;
	call->id = ++f->questions;
	fake_decide(f, q, &f->answers[f->ncalls]);
	f->calls[f->ncalls++] = call;
}

static inline void
fake_cancel(void *arg, struct question_call *call)
{
	struct fake *f = arg;

	for (size_t i = 0; i < f->ncalls; i++)
		if (f->calls[i] == call)
			f->calls[i] = NULL;
	call->id = 0;
}

static inline void
fake_tell(void *arg, enum note_kind kind, const struct question *q)
{
	struct fake *f = arg;

	snprintf(f->told, sizeof f->told, "%d client=%.*s from=%.*s recipients=%zu commands=%u",
	    (int)kind, SPAN_ARG(q->client), SPAN_ARG(q->from), q->recipients, q->commands);
	f->tellings++;
}

static const struct question_ops fake_policy_ops = {
    .ask = fake_ask, .cancel = fake_cancel, .tell = fake_tell};

/* --- spool --- */

static inline bool
fake_has_room(void *arg)
{
	return !((struct fake *)arg)->full;
}

static inline uint64_t
fake_next_message(void *arg)
{
	struct fake *f = arg;

	return f->full ? 0 : ++f->next_number;
}

static inline void
fake_commit(void *arg, const struct spool_message *m, struct span content, spool_done_fn *done,
    void *done_arg)
{
	struct fake *f = arg;

	assert(f->ncommits < FAKE_CALLS && content.len <= MESSAGE_INLINE_MAX);
	f->commits[f->ncommits++] = (struct fake_commit){done, done_arg,
	    {m->number, xspandup(m->envelope), xspandup(content), content.len, false}};
}

static inline struct large *
fake_large_open(void *arg, const struct spool_message *m, uint64_t size, large_ready_fn *ready,
    void *ready_arg)
{
	struct fake *f = arg;
	struct large *l = xcalloc(1, sizeof *l);

	(void)size;
	assert(f->nopening < FAKE_CALLS);
	*l = (struct large){.fake = f, .message = *m, .ready = ready, .arg = ready_arg};
	l->envelope = xspandup(m->envelope);
	buf_init(&l->content, 256U << 20);
	f->large_open++;
	f->opening[f->nopening++] = l;
	return l;
}

static inline int
fake_large_append(struct large *l, struct span content)
{
	assert(l->ready == NULL);
	return l->fake->failing ? -1 : buf_add_span(&l->content, content);
}

static inline int
fake_large_amend(struct large *l, struct span envelope, struct span top)
{
	struct buf content;

	assert(envelope.len + top.len == l->message.envelope.len);
	buf_init(&content, 256U << 20);
	buf_add_span(&content, top);
	buf_add_span(&content, buf_span(&l->content));
	buf_release(&l->content);
	l->content = content;
	free(l->envelope);
	l->envelope = xspandup(envelope);
	return l->fake->failing ? -1 : 0;
}

static inline void
fake_large_commit(struct large **lp, spool_done_fn *done, void *arg)
{
	struct large *l = *lp;
	struct fake *f = l->fake;

	*lp = NULL;
	assert(f->ncommits < FAKE_CALLS);
	f->large_open--;
	f->commits[f->ncommits++] = (struct fake_commit){
	    done, arg, {l->message.number, l->envelope, NULL, l->content.len, true}};
	f->commits[f->ncommits - 1].message.content = buf_take(&l->content);
	free(l);
}

static inline void
fake_large_abort(struct large **lp)
{
	struct large *l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	l->fake->large_open--;
	l->fake->large_aborted++;
	for (size_t i = 0; i < l->fake->nopening; i++)
		if (l->fake->opening[i] == l)
			l->fake->opening[i] = NULL;
	buf_release(&l->content);
	free(l->envelope);
	free(l);
}

static const struct spool_ops fake_spool_ops = {.has_room = fake_has_room,
    .next_message = fake_next_message,
    .commit = fake_commit,
    .large_open = fake_large_open,
    .large_append = fake_large_append,
    .large_amend = fake_large_amend,
    .large_commit = fake_large_commit,
    .large_abort = fake_large_abort};

/* --- giving answers --- */

static inline void
fake_answer_policy(struct fake *f)
{
	size_t n = f->ncalls;

	/* One answer may cancel the call behind it, and ask more. */
	for (size_t i = 0; i < n; i++) {
		struct question_call *call = f->calls[i];
		struct answer a = f->answers[i];

		f->calls[i] = NULL;
		if (call == NULL)
			continue;
		call->id = 0;
		call->fn(&a, call->arg);
	}
	f->ncalls -= n;
	memmove(f->calls, f->calls + n, f->ncalls * sizeof *f->calls);
	memmove(f->answers, f->answers + n, f->ncalls * sizeof *f->answers);
}

static inline void
fake_message_release(struct fake_message *m)
{
	free(m->envelope);
	free(m->content);
}

static inline void
fake_answer_commits(struct fake *f)
{
	size_t n = f->ncommits;
	struct fake_commit due[FAKE_CALLS];
	struct verdict v;

	memcpy(due, f->commits, n * sizeof *due);
	f->ncommits = 0;
	for (size_t i = 0; i < n; i++) {
		if (f->failing || f->nmessages == FAKE_MESSAGES) {
			fake_message_release(&due[i].message);
			verdict_set(&v, VERDICT_TEMPORARY, 451, "4.3.0", "Not written");
		} else {
			f->messages[f->nmessages++] = due[i].message;
			verdict_set(&v, VERDICT_OK, 250, "2.0.0", "Queued");
		}
		due[i].done(&v, due[i].arg);
	}
}

static inline void
fake_answer_files(struct fake *f)
{
	size_t n = f->nopening;
	struct large *due[FAKE_CALLS];
	struct verdict v;

	memcpy(due, f->opening, n * sizeof *due);
	f->nopening = 0;
	for (size_t i = 0; i < n; i++) {
		large_ready_fn *ready;

		if (due[i] == NULL)
			continue;
		ready = due[i]->ready;
		due[i]->ready = NULL;
		if (f->no_file)
			verdict_set(&v, VERDICT_TEMPORARY, 452, "4.3.1", "No file");
		else
			verdict_set(&v, VERDICT_OK, 250, "2.0.0", "Go on");
		ready(&v, due[i]->arg);
	}
}

/* Lets the sessions and the fakes work until nothing moves any more. */
static inline void
fake_run(struct fake *f)
{
	for (int idle = 0; idle < 2;) {
		bool busy = f->nopening > 0 || (f->ncalls > 0 && !f->hold_policy) ||
			    (f->ncommits > 0 && !f->hold_commits);

		event_base_loop(f->base, EVLOOP_NONBLOCK);
		fake_answer_files(f);
		if (!f->hold_policy)
			fake_answer_policy(f);
		if (!f->hold_commits)
			fake_answer_commits(f);
		idle = busy ? 0 : idle + 1;
	}
}

/* --- server and client --- */

static uint64_t fake_clock_ms = 1000000;

static inline uint64_t
fake_clock(void)
{
	return fake_clock_ms;
}

/* The settings of the fixture in tests/vectors/README.md, without the greeting delay. */
static inline struct settings *
fake_settings(void)
{
	struct config c = {.hostname = (char[]){"mx.test"},
	    .message_size_limit = 1048576,
	    .recipient_limit = 100,
	    .error_limit = 10,
	    .auth_failure_limit = 3,
	    .hop_limit = 50,
	    .command_line_limit = 2048,
	    .connection_limit = 100,
	    .connection_limit_per_client = 10,
	    .connection_limit_per_network = 1000,
	    .idle_timeout = 5000,
	    .session_timeout = 60000,
	    .transaction_timeout = 40000,
	    .minimum_rate = 32};
	struct settings *s;

	s = settings_new(&c, OFFER_SIZE | OFFER_8BITMIME);
	/* Asked about every client, as if there were an access table. */
	s->connect_is_open = false;
	return s;
}

static inline void
fake_init(struct fake *f)
{
	*f = (struct fake){.base = event_base_new(), .next_number = 41};
	server_init(
	    &f->server, f->base, fake_settings(), &fake_policy_ops, f, &fake_spool_ops, f);
	f->server.clock = f->server.wheel.clock = fake_clock;
}

static inline void
fake_release(struct fake *f)
{
	/* Nothing may be on its way to disk when its session goes. */
	f->hold_commits = false;
	fake_answer_commits(f);
	server_release(&f->server);
	for (size_t i = 0; i < f->nmessages; i++)
		fake_message_release(&f->messages[i]);
	event_base_free(f->base);
}

/* Connects a client from 192.0.2.7; returns its end, non-blocking. */
static inline int
fake_connect(struct fake *f, const struct session_origin *origin)
{
	struct session_origin from = {
	    .role = LISTENER_MX, .uid = -1, .peer_uid = -1, .text = "192.0.2.7"};
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
		abort();
	if (netaddr_parse(span_str(from.text), &from.client) != 0)
		abort();
	session_new(&f->server, fds[1], origin != NULL ? origin : &from);
	return fds[0];
}

/* Time passes: the timers of all sessions are looked at. */
static inline void
fake_sleep(struct fake *f, uint64_t ms)
{
	struct session *s, *next;

	fake_clock_ms += ms;
	for (s = TAILQ_FIRST(&f->server.sessions); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->timer.deadline <= fake_clock_ms) {
			wheel_cancel(&f->server.wheel, &s->timer);
			session_on_time(s);
		}
	}
	fake_run(f);
}

#endif
