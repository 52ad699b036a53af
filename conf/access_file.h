/*
 * access_file: the access table in force: the file that the key `access` names, read
 * when it changed. A file that does not parse leaves its previous version in force, and
 * the log says what is wrong, once for each version.
 */
#ifndef CONF_ACCESS_FILE_H
#define CONF_ACCESS_FILE_H

#include <stdint.h>

#include "conf/access_table.h"

struct access_file;

/* path is absolute. The file may belong to root or to owner. Reads it. */
struct access_file *access_file_new(const char *path, uid_t owner);
void access_file_free(struct access_file **f);

const char *access_file_path(const struct access_file *f);

/* Looks whether it changed, if the last look is ACCESS_FILE_LOOK_MS ago (monotonic milliseconds). */
#define ACCESS_FILE_LOOK_MS 200
void access_file_refresh(struct access_file *f, uint64_t now_ms);

/* The table, or NULL: it never could be read. Lives until the next access_file_refresh. */
const struct access_table *access_file_table(const struct access_file *f);

/* Reads a table once, for a check: NULL with all errors said. */
struct access_table *access_file_load(
    const char *path, uid_t owner, struct config_errors *errors);

#endif
