/*
 * spool_secret: spool/secret, octets that nobody knows but postriderd and who is
 * told by it (the directory, with its settings). They outlive restarts, so that what
 * is made from them stays the same: salts of users who do not exist (conf/scram.h).
 */
#ifndef COMMON_SPOOL_SECRET_H
#define COMMON_SPOOL_SECRET_H

#define SPOOL_SECRET_SIZE 32

/*
 * Reads the file, or makes one that is missing, or that is not ours alone or not that long. Where it
 * cannot be kept, which the log says, out is good for this run.
 */
void spool_secret_obtain(const char *spool, unsigned char out[SPOOL_SECRET_SIZE]);

#endif
