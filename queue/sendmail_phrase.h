/*
 * sendmail_phrase: a person's name as the display name of a mailbox (RFC 5322
 * phrase; RFC 2047 encoded words where it is not ASCII). Pure.
 */
#ifndef QUEUE_SENDMAIL_PHRASE_H
#define QUEUE_SENDMAIL_PHRASE_H

#include "common/buf.h"
#include "common/span.h"

/* Octets of a name; what is longer is not used at all. */
#define SENDMAIL_NAME_MAX 256

/*
 * Appends the phrase. -1 and nothing appended if the name is empty, too long, not UTF-8 or holds control
 * characters: then the mailbox stands without a name.
 */
int sendmail_phrase_format(struct span name, struct buf *out);

#endif
