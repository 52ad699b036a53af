/* test_dns_answer: replies of name servers, built octet by octet, and what they mean for mail. */
#include "deliver/dns_answer.h"

#include <stdlib.h>

#include "common/buf.h"
#include "tests/unit/testing.h"

#define TYPE_CNAME 5
#define TYPE_SOA   6

/* A reply being built. */
struct reply {
	struct buf b;
	unsigned answers, authorities;
};

static void
add16(struct buf *b, unsigned v)
{
	buf_add_char(b, (char)(v >> 8));
	buf_add_char(b, (char)v);
}

static void
add32(struct buf *b, uint32_t v)
{
	add16(b, v >> 16);
	add16(b, v & 0xffff);
}

/* A dotted name; "" and "." are the root. */
static void
add_name(struct buf *b, const char *name)
{
	struct span rest = span_str(name);

	while (rest.len > 0) {
		struct span label = span_cut(&rest, '.');

		if (label.len == 0)
			break;
		buf_add_char(b, (char)label.len);
		buf_add_span(b, label);
	}
	buf_add_char(b, '\0');
}

static void
reply_init(struct reply *r, const char *name, unsigned type, unsigned rcode)
{
	*r = (struct reply){0};
	buf_init(&r->b, 65536);
	add16(&r->b, 0x1234);
	add16(&r->b, 0x8180 | rcode);
	add16(&r->b, 1);
	add16(&r->b, 0);
	add16(&r->b, 0);
	add16(&r->b, 0);
	add_name(&r->b, name);
	add16(&r->b, type);
	add16(&r->b, 1);
}

static void
add_record(struct reply *r, const char *owner, unsigned type, uint32_t ttl, struct span data)
{
	add_name(&r->b, owner);
	add16(&r->b, type);
	add16(&r->b, 1);
	add32(&r->b, ttl);
	add16(&r->b, (unsigned)data.len);
	buf_add_span(&r->b, data);
	if (type == TYPE_SOA)
		r->authorities++;
	else
		r->answers++;
}

static void
add_mx(struct reply *r, const char *owner, unsigned preference, const char *host, uint32_t ttl)
{
	struct buf data;

	buf_init(&data, 512);
	add16(&data, preference);
	add_name(&data, host);
	add_record(r, owner, DNS_TYPE_MX, ttl, buf_span(&data));
	buf_release(&data);
}

static void
add_named(struct reply *r, const char *owner, unsigned type, const char *name)
{
	struct buf data;

	buf_init(&data, 512);
	add_name(&data, name);
	add_record(r, owner, type, 300, buf_span(&data));
	buf_release(&data);
}

static void
parse(struct reply *r, const char *name, uint16_t type, struct dns_answer *a)
{
	unsigned char *exact; /* so that the sanitizer sees a read beyond the end */

	r->b.p[6] = (char)(r->answers >> 8);
	r->b.p[7] = (char)r->answers;
	r->b.p[9] = (char)r->authorities;
	exact = malloc(r->b.len);
	memcpy(exact, r->b.p, r->b.len);
	dns_answer_parse(exact, r->b.len, name, type, a);
	free(exact);
	buf_release(&r->b);
}

static void
reads_mx(void **state)
{
	struct dns_answer a;
	struct reply r;

	(void)state;
	reply_init(&r, "d.test", DNS_TYPE_MX, 0);
	add_mx(&r, "D.Test", 20, "MX2.d.test", 600);
	add_mx(&r, "d.test", 10, "mx1.d.test", 300);
	add_mx(&r, "other.test", 1, "evil.test", 300);
	parse(&r, "d.test", DNS_TYPE_MX, &a);
	assert_int_equal(a.result, DNS_FOUND);
	assert_int_equal(a.n, 2);
	assert_string_equal(a.mx[0].host, "mx2.d.test");
	assert_int_equal(a.mx[0].preference, 20);
	assert_int_equal(a.ttl, 300);
}

