/*
 * salvage: getting mail out of segment files that were set aside in corrupt/, for an administrator: every message that
 * is whole becomes a file of its own, with its envelope beside it. Reads the spool, changes nothing in it.
 */
#ifndef QUEUE_SALVAGE_H
#define QUEUE_SALVAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"

/* A message that was found; name: its file, without ".eml". The spans are valid during the call. */
struct salvage_message {
	uint64_t number;
	const char *name;
	struct span from;
	uint64_t size;
	uint32_t recipients;
	bool there; /* a file of this name was there already, and was left */
};

typedef void salvage_fn(const struct salvage_message *m, void *arg);

struct salvage_result {
	unsigned written, there;
	unsigned damaged; /* records that are not whole, unreadable pages */
};

/*
 * Writes each intact message of the newest life of the segment file `name` beneath dirfd to outfd: ID.eml (LF line ends) and
 * ID.envelope, mode 0600. 0; or -1 with errno: EINVAL if it is not a segment (a journal file, say), else what
 * could not be read or written.
 */
int salvage_file(int dirfd, const char *name, int outfd, salvage_fn *fn, void *arg,
    struct salvage_result *result);

#endif
