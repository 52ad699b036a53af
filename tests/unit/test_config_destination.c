/* test_config_destination: which section holds for a next hop, a status, a sender. */
#include "conf/config_destination.h"

#include <stdio.h>

#include "tests/unit/testing.h"

#define HOUR UINT64_C(3600000)

static uint64_t of_all[] = {1, 2}, of_b[] = {3}, of_471[] = {4}, of_47[] = {5}, of_down[] = {6};

/* Sorted, as config.h says they are. */
static struct config_destination destinations[] = {
    {.name = (char *)(uintptr_t) ".a.test"},
    {.name = (char *)(uintptr_t) ".test"},
    {.name = (char *)(uintptr_t) ".x.a.test"},
    {.name = (char *)(uintptr_t) "[mx.a.test]:25"},
    {.name = (char *)(uintptr_t) "a.test", .lifetime = HOUR},
    {.name = (char *)(uintptr_t) "b.test", .retry = of_b, .nretry = 1, .lifetime = 240 * HOUR},
};

static struct config_retry_status statuses[] = {
    {.status = (char *)(uintptr_t) "4.7", .retry = of_47, .nretry = 1},
    {.status = (char *)(uintptr_t) "4.7.1", .retry = of_471, .nretry = 1},
    {.status = (char *)(uintptr_t) "4.7.2"},
    {.status = (char *)(uintptr_t) "unreachable", .retry = of_down, .nretry = 1},
};

static const struct config config = {
    .destinations = destinations,
    .ndestinations = 6,
    .retry_statuses = statuses,
    .nretry_statuses = 4,
    .retry = of_all,
    .nretry = 2,
    .queue_lifetime = 120 * HOUR,
    .bounce_lifetime = 24 * HOUR,
};

static void
finds_the_closest_name(void **state)
{
	static const struct {
		const char *next_hop, *domain, *want; /* NULL: none */
	} rows[] = {
	    {"a.test", "", "a.test"},
	    {"", "a.test", "a.test"},
	    {"", "", NULL},
	    {"c.example", "d.example", NULL},
	    {"atest", "", NULL},
	    {"a.test.", "", NULL},
	    {"a.tes", "", NULL},
	    {"a.test2", "", NULL},
	    {"x.a.test", "", ".a.test"},
	    {"y.x.a.test", "", ".x.a.test"},
	    {"z.y.x.a.test", "", ".x.a.test"},
	    {"y.b.test", "", ".test"},
	    {"test", "", NULL},
	    {"[mx.a.test]:25", "b.test", "[mx.a.test]:25"},
	    {"[mx.a.test]:26", "b.test", "b.test"},
	    {"[mx.a.test]:26", "c.example", NULL}, /* a host is not below a domain */
	    {"[192.0.2.1]:26", "", NULL},
	    {"b.test", "a.test", "b.test"},
	    {"y.b.test", "a.test", "a.test"},	     /* exact before any suffix */
	    {"y.b.test", "y.x.a.test", ".x.a.test"}, /* the longer suffix */
	    {"y.x.a.test", "y.b.test", ".x.a.test"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct config_destination *d = config_destination_find(
		    &config, span_str(rows[i].next_hop), span_str(rows[i].domain));
		char what[100];

		snprintf(what, sizeof what, "%s, %s", rows[i].next_hop, rows[i].domain);
		check_row(what, (d == NULL) == (rows[i].want == NULL));
		check_row(what, d == NULL || strcmp(d->name, rows[i].want) == 0);
	}
}

static void
finds_the_intervals(void **state)
{
	const struct config_destination *a = &destinations[4], *b = &destinations[5];
	static const struct {
		const char *status;
		bool reached;
		const uint64_t *want;
	} rows[] = {
	    {"4.7.1", true, of_471},
	    {"4.7.1", false, of_471},
	    {"4.7.0", true, of_47},
	    {"4.7.10", true, of_47},
	    {"4.7.0", false, of_down},
	    {"4.7.2", true, of_all}, /* its section says so by saying nothing */
	    {"4.4.1", false, of_down},
	    {"4.4.1", true, of_all},
	    {"4.70.1", true, of_all},
	    {"", true, of_all},
	    {"unreachable", true, of_down},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *status = rows[i].status;
		bool reached = rows[i].reached;

		check_row(status,
		    config_retry_find(&config, NULL, status, reached).v == rows[i].want);
		check_row(
		    status, config_retry_find(&config, a, status, reached).v == rows[i].want);
		check_row(status, config_retry_find(&config, b, status, reached).v == of_b);
	}
	assert_int_equal(config_retry_find(&config, NULL, "4.0.0", true).n, 2);
	assert_int_equal(config_retry_find(&config, b, "4.0.0", true).n, 1);
}

static void
finds_nothing_in_nothing(void **state)
{
	const struct config empty = {.retry = of_all, .nretry = 2};

	(void)state;
	assert_null(config_destination_find(&empty, span_str("a.test"), span_str("b.test")));
	assert_ptr_equal(config_retry_find(&empty, NULL, "4.7.1", false).v, of_all);
}

static void
finds_the_lifetime(void **state)
{
	const struct config_destination *a = &destinations[4], *b = &destinations[5];

	(void)state;
	assert_int_equal(config_lifetime_find(&config, NULL, false), 120 * HOUR);
	assert_int_equal(config_lifetime_find(&config, NULL, true), 24 * HOUR);
	assert_int_equal(config_lifetime_find(&config, &destinations[0], false), 120 * HOUR);
	assert_int_equal(config_lifetime_find(&config, a, false), HOUR);
	assert_int_equal(config_lifetime_find(&config, a, true), HOUR);
	assert_int_equal(config_lifetime_find(&config, b, false), 240 * HOUR);
	assert_int_equal(config_lifetime_find(&config, b, true), 24 * HOUR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_the_closest_name),
	    cmocka_unit_test(finds_the_intervals),
	    cmocka_unit_test(finds_nothing_in_nothing),
	    cmocka_unit_test(finds_the_lifetime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
