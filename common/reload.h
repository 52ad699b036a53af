/*
 * reload: a new configuration on its way to all processes. Those who are asked hear of it before those
 * who ask them: the stages in which they stop (process_table), from the last to the first, so what smtpd asks for once
 * it has new settings is answered by them. It is over when all have said that they work by it. Owned by supervisor,
 * which says what a process is told.
 */
#ifndef COMMON_RELOAD_H
#define COMMON_RELOAD_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/child.h"

/*
 * A stage that has not taken it by then is not waited for any more: longer than smtpd waits for a certificate; four of
 * them are less than `postrider reload` waits.
 */
#define RELOAD_STAGE_MS 7000

struct reload;

struct reload_ops {
	/* Tell it the new settings (child_send_settings). */
	void (*tell)(struct child *c, void *arg);
	/* All but the last stage have taken it: what is to be said before that is told. */
	void (*before_last)(void *arg);
	/* The last stage has been told, too. */
	void (*all_told)(void *arg);
	/* It is over. complete: in all processes; else the log names those that it does not hold for. */
	void (*done)(bool complete, void *arg);
};

/* ops must outlive it. */
struct reload *reload_new(struct event_base *base, const struct reload_ops *ops, void *arg);

/* Forgets one that is under way; clears *r; NULL is fine. */
void reload_free(struct reload **r);

/* Begins; none is under way. children are borrowed for as long as it lasts. May call all of ops. */
void reload_begin(struct reload *r, struct child *const *children, size_t n);

/* A process has said that it works by its settings, or has ended (it starts with the new ones). */
void reload_go_on(struct reload *r);

bool reload_is_under_way(const struct reload *r);

/* Gives it up: done is not called. */
void reload_stop(struct reload *r);

#endif
