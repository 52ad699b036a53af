/*
 * sendmail_submit: hands a message to the daemon: an SMTP client (RFC 5321) over
 * the submit socket, where smtpd knows the submitter by his uid. It knows no
 * queue and no drop/: it says what became of each recipient.
 */
#ifndef QUEUE_SENDMAIL_SUBMIT_H
#define QUEUE_SENDMAIL_SUBMIT_H

#include <stdbool.h>

#include "queue/sendmail_content.h"
#include "queue/sendmail_envelope.h"

/* Seconds: for the backlog and the greeting (smtpd may be restarting), a command's reply, the last reply. */
#define SENDMAIL_GREETING_TIMEOUT 60
#define SENDMAIL_REPLY_TIMEOUT	  300
#define SENDMAIL_DATA_TIMEOUT	  600

/*
 * Submits over the socket at path. Afterwards every recipient is SENT, REFUSED or DEFERRED, the latter two with
 * a verdict. DEFERRED are those about whom nobody could decide: nobody answers, the daemon shuts down, its
 * directory is being restarted. What the daemon has decided, a full spool or an unreadable domain too, is REFUSED. If the connection is lost after the end of the data, they
 * are DEFERRED too: a second copy is possible, a lost message is not.
 */
void sendmail_submit(const char *path, struct sendmail_envelope *e,
    const struct sendmail_content *c, bool verbose);

#endif
