/*
 * sendmail_message: sendmail -bm, its main job: one message from a descriptor to the
 * daemon, or into drop/ for those recipients whom the daemon could not take now.
 */
#ifndef QUEUE_SENDMAIL_MESSAGE_H
#define QUEUE_SENDMAIL_MESSAGE_H

#include "queue/sendmail_options.h"
#include "queue/sendmail_report.h"
#include "queue/sendmail_setup.h"

/* Reads the message from input (borrowed; -1: there is none) and submits it. What went wrong is in the report. */
void sendmail_message_send(const struct sendmail_options *o, const struct sendmail_setup *setup,
    int input, struct sendmail_report *report);

#endif
