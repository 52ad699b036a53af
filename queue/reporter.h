/*
 * reporter: decides when a sender is told what became of mail, and writes the
 * delivery status notification (RFC 3464) through the same spool as all mail, into a
 * segment of the queue manager's own. A notification carries the number of the message it reports
 * on and the entries it tells of, so that after a crash it is the proof that these were told: one is
 * written, never two. What a report says is in report.h.
 *
 * One report for all recipients of a message whose fate is known: it waits for those that are
 * being tried, but not for long.
 */
#ifndef QUEUE_REPORTER_H
#define QUEUE_REPORTER_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/peer.h"
#include "queue/own_writer.h"
#include "queue/report.h"

struct reporter;

/*
 * source (copied; what it points to is borrowed), own: what to write with, directory: whom to ask for a
 * domain's texts. The last two may be freed before the reporter, after reporter_stop: he hears what became of the last reports.
 */
struct reporter *reporter_new(struct event_base *base, const struct report_source *source,
    struct own_writer *own, struct peer *directory);
void reporter_set_config(struct reporter *r, const struct config *config);
void reporter_free(struct reporter **r);

/*
 * Tells the sender of m of its recipients that are FAILED or TELL, as far as he wants to hear of them; those of whom
 * nobody is to hear are logged and settled. To be called after each outcome.
 */
void reporter_consider(struct reporter *r, struct message *m);

/*
 * Tells the sender of m of the recipients that are late, if he wants to hear of that and was not told before. To be
 * called when they are late enough, after each attempt.
 */
void reporter_warn(struct reporter *r, struct message *m);

/* m is about to be freed. */
void reporter_forget(struct reporter *r, struct message *m);

/* A segment may be had from the pool: for a reporter that waits for one. */
void reporter_on_ready(struct reporter *r);

/* Nothing more is begun: to be called before what it was made with is freed. */
void reporter_stop(struct reporter *r);

#endif
