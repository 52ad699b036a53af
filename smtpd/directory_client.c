/* directory_client: asks the directory. See directory_client.h. Called by sessions through struct question_ops. */
#include "smtpd/directory_client.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/peer.h"
#include "common/xalloc.h"

/* A directory that is up answers within a millisecond; a client waits five minutes (RFC 5321 4.5.3.2). */
#define ANSWER_TIMEOUT_MS 10000

/* Hashing takes its time, and others may be before. */
#define LOGIN_TIMEOUT_MS 60000

struct directory_client {
	struct peer *peer;
	struct header_source *headers;
};

static void
add_login(struct wire_out *w, const struct question *q)
{
	wire_add(w, "user", q->user);
	if (!q->scram) {
		wire_add(w, "password", q->password);
		return;
	}
	wire_add_str(w, "mechanism", "SCRAM-SHA-256");
	if (q->nonce.len > 0) {
		wire_add(w, "nonce", q->nonce);
	} else {
		wire_add(w, "message", q->message);
		wire_add(w, "proof", q->proof);
	}
}

static void
add_authors(struct wire_out *w, const struct question *q)
{
	struct span rest = q->authors;

	while (rest.len > 0)
		wire_add(w, "author", span_cut(&rest, '\n'));
	if (q->unclear.len > 0)
		wire_add(w, "unclear", q->unclear);
}

static void
add_certificate(struct wire_out *w, const struct question *q)
{
	wire_add(w, "certificate", q->certificate);
	wire_add(w, "public-key", q->public_key);
	if (q->verified)
		wire_add_str(w, "verified", "yes");
}

static void
add_question(struct wire_out *w, const struct question *q)
{
	wire_add(w, "client", q->client);
	wire_add_str(w, "role", listener_role_name(q->role));
	if (q->uid >= 0)
		wire_add_u64(w, "uid", (uint64_t)q->uid);
	if (q->kind == QUESTION_LOGIN || q->kind == QUESTION_MECHANISMS)
		wire_add(w, "server", q->server);
	if (q->kind == QUESTION_LOGIN)
		add_login(w, q);
	if (q->commands > 0)
		wire_add_u64(w, "commands", q->commands);
	if (q->certificate.len > 0)
		add_certificate(w, q);
	if (q->kind == QUESTION_CONNECT || q->kind == QUESTION_LOGIN ||
	    q->kind == QUESTION_MECHANISMS)
		return;
	if (q->size > 0)
		wire_add_u64(w, "size", q->size);
	if (q->recipients > 0)
		wire_add_u64(w, "recipients", q->recipients);
	wire_add(w, "helo", q->helo);
	if (q->auth.len > 0)
		wire_add(w, "auth", q->auth);
	wire_add(w, "from", q->from);
	if ((q->kind == QUESTION_RCPT && q->rcpt.len > 0) || q->kind == QUESTION_REDIRECT)
		wire_add(w, "rcpt", q->rcpt);
	if (q->kind == QUESTION_AUTHOR)
		add_authors(w, q);
	if (q->facts != NULL)
		facts_to_wire(q->facts, w);
}

static enum answer_action
action_of(const struct wire_msg *m)
{
	struct span s;

	if (wire_get(m, "action", &s) != 0)
		return ANSWER_DELIVER;
	return span_is(s, "discard") ? ANSWER_DISCARD : ANSWER_HOLD;
}

/* Empty if it is not there. */
static struct span
field(const struct wire_msg *m, const char *name)
{
	struct span s;

	return wire_get(m, name, &s) == 0 ? s : span_make("", 0);
}

/* The values of the fields of that name, at most max of them. Returns how many. */
static size_t
collect(const struct wire_msg *m, const char *name, struct span *values, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < m->nfields && n < max; i++)
		if (span_is(m->fields[i].name, name))
			values[n++] = m->fields[i].value;
	return n;
}

