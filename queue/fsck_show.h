/*
 * fsck_show: what `postrider queue fsck` prints of a report: text for people, JSON for programs.
 */
#ifndef QUEUE_FSCK_SHOW_H
#define QUEUE_FSCK_SHOW_H

#include "queue/cmd.h"
#include "queue/fsck.h"

/* On standard output. repair: was it asked for? */
void fsck_show_text(const struct fsck_report *r, const char *spool, bool repair);

/* A new object, the caller's. */
json_t *fsck_show_json(const struct fsck_report *r, const char *spool, bool repair);

#endif
