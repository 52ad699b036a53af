/*
 * reply: finds the ends of replies in what a server sends, octet by octet. Used by idle_main.c and
 * tls_main.c, which only want to know whether a reply was good.
 *
 * Invariant: a reply of several lines (RFC 5321 section 4.2.1) ends once, with its last line; a refusal ends with its
 * first, since whoever is refused leaves.
 */
#ifndef TESTS_BENCH_REPLY_H
#define TESTS_BENCH_REPLY_H

#include <stdbool.h>

/* Where in a reply the stream is; zeroed before the first octet. */
struct reply {
	unsigned column; /* in the line being read */
	char class;	 /* the first digit of that line */
	bool more;	 /* it is followed by another ("250-") */
};

/* Takes the next octet; true if it ends a reply, whose class then tells what it was. */
static inline bool
reply_feed(struct reply *r, char octet)
{
	if (r->column == 0)
		r->class = octet;
	if (r->column == 3)
		r->more = octet == '-';
	r->column++;
	if (octet != '\n')
		return false;
	r->column = 0;
	return !r->more || (r->class != '2' && r->class != '3');
}

#endif
