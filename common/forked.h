/*
 * forked: what a forked copy of a process does first: the queue manager's children that write checkpoints
 * and long answers from their frozen copy of its memory.
 */
#ifndef COMMON_FORKED_H
#define COMMON_FORKED_H

#include <stddef.h>
#include <sys/types.h>

#define FORKED_KEPT_MAX 8

/*
 * In the child, at once after fork. Closes all descriptors but the first three and the n in kept (at most
 * FORKED_KEPT_MAX, any order, negative ones ignored): locks on segments and on the spool, and listeners, must not live
 * on in it. Signals are as for a new program, it ends with its parent, and gives way to it. Does not return if
 * parent, getpid() before the fork, is gone already.
 */
void forked_begin(pid_t parent, const int *kept, size_t n);

#endif
