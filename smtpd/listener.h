/*
 * listener: the sockets on which clients arrive, and how many may be there: per
 * worker, and per worker and client. The sockets are bound by postriderd and stay
 * when this process goes. Where a proxy hands connections on (settings_is_proxied), only those
 * of proxy-from are taken, and who is at the other end is known from their PROXY header alone.
 */
#ifndef SMTPD_LISTENER_H
#define SMTPD_LISTENER_H

#include <sys/types.h>

#include "smtpd/client_count.h"
#include "smtpd/server.h"

struct listener;

/* All listeners of a worker. */
struct listeners {
	struct server *server;
	uid_t queue_uid; /* who may submit on behalf of others */
	unsigned most;	 /* connections that descriptors suffice for */
	struct event *resume;
	LIST_HEAD(, listener) list;
	struct client_count clients;
	unsigned nproxied; /* connections that wait for their PROXY header */
	bool started;
};

void listeners_init(struct listeners *l, struct server *server);
void listeners_release(struct listeners *l);

/*
 * A socket to serve: takes the descriptor. name is copied. Nothing is accepted
 * before listeners_start.
 */
void listeners_add(struct listeners *l, struct span name, enum listener_role role,
    enum listener_tls tls, int fd);
void listeners_remove(struct listeners *l, struct span name);

/* Begins to accept. queue_uid as above. */
void listeners_start(struct listeners *l, uid_t queue_uid);

/* Accepts no more and closes the sockets here; the backlog waits for whoever serves next. */
void listeners_stop(struct listeners *l);

/* A session's client is to be another one: its place among those of its address. -1 if that is full. */
int listeners_client_change(struct listeners *l, const struct session *s,
    const struct session_origin *now) __attribute__((warn_unused_result));

/* A session has ended: its place is free. */
void listeners_session_end(struct listeners *l, const struct session *s);

#endif
