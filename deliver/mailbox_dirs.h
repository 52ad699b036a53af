/*
 * mailbox_dirs: the directories of one Maildir, opened, and made where they are
 * missing (mode 0700). Nothing below the domain's directory is reached through
 * a symbolic link or "..". Called by maildir.c in the owner's child.
 */
#ifndef DELIVER_MAILBOX_DIRS_H
#define DELIVER_MAILBOX_DIRS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/verdict.h"

#define MAILBOX_DIRS_DIRTY_MAX 8

struct mailbox_dirs {
	int tmp, new, cur; /* open for reading, so that they can be flushed and listed */
	int dirty[MAILBOX_DIRS_DIRTY_MAX]; /* parents of what was made */
	size_t ndirty;
	bool
	    dirty_all; /* one of them cannot be opened: its whole file system is to be flushed */
};

/*
 * Opens the Maildir at directory/home/maildir, making what is missing below
 * directory. 0, or -1 with *v temporary and everything closed.
 */
int mailbox_dirs_open(struct mailbox_dirs *d, const char *directory, const char *home,
    const char *maildir, struct verdict *v);

/* Flushes new/ and the parents of all that was made. 0, or -1 with errno: nothing may be reported then. */
int mailbox_dirs_flush(struct mailbox_dirs *d);

void mailbox_dirs_close(struct mailbox_dirs *d);

/* A temporary verdict out of errno, for what was being done ("cannot write") to path. */
void mailbox_failed(struct verdict *v, int error, const char *what, const char *path);

#endif
