/*
 * trace: the steps of a decision in words, for `postrider explain`. Everything
 * that decides takes one, which may be NULL: then nothing is written down and
 * nothing is spent on it.
 */
#ifndef CONF_TRACE_H
#define CONF_TRACE_H

#include <stddef.h>

/* Steps kept; a decision that takes more is told to have been cut. */
#define TRACE_MAX 500

struct trace {
	char **v; /* one line each */
	size_t n;
};

void trace_init(struct trace *t);
void trace_release(struct trace *t);

/* Adds a step; t may be NULL. */
void trace_add(struct trace *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
