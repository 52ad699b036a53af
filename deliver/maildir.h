/*
 * maildir: puts messages into Maildirs, several at once, and reports each only
 * when it would survive a power cut: the file's octets and inode are flushed
 * before it is renamed into new/, and new/ is flushed before the verdict.
 *
 * A file's name is made from the message and its recipient alone, so that a
 * delivery repeated after a crash finds the copy of the first.
 *
 *	state after a crash		the next attempt
 *	nothing, or a piece in tmp/	the piece is removed, written afresh
 *	whole in tmp/			as above
 *	in new/ or cur/			found by its name, new/ or cur/ flushed, no second copy
 *
 * Runs as the mailbox owner. Directories come from openat2 beneath the domain's
 * directory, without symbolic links; files from O_EXCL and O_NOFOLLOW.
 */
#ifndef DELIVER_MAILDIR_H
#define DELIVER_MAILDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"
#include "common/verdict.h"
#include "deliver/volume.h"

/* At most so many in one call of maildir_deliver. */
#define MAILDIR_BATCH_MAX 64

struct maildir_item {
	/* where: strings of the caller */
	const char *directory; /* the domain's, absolute */
	const char *home;      /* relative to it */
	const char *maildir;   /* relative to home */
	uint64_t quota;	       /* octets, 0: none; of all items of a mailbox the same */
	bool over_quota_refuses;
	/* what */
	const char *message; /* id for people, letters and digits */
	uint64_t entry;	     /* recipient's number within it */
	int64_t received;    /* seconds since 1970 */
	const char *host;    /* this machine's name */
	const char *from;    /* reverse-path for Return-Path: */
	const char *address; /* for Delivered-To: */
	struct span content; /* LF line ends; with p NULL it is in the file */
	int fd;		     /* read-only file, content at offset, size octets; else -1 */
	uint64_t offset, size;
	bool again; /* an earlier attempt may have left a copy anywhere */

	struct verdict verdict; /* the answer */
};

/*
 * Delivers all of them (n at most MAILDIR_BATCH_MAX) and sets each verdict; memory is
 * the caller's, kept from batch to batch: ok
 * 2.0.0, temporary (4.3.1 no space, 4.2.2 no room in the mailbox or over the disk quota, 4.3.0 anything else, with the path and
 * what to try), or permanent: 5.4.6 for mail that loops,
 * 5.2.2 for a full mailbox where that refuses.
 */
void maildir_deliver(struct volume_memory *memory, struct maildir_item *items, size_t n);

/* Longest name made by maildir_name, with its NUL. */
#define MAILDIR_NAME_SIZE 256

/*
 * The file's name, `<received>.Q<message>R<entry>.<host>,S=<size>`; size is that of the whole file.
 * Returns the length of the part up to the host, by which a copy is recognised.
 */
size_t maildir_name(
    const struct maildir_item *m, uint64_t file_size, char out[MAILDIR_NAME_SIZE]);

#endif
