/*
 * test_access_table: sendmail's access table as administrators have it, and which line decides.
 */
#include "conf/access_table.h"

#include <string.h>

#include "tests/unit/testing.h"

static const char table_text[] = "# our table\n"
				 "\n"
				 "Connect:192.0.2\t\tRELAY\n"
				 "Connect:192.0.2.66\tREJECT\n"
				 "Connect:10.1.2.3\tSKIP\n"
				 "Connect:10\tREJECT\n"
				 "IPv6:2001:db8:0:1\tRELAY\n"
				 "Connect:IPv6:2001:db8::5\tDISCARD\n"
				 "198.51.100.7\tOK\n"
				 "Connect:spam.example\t550 No spam, please\n"
				 "good.spam.example\tOK\n"
				 "From:Friend@Example.com\tOK\n"
				 "From:offers@\tERROR:5.7.1:550 No offers\n"
				 "From:example.com\tERROR:\"450 Later\"\n"
				 "From:<>\tQUARANTINE:bounces are looked at\n"
				 "To:gone@a.test\tERROR:5.1.6:550 Moved away\n"
				 "To:b.test\tRELAY\n"
				 "b\xc3\xbc"
				 "cher.test\tREJECT\n"
				 "ClientRate:127.0.0.1\t0\n"
				 "TLS_Srv:example.org\tVERIFY\n";

static struct access_table *
parse(const char *text, unsigned *foreign)
{
	struct config_errors errors = {0};
	struct access_table *t = access_table_parse(span_str(text), "table", &errors, foreign);

	if (t == NULL)
		fail_msg("%s", errors.v[0].text);
	config_errors_release(&errors);
	return t;
}

static void
test_clients(void **state)
{
	static const struct {
		const char *address, *name;
		unsigned line; /* that decides; 0: none */
		enum access_action action;
	} rows[] = {
	    {"192.0.2.1", "", 3, ACCESS_RELAY}, {"192.0.2.66", "", 4, ACCESS_REJECT},
	    {"192.0.20.1", "", 0, ACCESS_OK},
	    {"10.1.2.3", "", 0, ACCESS_OK}, /* SKIP ends the search */
	    {"10.1.2.4", "", 6, ACCESS_REJECT}, {"100.1.2.4", "", 0, ACCESS_OK},
	    {"2001:db8:0:1::9", "", 7, ACCESS_RELAY}, {"2001:db8:0:10::9", "", 0, ACCESS_OK},
	    {"2001:db8::5", "", 8, ACCESS_DISCARD}, {"198.51.100.7", "", 9, ACCESS_OK},
	    {"203.0.113.1", "mx.spam.example", 10, ACCESS_ERROR},
	    {"203.0.113.1", "good.spam.example", 11, ACCESS_OK},
	    {"203.0.113.1", "notspam.example", 0, ACCESS_OK},
	    {"192.0.2.1", "mx.spam.example", 10,
		ACCESS_ERROR}, /* the name before the address */
	};
	unsigned foreign;
	struct access_table *t = parse(table_text, &foreign);

	(void)state;
	assert_int_equal(foreign, 2);
	assert_int_equal(access_table_count(t), 16);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct access_entry *e;
		struct netaddr a;

		assert_int_equal(netaddr_parse(span_str(rows[i].address), &a), 0);
		e = access_table_find_client(t, &a, span_str(rows[i].name));
		if ((e != NULL ? e->line : 0) != rows[i].line)
			fail_msg("%s %s: line %u", rows[i].address, rows[i].name,
			    e != NULL ? e->line : 0);
		if (e != NULL)
			assert_int_equal(e->action, rows[i].action);
	}
	access_table_free(&t);
}

