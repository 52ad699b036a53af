/*
 * reporter: writes delivery status notifications through the same spool as all
 * mail, into a segment of the queue manager's own. A notification carries the
 * number of the message it reports on, so that after a crash it is the proof
 * that its failures were told: one is written, never two.
 */
#ifndef QUEUE_REPORTER_H
#define QUEUE_REPORTER_H

#include <event2/event.h>
#include <stdbool.h>

#include "queue/own_writer.h"
#include "queue/store.h"

struct reporter;

/* own: what to write with, borrowed. It is freed before the reporter, who is told what became of the last reports. */
struct reporter *reporter_new(
    struct event_base *base, struct store *store, struct own_writer *own, const char *hostname);
void reporter_set_hostname(struct reporter *r, const char *hostname);
void reporter_free(struct reporter **r);

/*
 * Tells the sender of m of its FAILED recipients, once none of its recipients is busy (else does nothing:
 * call again after the next outcome). One notification for all of them. A message without a sender
 * is never answered: its failures are logged and settled.
 */
void reporter_consider(struct reporter *r, struct message *m);

/* m is about to be freed. */
void reporter_forget(struct reporter *r, struct message *m);

/* A segment may be had from the pool: for a reporter that waits for one. */
void reporter_on_ready(struct reporter *r);

/* No further notifications. */
void reporter_stop(struct reporter *r);

#endif
