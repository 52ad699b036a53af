/*
 * test_smtp_client: whole sessions against a scripted server: what is said, in what
 * order, and what becomes of each recipient. Rows named CR-… are those of the table of
 * hostile servers.
 */
#include "deliver/smtp_client.h"

#include <signal.h>

#include "deliver/tls_client.h"
#include "tests/unit/smtp_session.h"

static const struct row rows[] = {
    {"pipelined",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "250 m\r\n250 2.1.5 r\r\n354 go\r\n"},
	    {BODY, "250 2.0.0 taken\r\n"}},
	1, "a:ok|done ready", "2.0.0", false, 0},
    {"one after another",
	{GREETED_0, {MAIL_0, "250 m\r\n"}, {RCPT("a"), "250 r\r\n"}, {RCPT("b"), "250 r\r\n"},
	    {"DATA\r\n", "354 go\r\n"}, {BODY, "250 2.0.0 taken\r\n"}},
	2, "a:ok b:ok|done ready", "2.0.0", false, 0},
    {"CR-11 code without text",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "250\r\n250\r\n354\r\n"}, {BODY, "250\r\n"}}, 1,
	"a:ok|done ready", "2.0.0", false, 0},
    {"CR-12 short code", {GREETED, {MAIL RCPT("a") "DATA\r\n", "25\r\n"}}, 1,
	"a:temporary|stale closed", NULL, false, 0},
    {"CR-14 unexpected class", {GREETED, {MAIL RCPT("a") "DATA\r\n", "350 x\r\n"}}, 1,
	"a:temporary|broken closed", NULL, false, 0},
    {"CR-17 empty refusal",
	{GREETED,
	    {MAIL RCPT("a") "DATA\r\n",
		"250 m\r\n550-\r\n550-\r\n550 \r\n554 no recipients\r\n"},
	    {"RSET\r\n", "250 ok\r\n"}},
	1, "a:permanent|done ready", "5.0.0", false, 0},
    {"CR-19 class mismatch",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "250 m\r\n550 4.1.1 x\r\n503 no\r\n"},
	    {"RSET\r\n", "250 ok\r\n"}},
	1, "a:permanent|done ready", "5.1.1", false, 0},
    {"CR-23 a verdict each, in order",
	{GREETED,
	    {MAIL RCPT("a") RCPT("b") RCPT("c") "DATA\r\n",
		"250 m\r\n250 r\r\n550 no\r\n450 later\r\n354 go\r\n"},
	    {BODY, "250 taken\r\n"}},
	3, "a:ok b:permanent c:temporary|done ready", NULL, false, 0},
    {"CR-24 nobody accepted but 354",
	{GREETED,
	    {MAIL RCPT("a") RCPT("b") "DATA\r\n", "250 m\r\n550 no\r\n450 later\r\n354 go\r\n"},
	    {".\r\n", "250 taken\r\n"}, {"RSET\r\n", "250 ok\r\n"}},
	2, "a:permanent b:temporary|done ready", NULL, false, 0},
    {"CR-25 DATA refused",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n550 5.7.1 no data\r\n"},
	    {"RSET\r\n", "250 ok\r\n"}},
	1, "a:permanent|done ready", "5.7.1", false, 0},
    {"DATA deferred, one refused before",
	{GREETED,
	    {MAIL RCPT("a") RCPT("b") "DATA\r\n", "250 m\r\n250 r\r\n550 no\r\n451 later\r\n"},
	    {"RSET\r\n", "250 ok\r\n"}},
	2, "a:temporary b:permanent|done ready", NULL, false, 0},
    {"DATA answered 250",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n250 sure\r\n"}}, 1,
	"a:temporary|broken closed", "4.5.0", false, 0},
    {"not pipelined: DATA is not sent for nobody",
	{GREETED_0, {MAIL_0, "250 m\r\n"}, {RCPT("a"), "550 no\r\n"},
	    {"RSET\r\n", "250 ok\r\n"}},
	1, "a:permanent|done ready", NULL, false, 0},
    {"CR-27 taken, then reset",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"},
	    {BODY, "250 taken\r\n"}, {"", SERVER_RESET}},
	1, "a:ok|done ready closed", NULL, false, 0},
    {"CR-29 later after the dot",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"},
	    {BODY, "451 4.3.0 l\r\n"}},
	1, "a:temporary|done ready", "4.3.0", false, 0},
    {"refused after the dot",
	{GREETED,
	    {MAIL RCPT("a") RCPT("b") "DATA\r\n", "250 m\r\n250 r\r\n450 r\r\n354 go\r\n"},
	    {BODY, "554 5.6.0 spam\r\n"}},
	2, "a:permanent b:temporary|done ready", "5.6.0", false, 0},
    {"closed after the dot",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"},
	    {BODY, SERVER_CLOSE}},
	1, "a:temporary|broken closed", "4.4.2", false, 0},
    {"closed in the middle of a reply",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "250 m\r\n25"}, {"", SERVER_CLOSE}}, 1,
	"a:temporary|broken closed", "4.4.2", false, 0},
    {"CR-32 421 after a recipient",
	{GREETED,
	    {MAIL RCPT("a") RCPT("b") RCPT("c") "DATA\r\n",
		"250 m\r\n550 no\r\n421 4.3.2 bye\r\n"},
	    {"", SERVER_CLOSE}},
	3, "a:permanent b:temporary c:temporary|broken closed", NULL, false, 0},
    {"421 to MAIL: another host may do better",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "421 4.3.2 busy\r\n"}}, 1,
	"a:temporary|refused closed", "4.3.2", false, 0},
    {"450 to MAIL",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "450 4.7.1 grey\r\n503 m\r\n503 m\r\n"},
	    {"RSET\r\n", "250 ok\r\n"}},
	1, "a:temporary|refused ready", "4.7.1", false, 0},
    {"550 to MAIL",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "550 5.7.1 no\r\n503 m\r\n503 m\r\n"},
	    {"RSET\r\n", "250 ok\r\n"}},
	1, "a:permanent|done ready", "5.7.1", false, 0},
    {"550 to MAIL, one after another",
	{GREETED_0, {MAIL_0, "550 no\r\n"}, {"RSET\r\n", "250 ok\r\n"}}, 2,
	"a:permanent b:permanent|done ready", NULL, false, 0},
    {"550 to MAIL and yet 354",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "550 no\r\n250 r\r\n354 go\r\n"},
	    {".\r\n", "250 x\r\n"}, {"RSET\r\n", "250 ok\r\n"}},
	1, "a:permanent|done ready", NULL, false, 0},
    {"too many recipients is no verdict",
	{GREETED,
	    {MAIL RCPT("a") RCPT("b") "DATA\r\n",
		"250 m\r\n250 r\r\n552 5.5.3 too many\r\n354 go\r\n"},
	    {BODY, "250 taken\r\n"}},
	2, "a:ok b:temporary|done ready", NULL, false, 0},
    {"mailbox full is one",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "250 m\r\n552 5.2.2 full\r\n503 no\r\n"},
	    {"RSET\r\n", "250 ok\r\n"}},
	1, "a:permanent|done ready", "5.2.2", false, 0},
    {"CR-37 HELO",
	{{"", "220 mx\r\n"}, {EHLO, "502 what\r\n"}, {"HELO me.test\r\n", "250 mx\r\n"},
	    {MAIL_0, "250 m\r\n"}, {RCPT("a"), "250 r\r\n"}, {"DATA\r\n", "354 go\r\n"},
	    {BODY, "250 taken\r\n"}},
	1, "a:ok|done ready", NULL, false, 0},
    {"CR-38 8-bit to a 7-bit server", {GREETED_0}, 1, "a:permanent|done ready", "5.6.3", true,
	0},
    {"8-bit to an 8-bit server",
	{GREETED,
	    {"MAIL FROM:<s@x.test> SIZE=21 BODY=8BITMIME\r\n" RCPT("a") "DATA\r\n",
		"250 m\r\n250 r\r\n354 go\r\n"},
	    {BODY, "250 taken\r\n"}},
	1, "a:ok|done ready", NULL, true, 0},
    {"larger than SIZE", {GREETED}, 1, "a:permanent|done ready", "5.3.4", false, 1001},
    {"CR-09 absurd SIZE is no limit",
	{{"", "220 mx\r\n"}, {EHLO, "250-mx\r\n250 SIZE 99999999999999999999999\r\n"},
	    {MAIL, "550 no\r\n"}, {"RSET\r\n", "250 ok\r\n"}},
	1, "a:permanent|done ready", NULL, false, 1001},
    {"CR-07 empty keyword",
	{{"", "220 mx\r\n"}, {EHLO, "250-mx\r\n250 \r\n"}, {MAIL_0, "250 m\r\n"},
	    {RCPT("a"), "550 no\r\n"}, {"RSET\r\n", "250 ok\r\n"}},
	1, "a:permanent|done ready", NULL, false, 0},
    {"421 in the greeting", {{"", "421 4.3.2 busy\r\n"}}, 1, "|closed", NULL, false, 0},
    {"554 in the greeting", {{"", "554 no mail\r\n"}}, 1, "|closed", NULL, false, 0},
    {"closed in the greeting", {{"", SERVER_CLOSE}}, 1, "|closed", NULL, false, 0},
    {"nonsense in the greeting", {{"", "HTTP/1.1 400 x\r\n"}}, 1, "|closed", NULL, false, 0},
    {"more than the reply to EHLO", {{"", "220 mx\r\n"}, {EHLO, PIPE "250 injected\r\n"}}, 1,
	"|closed", NULL, false, 0},
    {"RSET refused",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "250 m\r\n550 no\r\n503 no\r\n"},
	    {"RSET\r\n", "500 what\r\n"}},
	1, "a:permanent|done closed", NULL, false, 0},
};

