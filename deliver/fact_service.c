/* fact_service: answers what the DNS says. See fact_service.h. Called by remote_main. */
#include "deliver/fact_service.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/log.h"
#include "common/service.h"
#include "common/xalloc.h"
#include "deliver/fact_search.h"

#define SOCKETS_MAX 2

/* A question, until each of its searches is at its end: that may be long after it was answered. */
struct request {
	LIST_ENTRY(request) link;
	struct fact_service *service;
	struct client *client; /* NULL: answered, or gone */
	uint64_t id;
	struct event *timer;
	struct fact_search *searches;
	size_t nsearches, under_way;
};

struct fact_service {
	struct event_base *base;
	struct dns *dns;
	struct service *sockets[SOCKETS_MAX];
	size_t nsockets;
	unsigned timeout_ms;
	unsigned nrequests;
	LIST_HEAD(, request) requests;
};

static void
request_free(struct request *r)
{
	LIST_REMOVE(r, link);
	r->service->nrequests--;
	for (size_t i = 0; i < r->nsearches; i++)
		fact_search_release(&r->searches[i]);
	event_free(r->timer);
	free(r->searches);
	free(r);
}

static void
answer(struct request *r)
{
	struct client *c = r->client;
	struct wire_msg asked = {.id = r->id};
	struct wire_out w;

	if (c == NULL)
		return;
	r->client = NULL;
	event_del(r->timer);
	client_answer_init(&w, &asked);
	for (size_t i = 0; i < r->nsearches; i++)
		fact_to_wire(&r->searches[i].fact, &w);
	if (client_send(c, &w, -1) != 0)
		client_drop(c, "the answer cannot be sent");
}

static void
on_found(struct fact_search *s, void *arg)
{
	struct request *r = arg;

	(void)s;
	if (--r->under_way > 0)
		return;
	answer(r);
	request_free(r);
}

/* What is not there by now is unknown; its search goes on, and the answer is kept for who asks next. */
static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct request *r = arg;

	(void)fd, (void)what;
	answer(r);
}

/* -1 if a want is none. */
static int
take_wants(struct request *r, const struct wire_msg *m)
{
	struct facts seen = {.n = 0};
	int status = facts_from_wants(&seen, m);

	r->searches = xcalloc(FACTS_MAX, sizeof *r->searches);
	for (size_t i = 0; i < seen.n; i++)
		r->searches[i].fact = seen.v[i];
	r->nsearches = seen.n;
	facts_release(&seen);
	return status;
}

static struct request *
request_new(struct fact_service *s, struct client *c, const struct wire_msg *m)
{
	struct request *r = xcalloc(1, sizeof *r);

	r->service = s;
	r->client = c;
	r->id = m->id;
	r->timer = evtimer_new(s->base, on_timeout, r);
	LIST_INSERT_HEAD(&s->requests, r, link);
	s->nrequests++;
	return r;
}

static void
on_message(struct client *c, struct wire_msg *m, void *arg)
{
	struct fact_service *s = arg;
	struct netaddr client;
	struct request *r;
	struct span text;

	if (!span_is(m->verb, "facts") || m->id == 0 || wire_get(m, "client", &text) != 0 ||
	    netaddr_parse(text, &client) != 0) {
		client_drop(c, "asks what this socket does not allow, or makes no sense");
		return;
	}
	r = request_new(s, c, m);
	if (take_wants(r, m) != 0) {
		request_free(r);
		client_drop(c, "wants what makes no sense");
		return;
	}
	if (s->nrequests > FACT_SERVICE_MAX) {
		log_warnx(
		    "more than %d questions to the DNS are under way: one stays unanswered",
		    FACT_SERVICE_MAX);
		answer(r);
		request_free(r);
		return;
	}
	event_add(
	    r->timer, &(struct timeval){s->timeout_ms / 1000, s->timeout_ms % 1000 * 1000});
	r->under_way = r->nsearches + 1; /* not before all have begun */
	for (size_t i = 0; i < r->nsearches; i++)
		fact_search_start(&r->searches[i], s->dns, &client, on_found, r);
	on_found(NULL, r);
}

static void
on_down(struct client *c, void *arg)
{
	struct fact_service *s = arg;
	struct request *r;

	LIST_FOREACH (r, &s->requests, link)
		if (r->client == c)
			r->client = NULL;
}

struct fact_service *
fact_service_new(struct event_base *base, struct dns *dns)
{
	struct fact_service *s = xcalloc(1, sizeof *s);

	s->base = base;
	s->dns = dns;
	s->timeout_ms = 5000;
	LIST_INIT(&s->requests);
	return s;
}

void
fact_service_free(struct fact_service **sp)
{
	struct fact_service *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	for (size_t i = 0; i < s->nsockets; i++)
		service_free(&s->sockets[i]);
	while (!LIST_EMPTY(&s->requests))
		request_free(LIST_FIRST(&s->requests));
	free(s);
}

void
fact_service_set_timeout(struct fact_service *s, unsigned ms)
{
	s->timeout_ms = ms;
}

void
fact_service_listen(struct fact_service *s, int fd, const char *name, uid_t uid)
{
	static const struct service_ops ops = {.on_message = on_message, .on_down = on_down};

	if (s->nsockets == SOCKETS_MAX)
		fatalx("postriderd has more sockets for the DNS than it should");
	s->sockets[s->nsockets++] = service_new(s->base, fd, name, uid, &ops, s);
}
