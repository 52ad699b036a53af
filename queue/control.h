/*
 * control: what the administrator's tool asks of the queue manager (doc/IPC.md,
 * "control to queue"): list, show, cat, retry, remove, status.
 */
#ifndef QUEUE_CONTROL_H
#define QUEUE_CONTROL_H

#include <event2/event.h>

#include "queue/intake.h"
#include "queue/manager.h"

struct control;

struct control *control_new(
    struct event_base *base, struct manager *manager, struct intake *intake);
void control_free(struct control **c);

/* Serves this listening descriptor (taken) for root and the user we run as. */
void control_listen(struct control *c, int fd, const char *name);

#endif
