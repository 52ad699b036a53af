/* manager: from the store through directory, scheduler and agents, and back. See manager.h. */
#include "queue/manager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/peer.h"
#include "common/xalloc.h"
#include "queue/own_writer.h"
#include "queue/reporter.h"
#include "queue/resolved.h"
#include "queue/spool_record.h"

#define RESOLVING_MAX	   1000 /* questions to the directory at a time */
#define RESOLVE_TIMEOUT_MS 30000
#define SOON_MS		   1000 /* after the directory or an agent was lost */
#define LOSSES_FREE	   3	/* deaths of an agent that do not count as an attempt */
#define JOB_RECIPIENTS	   100	/* RFC 5321 4.5.3.1.8 */
#define LOCAL_CONCURRENCY  100 /* jobs at once for one domain's mailboxes: they share flushes */
#define TICK_MAX_MS	   60000

struct manager {
	struct event_base *base;
	const struct config *config;
	const struct manager_ops *ops;
	void *arg;
	struct store *store;
	struct scheduler *scheduler;
	struct agents *agents;
	struct own_writer *own;
	struct reporter *reporter;
	struct peer *directory;
	struct event *tick, *pump, *stop_timer;
	unsigned resolving;
	bool stopping;
	void (*stopped)(void *arg);
	void *stopped_arg;
	struct buf content; /* of the job being sent */
};

static void
pump_soon(struct manager *m)
{
	event_active(m->pump, 0, 0);
}

static void
arm_tick(struct manager *m, uint64_t in_ms)
{
	uint64_t ms = in_ms < TICK_MAX_MS ? in_ms : TICK_MAX_MS;
	struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	event_add(m->tick, &tv);
}

/* Puts the recipient off without a record: a restart tries it at once anyway. */
static void
put_off(struct manager *m, struct recipient *r, uint64_t ms)
{
	recipient_set_state(r, RECIPIENT_DEFERRED);
	r->next = clock_wall() + (int64_t)(ms / 1000);
	scheduler_add_deferred(m->scheduler, r, clock_mono_ms() + ms);
	arm_tick(m, scheduler_tick(m->scheduler, clock_mono_ms()));
}

static void
log_outcome(
    const struct recipient *r, const char *what, const struct verdict *v, struct span mta)
{
	char id[SPOOL_ID_SIZE];

	log_info(
	    "id=%s rcpt=%u to=<%s> %s attempts=%u delay=%lld mta=%.*s status=%s text=%d %s",
	    spool_id_format(r->message->number, id), r->entry, r->address, what, r->attempts,
	    (long long)(clock_wall() - r->message->received / 1000), SPAN_ARG(mta), v->status,
	    v->code, v->text);
}

static bool
expired(const struct manager *m, const struct recipient *r)
{
	return clock_wall_ms() - r->message->received > (int64_t)m->config->queue_lifetime;
}

static void
defer(struct manager *m, struct recipient *r, const struct verdict *v, struct span mta)
{
	uint32_t random = 0;
	uint64_t ms;

	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
		random = (uint32_t)r->message->number;
	ms = scheduler_interval(m->config->retry, m->config->nretry, r->attempts, random);
	store_defer(m->store, r, v, clock_wall() + (int64_t)(ms / 1000));
	scheduler_add_deferred(m->scheduler, r, clock_mono_ms() + ms);
	arm_tick(m, scheduler_tick(m->scheduler, clock_mono_ms()));
	log_outcome(r, "deferred", v, mta);
}

/* An attempt has come to this verdict. The recipient is in no list and has no destination. */
static void
conclude(struct manager *m, struct recipient *r, const struct verdict *v, struct span mta)
{
	struct message *msg = r->message;

	if (r->attempts < UINT16_MAX)
		r->attempts++;
	recipient_set_mta(r, mta);
	r->recovered = false;
	switch (v->kind) {
	case VERDICT_OK:
		store_deliver(m->store, r, v);
		log_outcome(r, "delivered", v, mta);
		break;
	case VERDICT_PERMANENT:
		store_fail(m->store, r, v);
		log_outcome(r, "failed", v, mta);
		break;
	case VERDICT_TEMPORARY:
		if (!expired(m, r)) {
			defer(m, r, v, mta);
			break;
		}
		store_fail(
		    m->store, r, v); /* the reason stays: the report says it was given up */
		log_outcome(r, "expired", v, mta);
		break;
	}
	/* At the very end, when jobs are taken back, it is gone before the agents. */
	if (m->reporter != NULL)
		reporter_consider(m->reporter, msg);
}

