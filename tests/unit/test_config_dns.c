/* test_config_dns: dnsbl, dnswl and the checks of strangers in postrider.conf. */
#include "tests/unit/config_fixture.h"

static void
takes_lists(void **state)
{
	struct config *c =
	    load("hostname = mx.test\n"
		 "dnsbl \"Zen.Example.ORG\" { replies = { 127.0.0.2..11, 127.0.1.2 } }\n"
		 "dnsbl b.test { action = warn text = \"%c is in %z, 100%%\" }\n"
		 "dnsbl c.test { action = off  replies = 127.0.0..255.9\n"
		 "replies += { 127.0.0.1 } }\n"
		 "dnswl b.test { replies = 127.0..255.0.1..3 }\n"
		 "client-name = lookup  helo-name = warn\nhelo-ours = reject\n"
		 "sender-domain = reject\ndns-timeout = 250ms\n");

	(void)state;
	complaints_print(&errors);
	assert_non_null(c);
	assert_int_equal(c->ndnsbls, 3);
	assert_string_equal(c->dnsbls[0].zone, "zen.example.org");
	assert_int_equal(c->dnsbls[0].action, CHECK_REJECT);
	assert_int_equal(c->dnsbls[0].nreplies, 2);
	assert_int_equal(c->dnsbls[0].replies[0].high[3], 11);
	assert_null(c->dnsbls[0].text);
	assert_int_equal(c->dnsbls[1].action, CHECK_WARN);
	assert_int_equal(c->dnsbls[1].nreplies, 0);
	assert_string_equal(c->dnsbls[1].text, "%c is in %z, 100%%");
	assert_int_equal(c->dnsbls[2].action, CHECK_OFF);
	assert_int_equal(c->dnsbls[2].nreplies, 2);
	assert_int_equal(c->ndnswls, 1);
	assert_int_equal(c->dnswls[0].replies[0].high[1], 255);
	assert_int_equal(c->client_name, CHECK_LOOKUP);
	assert_int_equal(c->helo_name, CHECK_WARN);
	assert_int_equal(c->helo_resolves, CHECK_OFF);
	assert_int_equal(c->helo_ours, CHECK_REJECT);
	assert_int_equal(c->sender_domain, CHECK_REJECT);
	assert_int_equal(c->dns_timeout, 250);
	config_free(&c);
}

static void
is_off_unless_said(void **state)
{
	struct config *c = load("hostname = mx.test\n");

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->ndnsbls + c->ndnswls, 0);
	assert_int_equal(c->client_name, CHECK_OFF);
	assert_int_equal(c->helo_name, CHECK_OFF);
	assert_int_equal(c->helo_resolves, CHECK_OFF);
	assert_int_equal(c->helo_ours, CHECK_OFF);
	assert_int_equal(c->sender_domain, CHECK_OFF);
	assert_int_equal(c->dns_timeout, 5000);
	config_free(&c);
}

static void
reports_each_error(void **state)
{
	static const struct config_row rows[] = {
	    {"dnsbl \"a b\" { }", ":4:", "expected the zone of a DNS list"},
	    {"dnsbl { }", ":4:", "expected a name between double quotes"},
	    {"dnsbl a.test { }\ndnsbl A.test { }", ":5:", "given twice, first on line 4"},
	    {"dnswl a.test { }\ndnswl A.test { }", ":5:", "given twice, first on line 4"},
	    {"dnsbl a.test { action = lookup }", ":4:", "expected off, warn or reject"},
	    {"dnsbl a.test { replies = 192.0.2.1 }", ":4:", "expected an address below 127"},
	    {"dnsbl a.test { replies = 127.0.0.9..2 }", ":4:", "expected an address below 127"},
	    {"dnsbl a.test { text = \"%\" }", ":4:", "expected behind % one of"},
	    {"dnsbl a.test { text = \"%s\" }", ":4:", "expected behind % one of"},
	    {"dnsbl a.test { text = \"\" }", ":4:", "expected a text"},
	    {"dnswl a.test { action = warn }", ":4:", "action belongs into dnsbl"},
	    {"client-name = yes", ":4:", "expected off, lookup, warn or reject"},
	    {"helo-name = lookup", ":4:", "expected off, warn or reject"},
	    {"dns-timeout = 0", ":4:", "expected from 100ms to"},
	};
	struct buf many;

	(void)state;
	check_errors(rows, sizeof rows / sizeof *rows);
	buf_init(&many, 8192);
	buf_add_str(&many, "hostname = mx.test\n");
	for (int i = 0; i < 33; i++)
		buf_addf(&many, "%s z%d.test { }\n", i % 2 == 0 ? "dnsbl" : "dnswl", i);
	assert_null(load(buf_str(&many)));
	assert_true(complaint_has(&errors, ":37:", "at most 32 dnsbl and dnswl together"));
	buf_release(&many);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(takes_lists, setup, teardown),
	    cmocka_unit_test_setup_teardown(is_off_unless_said, setup, teardown),
	    cmocka_unit_test_setup_teardown(reports_each_error, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
