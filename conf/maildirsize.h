/*
 * maildirsize: the file of that name in a Maildir, in which everybody who puts mail
 * there or takes some away says so (Maildir++): a line with the quota it was
 * counted for, then lines of octets and messages to be added up, negative ones for
 * what was removed. The child of deliver/ that delivers writes it, the directory reads it.
 *
 *	1073741824S
 *	      734003         12
 *	        2210          1
 *
 * Pure: text in, numbers out; mailboxes are the caller's.
 */
#ifndef CONF_MAILDIRSIZE_H
#define CONF_MAILDIRSIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/span.h"

/* A file that has grown beyond is counted afresh (Maildir++). */
#define MAILDIRSIZE_MAX 5120

/* One that says "full" and is older is not believed without looking (Maildir++). Seconds. */
#define MAILDIRSIZE_STALE 900

struct maildirsize {
	uint64_t limit;		   /* octets; 0: none */
	bool foreign;		   /* the first line limits something else as well */
	uint64_t octets, messages; /* sums below 0 are 0 */
	unsigned lines;		   /* behind the first */
};

/* -1 if it is no such file. */
int maildirsize_parse(struct span text, struct maildirsize *m);

/* A whole file: counted for limit, so much and so many. */
void maildirsize_format(struct buf *out, uint64_t limit, uint64_t octets, uint64_t messages);

/* The line that adds so much and so many. */
void maildirsize_format_line(struct buf *out, uint64_t octets, uint64_t messages);

/* The octets that a file's name says it has ("…,S=2210:2,S"). False: it says nothing. */
bool maildirsize_of_name(struct span name, uint64_t *octets);

#endif
