/*
 * sendmail_input: reads a message from standard input: line ends made LF, the end
 * found (end of file, or a lone dot), the header completed, all of it put
 * where sendmail_content keeps it.
 */
#ifndef QUEUE_SENDMAIL_INPUT_H
#define QUEUE_SENDMAIL_INPUT_H

#include <stdbool.h>

#include "common/buf.h"
#include "queue/sendmail_content.h"
#include "queue/sendmail_header.h"

/* Seconds without an octet after which the writer is given up. */
#define SENDMAIL_INPUT_TIMEOUT 3600

/*
 * Reads fd (borrowed). dots: a line of a lone dot ends the message. Returns 0 or an exit status (sysexits.h)
 * with a line in *why: EX_IOERR (cannot be read, or silent too long), EX_DATAERR (the header is too
 * large), EX_UNAVAILABLE (the message is), EX_TEMPFAIL (no room in the temporary directory).
 */
int sendmail_input_read(int fd, bool dots, const struct sendmail_header_job *job,
    struct sendmail_content *c, struct buf *why);

#endif