/* The names of an address: host names alone, through the CNAME of a delegated range (RFC 2317), the rest left out. */
static void
reads_names_of_addresses(void **state)
{
	static const char *const evil[] = {"a\nb.test", "a b.test", "-a.test", "a\"b.test", ""};
	struct dns_answer a;
	struct reply r;

	(void)state;
	reply_init(&r, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, 0);
	add_named(&r, "1.2.0.192.in-addr.arpa", TYPE_CNAME, "1.0/25.2.0.192.in-addr.arpa");
	add_named(&r, "1.0/25.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "Mail.D.test");
	for (size_t i = 0; i < sizeof evil / sizeof *evil; i++)
		add_named(&r, "1.0/25.2.0.192.in-addr.arpa", DNS_TYPE_PTR, evil[i]);
	add_named(&r, "2.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "other.test");
	parse(&r, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, &a);
	assert_int_equal(a.result, DNS_FOUND);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.mx[0].host, "mail.d.test");

	reply_init(&r, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, 0);
	for (unsigned i = 0; i < DNS_RECORDS_MAX + 40; i++)
		add_named(&r, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "many.test");
	parse(&r, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, &a);
	assert_int_equal(a.n, DNS_RECORDS_MAX);

	reply_init(&r, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, 0);
	add_named(&r, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "a\nb.test");
	parse(&r, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, &a);
	assert_int_equal(a.result, DNS_FOUND);
	assert_int_equal(a.n, 0);
}

static void
follows_cnames(void **state)
{
	struct dns_answer a;
	struct reply r;

	(void)state;
	reply_init(&r, "www.test", DNS_TYPE_A, 0);
	add_record(&r, "host.test", DNS_TYPE_A, 60, LITERAL("\xc0\x00\x02\x07"));
	add_named(&r, "www.test", TYPE_CNAME, "alias.test");
	add_named(&r, "alias.test", TYPE_CNAME, "host.test");
	add_record(&r, "host.test", DNS_TYPE_A, 60, LITERAL("\x01\x02\x03")); /* too short */
	parse(&r, "www.test", DNS_TYPE_A, &a);
	assert_int_equal(a.result, DNS_FOUND);
	assert_int_equal(a.n, 1);
	assert_memory_equal(a.address[0].ip, "\xc0\x00\x02\x07", 4);

	reply_init(&r, "a.test", DNS_TYPE_A, 0);
	add_named(&r, "a.test", TYPE_CNAME, "b.test");
	add_named(&r, "b.test", TYPE_CNAME, "a.test");
	parse(&r, "a.test", DNS_TYPE_A, &a);
	assert_int_equal(a.result, DNS_TEMPORARY);
}

struct negative {
	const char *name;
	unsigned rcode;
	const char *soa; /* NULL: none */
	enum dns_result want;
};

static const struct negative negatives[] = {
    {"no data", 0, "test", DNS_NO_DATA},
    {"no data without SOA", 0, NULL, DNS_NO_DATA},
    {"NXDOMAIN", 3, "test", DNS_NO_NAME},
    {"NXDOMAIN of the root", 3, "", DNS_NO_NAME},
    {"NXDOMAIN without SOA", 3, NULL, DNS_TEMPORARY},
    {"NXDOMAIN with a SOA from elsewhere", 3, "other", DNS_TEMPORARY},
    {"NXDOMAIN with a SOA of half a label", 3, "est", DNS_TEMPORARY},
    {"SERVFAIL", 2, NULL, DNS_TEMPORARY},
    {"REFUSED", 5, NULL, DNS_TEMPORARY},
};

static void
tells_negative_answers(void **state)
{
	struct dns_answer a;
	struct reply r;

	(void)state;
	for (size_t i = 0; i < sizeof negatives / sizeof *negatives; i++) {
		reply_init(&r, "d.test", DNS_TYPE_MX, negatives[i].rcode);
		if (negatives[i].soa != NULL)
			add_named(&r, negatives[i].soa, TYPE_SOA, "ns.test");
		parse(&r, "d.test", DNS_TYPE_MX, &a);
		check_row(negatives[i].name, a.result == negatives[i].want);
		check_row(negatives[i].name, a.n == 0);
	}
}

static void
refuses_malformed_answers(void **state)
{
	struct dns_answer a;
	struct reply r;
	unsigned char *whole;
	size_t len;

	(void)state;
	reply_init(&r, "other.test", DNS_TYPE_MX, 0);
	add_mx(&r, "d.test", 10, "mx1.d.test", 300);
	parse(&r, "d.test", DNS_TYPE_MX, &a);
	assert_int_equal(a.result, DNS_TEMPORARY); /* an answer to another question */

	reply_init(&r, "d.test", DNS_TYPE_MX, 0);
	add_mx(&r, "d.test", 10, "mx1.d.test", 300);
	r.b.p[7] = 1;
	len = r.b.len;
	whole = malloc(len);
	memcpy(whole, r.b.p, len);
	buf_release(&r.b);
	for (size_t n = 0; n < len; n++) {
		unsigned char *part = malloc(n > 0 ? n : 1);

		memcpy(part, whole, n);
		dns_answer_parse(part, n, "d.test", DNS_TYPE_MX, &a);
		assert_int_equal(a.result, DNS_TEMPORARY);
		free(part);
	}
	whole[12] = 0xc0; /* a name that points to itself */
	whole[13] = 12;
	dns_answer_parse(whole, len, "d.test", DNS_TYPE_MX, &a);
	assert_int_equal(a.result, DNS_TEMPORARY);
	free(whole);
}

static void
checks_names(void **state)
{
	static const char *const bad[] = {
	    "mx 1.test", "mx\n.test", "-mx.test", "mx-.test", "mx$.test"};
	struct dns_answer a;
	struct verdict v;
	struct reply r;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		reply_init(&r, "d.test", DNS_TYPE_MX, 0);
		add_mx(&r, "d.test", 10, bad[i], 300);
		parse(&r, "d.test", DNS_TYPE_MX, &a);
		check_row(bad[i],
		    a.result == DNS_FOUND && a.n == 0); /* no reason to try the A record */
		check_row(bad[i], !dns_answer_usable_mx(&a, "d.test", "mx.self", &v));
		check_row(bad[i], v.kind == VERDICT_PERMANENT);
	}
	assert_true(dns_name_is_host(LITERAL("a_b.c-d.example")));
	assert_false(dns_name_is_host(LITERAL("")));
	assert_false(dns_name_is_host(LITERAL("a..b")));
	assert_false(dns_name_is_host(LITERAL("a.")));
}

