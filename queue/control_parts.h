/*
 * control_parts: what control.c and the files of its verbs (control_*.c) share and
 * nobody else sees.
 */
#ifndef QUEUE_CONTROL_PARTS_H
#define QUEUE_CONTROL_PARTS_H

#include <event2/event.h>

#include "common/service.h"
#include "queue/intake.h"
#include "queue/manager.h"
#include "queue/pauses.h"
#include "queue/queue_filter.h"
#include "queue/snapshot.h"

struct control_acts;
struct control_promises;

struct control {
	struct event_base *base;
	struct manager *manager;
	struct intake *intake;
	struct service *service;
	struct snapshot_set *snapshots;
	struct control_acts *acts;
	struct control_promises *promises;
	int64_t started; /* wall clock, seconds */
};

/* A request: everything a verb needs. The verb may take what the filter holds (and leave it empty). */
struct control_request {
	struct control *control;
	struct client *client;
	struct wire_msg *msg;
	struct queue_filter *filter;
};

/* Begins an answer that says yes. */
void control_answer_begin(struct wire_out *w, const struct wire_msg *m);

/* Why not: told to programs as the status of the verdict. */
enum control_no {
	CONTROL_WRONG,	 /* the question is: 5.5.4 */
	CONTROL_UNKNOWN, /* no such message: 5.1.1 */
	CONTROL_BUSY,	 /* the same question may be answered soon: 4.3.2 */
	CONTROL_CANNOT,	 /* something failed here: 4.3.0 */
};

/* Answers no, with a line for people. */
void control_refuse(const struct control_request *r, enum control_no no, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same after snapshot_begin has failed with errno. */
void control_refuse_snapshot(const struct control_request *r);

/*
 * Has a forked child answer: the client gets the descriptor of its frames. Everything that arg leads to
 * must be there when this is called, no longer.
 */
void control_answer_snapshot(
    const struct control_request *r, snapshot_write_fn *write, void *arg);

/* The message that message= names; NULL when the client has been told that there is none. */
struct message *control_named_message(const struct control_request *r);

/* control_list.c: list, show; control_summary.c; control_cat.c; control_status.c */
void control_list(const struct control_request *r);
void control_show(const struct control_request *r);
void control_summary(const struct control_request *r);
void control_cat(const struct control_request *r);
void control_status(const struct control_request *r);

/*
 * The name of what is paused and keeps this recipient waiting, and its kind; NULL if nothing is. And what the kind is
 * called in requests and answers.
 */
const char *control_pause_of(
    const struct control *c, const struct recipient *r, enum pause_kind *kind);
const char *control_pause_name(enum pause_kind kind);

/* control_pause.c: pause, resume, paused */
void control_pause(const struct control_request *r);
void control_resume(const struct control_request *r);
void control_paused(const struct control_request *r);

/* control_promise.c: takes an answer, begun and without its verdict, and sends it when all that was recorded so far is on disk. */
struct control_promises *control_promises_new(struct control *c);
void control_promises_free(struct control_promises **p);
void control_promise(struct control *c, struct client *client, struct wire_out *answer);
void control_promises_forget(struct control_promises *p, const struct client *client);

/* control_act.c: retry, remove, … on many, in slices */
struct control_acts *control_acts_new(struct control *c);
void control_acts_free(struct control_acts **a);
void control_act(const struct control_request *r);

/* Nobody waits for the answers to this client's requests any more: what is under way is given up. */
void control_acts_forget(struct control_acts *a, const struct client *client);

#endif
