/*
 * sendmail_drop: leaves a message in spool/drop/ for the queue manager to take in
 * when nobody answers at the submit socket. The directory belongs to the queue manager's
 * user, mode 3733: anybody may make a file in it and rename his own, nobody may list it, and the
 * group comes from the directory, so that the queue manager can read what it does not own.
 */
#ifndef QUEUE_SENDMAIL_DROP_H
#define QUEUE_SENDMAIL_DROP_H

#include "common/buf.h"
#include "queue/sendmail_content.h"
#include "queue/sendmail_envelope.h"

/*
 * Writes a file (queue/drop_file.h), or as many as it takes, for the recipients that are DEFERRED; those in it become SENT.
 * 0 when all are on disk under their names. Else EX_TEMPFAIL with a line in *why, and the recipients still DEFERRED
 * are in no file.
 */
int sendmail_drop(const char *dir, struct sendmail_envelope *e,
    const struct sendmail_content *c, struct buf *why);

#endif
