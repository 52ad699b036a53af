/*
 * syscall_filter: which calls of the kernel a process may make from now on, as a
 * seccomp filter (libseccomp): the rights of its row in the process table, in
 * groups that a reader can judge. Entered by the process frame after
 * sandbox_enter, by local's spawner and children on top of local's.
 *
 * A call is here because a process makes it, or has a reason to on some day or some machine:
 * tests/integration/allowed_calls.tsv holds the reasons, and a test compares them with what is made.
 *
 * What is in no group ends the process at once (SIGSYS), but for calls that open or
 * look at files by name: libraries try some of their own accord, and hear EACCES.
 */
#ifndef COMMON_SYSCALL_FILTER_H
#define COMMON_SYSCALL_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"

enum syscall_group {
	SYSCALLS_BASIC = 1,	    /* memory, clocks, descriptors in hand, the event loop */
	SYSCALLS_THREADS = 2,	    /* threads of the same process */
	SYSCALLS_MESSAGES = 4,	    /* messages over sockets in hand */
	SYSCALLS_SERVE = 8,	    /* take clients on a socket in hand */
	SYSCALLS_CONNECT = 16,	    /* Unix sockets to connect with */
	SYSCALLS_CLIENTS = 32,	    /* connections of strangers */
	SYSCALLS_APPEND = 64,	    /* write at an offset, flush: descriptors in hand */
	SYSCALLS_READ_FILES = 128,  /* open and list for reading */
	SYSCALLS_DOMAINS = 256,	    /* open beneath a directory, watch */
	SYSCALLS_WRITE_FILES = 512, /* create, rename, remove, flush */
	SYSCALLS_SPOOL =
	    1024, /* allocate, cut, lock; what copies of the queue do to themselves */
	SYSCALLS_DELIVER = 2048, /* into a Maildir: beneath a directory, flush its volume */
	SYSCALLS_NETWORK = 4096, /* make IPv4 and IPv6 sockets */
	SYSCALLS_FORK = 8192,	 /* processes of its own: fork, pipe, wait, kill */
	SYSCALLS_BECOME = 16384, /* change user, give up rights, run its own program again */
};

enum syscall_filter_mode {
	SYSCALL_FILTER_ENFORCE,
	SYSCALL_FILTER_LOG, /* forbidden calls are done, and the kernel's audit log names them */
	SYSCALL_FILTER_OFF,
};

/*
 * From now on this process, its threads and all it will start may make the calls of these
 * groups (a set of enum syscall_group) only. Filters add up: one that was entered before stays. Ends the
 * process (fatal) if the kernel has no seccomp or refuses. Without effect in builds with AddressSanitizer,
 * whose own calls are not ours to list.
 */
void syscall_filter_enter(uint32_t groups, enum syscall_filter_mode mode);

/* May who has these groups make the call (its number here), with whatever arguments? */
bool syscall_filter_mentions(uint32_t groups, int call);

/* "enforce", "log", "off"; and back (-1 if it is none of them). */
const char *syscall_filter_mode_name(enum syscall_filter_mode mode);
int syscall_filter_mode_parse(struct span s, enum syscall_filter_mode *mode);

#endif
