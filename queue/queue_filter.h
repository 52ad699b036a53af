/*
 * queue_filter: which messages and recipients a control command means, out of the fields
 * of its request (doc/IPC.md, "control to queue"). Pure.
 *
 * Fields: `id=`, exact, any number of them; `sender=`, `sender-domain=`, `recipient=`, `domain=` (of a
 * recipient), `destination=`, `match-id=`: shell patterns as of fnmatch(3), case aside, of local parts beyond ASCII, too (conf/fold), a domain's labels
 * without a pattern inside in either spelling (RFC 5890 2.3.2.1);
 * `reason=`: part of the last verdict; `state=`: the name of one; each of these also with `not-` before it. Of several of one
 * kind one must fit, none of those with `not-` may, and all kinds must. `older=` and `younger=`: seconds since the
 * message came. A recipient that is settled never fits.
 */
#ifndef QUEUE_QUEUE_FILTER_H
#define QUEUE_QUEUE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire.h"
#include "queue/message.h"

/* A pattern or a piece of a reason is no longer than this. */
#define QUEUE_FILTER_TEXT_MAX 1024

struct queue_filter_condition;

struct queue_filter {
	uint64_t *ids; /* as given, NULL: any message */
	size_t nids;
	struct queue_filter_condition *conditions;
	size_t nconditions;
	int64_t received_before, received_after; /* milliseconds since 1970 */
};

/*
 * Reads the filter out of a request; now in milliseconds since 1970. others: names of fields that are no
 * filter but belong to the request, NULL at the end; any further field is an error, since a filter that is passed over would
 * make the command mean too much. -1 with a line for people in *why. Released by the caller in both cases.
 */
int queue_filter_parse(struct queue_filter *f, const struct wire_msg *m, int64_t now,
    const char *const *others, struct buf *why);
void queue_filter_release(struct queue_filter *f);

/* Has it any field? One that has none means all there is. */
bool queue_filter_is_empty(const struct queue_filter *f);

/* Does the message match, as far as it does not depend on its recipients? Ids are left to the caller: see ids. */
bool queue_filter_message(const struct queue_filter *f, const struct message *m);

/* Does this recipient match (its message is known to)? */
bool queue_filter_recipient(const struct queue_filter *f, const struct recipient *r);

/* Where a recipient's mail goes, as the queue shows it: its destination, or while none is known the address's domain. */
const char *queue_filter_destination(const struct recipient *r);

/* What stands behind the last at sign, "" if there is none. */
const char *queue_filter_domain(const char *address);

#endif
