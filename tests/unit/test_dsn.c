/* test_dsn: NOTIFY as a set, and addresses as reports and ORCPT have them. */
#include "queue/dsn.h"

#include "tests/unit/testing.h"

static const struct {
	const char *value;
	unsigned set;
	const char *text;
} notify[] = {
    {"", NOTIFY_DEFAULT, ""},
    {"NEVER", NOTIFY_NEVER, "NEVER"},
    {"never", NOTIFY_NEVER, "NEVER"},
    {"SUCCESS", NOTIFY_SUCCESS, "SUCCESS"},
    {"delay,Success", NOTIFY_SUCCESS | NOTIFY_DELAY, "SUCCESS,DELAY"},
    {"FAILURE,DELAY", NOTIFY_FAILURE | NOTIFY_DELAY, "FAILURE,DELAY"},
    {"SUCCESS,FAILURE,DELAY", NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY,
	"SUCCESS,FAILURE,DELAY"},
    {"NEVER,SUCCESS", NOTIFY_DEFAULT, ""},
    {"SOMETIMES", NOTIFY_DEFAULT, ""},
    {",", NOTIFY_DEFAULT, ""},
};

static void
reads_notify(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof notify / sizeof *notify; i++) {
		unsigned set = dsn_notify_parse(span_str(notify[i].value));

		check_row(notify[i].value, set == notify[i].set);
		check_row(notify[i].value, strcmp(dsn_notify_format(set), notify[i].text) == 0);
	}
}

/* RFC 3461 5.2.7: an alias with one target passes all of it on; of several targets none says success. */
static void
aliases_pass_notify_on(void **state)
{
	const unsigned all = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY;

	(void)state;
	assert_int_equal(dsn_notify_expanded(all, 1), all);
	assert_int_equal(dsn_notify_expanded(all, 2), NOTIFY_FAILURE | NOTIFY_DELAY);
	assert_int_equal(dsn_notify_expanded(NOTIFY_SUCCESS, 2), NOTIFY_NEVER);
	assert_int_equal(dsn_notify_expanded(NOTIFY_SUCCESS, 1), NOTIFY_SUCCESS);
	assert_int_equal(dsn_notify_expanded(NOTIFY_NEVER, 2), NOTIFY_NEVER);
	assert_int_equal(dsn_notify_expanded(NOTIFY_DEFAULT, 5), NOTIFY_DEFAULT);
}

typedef int add_fn(struct buf *out, struct span s);

#define A20  "aaaaaaaaaaaaaaaaaaaa"
#define A100 A20 A20 A20 A20 A20

