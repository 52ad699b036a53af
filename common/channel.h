/*
 * channel: one end of a Unix stream socket on which frames (common/wire.h)
 * travel, with descriptors. Non-blocking, on one libevent loop. What is sent
 * within one turn of the loop leaves in as few system calls as possible.
 *
 * A malformed frame closes this channel only: the owner hears on_close, never
 * more. The owner calls channel_free, from within a callback if it likes.
 */
#ifndef COMMON_CHANNEL_H
#define COMMON_CHANNEL_H

#include <event2/event.h>
#include <stddef.h>

#include "common/wire.h"

struct channel;

struct channel_ops {
	/* A whole message. Spans and descriptors live until it returns (wire_take_fd keeps one). */
	void (*on_message)(struct channel *c, struct wire_msg *m, void *arg);
	/* The other side is gone or talks nonsense (why says which). No callback follows. */
	void (*on_close)(struct channel *c, const char *why, void *arg);
	/* May be NULL: everything queued for sending has left. */
	void (*on_drained)(struct channel *c, void *arg);
	/*
	 * May be NULL: whole messages follow, each with on_message and before anything else is read. All of
	 * them had arrived when this is called: what is to be done before each may be done once for all. It must not free
	 * the channel.
	 */
	void (*on_batch)(struct channel *c, void *arg);
};

/* Takes the descriptor. Never fails. ops must outlive the channel. */
struct channel *channel_new(
    struct event_base *base, int fd, const struct channel_ops *ops, void *arg);

/* Passwords and keys pass: frames are wiped as soon as they have left, or have been handed over. */
void channel_keep_nothing(struct channel *c);

/* Closes the descriptor, drops what was not sent, clears *c. NULL is fine. */
void channel_free(struct channel **c);

/*
 * Queues a message (copied). Returns 0, or -1 if it exceeds the limits of the
 * wire, the channel is closed, or too many descriptors (64) wait to leave: nothing was queued then. fd >= 0 rides along
 * and is the channel's from now on, whatever is returned.
 */
int channel_send(struct channel *c, const struct wire_out *w, int fd);

/* Octets queued and not yet taken by the kernel: what a sender looks at to hold back. */
size_t channel_backlog(const struct channel *c);

/* Writes what is queued now, as far as the kernel takes it (before a process exits). */
void channel_flush(struct channel *c);

/* Stop and start reading, to hold the other side back. */
void channel_pause(struct channel *c);
void channel_resume(struct channel *c);

#endif
