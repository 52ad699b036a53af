/*
 * blocking: what programs that a person waits for (sendmail, postrider) do with
 * descriptors: connect to a Unix socket with a time-out, write all of something. The daemon's
 * processes use channels and peers instead.
 */
#ifndef QUEUE_BLOCKING_H
#define QUEUE_BLOCKING_H

#include "common/span.h"

/*
 * A connected stream socket (close-on-exec) to the Unix socket at path, or -1 and errno. Waiting in the backlog, and each
 * later send, ends with EAGAIN after that many seconds.
 */
int blocking_connect(const char *path, unsigned seconds);

/* Each later receive ends with EAGAIN after that many seconds. */
void blocking_set_receive_timeout(int fd, unsigned seconds);

/* Writes all of it, to a file or a socket. -1 and errno. SIGPIPE must be ignored. */
int blocking_write(int fd, struct span octets);

#endif
