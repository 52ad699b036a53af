/* manager: from the store through directory, scheduler and agents, and back. See manager.h. */
#include "queue/manager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"
#include "common/xalloc.h"
#include "queue/compactor.h"
#include "queue/manager_parts.h"
#include "queue/own_writer.h"
#include "queue/retry.h"
#include "queue/store_wishes.h"

/* From the store */

static void
schedule_recovered(struct manager *m, struct recipient *r)
{
	scheduler_add_deferred(
	    m->scheduler, r, retry_after_restart(r->next, clock_wall(), m->longest));
}

static void
on_message(struct message *msg, bool recovered, void *arg)
{
	struct manager *m = arg;

	dispatch_set_time(m);
	retry_set_birth(msg, recovered, clock_steady_wall_ms(&m->clock), clock_wall_ms());
	for (uint32_t i = 0; i < msg->nrecipients; i++) {
		struct recipient *r = message_recipient(msg, i);

		if (r->state == RECIPIENT_DUE)
			scheduler_add_due(m->scheduler, r);
		else if (r->state == RECIPIENT_DEFERRED)
			schedule_recovered(m, r);
	}
	outcome_report(m, msg);
	dispatch_soon(m);
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
	if (m->compactor != NULL)
		compactor_wake(m->compactor);
	m->ops->on_ready(m->arg);
}

static void
on_store_space(bool room, void *arg)
{
	struct manager *m = arg;

	if (m->compactor != NULL)
		compactor_wake(m->compactor);
	m->ops->on_space(room, m->arg);
}

static void
on_may_dispatch(void *arg)
{
	dispatch_soon(arg);
}

static const struct store_ops store_ops = {.on_message = on_message,
    .on_gone = on_gone,
    .on_ready = on_store_ready,
    .on_space = on_store_space,
    .on_may_dispatch = on_may_dispatch};

static void
on_directory_up(struct peer *p, void *arg)
{
	(void)p;
	dispatch_soon(arg);
}

static const struct peer_ops directory_ops = {.on_up = on_directory_up};

static void
recover_pauses(struct manager *m)
{
	for (int k = 0; k < PAUSE_KINDS; k++) {
		size_t at = 0;
		const char *name;

		while ((name = pauses_next(store_pauses(m->store), (enum pause_kind)k, &at)) !=
		       NULL)
			scheduler_pause(m->scheduler, (enum pause_kind)k, span_str(name));
	}
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

	m->base = base;
	m->config = config;
	m->ops = ops;
	m->arg = arg;
	buf_init(&m->content, WIRE_PAYLOAD_MAX);
	m->longest = retry_longest(config);
	clock_steady_start(&m->clock);
	m->scheduler = scheduler_new(config, clock_mono_ms());
	m->sections = section_names_new();
	m->agents = agents_new(base, &dispatch_agents_ops, m);
	m->tick = evtimer_new(base, dispatch_on_pump, m);
	m->pump = event_new(base, -1, 0, dispatch_on_pump, m);
	m->stop_timer = evtimer_new(base, on_stop_timer, m);
	m->directory = peer_new(base, directory_path, "queue", &directory_ops, m);
	m->store = store_open(base, spoolfd, config->segment_size, &store_ops, m);
	if (m->store == NULL) {
		manager_free(&m);
		return NULL;
	}
	m->own = own_writer_new(base, m->store);
	m->compactor = compactor_new(base, m->store, m->own, NULL);
	m->envelopes = envelope_cache_new(m->store);
	m->reporter = reporter_new(base,
	    &(struct report_source){m->store, m->envelopes, config, m->sections}, m->own,
	    m->directory);
	recover_pauses(m);
	consider_all(m);
	dispatch_soon(m);
	return m;
}

void
manager_set_config(struct manager *m, const struct config *config)
{

	m->config = config;
	m->longest = retry_longest(config);
	dispatch_set_time(m);
	scheduler_set_config(m->scheduler, config);
	dispatch_soon(m);
	reporter_set_config(m->reporter, config);
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
	if (m->reporter != NULL)
		reporter_stop(m->reporter);
	peer_free(&m->directory);
	if (m->compactor != NULL)
		compactor_stop(m->compactor);
	own_writer_free(&m->own);
	compactor_free(&m->compactor);
	if (m->reporter != NULL)
		reporter_free(&m->reporter);
	envelope_cache_free(&m->envelopes);
	agents_free(&m->agents);
	store_close(&m->store);
	scheduler_free(&m->scheduler);
	section_names_free(&m->sections);
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

struct compactor *
manager_compactor(struct manager *m)
{
	return m->compactor;
}

struct scheduler *
manager_scheduler(struct manager *m)
{
	return m->scheduler;
}
