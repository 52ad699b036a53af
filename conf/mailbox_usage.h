/*
 * mailbox_usage: how full a mailbox is, as far as can be told from outside. Asked
 * by the directory process for RCPT, and by `postrider user`. What is read belongs to the mailbox's
 * owner: no link is followed, nothing is waited for, and little is read.
 *
 * The file maildirsize says it, where it is there, and where one that says "full" is fresh. Else names in its
 * directories are looked at, MAILBOX_USAGE_NAMES at most: what those of messages add up to is in use at least.
 * Who delivers counts exactly (deliver/maildir_quota.h).
 */
#ifndef CONF_MAILBOX_USAGE_H
#define CONF_MAILBOX_USAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"

#define MAILBOX_USAGE_NAMES 4096

struct mailbox_usage {
	uint64_t octets, messages;
	bool at_least; /* some were not counted */
	bool counted;  /* by names, and not from maildirsize */
};

/*
 * The mailbox directory/home/maildir; the latter two relative paths. need: octets that matter, more need not be counted; a
 * maildirsize that says less is believed. now: seconds since 1970. A mailbox that cannot be looked at has
 * at least 0.
 */
void mailbox_usage_read(const char *directory, struct span home, const char *maildir,
    uint64_t need, int64_t now, struct mailbox_usage *u);

#endif
