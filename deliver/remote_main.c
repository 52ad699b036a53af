/*
 * remote: sends mail to other hosts by SMTP. Started by postriderd; takes jobs
 * from queue, finds the hosts by DNS, and answers with a verdict per recipient.
 * Being who talks to name servers, it tells smtpd what the DNS says about its clients.
 *
 * It runs in an empty root directory without any right but to connect: what it
 * needs of files (the system's resolver configuration) is read with the first
 * settings. It sees no message but those it is sending.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/log.h"
#include "common/process.h"
#include "common/xalloc.h"
#include "conf/config.h"
#include "deliver/connection_pool.h"
#include "deliver/dns.h"
#include "deliver/fact_service.h"
#include "deliver/job.h"
#include "deliver/relay.h"
#include "deliver/tls_client.h"

#define SLOTS	     200
#define STOP_WAIT_MS 2500
#define STOP_LOOK_MS 10

/* A string that a setting had at some time: relays under way may still use it. */
struct word {
	SLIST_ENTRY(word) link;
	char *text;
};

/* A listening socket that came before the start. */
struct waiting {
	SLIST_ENTRY(waiting) link;
	char *name;
	int fd;
};

struct remote {
	struct process *process;
	struct relay_env env;
	struct agent *agent;
	struct dns
	    *front; /* the cache of questions about clients: strangers cannot empty the other */
	struct fact_service *facts;
	struct event *stop;
	unsigned stop_rounds;
	SLIST_HEAD(, word) words;
	SLIST_HEAD(, waiting) waiting;
};

static const char *
keep_word(struct remote *r, const char *text)
{
	struct word *w;

	if (text == NULL)
		return NULL;
	SLIST_FOREACH(w, &r->words, link)
	if (strcmp(w->text, text) == 0)
		return w->text;
	w = xcalloc(1, sizeof *w);
	w->text = xstrdup(text);
	SLIST_INSERT_HEAD(&r->words, w, link);
	return w->text;
}

static int
set_resolvers(struct remote *r, const struct config *c)
{
	struct buf csv;
	int status;

	buf_init(&csv, 4096);
	for (size_t i = 0; i < c->resolver.n; i++)
		buf_addf(&csv, "%s%s", i > 0 ? "," : "", c->resolver.v[i]);
	status = dns_set_servers(r->env.dns, csv.len > 0 ? buf_str(&csv) : NULL);
	if (status == 0)
		status = dns_set_servers(r->front, csv.len > 0 ? buf_str(&csv) : NULL);
	buf_release(&csv);
	return status;
}

static bool
is_wildcard(const struct netaddr *a)
{
	static const unsigned char zero[sizeof a->ip];

	return memcmp(a->ip, zero, sizeof zero) == 0;
}

static void
set_own(struct route_options *o, const struct config *c)
{
	o->nown = 0;
	for (size_t i = 0; i < c->nlisteners && o->nown < ROUTE_OWN_MAX; i++)
		if (!is_wildcard(&c->listeners[i].addr))
			o->own[o->nown++] = c->listeners[i].addr;
}

/* What has to be done while files can be read. */
static int
open_all(struct remote *r, struct process *p)
{
	r->env.dns = dns_new(process_base(p));
	r->front = dns_new(process_base(p));
	r->env.smtp.tls = tls_client_new();
	if (r->env.dns == NULL || r->front == NULL || r->env.smtp.tls == NULL)
		return -1;
	r->facts = fact_service_new(process_base(p), r->front);
	return 0;
}

