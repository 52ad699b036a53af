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
 * Writes a file (queue/drop_file.h) for the recipients that are DEFERRED; when 0 is returned, it is on disk under its
 * name. Else EX_TEMPFAIL with a line in *why, and there is no file.
 */
int sendmail_drop(const char *dir, const struct sendmail_envelope *e,
    const struct sendmail_content *c, struct buf *why);

#endif
