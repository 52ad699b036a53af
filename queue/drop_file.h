/*
 * drop_file: the form of a file in spool/drop/, which sendmail(1) leaves there
 * while nobody answers at the submit socket and the queue manager takes in.
 *
 *	drop 1				the version, as the id of a wire message
 *	from=alice@domain1.com		empty for <>
 *	rcpt=bob@domain2.com		one line for each recipient, at least one
 *	size=1234			octets of content
 *	body=8bit			or 7bit
 *	(utf8=yes, envid=, ret=, notify=	only where they say something)
 *					an empty line
 *	...				content, LF line ends, to the end of the file
 *
 * Values are escaped as in common/wire.h, so the first empty line ends the head
 * whatever a value holds. Whoever may create files in drop/ writes this: it is
 * checked as a stranger's, and only the file's owner (fstat) says who submits.
 * Pure, but for the names it makes up; the files themselves are written by sendmail_drop.h.
 */
#ifndef QUEUE_DROP_FILE_H
#define QUEUE_DROP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/span.h"

/* Octets of a head with its empty line: a file without an empty line within these is malformed. */
#define DROP_HEAD_MAX (256U << 10)

/*
 * Recipients of one file: what every SMTP server takes in one transaction (RFC 5321 4.5.3.1.8), so that a
 * file is submitted whole or not at all. For more recipients there are more files.
 */
#define DROP_RECIPIENTS_MAX 100

/* Names: a file is written as `tmp.<24 hex digits>` and whole when it is renamed to `<24 hex digits>.msg`. */
#define DROP_RANDOM_SIZE 24
#define DROP_NAME_SIZE	 (DROP_RANDOM_SIZE + 5)

struct drop_file {
	struct span from;	 /* canonical (common/address.h); empty for <> */
	struct span *recipients; /* canonical */
	size_t nrecipients;
	uint64_t size;	/* octets of content */
	bool eight_bit; /* content has octets above 127 */
	bool utf8;	/* an address or the header needs SMTPUTF8 */
	struct span envid, ret,
	    notify;  /* RFC 3461 as given on the command line, empty if not */
	char *arena; /* owned by a parsed one: what the spans point into */
};

enum drop_result {
	DROP_OK,
	DROP_SHORT, /* no empty line yet: give more of the file's beginning, up to DROP_HEAD_MAX */
	DROP_BAD,
};

/*
 * Parses the beginning of a file (copied). On DROP_OK *head_size is where the
 * content begins and the caller calls drop_file_release; on DROP_BAD *why is a static text. Addresses have passed
 * address_parse, in its canonical form. Whether content really has d->size octets is for the caller to see.
 */
enum drop_result drop_file_parse(
    struct span head, struct drop_file *d, size_t *head_size, const char **why);

/* Frees what drop_file_parse allocated. */
void drop_file_release(struct drop_file *d);

/* Appends the head with its empty line. -1 if out is full. The spans are borrowed. */
int drop_file_format(const struct drop_file *d, struct buf *out);

/* The two names of a file: as it is written, and when it is whole. */
struct drop_file_names {
	char unfinished[DROP_NAME_SIZE], whole[DROP_NAME_SIZE];
};

/* Makes two that nobody can guess. -1 with errno. */
int drop_file_names(struct drop_file_names *n);

/* Is it the name of a whole file? The queue manager takes in no other. */
bool drop_file_name_valid(struct span name);

/* Is it the name of a file still being written, or left by a writer that died? */
bool drop_file_name_unfinished(struct span name);

#endif
