/* test_netaddr: addresses, ports and blocks. */
#include "common/netaddr.h"

#include <arpa/inet.h>

#include "tests/unit/testing.h"

static void
parses_addresses(void **state)
{
	static const struct {
		const char *in, *want, *literal; /* NULL: not an address */
	} rows[] = {
	    {"192.0.2.1", "192.0.2.1", "192.0.2.1"},
	    {"0.0.0.0", "0.0.0.0", "0.0.0.0"},
	    {"255.255.255.255", "255.255.255.255", "255.255.255.255"},
	    {"2001:db8::1", "2001:db8::1", "IPv6:2001:db8::1"},
	    {"2001:DB8:0:0:0:0:0:1", "2001:db8::1", "IPv6:2001:db8::1"},
	    {"::", "::", "IPv6:::"},
	    {"::1", "::1", "IPv6:::1"},
	    {"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"},
	    {"::FFFF:c000:201", "192.0.2.1", "192.0.2.1"},
	    {"64:ff9b::192.0.2.1", "64:ff9b::c000:201", "IPv6:64:ff9b::c000:201"},
	    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"IPv6:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	    {"", NULL, NULL},
	    {"192.0.2", NULL, NULL},
	    {"192.0.2.1.1", NULL, NULL},
	    {"192.0.2.256", NULL, NULL},
	    {"192.0.2.01", NULL, NULL},
	    {"0300.0.2.1", NULL, NULL},
	    {"0xc0.0.2.1", NULL, NULL},
	    {"3221225985", NULL, NULL},
	    {" 192.0.2.1", NULL, NULL},
	    {"192.0.2.1 ", NULL, NULL},
	    {"192.0.2.-1", NULL, NULL},
	    {"1::2::3", NULL, NULL},
	    {"1:2:3:4:5:6:7:8:9", NULL, NULL},
	    {"1:2:3:4:5:6:7", NULL, NULL},
	    {"12345::", NULL, NULL},
	    {"fe80::1%eth0", NULL, NULL},
	    {"fe80::1%25eth0", NULL, NULL},
	    {"[::1]", NULL, NULL},
	    {"::ffff:192.0.2.1:1", NULL, NULL},
	    {":", NULL, NULL},
	    {"localhost", NULL, NULL},
	    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255 and more than fits", NULL, NULL},
	};
	char out[NETADDR_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct netaddr a = {.family = 99, .port = 7};
		int r = netaddr_parse(span_str(rows[i].in), &a);

		check_row(rows[i].in, r == (rows[i].want != NULL ? 0 : -1));
		check_row(rows[i].in, r == 0 || a.family == 99);
		if (r != 0)
			continue;
		check_row(rows[i].in, a.port == 0);
		check_row(rows[i].in, strcmp(netaddr_format(&a, out), rows[i].want) == 0);
		check_row(
		    rows[i].in, strcmp(netaddr_format_literal(&a, out), rows[i].literal) == 0);
	}
	assert_int_equal(netaddr_parse(LITERAL("192.0.2.1\0x"), &(struct netaddr){0}), -1);
	assert_int_equal(netaddr_parse(span_str(NULL), &(struct netaddr){0}), -1);
}

static void
parses_ports(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
	    {"192.0.2.1:25", "192.0.2.1:25"},
	    {"192.0.2.1:0", "192.0.2.1:0"},
	    {"[2001:db8::1]:65535", "[2001:db8::1]:65535"},
	    {"[::]:25", "[::]:25"},
	    {"[::ffff:192.0.2.1]:25", "192.0.2.1:25"},
	    {"192.0.2.1", NULL},
	    {"192.0.2.1:", NULL},
	    {"192.0.2.1:65536", NULL},
	    {"192.0.2.1:000025", NULL},
	    {"192.0.2.1:+25", NULL},
	    {"192.0.2.1:25 ", NULL},
	    {"[192.0.2.1]:25", NULL},
	    {"2001:db8::1:25", NULL},
	    {"::1", NULL},
	    {"[::1]", NULL},
	    {"[::1]25", NULL},
	    {"[::1:25", NULL},
	    {"::1]:25", NULL},
	    {"[]:25", NULL},
	    {"[[::1]]:25", NULL},
	    {":25", NULL},
	    {"", NULL},
	    {"localhost:25", NULL},
	};
	char out[NETADDR_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct netaddr a;
		int r = netaddr_parse_port(span_str(rows[i].in), &a);

		check_row(rows[i].in, r == (rows[i].want != NULL ? 0 : -1));
		if (r == 0)
			check_row(rows[i].in,
			    strcmp(netaddr_format_port(&a, out), rows[i].want) == 0);
	}
}

