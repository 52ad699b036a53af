/*
 * trusted_path: can anybody but root put another directory in the place of this
 * one? postriderd asks before it creates or opens anything in the spool as root
 * (a stranger who may rename a parent decides what root writes to).
 */
#ifndef COMMON_TRUSTED_PATH_H
#define COMMON_TRUSTED_PATH_H

#include "common/buf.h"

/*
 * Walks an absolute path from "/", symbolic links included. Every directory on the way, and every
 * link, must be owned by root; no directory may be writable by its group or by others, unless it is
 * sticky (/tmp: entries of root's cannot be renamed there by others). The last name may be missing.
 * 0; -1 with *why (empty before) naming what is wrong and what to do.
 */
int trusted_path_check(const char *path, struct buf *why);

#endif
