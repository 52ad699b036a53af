/* test_smtputf8: SMTPUTF8 of a session (RFC 6531), and the coding of addresses in ORCPT (RFC 6533 3). */
#include "smtpd/dsn_param.h"
#include "smtpd/session.h"
#include "tests/unit/smtpd_client.h"

#define MU "MAIL FROM:<s@remote.test> SMTPUTF8\\r\\n"
#define UE "\\xc3\\xbc"

static void
open_utf8(struct client *c)
{
	client_open(c, NULL);
	TAILQ_FIRST(&c->fake.server.sessions)->settings->offers |= OFFER_SMTPUTF8 | OFFER_DSN;
}

static void
what_is_offered_and_refused(void **state)
{
	static const struct {
		const char *say, *want, *status; /* the last reply begins with status */
	} rows[] = {
	    {E MU, "220,250,250", "250 2.1.0"},
	    {E "MAIL FROM:<s@remote.test> smtputf8\\r\\n", "220,250,250", "250"},
	    {E "MAIL FROM:<s@remote.test> SMTPUTF8=1\\r\\n", "220,250,501", "501 5.5.4"},
	    {E "MAIL FROM:<s@remote.test> SMTPUTF8 SMTPUTF8\\r\\n", "220,250,501", "501 5.5.4"},
	    {H "MAIL FROM:<s@remote.test> SMTPUTF8\\r\\n", "220,250,555", "555 5.5.4"},
	    {E "MAIL FROM:<m" UE "ller@remote.test>\\r\\n", "220,250,553", "553 5.6.7"},
	    {E "MAIL FROM:<s@b" UE "cher.test>\\r\\n", "220,250,553", "553 5.6.7"},
	    {E "MAIL FROM:<m" UE "ller@remote.test> SMTPUTF8\\r\\n", "220,250,250", "250"},
	    {E "MAIL FROM:<\\xc3(@remote.test> SMTPUTF8\\r\\n", "220,250,501", "501 5.1.7"},
	    {E "MAIL FROM:<\\xc0\\xaf@remote.test> SMTPUTF8\\r\\n", "220,250,501", "501 5.1.7"},
	    {E "MAIL FROM:<\\xed\\xa0\\x80@remote.test> SMTPUTF8\\r\\n", "220,250,501", "501"},
	    {E "MAIL FROM:<\\xc2\\x85@remote.test> SMTPUTF8\\r\\n", "220,250,501", "501"},
	    {E M "RCPT TO:<m" UE "ller@a.test>\\r\\n", "220,250,250,553", "553 5.6.7"},
	    {E M "RCPT TO:<a@b" UE "cher.test>\\r\\n", "220,250,250,553", "553 5.6.7"},
	    {E M "RCPT TO:<a@xn--bcher-kva.test>\\r\\n", "220,250,250,250", "250"},
	    {E MU "RCPT TO:<m" UE "ller@a.test>\\r\\n", "220,250,250,250", "250"},
	    {E MU "RCPT TO:<m\\xc3@a.test>\\r\\n", "220,250,250,501", "501 5.1.3"},
	    {E MU "RCPT TO:<MU\\xcc\\x88@a.test>\\r\\n", "220,250,250,501", "501 5.1.3"},
	    {E M "RCPT TO:<a@a.test> ORCPT=utf-8;m" UE "ller@a.test\\r\\n", "220,250,250,501",
		"501 5.5.4"},
	    {E MU "RCPT TO:<a@a.test> ORCPT=utf-8;m" UE "ller@a.test\\r\\n", "220,250,250,250",
		"250"},
	    {E MU "RCPT TO:<a@a.test> ORCPT=rfc822;m" UE "ller@a.test\\r\\n", "220,250,250,501",
		"501 5.5.4"},
	    {E M "RCPT TO:<a@a.test> ORCPT=utf-8;m\\\\x{FC}ller@a.test\\r\\n",
		"220,250,250,250", "250"},
	    {E "VRFY m" UE "ller\\r\\n", "220,250,553", "553 5.6.7"},
	    {E "VRFY m" UE "ller SMTPUTF8\\r\\n", "220,250,252", "252"},
	    {E "VRFY muller SMTPUTF8\\r\\n", "220,250,252", "252"},
	    {E "VRFY m\\xc3 SMTPUTF8\\r\\n", "220,250,501", "501"},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct client c;

		open_utf8(&c);
		if (strcmp(say(&c, rows[i].say), rows[i].want) != 0 ||
		    strncmp(c.last, rows[i].status, strlen(rows[i].status)) != 0)
			fail_msg("%s: %s (%s)", rows[i].say, c.replies, c.last);
		client_close(&c);
	}
}

