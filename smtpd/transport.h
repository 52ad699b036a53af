/*
 * transport: a connected stream socket: what was read goes to the caller's
 * buffer, what is to be said collects until it is flushed with one system call.
 * It knows nothing of SMTP. A cipher will stand between these functions and the
 * socket, so nobody else touches the descriptor.
 *
 * Idle, it holds less than a KiB.
 */
#ifndef SMTPD_TRANSPORT_H
#define SMTPD_TRANSPORT_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/buf.h"

struct transport_ops {
	void (*on_readable)(void *arg);
	/* The kernel takes octets again, after transport_flush returned TRANSPORT_LEFT. */
	void (*on_writable)(void *arg);
};

struct transport {
	struct event_base *base;
	struct event *readable;
	struct event *writable; /* NULL until the kernel was full once */
	const struct transport_ops *ops;
	void *arg;
	int fd;
	bool reading;
	size_t sent;	/* octets at the beginning of out that have left */
	struct buf out; /* append to it what is to be said */
};

enum transport_result {
	TRANSPORT_ALL,	/* everything has left */
	TRANSPORT_LEFT, /* the kernel is full: on_writable follows */
	TRANSPORT_GONE, /* the other side is gone */
};

/* Takes the descriptor, which does not block; reads as soon as the loop runs. ops must outlive it. */
void transport_init(struct transport *t, struct event_base *base, int fd,
    const struct transport_ops *ops, void *arg);

/* Closes the descriptor and drops what was not sent. */
void transport_release(struct transport *t);

/* Octets read, 0 at the end of the stream, -1 with errno (EAGAIN: nothing there now). */
ssize_t transport_read(struct transport *t, void *p, size_t n);

/* Sends what has been appended to out. */
enum transport_result transport_flush(struct transport *t) __attribute__((warn_unused_result));

/* Octets appended and not yet taken by the kernel. */
size_t transport_backlog(const struct transport *t);

/* on_readable is called while reading is on. Turning it on when it is costs nothing. */
void transport_set_reading(struct transport *t, bool on);

/* Has something (or the end) arrived that was not read yet? */
bool transport_input_waiting(const struct transport *t);

/* Says that nothing more will be sent. */
void transport_end(struct transport *t);

#endif
