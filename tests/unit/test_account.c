/* test_account: who a user name means, what stands in for users who do not exist, and whose an address is. */
#include "conf/account.h"

#include <string.h>

#include "tests/unit/domain_fake.h"

#define SCRAM(iterations)                                                                      \
	"{SCRAM-SHA-256}" iterations                                                           \
	",c2FsdHNhbHQ=,OTf6LywAjSp/02R7Ja5JwIjN6rffQwD2oTC9mr1ZB6U=,"                          \
	"F9Ay1fPITDy1q6BGuIDKVDKofkxceT8JMU4ZgP2wMw4="
#define BCRYPT "$2b$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK"

static const unsigned char secret[SCRAM_SECRET_SIZE] = {7};

static enum lookup
find(const struct fake *f, const char *user, const char *server, enum account_use use,
    struct account *a)
{
	struct account_search search = {
	    .user = span_str(user), .server = span_str(server), .use = use, .secret = secret};
	enum lookup l;
	struct buf why;

	buf_init(&why, 1024);
	l = account_find(&f->env, &search, a, &why);
	buf_release(&why);
	return l;
}

static void
make(struct fake *f)
{
	fake_init(f);
	fake_domain(f, "a.test",
	    "anna:" BCRYPT "\nlocked:!\nold:abhWCwoTZY2c6\nopen:{PLAIN}x\n",
	    "sales: anna\nteam: anna, open\nloop: loop2\nloop2: loop\nall: :include:/none\n",
	    "");
	fake_domain(
	    f, "s.test", "anna:" SCRAM("4096") "\nbert:" SCRAM("9999") "\nlocked:!\n", "", "");
	fake_domain(f, "mixed.test", "anna:" SCRAM("4096") "\nbert:" BCRYPT "\n", "", "");
	fake_domain(f, "empty.test", "locked:!\n", "", "");
	f->aliases[f->naliases].alias = "alias.test";
	f->aliases[f->naliases++].name = "a.test";
	f->broken = "broken.test";
}

static void
finds_accounts(void **state)
{
	static const struct {
		const char *user, *server;
		enum account_use use;
		enum lookup want;
		const char *name;
	} rows[] = {
	    {"anna@a.test", "", ACCOUNT_PASSWORD, LOOKUP_FOUND, "anna@a.test"},
	    {"ANNA@A.Test", "", ACCOUNT_PASSWORD, LOOKUP_FOUND, "anna@a.test"},
	    {"anna@alias.test", "", ACCOUNT_PASSWORD, LOOKUP_FOUND, "anna@a.test"},
	    {"anna", "", ACCOUNT_PASSWORD, LOOKUP_NOT_FOUND, ""},
	    {"anna", "a.test", ACCOUNT_PASSWORD, LOOKUP_FOUND, "anna@a.test"},
	    {"anna", "smtp.mail.a.test", ACCOUNT_PASSWORD, LOOKUP_FOUND, "anna@a.test"},
	    {"anna", "mx.alias.test", ACCOUNT_PASSWORD, LOOKUP_FOUND, "anna@a.test"},
	    {"anna", "mx.else.test", ACCOUNT_PASSWORD, LOOKUP_NOT_FOUND, ""},
	    {"anna@a.test", "s.test", ACCOUNT_PASSWORD, LOOKUP_FOUND, "anna@a.test"},
	    {"anna+x@a.test", "", ACCOUNT_PASSWORD, LOOKUP_NOT_FOUND, "anna+x@a.test"},
	    {"sales@a.test", "", ACCOUNT_PASSWORD, LOOKUP_NOT_FOUND, "sales@a.test"},
	    /* there, and nobody logs in as him; under one name for all spellings, as if he could */
	    {"Locked@alias.test", "", ACCOUNT_PASSWORD, LOOKUP_NOT_FOUND, "locked@a.test"},
	    {"old@a.test", "", ACCOUNT_PASSWORD, LOOKUP_NOT_FOUND, "old@a.test"},
	    {"Nobody@alias.test", "", ACCOUNT_PASSWORD, LOOKUP_NOT_FOUND, "nobody@a.test"},
	    {"anna@else.test", "", ACCOUNT_PASSWORD, LOOKUP_NOT_FOUND, ""},
	    {"anna@[192.0.2.1]", "", ACCOUNT_PASSWORD, LOOKUP_NOT_FOUND, ""},
	    {"", "", ACCOUNT_PASSWORD, LOOKUP_NOT_FOUND, ""},
	    {"no name", "a.test", ACCOUNT_PASSWORD, LOOKUP_NOT_FOUND, ""},
	    {"anna@broken.test", "", ACCOUNT_PASSWORD, LOOKUP_UNKNOWN, ""},
	    {"anna@a.test", "", ACCOUNT_SCRAM, LOOKUP_NOT_FOUND, "anna@a.test"},
	    {"open@a.test", "", ACCOUNT_SCRAM, LOOKUP_FOUND, "open@a.test"},
	    {"anna@s.test", "", ACCOUNT_SCRAM, LOOKUP_FOUND, "anna@s.test"},
	    {"anna@s.test", "", ACCOUNT_PASSWORD, LOOKUP_FOUND, "anna@s.test"},
	    {"locked@s.test", "", ACCOUNT_SCRAM, LOOKUP_NOT_FOUND, "locked@s.test"},
	};
	struct fake f;

	(void)state;
	make(&f);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct account a;
		enum lookup l = find(&f, rows[i].user, rows[i].server, rows[i].use, &a);

		if (l != rows[i].want || strcmp(a.name.text, rows[i].name) != 0)
			fail_msg("%s (%s): %d %s", rows[i].user, rows[i].server, (int)l,
			    a.name.text);
	}
	fake_release(&f);
}

