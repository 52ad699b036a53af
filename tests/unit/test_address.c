/* test_address: RFC 5321 paths and mailboxes. The rows of tests/vectors/addresses.tsv are read from there. */
#include "common/address.h"

#include <stdlib.h>

#include "tests/unit/escapes.h"
#include "tests/unit/testing.h"

#define TABLE "tests/vectors/addresses.tsv"

static const char *
judge(struct span s, struct address *a)
{
	if (address_parse(s, ADDRESS_POSTMASTER, a, NULL) == 0)
		return "valid";
	if (address_parse(s, ADDRESS_POSTMASTER | ADDRESS_UTF8, a, NULL) == 0)
		return "valid-utf8";
	return "invalid";
}

static void
check_table_row(struct span line)
{
	struct span id = span_cut(&line, '\t'), input = span_cut(&line, '\t');
	struct span want = span_cut(&line, '\t'), canonical = {NULL, 0};
	char name[40];
	struct address a;
	struct buf text;

	snprintf(name, sizeof name, "%.*s", SPAN_ARG(id));
	if (span_index(want, '=') >= 0) {
		canonical = want;
		want = span_trim(span_cut(&canonical, '='));
		canonical = span_trim(canonical);
	}
	buf_init(&text, 65536);
	check_row(name, escapes_expand(input, &text));
	check_row(name, span_is(want, judge(buf_span(&text), &a)));
	if (canonical.p != NULL)
		check_row(name, span_eq(address_span(&a), canonical));
	buf_release(&text);
}

static void
agrees_with_the_table(void **state)
{
	FILE *f = fopen(TABLE, "r");
	char *line = NULL;
	size_t cap = 0, rows = 0;
	ssize_t n;

	(void)state;
	if (f == NULL)
		fail_msg("%s: run from the top of the source tree", TABLE);
	assert_true(getline(&line, &cap, f) > 0);
	while ((n = getline(&line, &cap, f)) > 0) {
		struct span text = span_make(line, (size_t)n);

		if (n > 1)
			check_table_row(
			    line[n - 1] == '\n' ? span_first(text, text.len - 1) : text);
		rows++;
	}
	assert_true(rows > 50);
	free(line);
	fclose(f);
}

