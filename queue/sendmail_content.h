/*
 * sendmail_content: a message's content on its way from standard input to the
 * daemon: in memory while it is small, in an unlinked temporary file when it is
 * not, so that memory stays bounded whatever a program pipes in. LF line ends.
 */
#ifndef QUEUE_SENDMAIL_CONTENT_H
#define QUEUE_SENDMAIL_CONTENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/span.h"

struct sendmail_content {
	struct buf memory; /* what is not yet in the file */
	int fd;		   /* -1: all of it is in memory */
	uint64_t size;
	uint64_t lines; /* line ends in it: what CRLF adds on the wire */
	uint64_t max;	/* size never exceeds this */
	bool eight_bit; /* an octet above 127 was seen */
};

void sendmail_content_init(struct sendmail_content *c, uint64_t max);
void sendmail_content_release(struct sendmail_content *c);

/*
 * Appends. -1 and errno: EMSGSIZE if it would exceed max, else what the temporary file's
 * file system said ($TMPDIR, or /tmp).
 */
int sendmail_content_add(struct sendmail_content *c, struct span s);

/* Copies up to n octets from offset at; 0 at the end, -1 and errno. */
ssize_t sendmail_content_read(
    const struct sendmail_content *c, uint64_t at, void *out, size_t n);

/* Is its header in UTF-8, and not in ASCII alone? No more of it than MESSAGE_INLINE_MAX octets are looked at. */
bool sendmail_content_is_utf8(const struct sendmail_content *c);

#endif
