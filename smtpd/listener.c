/*
 * listener: the sockets on which clients arrive. See listener.h. When descriptors
 * or memory run out, accepting pauses until a session ends or a second has passed:
 * a connection that cannot be taken waits in the backlog, and nothing spins.
 */
#include "smtpd/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/log_value.h"
#include "common/xalloc.h"
#include "smtpd/proxy_wait.h"
#include "smtpd/smtp_reply.h"
#include "smtpd/session.h"

/* Connections taken in one turn of the loop, so that those there are get their turn too. */
#define ACCEPT_MAX 64

#define PAUSE_SEC 1

/* A proxy has its header ready before it connects. */
#define PROXY_MS 10000

/* Descriptors kept back for segments, large messages, our sockets and the loop. */
#define DESCRIPTORS_KEPT 256

struct listener {
	LIST_ENTRY(listener) link;
	struct listeners *all;
	struct event *readable;
	char *name;
	enum listener_role role;
	enum listener_tls tls;
	int fd;
	LIST_HEAD(, proxied) proxied;
};

/* A connection that waits for its PROXY header. */
struct proxied {
	LIST_ENTRY(proxied) link;
	struct listener *listener;
	struct proxy_wait *wait;
	int fd;
	struct session_origin origin; /* the proxy's */
};

static void on_resume(evutil_socket_t, short, void *);

void
listeners_init(struct listeners *l, struct server *server)
{
	*l = (struct listeners){.server = server, .queue_uid = (uid_t)-1};
	LIST_INIT(&l->list);
	client_count_init(&l->clients);
	l->resume = evtimer_new(server->base, on_resume, l);
	if (l->resume == NULL)
		fatalx("cannot make a timer");
}

static void
proxied_free(struct proxied *p)
{
	proxy_wait_free(&p->wait);
	p->listener->all->nproxied--;
	LIST_REMOVE(p, link);
	free(p);
}

static void
listener_free(struct listener *one)
{
	struct proxied *p;

	while ((p = LIST_FIRST(&one->proxied)) != NULL) {
		close(p->fd);
		proxied_free(p);
	}
	LIST_REMOVE(one, link);
	event_free(one->readable);
	close(one->fd);
	free(one->name);
	free(one);
}

void
listeners_stop(struct listeners *l)
{
	struct listener *one;

	while ((one = LIST_FIRST(&l->list)) != NULL)
		listener_free(one);
	event_del(l->resume);
}

void
listeners_release(struct listeners *l)
{
	listeners_stop(l);
	event_free(l->resume);
	client_count_release(&l->clients);
}

static void
pause_all(struct listeners *l)
{
	struct listener *one;

	LIST_FOREACH (one, &l->list, link)
		event_del(one->readable);
	event_add(l->resume, &(struct timeval){PAUSE_SEC, 0});
}

static void
resume_all(struct listeners *l)
{
	struct listener *one;

	event_del(l->resume);
	LIST_FOREACH (one, &l->list, link)
		event_add(one->readable, NULL);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	resume_all(arg);
}

