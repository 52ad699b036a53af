/*
 * peer: the client's end of a connection to another of our processes: it
 * connects to a socket path, says hello, reconnects with back-off for as long
 * as it lives, and matches answers to requests.
 *
 * A request is answered exactly once: by the peer's answer, or by NULL when the
 * peer is gone, silent for too long, or not connected: "could not tell".
 */
#ifndef COMMON_PEER_H
#define COMMON_PEER_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/wire.h"

struct peer;

/* The answer, or NULL: could not tell. Valid until it returns. */
typedef void peer_answer_fn(struct wire_msg *answer, void *arg);

struct peer_ops {
	/* May be NULL: connected and greeted; a place to send what the other side must know first. */
	void (*on_up)(struct peer *p, void *arg);
	/* May be NULL: the connection is lost; requests under way have been answered with NULL. */
	void (*on_down)(struct peer *p, void *arg);
	/* May be NULL: a message that is no answer. */
	void (*on_message)(struct peer *p, struct wire_msg *m, void *arg);
	/* See channel_keep_nothing. */
	bool secret;
};

/* path is copied; role names this process in the greeting. Connects from within the loop. */
struct peer *peer_new(struct event_base *base, const char *path, const char *role,
    const struct peer_ops *ops, void *arg);

/* Requests under way are forgotten: their functions are not called. Not from within one of them. */
void peer_free(struct peer **p);

bool peer_is_up(const struct peer *p);

/* An id for wire_out_init of the next request. */
uint64_t peer_next_id(struct peer *p);

/*
 * Sends a request built with peer_next_id and calls fn once with the answer;
 * never before peer_call returns. Time-out in milliseconds. Releases w.
 */
void peer_call(
    struct peer *p, struct wire_out *w, unsigned timeout_ms, peer_answer_fn *fn, void *arg);

/* Forgets the request with this id: its fn will not be called. */
void peer_cancel(struct peer *p, uint64_t id);

/* Sends a notice. 0, or -1 if not connected (nothing sent). Releases w. fd as in channel_send. */
int peer_notify(struct peer *p, struct wire_out *w, int fd);

/* Octets not yet taken by the kernel. */
size_t peer_backlog(const struct peer *p);

/* Writes what is queued now, before the process ends. */
void peer_flush(struct peer *p);

#endif
