/*
 * owner_child: a process that is one mailbox owner and nobody else, for good. It
 * takes jobs from local over its socketpair, several at once, writes them into
 * Maildirs of one domain, and answers when they are durable (deliver/maildir.h).
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

/* The groups of system calls that a child may make. */
#define OWNER_CHILD_CALLS                                                                      \
	(SYSCALLS_BASIC | SYSCALLS_MESSAGES | SYSCALLS_READ_FILES | SYSCALLS_WRITE_FILES |     \
	    SYSCALLS_DELIVER)

/* May a child of root run as this owner? Never as root's user or group, nor as the "no id" of the system calls. */
bool owner_child_allowed(uid_t uid, gid_t gid);

/* What a child may. */
struct owner_child_rights {
	uid_t uid;
	gid_t gid;
	const char *directory; /* absolute: the domain's, outside of which it touches nothing */
	enum syscall_filter_mode filter;
};

/*
 * Gives up every right but these, for good: the user (only if it runs as root; refuses uid and gid 0 then), files
 * elsewhere (common/landlock.h; where the kernel has none, the user's rights alone decide), system calls.
 * Ends the process (fatal) if that cannot be.
 */
void owner_child_confine(const struct owner_child_rights *rights);

/* Confines itself, serves fd until its end, and returns the exit status. */
int owner_child_run(int fd, const struct owner_child_rights *rights);

#endif
