/*
 * directory: the process that answers from what the administrator wrote (postrider.conf, domain
 * directories): may this client send there, where does it go, whose mailbox is it. Started by
 * postriderd; asked by smtpd, queue, local and postrider over the sockets of
 * doc/IPC.md. It reads files and writes none, and never talks to the network.
 */
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "common/log.h"
#include "common/process.h"
#include "common/sandbox.h"
#include "common/service.h"
#include "common/xalloc.h"
#include "conf/authenticator.h"
#include "conf/directory.h"

struct listening {
	SLIST_ENTRY(listening) link;
	char *name;
	struct service *service;
};

/* A listening socket that came before the start. */
struct waiting {
	SLIST_ENTRY(waiting) link;
	char *name;
	int fd;
};

struct program {
	struct directory *directory;
	struct authenticator *authenticator;	 /* from the start on */
	unsigned char secret[SCRAM_SECRET_SIZE]; /* of the spool */
	struct event *changed;
	bool started;
	SLIST_HEAD(, listening) listening;
	SLIST_HEAD(, waiting) waiting;
};

static void
on_batch(struct client *c, void *arg)
{
	struct program *p = arg;

	(void)c;
	directory_refresh(p->directory);
}

static void
on_message(struct client *c, struct wire_msg *m, void *arg)
{
	struct program *p = arg;
	struct wire_out w;

	if (span_is(m->verb, "authenticate") &&
	    strcmp(client_service(c), "smtpd/directory") == 0) {
		if (authenticator_ask(p->authenticator, directory_view(p->directory), c, m) !=
		    0)
			client_drop(c, "asks what makes no sense");
		return;
	}
	if (m->id == 0) {
		if (directory_note(p->directory, client_service(c), m) != 0)
			client_drop(c, "tells what makes no sense");
		return;
	}
	client_answer_init(&w, m);
	if (directory_answer(p->directory, client_service(c), m, &w) != 0) {
		wire_out_release(&w);
		client_drop(c, "asks what this socket does not allow, or makes no sense");
		return;
	}
	if (client_send(c, &w, -1) != 0)
		client_drop(c, "the answer cannot be sent");
}

static void
on_down(struct client *c, void *arg)
{
	struct program *p = arg;

	if (p->authenticator != NULL)
		authenticator_forget(p->authenticator, c);
}

static void
reply_to(void *asker, struct wire_out *w)
{
	struct client *c = asker;

	if (client_send(c, w, -1) != 0)
		client_drop(c, "the answer cannot be sent");
}

static const struct service_ops service_ops = {
    .on_message = on_message, .on_down = on_down, .on_batch = on_batch, .secret = true};

/* Of the processes only the one a socket is for may connect; control is for root and ourselves. */
static uid_t
uid_of_user(struct process *p, const char *socket_name)
{
	if (strncmp(socket_name, "smtpd/", 6) == 0)
		return process_uid_of(p, "smtpd");
	if (strncmp(socket_name, "queue/", 6) == 0)
		return process_uid_of(p, "queue");
	if (strncmp(socket_name, "local/", 6) == 0)
		return process_uid_of(p, "local");
	if (strncmp(socket_name, "keys/", 5) == 0)
		return process_uid_of(p, "keys");
	return (uid_t)-1;
}

static void
serve(struct process *process, struct program *p, char *name, int fd)
{
	struct listening *l = xcalloc(1, sizeof *l);

	l->name = name;
	l->service = service_new(
	    process_base(process), fd, name, uid_of_user(process, name), &service_ops, p);
	SLIST_INSERT_HEAD(&p->listening, l, link);
}

static void
on_changed(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;

	(void)fd, (void)what;
	directory_refresh(p->directory);
}

/* The descriptor is another one after the root changed. */
static void
watch_changes(struct process *process, struct program *p)
{
	int fd = directory_fd(p->directory);

	if (p->changed != NULL)
		event_free(p->changed);
	p->changed = NULL;
	if (fd < 0)
		return;
	p->changed = event_new(process_base(process), fd, EV_READ | EV_PERSIST, on_changed, p);
	event_add(p->changed, NULL);
}

static int
on_settings(struct process *process, struct wire_msg *m, void *arg)
{
	struct program *p = arg;
	struct config *c = config_from_wire(m);
	struct domain_ids self = {geteuid(), getegid()};
	struct span secret;

	if (c == NULL || wire_get(m, "secret", &secret) != 0 ||
	    secret.len != sizeof p->secret) {
		config_free(&c);
		log_warnx("settings cannot be understood");
		return -1;
	}
	memcpy(p->secret, secret.p, secret.len);
	/* Asked with all rights still held: what local will be able to do, not what we shall be. */
	if (p->directory == NULL)
		p->directory = directory_new(sandbox_is_root(), &self);
	if (p->changed != NULL)
		event_free(p->changed);
	p->changed = NULL;
	directory_configure(p->directory, c);
	directory_set_queue_uid(p->directory, process_uid_of(process, "queue"));
	if (p->authenticator != NULL)
		authenticator_configure(p->authenticator, c);
	watch_changes(process, p);
	return 0;
}

static void
on_listener(struct process *process, struct wire_msg *m, int fd, void *arg)
{
	struct program *p = arg;
	struct waiting *w;
	struct span name;

	if (wire_get(m, "name", &name) != 0) {
		close(fd);
		return;
	}
	if (p->started) {
		serve(process, p, xspandup(name), fd);
		return;
	}
	w = xcalloc(1, sizeof *w);
	w->name = xspandup(name);
	w->fd = fd;
	SLIST_INSERT_HEAD(&p->waiting, w, link);
}

static void
end_service(struct program *p, struct listening *l)
{
	SLIST_REMOVE(&p->listening, l, listening, link);
	service_free(&l->service);
	free(l->name);
	free(l);
}

static void
on_unlisten(struct process *process, struct span name, void *arg)
{
	struct program *p = arg;
	struct listening *l;

	(void)process;
	SLIST_FOREACH(l, &p->listening, link)
	if (span_is(name, l->name))
		break;
	if (l != NULL)
		end_service(p, l);
}

static void
on_start(struct process *process, void *arg)
{
	struct program *p = arg;

	p->authenticator = authenticator_new(process_base(process), reply_to, p->secret);
	authenticator_configure(p->authenticator, directory_view(p->directory)->config);
	p->started = true;
	while (!SLIST_EMPTY(&p->waiting)) {
		struct waiting *w = SLIST_FIRST(&p->waiting);

		SLIST_REMOVE_HEAD(&p->waiting, link);
		serve(process, p, w->name, w->fd);
		free(w);
	}
}

/* Questions are answered at once, but for logins, which their clients try again. */
static void
on_stop(struct process *process, void *arg)
{
	struct program *p = arg;

	while (!SLIST_EMPTY(&p->listening))
		end_service(p, SLIST_FIRST(&p->listening));
	if (p->changed != NULL)
		event_free(p->changed);
	p->changed = NULL;
	authenticator_free(&p->authenticator);
	directory_free(&p->directory);
	process_exit(process);
}

static const struct process_ops ops = {
    .name = "directory",
    .on_settings = on_settings,
    .on_listener = on_listener,
    .on_unlisten = on_unlisten,
    .on_start = on_start,
    .on_stop = on_stop,
};

int
main(void)
{
	struct program p = {.directory = NULL};

	SLIST_INIT(&p.listening);
	SLIST_INIT(&p.waiting);
	return process_run(&ops, &p);
}
