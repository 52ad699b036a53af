/* relay: one job of remote on its way. See relay.h. Called by remote_main.c. */
#include "deliver/relay.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/utf8.h"
#include "common/xalloc.h"
#include "deliver/header_utf8.h"

struct relay {
	const struct relay_env *env;
	struct job *job;
	struct smtp_transaction t; /* its recipients: those of the job that are undecided */
	size_t *which;		   /* which of the job each of them is */
	bool header_utf8;	   /* of a message with SMTPUTF8 */
	struct connection *connection;
	bool reused; /* the connection had been idle before */
	struct route_targets targets;
	size_t next;	     /* target to try next */
	bool reached;	     /* a host has said something to this mail */
	bool clear;	     /* the handshake with this target failed: no TLS */
	struct verdict last; /* of the target tried last */
	char last_host[DOMAIN_MAX + 1];
};

static void try_next(struct relay *);

static void
finish(struct relay *r)
{
	free(r->t.recipients);
	free(r->which);
	job_finish(&r->job);
	free(r);
}

/*
 * The queue learns from this how much the destination takes, and whether it lives. Whatever a host says to
 * MAIL and after is about this mail; 421 is about the host (RFC 5321 3.8).
 */
static bool
is_about_mail(const struct verdict *v)
{
	return v->code != 421;
}

/* No host took it: what the last one said, or the way to it. */
static void
give_up(struct relay *r)
{
	for (size_t i = 0; i < r->job->nrecipients; i++)
		if (!r->job->recipients[i].decided)
			r->job->recipients[i].unreached = !r->reached;
	job_decide_rest(r->job, &r->last, r->last_host[0] != '\0' ? r->last_host : NULL);
	finish(r);
}

static ssize_t
read_content(void *content, uint64_t at, void *out, size_t n)
{
	return job_read(content, at, out, n);
}

/* Exact for what is in memory; a file's lines are not counted for it (RFC 1870 5 asks for an estimate). */
static uint64_t
wire_size(const struct job *j)
{
	uint64_t n = j->size;
	const char *at = j->content, *end = at + j->size;

	while (at != NULL && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		n++;
		at++;
	}
	return n;
}

/* The transaction as it goes to a host: to whom the job has no verdict about. */
static void
prepare(struct relay *r)
{
	const struct job *j = r->job;

	if (r->t.recipients == NULL) {
		r->t.recipients = xcalloc(j->nrecipients, sizeof *r->t.recipients);
		r->which = xcalloc(j->nrecipients, sizeof *r->which);
		r->header_utf8 = j->utf8 && header_utf8_find(j);
	}
	r->t.from = j->from;
	r->t.envid = j->envid;
	r->t.ret = j->ret;
	r->t.eight_bit = j->eight_bit;
	r->t.utf8 = r->header_utf8 || !utf8_is_ascii(span_str(j->from));
	r->t.utf8_given = j->utf8;
	r->t.size = j->size;
	r->t.wire_size = wire_size(j);
	r->t.read = read_content;
	r->t.content = r->job;
	r->t.nrecipients = 0;
	for (size_t i = 0; i < j->nrecipients; i++) {
		if (j->recipients[i].decided)
			continue;
		r->which[r->t.nrecipients] = i;
		r->t.recipients[r->t.nrecipients++] =
		    (struct smtp_recipient){.address = j->recipients[i].address,
			.notify = j->recipients[i].notify,
			.orcpt = j->recipients[i].orcpt};
	}
}

static void
send_now(struct relay *r)
{
	connection_send(r->connection, &r->t);
}

/* --- connections --- */

static void
on_ready(struct connection *c, void *owner)
{
	(void)c;
	send_now(owner);
}

/* The rest of this host's addresses would tell the same. */
static void
skip_host(struct relay *r)
{
	unsigned rank = r->next > 0 ? r->targets.v[r->next - 1].rank : 0;

	while (r->next < r->targets.n && r->targets.v[r->next].rank == rank)
		r->next++;
}

