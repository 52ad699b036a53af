/* test_command: lines, the table of verbs, and the parsers of the verbs. */
#include "smtpd/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "smtpd/line.h"
#include "smtpd/dsn_param.h"
#include "smtpd/param.h"
#include "smtpd/settings.h"
#include "smtpd/verbs.h"

#define PLAIN	(OFFER_SIZE | OFFER_8BITMIME)
#define ROWS(a) (sizeof(a) / sizeof *(a))

static struct span
bytes(const char *p, size_t n)
{
	return span_make(p, n);
}

#define B(literal) bytes(literal, sizeof(literal) - 1)

static void
takes_lines(void **state)
{
	static const struct {
		const char *name;
		struct span in;
		enum line_result want;
		const char *line, *rest;
	} rows[] = {
	    {"whole", {"NOOP\r\nQUIT\r\n", 12}, LINE_WHOLE, "NOOP", "QUIT\r\n"},
	    {"empty", {"\r\nx", 3}, LINE_WHOLE, "", "x"},
	    {"nothing", {"", 0}, LINE_MORE, NULL, ""},
	    {"a part", {"NOO", 3}, LINE_MORE, NULL, "NOO"},
	    {"a part with its CR", {"NOOP\r", 5}, LINE_MORE, NULL, "NOOP\r"},
	    {"bare LF", {"NOOP\n", 5}, LINE_BARE, NULL, NULL},
	    {"LF alone", {"\n", 1}, LINE_BARE, NULL, NULL},
	    {"bare CR inside", {"NO\rOP\r\n", 7}, LINE_BARE, NULL, NULL},
	    {"CR CR LF", {"NOOP\r\r\n", 7}, LINE_BARE, NULL, NULL},
	    {"TLS", {"\x16\x03\x01", 3}, LINE_FOREIGN, NULL, NULL},
	    {"NUL first", {"\0", 1}, LINE_FOREIGN, NULL, NULL},
	    {"16 octets with its end", {"12345678901234\r\n", 16}, LINE_WHOLE, "12345678901234",
		""},
	    {"17 octets with its end", {"123456789012345\r\n", 17}, LINE_LONG, NULL, NULL},
	    {"16 octets without end", {"1234567890123456", 16}, LINE_LONG, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span in = rows[i].in, line = {NULL, 0};

		if (line_take(&in, 16, &line) != rows[i].want)
			fail_msg("%s", rows[i].name);
		if (rows[i].line != NULL && !span_is(line, rows[i].line))
			fail_msg("%s: line", rows[i].name);
		if (rows[i].rest != NULL && !span_is(in, rows[i].rest))
			fail_msg("%s: rest", rows[i].name);
	}
}

static void
skips_lines(void **state)
{
	struct span in = B("aaa\r\nNOOP\r\n");
	bool whole;

	(void)state;
	assert_int_equal(line_skip(&in, &whole), 5);
	assert_true(whole && span_is(in, "NOOP\r\n"));
	in = B("aaa");
	assert_int_equal(line_skip(&in, &whole), 3);
	assert_true(!whole && in.len == 0);
}

static void
splits_and_finds(void **state)
{
	static const struct {
		const char *line, *verb, *arg;
	} rows[] = {
	    {"MAIL FROM:<a@b.test>", "MAIL", "FROM:<a@b.test>"},
	    {"rcpt   to:<a@b.test>  ", "RCPT", "to:<a@b.test>"},
	    {"eHlO c.test", "EHLO", "c.test"},
	    {"QUIT", "QUIT", ""},
	    {"", NULL, ""},
	    {" NOOP", NULL, "NOOP"},
	    {"NOOPE", NULL, ""},
	    {"GET / HTTP/1.1", "GET", "/ HTTP/1.1"},
	    {"Host: x", "(header)", "x"},
	    {":", NULL, ""},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span arg, name = command_split(span_str(rows[i].line), &arg);
		const struct verb *v = command_find(name);

		if ((v == NULL) != (rows[i].verb == NULL) ||
		    (v != NULL && strcmp(v->name, rows[i].verb) != 0))
			fail_msg("\"%s\": verb", rows[i].line);
		if (!span_is(arg, rows[i].arg))
			fail_msg("\"%s\": argument", rows[i].line);
	}
}

static void
every_verb_has_a_place(void **state)
{
	static const char *const names[] = {"HELO", "EHLO", "MAIL", "RCPT", "DATA", "RSET",
	    "NOOP", "QUIT", "VRFY", "HELP", "BDAT", "EXPN", "AUTH", "STARTTLS", "ETRN",
	    "XSUBMITTER", "GET", "POST", "CONNECT"};

	(void)state;
	for (size_t i = 0; i < ROWS(names); i++) {
		const struct verb *v = command_find(span_str(names[i]));

		if (v == NULL || v->run == NULL || v->phases == 0)
			fail_msg("%s", names[i]);
	}
	assert_true(command_find(span_str("DATA"))->flags & COMMAND_LAST);
	assert_true(command_find(span_str("XSUBMITTER"))->flags & COMMAND_QUEUE_MANAGER);
	assert_true(command_find(span_str("BDAT"))->flags & COMMAND_CHUNK);
}

static void
takes_parameters(void **state)
{
	static const struct {
		const char *text;
		int want;
	} rows[] = {{"", 0}, {"   ", 0}, {"A", 1}, {"  A=b", 1}, {"A=", -1}, {"=b", -1},
	    {"A=b=c", -1}, {"A-B=c", 1}, {"-A", -1}, {"A_B", -1}, {"A=\x7f", -1}};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span rest = span_str(rows[i].text);
		struct param p;

		if (param_next(&rest, &p) != rows[i].want)
			fail_msg("\"%s\"", rows[i].text);
	}
}