static int
on_settings(struct process *p, struct wire_msg *m, void *arg)
{
	struct remote *r = arg;
	struct config *c = config_from_wire(m);
	int status = -1;

	if (c != NULL && (r->facts != NULL || open_all(r, p) == 0) &&
	    set_resolvers(r, c) == 0) {
		fact_service_set_timeout(r->facts, (unsigned)c->dns_timeout);
		r->env.route.self = keep_word(r, c->hostname);
		r->env.route.smarthost = keep_word(r, c->smarthost);
		set_own(&r->env.route, c);
		r->env.route.port = (uint16_t)c->remote_port;
		r->env.route.allow_loopback = c->allow_loopback_destinations;
		r->env.smtp.helo = keep_word(r, c->hostname);
		r->env.smtp.connect_timeout_ms = (unsigned)c->connect_timeout;
		r->env.smtp.reply_timeout_ms = (unsigned)c->reply_timeout;
		/* 10 minutes where the others have 5 (RFC 5321 4.5.3.2.6) */
		r->env.smtp.final_timeout_ms = 2 * (unsigned)c->reply_timeout;
		status = 0;
	}
	config_free(&c);
	return status;
}

static void
on_job(struct job *j, void *arg)
{
	struct remote *r = arg;

	relay_start(&r->env, j);
}

static const struct agent_ops agent_ops = {.on_job = on_job};

static void
serve(struct remote *r, const char *name, int fd)
{
	bool front = strcmp(name, "smtpd/dns") == 0;

	fact_service_listen(
	    r->facts, fd, name, front ? process_uid_of(r->process, "smtpd") : (uid_t)-1);
}

static void
on_listener(struct process *p, struct wire_msg *m, int fd, void *arg)
{
	struct remote *r = arg;
	struct waiting *w;
	struct span name;

	(void)p;
	if (wire_get(m, "name", &name) != 0)
		fatalx("postriderd describes a socket wrongly");
	w = xcalloc(1, sizeof *w);
	w->name = xspandup(name);
	w->fd = fd;
	SLIST_INSERT_HEAD(&r->waiting, w, link);
}

static void
on_start(struct process *p, void *arg)
{
	struct remote *r = arg;

	r->process = p;
	while (!SLIST_EMPTY(&r->waiting)) {
		struct waiting *w = SLIST_FIRST(&r->waiting);

		SLIST_REMOVE_HEAD(&r->waiting, link);
		serve(r, w->name, w->fd);
		free(w->name);
		free(w);
	}
	r->env.pool = connection_pool_new(process_base(p), &relay_connection_ops);
	r->agent = agent_new(
	    process_base(p), process_socket(p, "queue"), "remote", SLOTS, &agent_ops, r);
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct remote *r = arg;

	(void)fd, (void)what;
	if (agent_active(r->agent) > 0 && r->stop_rounds++ < STOP_WAIT_MS / STOP_LOOK_MS) {
		event_add(r->stop, &(struct timeval){0, STOP_LOOK_MS * 1000});
		return;
	}
	agent_flush(r->agent);
	connection_pool_free(&r->env.pool);
	process_exit(r->process);
}

static void
on_stop(struct process *p, void *arg)
{
	struct remote *r = arg;

	if (r->stop != NULL)
		return;
	r->stop = evtimer_new(process_base(p), on_look, r);
	on_look(-1, 0, r);
}

/* What is under way is forgotten: the queue tries it again. */
static void
on_end(void *arg)
{
	struct remote *r = arg;
	struct word *w;

	agent_free(&r->agent);
	dns_free(&r->front);
	fact_service_free(&r->facts);
	dns_free(&r->env.dns);
	while ((w = SLIST_FIRST(&r->words)) != NULL) {
		SLIST_REMOVE_HEAD(&r->words, link);
		free(w->text);
		free(w);
	}
	SSL_CTX_free(r->env.smtp.tls);
	if (r->stop != NULL)
		event_free(r->stop);
}

static const struct process_ops ops = {
    .name = "remote",
    .on_settings = on_settings,
    .on_listener = on_listener,
    .on_start = on_start,
    .on_stop = on_stop,
    .on_end = on_end,
};

int
main(void)
{
	static struct remote remote;

	SLIST_INIT(&remote.words);
	SLIST_INIT(&remote.waiting);
	return process_run(&ops, &remote);
}
