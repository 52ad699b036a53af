/* test_cmd: what the commands of postrider share: options, forms of numbers, tables, JSON strings, status text. */
#include "queue/cmd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include <cmocka.h>

#include "queue/cmd_status_text.h"
#include "queue/cmd_table.h"

#define ARGS_MAX 12

struct parsed {
	struct cmd_context ctx;
	struct cmd_args args;
	const char *from, *client;
	bool all, watching;
	const char *watch;
	struct cmd_values many;
	char store[256], *argv[ARGS_MAX + 1];
};

static int
parse(struct parsed *p, const char *line, int min, int max)
{
	const struct cmd_option options[] = {{.name = "from", .value = &p->from},
	    {.name = "client", .value = &p->client}, {.name = "all", .given = &p->all},
	    {.name = "watch", .value = &p->watch, .given = &p->watching},
	    {.name = "many", .values = &p->many}};
	char *rest = p->store;
	int n = 0;

	*p = (struct parsed){.ctx = {.usage = ""}};
	snprintf(p->store, sizeof p->store, "%s", line);
	while (rest != NULL && *rest != '\0' && n < ARGS_MAX)
		p->argv[n++] = strsep(&rest, " ");
	return cmd_parse(&p->ctx, p->argv, options, 5, min, max, &p->args);
}

static void
takes_options_out_of_arguments(void **state)
{
	struct parsed p;

	(void)state;
	assert_int_equal(parse(&p, "a --from x b --json --client=y --all", 0, -1), CMD_GO_ON);
	assert_int_equal(p.args.n, 2);
	assert_string_equal(p.args.v[0], "a");
	assert_string_equal(p.args.v[1], "b");
	assert_null(p.args.v[2]);
	assert_string_equal(p.from, "x");
	assert_string_equal(p.client, "y");
	assert_true(p.all && p.ctx.json);
	assert_int_equal(parse(&p, "--from= -- --all -", 0, -1), CMD_GO_ON);
	assert_string_equal(p.from, "");
	assert_false(p.all);
	assert_int_equal(p.args.n, 2);
	assert_string_equal(p.args.v[0], "--all");
	assert_string_equal(p.args.v[1], "-");
}

static void
takes_values_that_may_be_missing_or_repeated(void **state)
{
	struct parsed p;

	(void)state;
	assert_int_equal(parse(&p, "--watch a --many x --many=y", 0, -1), CMD_GO_ON);
	assert_true(p.watching);
	assert_null(p.watch);
	assert_int_equal(p.args.n, 1);
	assert_int_equal(p.many.n, 2);
	assert_string_equal(p.many.v[0], "x");
	assert_string_equal(p.many.v[1], "y");
	assert_int_equal(parse(&p, "--watch 15 a", 0, -1), CMD_GO_ON);
	assert_string_equal(p.watch, "15");
	assert_int_equal(p.args.n, 1);
	assert_int_equal(parse(&p, "--watch=2s", 0, -1), CMD_GO_ON);
	assert_string_equal(p.watch, "2s");
	assert_int_equal(parse(&p, "a", 0, -1), CMD_GO_ON);
	assert_false(p.watching);
}

static void
refuses_what_it_does_not_know(void **state)
{
	static const struct {
		const char *line;
		int min, max;
	} rows[] = {
	    {"--fro x", 0, -1},
	    {"--fromx y", 0, -1},
	    {"--from", 0, -1},
	    {"--all=yes", 0, -1},
	    {"-a", 0, -1},
	    {"", 1, 1},
	    {"a b", 1, 1},
	    {"a", 0, 0},
	    {"--many", 0, -1},
	};
	struct parsed p;
	int before = dup(STDERR_FILENO);

	(void)state;
	assert_non_null(freopen("/dev/null", "w", stderr));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int r = parse(&p, rows[i].line, rows[i].min, rows[i].max);

		if (r != EX_USAGE)
			fail_msg("%s: %d", rows[i].line, r);
	}
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	close(before);
}

