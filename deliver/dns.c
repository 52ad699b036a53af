/*
 * dns: c-ares on libevent, and the cache. See dns.h.
 *
 * A question stands in the table from the moment it is asked: a second one for
 * the same name joins the first. Answers live as long as their TTL says, within
 * bounds; when the table is full the oldest answer goes.
 */
#include "deliver/dns.h"

#include <ares.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/xalloc.h"

#define TIMEOUT_MS	 2000 /* of the first try; c-ares doubles it */
#define TRIES		 2
#define EDNS_SIZE	 1232
#define TEMPORARY_TTL_MS 5000 /* one dead server is not asked again for each message */
#define KEY_SIZE	 (DOMAIN_MAX + 8)

struct waiter {
	STAILQ_ENTRY(waiter) link;
	dns_answer_fn *fn;
	void *arg;
};

struct question {
	TAILQ_ENTRY(question) link; /* oldest first; answered ones only */
	struct dns *dns;
	char key[KEY_SIZE]; /* type:name */
	uint16_t type;
	struct dns_answer *answer; /* cut to its n records; NULL while it is awaited */
	uint64_t until_ms;
	STAILQ_HEAD(, waiter) waiters;
};

struct socket_event {
	LIST_ENTRY(socket_event) link;
	struct event *event;
	ares_socket_t fd;
};

struct dns {
	struct event_base *base;
	ares_channel channel;
	struct ares_addr_port_node *system_servers;
	struct event *timer;
	LIST_HEAD(, socket_event) sockets;
	struct hash questions;
	TAILQ_HEAD(, question) answered;
};

/* --- c-ares and the loop --- */

