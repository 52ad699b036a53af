/* test_smtp_slices: a server's LIMITS (RFC 9422), and servers without SMTPUTF8 (RFC 6531). */
#include <signal.h>

#include "tests/unit/smtp_session.h"

#define LIMITS(x) "250-mx\r\n250-PIPELINING\r\n250 LIMITS " x "\r\n"
#define PIPE_UTF8 "250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
#define PIPE_0	  "250-mx\r\n250-8BITMIME\r\n250 PIPELINING\r\n"
#define MAIL_U	  "MAIL FROM:<s@x.test> SMTPUTF8\r\n"
#define SAID(x)                                                                                \
	{"", "220 mx\r\n"},                                                                    \
	{                                                                                      \
		EHLO, x                                                                        \
	}
#define RCPT_U "RCPT TO:<\xc3\xbc@d.test>\r\n"

static const struct {
	struct row row;
	bool needs, given; /* of the message: for its header or sender; as it came */
	size_t utf8;	   /* this recipient's address is in UTF-8, counted from 1 */
} sliced[] = {
    {{"RCPTMAX: a transaction after the other",
	 {SAID(LIMITS("RCPTMAX=2 MAILMAX=9")),
	     {MAIL_0 RCPT("a") RCPT("b") "DATA\r\n", "250 m\r\n250 r\r\n250 r\r\n354 go\r\n"},
	     {BODY, "250 taken\r\n"},
	     {MAIL_0 RCPT("c") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"},
	     {BODY, "250 taken\r\n"}},
	 3, "a:ok b:ok c:ok|done ready", NULL, false, 0},
	false, false, 0},
    {{"all of a slice refused: the next one all the same",
	 {SAID(LIMITS("rcptmax=1")),
	     {MAIL_0 RCPT("a") "DATA\r\n", "250 m\r\n550 5.1.1 no\r\n554 none\r\n"},
	     {"RSET\r\n", "250 ok\r\n"},
	     {MAIL_0 RCPT("b") "DATA\r\n", "250 m\r\n450 later\r\n354 go\r\n"},
	     {".\r\n", "250 taken\r\n"}, {"RSET\r\n", "250 ok\r\n"},
	     {MAIL_0 RCPT("c") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"},
	     {BODY, "250 taken\r\n"}},
	 3, "a:permanent b:temporary c:ok|done ready", NULL, false, 0},
	false, false, 0},
    {{"content refused: nobody is asked again",
	 {SAID(LIMITS("RCPTMAX=1")),
	     {MAIL_0 RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"},
	     {BODY, "554 5.6.0 spam\r\n"}},
	 2, "a:permanent b:permanent|done ready", NULL, false, 0},
	false, false, 0},
    {{"lost in the second slice",
	 {SAID(LIMITS("RCPTMAX=1")),
	     {MAIL_0 RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"},
	     {BODY, "250 taken\r\n"}, {MAIL_0 RCPT("b") "DATA\r\n", SERVER_CLOSE}},
	 3, "a:ok b:temporary c:temporary|broken closed", NULL, false, 0},
	false, false, 0},
    {{"the sender refused for now in the second slice: the first one's verdicts stand",
	 {SAID(LIMITS("RCPTMAX=1")),
	     {MAIL_0 RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"},
	     {BODY, "250 taken\r\n"},
	     {MAIL_0 RCPT("b") "DATA\r\n", "450 slow down\r\n503 no\r\n503 no\r\n"},
	     {"RSET\r\n", "250 ok\r\n"}},
	 3, "a:ok b:temporary c:temporary|done ready", NULL, false, 0},
	false, false, 0},
    {{"MAILMAX: the rest by another connection",
	 {SAID(LIMITS("RCPTMAX=1 MAILMAX=2")),
	     {MAIL_0 RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"},
	     {BODY, "250 taken\r\n"},
	     {MAIL_0 RCPT("b") "DATA\r\n", "250 m\r\n550 no\r\n554 none\r\n"},
	     {"RSET\r\n", "250 ok\r\n"}},
	 4, "a:ok b:permanent|partial ready", NULL, false, 0},
	false, false, 0},
    {{"limits that are none",
	 {SAID(LIMITS(
	      "RCPTMAX=0 MAILMAX=x RCPTMAX RCPTMAX=99999999999999999999 =1 RCPTDOMAINMAX=1")),
	     {MAIL_0 RCPT("a") RCPT("b") "DATA\r\n", "250 m\r\n250 r\r\n250 r\r\n354 go\r\n"},
	     {BODY, "250 taken\r\n"}},
	 2, "a:ok b:ok|done ready", NULL, false, 0},
	false, false, 0},
    {{"an address in UTF-8",
	 {SAID(PIPE_UTF8), {MAIL_U RCPT_U "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"},
	     {BODY, "250 taken\r\n"}},
	 1, "a:ok|done ready", NULL, false, 0},
	false, false, 1},
    {{"an address in UTF-8, to a server without: the others get it",
	 {SAID(PIPE_0),
	     {MAIL_0 RCPT("a") RCPT("c") "DATA\r\n", "250 m\r\n250 r\r\n250 r\r\n354 go\r\n"},
	     {BODY, "250 taken\r\n"}},
	 3, "a:ok b:permanent c:ok|done ready", NULL, false, 0},
	false, true, 2},
    {{"only such an address", {SAID(PIPE_0)}, 1, "a:permanent|done ready", "5.6.7", false, 0},
	false, false, 1},
    {{"a header in UTF-8, to a server without", {SAID(PIPE_0)}, 2,
	 "a:permanent b:permanent|done ready", "5.6.7", true, 0},
	true, true, 0},
    {{"a header in UTF-8",
	 {SAID(PIPE_UTF8), {MAIL_U RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"},
	     {BODY, "250 taken\r\n"}},
	 1, "a:ok|done ready", NULL, false, 0},
	true, true, 0},
    {{"came with SMTPUTF8 and needs it not",
	 {SAID(PIPE_0), {MAIL_0 RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"},
	     {BODY, "250 taken\r\n"}},
	 1, "a:ok|done ready", NULL, false, 0},
	false, true, 0},
    {{"the same, to a server with",
	 {SAID(PIPE_UTF8), {MAIL_U RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"},
	     {BODY, "250 taken\r\n"}},
	 1, "a:ok|done ready", NULL, false, 0},
	false, true, 0},
};

static void
goes_by_slices(void **state)
{
	static struct session s;
	char got[200];

	(void)state;
	for (size_t i = 0; i < 2 * (sizeof sliced / sizeof *sliced); i++) {
		const struct row *r = &sliced[i / 2].row;

		session_init(&s, r->script, i % 2 == 1, &options, r->recipients);
		s.t.eight_bit = r->eight_bit;
		s.t.utf8 = sliced[i / 2].needs;
		s.t.utf8_given = sliced[i / 2].given;
		if (sliced[i / 2].utf8 > 0)
			s.recipients[sliced[i / 2].utf8 - 1].address = "\xc3\xbc@d.test";
		if (!testing_run_until(s.base, &s.events, words(strchr(r->outcome, '|') + 1)))
			fail_msg("%s: only \"%s\" happened", r->name, s.how);
		testing_run_for(s.base, 3);
		describe(&s, got, sizeof got);
		if (strcmp(got, r->outcome) != 0)
			fail_msg("%s: %s, want %s", r->name, got, r->outcome);
		if (r->status != NULL)
			assert_string_equal(s.recipients[0].verdict.status, r->status);
		check_row(r->name, s.server.done > 0 || s.server.fd < 0);
		assert_int_equal(s.client != NULL && smtp_client_is_spent(s.client),
		    strstr(r->outcome, "partial") != NULL);
		session_release(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(goes_by_slices),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
