/*
 * dispatch: the manager's way out: asks the directory where each recipient goes,
 * and gives jobs to agents as the scheduler says. See manager_parts.h. Runs in slices:
 * no turn of the loop takes longer because more mail waits.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/log_value.h"
#include "common/xalloc.h"
#include "queue/manager_parts.h"
#include "queue/resolved.h"

#define RESOLVING_MAX	   1000 /* questions to the directory at a time */
#define RESOLVE_TIMEOUT_MS 30000
#define SOON_MS		   1000 /* after the directory or an agent was lost */
#define LOSSES_FREE	   3	/* deaths of an agent that do not count as an attempt */
#define JOB_RECIPIENTS	   100	/* RFC 5321 4.5.3.1.8 */
#define TICK_MAX_MS	   60000

void
dispatch_soon(struct manager *m)
{
	event_active(m->pump, 0, 0);
}

/* Was the administrator's wish to hold it said while something was under way? Nothing is any more. */
static bool
hold_if_wished(struct manager *m, struct recipient *r)
{
	if (!r->held)
		return false;
	if (r->state != RECIPIENT_HELD) {
		recipient_set_state(r, RECIPIENT_HELD);
		r->next = 0;
	}
	outcome_report(m, r->message);
	return true;
}

void
dispatch_set_time(struct manager *m)
{
	if (m->timed)
		return;
	m->timed = true;
	scheduler_set_now(m->scheduler, clock_mono_ms());
	dispatch_soon(m);
}

void
dispatch_put_off(struct manager *m, struct recipient *r, uint64_t ms)
{
	if (hold_if_wished(m, r))
		return;
	recipient_set_state(r, RECIPIENT_DEFERRED);
	r->next = clock_wall() + (int64_t)(ms / 1000);
	scheduler_add_deferred(m->scheduler, r, ms);
	dispatch_soon(m);
}

/* --- resolving --- */