static void
takes_the_configured_domain_where_no_other_is_named(void **state)
{
	char home[DOMAIN_MAX + 1];
	char auth_domain[] = "s.test";
	struct account a;
	struct fake f;

	(void)state;
	make(&f);
	f.config.auth_domain = auth_domain;
	assert_int_equal(find(&f, "bert", "", ACCOUNT_PASSWORD, &a), LOOKUP_FOUND);
	assert_string_equal(a.name.text, "bert@s.test");
	assert_int_equal(find(&f, "anna", "mx.a.test", ACCOUNT_PASSWORD, &a), LOOKUP_FOUND);
	assert_string_equal(a.name.text, "anna@a.test");
	account_home(&f.env, span_str("mx.else.test"), home);
	assert_string_equal(home, "s.test");
	/* above so many names nobody looks */
	account_home(&f.env, span_str("1.2.3.4.5.6.7.8.a.test"), home);
	assert_string_equal(home, "s.test");
	account_home(&f.env, span_str("2.3.4.5.6.7.a.test"), home);
	assert_string_equal(home, "a.test");
	fake_release(&f);
}

/* Who does not exist costs what somebody of that domain costs, always the same. */
static void
stands_in_for_who_does_not_exist(void **state)
{
	unsigned iterations[2] = {0, 0};
	struct account a, again;
	struct fake f;
	char user[32];

	(void)state;
	make(&f);
	for (int i = 0; i < 40; i++) {
		snprintf(user, sizeof user, "u%d@a.test", i);
		assert_int_equal(find(&f, user, "", ACCOUNT_PASSWORD, &a), LOOKUP_NOT_FOUND);
		assert_int_equal(
		    find(&f, user, "", ACCOUNT_PASSWORD, &again), LOOKUP_NOT_FOUND);
		assert_memory_equal(&a, &again, sizeof a);
		assert_true(span_is(span_make(a.stored, a.stored_len), BCRYPT) ||
			    span_is(span_make(a.stored, a.stored_len), "{PLAIN}x"));
		snprintf(user, sizeof user, "u%d@s.test", i);
		assert_int_equal(find(&f, user, "", ACCOUNT_SCRAM, &a), LOOKUP_NOT_FOUND);
		assert_true(a.iterations == 4096 || a.iterations == 9999);
		assert_int_equal(a.salt_len, 8);
		iterations[a.iterations == 9999]++;
	}
	/* as many of one as of the other, about */
	assert_true(iterations[0] > 0 && iterations[1] > 0);
	find(&f, "x@empty.test", "", ACCOUNT_PASSWORD, &a);
	assert_true(span_is(span_make(a.stored, a.stored_len), PASSWORD_DUMMY));
	find(&f, "x@a.test", "", ACCOUNT_SCRAM, &a);
	assert_int_equal(a.iterations, SCRAM_ITERATIONS);
	assert_int_equal(a.salt_len, SCRAM_SALT_SIZE);
	fake_release(&f);
}

static void
knows_where_scram_does_for_all(void **state)
{
	struct fake f;

	(void)state;
	make(&f);
	assert_true(account_all_scram(&f.env, "s.test"));
	assert_false(account_all_scram(&f.env, "a.test"));
	assert_false(account_all_scram(&f.env, "mixed.test"));
	assert_false(account_all_scram(&f.env, "empty.test"));
	assert_false(account_all_scram(&f.env, "broken.test"));
	assert_false(account_all_scram(&f.env, "else.test"));
	assert_false(account_all_scram(&f.env, ""));
	fake_release(&f);
}

static void
knows_whose_an_address_is(void **state)
{
	static const struct {
		const char *address;
		enum lookup want;
	} rows[] = {
	    {"anna@a.test", LOOKUP_FOUND},
	    {"Anna@alias.test", LOOKUP_FOUND},
	    {"anna+list@a.test", LOOKUP_FOUND},
	    {"sales@a.test", LOOKUP_FOUND},
	    {"team@a.test", LOOKUP_FOUND},
	    {"open@a.test", LOOKUP_NOT_FOUND},
	    {"nobody@a.test", LOOKUP_NOT_FOUND},
	    {"anna@s.test", LOOKUP_NOT_FOUND},
	    {"anna@else.test", LOOKUP_NOT_FOUND},
	    {"loop@a.test", LOOKUP_NOT_FOUND},
	    {"anna@broken.test", LOOKUP_UNKNOWN},
	};
	struct fake f;

	(void)state;
	make(&f);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address a;
		const char *why;
		unsigned steps = 0;

		assert_int_equal(
		    address_parse(span_str(rows[i].address), ADDRESS_UTF8, &a, &why), 0);
		if (account_owns(&f.env, span_str("anna@a.test"), &a, &steps) != rows[i].want)
			fail_msg("%s", rows[i].address);
	}
	fake_release(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_accounts),
	    cmocka_unit_test(takes_the_configured_domain_where_no_other_is_named),
	    cmocka_unit_test(stands_in_for_who_does_not_exist),
	    cmocka_unit_test(knows_where_scram_does_for_all),
	    cmocka_unit_test(knows_whose_an_address_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
