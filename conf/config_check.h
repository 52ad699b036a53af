/*
 * config_check: what must be true of a configuration beyond the form of its
 * values: what it names is there and cannot be written by strangers, nothing in
 * it contradicts the rest, and this release can do what it asks for. Called by
 * config_load.c and by nobody else.
 */
#ifndef CONF_CONFIG_CHECK_H
#define CONF_CONFIG_CHECK_H

#include <stddef.h>

#include "conf/config.h"
#include "conf/config_errors.h"
#include "conf/config_parse.h"

/* Adds a complaint for everything that is wrong. Sorts relay_domains (and the lines with it). */
void config_check(struct config *c, struct config_lines *lines, struct config_errors *errors);

/* Of this only the check of the directory of all domains. */
void config_check_domains(
    struct config *c, struct config_lines *lines, struct config_errors *errors);

/*
 * The user a process runs as: a name or a number as written in users { }. 0, or -1 if there is no
 * such user. A number needs no account; its group is then the same number.
 */
int config_user_find(const char *user, uid_t *uid, gid_t *gid);

#endif
