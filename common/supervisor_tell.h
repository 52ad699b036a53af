/*
 * supervisor_tell: the messages of doc/IPC.md, "postriderd to its children": settings, listener
 * and unlisten, as supervisor sends them. A process that is not running hears nothing.
 */
#ifndef COMMON_SUPERVISOR_TELL_H
#define COMMON_SUPERVISOR_TELL_H

#include <stdbool.h>

#include "common/child.h"
#include "common/listeners.h"
#include "common/supervisor.h"
#include "common/supervisor_setup.h"

/* The settings of this plan, which it has to answer; the configuration's own are added by o. */
void supervisor_tell_settings(struct child *c, const struct supervisor_options *o,
    const struct supervisor_plan *p, const struct supervisor_setup *u);

/* A listening socket to serve, or to serve no more, if it is this process that serves it. */
void supervisor_tell_listener(struct child *c, const struct listener *l, bool added);

/* All of them; l may be NULL. */
void supervisor_tell_all_listeners(struct child *c, const struct listeners *l);

#endif
