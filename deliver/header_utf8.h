/*
 * header_utf8: does a message need SMTPUTF8 for its header (RFC 6532)? Only one
 * that came with SMTPUTF8 is asked: programs write octets above 127 into headers without a thought.
 */
#ifndef DELIVER_HEADER_UTF8_H
#define DELIVER_HEADER_UTF8_H

#include <stdbool.h>

#include "deliver/job.h"

/* No more of a header than this is searched; a longer one counts as one with UTF-8. */
#define HEADER_UTF8_SCAN_MAX (256U << 10)

/* Is there an octet above 127 in the header of the job's content? One that cannot be read counts as one with. */
bool header_utf8_find(const struct job *j);

#endif
