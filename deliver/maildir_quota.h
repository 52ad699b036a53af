/*
 * maildir_quota: is there room in a mailbox, and what was put there: the file maildirsize of
 * Maildir++ (conf/maildirsize.h), which IMAP servers keep as well. Called by maildir.c
 * for each mailbox of a batch, with the rights of the mailbox owner.
 *
 * With a limit the file is made where there is none, and counted afresh when it is
 * malformed, too long, for another limit, or says "full" and is stale or was written by more than one.
 * Without one it is only added to, where somebody else keeps it. It is no record of anything that was
 * promised, so nothing is flushed, and a crash costs at most a line.
 */
#ifndef DELIVER_MAILDIR_QUOTA_H
#define DELIVER_MAILDIR_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "common/verdict.h"
#include "deliver/mailbox_dirs.h"

struct maildir_quota {
	uint64_t limit;		   /* octets, 0: none */
	bool refuses;		   /* a full mailbox refuses for good; else its mail waits */
	bool looked;		   /* what is used is known */
	uint64_t used;		   /* with what was admitted since */
	uint64_t octets, messages; /* delivered, to be written down */
};

/*
 * Is there room for size octets in the mailbox d? Then they count as used. 0, or -1 and *v: 452 4.2.2 or, if
 * it refuses, 552 5.2.2.
 */
int maildir_quota_admit(struct maildir_quota *q, const struct mailbox_dirs *d, uint64_t size,
    const char *address, struct verdict *v);

/* A message of size octets has been delivered. */
void maildir_quota_add(struct maildir_quota *q, uint64_t size);

/* Writes down what has been delivered. */
void maildir_quota_save(struct maildir_quota *q, const struct mailbox_dirs *d);

#endif
