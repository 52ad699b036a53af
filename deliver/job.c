/*
 * job: the agent's side of the queue protocol (doc/IPC.md). Used by remote and
 * local. What the queue sends is checked before anything is done with it: a
 * message id becomes part of a file name, addresses become header lines and
 * SMTP commands. Whatever is wrong with a job makes it temporary, never lost.
 */
#include "deliver/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/log.h"
#include "common/peer.h"
#include "common/xalloc.h"

#define MESSAGE_ID_MAX	32
#define DESTINATION_MAX (DOMAIN_MAX + 16)
#define PARAMETER_MAX	500 /* RFC 3461 5.1: of ORCPT, the longest */
#define RECIPIENTS_MAX	(WIRE_FIELDS_MAX / 3)

struct agent {
	struct peer *peer;
	const struct agent_ops *ops;
	void *arg;
	unsigned slots, active;
	uint64_t
	    connection; /* counts connections: an answer goes only where its question came from */
	TAILQ_HEAD(, job) jobs;
};

/* --- a job out of its message --- */

static bool
is_word(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= 'a' && c <= 'z'))
			return false;
	}
	return s.len > 0;
}

/* An address or destination as it may go into a header line, a command or a question. */
static bool
is_clean(struct span s, size_t max)
{
	return s.len <= max && !span_has_control(s) && span_index(s, '<') < 0 &&
	       span_index(s, '>') < 0;
}

/* The value of a parameter, as it may go into an SMTP command (RFC 5321 4.1.2, esmtp-value). */
static bool
is_parameter(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= 0x20 || s.p[i] > 0x7e || s.p[i] == '=')
			return false;
	return s.len > 0 && s.len <= PARAMETER_MAX;
}

/* A field that may be missing, into *place. -1 if it is there and must not be. */
static int
parse_parameter(struct span value, char **place)
{
	if (*place != NULL || !is_parameter(value))
		return -1;
	*place = xspandup(value);
	return 0;
}

static int
parse_number(struct span s, uint64_t *v)
{
	*v = 0;
	if (s.len == 0 || s.len > 16)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else
			return -1;
		*v = *v << 4 | digit;
	}
	return 0;
}

/* The fields ahead of the recipients. Returns what is wrong, or NULL. */
static const char *
parse_message(struct job *j, const struct wire_msg *m)
{
	struct span id, number, from, body, destination;
	uint64_t received, attempt = 1;

	if (wire_get(m, "message", &id) != 0 || id.len > MESSAGE_ID_MAX || !is_word(id))
		return "message=";
	free(j->message);
	j->message = xspandup(id);
	if (wire_get(m, "number", &number) != 0 || parse_number(number, &j->number) != 0)
		return "number=";
	if (wire_get(m, "from", &from) != 0 || !is_clean(from, ADDRESS_MAX))
		return "from=";
	free(j->from);
	j->from = xspandup(from);
	if (wire_get(m, "destination", &destination) != 0 || destination.len == 0 ||
	    !is_clean(destination, DESTINATION_MAX))
		return "destination=";
	free(j->destination);
	j->destination = xspandup(destination);
	if (wire_get_u64(m, "received", INT64_MAX, &received) != 0)
		return "received=";
	j->received = (int64_t)received;
	if (wire_get_u64(m, "size", INT64_MAX, &j->size) != 0)
		return "size=";
	if (wire_get(m, "body", &body) != 0 ||
	    (!span_is(body, "7bit") && !span_is(body, "8bit")))
		return "body=";
	j->eight_bit = span_is(body, "8bit");
	if (wire_get(m, "attempt", &body) == 0 &&
	    wire_get_u64(m, "attempt", UINT32_MAX, &attempt) != 0)
		return "attempt=";
	j->attempt = (uint32_t)attempt;
	j->recovered = wire_is_yes(m, "recovered");
	j->utf8 = wire_is_yes(m, "utf8");
	if (wire_get(m, "envid", &body) == 0 && parse_parameter(body, &j->envid) != 0)
		return "envid=";
	if (wire_get(m, "ret", &body) == 0 && parse_parameter(body, &j->ret) != 0)
		return "ret=";
	return NULL;
}