static void
wait_for(struct manager *m, struct recipient *r, const struct resolved_target *t)
{
	if (!hold_if_wished(m, r))
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
	dispatch_set_time(m);
	dispatch_soon(m);
	if (answer == NULL || resolved_parse(answer, &res) != 0) {
		if (answer != NULL)
			log_warnx("directory: an answer about <%s> is not understood",
			    LOG_ADDRESS(span_str(r->address)));
		dispatch_put_off(m, r, SOON_MS);
		return;
	}
	if (res.verdict.kind == VERDICT_OK)
		take_targets(m, r, &res);
	else
		outcome_conclude(
		    m, r, &(struct outcome){.verdict = &res.verdict, .reached = true});
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

/* RFC 4865: nothing is done for it before its time, which is one of the wall clock. False if that has come. */
static bool
wait_for_release(struct manager *m, struct recipient *r)
{
	int64_t release = recipient_release(r), now = clock_wall();

	if (release <= now)
		return false;
	dispatch_put_off(m, r, (uint64_t)(release - now) * 1000);
	return true;
}

/* --- sending --- */

static void
end_job(struct manager *m, struct destination *d, enum job_end end, const struct verdict *why,
    uint32_t delivered)
{
	switch (scheduler_end_job(m->scheduler, d, end, why, delivered)) {
	case DESTINATION_DIED:
		log_warnx("destination=%s does not answer: its mail waits for a probe; %s %s",
		    d->name, d->last->status, d->last->text);
		break;
	case DESTINATION_REVIVED:
		log_info("destination=%s answers again: %u recipients wait for it", d->name,
		    d->waiting.n);
		break;
	case DESTINATION_PROBED:
		log_info(
		    "destination=%s still does not answer: %u recipients wait for it; %s %s",
		    d->name, d->waiting.n, d->last->status, d->last->text);
		break;
	case DESTINATION_SAME:
		break;
	}
	dispatch_soon(m);
}

/*
 * The message cannot be had, because of error: damaged it is for good; a disk that does not give it back now, or a
 * file that is gone, may be mended before its time is over.
 */
static void
unreadable(struct manager *m, struct recipient **r, size_t n, int error)
{
	struct destination *d = r[0]->destination;
	struct verdict v;

	if (error == EBADMSG)
		verdict_set(&v, VERDICT_PERMANENT, 0, "5.3.0",
		    "The message was damaged on the disk of the mail system and cannot be "
		    "delivered");
	else
		verdict_set(&v, VERDICT_TEMPORARY, 451, "4.3.0",
		    "The message cannot be read from the disk of the mail system: %s",
		    error == ENOENT ? "its file is gone" : strerror(error));
	for (size_t i = 0; i < n; i++)
		outcome_conclude(m, r[i], &(struct outcome){.verdict = &v, .reached = true});
	end_job(m, d, JOB_LOST, NULL, 0);
}

static void
not_sent(struct manager *m, struct recipient **r, size_t n)
{
	struct destination *d = r[0]->destination;

	for (size_t i = 0; i < n; i++)
		dispatch_put_off(m, r[i], SOON_MS);
	end_job(m, d, JOB_LOST, NULL, 0);
}

static void
send_job(struct manager *m, enum agent_kind kind, struct recipient **r, size_t n)
{
	struct message *msg = r[0]->message;
	struct agents_content content = {.fd = -1, .offset = store_content_offset(msg)};

	buf_clear(&m->content);
	if (msg->segment->large) {
		content.fd = segment_pool_read_fd(store_pool(m->store), msg->segment);
		if (content.fd < 0 && (errno == ENOENT || errno == EIO)) {
			unreadable(m, r, n, errno);
			return;
		}
		if (content.fd < 0) {
			log_warn("large message");
			not_sent(m, r, n);
			return;
		}
	} else if (store_read_content(m->store, msg, &m->content) != 0) {
		unreadable(m, r, n, errno);
		return;
	}
	content.text = buf_span(&m->content);
	/* Delivering it counts more than what was asked for with it: sent without, if that cannot be read. */
	if (msg->has_dsn && kind == AGENT_REMOTE)
		content.envelope = envelope_cache_get(m->envelopes, msg);
	if (agents_send(m->agents, kind, r, n, &content) != 0)
		not_sent(m, r, n);
}

/* --- the pump --- */

static void
arm_tick(struct manager *m, uint64_t in_ms)
{
	uint64_t ms = in_ms < TICK_MAX_MS ? in_ms : TICK_MAX_MS;
	struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	event_add(m->tick, &tv);
}

void
dispatch_on_pump(evutil_socket_t fd, short what, void *arg)
{
	struct manager *m = arg;
	struct recipient *job[JOB_RECIPIENTS], *r;
	bool more;
	size_t n;

	(void)fd, (void)what;
	m->timed = false;
	if (m->stopping || !store_may_dispatch(m->store))
		return;
	scheduler_tick(m->scheduler, clock_mono_ms());
	more = scheduler_sweep(m->scheduler, outcome_on_parked, m);
	while (m->resolving < RESOLVING_MAX && (r = scheduler_next_due(m->scheduler)) != NULL)
		if (!wait_for_release(m, r))
			ask(m, r);
	for (int k = 0; k < AGENT_KINDS; k++)
		while ((n = scheduler_next_job(m->scheduler, (enum agent_kind)k,
			    agents_places(m->agents, (enum agent_kind)k), job,
			    JOB_RECIPIENTS)) > 0)
			send_job(m, (enum agent_kind)k, job, n);
	arm_tick(m, more ? 0 : scheduler_wait(m->scheduler));
}

/* --- from the agents --- */

static void
on_agent_ready(enum agent_kind kind, void *arg)
{
	(void)kind;
	dispatch_soon(arg);
}

static void
on_verdict(struct recipient *r, const struct agents_verdict *v, void *arg)
{
	const struct destination *d = r->destination;
	struct outcome o = {.verdict = &v->verdict,
	    .mta = v->mta,
	    .destination = span_str(d->name),
	    .reached = v->reached,
	    .dsn = v->dsn,
	    .local = d->kind == AGENT_LOCAL};

	dispatch_set_time(arg);
	outcome_conclude(arg, r, &o);
}

static void
on_lost(struct recipient *r, void *arg)
{
	struct manager *m = arg;
	struct verdict v;

	dispatch_set_time(m);
	r->recovered = true;
	if (r->losses++ < LOSSES_FREE) {
		dispatch_put_off(m, r, SOON_MS);
		return;
	}
	verdict_set(
	    &v, VERDICT_TEMPORARY, 0, "4.3.0", "The delivery process died on this message");
	outcome_conclude(m, r, &(struct outcome){.verdict = &v, .reached = true});
}

static void
on_job_end(struct destination *d, enum job_end end, const struct verdict *why,
    uint32_t delivered, void *arg)
{
	struct manager *m = arg;

	dispatch_set_time(m);
	end_job(m, d, end, why, delivered);
	if (m->stopping && agents_jobs(m->agents, AGENT_LOCAL) == 0 &&
	    agents_jobs(m->agents, AGENT_REMOTE) == 0)
		event_active(m->stop_timer, EV_TIMEOUT, 0);
}

const struct agents_ops dispatch_agents_ops = {.on_ready = on_agent_ready,
    .on_verdict = on_verdict,
    .on_lost = on_lost,
    .on_end = on_job_end};
