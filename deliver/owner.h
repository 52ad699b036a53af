/*
 * owner: local's side of its children: a bounded pool of processes, one for
 * each mailbox owner (uid, gid, and the domain) that has mail, kept warm for a while. Jobs for
 * an owner go to its child in order; when all places are taken, an idle child
 * makes room, and if none is idle the job waits.
 *
 * A child that dies, hangs or talks nonsense: every job it had is answered with
 * NULL, could not tell. Its answers are believed about its own jobs only.
 */
#ifndef DELIVER_OWNER_H
#define DELIVER_OWNER_H

#include <event2/event.h>
#include <sys/types.h>

#include "common/log.h"
#include "common/syscall_filter.h"
#include "common/wire.h"

/*
 * A child takes 250 KiB. With fewer places than owners that have mail at a time each
 * message costs a fork: 100 owners and 64 places made a third of the messages a second.
 */
#define OWNER_CHILDREN_MAX 256
#define OWNER_IDLE_MS	   60000
#define OWNER_INFLIGHT_MAX 128 /* jobs handed to one child; more wait here */
#define OWNER_STUCK_MS	   30000 /* a child silent for so long gets nothing more: that is put off */
#define OWNER_DEADLINE_MS  300000 /* a child that does not answer a job for so long is killed */

struct owner_pool;

/* The child's answer, or NULL: could not tell. Valid until it returns. */
typedef void owner_answer_fn(struct wire_msg *answer, void *arg);

/* Starts the spawner (deliver/spawner.h), again whenever it ends. level is for the children's log. */
struct owner_pool *owner_pool_new(
    struct event_base *base, enum log_level level, enum syscall_filter_mode filter);

/* Ends all children when they have done what they have; functions of jobs under way are not called. */
void owner_pool_free(struct owner_pool **p);

/* An id for wire_out_init of the next `deliver` message. */
uint64_t owner_pool_next_id(struct owner_pool *p);

/* Whose child: it becomes uid and gid, and touches nothing outside of directory (absolute, the domain's). */
struct owner_name {
	uid_t uid;
	gid_t gid;
	const char *directory;
};

/*
 * Sends the message w, begun with that id, to the child of that name, and calls fn
 * once with the answer, never before this returns. w is taken over; its payload
 * must live until fn is called. fd >= 0 rides along and is taken.
 */
void owner_pool_send(struct owner_pool *p, const struct owner_name *name, uint64_t id,
    struct wire_out *w, int fd, owner_answer_fn *fn, void *arg);

#endif
