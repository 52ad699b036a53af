/*
 * sandbox: a process gives up, for good, every right its row in the process
 * table does not grant: user, groups, root directory, capabilities (bounding set
 * included), new privileges by exec, core files, being traced. Called by the
 * process frame, by postriderd for itself, and by local's children.
 *
 * Invariant: it returns only if the kernel confirms that the rights are gone;
 * anything else ends the process before it has read a single octet of a stranger.
 */
#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The bit of one capability of capabilities(7) in a set. */
#define SANDBOX_CAP(c) (UINT64_C(1) << (c))

struct sandbox {
	uid_t uid; /* who it becomes; uid 0 stays root with no more than keep */
	gid_t gid;
	const char *root;      /* absolute; NULL or "/": no other root directory */
	uint64_t keep;	       /* capabilities that remain, permitted and effective */
	uint64_t bounding;     /* what programs executed from here may still win */
	bool many_descriptors; /* raise the soft limit of descriptors to the hard one */
};

/* May this process change users (root with CAP_SETUID)? If not, users and root directories stay as they are. */
bool sandbox_is_root(void);

/* As root: ends the process (fatal) naming a capability of keep that is missing; a container may have taken it. */
void sandbox_require(uint64_t keep);

/*
 * Enters. As root: all of it. Otherwise user, root directory and capabilities
 * stay, and everything else is done. Ends the process (fatal) if a step fails
 * or if the kernel still grants what should be gone. Sets umask 077 and
 * changes to "/".
 */
void sandbox_enter(const struct sandbox *s);

#endif