static const char *
parse_recipients(struct job *j, const struct wire_msg *m)
{
	struct job_recipient *r = NULL;
	size_t cap = 0;

	for (size_t i = 0; i < m->nfields; i++) {
		const struct wire_field *f = &m->fields[i];

		if (span_is(f->name, "rcpt")) {
			if (j->nrecipients >= RECIPIENTS_MAX)
				return "too many recipients";
			if (j->nrecipients == cap) {
				cap = cap > 0 ? cap * 2 : 4;
				j->recipients = xreallocarray(j->recipients, cap, sizeof *r);
			}
			r = &j->recipients[j->nrecipients];
			*r = (struct job_recipient){0};
			if (span_to_u64(f->value, UINT64_MAX, &r->entry) != 0)
				return "rcpt=";
			verdict_init(&r->verdict);
			j->nrecipients++;
		} else if (span_is(f->name, "address")) {
			if (r == NULL || r->address != NULL || f->value.len == 0 ||
			    !is_clean(f->value, ADDRESS_MAX))
				return "address=";
			r->address = xspandup(f->value);
		} else if (span_is(f->name, "original")) {
			if (r == NULL || r->original != NULL || span_has_control(f->value))
				return "original=";
			r->original = xspandup(f->value);
		} else if (span_is(f->name, "notify")) {
			if (r == NULL || parse_parameter(f->value, &r->notify) != 0)
				return "notify=";
		} else if (span_is(f->name, "orcpt")) {
			if (r == NULL || parse_parameter(f->value, &r->orcpt) != 0)
				return "orcpt=";
		}
	}
	for (size_t i = 0; i < j->nrecipients; i++)
		if (j->recipients[i].address == NULL)
			return "rcpt= without address=";
	return j->nrecipients > 0 ? NULL : "no recipients";
}

static const char *
parse_content(struct job *j, struct wire_msg *m)
{
	if (m->nfds == 0) {
		if (m->payload.len != j->size)
			return "payload and size= differ";
		j->content = xmalloc(m->payload.len + 1);
		if (m->payload.len > 0)
			memcpy(j->content, m->payload.p, m->payload.len);
		j->content[m->payload.len] = '\0';
		return NULL;
	}
	j->fd = wire_take_fd(m, 0);
	if (wire_get_u64(m, "offset", INT64_MAX, &j->offset) != 0)
		return "offset=";
	return j->fd >= 0 ? NULL : "no descriptor";
}

struct job *
job_parse(struct wire_msg *m, const char **why)
{
	struct job *j = xcalloc(1, sizeof *j);
	const char *recipients;
	struct verdict v;

	j->fd = -1;
	j->attempt = 1;
	j->request = m->id;
	j->message = xstrdup("?");
	j->from = xstrdup("");
	j->destination = xstrdup("?");
	recipients = parse_recipients(j, m);
	*why = parse_message(j, m);
	if (*why == NULL)
		*why = recipients;
	if (*why == NULL)
		*why = parse_content(j, m);
	if (*why != NULL) {
		verdict_set(&v, VERDICT_TEMPORARY, 451, "4.3.0",
		    "Malformed job from the queue (%s); see the log", *why);
		job_decide_rest(j, &v, NULL);
	}
	return j;
}

/* --- verdicts --- */

void
job_decide(struct job *j, size_t recipient, const struct verdict *v, const char *mta)
{
	struct job_recipient *r = &j->recipients[recipient];

	r->verdict = *v;
	free(r->mta);
	r->mta = mta != NULL ? xstrdup(mta) : NULL;
	r->decided = true;
}

void
job_decide_rest(struct job *j, const struct verdict *v, const char *mta)
{
	for (size_t i = 0; i < j->nrecipients; i++)
		if (!j->recipients[i].decided)
			job_decide(j, i, v, mta);
}

