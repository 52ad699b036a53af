/* test_cmd_list: a list as a table, and as JSON. */
#include "queue/cmd_list.h"

#include <unistd.h>

#include "tests/unit/testing.h"

/* What cmd_list_print writes, NUL-terminated in out. */
static void
print(const struct cmd_list *l, char *out, size_t size)
{
	FILE *file = tmpfile();
	int before = dup(STDOUT_FILENO);
	size_t n;

	assert_non_null(file);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	assert_int_equal(cmd_list_print(l), 0);
	fflush(stdout);
	dup2(before, STDOUT_FILENO);
	close(before);
	rewind(file);
	n = fread(out, 1, size - 1, file);
	out[n] = '\0';
	fclose(file);
}

static void
is_a_table_for_people(void **state)
{
	struct cmd_list l;
	char got[200];

	(void)state;
	cmd_list_init(&l, false, "things", "NAME|>N");
	assert_null(l.json);
	print(&l, got, sizeof got);
	assert_string_equal(got, "");
	cmd_table_addf(l.table, "one");
	cmd_table_addf(l.table, "%d", 1);
	print(&l, got, sizeof got);
	assert_string_equal(got, "NAME  N\none   1\n");
	cmd_list_release(&l);
	assert_null(l.table);
}

static void
is_an_array_for_programs(void **state)
{
	struct cmd_list l;
	char got[200];

	(void)state;
	cmd_list_init(&l, true, "things", "NAME|>N");
	assert_null(l.table);
	print(&l, got, sizeof got);
	assert_string_equal(got, "{\n  \"things\": []\n}\n");
	cmd_json_set(cmd_list_add(&l), "name", span_str("one"));
	json_object_set_new(cmd_list_add(&l), "n", cmd_json_number(2));
	print(&l, got, sizeof got);
	assert_string_equal(got, "{\n  \"things\": [\n    {\n      \"name\": \"one\"\n    },\n"
				 "    {\n      \"n\": 2\n    }\n  ]\n}\n");
	cmd_list_release(&l);
	assert_null(l.json);
	cmd_list_release(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_a_table_for_people),
	    cmocka_unit_test(is_an_array_for_programs),
	};

	return cmocka_run_group_tests_name("cmd_list", tests, NULL, NULL);
}
