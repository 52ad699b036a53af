/*
 * service: the server's end of our sockets: accepts on listening descriptors
 * (bound by the supervisor, kept across restarts), checks the peer's
 * credentials, exchanges greetings, and hands over messages.
 */
#ifndef COMMON_SERVICE_H
#define COMMON_SERVICE_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/channel.h"

struct service;
struct client; /* one connected process */

struct service_ops {
	/* Greeted: role is what it called itself, at the socket named name. May be NULL. */
	void (*on_up)(struct client *c, void *arg);
	/* Gone. Not called for one that never was up. May be NULL. */
	void (*on_down)(struct client *c, void *arg);
	void (*on_message)(struct client *c, struct wire_msg *m, void *arg);
	/* As on_batch of struct channel_ops; the greeting may be one of them. May be NULL. */
	void (*on_batch)(struct client *c, void *arg);
	/* See channel_keep_nothing. */
	bool secret;
};

/*
 * Serves the listening descriptor fd (taken). name says which socket it is (copied).
 * uid is the only user besides root and this process's own that may connect; (uid_t)-1 lets no further one.
 */
struct service *service_new(struct event_base *base, int fd, const char *name, uid_t uid,
    const struct service_ops *ops, void *arg);
void service_free(struct service **s);

/* Send to a client: as channel_send. Releases w. */
int client_send(struct client *c, struct wire_out *w, int fd);

/* Begins the answer to request m. */
void client_answer_init(struct wire_out *w, const struct wire_msg *m);

/* The client's user, process id, the role it gave, the service's name, and a pointer for the owner's use. */
uid_t client_uid(const struct client *c);
pid_t client_pid(const struct client *c);
const char *client_role(const struct client *c);
const char *client_service(const struct client *c);
void client_set_data(struct client *c, void *data);
void *client_data(const struct client *c);
struct channel *client_channel(const struct client *c);

/* Closes it; on_down is called. */
void client_drop(struct client *c, const char *why);

#endif