static const struct {
	const char *name;
	add_fn *add;
	const char *in, *want; /* NULL: refused */
} addresses[] = {
    {"text", dsn_add_ascii, "a b\\c", "a b\\c"},
    {"control", dsn_add_ascii, "a\nb\x7f", "a\\x0ab\\x7f"},
    {"character", dsn_add_ascii, "m\xc3\xbcller \xf0\x9f\x98\x80", "m\\x{FC}ller \\x{1F600}"},
    {"no character", dsn_add_ascii, "\xff\xc3", "\\xff\\xc3"},
    {"overlong", dsn_add_ascii, "\xc0\x8a", "\\xc0\\x8a"},
    {"rfc822", dsn_add_address, "\"a\\\\b\"@d.test", "rfc822; \"a\\\\b\"@d.test"},
    {"utf-8", dsn_add_address, "m\xc3\xbc+x@d.test", "utf-8; m\\x{FC}\\x{2B}x@d.test"},
    {"utf-8 with a backslash", dsn_add_address, "\"\xc3\xbc\\\\\"@d.test",
	"utf-8; \"\\x{FC}\\x{5C}\\x{5C}\"@d.test"},
    {"orcpt", dsn_add_orcpt, "a+b=c@d.test", "rfc822;a+2Bb+3Dc@d.test"},
    {"orcpt with a space", dsn_add_orcpt, "\"a b\"@d.test", "rfc822;\"a+20b\"@d.test"},
    {"orcpt utf-8", dsn_add_orcpt, "\xc3\xbc+@d.test", "utf-8;\\x{FC}\\x{2B}@d.test"},
    {"given orcpt", dsn_add_given_orcpt, "rfc822;a+2Bb@d.test", "rfc822;a+2Bb@d.test"},
    {"given orcpt of another type", dsn_add_given_orcpt, "X-y;a", "X-y;a"},
    {"given orcpt utf-8 as it is", dsn_add_given_orcpt, "utf-8;\xc3\xbc@d.test",
	"utf-8;\\x{FC}@d.test"},
    {"given orcpt with a space", dsn_add_given_orcpt, "rfc822;a NOTIFY", NULL},
    {"given orcpt with a line end", dsn_add_given_orcpt, "rfc822;a\r\nDATA", NULL},
    {"given orcpt with a coded one", dsn_add_given_orcpt, "rfc822;a+0D+0A", NULL},
    {"given orcpt with a space in its type", dsn_add_given_orcpt, "rfc 822;a", NULL},
    {"given orcpt without a type", dsn_add_given_orcpt, ";a", NULL},
    {"given orcpt not utf-8", dsn_add_given_orcpt, "rfc822;\xc3\xbc", NULL},
    {"given orcpt too long", dsn_add_given_orcpt, "rfc822;" A100 A100 A100 A100 A100, NULL},
    {"original", dsn_add_original, "rfc822;a+2Bb@d.test", "rfc822; a+b@d.test"},
    {"original of another type", dsn_add_original, "x400;/c=de/", NULL},
    {"original x400 coded", dsn_add_original, "x400;/c+3Dde/", "x400; /c=de/"},
    {"original utf-8 coded", dsn_add_original, "utf-8;\\x{FC}@d.test", "utf-8; \\x{FC}@d.test"},
    {"original utf-8 as it is", dsn_add_original, "utf-8;\xc3\xbc@d.test",
	"utf-8; \\x{FC}@d.test"},
    {"original utf-8, both", dsn_add_original, "utf-8;\xc3\xbc\\x{FC}\\x{2B}@d.test",
	"utf-8; \\x{FC}\\x{FC}\\x{2B}@d.test"},
    {"original utf-8 that is none", dsn_add_original, "utf-8;a\\x{A}@d.test", NULL},
    {"global original", dsn_add_original_utf8, "utf-8;\xc3\xbc\\x{FC}\\x{2B}@d.test",
	"utf-8; \xc3\xbc\xc3\xbc+@d.test"},
    {"global original in ASCII", dsn_add_original_utf8, "rfc822;a+2Bb@d.test",
	"rfc822; a+b@d.test"},
    {"global original with a line end", dsn_add_original_utf8, "utf-8;a\\x{85}b", NULL},
    {"global", dsn_add_address_utf8, "m\xc3\xbc+x@d.test", "utf-8; m\xc3\xbc+x@d.test"},
    {"global in ASCII", dsn_add_address_utf8, "a+x@d.test", "rfc822; a+x@d.test"},
    {"global that is no UTF-8", dsn_add_address_utf8, "a\xff@d.test", "utf-8; a\\xff@d.test"},
    {"given orcpt utf-8, both", dsn_add_given_orcpt, "utf-8;\xc3\xbc\\x{2B}@d.test",
	"utf-8;\\x{FC}\\x{2B}@d.test"},
    {"original by Postfix", dsn_add_original, "rfc822;m+C3+BC@d.test",
	"utf-8; m\\x{FC}@d.test"},
    {"given orcpt by Postfix", dsn_add_given_orcpt, "rfc822;m+C3+BC@d.test",
	"utf-8;m\\x{FC}@d.test"},
    {"original with a line end", dsn_add_original, "rfc822;a+0D+0AX:+20y",
	"rfc822; a\\x0d\\x0aX: y"},
    {"original without a type", dsn_add_original, "a@d.test", NULL},
    {"original with an empty type", dsn_add_original, ";a@d.test", NULL},
    {"original with a line end in its type", dsn_add_original, "rfc\n822;a@d.test", NULL},
    {"original that fits no line", dsn_add_original,
	"utf-8;" A100 A100 A100 A100 A100 A100 A100 A100 A100, NULL},
};

static void
writes_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		struct buf b;
		int r;

		buf_init(&b, 4096);
		r = addresses[i].add(&b, span_str(addresses[i].in));
		check_row(addresses[i].name, (r == 0) == (addresses[i].want != NULL));
		check_row(addresses[i].name,
		    strcmp(buf_str(&b), addresses[i].want != NULL ? addresses[i].want : "") ==
			0);
		buf_release(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_notify),
	    cmocka_unit_test(aliases_pass_notify_on),
	    cmocka_unit_test(writes_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
