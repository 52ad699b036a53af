/*
 * resolved: the directory's answer to `resolve` (doc/IPC.md): a verdict and the
 * targets of an address. Pure; the answer is not trusted to be well-formed.
 */
#ifndef QUEUE_RESOLVED_H
#define QUEUE_RESOLVED_H

#include "common/verdict.h"
#include "common/wire.h"
#include "queue/message.h"

struct resolved_target {
	enum recipient_kind kind; /* MAILBOX or REMOTE */
	struct span address;
	struct span destination;
};

struct resolved {
	struct verdict verdict;
	struct resolved_target
	    *targets; /* n > 0 if the verdict is ok; spans live as long as the answer */
	size_t n;
};

/* 0, or -1 if malformed. The caller releases after 0. */
int resolved_parse(const struct wire_msg *answer, struct resolved *r);
void resolved_release(struct resolved *r);

#endif
