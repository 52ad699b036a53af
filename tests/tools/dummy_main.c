/*
 * dummy: a process of the process table that does nothing but live: the frame
 * (common/process.h) with handlers that say in the log what they hear. Copied under
 * the names of the real programs, it lets the supervisor be tested alone. What it does
 * wrong on purpose is told by the first label of the key hostname: "queue-deaf.test"
 * makes queue deaf to stop; the vices are refuses, dies, babbles, hangs (in its start, its channel closed), stalls (the same, open), deaf, and, with new settings, slow (works by them
 * a second later) and silent.
 */
#include <event2/event.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/process.h"

struct dummy {
	const char *name;
	char vice[32]; /* "": none */
	bool started;
};

static void
on_slow(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	log_info("slowly");
	process_settled(arg);
}

static int
on_settings(struct process *p, struct wire_msg *m, void *arg)
{
	struct dummy *d = arg;
	struct span host, label;
	size_t len = strlen(d->name);

	d->vice[0] = '\0';
	if (wire_get(m, "hostname", &host) != 0)
		return -1;
	label = span_cut(&host, '.');
	if (span_starts_with(label, d->name) && label.len > len + 1 && label.p[len] == '-')
		snprintf(d->vice, sizeof d->vice, "%.*s", SPAN_ARG(span_skip(label, len + 1)));
	log_info("settings worker=%u hostname=%.*s payload=%zu vice=%s", process_worker(p),
	    SPAN_ARG(label), m->payload.len, d->vice);
	if (d->started && strcmp(d->vice, "slow") == 0) {
		event_base_once(
		    process_base(p), -1, EV_TIMEOUT, on_slow, p, &(struct timeval){1, 0});
		return PROCESS_SETTINGS_LATER;
	}
	if (d->started && strcmp(d->vice, "silent") == 0)
		return PROCESS_SETTINGS_LATER;
	return strcmp(d->vice, "refuses") == 0 ? -1 : 0;
}

static void
on_listener(struct process *p, struct wire_msg *m, int fd, void *arg)
{
	struct span name = {"", 0}, role = {"", 0};
	int listening = 0;
	socklen_t len = sizeof listening;

	(void)p, (void)arg;
	wire_get(m, "name", &name);
	wire_get(m, "role", &role);
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len);
	log_info("listener name=%.*s role=%.*s listening=%d", SPAN_ARG(name), SPAN_ARG(role),
	    listening);
}

static void
on_unlisten(struct process *p, struct span name, void *arg)
{
	(void)p, (void)arg;
	log_info("unlisten name=%.*s", SPAN_ARG(name));
}

static void
on_start(struct process *p, void *arg)
{
	struct dummy *d = arg;
	sem_t never; /* the filter of system calls knows no pause(2) */

	log_info("start uid=%d smtpd=%d socket=%s", (int)getuid(),
	    (int)process_uid_of(p, "smtpd"), process_socket(p, "directory"));
	d->started = true;
	if (strcmp(d->vice, "dies") == 0)
		_exit(3);
	if (strcmp(d->vice, "hangs") == 0 || strcmp(d->vice, "stalls") == 0) {
		log_info("%s", d->vice);
		log_flush();
		if (strcmp(d->vice, "hangs") == 0)
			close(PROCESS_FD);
		sem_init(&never, 0, 0);
		for (;;)
			sem_wait(&never);
	}
	if (strcmp(d->vice, "babbles") == 0)
		send(PROCESS_FD, "hello", 5, MSG_NOSIGNAL);
}

static void
on_stop(struct process *p, void *arg)
{
	struct dummy *d = arg;

	log_info("stop");
	if (strcmp(d->vice, "deaf") != 0)
		process_exit(p);
}

int
main(int argc, char **argv)
{
	struct dummy d = {.name = argc > 0 ? argv[0] : "", .vice = ""};
	struct process_ops ops = {.name = d.name,
	    .on_settings = on_settings,
	    .on_listener = on_listener,
	    .on_unlisten = on_unlisten,
	    .on_start = on_start,
	    .on_stop = on_stop};

	return process_run(&ops, &d);
}
