/* agents: delivery agents and their jobs. See agents.h. */
#include "queue/agents.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/idmap.h"
#include "common/log.h"
#include "common/service.h"
#include "common/xalloc.h"
#include "queue/job_dsn.h"
#include "queue/spool_record.h"

#define SLOTS_MAX      10000
#define SERVICES_MAX   4
#define BACKLOG_ENOUGH (8U << 20) /* an agent with this much unread gets no more for now */

struct agents_job {
	TAILQ_ENTRY(agents_job) link;
	uint64_t id;
	struct agent *agent;
	struct destination *destination;
	enum job_end end;    /* by what has been said so far */
	struct verdict *why; /* if it is NOT_REACHED */
	uint32_t delivered;
	size_t n;
	struct recipient *recipients[]; /* NULL once its verdict is in */
};

struct agent {
	TAILQ_ENTRY(agent) link;
	struct agents *agents;
	struct client *client;
	enum agent_kind kind;
	unsigned slots, jobs;
	TAILQ_HEAD(, agents_job) list;
};

struct agents {
	struct event_base *base;
	const struct agents_ops *ops;
	void *arg;
	struct service *services[SERVICES_MAX];
	size_t nservices;
	TAILQ_HEAD(, agent) all;
	struct idmap jobs;
	uint64_t next_id;
	unsigned count[AGENT_KINDS], active[AGENT_KINDS];
};

struct agents *
agents_new(struct event_base *base, const struct agents_ops *ops, void *arg)
{
	struct agents *a = xcalloc(1, sizeof *a);

	a->base = base;
	a->ops = ops;
	a->arg = arg;
	a->next_id = 1;
	TAILQ_INIT(&a->all);
	idmap_init(&a->jobs);
	return a;
}

void
agents_free(struct agents **ap)
{
	struct agents *a = *ap;

	if (a == NULL)
		return;
	*ap = NULL;
	for (size_t i = 0; i < a->nservices; i++)
		service_free(&a->services[i]);
	idmap_release(&a->jobs);
	free(a);
}

static bool
has_slot(const struct agent *g)
{
	return g->jobs < g->slots &&
	       channel_backlog(client_channel(g->client)) < BACKLOG_ENOUGH;
}

/* The agent of this kind with the fewest jobs that takes one more. */
static struct agent *
pick(const struct agents *a, enum agent_kind kind)
{
	struct agent *g, *best = NULL;

	TAILQ_FOREACH (g, &a->all, link)
		if (g->kind == kind && has_slot(g) && (best == NULL || g->jobs < best->jobs))
			best = g;
	return best;
}

unsigned
agents_places(const struct agents *a, enum agent_kind kind)
{
	const struct agent *g;
	unsigned n = 0;

	TAILQ_FOREACH (g, &a->all, link)
		if (g->kind == kind && has_slot(g))
			n += g->slots - g->jobs;
	return n;
}

unsigned
agents_jobs(const struct agents *a, enum agent_kind kind)
{
	return a->active[kind];
}

unsigned
agents_count(const struct agents *a, enum agent_kind kind)
{
	return a->count[kind];
}

static void
end_job(struct agents *a, struct agents_job *j)
{
	struct agent *g = j->agent;

	(void)idmap_remove(&a->jobs, j->id);
	TAILQ_REMOVE(&g->list, j, link);
	g->jobs--;
	a->active[g->kind]--;
	for (size_t i = 0; i < j->n; i++)
		if (j->recipients[i] != NULL)
			a->ops->on_lost(j->recipients[i], a->arg);
	a->ops->on_end(j->destination, j->end, j->end == JOB_NOT_REACHED ? j->why : NULL,
	    j->delivered, a->arg);
	free(j->why);
	free(j);
}

static void
write_job(struct wire_out *w, enum agent_kind kind, struct recipient *const *recipients,
    size_t n, const struct agents_content *content)
{
	const struct message *m = recipients[0]->message;
	char id[SPOOL_ID_SIZE];
	unsigned attempt = 1;

	wire_add_str(w, "message", spool_id_format(m->number, id));
	wire_addf(w, "number", "%016llx", (unsigned long long)m->number);
	wire_add_str(w, "from", m->from);
	wire_add_u64(w, "received", (uint64_t)(m->received / 1000));
	wire_add_u64(w, "size", m->content_len);
	wire_add_str(w, "body", m->eight_bit ? "8bit" : "7bit");
	if (m->utf8)
		wire_add_str(w, "utf8", "yes");
	wire_add_str(w, "destination", recipients[0]->destination->name);
	if (content->fd >= 0)
		wire_add_u64(w, "offset", content->offset);
	if (kind == AGENT_REMOTE)
		job_dsn_add_message(w, content->envelope);
	/* A delivery may have happened before a crash: whoever delivers looks for it. */
	for (size_t i = 0; i < n; i++) {
		unsigned a = 1U + recipients[i]->attempts + recipients[i]->losses +
			     (recipients[i]->recovered ? 1U : 0U);

		attempt = a > attempt ? a : attempt;
	}
	wire_add_u64(w, "attempt", attempt);
	for (size_t i = 0; i < n; i++) {
		struct recipient *r = recipients[i];

		wire_add_u64(w, "rcpt", r->entry);
		wire_add_str(w, "address", r->address);
		wire_add_str(w, "original", recipient_origin(r)->address);
		if (kind == AGENT_REMOTE)
			job_dsn_add_recipient(w, r, content->envelope);
	}
}