static void
matches_blocks(void **state)
{
	static const struct {
		const char *block, *address;
		int want; /* 1 within, 0 outside, -1 the block is malformed */
	} rows[] = {
	    {"192.0.2.0/24", "192.0.2.255", 1},
	    {"192.0.2.0/24", "192.0.3.0", 0},
	    {"192.0.2.0/24", "::ffff:192.0.2.1", 1},
	    {"192.0.2.128/25", "192.0.2.127", 0},
	    {"192.0.2.128/25", "192.0.2.128", 1},
	    {"192.0.2.4/31", "192.0.2.5", 1},
	    {"192.0.2.4/31", "192.0.2.6", 0},
	    {"192.0.2.1", "192.0.2.1", 1},
	    {"192.0.2.1", "192.0.2.2", 0},
	    {"192.0.2.1/32", "192.0.2.1", 1},
	    {"0.0.0.0/0", "203.0.113.9", 1},
	    {"0.0.0.0/0", "2001:db8::1", 0},
	    {"2001:db8::/32", "2001:db8:ffff::1", 1},
	    {"2001:db8::/32", "2001:db9::", 0},
	    {"2001:db8::/33", "2001:db8:8000::", 0},
	    {"2001:db8::1", "2001:db8::1", 1},
	    {"::/0", "2001:db8::1", 1},
	    {"::/0", "192.0.2.1", 0},
	    {"::1/128", "::1", 1},
	    {"::ffff:192.0.2.0/120", "192.0.2.77", 1},
	    {"::ffff:192.0.2.0/120", "192.0.3.77", 0},
	    {"::ffff:0.0.0.0/96", "192.0.3.77", 1},
	    {"::ffff:192.0.2.0/95", "192.0.2.77", -1},
	    {"192.0.2.1/24", "192.0.2.1", -1},
	    {"192.0.2.0/33", "192.0.2.1", -1},
	    {"192.0.2.0/", "192.0.2.1", -1},
	    {"192.0.2.0/+24", "192.0.2.1", -1},
	    {"192.0.2.0/0024", "192.0.2.1", -1},
	    {"192.0.2.0/24/1", "192.0.2.1", -1},
	    {"192.0.2/24", "192.0.2.1", -1},
	    {"2001:db8::/129", "2001:db8::", -1},
	    {"2001:db8::1/64", "2001:db8::1", -1},
	    {"/8", "192.0.2.1", -1},
	    {"", "192.0.2.1", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct netblock b;
		struct netaddr a;
		int r = netblock_parse(span_str(rows[i].block), &b);

		assert_int_equal(netaddr_parse(span_str(rows[i].address), &a), 0);
		check_row(rows[i].block, r == (rows[i].want < 0 ? -1 : 0));
		if (r == 0)
			check_row(
			    rows[i].block, netblock_contains(&b, &a) == (rows[i].want == 1));
	}
}

static void
travels_through_sockaddr(void **state)
{
	static const char *const rows[] = {"192.0.2.1:25", "[2001:db8::1]:587"};
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(465)};
	struct sockaddr_storage ss;
	char out[NETADDR_TEXT_SIZE];
	struct netaddr a, b;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(netaddr_parse_port(span_str(rows[i]), &a), 0);
		assert_int_equal(netaddr_to_sockaddr(&a, &ss),
		    i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		assert_int_equal(netaddr_from_sockaddr((struct sockaddr *)&ss, &b), 0);
		assert_string_equal(netaddr_format_port(&b, out), rows[i]);
	}
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &mapped.sin6_addr), 1);
	assert_int_equal(netaddr_from_sockaddr((struct sockaddr *)&mapped, &a), 0);
	assert_string_equal(netaddr_format_port(&a, out), "192.0.2.7:465");
	ss.ss_family = AF_UNIX;
	assert_int_equal(netaddr_from_sockaddr((struct sockaddr *)&ss, &a), -1);
}

static void
knows_loopback(void **state)
{
	static const struct {
		const char *in;
		bool want;
	} rows[] = {
	    {"127.0.0.1", true},
	    {"127.255.255.254", true},
	    {"0.0.0.0", true},
	    {"::1", true},
	    {"::", true},
	    {"::ffff:127.0.0.1", true},
	    {"64:ff9b::127.0.0.1", true},
	    {"64:ff9b::", true},
	    {"128.0.0.1", false},
	    {"126.255.255.255", false},
	    {"0.0.0.1", false},
	    {"::2", false},
	    {"1::1", false},
	    {"64:ff9b::192.0.2.1", false},
	    {"64:ff9b:1::127.0.0.1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct netaddr a;

		assert_int_equal(netaddr_parse(span_str(rows[i].in), &a), 0);
		check_row(rows[i].in, netaddr_is_loopback(&a) == rows[i].want);
	}
}

static void
compares_without_port(void **state)
{
	struct netaddr a, b, c, d;

	(void)state;
	assert_int_equal(netaddr_parse_port(span_str("192.0.2.1:1"), &a), 0);
	assert_int_equal(netaddr_parse_port(span_str("192.0.2.1:2"), &b), 0);
	assert_int_equal(netaddr_parse(span_str("192.0.2.2"), &c), 0);
	assert_int_equal(netaddr_parse(span_str("c000:201::"), &d), 0);
	assert_true(netaddr_equal_ip(&a, &b));
	assert_false(netaddr_equal_ip(&a, &c));
	assert_false(netaddr_equal_ip(&a, &d));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses_addresses),
	    cmocka_unit_test(parses_ports),
	    cmocka_unit_test(matches_blocks),
	    cmocka_unit_test(travels_through_sockaddr),
	    cmocka_unit_test(knows_loopback),
	    cmocka_unit_test(compares_without_port),
	};

	return cmocka_run_group_tests_name("netaddr", tests, NULL, NULL);
}
