/*
 * cmd_json: what the commands of postrider(8) print for programs: values, which hold what is no UTF-8 in a
 * form that is, and objects with an array that may be longer than memory should be.
 */
#ifndef QUEUE_CMD_JSON_H
#define QUEUE_CMD_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"

/* A string (unprintable octets as \xNN if it is not UTF-8); null for an empty one; null for NULL. */
json_t *cmd_json_string(struct span s);
json_t *cmd_json_unless_empty(struct span s);
json_t *cmd_json_text(const char *s);

/* At most INT64_MAX. */
json_t *cmd_json_number(uint64_t n);

/* Sets a member of an object to a string. */
void cmd_json_set(json_t *object, const char *name, struct span value);

/* Prints json and drops the reference to it. Returns 0, or EX_IOERR. */
int cmd_json_print(json_t *json);

/*
 * A JSON object on standard output whose first member is an array that may be long: cmd_json_array_begin, then each
 * element on a line of its own, then the other members. Elements and members are dropped references.
 */
void cmd_json_array_begin(const char *name);
void cmd_json_array_add(json_t *element, bool first);
void cmd_json_array_end(void);
void cmd_json_array_member(const char *name, json_t *value); /* after cmd_json_array_end */
int cmd_json_array_finish(void);			     /* 0, or EX_IOERR */

#endif