/* Resolving */

static void
wait_for(struct manager *m, struct recipient *r, const struct resolved_target *t)
{
	scheduler_add_waiting(m->scheduler, r,
	    t->kind == RECIPIENT_MAILBOX ? AGENT_LOCAL : AGENT_REMOTE, t->destination);
}

/* One target that is the address itself needs no expansion; anything else becomes entries of its own. */
static void
take_targets(struct manager *m, struct recipient *r, const struct resolved *res)
{
	struct message_target *targets;
	struct message *msg = r->message;
	uint32_t first;

	if (res->n == 1 && span_is(res->targets[0].address, r->address)) {
		wait_for(m, r, &res->targets[0]);
		return;
	}
	targets = xcalloc(res->n, sizeof *targets);
	for (size_t i = 0; i < res->n; i++)
		targets[i] =
		    (struct message_target){res->targets[i].kind, res->targets[i].address};
	first = store_expand(m->store, r, targets, res->n);
	for (size_t i = 0; i < res->n; i++)
		wait_for(m, message_recipient(msg, first + (uint32_t)i), &res->targets[i]);
	free(targets);
}

struct question {
	struct manager *manager;
	struct recipient *recipient;
};

static void
on_resolved(struct wire_msg *answer, void *arg)
{
	struct question *q = arg;
	struct manager *m = q->manager;
	struct recipient *r = q->recipient;
	struct resolved res;

	free(q);
	m->resolving--;
	pump_soon(m);
	if (answer == NULL || resolved_parse(answer, &res) != 0) {
		if (answer != NULL)
			log_warnx(
			    "directory: an answer about <%s> is not understood", r->address);
		put_off(m, r, SOON_MS);
		return;
	}
	if (res.verdict.kind == VERDICT_OK)
		take_targets(m, r, &res);
	else
		conclude(m, r, &res.verdict, span_str(""));
	resolved_release(&res);
}

static void
ask(struct manager *m, struct recipient *r)
{
	struct question *q = xcalloc(1, sizeof *q);
	struct wire_out w;

	*q = (struct question){m, r};
	wire_out_init(&w, "resolve", peer_next_id(m->directory));
	wire_add_str(&w, "address", r->address);
	wire_add_str(&w, "from", r->message->from);
	if (r->kind != RECIPIENT_GIVEN)
		wire_add_str(&w, "final", "yes");
	m->resolving++;
	peer_call(m->directory, &w, RESOLVE_TIMEOUT_MS, on_resolved, q);
}

/* Sending */

static void
damaged(struct manager *m, struct recipient **r, size_t n)
{
	struct destination *d = r[0]->destination;
	struct verdict v;

	verdict_set(&v, VERDICT_PERMANENT, 0, "5.3.0",
	    "The message was damaged on the disk of the mail system and cannot be delivered");
	for (size_t i = 0; i < n; i++) {
		r[i]->destination = NULL;
		conclude(m, r[i], &v, span_str(""));
	}
	scheduler_end_job(m->scheduler, d);
}

static void
not_sent(struct manager *m, struct recipient **r, size_t n)
{
	struct destination *d = r[0]->destination;

	for (size_t i = 0; i < n; i++) {
		r[i]->destination = NULL;
		put_off(m, r[i], SOON_MS);
	}
	scheduler_end_job(m->scheduler, d);
}

static void
send_job(struct manager *m, enum agent_kind kind, struct recipient **r, size_t n)
{
	struct message *msg = r[0]->message;
	int fd = -1;

	buf_clear(&m->content);
	if (msg->segment->large) {
		fd = segment_pool_read_fd(store_pool(m->store), msg->segment);
		if (fd < 0) {
			log_warn("large message");
			not_sent(m, r, n);
			return;
		}
	} else if (store_read_content(m->store, msg, &m->content) != 0) {
		damaged(m, r, n);
		return;
	}
	if (agents_send(m->agents, kind, r, n, buf_span(&m->content), fd,
		store_content_offset(msg)) != 0)
		not_sent(m, r, n);
}