static void
take_verdicts(struct relay *r, const char *host)
{
	for (size_t i = 0; i < r->t.nrecipients; i++) {
		struct job_recipient *one = &r->job->recipients[r->which[i]];

		if (!r->t.recipients[i].decided)
			continue;
		job_decide(r->job, r->which[i], &r->t.recipients[i].verdict, host);
		one->dsn = r->t.dsn;
		one->unreached = !r->reached && !is_about_mail(&r->t.recipients[i].verdict);
	}
}

/* The host takes no more on this connection: the others go to it by another one. */
static void
go_on(struct relay *r)
{
	take_verdicts(r, r->last_host);
	r->reached = true;
	if (r->next > 0) /* 0: the connection was open already, the route is not known yet */
		r->next--;
	try_next(r);
}

/*
 * What the host said about the message. Of some recipients it was known without asking that this host cannot take
 * them (UTF-8): that says nothing about the others, nor about another host.
 */
static const struct verdict *
verdict_of_host(const struct relay *r)
{
	for (size_t i = 0; i < r->t.nrecipients; i++)
		if (r->t.recipients[i].verdict.kind == VERDICT_TEMPORARY)
			return &r->t.recipients[i].verdict;
	return &r->t.recipients[0].verdict;
}

static void
on_done(struct connection *c, enum smtp_outcome outcome, void *owner)
{
	struct relay *r = owner;
	bool reused = r->reused;

	connection_release(c, outcome == SMTP_DONE);
	r->connection = NULL;
	r->clear = false;
	snprintf(r->last_host, sizeof r->last_host, "%s", connection_host(c));
	r->last = *verdict_of_host(r);
	r->reached = r->reached || (outcome == SMTP_REFUSED && is_about_mail(&r->last));
	if (outcome == SMTP_DONE || outcome == SMTP_BROKEN) {
		take_verdicts(r, r->last_host);
		finish(r);
		return;
	}
	if (outcome == SMTP_PARTIAL) {
		go_on(r);
		return;
	}
	if (!reused)
		skip_host(r);
	try_next(r);
}

static void
on_closed(struct connection *c, enum smtp_stage stage, const struct verdict *v, void *owner)
{
	struct relay *r = owner;

	snprintf(r->last_host, sizeof r->last_host, "%s", connection_host(c));
	r->connection = NULL;
	r->last = *v;
	log_debug("id=%s host=%s %s", r->job->message, r->last_host, v->text);
	if (stage == SMTP_STAGE_TLS && !r->clear) {
		r->next--;
		r->clear = true;
		log_info("id=%s host=%s TLS failed, trying without: %s", r->job->message,
		    r->last_host, v->text);
	} else {
		r->clear = false;
	}
	try_next(r);
}

const struct connection_ops relay_connection_ops = {
    .on_ready = on_ready, .on_done = on_done, .on_closed = on_closed};

static void
open_connection(struct relay *r, const struct route_target *to)
{
	struct smtp_options options = r->env->smtp;

	if (r->clear)
		options.tls = NULL;
	r->reused = false;
	r->connection =
	    connection_pool_open(r->env->pool, r->job->destination, to, &options, r);
}

/* --- routes --- */

static void
on_route(const struct route_targets *t, void *arg)
{
	struct relay *r = arg;

	r->targets = *t;
	r->next = 0;
	if (t->n == 0) {
		r->last = t->verdict;
		r->last_host[0] = '\0';
		give_up(r);
		return;
	}
	try_next(r);
}

/* The next target; the route first, if it was not needed yet. */
static void
try_next(struct relay *r)
{
	prepare(r);
	if (r->targets.n == 0) {
		route_find(r->env->dns, &r->env->route, r->job->destination, on_route, r);
		return;
	}
	if (r->next == r->targets.n) {
		give_up(r);
		return;
	}
	open_connection(r, &r->targets.v[r->next++]);
}

void
relay_start(const struct relay_env *env, struct job *j)
{
	struct relay *r = xcalloc(1, sizeof *r);

	r->env = env;
	r->job = j;
	verdict_init(&r->last);
	r->connection = connection_pool_take(env->pool, j->destination, r);
	if (r->connection == NULL) {
		try_next(r);
		return;
	}
	r->reused = true;
	prepare(r);
	send_now(r);
}
