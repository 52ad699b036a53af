/*
 * log_sink: where lines of the log go, file descriptor 2, and how: never waiting
 * for a reader, at most PIPE_BUF octets in one write (so lines of several processes
 * never mix in a pipe), those of one turn of an event loop together. Used by log,
 * which holds its lock around every call.
 */
#ifndef COMMON_LOG_SINK_H
#define COMMON_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>

struct event_base;

/* Looks at what descriptor 2 is. name, kept, says that lines were dropped. */
void log_sink_init(const char *name);

/* See log_never_block. */
void log_sink_never_block(void);

/* See log_gather. NULL: no more. */
void log_sink_gather(struct event_base *base);

/*
 * Writes the line, which ends in a line feed, now or at the end of the turn (if it may wait, and is from the
 * thread of the loop).
 */
void log_sink_line(const char *line, size_t n, bool may_wait);

/* Writes what was gathered. */
void log_sink_flush(void);

/* In a child after a fork: the lines are its parent's, which has flushed them; the loop is not its own. */
void log_sink_forget(void);

#endif
