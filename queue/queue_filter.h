/*
 * queue_filter: which messages and recipients a control command means. Pure.
 * A filter without fields means all.
 */
#ifndef QUEUE_QUEUE_FILTER_H
#define QUEUE_QUEUE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire.h"
#include "queue/message.h"

struct queue_filter {
	uint64_t id;	       /* 0: any */
	struct span sender;    /* the whole reverse-path; NULL pointer: any */
	struct span recipient; /* a whole address */
	struct span domain;    /* of a recipient */
};

/* Reads id=, sender=, recipient=, domain=; -1 if an id is none. Spans live as long as the message. */
int queue_filter_parse(const struct wire_msg *m, struct queue_filter *f);

/* Does the message match, with at least one recipient that is not settled? */
bool queue_filter_message(const struct queue_filter *f, const struct message *m);

/* Does this recipient match (its message is known to)? */
bool queue_filter_recipient(const struct queue_filter *f, const struct recipient *r);

#endif
