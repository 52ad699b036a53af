/*
 * header_files: the files of header checks that are in force, as the directory keeps them: read when they
 * changed, and believed only if all of both can be understood; else their previous versions stay in force, and the log says
 * what is wrong, once for each version. smtpd gets their text, with a version that
 * tells one from the next.
 */
#ifndef CONF_HEADER_FILES_H
#define CONF_HEADER_FILES_H

#include <stdint.h>
#include <sys/types.h>

#include "common/wire.h"
#include "conf/config.h"
#include "conf/header_check.h"

struct header_files;

/* A version as text: hexadecimal digits; "none": the files never could be read. */
#define HEADER_VERSION_SIZE 33

/* How often is looked whether a file changed, in milliseconds. */
#define HEADER_FILES_LOOK_MS 200

/* NULL if the configuration names no file. The files may belong to root or to owner. Reads them. */
struct header_files *header_files_new(const struct config *c, uid_t owner);
void header_files_free(struct header_files **f); /* NULL is fine */

/* Looks whether a file changed, if the last look is long enough ago (monotonic milliseconds). */
void header_files_refresh(struct header_files *f, uint64_t now_ms);

/* Lives until the next refresh. */
const char *header_files_version(const struct header_files *f);

/*
 * The answer to `header-rules` (doc/IPC.md): version=, unfinished=, header-file=, header-text=, mime-file=, mime-text=, behind a
 * verdict that is temporary if the files never could be read.
 */
void header_files_answer(const struct header_files *f, struct wire_out *w);

/* That answer as a set of rules. NULL with what is wrong in errors. */
struct header_set *header_files_parse(const struct wire_msg *m, struct config_errors *errors);

/* Reads the files of a configuration once, for a check: NULL with all errors said, or if there are none. */
struct header_set *header_files_load(
    const struct config *c, uid_t owner, struct config_errors *errors);

#endif
