/*
 * fsck_parts: what the parts of fsck share and nobody else sees.
 */
#ifndef QUEUE_FSCK_PARTS_H
#define QUEUE_FSCK_PARTS_H

#include "queue/fsck.h"
#include "queue/journal_past.h"
#include "queue/pauses.h"
#include "queue/store_replay.h"

/* The spool as the queue manager would know it at its start: journal replayed, segments opened, nothing changed. */
struct fsck_view {
	struct segment_pool *pool; /* NULL: segments/ or large/ cannot be opened */
	struct message_map messages;
	struct replay replay; /* points to what is beside it */
	struct atom_table *atoms;
	struct pauses pauses;
	struct journal_history history;
};

/* Messages and segments live until fsck_view_close. */
void fsck_view_open(struct fsck_view *v, const struct fsck_report *r);
void fsck_view_close(struct fsck_view *v);

/* A directory of the spool, or -1. */
int fsck_directory(int spoolfd, const char *name);

/* The files of journal/, and what is wrong with them as a whole. */
void fsck_examine_journal(struct fsck_report *r, const struct fsck_view *v);

/* Every segment, and every message of the view in it: what is intact leaves the view. */
void fsck_examine_segments(struct fsck_report *r, struct fsck_view *v);

/* Of a running instance: what still looks bad after another look with a new view. */
void fsck_confirm_messages(struct fsck_report *r);

/* A finding for each file in which, or with which, messages are lost. */
void fsck_sum_up_messages(struct fsck_report *r);

/* Is the message's content what was written? 0, or errno: EBADMSG if not. */
int fsck_check_content(const struct message *m);

/* What does not belong, what is in corrupt/, how much room there is. */
void fsck_examine_files(struct fsck_report *r);

#endif