static void
writes_durations_and_sizes(void **state)
{
	char d[CMD_DURATION_SIZE], s[CMD_SIZE_SIZE];

	(void)state;
	assert_string_equal(cmd_format_duration(0, d), "0 s");
	assert_string_equal(cmd_format_duration(59, d), "59 s");
	assert_string_equal(cmd_format_duration(61, d), "1 min 1 s");
	assert_string_equal(cmd_format_duration(3600, d), "1 h 0 min");
	assert_string_equal(cmd_format_duration(90061, d), "1 d 1 h");
	assert_string_equal(cmd_format_duration(UINT64_MAX, d), "213503982334601 d 7 h");
	assert_string_equal(cmd_format_size(0, s), "0 B");
	assert_string_equal(cmd_format_size(9999, s), "9999 B");
	assert_string_equal(cmd_format_size(10240, s), "10.0 KiB");
	assert_string_equal(cmd_format_size(36700160, s), "35.0 MiB");
	assert_string_equal(cmd_format_size(1ULL << 40, s), "1024.0 GiB");
}

static void
json_strings_are_always_strings(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *want;
	} rows[] = {
	    {"", 0, ""},
	    {NULL, 0, ""},
	    {"b\xc3\xb6"
	     "b",
		4,
		"b\xc3\xb6"
		"b"},
	    {"a\xff"
	     "b",
		3, "a\\xffb"},
	    {"\x1b[2J\xff", 5, "\\x1b[2J\\xff"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *json = cmd_json_string(span_make(rows[i].in, rows[i].len));

		assert_string_equal(json_string_value(json), rows[i].want);
		json_decref(json);
	}
}

static void
aligns_columns(void **state)
{
	char out[1024];
	FILE *f = fmemopen(out, sizeof out, "w");
	struct cmd_table *t = cmd_table_new("NAME|>N|TEXT");

	(void)state;
	cmd_table_print(t, f);
	cmd_table_addf(t, "b%s",
	    "\xc3\xb6"
	    "b");
	cmd_table_addf(t, "%d", 7);
	cmd_table_add(t, span_str("x\x1b"));
	cmd_table_add(t, span_str("longer"));
	cmd_table_add(t, span_str("1234"));
	cmd_table_add(t, span_str(""));
	cmd_table_add(t, span_str("half a row"));
	cmd_table_print(t, f);
	cmd_table_free(&t);
	fclose(f);
	assert_string_equal(out, "NAME       N  TEXT\n"
				 "b\xc3\xb6"
				 "b        7  x\\x1b\n"
				 "longer  1234\n");
}

static void
reads_the_status_text(void **state)
{
	struct cmd_status_text s;

	(void)state;
	assert_int_equal(
	    cmd_status_text_parse(
		span_str("version=1.2\npid=77\nstate=ready\nuptime=5\nreloads=2\n"
			 "reload=failed\nreload-time=now\nunknown=x=y\n"
			 "next-start=workers = 4, until then 2\nnext-start=spool = /x\n"
			 "process=smtpd\nworker=1\npid=78\nstate=ready\nrestarts=3\n"
			 "uptime=4\nprocess=queue\npid=79\n"),
		&s),
	    0);
	assert_int_equal(s.pid, 77);
	assert_int_equal(s.reloads, 2);
	assert_true(span_is(s.reload, "failed") && span_is(s.version, "1.2"));
	assert_int_equal(s.nnext_start, 2);
	assert_true(span_is(s.next_start[0], "workers = 4, until then 2"));
	assert_int_equal(s.nprocesses, 2);
	assert_true(span_is(s.processes[0].name, "smtpd"));
	assert_int_equal(s.processes[0].worker, 1);
	assert_int_equal(s.processes[0].restarts, 3);
	assert_int_equal(s.processes[1].pid, 79);
	cmd_status_text_release(&s);
}

static void
refuses_a_malformed_status_text(void **state)
{
	static const char *const rows[] = {"no equals sign\n", "pid=x\n", "pid=-1\n",
	    "pid=99999999999\n", "reloads=\n", "process=a\nworker=b\n"};
	struct cmd_status_text s;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(cmd_status_text_parse(span_str(rows[i]), &s), -1);
	assert_int_equal(cmd_status_text_parse(span_str(""), &s), 0);
	assert_int_equal(s.pid, 0);
	cmd_status_text_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_options_out_of_arguments),
	    cmocka_unit_test(takes_values_that_may_be_missing_or_repeated),
	    cmocka_unit_test(refuses_what_it_does_not_know),
	    cmocka_unit_test(writes_durations_and_sizes),
	    cmocka_unit_test(json_strings_are_always_strings),
	    cmocka_unit_test(aligns_columns),
	    cmocka_unit_test(reads_the_status_text),
	    cmocka_unit_test(refuses_a_malformed_status_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