static const struct {
	const char *in;
	unsigned flags;
	const char *want; /* NULL: refused */
	const char *local;
	bool utf8, literal;
} canonical_rows[] = {
    {"Bob@Example.ORG", 0, "Bob@example.org", "Bob", false, false},
    {"\"Bob\"@x.test", 0, "Bob@x.test", "Bob", false, false},
    {"\"a b\"@x.test", 0, "\"a b\"@x.test", "a b", false, false},
    {"\"a\\b\"@x.test", 0, "ab@x.test", "ab", false, false},
    {"\"a\\\\b\"@x.test", 0, "\"a\\\\b\"@x.test", "a\\b", false, false},
    {"\"\\a\\\"\"@x.test", 0, "\"a\\\"\"@x.test", "a\"", false, false},
    {"\"a.\"@x.test", 0, "\"a.\"@x.test", "a.", false, false},
    {"\"\"@x.test", 0, "\"\"@x.test", "", false, false},
    {"\"a@b\"@x.test", 0, "\"a@b\"@x.test", "a@b", false, false},
    {"a@[192.0.2.1]", 0, "a@[192.0.2.1]", "a", false, true},
    {"a@[IPv6:2001:DB8::1]", 0, "a@[ipv6:2001:db8::1]", "a", false, true},
    {"a@[ipv6:::ffff:192.0.2.1]", 0, "a@[ipv6:::ffff:192.0.2.1]", "a", false, true},
    {"a@[IPv6:1:2:3:4:5:6::]", 0, "a@[ipv6:1:2:3:4:5:6::]", "a", false, true},
    {"a@[IPv6:1:2:3:4:5:6:7::]", 0, NULL, NULL, false, false},
    {"a@[IPv6:1:2:3:4:5::1.2.3.4]", 0, NULL, NULL, false, false},
    {"a@[Tag:foo]", 0, NULL, NULL, false, false},
    {"a@[::1]", 0, NULL, NULL, false, false},
    {"a@[192.0.2.1]x", 0, NULL, NULL, false, false},
    {"a@[", 0, NULL, NULL, false, false},
    {"a@[IPv6:192.0.2.1]", 0, NULL, NULL, false, false},
    {"@a.test:\"a b\"@x.test", 0, "\"a b\"@x.test", "a b", false, false},
    {"@a.test,@[192.0.2.1]:b@x.test", 0, NULL, NULL, false, false},
    {"@a.test,b.test:b@x.test", 0, NULL, NULL, false, false},
    {"@a.test,:b@x.test", 0, NULL, NULL, false, false},
    {"@a.test:", 0, NULL, NULL, false, false},
    {"@a.test:@b.test:c@x.test", 0, NULL, NULL, false, false},
    {"@a.test:postmaster", ADDRESS_POSTMASTER, NULL, NULL, false, false},
    {"postmaster", 0, NULL, NULL, false, false},
    {"PostMaster", ADDRESS_POSTMASTER, "postmaster", "postmaster", false, false},
    {"\"postmaster\"", ADDRESS_POSTMASTER, NULL, NULL, false, false},
    {"", 0, NULL, NULL, false, false},
    {"", ADDRESS_ALLOW_EMPTY, "", "", false, false},
    {"a@x.test.", 0, NULL, NULL, false, false},
    {"a@x_y.test", 0, NULL, NULL, false, false},
    {"a@ab--cd.test", 0, "a@ab--cd.test", "a", false, false},
    {"a@XN--BCHER-KVA.TEST", 0, "a@xn--bcher-kva.test", "a", false, false},
    {"a@xn--ls8h.test", 0, NULL, NULL, false, false},
    {"a@xn--.test", 0, NULL, NULL, false, false},
    {"a@xn--b-a.test", 0, NULL, NULL, false, false},
    {"a@B\xc3\xbc"
     "cher.Test",
	ADDRESS_UTF8, "a@xn--bcher-kva.test", "a", true, false},
    {"a@b\xc3\xbc"
     "cher.test",
	0, NULL, NULL, false, false},
    {"a@B\xc3\x9c"
     "CHER.test",
	ADDRESS_UTF8, "a@xn--bcher-kva.test", "a", true, false},
    {"a@bu\xcc\x88"
     "cher.test",
	ADDRESS_UTF8, NULL, NULL, false, false},
    {"a@\xef\xbd\x81.test", ADDRESS_UTF8, NULL, NULL, false, false},
    {"a@-\xc3\xbc.test", ADDRESS_UTF8, NULL, NULL, false, false},
    {"a@\xc3\xbc-.test", ADDRESS_UTF8, NULL, NULL, false, false},
    {"a@\xc3\xbc_x.test", ADDRESS_UTF8, NULL, NULL, false, false},
    {"a@xn--\xc3\xbc.test", ADDRESS_UTF8, NULL, NULL, false, false},
    {"a@\xc3.test", ADDRESS_UTF8, NULL, NULL, false, false},
    {"\"m\xc3\xbcller\"@x.test", ADDRESS_UTF8, "m\xc3\xbcller@x.test", "m\xc3\xbcller", true,
	false},
    {"mu\xcc\x88ller@x.test", ADDRESS_UTF8, "m\xc3\xbcller@x.test", "m\xc3\xbcller", true,
	false},
    {"MU\xcc\x88LLER@x.test", ADDRESS_UTF8, NULL, NULL, false, false},
    {"m\xc3\xbcller@x.test", 0, NULL, NULL, false, false},
    {"m\xc2\x85@x.test", ADDRESS_UTF8, NULL, NULL, false, false},
    {"\"\\\xc3\xbc\"@x.test", ADDRESS_UTF8, NULL, NULL, false, false},
};

