/*
 * intake: the smtpd workers connected to the queue manager (doc/IPC.md, "smtpd
 * and queue"): hands them segments and large files to write to, and takes in
 * what they say is durable.
 */
#ifndef QUEUE_INTAKE_H
#define QUEUE_INTAKE_H

#include <event2/event.h>

#include "queue/store.h"

struct intake;

struct intake_counts {
	unsigned workers;
	uint64_t connections, accepted, refused;
};

struct intake *intake_new(struct event_base *base, struct store *store);
void intake_free(struct intake **i);

/* Serves this listening descriptor (taken) for workers that connect as uid. */
void intake_listen(struct intake *i, int fd, const char *name, uid_t uid);

/* A segment may be had from the pool. */
void intake_on_ready(struct intake *i);

/* Tells every worker whether the spool can take more. */
void intake_on_space(struct intake *i, bool room);

/* What the workers said last, added up. */
struct intake_counts intake_counts(const struct intake *i);

#endif
