/* test_access_key: the one form of a key, however it is spelled. What is wrong with others: test_access_table. */
#include "conf/access_key.h"

#include "tests/unit/testing.h"

static void
has_one_form(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: another feature's */
		bool is_name;
	} rows[] = {
	    {"Connect:192.0.2", "connect:192.0.2", false},
	    {"192.0.2.1", ":192.0.2.1", false},
	    {"CONNECT:IPv6:2001:0DB8:0:00ff", "connect:ipv6:2001:db8:0:ff", false},
	    {"ipv6:2001:db8::1", ":ipv6:2001:db8:0:0:0:0:0:1", false},
	    {"Connect:MX.Example.COM", "connect:mx.example.com", true},
	    {"Example.NET", ":example.net", true},
	    {"B\xc3\xbc"
	     "cher.test",
		":xn--bcher-kva.test", true},
	    {"From:Example.NET", "from:example.net", false},
	    {"To:192.0.2", "to:192.0.2", false},
	    {"From:<>", "from:<>", false},
	    {"<>", ":<>", false},
	    {"To:Bob@Example.ORG", "to:bob@example.org", false},
	    {"To:\"Bob\"@example.org", "to:bob@example.org", false},
	    {"To:\"A b\"@example.org", "to:\"a b\"@example.org", false},
	    {"To:\"b@c\"@example.org", "to:\"b@c\"@example.org", false},
	    {"Offers@", ":offers@", false},
	    {"From:bu\xcc\x88ro@", "from:b\xc3\xbcro@", false},
	    {"To:B\xc3\x9cRO@", "to:b\xc3\xbcro@", false},
	    {"ClientRate:127.0.0.1", NULL, false},
	    {"tls_srv:example.org", NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct access_key key;
		int r;

		access_key_init(&key);
		r = access_key_parse(span_str(rows[i].in), &key);
		check_row(rows[i].in, r == (rows[i].want != NULL ? 0 : 1));
		check_row(rows[i].in,
		    rows[i].want == NULL || span_is(buf_span(&key.text), rows[i].want));
		check_row(rows[i].in, key.is_name == rows[i].is_name && key.why[0] == '\0');
		access_key_release(&key);
	}
}

static void
says_what_is_wrong(void **state)
{
	char many[500];
	const struct {
		const char *in, *want;
	} rows[] = {
	    {"From:", "expected an address, network or domain behind the tag"},
	    {"Connect:a@b.test", "a@b.test: expected an address, network or name of a client"},
	    {"To:IPv6:2001:db8",
		"IPv6:2001:db8: expected an address or domain; networks are for Connect:"},
	    {"192.0.2.0/24", "192.0.2.0/24: expected 192.0.2 for this network"},
	    {many, "the key is too long"},
	};

	(void)state;
	memset(many, 'a', sizeof many);
	memcpy(many + sizeof many - 3, "@b", 3);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct access_key key;

		access_key_init(&key);
		check_row(rows[i].want, access_key_parse(span_str(rows[i].in), &key) == -1);
		check_row(key.why, strcmp(key.why, rows[i].want) == 0);
		access_key_release(&key);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(has_one_form),
	    cmocka_unit_test(says_what_is_wrong),
	};

	return cmocka_run_group_tests_name("access_key", tests, NULL, NULL);
}