static void
set_timer(struct dns *d)
{
	struct timeval tv, *t = ares_timeout(d->channel, NULL, &tv);

	if (t != NULL)
		event_add(d->timer, t);
	else
		event_del(d->timer);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct dns *d = arg;

	(void)fd, (void)what;
	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(d);
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct dns *d = arg;

	ares_process_fd(d->channel, (what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
	    (what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
	set_timer(d);
}

static void
on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns *d = arg;
	struct socket_event *s;
	short what = (short)(EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));

	LIST_FOREACH (s, &d->sockets, link)
		if (s->fd == fd)
			break;
	if (s != NULL) {
		LIST_REMOVE(s, link);
		event_free(s->event);
		free(s);
	}
	if (!readable && !writable)
		return;
	s = xcalloc(1, sizeof *s);
	s->fd = fd;
	s->event = event_new(d->base, fd, what, on_socket, d);
	event_add(s->event, NULL);
	LIST_INSERT_HEAD(&d->sockets, s, link);
}

/* --- questions --- */

static void
question_free(struct question *q)
{
	struct waiter *w;

	while ((w = STAILQ_FIRST(&q->waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&q->waiters, link);
		free(w);
	}
	free(q->answer);
	free(q);
}

static void
forget(struct dns *d, struct question *q)
{
	TAILQ_REMOVE(&d->answered, q, link);
	hash_remove(&d->questions, span_str(q->key));
	question_free(q);
}

/* No more memory than its records need. */
static struct dns_answer *
cut(const struct dns_answer *a, uint16_t type)
{
	bool names = type == DNS_TYPE_MX || type == DNS_TYPE_PTR;
	size_t each = names ? sizeof a->mx[0] : sizeof a->address[0];
	size_t size = offsetof(struct dns_answer, mx) + a->n * each;
	struct dns_answer *copy = xmalloc(size);

	memcpy(copy, a, size);
	return copy;
}

static void
on_answer(void *arg, int status, int timeouts, unsigned char *p, int n)
{
	struct question *q = arg;
	struct dns_answer a;
	struct waiter *w;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) {
		question_free(q);
		return;
	}
	if (p != NULL && n > 0)
		dns_answer_parse(p, (size_t)n, strchr(q->key, ':') + 1, q->type, &a);
	else
		a = (struct dns_answer){.result = DNS_TEMPORARY};
	if (a.result == DNS_TEMPORARY)
		log_debug("dns=%s could not tell: %s", q->key, ares_strerror(status));
	q->answer = cut(&a, q->type);
	q->until_ms = clock_mono_ms() +
		      (a.result == DNS_TEMPORARY ? TEMPORARY_TTL_MS : (uint64_t)a.ttl * 1000);
	while ((w = STAILQ_FIRST(&q->waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&q->waiters, link);
		w->fn(q->answer, w->arg);
		free(w);
	}
	TAILQ_INSERT_TAIL(&q->dns->answered, q, link);
}

/* The question in the table; an answer too old is gone. */
static struct question *
find(struct dns *d, const char *key)
{
	struct question *q = hash_find(&d->questions, span_str(key));

	if (q == NULL || q->answer == NULL || clock_mono_ms() < q->until_ms)
		return q;
	if (!STAILQ_EMPTY(&q->waiters))
		return q; /* its waiters are being told right now */
	forget(d, q);
	return NULL;
}

static struct question *
ask(struct dns *d, const char *key, const char *name, uint16_t type)
{
	struct question *q = xcalloc(1, sizeof *q);

	if (hash_count(&d->questions) >= DNS_CACHE_MAX && !TAILQ_EMPTY(&d->answered))
		forget(d, TAILQ_FIRST(&d->answered));
	q->dns = d;
	q->type = type;
	memcpy(q->key, key, strlen(key) + 1);
	STAILQ_INIT(&q->waiters);
	hash_insert(&d->questions, span_str(q->key), q);
	ares_query(d->channel, name, 1, type, on_answer, q);
	set_timer(d);
	return q;
}

const struct dns_answer *
dns_query(struct dns *d, const char *name, uint16_t type, dns_answer_fn *fn, void *arg)
{
	char key[KEY_SIZE];
	struct question *q;
	struct waiter *w;

	snprintf(key, sizeof key, "%u:%.*s", type, DOMAIN_MAX, name);
	q = find(d, key);
	if (q == NULL)
		q = ask(d, key, name, type);
	if (q->answer != NULL)
		return q->answer;
	w = xcalloc(1, sizeof *w);
	w->fn = fn;
	w->arg = arg;
	STAILQ_INSERT_TAIL(&q->waiters, w, link);
	return NULL;
}

/* --- life --- */

struct dns *
dns_new(struct event_base *base)
{
	struct dns *d = xcalloc(1, sizeof *d);
	char lookups[] = "b";
	struct ares_options o = {
	    .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
	    .timeout = TIMEOUT_MS,
	    .tries = TRIES,
	    .ednspsz = EDNS_SIZE,
	    .lookups = lookups,
	    .sock_state_cb = on_socket_state,
	    .sock_state_cb_data = d};
	int status;

	d->base = base;
	LIST_INIT(&d->sockets);
	TAILQ_INIT(&d->answered);
	hash_init(&d->questions);
	status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status == ARES_SUCCESS)
		status = ares_init_options(&d->channel, &o,
		    ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
			ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
	if (status != ARES_SUCCESS ||
	    ares_get_servers_ports(d->channel, &d->system_servers) != ARES_SUCCESS) {
		log_warnx("cannot start the resolver: %s", ares_strerror(status));
		hash_release(&d->questions);
		free(d);
		return NULL;
	}
	d->timer = evtimer_new(base, on_timer, d);
	return d;
}

void
dns_free(struct dns **dp)
{
	struct dns *d = *dp;
	struct question *q;

	if (d == NULL)
		return;
	*dp = NULL;
	ares_destroy(d->channel); /* frees questions under way, closes sockets */
	while ((q = TAILQ_FIRST(&d->answered)) != NULL)
		forget(d, q);
	hash_release(&d->questions);
	ares_free_data(d->system_servers);
	ares_library_cleanup();
	event_free(d->timer);
	free(d);
}

int
dns_set_servers(struct dns *d, const char *csv)
{
	int status = csv != NULL ? ares_set_servers_ports_csv(d->channel, csv)
				 : ares_set_servers_ports(d->channel, d->system_servers);

	if (status != ARES_SUCCESS)
		log_warnx("resolver = %s: %s", csv != NULL ? csv : "(the system's)",
		    ares_strerror(status));
	return status == ARES_SUCCESS ? 0 : -1;
}
