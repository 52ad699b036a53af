/*
 * control_promise: answers that are sent when what they say is on disk. Part of control
 * (control_parts.h). Nobody waits in a call for that: the journal is flushed by its own thread, and
 * looked at every few milliseconds.
 */
#include <stdlib.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/xalloc.h"
#include "queue/control_parts.h"

#define LOOK_US	 3000
#define LIMIT_MS 15000

struct promise {
	LIST_ENTRY(promise) link;
	struct control_promises *all;
	struct client *client;
	struct wire_out answer;
	struct event *look;
	uint64_t position, until_ms;
};

struct control_promises {
	struct control *control;
	LIST_HEAD(, promise) list;
};

struct control_promises *
control_promises_new(struct control *c)
{
	struct control_promises *all = xcalloc(1, sizeof *all);

	all->control = c;
	LIST_INIT(&all->list);
	return all;
}

static void
promise_free(struct promise *p)
{
	LIST_REMOVE(p, link);
	event_free(p->look);
	wire_out_release(&p->answer);
	free(p);
}

void
control_promises_free(struct control_promises **allp)
{
	struct control_promises *all = *allp;

	if (all == NULL)
		return;
	*allp = NULL;
	while (!LIST_EMPTY(&all->list))
		promise_free(LIST_FIRST(&all->list));
	free(all);
}

void
control_promises_forget(struct control_promises *all, const struct client *client)
{
	struct promise *p, *next;

	for (p = LIST_FIRST(&all->list); p != NULL; p = next) {
		next = LIST_NEXT(p, link);
		if (p->client == client)
			promise_free(p);
	}
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct promise *p = arg;
	struct store *store = manager_store(p->all->control->manager);
	bool durable = store_is_durable(store, p->position);
	struct verdict v;

	(void)fd, (void)what;
	if (!durable && clock_mono_ms() < p->until_ms) {
		event_add(p->look, &(struct timeval){0, LOOK_US});
		return;
	}
	if (durable)
		verdict_set_text(&v, VERDICT_OK, 0, "2.0.0", "Done");
	else
		verdict_set(&v, VERDICT_TEMPORARY, 0, "4.3.1",
		    "Done, but the journal cannot be written now: a restart may undo it");
	wire_add_verdict(&p->answer, &v);
	client_send(p->client, &p->answer, -1);
	promise_free(p);
}

void
control_promise(struct control *c, struct client *client, struct wire_out *answer)
{
	struct promise *p = xcalloc(1, sizeof *p);

	p->all = c->promises;
	p->client = client;
	p->answer = *answer;
	wire_out_init(answer, "", 0);
	p->look = evtimer_new(c->base, on_look, p);
	p->position = store_position(manager_store(c->manager));
	p->until_ms = clock_mono_ms() + LIMIT_MS;
	LIST_INSERT_HEAD(&c->promises->list, p, link);
	event_active(p->look, EV_TIMEOUT, 0);
}
