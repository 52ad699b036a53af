/*
 * journal_parts: what journal.c (the logs) and journal_checkpoint.c share and
 * nobody else sees.
 */
#ifndef QUEUE_JOURNAL_PARTS_H
#define QUEUE_JOURNAL_PARTS_H

#include <stdio.h>
#include <sys/types.h>

#include "common/worker.h"
#include "queue/journal.h"
#include "queue/journal_log.h"
#include "queue/journal_past.h"

/* When more could not be written than memory may hold, a checkpoint takes the place of it all. */
enum journal_excess {
	JOURNAL_EXCESS_NONE,
	JOURNAL_EXCESS_LOST, /* what is appended is not kept: memory alone knows */
	JOURNAL_EXCESS_WRITING, /* a child writes what memory knows; what is appended since is kept */
};

struct journal {
	struct worker_task task; /* the flush under way */
	struct worker *worker;
	const struct journal_ops *ops;
	void *arg;
	struct journal_past past;
	/* But for its number the flush's alone while one is in flight; and the octets of it on disk when the last was over. */
	struct journal_log log;
	uint64_t log_size;
	uint64_t last_checkpoint_size, checkpoint_minimum, at_once;
	uint64_t last_checkpoint;
	bool trusted;			 /* last_checkpoint and the logs since say it all */
	bool whole;			 /* as in struct journal_history */
	bool is_new;			 /* there was no file */
	uint64_t past_size;		 /* octets that were replayed */
	struct buf collecting, flushing; /* frames not written, being written */
	struct buf scratch;
	uint64_t position, flushing_to, durable;
	struct event *timer, *child;
	bool in_flight, healthy, failed_log;
	int error;
	enum journal_excess excess;
	size_t buffer_maximum; /* of both buffers together */
	bool wanted;	       /* a checkpoint, whatever the size of the log */
	uint64_t not_before;   /* size of the log at which one is tried again after a failure */
	FILE *checkpoint;      /* within on_checkpoint */
	int checkpoint_error;  /* errno of the first that failed, 0 */
	uint64_t checkpoint_size, checkpoint_begun; /* octets written, given to the disk */
	uint64_t checkpoint_number;
	uint64_t checkpoint_position; /* of the last record it knows of */
	pid_t checkpoint_pid;
};

/* Begins log number + 1. -1 with errno; the old one stays in use. */
int journal_begin_log(struct journal *j);

/* Everything up to position is on disk, and writing works. */
void journal_note_durable(struct journal *j, uint64_t position);

/* Keeps a reserve for the day when the disk is full. */
void journal_keep_reserve(struct journal *j);

/* The disk is full: gives up what is there for this day, the least needed first. False if nothing is left. */
bool journal_give_up_something(struct journal *j);

/* If a checkpoint is wanted and none is being written, forks a child that writes it. */
void journal_maybe_checkpoint(struct journal *j);

/* Excess was met: everything not written is dropped. */
void journal_exceed(struct journal *j);

/* Tries to get over the excess: a checkpoint by a child; at once, waiting for it, if now. 0, or -1: try again. */
int journal_replace_excess(struct journal *j, bool now);

/* Waits for the child that writes a checkpoint, if there is one. */
void journal_wait_checkpoint(struct journal *j);

#endif