static void
on_pump(evutil_socket_t fd, short what, void *arg)
{
	struct manager *m = arg;
	struct recipient *job[JOB_RECIPIENTS], *r;
	size_t n;

	(void)fd, (void)what;
	if (m->stopping)
		return;
	while (m->resolving < RESOLVING_MAX && (r = scheduler_next_due(m->scheduler)) != NULL)
		ask(m, r);
	for (int k = 0; k < AGENT_KINDS; k++)
		while (agents_may_send(m->agents, (enum agent_kind)k) &&
		       (n = scheduler_next_job(
			    m->scheduler, (enum agent_kind)k, job, JOB_RECIPIENTS)) > 0)
			send_job(m, (enum agent_kind)k, job, n);
}

static void
on_agent_ready(enum agent_kind kind, void *arg)
{
	(void)kind;
	pump_soon(arg);
}

static void
on_verdict(struct recipient *r, const struct verdict *v, struct span mta, void *arg)
{
	r->destination = NULL;
	conclude(arg, r, v, mta);
}

static void
on_lost(struct recipient *r, void *arg)
{
	struct manager *m = arg;
	struct verdict v;

	r->destination = NULL;
	r->recovered = true;
	if (r->losses++ < LOSSES_FREE) {
		put_off(m, r, SOON_MS);
		return;
	}
	verdict_set(
	    &v, VERDICT_TEMPORARY, 0, "4.3.0", "The delivery process died on this message");
	conclude(m, r, &v, span_str(""));
}

static void
on_job_end(struct destination *d, void *arg)
{
	struct manager *m = arg;

	scheduler_end_job(m->scheduler, d);
	pump_soon(m);
	if (m->stopping && agents_jobs(m->agents, AGENT_LOCAL) == 0 &&
	    agents_jobs(m->agents, AGENT_REMOTE) == 0)
		event_active(m->stop_timer, EV_TIMEOUT, 0);
}

static const struct agents_ops agents_ops = {.on_ready = on_agent_ready,
    .on_verdict = on_verdict,
    .on_lost = on_lost,
    .on_end = on_job_end};

/* From the store */

static void
schedule_recovered(struct manager *m, struct recipient *r)
{
	int64_t in = (r->next - clock_wall()) * 1000;
	int64_t longest = 0;

	/* A clock that jumped while we were down neither stalls nor floods. */
	for (size_t i = 0; i < m->config->nretry; i++)
		if ((int64_t)m->config->retry[i] > longest)
			longest = (int64_t)m->config->retry[i];
	if (in > longest)
		in = longest;
	scheduler_add_deferred(m->scheduler, r, clock_mono_ms() + (in > 0 ? (uint64_t)in : 0));
	event_active(m->tick, EV_TIMEOUT, 0);
}

static void
on_message(struct message *msg, bool recovered, void *arg)
{
	struct manager *m = arg;

	(void)recovered;
	for (uint32_t i = 0; i < msg->nrecipients; i++) {
		struct recipient *r = message_recipient(msg, i);

		if (r->state == RECIPIENT_DUE)
			scheduler_add_due(m->scheduler, r);
		else if (r->state == RECIPIENT_DEFERRED)
			schedule_recovered(m, r);
	}
	if (m->reporter != NULL)
		reporter_consider(m->reporter, msg);
	pump_soon(m);
}

static void
on_gone(struct message *msg, void *arg)
{
	struct manager *m = arg;

	reporter_forget(m->reporter, msg);
}

static void
on_store_ready(void *arg)
{
	struct manager *m = arg;

	if (m->reporter != NULL)
		reporter_on_ready(m->reporter);
	m->ops->on_ready(m->arg);
}

static void
on_store_space(bool room, void *arg)
{
	struct manager *m = arg;

	m->ops->on_space(room, m->arg);
}

static const struct store_ops store_ops = {.on_message = on_message,
    .on_gone = on_gone,
    .on_ready = on_store_ready,
    .on_space = on_store_space};

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct manager *m = arg;

	(void)fd, (void)what;
	arm_tick(m, scheduler_tick(m->scheduler, clock_mono_ms()));
	pump_soon(m);
}

static void
on_directory_up(struct peer *p, void *arg)
{
	(void)p;
	pump_soon(arg);
}

static const struct peer_ops directory_ops = {.on_up = on_directory_up};

static void
concurrency_of(const struct config *c, uint32_t out[AGENT_KINDS])
{
	out[AGENT_LOCAL] = LOCAL_CONCURRENCY;
	out[AGENT_REMOTE] = c->destination_concurrency;
}

static void
consider_all(struct manager *m)
{
	struct message *msg;
	size_t at = 0;

	while ((msg = store_next(m->store, &at)) != NULL)
		reporter_consider(m->reporter, msg);
}