static void
play(const struct row *row, bool bytewise)
{
	static struct session s;
	char got[200];

	session_init(&s, row->script, bytewise, &options, row->recipients);
	s.t.eight_bit = row->eight_bit;
	if (row->size != 0)
		s.t.size = row->size;
	if (!testing_run_until(s.base, &s.events, words(strchr(row->outcome, '|') + 1)))
		fail_msg("%s: only \"%s\" happened", row->name, s.how);
	testing_run_for(s.base, 3);
	describe(&s, got, sizeof got);
	if (strcmp(got, row->outcome) != 0)
		fail_msg("%s: %s, want %s", row->name, got, row->outcome);
	if (row->status != NULL && strcmp(s.recipients[0].verdict.status, row->status) != 0)
		fail_msg("%s: %s %s", row->name, s.recipients[0].verdict.status,
		    s.recipients[0].verdict.text);
	if (strcmp(row->outcome, "|closed") == 0)
		check_row(row->name,
		    s.stage == SMTP_STAGE_CONNECT && s.closed.kind == VERDICT_TEMPORARY);
	check_row(row->name, s.server.done > 0 || s.server.fd < 0);
	session_release(&s);
}

static void
plays_scripts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		play(&rows[i], false);
		play(&rows[i], true);
	}
}

/* --- what RFC 3461 asks for --- */

