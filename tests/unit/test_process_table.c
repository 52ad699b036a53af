/* test_process_table: the table is consistent, and grants what DESIGN's process table grants. */
#include "common/process_table.h"

#include <linux/capability.h>
#include <stdlib.h>

#include "common/sandbox.h"
#include "tests/unit/testing.h"

static void
finds_rows_by_name(void **state)
{
	size_t n;
	const struct process_row *rows = process_table(&n);

	(void)state;
	assert_true(n >= 5);
	for (size_t i = 0; i < n; i++)
		check_row(rows[i].name, process_table_find(span_str(rows[i].name)) == &rows[i]);
	assert_null(process_table_find(span_str("smtp")));
	assert_null(process_table_find(span_str("")));
}

static void
grants_no_more_than_the_job_needs(void **state)
{
	static const struct {
		const char *name, *user, *root, *sockets;
		uint64_t keep;
		bool per_worker, holds_spool, client_ca;
	} want[] = {
	    {"smtpd", "smtpd", "/s/sockets/smtpd", "", 0, true, true, true},
	    {"directory", "directory", "/", "/s/sockets/directory",
		SANDBOX_CAP(CAP_DAC_READ_SEARCH), false, false, false},
	    {"queue", "queue", "/s", "/sockets/queue", 0, false, true, false},
	    {"remote", "remote", "/s/sockets/remote", "", 0, false, false, false},
	    {"keys", "keys", "/s/sockets/keys", "", 0, false, false, false},
	    {"local", NULL, "/", "/s/sockets/local",
		SANDBOX_CAP(CAP_SETUID) | SANDBOX_CAP(CAP_SETGID) | SANDBOX_CAP(CAP_SETPCAP) |
		    SANDBOX_CAP(CAP_KILL),
		false, false, false},
	};
	size_t n;

	(void)state;
	process_table(&n);
	assert_int_equal(n, sizeof want / sizeof *want);
	for (size_t i = 0; i < n; i++) {
		const struct process_row *r = process_table_find(span_str(want[i].name));
		char *root, *sockets;

		check_row(want[i].name, r != NULL);
		root = process_row_root(r, "/s");
		sockets = process_row_sockets(r, "/s", true);
		check_row(r->name, strcmp(root, want[i].root) == 0);
		check_row(r->name, strcmp(sockets, want[i].sockets) == 0);
		check_row(r->name, (r->user == NULL) == (want[i].user == NULL));
		check_row(r->name, r->user == NULL || strcmp(r->user, want[i].user) == 0);
		check_row(r->name, r->keep == want[i].keep);
		check_row(r->name, r->per_worker == want[i].per_worker);
		check_row(r->name, r->holds_spool == want[i].holds_spool);
		check_row(r->name, r->client_ca == want[i].client_ca);
		check_row(r->name, r->executes == (strcmp(r->name, "local") == 0));
		free(root);
		free(sockets);
	}
}

static void
reaches_sockets_without_another_root(void **state)
{
	size_t n;
	const struct process_row *rows = process_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		char want[64], *sockets = process_row_sockets(&rows[i], "/s", false);

		snprintf(want, sizeof want, "/s/sockets/%s", rows[i].name);
		check_row(rows[i].name, strcmp(sockets, want) == 0);
		free(sockets);
	}
}

/* A process other than local that held one of these could become another. */
static void
lets_only_local_change_users(void **state)
{
	uint64_t dangerous = SANDBOX_CAP(CAP_SETUID) | SANDBOX_CAP(CAP_SETGID) |
			     SANDBOX_CAP(CAP_DAC_OVERRIDE) | SANDBOX_CAP(CAP_SYS_ADMIN) |
			     SANDBOX_CAP(CAP_SYS_PTRACE);
	size_t n;
	const struct process_row *rows = process_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		check_row(rows[i].name,
		    strcmp(rows[i].name, "local") == 0 || (rows[i].keep & dangerous) == 0);
}

static void
names_sockets_by_who_uses_them(void **state)
{
	size_t n;
	const struct socket_row *rows = socket_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct span name = span_str(rows[i].name), directory = span_cut(&name, '/');
		const struct process_row *user = process_table_find(span_str(rows[i].used_by));

		check_row(rows[i].name, name.len > 0 && span_index(name, '/') < 0);
		check_row(
		    rows[i].name, process_table_find(span_str(rows[i].served_by)) != NULL ||
				      strcmp(rows[i].served_by, "postriderd") == 0);
		if (user != NULL)
			check_row(rows[i].name, span_is(directory, user->name));
		else
			check_row(rows[i].name,
			    span_is(directory, strcmp(rows[i].used_by, "everybody") == 0
						   ? "submit"
						   : "control"));
		for (size_t j = 0; j < i; j++)
			check_row(rows[i].name, strcmp(rows[i].name, rows[j].name) != 0);
	}
}

/* smtpd first, then the agents, then queue, then directory; all within 10 s. */
static void
stops_in_order_and_in_time(void **state)
{
	unsigned sum = 0;
	size_t n;
	const struct process_row *rows = process_table(&n);

	(void)state;
	for (unsigned s = 0; s < PROCESS_STAGES; s++) {
		bool used = false;

		for (size_t i = 0; i < n; i++)
			used |= rows[i].stop_stage == s;
		assert_true(used);
		assert_true(process_stage_ms(s) > 0);
		sum += process_stage_ms(s);
	}
	assert_true(sum < 10000);
	assert_int_equal(process_stage_ms(PROCESS_STAGES), 0);
	assert_int_equal(process_table_find(span_str("smtpd"))->stop_stage, 0);
	assert_int_equal(process_table_find(span_str("remote"))->stop_stage, 1);
	assert_int_equal(process_table_find(span_str("local"))->stop_stage, 1);
	assert_int_equal(process_table_find(span_str("queue"))->stop_stage, 2);
	assert_int_equal(process_table_find(span_str("directory"))->stop_stage, 3);
}

static void
finds_ids_by_name(void **state)
{
	struct process_ids ids[16];
	size_t n;
	const struct process_row *rows = process_table(&n);

	(void)state;
	assert_true(n <= 16);
	for (size_t i = 0; i < n; i++)
		ids[i] = (struct process_ids){(uid_t)(100 + i), (gid_t)(200 + i)};
	for (size_t i = 0; i < n; i++)
		check_row(rows[i].name, process_ids_find(ids, rows[i].name)->uid == 100 + i);
	assert_null(process_ids_find(ids, "control"));
	assert_null(process_ids_find(ids, "everybody"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_rows_by_name),
	    cmocka_unit_test(grants_no_more_than_the_job_needs),
	    cmocka_unit_test(reaches_sockets_without_another_root),
	    cmocka_unit_test(lets_only_local_change_users),
	    cmocka_unit_test(names_sockets_by_who_uses_them),
	    cmocka_unit_test(stops_in_order_and_in_time),
	    cmocka_unit_test(finds_ids_by_name),
	};

	return cmocka_run_group_tests_name("process_table", tests, NULL, NULL);
}