static void
on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	struct manager *m = arg;

	(void)fd, (void)what;
	if (m->stopped != NULL)
		m->stopped(m->stopped_arg);
	m->stopped = NULL;
}

struct manager *
manager_new(struct event_base *base, int spoolfd, const struct config *config,
    const char *directory_path, const struct manager_ops *ops, void *arg)
{
	struct manager *m = xcalloc(1, sizeof *m);
	uint32_t concurrency[AGENT_KINDS];

	m->base = base;
	m->config = config;
	m->ops = ops;
	m->arg = arg;
	buf_init(&m->content, WIRE_PAYLOAD_MAX);
	concurrency_of(config, concurrency);
	m->scheduler = scheduler_new(concurrency);
	m->agents = agents_new(base, &agents_ops, m);
	m->tick = evtimer_new(base, on_tick, m);
	m->pump = event_new(base, -1, 0, on_pump, m);
	m->stop_timer = evtimer_new(base, on_stop_timer, m);
	m->directory = peer_new(base, directory_path, "queue", &directory_ops, m);
	m->store = store_open(base, spoolfd, config->segment_size, &store_ops, m);
	if (m->store == NULL) {
		manager_free(&m);
		return NULL;
	}
	m->own = own_writer_new(base, m->store);
	m->reporter = reporter_new(base, m->store, m->own, config->hostname);
	consider_all(m);
	on_tick(-1, 0, m);
	return m;
}

void
manager_set_config(struct manager *m, const struct config *config)
{
	uint32_t concurrency[AGENT_KINDS];

	m->config = config;
	concurrency_of(config, concurrency);
	scheduler_set_concurrency(m->scheduler, concurrency);
	reporter_set_hostname(m->reporter, config->hostname);
}

void
manager_stop(struct manager *m, unsigned timeout_ms, void (*done)(void *arg), void *arg)
{
	struct timeval tv = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

	m->stopping = true;
	m->stopped = done;
	m->stopped_arg = arg;
	if (agents_jobs(m->agents, AGENT_LOCAL) == 0 &&
	    agents_jobs(m->agents, AGENT_REMOTE) == 0)
		event_active(m->stop_timer, EV_TIMEOUT, 0);
	else
		event_add(m->stop_timer, &tv);
}

void
manager_free(struct manager **mp)
{
	struct manager *m = *mp;

	if (m == NULL)
		return;
	*mp = NULL;
	m->stopping = true;
	peer_free(&m->directory);
	own_writer_free(&m->own);
	if (m->reporter != NULL)
		reporter_free(&m->reporter);
	agents_free(&m->agents);
	store_close(&m->store);
	scheduler_free(&m->scheduler);
	event_free(m->tick);
	event_free(m->pump);
	event_free(m->stop_timer);
	buf_release(&m->content);
	free(m);
}

struct store *
manager_store(struct manager *m)
{
	return m->store;
}

struct agents *
manager_agents(struct manager *m)
{
	return m->agents;
}

struct scheduler *
manager_scheduler(struct manager *m)
{
	return m->scheduler;
}

bool
manager_retry(struct manager *m, struct recipient *r)
{
	if (r->state != RECIPIENT_DEFERRED)
		return false;
	scheduler_forget(m->scheduler, r);
	recipient_set_state(r, RECIPIENT_DUE);
	scheduler_add_due(m->scheduler, r);
	pump_soon(m);
	return true;
}

/* Out of whatever list it is in, if it is in one. */
static bool
take_out(struct manager *m, struct recipient *r)
{
	if (r->state != RECIPIENT_DEFERRED && r->state != RECIPIENT_DUE &&
	    r->state != RECIPIENT_WAITING)
		return false;
	scheduler_forget(m->scheduler, r);
	r->destination = NULL;
	return true;
}

bool
manager_remove(struct manager *m, struct recipient *r)
{
	if (!take_out(m, r))
		return false;
	store_remove(m->store, r);
	reporter_consider(m->reporter, r->message);
	return true;
}

bool
manager_fail(struct manager *m, struct recipient *r)
{
	struct verdict v;

	if (!take_out(m, r))
		return false;
	verdict_set(
	    &v, VERDICT_PERMANENT, 0, "5.0.0", "Removed from the queue by the administrator");
	recipient_set_mta(r, span_str(""));
	store_fail(m->store, r, &v);
	log_outcome(r, "failed", &v, span_str(""));
	reporter_consider(m->reporter, r->message);
	return true;
}
