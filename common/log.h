/*
 * log: six calls, one line each, to file descriptor 2. The whole line passes
 * one escaper (control octets, DEL, bytes that are not UTF-8, C1, bidi and
 * line separators become \xNN), so nothing a stranger sent can forge a line.
 * A log that cannot be written never blocks mail: lines are dropped, counted,
 * and the count is logged when writing works again. Lines of one turn of a process's
 * loop are written together (log_gather).
 *
 * A line about mail carries its subject as a field: session=…, id=….
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>

#include "common/span.h"

struct event_base;

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARN,
	LOG_LEVEL_FATAL,
};

/* Name of the program in each line; the level below which lines are not written. */
void log_init(const char *program, enum log_level level);
void log_set_level(enum log_level level);

/*
 * From now on a pipe or terminal at descriptor 2 that nobody reads makes lines be dropped, not us wait, and so for all
 * that inherit it. For daemons; a socket never makes us wait.
 */
void log_never_block(void);

/*
 * From now on lines below a warning are written at the end of a turn of this loop, together; a warning writes those
 * before it and itself at once. Called in the thread of the loop; lines of other threads do not wait. While the level is
 * debug nothing waits: whoever looks for a crash has every line. NULL before the loop is freed: none wait any more.
 */
void log_gather(struct event_base *base);
void log_flush(void);

bool log_enabled(enum log_level level);

/* "debug", "info", "warn" to level; -1 if it is none of these. */
int log_level_parse(struct span s, enum log_level *level);

/* warn and fatal append ": " and the text of errno; warnx and fatalx do not. fatal exits with 75 (EX_TEMPFAIL). */
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
noreturn void fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
noreturn void fatalx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#include "common/buf.h"

/* The escaper: appends s to b with everything unprintable as \xNN. -1 if b is full. */
int log_escape(struct buf *b, struct span s);

#endif
