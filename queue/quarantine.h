/*
 * quarantine: what cannot be read is set aside in spool/corrupt/ with a .reason
 * file beside it, and reported; everything else goes on.
 */
#ifndef QUEUE_QUARANTINE_H
#define QUEUE_QUARANTINE_H

/*
 * Moves the file into the quarantine directory (numbered if the name is taken), writes NAME.reason, logs both. -1: it
 * is where it was, which is logged.
 */
int quarantine_move(int dirfd, const char *name, int corruptfd, const char *reason);

/*
 * As quarantine_move, with a hard copy of the contents: the file stays. What cannot be read of it is zeros in the
 * copy. If the same octets are there already that is enough. On failure no part of a copy is left.
 */
int quarantine_copy(int dirfd, const char *name, int corruptfd, const char *reason);

#endif