/* Inside there are A-labels only; the flag goes with the message, and what it was received with is said. */
static void
what_is_asked_and_stored(void **state)
{
	struct client c;

	(void)state;
	open_utf8(&c);
	assert_string_equal(say(&c, E), "220,250");
	assert_string_equal(
	    say(&c, "MAIL FROM:<m" UE "ller@b" UE "cher.test> SMTPUTF8\\r\\n"), "250");
	assert_non_null(strstr(c.fake.asked, "from=m\xc3\xbcller@xn--bcher-kva.test"));
	assert_string_equal(
	    say(&c, "RCPT TO:<mu\\xcc\\x88ller@b" UE "cher.test>\\r\\n"), "250");
	assert_non_null(strstr(c.fake.asked, "rcpt=m\xc3\xbcller@xn--bcher-kva.test"));
	assert_string_equal(say(&c, D), "354");
	assert_string_equal(say(&c, B), "250");
	assert_non_null(strstr(c.fake.messages[0].envelope, "\nutf8=yes\n"));
	assert_non_null(
	    strstr(c.fake.messages[0].envelope, "from=m\xc3\xbcller@xn--bcher-kva.test\n"));
	assert_non_null(strstr(c.fake.messages[0].content, " with UTF8SMTP id "));
	assert_null(strstr(c.fake.messages[0].content, "\n\tfor "));
	assert_string_equal(say(&c, M R D), "250,250,354");
	assert_string_equal(say(&c, B), "250");
	assert_null(strstr(c.fake.messages[1].envelope, "utf8"));
	assert_non_null(strstr(c.fake.messages[1].content, " with ESMTP id "));
	client_close(&c);
}

/* Octets above 127 in a header without SMTPUTF8 are taken as they are: programs write such mail. */
static void
a_header_without_the_parameter(void **state)
{
	struct client c;

	(void)state;
	open_utf8(&c);
	assert_string_equal(say(&c, E M R D), "220,250,250,250,354");
	assert_string_equal(
	    say(&c, "Subject: \\xc3\\xbc \\xff\\r\\n\\r\\nx\\r\\n.\\r\\n"), "250");
	assert_null(strstr(c.fake.messages[0].envelope, "utf8"));
	assert_non_null(strstr(c.fake.messages[0].envelope, "\neight-bit=yes\n"));
	assert_non_null(strstr(c.fake.messages[0].content, "Subject: \xc3\xbc \xff\n"));
	client_close(&c);
}

static void
judges_original_recipients(void **state)
{
	static const struct {
		const char *value;
		bool want;
	} rows[] = {
	    {"utf-8;bob@a.test", true},
	    {"UTF-8;m\\x{FC}ller@a.test", true},
	    {"utf-8;m\xc3\xbcller@a.test", true},
	    {"utf-8;a\\x{2B}b\\x{20}\\x{3D}\\x{5C}@a.test", true},
	    {"utf-8;\\x{1F4A9}@a.test", true},
	    {"utf-8;\\x{10FFFD}@a.test", true},
	    {"rfc822;m+C3+BCller@a.test", true},
	    {"rfc822;m+C3ller@a.test", false},
	    {"rfc822;m+C2+85@a.test", false},
	    {"utf-8;", false},
	    {"utf-8;a+2Bb@a.test", false},
	    {"utf-8;a+b@a.test", false},
	    {"utf-8;a=b@a.test", false},
	    {"utf-8;a b@a.test", false},
	    {"utf-8;a\\b@a.test", false},
	    {"utf-8;a\\x{}@a.test", false},
	    {"utf-8;a\\x{A}@a.test", false},
	    {"utf-8;a\\x{0A}@a.test", false},
	    {"utf-8;a\\x{00}@a.test", false},
	    {"utf-8;a\\x{D}@a.test", false},
	    {"utf-8;a\\x{85}@a.test", false},
	    {"utf-8;a\\x{7F}@a.test", false},
	    {"utf-8;a\\x{fc}@a.test", false},
	    {"utf-8;a\\x{D800}@a.test", false},
	    {"utf-8;a\\x{110000}@a.test", false},
	    {"utf-8;a\\x{1000000}@a.test", false},
	    {"utf-8;a\\x{FC", false},
	    {"utf-8;a\\x{", false},
	    {"utf-8;\xc3", false},
	    {"utf-8;\xe2\x80\xa8@a.test", false},
	    {"utf-7;m\xc3\xbcller@a.test", false},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		if (dsn_param_orcpt_valid(span_str(rows[i].value)) != rows[i].want)
			fail_msg("%s", rows[i].value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_offered_and_refused),
	    cmocka_unit_test(what_is_asked_and_stored),
	    cmocka_unit_test(a_header_without_the_parameter),
	    cmocka_unit_test(judges_original_recipients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