static void
canonicalises(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof canonical_rows / sizeof *canonical_rows; i++) {
		char local[LOCAL_PART_MAX + 1];
		const char *why = NULL;
		struct address a = {.len = 77};
		int r = address_parse(
		    span_str(canonical_rows[i].in), canonical_rows[i].flags, &a, &why);

		check_row(canonical_rows[i].in, r == (canonical_rows[i].want != NULL ? 0 : -1));
		check_row(canonical_rows[i].in, r == 0 || (why != NULL && a.len == 77));
		if (r != 0)
			continue;
		check_row(canonical_rows[i].in,
		    strcmp(a.text, canonical_rows[i].want) == 0 && a.len == strlen(a.text));
		check_row(canonical_rows[i].in,
		    address_local_unquoted(&a, local) == strlen(canonical_rows[i].local));
		check_row(canonical_rows[i].in, strcmp(local, canonical_rows[i].local) == 0);
		check_row(canonical_rows[i].in,
		    a.utf8 == canonical_rows[i].utf8 && a.literal == canonical_rows[i].literal);
	}
}

static void
takes_addresses_apart(void **state)
{
	struct address a;

	(void)state;
	assert_int_equal(address_parse(span_str("\"a@b\"@x.test"), 0, &a, NULL), 0);
	assert_true(span_is(address_local(&a), "\"a@b\""));
	assert_true(span_is(address_domain(&a), "x.test"));
	assert_true(span_is(address_span(&a), "\"a@b\"@x.test"));
	assert_int_equal(
	    address_parse(span_str("postmaster"), ADDRESS_POSTMASTER, &a, NULL), 0);
	assert_true(span_is(address_local(&a), "postmaster"));
	assert_int_equal(address_domain(&a).len, 0);
	assert_int_equal(address_parse(span_str(""), ADDRESS_ALLOW_EMPTY, &a, NULL), 0);
	assert_int_equal(address_local(&a).len, 0);
	assert_int_equal(address_domain(&a).len, 0);
}