static void
clamps_the_ttl(void **state)
{
	static const struct {
		uint32_t ttl, want;
	} rows[] = {{0, DNS_TTL_MIN}, {30, 30}, {3600, 3600}, {86400, DNS_TTL_MAX},
	    {0x80000000U, DNS_TTL_MIN}, {UINT32_MAX, DNS_TTL_MIN}, {INT32_MAX, DNS_TTL_MAX}};
	struct dns_answer a;
	struct reply r;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		reply_init(&r, "d.test", DNS_TYPE_MX, 0);
		add_mx(&r, "d.test", 10, "mx.test", rows[i].ttl);
		parse(&r, "d.test", DNS_TYPE_MX, &a);
		assert_int_equal(a.ttl, rows[i].want);
	}
}

static void
bounds_the_records(void **state)
{
	struct dns_answer a;
	struct reply r;

	(void)state;
	reply_init(&r, "d.test", DNS_TYPE_MX, 0);
	for (unsigned i = 0; i < 200; i++)
		add_mx(&r, "d.test", i, "mx.test", 60);
	parse(&r, "d.test", DNS_TYPE_MX, &a);
	assert_int_equal(a.result, DNS_FOUND);
	assert_int_equal(a.n, DNS_RECORDS_MAX);
}

/* --- what it means: rows of the table of DNS situations --- */

struct mx_row {
	const char *name;
	struct {
		unsigned preference;
		const char *host;
	} mx[4];
	size_t n;
	bool usable;
	const char *hosts; /* in order, one space between */
	const char *status;
	int code;
};

