/* test_auth_throttle: how many logins may fail, when they are forgotten, and whom that keeps out. */
#include "conf/auth_throttle.h"

#include "tests/unit/testing.h"

static struct netaddr
address(const char *text)
{
	struct netaddr a;

	assert_int_equal(netaddr_parse(span_str(text), &a), 0);
	return a;
}

static struct auth_throttle *
throttle(uint32_t per_client, uint32_t per_account, uint32_t ceiling)
{
	struct auth_throttle *t = auth_throttle_new();

	auth_throttle_configure(
	    t, &(struct auth_throttle_limits){per_client, per_account, ceiling});
	return t;
}

static enum auth_throttle_answer
begin(struct auth_throttle *t, const char *client, const char *account, uint64_t now)
{
	struct netaddr a = address(client);
	struct auth_throttle_try try = {.client = &a, .account = span_str(account)};
	enum auth_throttle_answer r = AUTH_THROTTLE_PASSES;

	/* Looking changes nothing. */
	for (int i = 0; i < 3; i++) {
		bool refuses = auth_throttle_refuses(t, &try, now);

		if (i < 2)
			continue;
		r = auth_throttle_begin(t, &try, now);
		assert_int_equal(refuses, r == AUTH_THROTTLE_REFUSED);
	}
	return r;
}

static bool
refuses(struct auth_throttle *t, const char *client, const char *account, uint64_t now)
{
	return begin(t, client, account, now) == AUTH_THROTTLE_REFUSED;
}

static void
log_in(struct auth_throttle *t, const char *client, const char *account, uint64_t now)
{
	struct netaddr a = address(client);
	struct auth_throttle_try try = {.client = &a, .account = span_str(account)};
	enum auth_throttle_answer r = auth_throttle_begin(t, &try, now);

	assert_int_not_equal(r, AUTH_THROTTLE_REFUSED);
	try.slow = r == AUTH_THROTTLE_SLOW;
	auth_throttle_succeed(t, &try, now);
}

static void
counts_an_account_from_one_network(void **state)
{
	struct auth_throttle *t = throttle(100, 3, 100);

	(void)state;
	assert_false(refuses(t, "192.0.2.1", "a@a.test", 1000));
	assert_false(refuses(t, "192.0.2.2", "a@a.test", 1000));
	assert_false(refuses(t, "192.0.2.3", "a@a.test", 1000));
	assert_true(refuses(t, "192.0.2.1", "a@a.test", 1000));
	assert_false(refuses(t, "192.0.2.1", "b@a.test", 1000));
	/* a third of the time brings one back, and not two */
	assert_true(refuses(t, "192.0.2.1", "a@a.test", 1000 + AUTH_THROTTLE_MS / 4));
	assert_false(refuses(t, "192.0.2.1", "a@a.test", 2000 + AUTH_THROTTLE_MS / 3));
	assert_true(refuses(t, "192.0.2.1", "a@a.test", 2000 + AUTH_THROTTLE_MS / 3));
	auth_throttle_free(&t);
}

/* Guessing from one network does not keep the user away who comes from another one, known or not. */
static void
does_not_lock_users_out(void **state)
{
	struct auth_throttle *t = throttle(1000, 3, 100);

	(void)state;
	for (int i = 0; i < 50; i++)
		refuses(t, "192.0.2.1", "a@a.test", 1000);
	assert_int_equal(begin(t, "198.51.100.1", "a@a.test", 1000), AUTH_THROTTLE_PASSES);
	assert_int_equal(begin(t, "2001:db8::1", "a@a.test", 1000), AUTH_THROTTLE_PASSES);
	auth_throttle_free(&t);
}

/* A hundred networks together reach the ceiling: then the user's own are slow, and others are not served. */
static void
keeps_known_networks_above_the_ceiling(void **state)
{
	struct auth_throttle *t = throttle(1000, 3, 20);
	unsigned passed = 0;
	char client[24];

	(void)state;
	log_in(t, "198.51.100.7", "a@a.test", 500);
	for (int i = 0; i < 100; i++) {
		snprintf(client, sizeof client, "192.0.%d.1", i);
		passed += begin(t, client, "a@a.test", 1000) == AUTH_THROTTLE_PASSES;
	}
	assert_int_equal(passed, 20);
	assert_int_equal(begin(t, "203.0.113.1", "a@a.test", 1000), AUTH_THROTTLE_REFUSED);
	/* of the same /24 as the one that was seen */
	assert_int_equal(begin(t, "198.51.100.99", "a@a.test", 1000), AUTH_THROTTLE_SLOW);
	for (int i = 0; i < 10; i++)
		log_in(t, "198.51.100.7", "a@a.test", 1000);
	/* that it logs in lowers nothing for the others */
	assert_int_equal(begin(t, "203.0.113.1", "a@a.test", 1000), AUTH_THROTTLE_REFUSED);
	/* not for another account, nor for ever, nor without bound */
	assert_int_equal(begin(t, "198.51.100.7", "b@a.test", 1000), AUTH_THROTTLE_PASSES);
	assert_int_equal(begin(t, "198.51.100.7", "a@a.test", 1000), AUTH_THROTTLE_SLOW);
	assert_int_equal(begin(t, "198.51.100.7", "a@a.test", 1000), AUTH_THROTTLE_SLOW);
	assert_int_equal(begin(t, "198.51.100.7", "a@a.test", 1000), AUTH_THROTTLE_REFUSED);
	auth_throttle_free(&t);
}

static void
forgets_networks_after_a_month(void **state)
{
	struct auth_throttle *t = throttle(1000, 1000, 5);
	const uint64_t later = AUTH_THROTTLE_KNOWN_MS + 2000;

	(void)state;
	log_in(t, "198.51.100.7", "a@a.test", 500);
	for (int i = 0; i < 5; i++)
		assert_false(refuses(t, "192.0.2.1", "a@a.test", later - 3000));
	assert_int_equal(
	    begin(t, "198.51.100.7", "a@a.test", later - 3000), AUTH_THROTTLE_SLOW);
	for (int i = 0; i < 10; i++)
		refuses(t, "192.0.2.1", "a@a.test", later);
	assert_int_equal(begin(t, "198.51.100.7", "a@a.test", later), AUTH_THROTTLE_REFUSED);
	auth_throttle_free(&t);
}

static void
counts_networks_of_clients(void **state)
{
	struct auth_throttle *t = throttle(2, 100, 100);

	(void)state;
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

/* What succeeds does not count, however often; nor does what cannot be decided. */
static void
takes_successes_back(void **state)
{
	struct auth_throttle *t = throttle(2, 2, 2);
	struct netaddr a = address("192.0.2.1");
	struct auth_throttle_try try = {.client = &a, .account = span_str("a")};

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_false(refuses(t, "192.0.2.1", "a", 5));
		auth_throttle_take_back(t, &try);
		log_in(t, "192.0.2.1", "a", 5);
	}
	auth_throttle_free(&t);
}

/* Names that are made up by the thousand do not make it forget who has failed most. */
static void
forgets_the_least(void **state)
{
	struct auth_throttle *t = throttle(1000000, 5, 1000000);
	char name[24];

	(void)state;
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
	    cmocka_unit_test(counts_an_account_from_one_network),
	    cmocka_unit_test(does_not_lock_users_out),
	    cmocka_unit_test(keeps_known_networks_above_the_ceiling),
	    cmocka_unit_test(forgets_networks_after_a_month),
	    cmocka_unit_test(counts_networks_of_clients),
	    cmocka_unit_test(takes_successes_back),
	    cmocka_unit_test(forgets_the_least),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
