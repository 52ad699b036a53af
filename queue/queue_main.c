/*
 * queue: the queue manager. Owns the spool; schedules what smtpd appended to it,
 * gives it to the delivery agents, and writes bounces. doc/SPOOL.md and
 * doc/ARCHITECTURE.md; queue(8).
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "common/process.h"
#include "common/xalloc.h"
#include "conf/config.h"
#include "queue/control.h"
#include "queue/drop.h"
#include "queue/intake.h"
#include "queue/manager.h"

#define STOP_JOBS_MS                                                                           \
	2500 /* for deliveries under way; what is not done by then is tried after the start */

struct queue {
	struct process *process;
	struct config *config;
	struct manager *manager;
	struct intake *intake;
	struct control *control;
	struct drop *drop;
	int spoolfd;
	struct {
		char *name;
		int fd;
	} listeners[8]; /* that came before the start */
	size_t nlisteners;
};

static int
on_settings(struct process *p, struct wire_msg *m, void *arg)
{
	struct queue *q = arg;
	struct config *c = config_from_wire(m);

	(void)p;
	if (c == NULL)
		return -1;
	if (q->spoolfd < 0) {
		q->spoolfd = open(c->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (q->spoolfd < 0) {
			log_warn("spool %s", c->spool);
			config_free(&c);
			return -1;
		}
	}
	if (q->manager != NULL)
		manager_set_config(q->manager, c);
	config_free(&q->config);
	q->config = c;
	return 0;
}

static void
serve(struct queue *q, const char *name, int fd)
{
	struct span s = span_str(name);

	if (span_is(s, "smtpd/queue"))
		intake_listen(q->intake, fd, name, process_uid_of(q->process, "smtpd"));
	else if (span_is(s, "local/queue"))
		agents_listen(manager_agents(q->manager), fd, name, 0);
	else if (span_is(s, "remote/queue"))
		agents_listen(
		    manager_agents(q->manager), fd, name, process_uid_of(q->process, "remote"));
	else if (span_is(s, "control/queue"))
		control_listen(q->control, fd, name);
	else
		close(fd);
}

static void
on_listener(struct process *p, struct wire_msg *m, int fd, void *arg)
{
	struct queue *q = arg;
	struct span name;

	(void)p;
	if (wire_get(m, "name", &name) != 0 || q->manager != NULL ||
	    q->nlisteners == sizeof q->listeners / sizeof *q->listeners) {
		close(fd);
		return;
	}
	q->listeners[q->nlisteners].name = xspandup(name);
	q->listeners[q->nlisteners++].fd = fd;
}

static void
on_ready(void *arg)
{
	struct queue *q = arg;

	if (q->intake != NULL)
		intake_on_ready(q->intake);
}

static void
on_space(bool room, void *arg)
{
	struct queue *q = arg;

	if (q->intake != NULL)
		intake_on_space(q->intake, room);
}

static const struct manager_ops manager_ops = {.on_ready = on_ready, .on_space = on_space};

static void
on_start(struct process *p, void *arg)
{
	struct queue *q = arg;
	struct event_base *base = process_base(p);

	q->process = p;
	q->manager = manager_new(
	    base, q->spoolfd, q->config, process_socket(p, "directory"), &manager_ops, q);
	if (q->manager == NULL)
		fatalx("the spool %s cannot be used: see the lines above", q->config->spool);
	q->intake = intake_new(base, manager_store(q->manager));
	q->control = control_new(base, q->manager, q->intake);
	q->drop = drop_new(base, q->spoolfd, process_socket(p, "../submit/smtp"),
	    q->config->hostname, q->config->queue_lifetime);
	for (size_t i = 0; i < q->nlisteners; i++)
		serve(q, q->listeners[i].name, q->listeners[i].fd);
}

static void
on_stopped(void *arg)
{
	struct queue *q = arg;

	process_exit(q->process);
}

static void
on_stop(struct process *p, void *arg)
{
	struct queue *q = arg;

	(void)p;
	drop_free(&q->drop);
	manager_stop(q->manager, STOP_JOBS_MS, on_stopped, q);
}

static void
on_end(void *arg)
{
	struct queue *q = arg;

	drop_free(&q->drop);
	control_free(&q->control);
	intake_free(&q->intake);
	manager_free(&q->manager);
	config_free(&q->config);
	for (size_t i = 0; i < q->nlisteners; i++)
		free(q->listeners[i].name);
	if (q->spoolfd >= 0)
		close(q->spoolfd);
}

static const struct process_ops ops = {
    .name = "queue",
    .on_settings = on_settings,
    .on_listener = on_listener,
    .on_start = on_start,
    .on_stop = on_stop,
    .on_end = on_end,
};

int
main(void)
{
	struct queue q = {.spoolfd = -1};

	/* Tables of a million entries grow in places of their own: else they leave holes among the small objects. */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	return process_run(&ops, &q);
}