static const struct mx_row mx_rows[] = {
    {"DN-01", {{20, "mx2"}, {10, "mx1"}}, 2, true, "mx1 mx2", NULL, 0},
    {"DN-08 null MX", {{0, ""}}, 1, false, "", "5.1.10", 556},
    {"DN-09 null MX and another", {{0, ""}, {10, "mx1"}}, 2, true, "mx1", NULL, 0},
    {"two null MX", {{0, ""}, {10, ""}}, 2, false, "", "5.4.4", 550},
    {"DN-10 localhost", {{10, "localhost"}}, 1, false, "", "5.4.6", 554},
    {"a subdomain of localhost", {{10, "x.localhost"}, {20, "mx"}}, 2, true, "mx", NULL, 0},
    {"DN-12 ourselves", {{10, "mx.self"}}, 1, false, "", "5.4.6", 554},
    {"not nearer than we are", {{5, "near"}, {10, "mx.self"}, {10, "same"}, {20, "far"}}, 4,
	true, "near", NULL, 0},
};

static void
chooses_hosts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof mx_rows / sizeof *mx_rows; i++) {
		const struct mx_row *row = &mx_rows[i];
		struct dns_answer a = {.result = DNS_FOUND, .n = row->n};
		struct verdict v;
		char hosts[200] = "";
		size_t at = 0;

		for (size_t k = 0; k < row->n; k++) {
			a.mx[k].preference = (uint16_t)row->mx[k].preference;
			memcpy(a.mx[k].host, row->mx[k].host, strlen(row->mx[k].host) + 1);
		}
		dns_answer_sort_mx(&a, arc4random);
		check_row(row->name,
		    dns_answer_usable_mx(&a, "d.test", "mx.self", &v) == row->usable);
		for (size_t k = 0; k < a.n; k++)
			at += (size_t)snprintf(hosts + at, sizeof hosts - at, "%s%s",
			    k > 0 ? " " : "", a.mx[k].host);
		check_row(row->name, strcmp(hosts, row->hosts) == 0);
		if (row->usable)
			continue;
		check_row(row->name, v.kind == VERDICT_PERMANENT && v.code == row->code);
		check_row(row->name, strcmp(v.status, row->status) == 0);
	}
}

static void
mixes_equal_preferences(void **state)
{
	unsigned first[3] = {0};

	(void)state;
	for (int i = 0; i < 600; i++) {
		struct dns_answer a = {.result = DNS_FOUND, .n = 4};

		for (size_t k = 0; k < 4; k++) {
			a.mx[k].preference = k == 3 ? 5 : 10;
			a.mx[k].host[0] = (char)('a' + k);
		}
		dns_answer_sort_mx(&a, arc4random);
		assert_int_equal(a.mx[0].host[0], 'd');
		first[a.mx[1].host[0] - 'a']++;
	}
	for (size_t k = 0; k < 3; k++)
		assert_in_range(first[k], 120, 280); /* 200 expected; 7 standard deviations */
}

static void
gives_verdicts(void **state)
{
	struct verdict v;

	(void)state;
	dns_answer_verdict(DNS_NO_NAME, "d.test", "MX", &v);
	assert_int_equal(v.kind, VERDICT_PERMANENT);
	assert_string_equal(v.status, "5.1.2");
	dns_answer_verdict(DNS_NO_DATA, "d.test", "address", &v);
	assert_int_equal(v.kind, VERDICT_PERMANENT);
	assert_string_equal(v.status, "5.4.4");
	dns_answer_verdict(DNS_TEMPORARY, "d.test", "MX", &v);
	assert_int_equal(v.kind, VERDICT_TEMPORARY);
	assert_string_equal(v.status, "4.4.3");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_mx),
	    cmocka_unit_test(reads_names_of_addresses),
	    cmocka_unit_test(follows_cnames),
	    cmocka_unit_test(tells_negative_answers),
	    cmocka_unit_test(refuses_malformed_answers),
	    cmocka_unit_test(checks_names),
	    cmocka_unit_test(clamps_the_ttl),
	    cmocka_unit_test(bounds_the_records),
	    cmocka_unit_test(chooses_hosts),
	    cmocka_unit_test(mixes_equal_preferences),
	    cmocka_unit_test(gives_verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
