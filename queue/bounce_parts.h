/*
 * bounce_parts: the parts of a report, for bounce.c alone. Each appends one part, its
 * MIME header included, without a boundary.
 */
#ifndef QUEUE_BOUNCE_PARTS_H
#define QUEUE_BOUNCE_PARTS_H

#include "queue/bounce.h"

/* What the whole report is about. */
enum bounce_kind {
	BOUNCE_OF_FAILURE, /* of one recipient at least */
	BOUNCE_OF_DELAY,
	BOUNCE_OF_SUCCESS,
};

enum bounce_kind bounce_kind_of(const struct bounce *b, size_t n);

/*
 * The text for people, about the first n recipients. text is the template (empty: ours), without its
 * subject. -1 if out is full: the template made too much of it.
 */
int bounce_text_add(const struct bounce *b, struct span text, size_t n, struct buf *out);

/* "Subject: ...\n": *text begins with one if the template has its own, and is cut behind it. */
int bounce_subject_add(const struct bounce *b, struct span *text, size_t n, struct buf *out);

/* Appends s in quoted-printable (RFC 2045 6.7). -1 if out is full. */
int bounce_quote(struct buf *out, struct span s);

/* message/delivery-status, or global-delivery-status: as many recipients as out takes, and how many these are. -1 if none. */
int bounce_status_add(const struct bounce *b, struct buf *out, size_t *n);

/* What is returned of the message; *eight_bit is set if it is not 7-bit. -1 if out is full. */
int bounce_returned_add(const struct bounce *b, struct buf *out, bool *eight_bit);

/* Content that is a header only, in 7 bits. -1 if out is full. */
int bounce_returned_header(struct span header, bool utf8, struct buf *out);

#endif
