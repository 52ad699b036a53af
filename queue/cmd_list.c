/* cmd_list: a table, or JSON. See cmd_list.h. Called by the commands of postrider(8) that list something. */
#include "queue/cmd_list.h"

#include <stdio.h>

void
cmd_list_init(struct cmd_list *l, bool json, const char *name, const char *titles)
{
	*l = (struct cmd_list){.name = name};
	if (json)
		l->json = json_array();
	else
		l->table = cmd_table_new(titles);
}

void
cmd_list_release(struct cmd_list *l)
{
	cmd_table_free(&l->table);
	json_decref(l->json);
	l->json = NULL;
}

json_t *
cmd_list_add(struct cmd_list *l)
{
	json_t *one = json_object();

	json_array_append_new(l->json, one);
	return one;
}

int
cmd_list_print(const struct cmd_list *l)
{
	json_t *json;

	if (l->table != NULL) {
		cmd_table_print(l->table, stdout);
		return 0;
	}
	json = json_object();
	json_object_set(json, l->name, l->json);
	return cmd_json_print(json);
}
