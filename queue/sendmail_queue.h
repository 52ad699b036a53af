/*
 * sendmail_queue: sendmail's two looks into the queue: mailq (sendmail -bp) prints
 * it in sendmail's form, sendmail -q has deferred mail tried now. Both ask the
 * queue manager at control/queue, so both are for root and the user postriderd runs as.
 */
#ifndef QUEUE_SENDMAIL_QUEUE_H
#define QUEUE_SENDMAIL_QUEUE_H

#include <stdio.h>

#include "common/buf.h"
#include "queue/listing.h"
#include "queue/sendmail_options.h"
#include "queue/sendmail_setup.h"

/* Prints the queue. 0 or an exit status with a line in *why: EX_NOPERM, EX_UNAVAILABLE. */
int sendmail_queue_print(const struct sendmail_setup *s, FILE *out, struct buf *why);

/* The listing in sendmail's form; spool is named in its first line. Pure but for the time zone. */
void sendmail_queue_format(const struct listing *l, const char *spool, FILE *out);

/* Retries what -q, -qI, -qS, -qR name. 0 or an exit status as above. */
int sendmail_queue_retry(
    const struct sendmail_setup *s, const struct sendmail_options *o, struct buf *why);

#endif
