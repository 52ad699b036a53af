/*
 * spool_tree: the directories below the spool, made by postriderd with owners
 * and modes of doc/IPC.md and doc/SPOOL.md, and the lock that keeps a second
 * instance away. What it finds it checks; what is wrong it refuses, except
 * modes, which it sets.
 */
#ifndef COMMON_SPOOL_TREE_H
#define COMMON_SPOOL_TREE_H

#include "common/process_table.h"

/*
 * Is this a place for a spool? As root every parent must be root's (trusted_path.h); the spool itself
 * must be ours and not writable by others. Creates it if it is missing (mode 0755). 0, or -1: said in the log.
 */
int spool_tree_check(const char *spool);

/*
 * Takes the lock spool/lock, waiting up to wait_ms for a predecessor that is just ending. Returns a
 * descriptor (close-on-exec) that holds it: the lock is free when the last copy of the descriptor is
 * closed, so children that hold one keep a new instance away until they are really gone.
 * -1: another instance has it; -2: it cannot be made. Both are said in the log.
 */
int spool_tree_lock(const char *spool, unsigned wait_ms);

/*
 * Makes the directories of the queue and of the sockets; ids as in process_table.h. 0, or -1: said in the log.
 */
int spool_tree_make(const char *spool, const struct process_ids *ids);

#endif