static void
on_answer(struct wire_msg *m, void *arg)
{
	struct span wants[FACTS_MAX], warnings[FACTS_MAX];
	struct question_call *call = arg;
	const struct directory_client *p = call->directory;
	struct span version;
	struct answer a = {.told = false,
	    .rule = span_str("cannot-tell"),
	    .wants = wants,
	    .warnings = warnings};

	if (m != NULL && wire_get_verdict(m, &a.verdict) == 0) {
		a.told = true;
		if (wire_get(m, "rule", &a.rule) != 0)
			a.rule = span_str("-");
		a.account = field(m, "account");
		a.challenge = field(m, "challenge");
		a.signature = field(m, "signature");
		a.scram = wire_is_yes(m, "scram");
		a.action = action_of(m);
		if (wire_get(m, "header-rules", &version) == 0)
			header_source_announce(p->headers, version);
		a.nwants = collect(m, "want", wants, FACTS_MAX);
		a.nwarnings = collect(m, "warning", warnings, FACTS_MAX);
		a.count = wire_is_yes(m, "count");
		if (wire_get_u64(m, "size-limit", INT64_MAX, &a.size_limit) != 0)
			a.size_limit = 0;
	} else {
		verdict_set(&a.verdict, VERDICT_TEMPORARY, 451, "4.3.0",
		    "Cannot decide now, try again later");
	}
	call->id = 0;
	call->fn(&a, call->arg);
}

static void
ask(void *arg, const struct question *q, struct question_call *call)
{
	static const char *const verbs[] = {[QUESTION_CONNECT] = "connect",
	    [QUESTION_MAIL] = "mail",
	    [QUESTION_RCPT] = "rcpt",
	    [QUESTION_REDIRECT] = "redirect",
	    [QUESTION_AUTHOR] = "author",
	    [QUESTION_LOGIN] = "authenticate",
	    [QUESTION_MECHANISMS] = "mechanisms"};
	struct directory_client *p = arg;
	struct wire_out w;

	call->id = peer_next_id(p->peer);
	call->directory = p;
	wire_out_init(&w, verbs[q->kind], call->id);
	if (q->kind == QUESTION_LOGIN)
		wire_out_keep_nothing(&w);
	add_question(&w, q);
	peer_call(p->peer, &w, q->kind == QUESTION_LOGIN ? LOGIN_TIMEOUT_MS : ANSWER_TIMEOUT_MS,
	    on_answer, call);
}

static void
cancel(void *arg, struct question_call *call)
{
	struct directory_client *p = arg;

	if (call->id != 0)
		peer_cancel(p->peer, call->id);
	call->id = 0;
}

static void
tell(void *arg, enum note_kind kind, const struct question *q)
{
	struct directory_client *p = arg;
	struct wire_out w;

	wire_out_init(&w, kind == NOTE_ACCEPTED ? "accepted" : "commands", 0);
	add_question(&w, q);
	if (peer_notify(p->peer, &w, -1) != 0)
		log_debug("the directory is away, and does not count what was done");
	else if (kind == NOTE_ACCEPTED)
		/* Before the client hears of it: he may be at another worker the next moment, which asks. */
		peer_flush(p->peer);
}

const struct question_ops directory_client_ops = {.ask = ask, .cancel = cancel, .tell = tell};

struct directory_client *
directory_client_new(struct event_base *base, const char *path)
{
	static const struct peer_ops ops = {.secret = true};
	struct directory_client *p = xcalloc(1, sizeof *p);

	p->peer = peer_new(base, path, "smtpd", &ops, p);
	p->headers = header_source_new(p->peer);
	return p;
}

void
directory_client_free(struct directory_client **pp)
{
	struct directory_client *p = *pp;

	if (p == NULL)
		return;
	*pp = NULL;
	header_source_free(&p->headers);
	peer_free(&p->peer);
	free(p);
}

bool
directory_client_is_up(const struct directory_client *p)
{
	return peer_is_up(p->peer);
}

struct header_source *
directory_client_headers(struct directory_client *p)
{
	return p->headers;
}
