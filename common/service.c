/* service: the server's end of our sockets. See service.h. */
#include "common/service.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"

#define CLIENTS_MAX	 256
#define ACCEPT_PAUSE_SEC 1

struct client {
	LIST_ENTRY(client) link;
	struct service *service;
	struct channel *channel;
	struct ucred cred;
	char *role; /* NULL until greeted */
	void *data;
};

struct service {
	struct event_base *base;
	struct event *readable, *resume;
	const struct service_ops *ops;
	void *arg;
	char *name;
	uid_t uid;
	int fd;
	unsigned nclients;
	LIST_HEAD(, client) clients;
};

static void
client_close(struct client *c, const char *why)
{
	struct service *s = c->service;
	bool was_up = c->role != NULL;

	log_debug("client=%s role=%s pid=%d closed: %s", s->name, was_up ? c->role : "-",
	    (int)c->cred.pid, why);
	LIST_REMOVE(c, link);
	s->nclients--;
	channel_free(&c->channel);
	if (was_up && s->ops->on_down != NULL)
		s->ops->on_down(c, s->arg);
	free(c->role);
	free(c);
}

void
client_drop(struct client *c, const char *why)
{
	log_warnx("client=%s role=%s pid=%d dropped: %s", c->service->name,
	    c->role != NULL ? c->role : "-", (int)c->cred.pid, why);
	client_close(c, why);
}

static void
on_close(struct channel *ch, const char *why, void *arg)
{
	(void)ch;
	client_close(arg, why);
}

static void
on_hello(struct client *c, struct wire_msg *m)
{
	struct span role;
	uint64_t version;
	struct wire_out w;

	if (!span_is(m->verb, "hello") || wire_get(m, "role", &role) != 0 || role.len > 32 ||
	    wire_get_u64(m, "version", UINT32_MAX, &version) != 0) {
		client_drop(c, "no greeting");
		return;
	}
	wire_out_init(&w, "hello", 0);
	wire_add_u64(&w, "version", WIRE_VERSION);
	client_send(c, &w, -1);
	if (version != WIRE_VERSION) {
		client_drop(c, "another protocol version");
		return;
	}
	c->role = xspandup(role);
	if (c->service->ops->on_up != NULL)
		c->service->ops->on_up(c, c->service->arg);
}

static void
on_message(struct channel *ch, struct wire_msg *m, void *arg)
{
	struct client *c = arg;

	(void)ch;
	if (c->role == NULL)
		on_hello(c, m);
	else
		c->service->ops->on_message(c, m, c->service->arg);
}

static void
on_batch(struct channel *ch, void *arg)
{
	struct client *c = arg;

	(void)ch;
	if (c->service->ops->on_batch != NULL)
		c->service->ops->on_batch(c, c->service->arg);
}

static const struct channel_ops channel_ops = {
    .on_message = on_message, .on_close = on_close, .on_batch = on_batch};

static void
pause_accepting(struct service *s)
{
	log_warn("socket=%s cannot accept, trying again in %d s", s->name, ACCEPT_PAUSE_SEC);
	event_del(s->readable);
	event_add(s->resume, &(struct timeval){ACCEPT_PAUSE_SEC, 0});
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct service *s = arg;

	(void)fd, (void)what;
	event_add(s->readable, NULL);
}

static bool
may_connect(const struct service *s, const struct ucred *cred)
{
	return cred->uid == 0 || cred->uid == geteuid() || cred->uid == s->uid;
}

static void
on_accept(evutil_socket_t lfd, short what, void *arg)
{
	struct service *s = arg;
	socklen_t len = sizeof(struct ucred);
	struct client *c;
	struct ucred cred;
	int fd;

	(void)what;
	fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(s);
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0 ||
	    !may_connect(s, &cred) || s->nclients >= CLIENTS_MAX) {
		log_warnx("socket=%s refused a connection of uid %d", s->name, (int)cred.uid);
		close(fd);
		return;
	}
	c = xcalloc(1, sizeof *c);
	c->service = s;
	c->cred = cred;
	c->channel = channel_new(s->base, fd, &channel_ops, c);
	if (s->ops->secret)
		channel_keep_nothing(c->channel);
	LIST_INSERT_HEAD(&s->clients, c, link);
	s->nclients++;
}

struct service *
service_new(struct event_base *base, int fd, const char *name, uid_t uid,
    const struct service_ops *ops, void *arg)
{
	struct service *s = xcalloc(1, sizeof *s);

	evutil_make_socket_nonblocking(fd);
	s->base = base;
	s->fd = fd;
	s->name = xstrdup(name);
	s->uid = uid;
	s->ops = ops;
	s->arg = arg;
	LIST_INIT(&s->clients);
	s->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_accept, s);
	s->resume = evtimer_new(base, on_resume, s);
	event_add(s->readable, NULL);
	return s;
}

void
service_free(struct service **sp)
{
	struct service *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	while (!LIST_EMPTY(&s->clients))
		client_close(LIST_FIRST(&s->clients), "the service ends");
	event_free(s->readable);
	event_free(s->resume);
	close(s->fd);
	free(s->name);
	free(s);
}

int
client_send(struct client *c, struct wire_out *w, int fd)
{
	int r = channel_send(c->channel, w, fd);

	wire_out_release(w);
	return r;
}

void
client_answer_init(struct wire_out *w, const struct wire_msg *m)
{
	wire_out_init(w, "answer", m->id);
}

uid_t
client_uid(const struct client *c)
{
	return c->cred.uid;
}

pid_t
client_pid(const struct client *c)
{
	return c->cred.pid;
}

const char *
client_role(const struct client *c)
{
	return c->role;
}

const char *
client_service(const struct client *c)
{
	return c->service->name;
}

void
client_set_data(struct client *c, void *data)
{
	c->data = data;
}

void *
client_data(const struct client *c)
{
	return c->data;
}

struct channel *
client_channel(const struct client *c)
{
	return c->channel;
}
