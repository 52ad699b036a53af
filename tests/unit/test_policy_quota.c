/* test_policy_quota: which recipients hear that their mailbox is full. */
#include "conf/policy_quota.h"

#include "tests/unit/domain_fake.h"

static struct fake fake;

static int
setup(void **state)
{
	fake_init(&fake);
	*state = &fake;
	fake_domain(&fake, "a.test",
	    "alice:x\nbob:x::::::userdb_quota_rule=*:storage=0\n"
	    "carol:x::::::userdb_quota_rule=*:storage=5K\n",
	    "all: alice, carol\none: carol\nfar: carol, x@far.test\n", "quota = 10K\n");
	fake_domain(&fake, "b.test", "dan:x\n", "", "quota = 10K\nover-quota = refuse\n");
	fake_domain(&fake, "c.test", "eve:x\n", "a: carol@a.test\n", "");
	return 0;
}

static void
tells_who_is_full(void **state)
{
	static const struct {
		uint64_t used, size;
		const char *rcpt, *want;
	} rows[] = {
	    {0, 0, "alice@a.test", "250 2.1.5 hosted"},
	    {10239, 0, "alice@a.test", "250 2.1.5 hosted"},
	    {10240, 0, "alice@a.test", "452 4.2.2 quota"},
	    {10240, 0, "alice+x@a.test", "452 4.2.2 quota"},
	    {10240, 0, "bob@a.test", "250 2.1.5 hosted"},
	    {5119, 0, "carol@a.test", "250 2.1.5 hosted"},
	    {5120, 0, "carol@a.test", "452 4.2.2 quota"},
	    {5000, 120, "carol@a.test", "250 2.1.5 hosted"},
	    {5000, 121, "carol@a.test", "452 4.2.2 quota"},
	    {0, 5121, "carol@a.test", "452 4.2.2 quota"},
	    {10240, 0, "dan@b.test", "552 5.2.2 quota"},
	    {999999, 0, "eve@c.test", "250 2.1.5 hosted"},
	    {999999, 0, "nobody@a.test", "550 5.1.1 no-such-user"},
	    /* by an alias: where it leads to her alone */
	    {5120, 0, "one@a.test", "452 4.2.2 quota"},
	    {5120, 0, "a@c.test", "452 4.2.2 quota"},
	    {99999, 0, "all@a.test", "250 2.1.5 hosted"},
	    {99999, 0, "far@a.test", "250 2.1.5 hosted"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct policy_client client = {.role = LISTENER_MX, .size = rows[i].size};
		struct address from = {.len = 0}, rcpt;
		struct policy_answer a;
		char got[64];

		fake.used = rows[i].used;
		assert_int_equal(netaddr_parse(span_str("192.0.2.1"), &client.address), 0);
		assert_int_equal(address_parse(span_str(rows[i].rcpt), 0, &rcpt, NULL), 0);
		policy_rcpt(&fake.env, &client, &from, &rcpt, NULL, &a);
		snprintf(got, sizeof got, "%d %s %s", a.verdict.code, a.verdict.status, a.rule);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s with %llu: got %s, want %s", rows[i].rcpt,
			    (unsigned long long)rows[i].used, got, rows[i].want);
	}
}

static void
shows_what_it_saw(void **state)
{
	struct policy_client client = {.role = LISTENER_MX};
	struct address from = {.len = 0}, rcpt;
	struct policy_answer a;
	struct trace trace;
	bool seen = false;

	(void)state;
	fake.used = 77;
	fake.used_at_least = true;
	assert_int_equal(netaddr_parse(span_str("192.0.2.1"), &client.address), 0);
	assert_int_equal(address_parse(span_str("carol@a.test"), 0, &rcpt, NULL), 0);
	trace_init(&trace);
	policy_rcpt(&fake.env, &client, &from, &rcpt, &trace, &a);
	for (size_t i = 0; i < trace.n; i++)
		seen =
		    seen || (strcmp(trace.v[i].what, "quota") == 0 &&
				strcmp(trace.v[i].where, "/virtual/a.test/etc/passwd:3") == 0 &&
				strcmp(trace.v[i].outcome,
				    "5K of carol: at least 77 octets are in use") == 0);
	assert_true(seen);
	trace_release(&trace);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(tells_who_is_full, setup, fake_teardown),
	    cmocka_unit_test_setup_teardown(shows_what_it_saw, setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
