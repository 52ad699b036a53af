/* test_auth_throttle: how many logins may fail, and when they are forgotten. */
#include "conf/auth_throttle.h"

#include "tests/unit/testing.h"

static struct netaddr
address(const char *text)
{
	struct netaddr a;

	assert_int_equal(netaddr_parse(span_str(text), &a), 0);
	return a;
}

static bool
refuses(struct auth_throttle *t, const char *client, const char *account, uint64_t now)
{
	struct netaddr a = address(client);

	return auth_throttle_refuses(t, &a, span_str(account), now);
}

static void
counts_accounts_from_anywhere(void **state)
{
	struct auth_throttle *t = auth_throttle_new();

	(void)state;
	auth_throttle_configure(t, 100, 3);
	assert_false(refuses(t, "192.0.2.1", "a@a.test", 1000));
	assert_false(refuses(t, "198.51.100.1", "a@a.test", 1000));
	assert_false(refuses(t, "2001:db8::1", "a@a.test", 1000));
	assert_true(refuses(t, "203.0.113.1", "a@a.test", 1000));
	assert_false(refuses(t, "203.0.113.1", "b@a.test", 1000));
	/* a third of the time brings one back, and not two */
	assert_true(refuses(t, "203.0.113.1", "a@a.test", 1000 + AUTH_THROTTLE_MS / 4));
	assert_false(refuses(t, "203.0.113.1", "a@a.test", 2000 + AUTH_THROTTLE_MS / 3));
	assert_true(refuses(t, "203.0.113.1", "a@a.test", 2000 + AUTH_THROTTLE_MS / 3));
	auth_throttle_free(&t);
}

static void
counts_networks_of_clients(void **state)
{
	struct auth_throttle *t = auth_throttle_new();

	(void)state;
	auth_throttle_configure(t, 2, 100);
	assert_false(refuses(t, "192.0.2.1", "a", 0));
	assert_false(refuses(t, "192.0.2.200", "b", 0));
	assert_true(refuses(t, "192.0.2.7", "c", 0));
	assert_false(refuses(t, "192.0.3.7", "c", 0));
	assert_false(refuses(t, "2001:db8:0:1::1", "a", 0));
	assert_false(refuses(t, "2001:db8:0:1:ffff::2", "b", 0));
	assert_true(refuses(t, "2001:db8:0:1::3", "c", 0));
	assert_false(refuses(t, "2001:db8:0:2::3", "c", 0));
	auth_throttle_free(&t);
}

/* What succeeds does not count, however often. */
static void
takes_successes_back(void **state)
{
	struct auth_throttle *t = auth_throttle_new();
	struct netaddr a = address("192.0.2.1");

	(void)state;
	auth_throttle_configure(t, 2, 2);
	for (int i = 0; i < 10; i++) {
		assert_false(refuses(t, "192.0.2.1", "a", 5));
		auth_throttle_take_back(t, &a, span_str("a"));
	}
	auth_throttle_free(&t);
}

/* Names that are made up by the thousand do not make it forget who has failed most. */
static void
forgets_the_least(void **state)
{
	struct auth_throttle *t = auth_throttle_new();
	char name[24];

	(void)state;
	auth_throttle_configure(t, 1000000, 5);
	for (int i = 0; i < 5; i++)
		assert_false(refuses(t, "192.0.2.1", "victim", 10));
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof name, "n%d", i);
		refuses(t, "192.0.2.1", name, 10);
	}
	assert_true(refuses(t, "192.0.2.1", "victim", 10));
	auth_throttle_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts_accounts_from_anywhere),
	    cmocka_unit_test(counts_networks_of_clients),
	    cmocka_unit_test(takes_successes_back),
	    cmocka_unit_test(forgets_the_least),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
