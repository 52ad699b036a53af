/*
 * bounce_template: a text with names in braces, `{date}`, that are replaced by their values.
 * What stands in braces and is no name known stays as it is. Pure. Used for the text of
 * reports; postrider-domain(5) describes it to those who write one.
 */
#ifndef QUEUE_BOUNCE_TEMPLATE_H
#define QUEUE_BOUNCE_TEMPLATE_H

#include "common/buf.h"
#include "common/span.h"

/* Appends the value of the name: 0; 1 if there is no such name, with nothing added; -1 if out is full. */
typedef int bounce_value_fn(struct span name, struct buf *out, void *arg);

/* Appends the text with its names replaced. -1 if out is full. */
int bounce_template_expand(
    struct span text, bounce_value_fn *value, void *arg, struct buf *out);

/* Takes a first line `Subject: ...` off *text, with the empty line behind it, and returns what it says; empty if there is none. */
struct span bounce_template_subject(struct span *text);

#endif
