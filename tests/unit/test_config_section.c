/* test_config_section: the sections of postrider.conf that have a title: destination, retry-status. */
#include "tests/unit/config_fixture.h"

static void
takes_destinations(void **state)
{
	struct config *c = load("hostname = mx.test\n"
				"destination \".Example.ORG\" { concurrency = 2 }\n"
				"destination \"[MX.test]:2525\" { rate = \"6/minute\" }\n"
				"destination b\xc3\xbc"
				"cher.test { retry = { 1s, 2m }\n lifetime = 2d }\n"
				"destination \"192.0.2.1:25\" { rate = 1000000/day\n"
				"retry = 1h  retry += { 2h } }\n"
				"destination \"[192.0.2.7]\" { }\n"
				"retry-status unreachable { retry = 1m }\n"
				"retry-status 4.7 { retry = { 2m, 3m } }\n"
				"retry-status 4.2.2 { }\n"
				"bounce-lifetime = 12h  delay-warning = 0s\n");
	static const char *const names[] = {".example.org", "[192.0.2.1]:25", "[192.0.2.7]",
	    "[mx.test]:2525", "xn--bcher-kva.test"};
	static const char *const statuses[] = {"4.2.2", "4.7", "unreachable"};

	(void)state;
	complaints_print(&errors);
	assert_non_null(c);
	assert_int_equal(c->ndestinations, 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(c->destinations[i].name, names[i]);
	assert_int_equal(c->destinations[0].concurrency, 2);
	assert_int_equal(c->destinations[0].rate.count, 0);
	assert_int_equal(c->destinations[0].nretry, 0);
	assert_int_equal(c->destinations[0].lifetime, 0);
	assert_int_equal(c->destinations[1].concurrency, 0);
	assert_int_equal(c->destinations[1].rate.count, 1000000);
	assert_int_equal(c->destinations[1].rate.period_ms, 86400000);
	assert_int_equal(c->destinations[1].nretry, 2);
	assert_int_equal(c->destinations[1].retry[1], 2 * 3600000);
	assert_int_equal(c->destinations[3].rate.count, 6);
	assert_int_equal(c->destinations[3].rate.period_ms, 60000);
	assert_int_equal(c->destinations[4].retry[0], 1000);
	assert_int_equal(c->destinations[4].lifetime, 2 * 86400000);
	assert_int_equal(c->nretry_statuses, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(c->retry_statuses[i].status, statuses[i]);
	assert_int_equal(c->retry_statuses[1].nretry, 2);
	assert_int_equal(c->retry_statuses[1].retry[1], 180000);
	assert_int_equal(c->nretry, 7); /* a section's retry is not that of all */
	assert_int_equal(c->bounce_lifetime, 12 * 3600000);
	assert_int_equal(c->delay_warning, 0);
	config_free(&c);
}

static void
takes_long_names(void **state)
{
	char label[64], *name, *text;
	struct config *c;

	(void)state;
	memset(label, 'a', 63);
	label[63] = '\0';
	name = xasprintf(".%s.%s.%s.%.61s", label, label, label, label);
	text = xasprintf("hostname = a.test\ndestination \"%s\" { concurrency = 1 }\n", name);
	c = load(text);
	complaints_print(&errors);
	assert_non_null(c);
	assert_string_equal(c->destinations[0].name, name);
	config_free(&c);
	free(text);
	free(name);
}

/* Thousands of destinations are loaded, sent and found without a walk over all of them for each. */
static void
takes_many_destinations(void **state)
{
	struct buf text;
	struct config *c;

	(void)state;
	buf_init(&text, 2 << 20);
	buf_add_str(&text, "hostname = a.test\n");
	for (unsigned i = 0; i < 10000; i++)
		buf_addf(&text, "destination d%u.example { rate = %u/hour retry = {1m,2m} }\n",
		    i * 7919 % 10000, i + 1);
	c = load_octets(buf_span(&text));
	complaints_print(&errors);
	assert_non_null(c);
	assert_int_equal(c->ndestinations, 10000);
	for (size_t i = 1; i < c->ndestinations; i++)
		assert_true(strcmp(c->destinations[i - 1].name, c->destinations[i].name) < 0);
	config_free(&c);
	buf_add_str(&text, "destination one-more.example { }\n");
	assert_null(load_octets(buf_span(&text)));
	assert_true(complaint_has(&errors, ":10005:", "at most 10000 times destination"));
	buf_release(&text);
}

static void
reports_each_error(void **state)
{
	static const struct config_row rows[] = {
	    {"bounce-lifetime = 0", ":4:", "expected from 100ms to"},
	    {"delay-warning = 4", ":4:", "expected a duration"},
	    {"concurrency = 3", ":4:", "concurrency belongs into destination { }"},
	    {"destination { rate = 1/second }", ":4:", "expected a name between double quotes"},
	    {"destination \"a b\" { }", ":4:", "expected a domain, .domain"},
	    {"destination \"\" { }", ":4:", "expected a domain, .domain"},
	    {"destination \".\" { }", ":4:", "expected a domain, .domain"},
	    {"destination \"a..test\" { rate = never }", ":4:", "expected a domain, .domain"},
	    {"destination \"[a.test\" { }", ":4:", "expected a domain, .domain"},
	    {"destination \"[a.test]:0\" { }", ":4:", "expected a domain, .domain"},
	    {"destination a.test { }\ndestination \"a.test\" { }",
		":5:", "destination a.test is given twice, first on line 4"},
	    {"destination a.test { }\n\ndestination A.Test { }",
		":6:", "destination a.test is given twice, first on line 4"},
	    {"destination \"[::1]:25\" { }\ndestination \"[0::1]:25\" { }",
		":5:", "given twice, first on line 4"},
	    {"destination a.test {\nconcurency = 3 }", ":5:", "did you mean concurrency?"},
	    {"destination a.test {\nhop-limit = 3 }",
		":5:", "hop-limit does not belong into destination { }"},
	    {"destination a.test { rate = 1/hour\nrate = 2/hour }",
		":5:", "given twice, first on line 4"},
	    {"destination a.test { concurrency = 0 }", ":4:", "expected from 1 to 1000"},
	    {"destination a.test { rate = 0/second }", ":4:", "expected a rate such as"},
	    {"destination a.test { rate = 10 }", ":4:", "expected a rate such as"},
	    {"destination a.test { rate = 10/week }", ":4:", "expected a rate such as"},
	    {"destination a.test { rate = 1000001/day }", ":4:", "expected a rate such as"},
	    {"destination a.test { retry = { 5m,\n9ms } }", ":5:", "expected from 10ms to"},
	    {"destination a.test { lifetime = 0 }", ":4:", "expected from 100ms to"},
	    {"retry-status 4.7.1 { retry = 5 }", ":4:", "expected durations"},
	    {"retry-status 4.7.1 { rate = 1/hour }", ":4:", "rate belongs into destination"},
	    {"retry-status 4.7 { }\nretry-status \"4.7\" { }", ":5:", "given twice"},
	    {"retry-status 5.7.1 { }", ":4:", "expected a temporary status"},
	    {"retry-status 2.0.0 { }", ":4:", "expected a temporary status"},
	    {"retry-status 4 { }", ":4:", "expected a temporary status"},
	    {"retry-status \"4.\" { }", ":4:", "expected a temporary status"},
	    {"retry-status 4.7.1.1 { }", ":4:", "expected a temporary status"},
	    {"retry-status 4.07.1 { }", ":4:", "expected a temporary status"},
	    {"retry-status 4.7.1000 { }", ":4:", "expected a temporary status"},
	    {"retry-status 4.x.1 { }", ":4:", "expected a temporary status"},
	    {"retry-status \"\" { }", ":4:", "expected a temporary status"},
	};

	(void)state;
	check_errors(rows, sizeof rows / sizeof *rows);
}

static void
reports_all_errors_at_once(void **state)
{
	static const struct {
		const char *line, *complaint;
	} want[] = {
	    {":5:", "expected a domain, .domain"},
	    {":6:", "rate = fast: expected a rate such as"},
	    {":7:", "did you mean concurrency?"},
	    {":8:", "expected from 1 to 1000"},
	    {":9:", "given twice, first on line 6"},
	    {":10:", "expected a temporary status"},
	    {":11:", "expected durations"},
	    {":12:", "expected from 100ms to"},
	    {":13:", "delay-warning = soon"},
	};

	(void)state;
	assert_null(load("hostname = a.test\n"
			 "destination \"a b\" { rate = nonsense }\n"  /* 5 */
			 "destination one.test { rate = fast\n"	      /* 6 */
			 "  concurency = 1\n"			      /* 7 */
			 "  concurrency = 1001 }\n"		      /* 8 */
			 "destination ONE.test { }\n"		      /* 9 */
			 "retry-status 5.1.1 { retry = 1 }\n"	      /* 10 */
			 "retry-status 4.1 { retry = { 1m, one } }\n" /* 11 */
			 "destination two.test { lifetime = 1ms }\n"  /* 12 */
			 "delay-warning = soon\n"));		      /* 13 */
	complaints_print(&errors);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++)
		check_row(
		    want[i].line, complaint_has(&errors, want[i].line, want[i].complaint));
	assert_int_equal(errors.n, sizeof want / sizeof *want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(takes_destinations, setup, teardown),
	    cmocka_unit_test_setup_teardown(takes_long_names, setup, teardown),
	    cmocka_unit_test_setup_teardown(takes_many_destinations, setup, teardown),
	    cmocka_unit_test_setup_teardown(reports_each_error, setup, teardown),
	    cmocka_unit_test_setup_teardown(reports_all_errors_at_once, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
