/*
 * spawner: the process that makes local's children. It is started once, by
 * executing local afresh, and never sees mail: so a child, which is a fork of it,
 * begins without a single octet of anybody's message in its memory. It holds
 * root and reads nothing but the few words below from its parent.
 *
 *	spawn SERIAL UID GID DIRECTORY	one descriptor: the child's end of its channel
 *	kill SERIAL
 */
#ifndef DELIVER_SPAWNER_H
#define DELIVER_SPAWNER_H

#include <stdint.h>
#include <sys/types.h>

#include "common/log.h"
#include "common/syscall_filter.h"

/*
 * Starts it; filter is for its children, which enter theirs on top of ours. Returns the socket to it (close-on-exec; end of file when it is
 * gone), or -1 with errno.
 */
int spawner_start(enum log_level level, enum syscall_filter_mode filter);

/*
 * Asks for a child that becomes uid and gid, touches nothing outside of directory (absolute) and serves fd (closed
 * here). 0, or -1 if the spawner is gone.
 */
int spawner_spawn(
    int spawner, uint64_t serial, uid_t uid, gid_t gid, const char *directory, int fd);

/* Kills that child, if it still runs. */
void spawner_kill(int spawner, uint64_t serial);

/* What local_main does when it was started as a spawner. argv is overwritten in the children, for ps(1). */
int spawner_main(int argc, char **argv);

/* The word that makes it one: argv[1]. */
#define SPAWNER_WORD "spawner"

#endif
