/*
 * control_status: the verb status: counters and destinations. Part of control (control_parts.h).
 */
#include "common/clock.h"
#include "queue/compactor.h"
#include "queue/control_parts.h"
#include "queue/scheduler.h"
#include "queue/store_wishes.h"

#define DESTINATIONS_MAX 1000
#define METER_MIN	 10 /* minutes that delivered looks back */
#define NOTE_MAX	 4096
#define PAUSES_MAX	 1000

static void
add_destination(struct wire_out *w, const struct destination *d, uint64_t now)
{
	struct buf note;

	wire_add_str(w, "destination", d->name);
	wire_add_str(w, "agent", d->kind == AGENT_LOCAL ? "local" : "remote");
	wire_add_u64(w, "waiting", d->waiting.n);
	wire_add_u64(w, "active", d->active);
	wire_add_u64(w, "places", destination_places(d));
	wire_add_u64(w, "delivered", meter_count(&d->delivered, now, METER_MIN));
	buf_init(&note, NOTE_MAX);
	scheduler_explain_destination(d, now, clock_wall(), &note);
	wire_add(w, "note", buf_span(&note));
	buf_release(&note);
}

static void
add_destinations(struct wire_out *w, struct scheduler *s)
{
	uint64_t now = clock_mono_ms();
	const struct destination *d;
	size_t at = 0, n = 0;

	while ((d = scheduler_next_destination(s, &at)) != NULL && n < DESTINATIONS_MAX) {
		if (d->waiting.n == 0 && d->active == 0 && !d->dead && !d->paused)
			continue;
		add_destination(w, d, now);
		n++;
	}
}

static void
add_pauses(struct wire_out *w, const struct pauses *p)
{
	for (enum pause_kind kind = 0; kind < PAUSE_KINDS; kind++) {
		const char *name;
		size_t at = 0, n = 0;

		while ((name = pauses_next(p, kind, &at)) != NULL && n++ < PAUSES_MAX)
			wire_addf(w, "paused", "%s %s", control_pause_name(kind),
			    name[0] != '\0' ? name : "<>");
	}
}

/* Octets of sealed segments and of the mail that lives in them; what compaction has done about it. */
static void
add_compaction(struct wire_out *w, const struct compactor *compactor)
{
	struct compactor_counts n = compactor_counts(compactor);

	wire_add_u64(w, "sealed", n.sealed);
	wire_add_u64(w, "live", n.live);
	wire_add_str(w, "compacting", n.active ? "yes" : "no");
	wire_add_u64(w, "emptied", n.segments);
	wire_add_u64(w, "moved", n.messages);
}

void
control_status(const struct control_request *r)
{
	struct control *c = r->control;
	struct store *store = manager_store(c->manager);
	struct scheduler *s = manager_scheduler(c->manager);
	struct agents *a = manager_agents(c->manager);
	const struct store_counts *n = store_counts(store);
	struct intake_counts in = intake_counts(c->intake);
	struct wire_out w;

	control_answer_begin(&w, r->msg);
	wire_add_u64(&w, "uptime", (uint64_t)(clock_wall() - c->started));
	wire_add_str(&w, "room", store_has_room(store) ? "yes" : "no");
	wire_add_u64(&w, "messages", n->messages);
	wire_add_u64(&w, "recipients", n->recipients);
	wire_add_u64(&w, "deferred", scheduler_count_deferred(s));
	wire_add_u64(&w, "due", scheduler_count_due(s));
	wire_add_u64(&w, "accepted", n->accepted);
	wire_add_u64(&w, "delivered", n->delivered);
	wire_add_u64(&w, "failed", n->failed);
	wire_add_u64(&w, "damaged", n->damaged);
	add_compaction(&w, manager_compactor(c->manager));
	wire_add_u64(&w, "local-agents", agents_count(a, AGENT_LOCAL));
	wire_add_u64(&w, "local-jobs", agents_jobs(a, AGENT_LOCAL));
	wire_add_u64(&w, "remote-agents", agents_count(a, AGENT_REMOTE));
	wire_add_u64(&w, "remote-jobs", agents_jobs(a, AGENT_REMOTE));
	wire_add_u64(&w, "workers", in.workers);
	wire_add_u64(&w, "connections", in.connections);
	add_pauses(&w, store_pauses(store));
	add_destinations(&w, s);
	client_send(r->client, &w, -1);
}