/* Is a client's name of any use? */
static void
test_names(void **state)
{
	static const struct {
		const char *text;
		bool names, spares;
	} rows[] = {
	    {"Connect:192.0.2.1 OK\nIPv6:2001:db8 RELAY\n192.0.2 OK\n", false, false},
	    {"From:a.test OK\nTo:b.test RELAY\n<> REJECT\nuser@a.test OK\n", false, false},
	    {"a.test REJECT\n", true, false},
	    {"Connect:a.test 550 No\n", true, false},
	    {"a.test OK\n", true, true},
	    {"Connect:a.test RELAY\n", true, true},
	    {"Connect:a.test SKIP\n", true, true},
	    {"Connect:a.test REJECT\nFrom:b.test OK\n", true, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct access_table *t = parse(rows[i].text, NULL);

		check_row(rows[i].text, access_table_has_names(t) == rows[i].names);
		check_row(rows[i].text, access_table_spares_names(t) == rows[i].spares);
		access_table_free(&t);
	}
}

static void
test_addresses(void **state)
{
	static const struct {
		enum access_tag tag;
		const char *address;
		unsigned line;
		const char *want; /* "code status text", NULL: not looked at */
	} rows[] = {
	    {ACCESS_FROM, "friend@example.com", 12, NULL},
	    {ACCESS_FROM, "FRIEND@example.com", 12, NULL},
	    {ACCESS_FROM, "offers@example.com", 13, "550 5.7.1 No offers"},
	    {ACCESS_FROM, "else@example.com", 14, "450 4.7.1 Later"},
	    {ACCESS_FROM, "else@sub.example.com", 14, NULL},
	    {ACCESS_FROM, "else@badexample.com", 0, NULL},
	    {ACCESS_FROM, "", 15, "250 2.0.0 bounces are looked at"},
	    {ACCESS_TO, "", 0, NULL},
	    {ACCESS_TO, "gone@a.test", 16, "550 5.1.6 Moved away"},
	    {ACCESS_TO, "here@a.test", 0, NULL},
	    {ACCESS_TO, "x@b.test", 17, NULL},
	    {ACCESS_FROM, "x@b.test", 0, NULL},
	    {ACCESS_FROM, "x@spam.example", 0, NULL},
	    {ACCESS_FROM, "x@good.spam.example", 11, NULL},
	    {ACCESS_TO, "x@xn--bcher-kva.test", 18, NULL},
	};
	struct access_table *t = parse(table_text, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct access_entry *e;
		struct address a;
		char got[500];

		assert_int_equal(
		    address_parse(span_str(rows[i].address), ADDRESS_ALLOW_EMPTY, &a, NULL), 0);
		e = access_table_find_address(t, rows[i].tag, &a, "+");
		if ((e != NULL ? e->line : 0) != rows[i].line)
			fail_msg("%s: line %u", rows[i].address, e != NULL ? e->line : 0);
		if (e == NULL || rows[i].want == NULL)
			continue;
		snprintf(got, sizeof got, "%d %s %s", e->verdict.code, e->verdict.status,
		    e->verdict.text);
		assert_string_equal(got, rows[i].want);
	}
	access_table_free(&t);
}

/* A mailbox has one name, whatever the case of its letters (conf/fold): a line about it holds for each spelling. */
static void
test_letters(void **state)
{
	static const struct {
		const char *address;
		unsigned line;
	} rows[] = {
	    {"bücher@a.test", 1},
	    {"BÜCHER@a.test", 1},
	    {"Bu\xcc\x88"
	     "cher@a.test",
		1},
	    {"boss@a.test", 2},
	    {"bo\xc5\xbfs@a.test", 2},
	    {"BO\xc5\xbf\xc5\xbf@a.test", 2},
	    {"Café@b.test", 3},
	    {"CAFÉ@b.test", 3},
	    {"cafe@b.test", 0},
	    {"\"É(x\"@b.test", 4},
	    {"\"é(X\"@b.test", 4},
	    {"\xc8\xba@b.test", 5},
	    {"\xe2\xb1\xa5@b.test", 5},
	};
	struct access_table *t = parse("To:Bücher@a.test REJECT\n"
				       "To:boss@a.test REJECT\n"
				       "To:CAFÉ@ REJECT\n"
				       "To:\"é(x\"@b.test REJECT\n"
				       "To:\xc8\xba@ REJECT\n",
	    NULL);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct access_entry *e;
		struct address a;

		assert_int_equal(
		    address_parse(span_str(rows[i].address), ADDRESS_UTF8, &a, NULL), 0);
		e = access_table_find_address(t, ACCESS_TO, &a, "+");
		if ((e != NULL ? e->line : 0) != rows[i].line)
			fail_msg("%s: line %u", rows[i].address, e != NULL ? e->line : 0);
	}
	access_table_free(&t);
}

/* A line about a user holds for his details, too; one about all of them, or about one, goes before it. */
static void
test_details(void **state)
{
	static const struct {
		const char *address, *separators;
		unsigned line;
	} rows[] = {
	    {"gone@a.test", "+", 1},
	    {"gone+x@a.test", "+", 1},
	    {"GONE+@a.test", "+", 1},
	    {"gone+x+y@a.test", "+", 1},
	    {"\"gone+ x\"@a.test", "+", 1},
	    {"gone-x@a.test", "+", 0},
	    {"gone-x@a.test", "-+", 1},
	    {"gone+x@a.test", "-", 0},
	    {"gone+x@a.test", "", 0},
	    {"any@a.test", "+", 0},
	    {"any+x@a.test", "+", 2},
	    {"any+one@a.test", "+", 3},
	    {"every+x@b.test", "+", 4},
	    {"every+one@b.test", "+", 5},
	    {"every+one@c.test", "+", 6},
	    {"\"a(b+c\"@a.test", "+", 7},
	    {"+gone@a.test", "+", 0},
	    {"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc@a.test", "+", 0},
	    {"ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc+@a.test", "+", 8},
	};
	struct access_table *t = parse("To:gone@a.test REJECT\n"
				       "To:any+*@a.test REJECT\n"
				       "To:any+one@a.test OK\n"
				       "To:every@ REJECT\n"
				       "To:every+one@ REJECT\n"
				       "To:every@c.test REJECT\n"
				       "To:\"a(b\"@a.test REJECT\n"
				       "To:ccccccccccccccccccccccccccccccccccccccccccccccccc"
				       "cccccccccccccc@a.test REJECT\n",
	    NULL);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct access_entry *e;
		struct address a;

		assert_int_equal(address_parse(span_str(rows[i].address), 0, &a, NULL), 0);
		e = access_table_find_address(t, ACCESS_TO, &a, rows[i].separators);
		if ((e != NULL ? e->line : 0) != rows[i].line)
			fail_msg("%s: line %u", rows[i].address, e != NULL ? e->line : 0);
	}
	access_table_free(&t);
}