/* A connection that cannot be served hears why, if it can be said at once. */
static void
turn_away(struct listener *one, int fd, const struct session_origin *o, enum smtp_reply_id why)
{
	struct buf out;

	buf_init(&out, 1024);
	smtp_reply_format(&out, smtp_reply_find(why), (struct span){NULL, 0});
	/* Where a client expects TLS it gets nothing: it could not read it. */
	if (one->tls != LISTENER_TLS_IMPLICIT &&
	    send(fd, out.p, out.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("client=%s is gone before it was turned away", o->text);
	one->all->server->counts.refused++;
	log_info("listener=%s refused=connect code=421 rule=%s client=%s uid=%lld", one->name,
	    smtp_reply_find(why)->rule, o->text[0] != '\0' ? o->text : "local",
	    (long long)o->uid);
	buf_release(&out);
	close(fd);
}

/* Who is there. -1 if the kernel cannot say: nobody is served unnamed. */
static int
identify(
    struct listener *one, int fd, const struct sockaddr_storage *ss, struct session_origin *o)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	*o = (struct session_origin){
	    .role = one->role, .tls = one->tls, .uid = -1, .peer_uid = -1};
	if (one->role != LISTENER_SUBMIT) {
		if (netaddr_from_sockaddr((const struct sockaddr *)ss, &o->client) != 0)
			return -1;
		netaddr_format(&o->client, o->text);
		o->peer = o->client;
		return 0;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return -1;
	o->uid = o->peer_uid = cred.uid;
	o->queue_manager = cred.uid == one->all->queue_uid;
	return 0;
}

/* Somebody who is known now. */
static void
admit(struct listener *one, int fd, const struct session_origin *o)
{
	struct listeners *l = one->all;

	const struct settings *set = l->server->settings;

	switch (client_count_enter(&l->clients, o, set->connection_limit_per_client,
	    set->connection_limit_per_network)) {
	case CLIENT_COUNTED:
		session_new(l->server, fd, o);
		break;
	case CLIENT_HAS_MOST:
		turn_away(one, fd, o, REPLY_CONNECTIONS_CLIENT);
		break;
	case NETWORK_HAS_MOST:
		turn_away(one, fd, o, REPLY_CONNECTIONS_NETWORK);
		break;
	}
}

/* Without a word: what is at the other end is no proxy of ours, or does not speak its protocol. */
static void
refuse_proxy(struct listener *one, int fd, const char *proxy, const char *rule, const char *why)
{
	one->all->server->counts.refused++;
	log_info("listener=%s refused=connect rule=%s proxy=%s why=\"%s\"", one->name, rule,
	    proxy, LOG_QUOTED(span_str(why)));
	close(fd);
}

/*
 * A connection for which the proxy names nobody is served as 0.0.0.0: the proxy's own address may
 * be one that may relay, and who sends through it is not the proxy.
 */
static void
on_header(int fd, const struct proxy_header *h, const char *why, void *arg)
{
	struct proxied *p = arg;
	struct listener *one = p->listener;
	struct session_origin o = p->origin;

	p->wait = NULL;
	proxied_free(p);
	if (h == NULL) {
		refuse_proxy(one, fd, o.text, "proxy-header", why);
		return;
	}
	o.client =
	    h->kind == PROXY_HEADER_CLIENT ? h->client : (struct netaddr){.family = AF_INET};
	log_debug("listener=%s proxy=%s client=%s", one->name, o.text,
	    netaddr_format(&o.client, (char[NETADDR_TEXT_SIZE]){0}));
	netaddr_format(&o.client, o.text);
	o.peer = o.client;
	admit(one, fd, &o);
}

static void
await_header(struct listener *one, int fd, const struct session_origin *o)
{
	const struct server *sv = one->all->server;
	uint64_t idle = sv->settings->idle_ms;
	struct proxied *p;

	if (config_netblocks_find(&sv->settings->proxy_from, &o->client) == NULL) {
		refuse_proxy(one, fd, o->text, "proxy-from", "not a proxy that may connect");
		return;
	}
	p = xcalloc(1, sizeof *p);
	p->listener = one;
	p->fd = fd;
	p->origin = *o;
	p->wait = proxy_wait_new(sv->base, fd, idle < PROXY_MS ? idle : PROXY_MS, on_header, p);
	LIST_INSERT_HEAD(&one->proxied, p, link);
	one->all->nproxied++;
}

static void
take(struct listener *one, int fd, const struct sockaddr_storage *ss)
{
	struct listeners *l = one->all;
	const struct settings *set = l->server->settings;
	unsigned there = l->server->nsessions + l->nproxied;
	struct session_origin o;

	if (identify(one, fd, ss, &o) != 0) {
		log_warn("listener=%s cannot tell who has connected", one->name);
		close(fd);
	} else if (there >= set->connection_limit || there >= l->most) {
		turn_away(one, fd, &o, REPLY_CONNECTIONS);
	} else if (o.role != LISTENER_SUBMIT && settings_is_proxied(set, one->name)) {
		await_header(one, fd, &o);
	} else {
		admit(one, fd, &o);
	}
}

static void
on_accept(evutil_socket_t lfd, short what, void *arg)
{
	struct listener *one = arg;
	struct sockaddr_storage ss;

	(void)what;
	for (int i = 0; i < ACCEPT_MAX; i++) {
		socklen_t len = sizeof ss;
		int fd =
		    accept4(lfd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take(one, fd, &ss);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK) {
			log_warn("listener=%s cannot accept, trying again in %d s: if this "
				 "stays so, lower connection-limit or raise the limit of "
				 "descriptors",
			    one->name, PAUSE_SEC);
			pause_all(one->all);
		}
		return;
	}
}

void
listeners_add(struct listeners *l, struct span name, enum listener_role role,
    enum listener_tls tls, int fd)
{
	struct listener *one = xcalloc(1, sizeof *one);
	int yes = 1;

	evutil_make_socket_nonblocking(fd);
	/* A reply never waits for the acknowledgement of the one before; connections inherit this. */
	if (role != LISTENER_SUBMIT &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0)
		log_warn("listener=%.*s replies may be slow", SPAN_ARG(name));
	one->all = l;
	one->name = xspandup(name);
	one->role = role;
	one->tls = tls;
	one->fd = fd;
	LIST_INIT(&one->proxied);
	one->readable = event_new(l->server->base, fd, EV_READ | EV_PERSIST, on_accept, one);
	if (one->readable == NULL)
		fatalx("cannot watch a socket");
	LIST_INSERT_HEAD(&l->list, one, link);
	if (l->started)
		event_add(one->readable, NULL);
}

void
listeners_remove(struct listeners *l, struct span name)
{
	struct listener *one;

	LIST_FOREACH (one, &l->list, link) {
		if (span_is(name, one->name)) {
			listener_free(one);
			return;
		}
	}
}

void
listeners_start(struct listeners *l, uid_t queue_uid)
{
	struct rlimit r;
	rlim_t most = UINT32_MAX;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur != RLIM_INFINITY)
		most = r.rlim_cur > 2 * DESCRIPTORS_KEPT ? r.rlim_cur - DESCRIPTORS_KEPT
							 : r.rlim_cur / 2;
	l->most = most < UINT32_MAX ? (unsigned)most : UINT32_MAX;
	if (l->most < l->server->settings->connection_limit)
		log_warnx("the limit of descriptors allows %u connections, fewer than "
			  "connection-limit",
		    l->most);
	l->queue_uid = queue_uid;
	l->started = true;
	resume_all(l);
}

int
listeners_client_change(
    struct listeners *l, const struct session *s, const struct session_origin *now)
{
	const struct settings *set = s->settings;

	if (netaddr_equal_ip(&s->origin.client, &now->client))
		return 0;
	client_count_leave(&l->clients, &s->origin);
	if (client_count_enter(&l->clients, now, set->connection_limit_per_client,
		set->connection_limit_per_network) == CLIENT_COUNTED)
		return 0;
	/* It stays who it was, and has just made the place. */
	(void)!client_count_enter(&l->clients, &s->origin, UINT32_MAX, UINT32_MAX);
	return -1;
}

void
listeners_session_end(struct listeners *l, const struct session *s)
{
	client_count_leave(&l->clients, &s->origin);
	if (event_pending(l->resume, EV_TIMEOUT, NULL))
		resume_all(l);
}
