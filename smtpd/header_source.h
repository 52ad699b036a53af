/*
 * header_source: the header checks in force, as this worker has them. The directory says with each MAIL
 * which version is in force; another one than is in hand is asked for at once, on the same connection, so that it is here when
 * the first RCPT is answered: an edit counts for the next message.
 */
#ifndef SMTPD_HEADER_SOURCE_H
#define SMTPD_HEADER_SOURCE_H

#include <stdbool.h>

#include "common/peer.h"
#include "conf/header_check.h"

struct header_source;

/* Asks peer, which is borrowed and may be NULL: nothing is asked then. */
struct header_source *header_source_new(struct peer *peer);
void header_source_free(struct header_source **h); /* NULL is fine */

/* Does the configuration name files of header checks? */
void header_source_configure(struct header_source *h, bool wanted);

/* The directory says that this version is in force. */
void header_source_announce(struct header_source *h, struct span version);

/* These are in force now; takes the reference. version is copied. */
void header_source_put(struct header_source *h, struct header_set *set, struct span version);

/* False: mail is to be checked and the rules are not here. h may be NULL: nothing is to be checked. */
bool header_source_is_ready(const struct header_source *h);

/* The directory has other rules than these, and was asked for them. h may be NULL: nothing is to be checked. */
bool header_source_is_asking(const struct header_source *h);

/* The rules, borrowed; NULL: there are none, or h is NULL. */
struct header_set *header_source_set(const struct header_source *h);

#endif
