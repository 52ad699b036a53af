/*
 * status_text: what postriderd says on control/status: lines of name=value, first
 * about itself, then about each process. `postrider status` reads it; see doc/IPC.md.
 */
#ifndef COMMON_STATUS_TEXT_H
#define COMMON_STATUS_TEXT_H

#include "common/buf.h"
#include "common/child.h"
#include "common/syscall_filter.h"

enum reload_result {
	RELOAD_NONE,	/* nobody asked yet */
	RELOAD_OK,	/* the new configuration is in force */
	RELOAD_FAILED,	/* it was wrong: the old one stays in force */
	RELOAD_RUNNING, /* it is on its way to the processes */
	RELOAD_PARTLY,	/* in force, but not in all processes: the log names them */
};

struct status_text {
	const char *version;
	const char *state; /* starting, ready, stopping */
	uint64_t uptime_ms;
	uint64_t
	    reloads; /* attempts that were begun: who asked for one waits until this has grown and the last is over */
	enum reload_result reload;
	int64_t reload_time;		 /* seconds since 1970 */
	enum syscall_filter_mode filter; /* that new processes enter */
	const char *next_start;		 /* of struct supervisor_plan; may be NULL */
	struct child *const *children;
	size_t nchildren;
};

/* Appends the lines to b. */
void status_text_format(const struct status_text *s, struct buf *b);

#endif
