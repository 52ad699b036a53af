/*
 * cmd_list: a list that a command prints when it has all of it: for people a table (queue/cmd_table), for programs
 * an object whose one member is an array of objects. A list that may be longer than memory should be is printed as
 * it comes instead, by cmd_json_array_begin and what follows it (queue/cmd_json.h).
 */
#ifndef QUEUE_CMD_LIST_H
#define QUEUE_CMD_LIST_H

#include <stdbool.h>

#include "queue/cmd_json.h"
#include "queue/cmd_table.h"

struct cmd_list {
	struct cmd_table
	    *table;   /* for people: whoever adds an element adds its row; else NULL */
	json_t *json; /* for programs: the elements so far; else NULL */
	const char *name;
};

/* An empty one: json, with name for the member (borrowed), or a table with titles, as for cmd_table_new. */
void cmd_list_init(struct cmd_list *l, bool json, const char *name, const char *titles);
void cmd_list_release(struct cmd_list *l);

/* The next element, an empty object of the list's own. Only of one that is JSON. */
json_t *cmd_list_add(struct cmd_list *l);

/* Prints it to standard output: a table only if it has a row. 0, or EX_IOERR. */
int cmd_list_print(const struct cmd_list *l);

#endif
