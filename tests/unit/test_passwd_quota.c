/* test_passwd_quota: a user's own quota behind the seventh colon of his passwd line. */
#include "conf/passwd_quota.h"

#include "conf/passwd.h"
#include "tests/unit/testing.h"

#define K UINT64_C(1024)

static void
reads_dovecots_rules(void **state)
{
	static const struct {
		const char *extra;
		enum passwd_quota found;
		uint64_t octets;
	} rows[] = {
	    {"userdb_quota_rule=*:storage=1G", PASSWD_QUOTA_FOUND, K * K * K},
	    {"userdb_quota_rule=*:storage=500", PASSWD_QUOTA_FOUND, 500 * K},
	    {"userdb_quota_rule=*:storage=2k", PASSWD_QUOTA_FOUND, 2 * K},
	    {"userdb_quota_rule=*:storage=4096B", PASSWD_QUOTA_FOUND, 4096},
	    {"userdb_quota_rule=*:bytes=100M", PASSWD_QUOTA_FOUND, 100 * K * K},
	    {"userdb_quota_rule=*:bytes=4096", PASSWD_QUOTA_FOUND, 4096},
	    {"userdb_quota_rule=*:storage=0", PASSWD_QUOTA_FOUND, 0},
	    {"userdb_quota_rule=*:storage=5g", PASSWD_QUOTA_FOUND, 5 * K * K * K},
	    {"userdb_quota_rule=*:bytes=4095G", PASSWD_QUOTA_FOUND, 4095 * K * K * K},
	    {"userdb_quota_rule=*:storage=500MB", PASSWD_QUOTA_WRONG, 0},
	    {"userdb_quota_rule=*:storage=1 G", PASSWD_QUOTA_WRONG, 0},
	    {"userdb_quota_rule=*:storage=1  gb a=b", PASSWD_QUOTA_WRONG, 0},
	    {"userdb_quota_rule=*:bytes=100 MiB", PASSWD_QUOTA_WRONG, 0},
	    {"userdb_quota_rule=*:storage=1 G userdb_quota_rule=*:storage=2M",
		PASSWD_QUOTA_FOUND, 2 * K * K},
	    {"userdb_quota_rule=*:storage=1G G", PASSWD_QUOTA_FOUND, K * K * K},
	    {"G userdb_quota_rule=*:storage=1G", PASSWD_QUOTA_FOUND, K * K * K},
	    {"userdb_quota_rule=*:storage=1 g=h", PASSWD_QUOTA_FOUND, K},
	    {"userdb_quota_rule=*:storage=1 proxy", PASSWD_QUOTA_FOUND, K},
	    {"userdb_quota_rule=*:storage=1G ", PASSWD_QUOTA_FOUND, K * K * K},
	    {"userdb_quota_rule=Trash:storage=+1 G", PASSWD_QUOTA_NONE, 0},
	    {"userdb_quota_rule=*:storage=1.5G", PASSWD_QUOTA_WRONG, 0},
	    {"userdb_quota_rule=*:storage=10%", PASSWD_QUOTA_WRONG, 0},
	    {"userdb_mail=maildir:~/Maildir userdb_quota_rule=*:storage=3T x",
		PASSWD_QUOTA_FOUND, 3 * K * K * K * K},
	    {"userdb_quota_rule=*:storage=1G userdb_quota_rule=*:storage=2G",
		PASSWD_QUOTA_FOUND, 2 * K * K * K},
	    {"userdb_quota_rule=*:storage=1G userdb_quota_rule=Trash:storage=+10%%",
		PASSWD_QUOTA_FOUND, K * K * K},
	    {"", PASSWD_QUOTA_NONE, 0},
	    {"quota_rule=*:storage=1G", PASSWD_QUOTA_NONE, 0},
	    {"userdb_quota_rule=Trash:storage=1G", PASSWD_QUOTA_NONE, 0},
	    {"userdb_quota_rule=*:messages=5", PASSWD_QUOTA_WRONG, 0},
	    {"userdb_quota_rule=*", PASSWD_QUOTA_WRONG, 0},
	    {"userdb_quota_rule=*:storage=", PASSWD_QUOTA_WRONG, 0},
	    {"userdb_quota_rule=*:storage=K", PASSWD_QUOTA_WRONG, 0},
	    {"userdb_quota_rule=*:storage=-1", PASSWD_QUOTA_WRONG, 0},
	    {"userdb_quota_rule=*:storage=4T", PASSWD_QUOTA_WRONG, 0},
	    {"userdb_quota_rule=*:storage=18446744073709551615T", PASSWD_QUOTA_WRONG, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t octets = 0;
		struct span rule;

		check_row(rows[i].extra, passwd_quota_find(span_str(rows[i].extra), &octets,
					     &rule) == rows[i].found);
		check_row(rows[i].extra, octets == rows[i].octets);
	}
	assert_int_equal(
	    passwd_quota_find((struct span){NULL, 0}, &(uint64_t){0}, &(struct span){NULL, 0}),
	    PASSWD_QUOTA_NONE);
}

static void
replaces_them(void **state)
{
	static const struct {
		const char *extra, *set, *removed;
	} rows[] = {
	    {"", "userdb_quota_rule=*:storage=2048K", ""},
	    {"userdb_quota_rule=*:bytes=1", "userdb_quota_rule=*:storage=2048K", ""},
	    {"a=b userdb_quota_rule=*:storage=1G  c:d userdb_quota_rule=Trash:storage=+1M",
		"a=b c:d userdb_quota_rule=Trash:storage=+1M "
		"userdb_quota_rule=*:storage=2048K",
		"a=b c:d userdb_quota_rule=Trash:storage=+1M"},
	};
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_clear(&b);
		passwd_quota_replace(span_str(rows[i].extra), 2 * K * K, false, &b);
		assert_string_equal(buf_str(&b), rows[i].set);
		buf_clear(&b);
		passwd_quota_replace(span_str(rows[i].extra), 0, true, &b);
		assert_string_equal(buf_str(&b), rows[i].removed);
	}
	buf_release(&b);
}

