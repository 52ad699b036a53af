/*
 * sendmail_queue: sendmail's two looks into the queue: mailq (sendmail -bp) prints
 * it in sendmail's form, sendmail -q has deferred mail tried now, held or released. Both ask the
 * queue manager at control/queue, so both are for root and the user postriderd runs as.
 */
#ifndef QUEUE_SENDMAIL_QUEUE_H
#define QUEUE_SENDMAIL_QUEUE_H

#include <stdio.h>

#include "common/buf.h"
#include "common/wire.h"
#include "queue/sendmail_options.h"
#include "queue/sendmail_setup.h"

/* Prints the queue, or what the -q restrictions mean of it. 0 or an exit status with a line in *why: EX_NOPERM, EX_UNAVAILABLE. */
int sendmail_queue_print(const struct sendmail_setup *s, const struct sendmail_options *o,
    FILE *out, struct buf *why);

/* A list being printed: out and spool (named in its first line) are set, the rest zero. */
struct sendmail_queue_view {
	FILE *out;
	const char *spool;
	uint64_t messages;
	bool began;
};

/*
 * Prints one frame of the queue manager's list in sendmail's form; the frame `end` ends it. -1 if it is
 * malformed. Pure but for the time zone.
 */
int sendmail_queue_frame(struct sendmail_queue_view *v, const struct wire_msg *frame);

/* The fields that say which mail the -q restrictions mean (queue/queue_filter.h). */
void sendmail_queue_limits(const struct sendmail_options *o, struct wire_out *w);

/* Retries what -q names, or with -Q holds or releases it. 0 or an exit status as above. */
int sendmail_queue_act(
    const struct sendmail_setup *s, const struct sendmail_options *o, struct buf *why);

#endif
