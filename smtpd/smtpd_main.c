/*
 * smtpd: talks SMTP with everybody, in as many processes as the configuration's workers says, without a right to
 * anything but two sockets and the segments it is handed. See smtpd(8).
 */
#include <openssl/crypto.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/process.h"
#include "common/xalloc.h"
#include "conf/config.h"
#include "smtpd/listener.h"
#include "smtpd/directory_client.h"
#include "smtpd/dns_client.h"
#include "smtpd/keys_client.h"
#include "smtpd/server.h"
#include "smtpd/session.h"
#include "smtpd/spool_client.h"
#include "smtpd/tls_settings.h"

/* Messages under way may take this long to finish; the supervisor allows 4 s in all. */
#define DRAIN_SEC 3
/* What the queue and the agents do as well. */
#define OFFERS                                                                                 \
	(OFFER_SIZE | OFFER_8BITMIME | OFFER_DSN | OFFER_SMTPUTF8 | OFFER_CHUNKING |           \
	    OFFER_LIMITS)

#define COUNT_SEC    1
#define STOP_POLL_MS 20

/*
 * Clients wait in the backlog until the first segment is in hand, the directory answers and the certificate
 * is there, but no longer than this: then they hear 452, 451 or 454.
 */
#define START_POLL_MS  5
#define START_LIMIT_MS 5000

/* And for what the DNS says; without it checks find nothing. */
#define START_DNS_MS 500

struct smtpd {
	struct process *process;
	struct server server;
	struct listeners listeners;
	struct directory_client *directory;
	struct dns_client *dns;
	struct spool_client *spool;
	struct keys_client *keys; /* NULL: there is no certificate */
	struct tls *tls; /* made with keys, after the rights are gone: it has a thread */
	struct tls_settings tls_settings;
	bool wants_checks; /* of headers */
	struct event *counting, *start_poll, *stop_poll, *deadline;
	unsigned start_polls;
	struct server_counts said;
	unsigned said_connections;
	bool ready;   /* the server is there */
	bool started; /* the rights are gone */
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

static void
on_renewed(void *arg)
{
	struct smtpd *d = arg;

	process_settled(d->process);
}

/*
 * Sessions that have TLS keep what they have; a certificate that is no longer configured harms nobody.
 * -1 if TLS cannot be offered so; all is as it was then.
 */
static int
configure_tls(struct smtpd *d, const struct tls_settings *s, const char *hostname)
{
	if (!d->started || !s->wanted)
		return 0;
	if (d->tls == NULL) {
		d->keys = keys_client_new(d->server.base, process_socket(d->process, "keys"));
		d->tls = tls_new(d->server.base, &keys_client_ops, d->keys, clock_mono_ms);
	}
	if (tls_configure(d->tls, hostname, &s->rules) != 0)
		return -1;
	d->server.tls = d->tls;
	tls_renew(d->tls, on_renewed, d);
	return PROCESS_SETTINGS_LATER;
}

/* All or nothing: what can be refused comes first. */
static int
on_settings(struct process *p, struct wire_msg *m, void *arg)
{
	struct smtpd *d = arg;
	struct config *c = config_from_wire(m);
	struct tls_settings tls;
	struct settings *settings;
	bool wants_checks;
	int r;

	if (c == NULL)
		return -1;
	settings = settings_new(c, OFFERS);
	tls_settings_init(&tls, c, m->payload);
	wants_checks = c->header_checks != NULL || c->mime_header_checks != NULL;
	config_free(&c);
	r = configure_tls(d, &tls, settings->hostname);
	if (r < 0) {
		tls_settings_release(&tls);
		settings_unref(&settings);
		return -1;
	}
	tls_settings_release(&d->tls_settings);
	d->tls_settings = tls;
	d->wants_checks = wants_checks;
	if (d->directory != NULL)
		header_source_configure(
		    directory_client_headers(d->directory), d->wants_checks);
	if (d->ready)
		server_set_settings(&d->server, settings);
	else
		make_server(d, p, settings);
	return r;
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
	listeners_add(&d->listeners, name, role, tls, fd);
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

static int
on_client_change(const struct session *s, const struct session_origin *now, void *arg)
{
	struct smtpd *d = arg;

	return listeners_client_change(&d->listeners, s, now);
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
	if (d->tls != NULL && !tls_is_prepared(d->tls))
		tls_prepare(d->tls);
	if ((!spool_client_ops.has_room(d->spool) || !directory_client_is_up(d->directory) ||
		(d->tls != NULL && !tls_is_prepared(d->tls)) ||
		(!dns_client_is_up(d->dns) && d->start_polls < START_DNS_MS / START_POLL_MS)) &&
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
	d->started = true;
	if (configure_tls(d, &d->tls_settings, d->server.settings->hostname) < 0)
		fatalx("TLS cannot be offered with these settings");
	d->directory = directory_client_new(base, process_socket(p, "directory"));
	d->spool = spool_client_new(base, process_socket(p, "queue"));
	d->dns = dns_client_new(base, process_socket(p, "dns"));
	d->server.directory = d->directory;
	d->server.headers = directory_client_headers(d->directory);
	header_source_configure(d->server.headers, d->wants_checks);
	d->server.facts_ops = &dns_client_ops;
	d->server.dns = d->dns;
	d->server.spool = d->spool;
	d->server.on_session_end = on_session_end;
	d->server.on_client_change = on_client_change;
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

static void
timer_free(struct event **e)
{
	if (*e != NULL)
		event_free(*e);
	*e = NULL;
}

/* Sessions that are left go first: they may ask, and be asked, whatever is behind them. */
static void
on_end(void *arg)
{
	struct smtpd *d = arg;

	if (d->ready) {
		server_release(&d->server);
		listeners_release(&d->listeners);
	}
	tls_free(&d->tls);
	keys_client_free(&d->keys);
	directory_client_free(&d->directory);
	dns_client_free(&d->dns);
	spool_client_free(&d->spool);
	timer_free(&d->counting);
	timer_free(&d->start_poll);
	timer_free(&d->stop_poll);
	timer_free(&d->deadline);
	tls_settings_release(&d->tls_settings);
}

int
main(void)
{
	static const struct process_ops ops = {.name = "smtpd",
	    .on_settings = on_settings,
	    .on_listener = on_listener,
	    .on_unlisten = on_unlisten,
	    .on_start = on_start,
	    .on_stop = on_stop,
	    .on_end = on_end};
	static struct smtpd d;

	/* What the algorithms do is not to depend on a file of the system. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		fatalx("OpenSSL cannot be used");
	return process_run(&ops, &d);
}
