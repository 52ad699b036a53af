/*
 * trace: the steps of a decision in words, for `postrider explain`. Everything
 * that decides takes one, which may be NULL: then nothing is written down and
 * nothing is spent on it.
 *
 * A step says what was looked at ("relay-from"), where that stands (a file and line, or the file
 * whose key it is), and what was found. What is found to say nothing is a step, too.
 */
#ifndef CONF_TRACE_H
#define CONF_TRACE_H

#include <stddef.h>

/* Steps kept; a decision that takes more is told to have been cut. */
#define TRACE_MAX 500

struct trace_step {
	const char *
	    stage; /* of the session: "connect", "helo", "auth", "mail", "rcpt", "data"; or "targets" */
	const char *what; /* static, "" where the outcome says it all */
	char *where;	  /* "" nowhere in particular, "path" or "path:line" */
	char *outcome;
};

struct trace {
	struct trace_step *v;
	size_t n;
	const char *stage; /* of the steps to come */
};

void trace_init(struct trace *t);
void trace_release(struct trace *t);

/* The steps from now on belong to this stage, a static word; t may be NULL. */
void trace_set_stage(struct trace *t, const char *stage);

/* Adds a step that stands in no file; t may be NULL. */
void trace_add(struct trace *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Where something stands. */
struct trace_place {
	const char *directory; /* NULL: file says it all */
	const char *file;      /* NULL: nowhere */
	unsigned line;	       /* 0: its key of that name, or the whole of it */
};

/* Adds a step: what (a static word or two) was looked at, in that place. */
void trace_look(struct trace *t, const char *what, struct trace_place place, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));

#endif
