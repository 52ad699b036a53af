/*
 * smtpd: talks SMTP with everybody, one process for each core, without a right to
 * anything but two sockets and the segments it is handed. See smtpd(8).
 */
#include <stdlib.h>

#include "common/log.h"
#include "common/process.h"
#include "conf/config.h"
#include "smtpd/listener.h"
#include "smtpd/directory_client.h"
#include "smtpd/server.h"
#include "smtpd/session.h"
#include "smtpd/spool_client.h"

/* Messages under way may take this long to finish; the supervisor allows 4 s in all. */
#define DRAIN_SEC 3
/* What the queue and the agents do as well. */
#define OFFERS (OFFER_SIZE | OFFER_8BITMIME | OFFER_DSN)

#define COUNT_SEC    1
#define STOP_POLL_MS 20

/*
 * Clients wait in the backlog until the first segment is in hand and the directory answers, but no
 * longer than this: then they hear 452 or 451.
 */
#define START_POLL_MS  5
#define START_LIMIT_MS 5000

struct smtpd {
	struct process *process;
	struct server server;
	struct listeners listeners;
	struct directory_client *directory;
	struct spool_client *spool;
	struct event *counting, *start_poll, *stop_poll, *deadline;
	unsigned start_polls;
	struct server_counts said;
	unsigned said_connections;
	bool ready; /* the server is there */
	bool overdue;
};

/* The server is made with the first settings: listeners come before the start. */
static void
make_server(struct smtpd *d, struct process *p, struct settings *settings)
{
	struct event_base *base = process_base(p);

	server_init(
	    &d->server, base, settings, &directory_client_ops, NULL, &spool_client_ops, NULL);
	listeners_init(&d->listeners, &d->server);
	d->ready = true;
}

static int
on_settings(struct process *p, struct wire_msg *m, void *arg)
{
	struct smtpd *d = arg;
	struct config *c = config_from_wire(m);
	struct settings *settings;

	if (c == NULL)
		return -1;
	settings = settings_new(c, OFFERS);
	config_free(&c);
	if (d->ready)
		server_set_settings(&d->server, settings);
	else
		make_server(d, p, settings);
	return 0;
}

static void
on_listener(struct process *p, struct wire_msg *m, int fd, void *arg)
{
	struct smtpd *d = arg;
	struct span name, kind, text;
	enum listener_role role;
	enum listener_tls tls = LISTENER_TLS_NONE;

	(void)p;
	if (wire_get(m, "name", &name) != 0 || wire_get(m, "kind", &kind) != 0 ||
	    wire_get(m, "role", &text) != 0 || listener_role_parse(text, &role) != 0 ||
	    (wire_get(m, "tls", &text) == 0 && listener_tls_parse(text, &tls) != 0))
		fatalx("postriderd describes a listener wrongly");
	if (tls == LISTENER_TLS_IMPLICIT) {
		log_warnx("listener=%.*s is not served: this version does not speak TLS",
		    SPAN_ARG(name));
		close(fd);
		return;
	}
	listeners_add(&d->listeners, name, role, fd);
}

static void
on_unlisten(struct process *p, struct span name, void *arg)
{
	struct smtpd *d = arg;

	(void)p;
	listeners_remove(&d->listeners, name);
}

static void
on_session_end(const struct session *s, void *arg)
{
	struct smtpd *d = arg;

	listeners_session_end(&d->listeners, s);
}

static void
on_count(evutil_socket_t fd, short what, void *arg)
{
	struct smtpd *d = arg;
	const struct server_counts *n = &d->server.counts;

	(void)fd, (void)what;
	if (n->accepted == d->said.accepted && n->refused == d->said.refused &&
	    d->server.nsessions == d->said_connections)
		return;
	d->said = *n;
	d->said_connections = d->server.nsessions;
	spool_client_count(d->spool, d->server.nsessions, n->accepted, n->refused);
}

static struct event *
timer(struct smtpd *d, event_callback_fn fn, unsigned ms)
{
	struct event *e = event_new(d->server.base, -1, EV_PERSIST, fn, d);

	if (e == NULL)
		fatalx("cannot make a timer");
	event_add(e, &(struct timeval){ms / 1000, ms % 1000 * 1000});
	return e;
}

static void
on_start_poll(evutil_socket_t fd, short what, void *arg)
{
	struct smtpd *d = arg;

	(void)fd, (void)what;
	if ((!spool_client_ops.has_room(d->spool) || !directory_client_is_up(d->directory)) &&
	    ++d->start_polls < START_LIMIT_MS / START_POLL_MS)
		return;
	event_del(d->start_poll);
	listeners_start(&d->listeners, process_uid_of(d->process, "queue"));
}

static void
on_start(struct process *p, void *arg)
{
	struct smtpd *d = arg;
	struct event_base *base = process_base(p);

	d->process = p;
	d->directory = directory_client_new(base, process_socket(p, "directory"));
	d->spool = spool_client_new(base, process_socket(p, "queue"));
	d->server.directory = d->directory;
	d->server.spool = d->spool;
	d->server.on_session_end = on_session_end;
	d->server.arg = d;
	d->counting = timer(d, on_count, COUNT_SEC * 1000);
	d->start_poll = timer(d, on_start_poll, START_POLL_MS);
}

static void
on_sealed(void *arg)
{
	struct smtpd *d = arg;

	process_exit(d->process);
}

/* Every session is gone, or the time is up and only commits are waited for. */
static void
on_stop_poll(evutil_socket_t fd, short what, void *arg)
{
	struct smtpd *d = arg;

	(void)fd, (void)what;
	if ((d->server.nsessions > 0 && !d->overdue) || spool_client_pending(d->spool) > 0)
		return;
	event_del(d->stop_poll);
	spool_client_stop(d->spool, on_sealed, d);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct smtpd *d = arg;

	(void)fd, (void)what;
	event_del(d->deadline);
	d->overdue = true;
	server_abandon(&d->server);
}

static void
on_stop(struct process *p, void *arg)
{
	struct smtpd *d = arg;

	(void)p;
	if (d->stop_poll != NULL)
		return;
	if (d->start_poll != NULL)
		event_del(d->start_poll);
	listeners_stop(&d->listeners);
	d->stop_poll = timer(d, on_stop_poll, STOP_POLL_MS);
	d->deadline = timer(d, on_deadline, DRAIN_SEC * 1000);
	server_stop(&d->server);
}

int
main(void)
{
	static const struct process_ops ops = {.name = "smtpd",
	    .on_settings = on_settings,
	    .on_listener = on_listener,
	    .on_unlisten = on_unlisten,
	    .on_start = on_start,
	    .on_stop = on_stop};
	static struct smtpd d;

	return process_run(&ops, &d);
}
