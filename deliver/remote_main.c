/*
 * remote: sends mail to other hosts by SMTP. Started by postriderd; takes jobs
 * from queue, finds the hosts by DNS, and answers with a verdict per recipient.
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

struct remote {
	struct process *process;
	struct relay_env env;
	struct agent *agent;
	struct event *stop;
	unsigned stop_rounds;
	SLIST_HEAD(, word) words;
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
	r->env.smtp.tls = tls_client_new();
	return r->env.dns != NULL && r->env.smtp.tls != NULL ? 0 : -1;
}

static int
on_settings(struct process *p, struct wire_msg *m, void *arg)
{
	struct remote *r = arg;
	struct config *c = config_from_wire(m);
	int status = -1;

	if (c != NULL && (r->env.dns != NULL || open_all(r, p) == 0) &&
	    set_resolvers(r, c) == 0) {
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
on_start(struct process *p, void *arg)
{
	struct remote *r = arg;

	r->process = p;
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

static const struct process_ops ops = {
    .name = "remote", .on_settings = on_settings, .on_start = on_start, .on_stop = on_stop};

int
main(void)
{
	static struct remote remote;

	SLIST_INIT(&remote.words);
	return process_run(&ops, &remote);
}