static void
is_kept_with_the_user(void **state)
{
	static const char text[] = "ann:x\nbob:x:::::/bin/sh:userdb_quota_rule=*:storage=1M\n"
				   "cyd:x::::::userdb_quota_rule=*:bytes=1\ndan:x::::::userdb_"
				   "quota_rule=*:messages=1\n"
				   "eve:x::::::userdb_quota_rule=*:storage=0\n"
				   "fay:x::::::userdb_quota_rule=*:storage=1 G\n";
	static const struct {
		const char *name;
		uint32_t kib;
	} rows[] = {{"ann", PASSWD_NO_QUOTA}, {"bob", 1024}, {"cyd", 1},
	    {"dan", PASSWD_NO_QUOTA}, {"eve", 0}, {"fay", PASSWD_NO_QUOTA}};
	struct config_errors errors = {.v = NULL};
	struct passwd_file f;

	(void)state;
	assert_int_equal(
	    passwd_parse(&f, span_str(text), "p", span_str("/v/a.test"), &errors), 0);
	assert_true(f.has_quota);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_row(rows[i].name,
		    passwd_find(&f, span_str(rows[i].name))->quota_kib == rows[i].kib);
	assert_int_equal(errors.n, 2);
	assert_non_null(strstr(errors.v[1].text, "p:6: user fay has no quota of his own: "
						 "userdb_quota_rule=*:storage=1 G: expected"));
	assert_non_null(strstr(errors.v[0].text, "p:4: user dan has no quota of his own"));
	config_errors_release(&errors);
	passwd_release(&f);
	assert_int_equal(
	    passwd_parse(&f, span_str("ann:x\n"), "p", span_str("/v/a.test"), NULL), 0);
	assert_false(f.has_quota);
	passwd_release(&f);
}

/* A rule in another field would count for nothing, and nobody would know. */
static void
tells_what_strays(void **state)
{
#define GOOD "userdb_quota_rule=*:storage=1G"
	static const struct {
		const char *line;
		size_t complaints;
		bool counts;
	} rows[] = {
	    {"bob:x::::::" GOOD, 0, true},
	    {"bob:x::::::a=b " GOOD " " GOOD, 0, true},
	    {"bob:x:::::" GOOD, 1, false},
	    {"bob:x:::" GOOD, 1, false},
	    {"bob:x:::::::" GOOD, 1, false},
	    {"bob:x::::::a," GOOD, 1, false},
	    {"bob:x::::" GOOD ":" GOOD, 1, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config_errors errors = {0};
		const struct passwd_user *bob;
		struct passwd_file f;

		assert_int_equal(passwd_parse(&f, span_str(rows[i].line), "p",
				     span_str("/v/a.test"), &errors),
		    0);
		bob = passwd_find(&f, span_str("bob"));
		assert_non_null(bob);
		check_row(rows[i].line, (bob->quota_kib != PASSWD_NO_QUOTA) == rows[i].counts);
		check_row(rows[i].line, errors.n == rows[i].complaints);
		if (errors.n > 0)
			assert_non_null(
			    strstr(errors.v[0].text, "p:1: user bob: userdb_quota_rule does"));
		config_errors_release(&errors);
		passwd_release(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_dovecots_rules),
	    cmocka_unit_test(replaces_them),
	    cmocka_unit_test(is_kept_with_the_user),
	    cmocka_unit_test(tells_what_strays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