static void
takes_a_path_off_the_front(void **state)
{
	static const struct {
		const char *in, *want, *rest; /* want NULL: refused, and nothing is taken */
	} rows[] = {
	    {"<a@x.test>", "a@x.test", ""},
	    {"<a@x.test> SIZE=1", "a@x.test", " SIZE=1"},
	    {"<a@x.test>b@y.test", "a@x.test", "b@y.test"},
	    {"<>", "", ""},
	    {"<> BODY=8BITMIME", "", " BODY=8BITMIME"},
	    {"<\"a>b\"@x.test>", "\"a>b\"@x.test", ""},
	    {"<\"a\\\">b\"@x.test>", "\"a\\\">b\"@x.test", ""},
	    {"<@a.test:b@x.test>", "b@x.test", ""},
	    {"a@x.test", NULL, NULL},
	    {" <a@x.test>", NULL, NULL},
	    {"<a@x.test", NULL, NULL},
	    {"<\"a>b@x.test", NULL, NULL},
	    {"<a\">b\"@x.test>", NULL, NULL},
	    {"<<a@x.test>>", NULL, NULL},
	    {"< a@x.test>", NULL, NULL},
	    {"<", NULL, NULL},
	    {"<\"\\", NULL, NULL},
	    {"", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span rest = span_str(rows[i].in);
		struct address a;
		int r = address_parse_path(&rest, ADDRESS_ALLOW_EMPTY, &a, NULL);

		check_row(rows[i].in, r == (rows[i].want != NULL ? 0 : -1));
		check_row(rows[i].in, span_is(rest, r == 0 ? rows[i].rest : rows[i].in));
		check_row(rows[i].in, r != 0 || strcmp(a.text, rows[i].want) == 0);
	}
}

static void
judges_helo_names(void **state)
{
	static const struct {
		const char *in;
		bool want;
	} rows[] = {
	    {"c.test", true},
	    {"c", true},
	    {"c_test", true},
	    {"_x.c.test", true},
	    {"[192.0.2.1]", true},
	    {"[IPv6:2001:db8::1]", true},
	    {"[IPv6:fe80::1%eth0]", false},
	    {"[2001:db8::1]", false},
	    {"[]", false},
	    {"[", false},
	    {"", false},
	    {".", false},
	    {"c.", false},
	    {".c", false},
	    {"-c.test", false},
	    {"c-.test", false},
	    {"a) by evil (b", false},
	    {"c test", false},
	    {"c\ttest", false},
	    {"b\xc3\xbc"
	     "cher.test",
		false},
	};
	char many[300];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_row(rows[i].in, address_helo_valid(span_str(rows[i].in)) == rows[i].want);
	assert_false(address_helo_valid(LITERAL("c\0t")));
	memset(many, 'a', sizeof many);
	assert_true(address_helo_valid(span_make(many, 63)));
	assert_false(address_helo_valid(span_make(many, 64)));
	for (size_t i = 1; i < sizeof many; i += 2)
		many[i] = '.';
	assert_true(address_helo_valid(span_make(many, 255)));
	assert_false(address_helo_valid(span_make(many, 257)));
}

/* A U-label may be four times as long in UTF-8 as its A-label may be; the limit is on the latter. */
static void
measures_labels_in_their_final_form(void **state)
{
	char in[400], out[DOMAIN_MAX + 1];
	size_t len, fits = 0;

	(void)state;
	for (size_t n = 1; n < 100; n++) {
		const char *why = NULL;

		for (size_t i = 0; i < n; i++)
			memcpy(in + 3 * i, "\xe3\x81\x82", 3);
		if (domain_canonical(span_make(in, 3 * n), true, out, &len, &why) == 0) {
			assert_int_equal(strlen(out), len);
			assert_true(len <= 63 && fits == n - 1);
			fits = n;
		} else {
			assert_non_null(why);
		}
	}
	assert_true(fits > 20 && fits < 63);
}

/* Capitals have the A-label of their small letters; what else is no U-label stays none. */
static void
takes_domains_in_capitals(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: refused */
	} rows[] = {
	    {"BÜCHER.test", "xn--bcher-kva.test"}, {"bücher.TEST", "xn--bcher-kva.test"},
	    {"Ünal.ÉCOLE.test", "xn--nal-goa.xn--cole-9oa.test"},
	    {"ПОЧТА.test", "xn--80a1acny.test"}, {"ΣΟΦΟΣ.test", "xn--0xaakcn.test"},
	    {"STRAßE.test", "xn--strae-oqa.test"}, {"ｂ.test", NULL}, {"Ⓑ.test", NULL},
	    {"😀.test", NULL}, {"XN--BCHER-KVA.test", "xn--bcher-kva.test"},
	    {"xn--bcher-2pa.test", NULL}, /* of a label with a capital: nobody's */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char out[DOMAIN_MAX + 1] = "";
		const char *why = NULL;
		size_t len;
		int r = domain_canonical(span_str(rows[i].in), true, out, &len, &why);

		if ((r == 0) != (rows[i].want != NULL) ||
		    (r == 0 && strcmp(out, rows[i].want) != 0))
			fail_msg("%s: got %s %s", rows[i].in, out, why != NULL ? why : "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_domains_in_capitals),
	    cmocka_unit_test(agrees_with_the_table),
	    cmocka_unit_test(canonicalises),
	    cmocka_unit_test(takes_addresses_apart),
	    cmocka_unit_test(takes_a_path_off_the_front),
	    cmocka_unit_test(judges_helo_names),
	    cmocka_unit_test(measures_labels_in_their_final_form),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
