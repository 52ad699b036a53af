/* test_route: the names of the queue's lists as routes. */
#include "deliver/route.h"

#include "tests/unit/testing.h"

struct row {
	const char *destination;
	int result;
	bool mx, literal;
	const char *host;
	unsigned port;
};

static const struct row rows[] = {
    {"example.org", 0, true, false, "example.org", 25},
    {"Example.ORG", 0, true, false, "example.org", 25},
    {"b\xc3\xbc"
     "cher.example",
	0, true, false, "xn--bcher-kva.example", 25},
    {"[192.0.2.1]:2525", 0, false, true, "192.0.2.1", 2525},
    {"[192.0.2.1]", 0, false, true, "192.0.2.1", 25},
    {"[2001:db8::1]:26", 0, false, true, "2001:db8::1", 26},
    {"[mx.example.net]:587", 0, false, false, "mx.example.net", 587},
    {"[mx.example.net]", 0, false, false, "mx.example.net", 25},
    {"", -1, false, false, NULL, 0},
    {"[]", -1, false, false, NULL, 0},
    {"[", -1, false, false, NULL, 0},
    {"[x", -1, false, false, NULL, 0},
    {"]", -1, false, false, NULL, 0},
    {"[192.0.2.1]x", -1, false, false, NULL, 0},
    {"[192.0.2.1]:", -1, false, false, NULL, 0},
    {"[192.0.2.1]:0", -1, false, false, NULL, 0},
    {"[192.0.2.1]:65536", -1, false, false, NULL, 0},
    {"[0x7f.1]", 0, false, false, "0x7f.1", 25}, /* a name for the DNS, never an address */
    {"example.org:25", -1, false, false, NULL, 0},
    {"a b", -1, false, false, NULL, 0},
};

static void
parses_destinations(void **state)
{
	struct route r;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];

		check_row(row->destination,
		    route_parse(span_str(row->destination), 25, &r) == row->result);
		if (row->result != 0)
			continue;
		check_row(row->destination, r.mx == row->mx && r.literal == row->literal);
		check_row(row->destination, r.port == row->port);
		check_row(row->destination, strcmp(r.host, row->host) == 0);
		check_row(row->destination, !r.literal || r.address.port == row->port);
	}
}

struct found {
	int called;
	struct route_targets targets;
};

static void
on_found(const struct route_targets *t, void *arg)
{
	struct found *f = arg;

	f->called++;
	f->targets = *t;
}

struct literal_row {
	const char *destination, *smarthost;
	bool allow;
	bool found;
};

/* Which literals may be on loopback: no name server is needed for these. */
static const struct literal_row literal_rows[] = {
    {"[192.0.2.1]:25", NULL, false, true},
    {"[127.0.0.1]:25", NULL, false, false},
    {"[::1]:25", NULL, false, false},
    {"[0.0.0.0]:25", NULL, false, false},
    {"[::ffff:127.0.0.1]:25", NULL, false, false},
    {"[127.0.0.1]:25", NULL, true, true},
    {"[127.0.0.1]:25", "127.0.0.1:25", false, true},
    {"[127.0.0.1]:25", "[127.0.0.1]:25", false, true},
    {"[127.0.0.1]:25", "127.0.0.2:25", false, false},
    {"[127.0.0.1]:10025", NULL, false, true}, /* only an administrator writes such a port */
    {"[203.0.113.9]:25", NULL, true, false},  /* ourselves */
    {"[203.0.113.9]:26", NULL, true, true},
    {"not a destination", NULL, true, false},
};

static void
keeps_off_loopback(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof literal_rows / sizeof *literal_rows; i++) {
		const struct literal_row *row = &literal_rows[i];
		struct route_options o = {.self = "mx.test",
		    .smarthost = row->smarthost,
		    .port = 25,
		    .allow_loopback = row->allow,
		    .nown = 1};
		struct found f = {0};

		assert_int_equal(netaddr_parse_port(span_str("203.0.113.9:25"), &o.own[0]), 0);
		route_find(NULL, &o, row->destination, on_found, &f);
		check_row(row->destination, f.called == 1);
		check_row(row->destination, (f.targets.n == 1) == row->found);
		if (!row->found && row->destination[0] == '[')
			check_row(
			    row->destination, strcmp(f.targets.verdict.status, "5.4.6") == 0);
		if (row->destination[0] != '[')
			check_row(
			    row->destination, f.targets.verdict.kind == VERDICT_TEMPORARY);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses_destinations),
	    cmocka_unit_test(keeps_off_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