#define PIPE_DSN "250-mx\r\n250-PIPELINING\r\n250 dsn\r\n"

static const struct {
	const char *name, *ehlo, *mail, *first, *second;
	bool dsn;
} passings[] = {
    {"to a server with DSN", PIPE_DSN, " RET=HDRS ENVID=QQ+2B1",
	" NOTIFY=SUCCESS,DELAY ORCPT=rfc822;A+2Bx@d.test", "", true},
    {"to one without", "250-mx\r\n250 PIPELINING\r\n", "", "", "", false},
    {"to one that hides it in a value", "250-mx\r\n250-X DSN\r\n250 PIPELINING\r\n", "", "", "",
	false},
};

static void
passes_on_what_was_asked_for(void **state)
{
	static struct session s;

	(void)state;
	for (size_t i = 0; i < sizeof passings / sizeof *passings; i++) {
		char envelope[400];
		const struct smtp_step script[] = {{"", "220 mx\r\n"},
		    {"EHLO me.test\r\n", passings[i].ehlo},
		    {envelope, "250 m\r\n250 r\r\n250 r\r\n354 go\r\n"},
		    {BODY, "250 2.0.0 taken\r\n"}, {NULL, NULL}};

		snprintf(envelope, sizeof envelope,
		    "MAIL FROM:<s@x.test>%s\r\nRCPT TO:<a@d.test>%s\r\nRCPT TO:<b@d.test>%s\r\n"
		    "DATA\r\n",
		    passings[i].mail, passings[i].first, passings[i].second);
		session_init(&s, script, false, &options, 2);
		s.t.envid = "QQ+2B1";
		s.t.ret = "HDRS";
		s.recipients[0].notify = "SUCCESS,DELAY";
		s.recipients[0].orcpt = "rfc822;A+2Bx@d.test";
		s.recipients[1].notify = "";
		s.t.dsn = !passings[i].dsn;
		if (!testing_run_until(s.base, &s.events, 2))
			fail_msg("%s: only \"%s\" happened", passings[i].name, s.how);
		check_row(passings[i].name, strcmp(s.how, "done ready") == 0);
		check_row(passings[i].name, s.t.dsn == passings[i].dsn);
		session_release(&s);
	}
}