/* Addresses of IPv6 in every spelling, and networks that a "::" in a client's address hides. */
static void
test_spellings_of_clients(void **state)
{
	static const struct {
		const char *key, *client;
		bool matches;
	} rows[] = {
	    {"Connect:0", "0.1.2.3", true},
	    {"Connect:10.0.0", "10.0.0.255", true},
	    {"IPv6:2001:0DB8", "2001:db8::1", true},
	    {"IPv6:2001:db8:0:0", "2001:db8::1", true},
	    {"IPv6:2001:db8:0:0:0:0:0:0", "2001:db8::", true},
	    {"IPv6:2001:db8:0:0:0:0:0:0", "2001:db8::1", false},
	    {"IPv6:2001:db8:0:0:0:0:0:1", "2001:db8::1", true},
	    {"IPv6:::1", "::1", true},
	    {"IPv6:2001:db8::1", "2001:db8::1:5", false},
	    {"IPv6:2001:db80", "2001:db8::1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[100];
		struct access_table *t;
		struct netaddr a;

		snprintf(text, sizeof text, "%s OK\n", rows[i].key);
		t = parse(text, NULL);
		assert_int_equal(netaddr_parse(span_str(rows[i].client), &a), 0);
		check_row(rows[i].key,
		    (access_table_find_client(t, &a, span_str("")) != NULL) == rows[i].matches);
		access_table_free(&t);
	}
}

static void
test_errors_name_their_lines(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
	    {"Connect:192.0.2 MAYBE\n", "t:1: MAYBE: expected OK, RELAY"},
	    {"From:a.test\n", "t:1: From:a.test has no value: expected OK, RELAY"},
	    {"a.test\n", "t:1: a.test has no value: expected OK, RELAY"},
	    {"\nConnect:192.0.2\n", "t:2: "},
	    {"From: REJECT\n", "t:1: expected an address, network or domain"},
	    {"a.test OK\nA.TEST REJECT\n", "t:2: the key stands in line 1 already"},
	    {"Connect:IPv6:zz OK\n", "t:1: IPv6:zz: expected groups"},
	    {"Connect:010.0.0 OK\n", "t:1: 010.0.0: expected up to four numbers"},
	    {"192.0.02 OK\n", "t:1: 192.0.02: expected up to four numbers"},
	    {"Connect:192.0.256 OK\n", "t:1: 192.0.256: expected up to four numbers"},
	    {"Connect:192.0.2. OK\n", "t:1: 192.0.2.: expected up to four numbers"},
	    {"Connect:192.0.2.1.1 OK\n", "t:1: 192.0.2.1.1: expected up to four numbers"},
	    {"Connect:IPv6:2001:db8:: OK\n",
		"t:1: IPv6:2001:db8::: expected IPv6:2001:db8 for the network"},
	    {"IPv6:fe80:: OK\n", "t:1: IPv6:fe80::: expected IPv6:fe80 for the network"},
	    {"IPv6:2001:db8: OK\n", "t:1: IPv6:2001:db8:: expected groups"},
	    {"Connect:user@a.test OK\n", "t:1: user@a.test: expected an address, network or"},
	    {"Connect:<> OK\n", "t:1: <>: expected an address, network or"},
	    {"From:IPv6:2001:db8 OK\n", "t:1: IPv6:2001:db8: expected an address or domain"},
	    {"From:a@@b OK\n", "t:1: a@@b: "},
	    {"192.0.2.0/24 REJECT\n", "t:1: 192.0.2.0/24: expected 192.0.2 for this network"},
	    {"Connect:10.0.0.0/8 OK\n", "t:1: 10.0.0.0/8: expected 10 for this network"},
	    {"192.0.2.0/25 OK\n", "t:1: 192.0.2.0/25: expected whole octets such as 192.0.2"},
	    {"2001:db8::/32 OK\n", "t:1: 2001:db8::/32: expected whole "},
	    {"a.test/24 OK\n", "t:1: a.test/24: Malformed label"},
	    {"a_b!c OK\n", "t:1: a_b!c: "},
	    {"a.test 250 fine\n", "t:1: 250 fine: expected"},
	    {"a.test ERROR:5.7.1:999 x\n", "t:1: ERROR:5.7.1:999 x: expected"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config_errors errors = {0};

		assert_null(access_table_parse(span_str(rows[i].text), "t", &errors, NULL));
		assert_true(errors.n == 1);
		if (strncmp(errors.v[0].text, rows[i].want, strlen(rows[i].want)) != 0)
			fail_msg("%s", errors.v[0].text);
		config_errors_release(&errors);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clients),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_letters),
	    cmocka_unit_test(test_details),
	    cmocka_unit_test(test_spellings_of_clients),
	    cmocka_unit_test(test_errors_name_their_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