static void
send_answer(const struct job *j)
{
	struct wire_out w;

	wire_out_init(&w, "answer", j->request);
	for (size_t i = 0; i < j->nrecipients; i++) {
		const struct job_recipient *r = &j->recipients[i];

		wire_add_u64(&w, "rcpt", r->entry);
		wire_add_verdict(&w, &r->verdict);
		wire_add_str(&w, "mta", r->mta != NULL ? r->mta : "");
		if (r->dsn)
			wire_add_str(&w, "dsn", "yes");
		if (r->unreached)
			wire_add_str(&w, "reached", "no");
	}
	if (peer_notify(j->agent->peer, &w, -1) != 0)
		log_debug("id=%s the queue is gone, its answer is dropped", j->message);
}

static void
job_free(struct job *j)
{
	for (size_t i = 0; i < j->nrecipients; i++) {
		free(j->recipients[i].address);
		free(j->recipients[i].original);
		free(j->recipients[i].notify);
		free(j->recipients[i].orcpt);
		free(j->recipients[i].mta);
	}
	if (j->fd >= 0)
		close(j->fd);
	free(j->recipients);
	free(j->content);
	free(j->message);
	free(j->from);
	free(j->envid);
	free(j->ret);
	free(j->destination);
	free(j);
}

void
job_finish(struct job **jp)
{
	struct job *j = *jp;

	if (j == NULL)
		return;
	*jp = NULL;
	if (j->agent != NULL) {
		if (j->connection == j->agent->connection)
			send_answer(j);
		TAILQ_REMOVE(&j->agent->jobs, j, link);
		j->agent->active--;
	}
	job_free(j);
}

ssize_t
job_read(const struct job *j, uint64_t at, void *out, size_t n)
{
	ssize_t got;

	if (at >= j->size)
		return 0;
	if (n > j->size - at)
		n = (size_t)(j->size - at);
	if (j->content != NULL) {
		memcpy(out, j->content + at, n);
		return (ssize_t)n;
	}
	do {
		got = pread(j->fd, out, n, (off_t)(j->offset + at));
	} while (got < 0 && errno == EINTR);
	if (got == 0) {
		errno =
		    ENODATA; /* shorter than the queue said: never sent as if it were whole */
		return -1;
	}
	return got;
}

/* --- the agent --- */

static void
on_up(struct peer *p, void *arg)
{
	struct agent *a = arg;
	struct wire_out w;

	a->connection++;
	wire_out_init(&w, "ready", 0);
	wire_add_u64(&w, "slots", a->slots);
	peer_notify(p, &w, -1);
}

static void
on_down(struct peer *p, void *arg)
{
	struct agent *a = arg;

	(void)p;
	a->connection++;
	if (a->ops->on_down != NULL)
		a->ops->on_down(a->arg);
}

static void
on_message(struct peer *p, struct wire_msg *m, void *arg)
{
	struct agent *a = arg;
	const char *why;
	struct job *j;

	(void)p;
	if (!span_is(m->verb, "job") || m->id == 0) {
		log_warnx("the queue said \"%.*s\", which is nothing for an agent",
		    SPAN_ARG(m->verb));
		return;
	}
	j = job_parse(m, &why);
	j->agent = a;
	j->connection = a->connection;
	TAILQ_INSERT_TAIL(&a->jobs, j, link);
	a->active++;
	if (why != NULL) {
		log_warnx("id=%s malformed job: %s", j->message, why);
		job_finish(&j);
		return;
	}
	a->ops->on_job(j, a->arg);
}

static const struct peer_ops peer_ops = {
    .on_up = on_up, .on_down = on_down, .on_message = on_message};

struct agent *
agent_new(struct event_base *base, const char *path, const char *role, unsigned slots,
    const struct agent_ops *ops, void *arg)
{
	struct agent *a = xcalloc(1, sizeof *a);

	a->ops = ops;
	a->arg = arg;
	a->slots = slots;
	TAILQ_INIT(&a->jobs);
	a->peer = peer_new(base, path, role, &peer_ops, a);
	return a;
}

void
agent_free(struct agent **ap)
{
	struct agent *a = *ap;
	struct job *j;

	if (a == NULL)
		return;
	*ap = NULL;
	TAILQ_FOREACH (j, &a->jobs, link)
		j->agent = NULL;
	peer_free(&a->peer);
	free(a);
}

unsigned
agent_active(const struct agent *a)
{
	return a->active;
}

void
agent_flush(struct agent *a)
{
	peer_flush(a->peer);
}
