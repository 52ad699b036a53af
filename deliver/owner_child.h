/*
 * owner_child: a process that is one mailbox owner and nobody else, for good. It
 * takes jobs from local over its socketpair, several at once, writes them into
 * Maildirs, and answers when they are durable (deliver/maildir.h).
 *
 * deliver id	message=, from=, received=, host=, size=, again=yes|no, offset= (with a descriptor),
 *		then groups of rcpt= (local's index), entry=, address=, directory=, home=, maildir=
 * answer id	groups of rcpt=, kind=, code=, status=, text=
 */
#ifndef DELIVER_OWNER_CHILD_H
#define DELIVER_OWNER_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/syscall_filter.h"

#define OWNER_CHILD_NAME "local-child"

/* May a child of root run as this owner? Never as root's user or group, nor as the "no id" of the system calls. */
bool owner_child_allowed(uid_t uid, gid_t gid);

/*
 * Gives up every right but the owner's (only if it runs as root; refuses uid and
 * gid 0 then), serves fd until its end, and returns the exit status.
 */
int owner_child_run(int fd, uid_t uid, gid_t gid, enum syscall_filter_mode filter);

#endif
