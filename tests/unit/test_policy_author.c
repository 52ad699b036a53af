/* test_policy_author: whose addresses an account may send as, in the envelope and in the header. */
#include "conf/policy.h"

#include <string.h>
#include <sys/socket.h>

#include "tests/unit/domain_fake.h"

#define ACCOUNT "anna@a.test"

static struct fake fake;

static int
setup(void **state)
{
	struct buf aliases;

	fake_init(&fake);
	*state = &fake;
	buf_init(&aliases, 65536);
	buf_add_str(&aliases, "sales: anna\nteam: anna, bert\nall: ");
	for (int i = 0; i < 6000; i++)
		buf_addf(&aliases, "n%d, ", i);
	buf_add_str(&aliases, "anna\n");
	fake_domain(&fake, "a.test", "anna:x\nbert:x\n", buf_str(&aliases), "");
	buf_release(&aliases);
	fake.broken = "broken.test";
	return 0;
}

static struct policy_author
author(const char *text)
{
	struct policy_author a;
	struct span rest = span_str(text);
	const char *why;

	a.field = span_cut(&rest, ' ');
	assert_int_equal(address_parse(rest, ADDRESS_UTF8, &a.address, &why), 0);
	return a;
}

static const struct policy_client client = {
    .role = LISTENER_SUBMISSION, .address = {.family = AF_INET}, .auth = {ACCOUNT, 11}};

static const struct {
	const char *authors[3];
	const char *unclear;
	enum verdict_kind want;
	const char *rule;
} rows[] = {
    {{"From anna@a.test"}, "", VERDICT_OK, "everybody"},
    {{"From sales@a.test", "Sender anna+x@a.test"}, "", VERDICT_OK, "everybody"},
    {{"From team@a.test"}, "", VERDICT_OK, "everybody"},
    {{"From bert@a.test"}, "", VERDICT_PERMANENT, "header-from-not-yours"},
    {{"From anna@a.test", "From bert@a.test"}, "", VERDICT_PERMANENT, "header-from-not-yours"},
    {{"From anna@a.test", "Sender bert@a.test"}, "", VERDICT_PERMANENT,
	"header-from-not-yours"},
    {{"From anna@else.test"}, "", VERDICT_PERMANENT, "header-from-not-yours"},
    {{"From anna@a.test"}, "why", VERDICT_PERMANENT, "header-from-unclear"},
    {{"From bert@a.test"}, "why", VERDICT_PERMANENT, "header-from-not-yours"},
    {{NULL}, "why", VERDICT_PERMANENT, "header-from-unclear"},
    {{"From anna@broken.test"}, "", VERDICT_TEMPORARY, "cannot-tell"},
    {{"From all@a.test", "Sender all@a.test"}, "", VERDICT_OK, "everybody"},
    /* nobody waits for a message that names large lists again and again */
    {{"From all@a.test", "From all@a.test", "From all@a.test"}, "", VERDICT_PERMANENT,
	"header-from-unclear"},
};

static void
try(size_t i, enum config_check mode, const struct policy_client *who,
    struct policy_answer *answer)
{
	struct policy_author authors[3];
	size_t n = 0;

	for (; n < 3 && rows[i].authors[n] != NULL; n++)
		authors[n] = author(rows[i].authors[n]);
	fake.config.check_header_from = mode;
	policy_author(&fake.env, who, authors, n, span_str(rows[i].unclear), NULL, answer);
}

static void
judges_what_a_message_says(void **state)
{
	struct policy_client nobody = client;

	(void)state;
	nobody.auth = span_str("");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct policy_answer a;

		try(i, CHECK_REJECT, &client, &a);
		if (a.verdict.kind != rows[i].want || strcmp(a.rule, rows[i].rule) != 0)
			fail_msg("row %zu: %s %s", i, a.rule, a.verdict.text);
		assert_int_equal(a.nwarnings, 0);
		/* a warning is not a refusal, and names the same rule */
		try(i, CHECK_WARN, &client, &a);
		assert_int_equal(a.verdict.kind, VERDICT_OK);
		assert_int_equal(a.nwarnings, rows[i].want != VERDICT_OK);
		if (rows[i].want == VERDICT_PERMANENT)
			assert_string_equal(a.warnings[0].rule, rows[i].rule);
		try(i, CHECK_OFF, &client, &a);
		assert_int_equal(a.verdict.kind, VERDICT_OK);
		assert_int_equal(a.nwarnings, 0);
		try(i, CHECK_REJECT, &nobody, &a);
		assert_int_equal(a.verdict.kind, VERDICT_OK);
	}
}

static void
judges_the_reverse_path(void **state)
{
	static const struct {
		const char *from;
		enum verdict_kind want;
		const char *rule;
	} paths[] = {
	    {"anna@a.test", VERDICT_OK, "everybody"},
	    {"anna+x@a.test", VERDICT_OK, "everybody"},
	    {"sales@a.test", VERDICT_OK, "everybody"},
	    {"bert@a.test", VERDICT_PERMANENT, "sender-not-yours"},
	    {"nobody@a.test", VERDICT_PERMANENT, "sender-not-yours"},
	    {"anna@else.test", VERDICT_PERMANENT, "sender-not-yours"},
	    {"anna@broken.test", VERDICT_TEMPORARY, "cannot-tell"},
	    {"", VERDICT_OK, "everybody"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct policy_answer a;
		struct address from;
		const char *why;

		assert_int_equal(address_parse(span_str(paths[i].from),
				     ADDRESS_UTF8 | ADDRESS_ALLOW_EMPTY, &from, &why),
		    0);
		policy_mail(&fake.env, &client, &from, NULL, &a);
		if (a.verdict.kind != paths[i].want || strcmp(a.rule, paths[i].rule) != 0)
			fail_msg("%s: %s %s", paths[i].from, a.rule, a.verdict.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(judges_what_a_message_says),
	    cmocka_unit_test(judges_the_reverse_path),
	};

	return cmocka_run_group_tests(tests, setup, fake_teardown);
}