/* --- time --- */

struct silence {
	const char *name;
	struct smtp_step script[SMTP_SERVER_STEPS];
	const char *outcome;
};

static const struct silence silences[] = {
    {"CR-06 no greeting", {{NULL, NULL}}, "|closed"},
    {"no reply to EHLO", {{"", "220 mx\r\n"}}, "|closed"},
    {"no reply to MAIL", {GREETED}, "a:temporary|stale closed"},
    {"CR-28 none after the dot",
	{GREETED, {MAIL RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"}, {BODY, "25"}},
	"a:temporary|broken closed"},
};

static void
waits_no_longer_than_it_should(void **state)
{
	static struct session s;
	struct smtp_options o = options;

	(void)state;
	o.connect_timeout_ms = o.reply_timeout_ms = 60;
	o.final_timeout_ms = 120;
	for (size_t i = 0; i < sizeof silences / sizeof *silences; i++) {
		uint64_t began = clock_mono_ms();
		char got[200];

		session_init(&s, silences[i].script, false, &o, 1);
		if (!testing_run_until(
			s.base, &s.events, words(strchr(silences[i].outcome, '|') + 1)))
			fail_msg("%s: only \"%s\" happened", silences[i].name, s.how);
		describe(&s, got, sizeof got);
		check_row(silences[i].name, strcmp(got, silences[i].outcome) == 0);
		check_row(silences[i].name,
		    clock_mono_ms() - began >= 50); /* 60, by a coarse clock */
		check_row(silences[i].name, strcmp(s.closed.status, "4.4.2") == 0);
		session_release(&s);
	}
}

/* --- more than one message --- */

static void
sends_again_without_rset(void **state)
{
	static const struct smtp_step script[] = {GREETED,
	    {MAIL RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"},
	    {BODY, "250 taken\r\n"},
	    {MAIL RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"},
	    {BODY, "250 taken\r\n"}, {"QUIT\r\n", ""}, {NULL, NULL}};
	static struct session s;

	(void)state;
	session_init(&s, script, false, &options, 1);
	s.want_messages = 2;
	assert_true(testing_run_until(s.base, &s.events, 3));
	assert_string_equal(s.how, "done done ready");
	assert_int_equal(smtp_client_count(s.client), 2);
	smtp_client_quit(&s.client);
	assert_null(s.client);
	assert_true(testing_run_until(s.base, &s.server.done, 1));
	session_release(&s);
}

/* Answers the commands that wait, counted from 0 (MAIL); returns how many there were. */
static size_t
answer_commands(struct smtp_server *server, size_t first, size_t recipients)
{
	struct span rest = span_make(server->got, server->len);
	size_t n = 0;

	while (span_index(rest, '\n') >= 0) {
		struct span line = span_cut(&rest, '\n');
		size_t i = first + n++;
		char want[48];

		snprintf(want, sizeof want, "RCPT TO:<user%zu@d.test>\r", i);
		if (i > 0 && i <= recipients)
			assert_true(span_is(line, want));
		else
			assert_true(span_starts_with(line, i == 0 ? "MAIL" : "DATA"));
		smtp_server_send(server, i == recipients + 1 ? "354 go\r\n"
					 : i % 3 == 1	     ? "550 no\r\n"
							     : "250 ok\r\n");
	}
	server->len = 0;
	return n;
}

static void
many_recipients_in_one_transaction(void **state)
{
	enum { MANY = 2000 };
	static const struct smtp_step script[] = {GREETED, {NULL, NULL}};
	static struct smtp_recipient recipients[MANY];
	static char names[MANY][24];
	static struct session s;
	size_t answered = 0;

	(void)state;
	session_init(&s, script, false, &options, 1);
	memset(recipients, 0, sizeof recipients);
	for (size_t i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof names[i], "user%zu@d.test", i + 1);
		recipients[i].address = names[i];
	}
	s.t.recipients = recipients;
	s.t.nrecipients = MANY;
	for (int i = 0; answered < MANY + 2 && i < 1000; i++) {
		size_t n;

		testing_run_for(s.base, 1);
		n = s.server.done > 0 ? answer_commands(&s.server, answered, MANY) : 0;
		assert_in_range(n, 0, 256); /* bounded, however many recipients there are */
		answered += n;
	}
	assert_int_equal(answered, MANY + 2);
	for (int i = 0; s.server.len < sizeof BODY - 1 && i < 1000; i++)
		testing_run_for(s.base, 1);
	assert_memory_equal(s.server.got, BODY, sizeof BODY - 1);
	smtp_server_send(&s.server, "250 taken\r\n");
	assert_true(testing_run_until(s.base, &s.events, 2));
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(
		    recipients[i].verdict.kind, i % 3 == 0 ? VERDICT_PERMANENT : VERDICT_OK);
	session_release(&s);
}

/* --- content --- */

static void
streams_large_content(void **state)
{
	static const struct smtp_step script[] = {
	    GREETED, {MAIL RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"}, {NULL, NULL}};
	static char big[3000001];
	static struct session s;
	size_t octets = 0, lines = 0;
	char last[5] = "";

	(void)state;
	for (size_t i = 0; i < sizeof big - 1; i++)
		big[i] = i % 60 == 59 ? '\n' : '.';
	big[sizeof big - 1] = '\0';
	session_init(&s, script, false, &options, 1);
	s.t.content = big;
	s.t.size = 999;
	assert_true(testing_run_until(s.base, &s.server.done, 1));
	for (int i = 0; memcmp(last, "\r\n.\r\n", 5) != 0 && i < 5000; i++) {
		testing_run_for(s.base, 1);
		for (size_t k = 0; k < s.server.len; k++)
			lines += s.server.got[k] == '\n';
		octets += s.server.len;
		if (s.server.len >= 5)
			memcpy(last, s.server.got + s.server.len - 5, 5);
		s.server.len = 0;
	}
	/* 50000 lines, each with CR and a stuffed dot more; and the end mark */
	assert_int_equal(lines, 50001);
	assert_int_equal(octets, 3000000 + 2 * 50000 + 3);
	smtp_server_send(&s.server, "250 taken\r\n");
	assert_true(testing_run_until(s.base, &s.events, 2));
	assert_string_equal(s.how, "done ready");
	session_release(&s);
}

static void
early_refusal_wins(void **state)
{
	static const struct smtp_step script[] = {GREETED,
	    {MAIL RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n552 5.3.4 too big\r\n"},
	    {NULL, NULL}};
	static char big[2000001];
	static struct session s;

	(void)state;
	memset(big, 'x', sizeof big - 1);
	session_init(&s, script, false, &options, 1);
	s.t.content = big;
	assert_true(testing_run_until(s.base, &s.events, 2));
	assert_string_equal(s.how, "broken closed");
	assert_int_equal(s.recipients[0].verdict.kind, VERDICT_PERMANENT);
	assert_string_equal(s.recipients[0].verdict.status, "5.3.4");
	session_release(&s);
}

static ssize_t
read_failing(void *arg, uint64_t at, void *out, size_t n)
{
	(void)arg, (void)n;
	if (at > 0) {
		errno = EIO;
		return -1;
	}
	memcpy(out, "x\n", 2);
	return 2;
}

static void
never_ends_a_message_it_cannot_read(void **state)
{
	static const struct smtp_step script[] = {
	    GREETED, {MAIL RCPT("a") "DATA\r\n", "250 m\r\n250 r\r\n354 go\r\n"}, {NULL, NULL}};
	static struct session s;

	(void)state;
	session_init(&s, script, false, &options, 1);
	s.t.read = read_failing;
	assert_true(testing_run_until(s.base, &s.events, 2));
	testing_run_for(s.base, 5);
	assert_string_equal(s.how, "broken closed");
	assert_int_equal(s.recipients[0].verdict.kind, VERDICT_TEMPORARY);
	assert_null(memmem(s.server.got, s.server.len, "\r\n.\r\n", 5));
	session_release(&s);
}

/* --- TLS --- */

struct tls_row {
	const char *name;
	struct smtp_step script[SMTP_SERVER_STEPS];
	const char *how;
	enum smtp_stage stage; /* if closed */
};

#define STARTTLS "250-mx\r\n250 STARTTLS\r\n"

static const struct tls_row tls_rows[] = {
    {"CR-10 more behind 220",
	{{"", "220 mx\r\n"}, {EHLO, STARTTLS}, {"STARTTLS\r\n", "220 go\r\n250 injected\r\n"}},
	"closed", SMTP_STAGE_CONNECT},
    {"CR-10 replies in advance",
	{{"", "220 mx\r\n"}, {EHLO, STARTTLS "220 go\r\n250 injected\r\n"}}, "closed",
	SMTP_STAGE_CONNECT},
    {"no TLS behind 220",
	{{"", "220 mx\r\n"}, {EHLO, STARTTLS}, {"STARTTLS\r\n", "220 go\r\n"},
	    {"\x16\x03", "500 what\r\n"}},
	"closed", SMTP_STAGE_TLS},
    {"closed in the handshake",
	{{"", "220 mx\r\n"}, {EHLO, STARTTLS}, {"STARTTLS\r\n", "220 go\r\n"},
	    {"\x16\x03", SERVER_CLOSE}},
	"closed", SMTP_STAGE_TLS},
    {"refused: goes on in clear",
	{{"", "220 mx\r\n"}, {EHLO, STARTTLS}, {"STARTTLS\r\n", "454 4.7.0 not now\r\n"},
	    {MAIL_0, "250 m\r\n"}, {RCPT("a"), "550 no\r\n"}, {"RSET\r\n", "250 ok\r\n"}},
	"done ready", SMTP_STAGE_TRANSACTION},
};

static void
starts_tls_with_care(void **state)
{
	static struct session s;
	struct smtp_options o = options;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	o.tls = tls_client_new();
	assert_non_null(o.tls);
	for (size_t i = 0; i < sizeof tls_rows / sizeof *tls_rows; i++) {
		const struct tls_row *row = &tls_rows[i];

		session_init(&s, row->script, false, &o, 1);
		if (!testing_run_until(s.base, &s.events, words(row->how)))
			fail_msg("%s: only \"%s\" happened", row->name, s.how);
		check_row(row->name, strcmp(s.how, row->how) == 0);
		if (strcmp(row->how, "closed") == 0) {
			check_row(row->name, s.stage == row->stage);
			check_row(row->name, s.closed.kind == VERDICT_TEMPORARY);
		}
		session_release(&s);
	}
	SSL_CTX_free(o.tls);
}

/* --- freed from within --- */

static void
free_on_done(
    struct smtp_client *c, struct smtp_transaction *t, enum smtp_outcome outcome, void *arg)
{
	struct session *s = arg;

	(void)c, (void)t, (void)outcome;
	note(s, "done");
	smtp_client_free(&s->client);
}

static void
may_be_freed_in_a_callback(void **state)
{
	static const struct smtp_step script[] = {GREETED,
	    {MAIL RCPT("a") "DATA\r\n", "250 m\r\n550 no\r\n503 no\r\n250 more\r\n"},
	    {NULL, NULL}};
	struct smtp_client_ops freeing = ops;
	static struct session s;
	int fd;

	(void)state;
	freeing.on_done = free_on_done;
	session_init(&s, script, false, &options, 1);
	smtp_client_free(&s.client);
	smtp_server_end(&s.server);
	fd = smtp_server_init(&s.server, s.base, script, false);
	s.client = smtp_client_new(s.base, fd, &options, &freeing, &s);
	assert_true(testing_run_until(s.base, &s.events, 1));
	testing_run_for(s.base, 5);
	assert_string_equal(s.how, "done");
	session_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plays_scripts),
	    cmocka_unit_test(passes_on_what_was_asked_for),
	    cmocka_unit_test(waits_no_longer_than_it_should),
	    cmocka_unit_test(sends_again_without_rset),
	    cmocka_unit_test(many_recipients_in_one_transaction),
	    cmocka_unit_test(streams_large_content),
	    cmocka_unit_test(early_refusal_wins),
	    cmocka_unit_test(never_ends_a_message_it_cannot_read),
	    cmocka_unit_test(starts_tls_with_care),
	    cmocka_unit_test(may_be_freed_in_a_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
