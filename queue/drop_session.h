/*
 * drop_session: submits one message over the submit socket, by SMTP, on behalf
 * of a local user, and says what became of each recipient. A small client for
 * a server we know (our own smtpd); knows nothing of files in drop/.
 */
#ifndef QUEUE_DROP_SESSION_H
#define QUEUE_DROP_SESSION_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/span.h"
#include "common/verdict.h"

struct drop_session;

/* What is submitted. Everything is borrowed until done. */
struct drop_message {
	uid_t submitter;
	struct span from;
	const struct span *recipients;
	size_t nrecipients;
	struct span envid, ret, notify; /* RFC 3461 as given, empty if not */
	bool eight_bit, utf8;
	struct span content; /* in memory, if fd is -1 */
	int fd;		     /* or size octets at offset */
	uint64_t offset, size;
};

struct drop_session_ops {
	/* Recipient i was refused for good. */
	void (*on_refused)(size_t i, const struct verdict *v, void *arg);
	/*
	 * Over. Ok: accepted for those not refused. Permanent: refused as a whole (or each recipient was).
	 * Temporary: nothing was accepted, try again. The session is freed after it returns.
	 */
	void (*on_done)(const struct verdict *v, void *arg);
};

/* Connects to the socket at path and begins. on_done is called once, from within the loop. */
struct drop_session *drop_session_new(struct event_base *base, const char *path,
    const struct drop_message *m, const struct drop_session_ops *ops, void *arg);

/* Gives up without a call. */
void drop_session_free(struct drop_session **s);

#endif