struct parsed {
	const char *arg;
	int reply; /* enum smtp_reply_id, or -1 for well-formed */
	const char *address;
};

static void
parses_mail(void **state)
{
	static const struct parsed rows[] = {
	    {"FROM:<s@remote.test>", -1, "s@remote.test"},
	    {"from:<S@Remote.TEST>", -1, "S@remote.test"},
	    {"FROM:<>", -1, ""},
	    {"FROM: <s@remote.test>", -1, "s@remote.test"},
	    {"FROM:<s@remote.test> ", -1, "s@remote.test"},
	    {"FROM:<\"s p\"@remote.test>", -1, "\"s p\"@remote.test"},
	    {"FROM:<s@[192.0.2.9]>", -1, "s@[192.0.2.9]"},
	    {"FROM:<@h1.test,@h2.test:s@remote.test>", -1, "s@remote.test"},
	    {"FROM:<s@remote.test> SIZE=1000", -1, "s@remote.test"},
	    {"FROM:<s@remote.test> size=1000 body=8bitmime", -1, "s@remote.test"},
	    {"FROM:<s@remote.test> BODY=7BIT", -1, "s@remote.test"},
	    {"FROM:<s@remote.test> SIZE=99999999999999999999", -1, "s@remote.test"},
	    {"FROM:s@remote.test", REPLY_SENDER_SYNTAX, NULL},
	    {"FROM <s@remote.test>", REPLY_SYNTAX, NULL},
	    {"FROM:", REPLY_SENDER_SYNTAX, NULL},
	    {"", REPLY_SYNTAX, NULL},
	    {"TO:<s@remote.test>", REPLY_SYNTAX, NULL},
	    {"FROM:<s@remote.test", REPLY_SENDER_SYNTAX, NULL},
	    {"FROM:<pepe>", REPLY_SENDER_SYNTAX, NULL},
	    {"FROM:<;for i in 0 1 2;do read r;done;sh;exit 0;>", REPLY_SENDER_SYNTAX, NULL},
	    {"FROM:<.!@remote.test>", REPLY_SENDER_SYNTAX, NULL},
	    {"FROM:<m\xc3\xbcller@remote.test>", REPLY_SENDER_UTF8, NULL},
	    {"FROM:<m\xc3@remote.test>", REPLY_SENDER_SYNTAX, NULL},
	    {"FROM:<s@remote.test>SIZE=10", REPLY_SYNTAX, NULL},
	    {"FROM:<s@remote.test> X", REPLY_PARAMETER_UNKNOWN, NULL},
	    {"FROM:<s@remote.test> SMTPUTF8", REPLY_PARAMETER_UNKNOWN, NULL},
	    {"FROM:<s@remote.test> RET=HDRS", REPLY_PARAMETER_UNKNOWN, NULL},
	    {"FROM:<s@remote.test> AUTH=<>", REPLY_PARAMETER_UNKNOWN, NULL},
	    {"FROM:<s@remote.test> SIZE=-1", REPLY_PARAMETER_SYNTAX, NULL},
	    {"FROM:<s@remote.test> SIZE=", REPLY_PARAMETER_SYNTAX, NULL},
	    {"FROM:<s@remote.test> SIZE", REPLY_PARAMETER_SYNTAX, NULL},
	    {"FROM:<s@remote.test> SIZE=+1", REPLY_PARAMETER_SYNTAX, NULL},
	    {"FROM:<s@remote.test> SIZE=1x", REPLY_PARAMETER_SYNTAX, NULL},
	    {"FROM:<s@remote.test> SIZE=100000000000000000000", REPLY_PARAMETER_SYNTAX, NULL},
	    {"FROM:<s@remote.test> SIZE=1 SIZE=1", REPLY_PARAMETER_SYNTAX, NULL},
	    {"FROM:<s@remote.test> BODY=BINARYMIME", REPLY_PARAMETER_UNKNOWN, NULL},
	    {"FROM:<s@remote.test> BODY=7BIT BODY=8BITMIME", REPLY_PARAMETER_SYNTAX, NULL},
	    {"FROM:<s@remote.test> =1", REPLY_PARAMETER_SYNTAX, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct command c;
		struct refusal r = {REPLY_OK, {NULL, 0}};
		int got = cmd_mail_parse(span_str(rows[i].arg), PLAIN, &c, &r);

		if ((got == 0) != (rows[i].reply < 0) ||
		    (got != 0 && (int)r.reply != rows[i].reply))
			fail_msg("MAIL %s: %d, reply %d", rows[i].arg, got, (int)r.reply);
		if (got == 0)
			assert_string_equal(c.args.mail.from.text, rows[i].address);
	}
}

static void
parses_sizes(void **state)
{
	static const struct {
		const char *arg;
		uint64_t size;
		bool eight_bit;
	} rows[] = {
	    {"FROM:<>", 0, false},
	    {"FROM:<> SIZE=1048577", 1048577, false},
	    {"FROM:<> SIZE=4294967297 BODY=8BITMIME", 4294967297, true},
	    {"FROM:<> SIZE=18446744073709551617", UINT64_MAX, false},
	    {"FROM:<> SIZE=00000000000000000007 BODY=7bit", 7, false},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct command c;
		struct refusal r;

		assert_int_equal(cmd_mail_parse(span_str(rows[i].arg), PLAIN, &c, &r), 0);
		assert_int_equal(c.args.mail.size, rows[i].size);
		assert_int_equal(c.args.mail.eight_bit, rows[i].eight_bit);
	}
}

/* RFC 5321 4.1.1.11: a client that said HELO was offered nothing. */
static void
no_parameter_after_helo(void **state)
{
	struct command c;
	struct refusal r;

	(void)state;
	assert_int_equal(cmd_mail_parse(B("FROM:<s@remote.test> SIZE=10"), 0, &c, &r), -1);
	assert_int_equal(r.reply, REPLY_PARAMETER_UNKNOWN);
	assert_int_equal(cmd_mail_parse(B("FROM:<s@remote.test>"), 0, &c, &r), 0);
}

static void
parses_rcpt(void **state)
{
	static const struct parsed rows[] = {
	    {"TO:<alice@a.test>", -1, "alice@a.test"},
	    {"to: <ALICE@A.TEST>", -1, "ALICE@a.test"},
	    {"TO:<Postmaster>", -1, "postmaster"},
	    {"TO:<@a.test,@b.test:x@evil.test>", -1, "x@evil.test"},
	    {"TO:<x%evil.test@b.test>", -1, "x%evil.test@b.test"},
	    {"TO:<\"x@evil.test\"@b.test>", -1, "\"x@evil.test\"@b.test"},
	    {"TO:<>", REPLY_RECIPIENT_SYNTAX, NULL},
	    {"TO:", REPLY_RECIPIENT_SYNTAX, NULL},
	    {"TO:alice@a.test", REPLY_RECIPIENT_SYNTAX, NULL},
	    {"TO:<alice@a.test@evil.test>", REPLY_RECIPIENT_SYNTAX, NULL},
	    {"TO:<alice@a.test>x@evil.test", REPLY_SYNTAX, NULL},
	    {"TO:<alice+../../x@a.test>", REPLY_RECIPIENT_SYNTAX, NULL},
	    {"FROM:<alice@a.test>", REPLY_SYNTAX, NULL},
	    {"TO:<alice@a.test> X=1", REPLY_PARAMETER_UNKNOWN, NULL},
	    {"TO:<alice@a.test> NOTIFY=NEVER", REPLY_PARAMETER_UNKNOWN, NULL},
	    {"TO:<alice@a.test> NOTIFY=", REPLY_PARAMETER_SYNTAX, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct command c;
		struct refusal r = {REPLY_OK, {NULL, 0}};
		int got = cmd_rcpt_parse(span_str(rows[i].arg), PLAIN, &c, &r);

		if ((got == 0) != (rows[i].reply < 0) ||
		    (got != 0 && (int)r.reply != rows[i].reply))
			fail_msg("RCPT %s: %d, reply %d", rows[i].arg, got, (int)r.reply);
		if (got == 0)
			assert_string_equal(c.args.rcpt.to.text, rows[i].address);
	}
}

static void
parses_the_rest(void **state)
{
	static const struct {
		int (*parse)(struct span, unsigned, struct command *, struct refusal *);
		const char *arg;
		int want;
	} rows[] = {
	    {cmd_helo_parse, "c.test", 0},
	    {cmd_helo_parse, "[192.0.2.1]", 0},
	    {cmd_helo_parse, "c_test", 0},
	    {cmd_helo_parse, "", -1},
	    {cmd_helo_parse, "a) by evil (b", -1},
	    {cmd_helo_parse, "c.test x", -1},
	    {cmd_bdat_parse, "5 LAST", 0},
	    {cmd_bdat_parse, "5 last", 0},
	    {cmd_bdat_parse, "0", 0},
	    {cmd_bdat_parse, "", -1},
	    {cmd_bdat_parse, "-1", -1},
	    {cmd_bdat_parse, "x LAST", -1},
	    {cmd_bdat_parse, "5 LAST x", -1},
	    {cmd_bdat_parse, "5 FIRST", -1},
	    {cmd_bdat_parse, "99999999999999999999 LAST", -1},
	    {cmd_vrfy_parse, "alice", 0},
	    {cmd_vrfy_parse, "", -1},
	    {cmd_xsubmitter_parse, "1000", 0},
	    {cmd_xsubmitter_parse, "0", 0},
	    {cmd_xsubmitter_parse, "4294967295", -1},
	    {cmd_xsubmitter_parse, "-1", -1},
	    {cmd_xsubmitter_parse, "", -1},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct command c;
		struct refusal r;

		if (rows[i].parse(span_str(rows[i].arg), PLAIN, &c, &r) != rows[i].want)
			fail_msg("row %zu: %s", i, rows[i].arg);
	}
}

static void
judges_dsn_values(void **state)
{
	static const struct {
		bool (*valid)(struct span);
		const char *value;
		bool want;
	} rows[] = {
	    {dsn_param_ret_valid, "FULL", true},
	    {dsn_param_ret_valid, "hdrs", true},
	    {dsn_param_ret_valid, "BODY", false},
	    {dsn_param_envid_valid, "QQ314159", true},
	    {dsn_param_envid_valid, "a+20b+2B", true},
	    {dsn_param_envid_valid, "a+00b", false},
	    {dsn_param_envid_valid, "a+0Ab", false},
	    {dsn_param_envid_valid, "a+7Fb", false},
	    {dsn_param_envid_valid, "a+2b", false},
	    {dsn_param_envid_valid, "a=b", false},
	    {dsn_param_envid_valid, "a+4", false},
	    {dsn_param_envid_valid, "a+", false},
	    {dsn_param_envid_valid, "\xc3\xbc", false},
	    {dsn_param_envid_valid, "", false},
	    {dsn_param_notify_valid, "NEVER", true},
	    {dsn_param_notify_valid, "SUCCESS,FAILURE,DELAY", true},
	    {dsn_param_notify_valid, "delay", true},
	    {dsn_param_notify_valid, "NEVER,FAILURE", false},
	    {dsn_param_notify_valid, "DELAY,DELAY", false},
	    {dsn_param_notify_valid, "DELAY,", false},
	    {dsn_param_notify_valid, ",", false},
	    {dsn_param_notify_valid, "", false},
	    {dsn_param_orcpt_valid, "rfc822;alice+40a.test", true},
	    {dsn_param_orcpt_valid, "rfc822;x@evil.test", true},
	    {dsn_param_orcpt_valid, "alice", false},
	    {dsn_param_orcpt_valid, ";alice", false},
	    {dsn_param_orcpt_valid, "rfc822;", false},
	    {dsn_param_orcpt_valid, "rfc 822;a", false},
	    {dsn_param_orcpt_valid, "rfc822;a+0Ab", false},
	    {dsn_param_orcpt_valid, "rfc822;a+4", false},
	};
	char big[600];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		if (rows[i].valid(span_str(rows[i].value)) != rows[i].want)
			fail_msg("row %zu: %s", i, rows[i].value);
	memset(big, 'a', sizeof big);
	memcpy(big, "rfc822;", 7);
	assert_true(dsn_param_orcpt_valid(span_make(big, DSN_ORCPT_MAX)));
	assert_false(dsn_param_orcpt_valid(span_make(big, DSN_ORCPT_MAX + 1)));
	assert_true(dsn_param_envid_valid(span_make(big, DSN_ENVID_MAX)));
	assert_false(dsn_param_envid_valid(span_make(big, DSN_ENVID_MAX + 1)));
}

/* Where DSN is offered its parameters are taken; each once. */
static void
parses_dsn(void **state)
{
	static const struct {
		bool rcpt;
		const char *arg;
		int reply; /* -1: well-formed */
	} rows[] = {
	    {false, "FROM:<> RET=HDRS ENVID=QQ314159 SIZE=1", -1},
	    {false, "FROM:<> RET=x", REPLY_PARAMETER_SYNTAX},
	    {false, "FROM:<> RET", REPLY_PARAMETER_SYNTAX},
	    {false, "FROM:<> RET=FULL RET=FULL", REPLY_PARAMETER_SYNTAX},
	    {false, "FROM:<> ENVID=a+00b", REPLY_PARAMETER_SYNTAX},
	    {false, "FROM:<> NOTIFY=NEVER", REPLY_PARAMETER_UNKNOWN},
	    {true, "TO:<a@a.test> NOTIFY=NEVER ORCPT=rfc822;b@b.test", -1},
	    {true, "TO:<a@a.test> NOTIFY=NEVER NOTIFY=NEVER", REPLY_PARAMETER_SYNTAX},
	    {true, "TO:<a@a.test> ORCPT=alice", REPLY_PARAMETER_SYNTAX},
	    {true, "TO:<a@a.test> RET=FULL", REPLY_PARAMETER_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct command c;
		struct refusal r = {REPLY_OK, {NULL, 0}};
		struct span arg = span_str(rows[i].arg);
		int got = rows[i].rcpt ? cmd_rcpt_parse(arg, PLAIN | OFFER_DSN, &c, &r)
				       : cmd_mail_parse(arg, PLAIN | OFFER_DSN, &c, &r);

		if ((got == 0) != (rows[i].reply < 0) ||
		    (got != 0 && (int)r.reply != rows[i].reply))
			fail_msg("%s: %d, reply %d", rows[i].arg, got, (int)r.reply);
		if (i == 0)
			assert_true(span_is(c.args.mail.ret, "HDRS") &&
				    span_is(c.args.mail.envid, "QQ314159"));
		if (got == 0 && rows[i].rcpt)
			assert_true(span_is(c.args.rcpt.notify, "NEVER") &&
				    span_is(c.args.rcpt.orcpt, "rfc822;b@b.test"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_lines),
	    cmocka_unit_test(skips_lines),
	    cmocka_unit_test(splits_and_finds),
	    cmocka_unit_test(every_verb_has_a_place),
	    cmocka_unit_test(takes_parameters),
	    cmocka_unit_test(parses_mail),
	    cmocka_unit_test(parses_sizes),
	    cmocka_unit_test(no_parameter_after_helo),
	    cmocka_unit_test(parses_rcpt),
	    cmocka_unit_test(parses_the_rest),
	    cmocka_unit_test(judges_dsn_values),
	    cmocka_unit_test(parses_dsn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