int
agents_send(struct agents *a, enum agent_kind kind, struct recipient *const *recipients,
    size_t n, const struct agents_content *content)
{
	struct agent *g = pick(a, kind);
	struct agents_job *j;
	struct wire_out w;

	if (g == NULL) {
		if (content->fd >= 0)
			close(content->fd);
		return -1;
	}
	j = xcalloc(1, sizeof *j + n * sizeof(j->recipients[0]));
	j->id = a->next_id++;
	j->agent = g;
	j->destination = recipients[0]->destination;
	j->end = JOB_LOST;
	j->n = n;
	for (size_t i = 0; i < n; i++)
		j->recipients[i] = recipients[i];
	wire_out_init(&w, "job", j->id);
	write_job(&w, kind, recipients, n, content);
	w.payload = content->text;
	if (client_send(g->client, &w, content->fd) != 0) {
		free(j);
		return -1;
	}
	(void)idmap_insert(&a->jobs, j->id, j);
	TAILQ_INSERT_TAIL(&g->list, j, link);
	g->jobs++;
	a->active[kind]++;
	return 0;
}

static struct recipient *
take_recipient(struct agents_job *j, uint64_t entry)
{
	for (size_t i = 0; i < j->n; i++) {
		struct recipient *r = j->recipients[i];

		if (r != NULL && r->entry == entry) {
			j->recipients[i] = NULL;
			return r;
		}
	}
	return NULL;
}

/*
 * What a verdict says of the destination: who was told a single thing about mail was reached. No for good
 * ("no such domain") is an answer too, whoever gave it: the next message deserves the same at once.
 */
static void
judge_destination(struct agents_job *j, const struct agents_verdict *v)
{
	if (v->verdict.kind == VERDICT_OK)
		j->delivered++;
	if (v->reached || v->verdict.kind != VERDICT_TEMPORARY) {
		j->end = JOB_REACHED;
		return;
	}
	if (j->end == JOB_LOST) {
		j->end = JOB_NOT_REACHED;
		j->why = xcalloc(1, sizeof *j->why);
		*j->why = v->verdict;
	}
}

/* One group of an answer, from the field `rcpt` at *i up to the next; *i moves behind it. -1 if malformed. */
static int
take_verdict(struct agents *a, struct agents_job *j, const struct wire_msg *m, size_t *i)
{
	struct wire_msg group = {.fields = m->fields + *i};
	struct agents_verdict v = {.mta = {"", 0}, .reached = true};
	struct recipient *r;
	struct span reached;
	uint64_t entry;

	do {
		(*i)++;
		group.nfields++;
	} while (*i < m->nfields && !span_is(m->fields[*i].name, "rcpt"));
	if (wire_get_u64(&group, "rcpt", UINT32_MAX, &entry) != 0 ||
	    wire_get_verdict(&group, &v.verdict) != 0)
		return -1;
	(void)wire_get(&group, "mta", &v.mta);
	if (wire_get(&group, "reached", &reached) == 0)
		v.reached = !span_is(reached, "no");
	v.dsn = wire_is_yes(&group, "dsn");
	r = take_recipient(j, entry);
	if (r == NULL)
		return -1;
	judge_destination(j, &v);
	a->ops->on_verdict(r, &v, a->arg);
	return 0;
}

static void
on_answer(struct agents *a, struct agent *g, struct wire_msg *m)
{
	struct agents_job *j = idmap_find(&a->jobs, m->id);
	enum agent_kind kind = g->kind;
	int r = 0;

	if (j == NULL || j->agent != g) {
		client_drop(g->client, "an answer to no question");
		return;
	}
	for (size_t i = 0; i < m->nfields && r == 0;)
		r = take_verdict(a, j, m, &i);
	end_job(a, j);
	if (r != 0)
		client_drop(g->client, "a malformed answer");
	else
		a->ops->on_ready(kind, a->arg);
}

static void
on_message(struct client *c, struct wire_msg *m, void *arg)
{
	struct agents *a = arg;
	struct agent *g = client_data(c);
	uint64_t slots;

	if (span_is(m->verb, "answer")) {
		on_answer(a, g, m);
	} else if (span_is(m->verb, "ready") &&
		   wire_get_u64(m, "slots", SLOTS_MAX, &slots) == 0) {
		g->slots = (unsigned)slots;
		a->ops->on_ready(g->kind, a->arg);
	} else {
		client_drop(c, "a message that is not understood");
	}
}

static void
on_up(struct client *c, void *arg)
{
	struct agents *a = arg;
	struct agent *g = xcalloc(1, sizeof *g);

	g->agents = a;
	g->client = c;
	g->kind = span_starts_with(span_str(client_service(c)), "local/") ? AGENT_LOCAL
									  : AGENT_REMOTE;
	TAILQ_INIT(&g->list);
	TAILQ_INSERT_TAIL(&a->all, g, link);
	a->count[g->kind]++;
	client_set_data(c, g);
}

static void
on_down(struct client *c, void *arg)
{
	struct agents *a = arg;
	struct agent *g = client_data(c);
	struct agents_job *j;

	if (g->jobs > 0)
		log_warnx("agent=%s pid=%d is gone with %u jobs: they are tried again",
		    client_role(c), (int)client_pid(c), g->jobs);
	g->slots = 0;
	TAILQ_REMOVE(&a->all, g, link);
	a->count[g->kind]--;
	while ((j = TAILQ_FIRST(&g->list)) != NULL)
		end_job(a, j);
	free(g);
}

static const struct service_ops service_ops = {
    .on_up = on_up, .on_down = on_down, .on_message = on_message};

void
agents_listen(struct agents *a, int fd, const char *name, uid_t uid)
{
	if (a->nservices == SERVICES_MAX) {
		close(fd);
		return;
	}
	a->services[a->nservices++] = service_new(a->base, fd, name, uid, &service_ops, a);
}
