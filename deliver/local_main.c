/*
 * local: delivers into mailboxes. Holds root to become mailbox owners, and does
 * nothing else with it: it reads no mail and opens no mailbox. Started by
 * postriderd; takes jobs from queue, asks directory where they go, and hands
 * them to one child per owner (deliver/owner.h), which writes the Maildirs.
 *
 * Invariant: who a child becomes is said by directory alone.
 */
#include <stdlib.h>
#include <string.h>

#include "common/process.h"
#include "common/sandbox.h"
#include "common/xalloc.h"
#include "conf/config.h"
#include "deliver/delivery.h"
#include "deliver/job.h"
#include "deliver/owner.h"
#include "deliver/spawner.h"

#define SLOTS	     400
#define STOP_WAIT_MS 2500
#define STOP_LOOK_MS 10

struct local {
	struct process *process;
	struct delivery_env env;
	struct agent *agent;
	struct event *stop;
	unsigned stop_rounds;
	char *host;
	enum log_level log_level;
	enum syscall_filter_mode filter;
};

static void
on_job(struct job *j, void *arg)
{
	struct local *l = arg;

	delivery_start(&l->env, j);
}

static const struct agent_ops agent_ops = {.on_job = on_job};

static const struct peer_ops directory_ops = {0};

static int
on_settings(struct process *p, struct wire_msg *m, void *arg)
{
	struct local *l = arg;
	struct config *c = config_from_wire(m);

	(void)p;
	if (c == NULL)
		return -1;
	free(l->host);
	l->host = xstrdup(c->hostname);
	l->env.host = l->host;
	l->log_level = c->log_level;
	l->filter = c->system_call_filter;
	config_free(&c);
	return 0;
}

static void
on_start(struct process *p, void *arg)
{
	struct local *l = arg;

	l->process = p;
	l->env.base = process_base(p);
	l->env.root = sandbox_is_root();
	l->env.pool = owner_pool_new(l->env.base, l->log_level, l->filter);
	l->env.directory =
	    peer_new(l->env.base, process_socket(p, "directory"), "local", &directory_ops, l);
	l->agent =
	    agent_new(l->env.base, process_socket(p, "queue"), "local", SLOTS, &agent_ops, l);
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct local *l = arg;

	(void)fd, (void)what;
	if (agent_active(l->agent) > 0 && l->stop_rounds++ < STOP_WAIT_MS / STOP_LOOK_MS) {
		event_add(l->stop, &(struct timeval){0, STOP_LOOK_MS * 1000});
		return;
	}
	agent_flush(l->agent);
	process_exit(l->process);
}

static void
on_stop(struct process *p, void *arg)
{
	struct local *l = arg;

	(void)p;
	if (l->stop != NULL)
		return;
	l->stop = evtimer_new(l->env.base, on_look, l);
	on_look(-1, 0, l);
}

/* What is under way is forgotten: the queue tries it again. */
static void
on_end(void *arg)
{
	struct local *l = arg;

	agent_free(&l->agent);
	owner_pool_free(&l->env.pool);
	peer_free(&l->env.directory);
	if (l->stop != NULL)
		event_free(l->stop);
	free(l->host);
}

static const struct process_ops ops = {.name = "local",
    .on_settings = on_settings,
    .on_start = on_start,
    .on_stop = on_stop,
    .on_end = on_end};

int
main(int argc, char **argv)
{
	static struct local local;

	if (argc > 1 && strcmp(argv[1], SPAWNER_WORD) == 0)
		return spawner_main(argc, argv);
	return process_run(&ops, &local);
}
