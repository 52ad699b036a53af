/*
 * test_session: whole dialogues with one session over a socket pair. A row is what the client
 * writes and the codes of the replies it then has, `!` if the server closes. The ids are those of
 * tests/vectors/dialogue.tsv where a row stands there too.
 */
#include "smtpd/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/limits.h"
#include "common/log.h"
#include "tests/unit/escapes.h"
#include "tests/unit/smtpd_fake.h"

#define E "EHLO c.test\\r\\n"
#define H "HELO c.test\\r\\n"
#define M "MAIL FROM:<s@remote.test>\\r\\n"
#define R "RCPT TO:<alice@a.test>\\r\\n"
#define D "DATA\\r\\n"
#define B "Subject: t\\r\\n\\r\\nhello\\r\\n.\\r\\n"
#define Q "QUIT\\r\\n"

#define STEPS	8
#define ROWS(a) (sizeof(a) / sizeof *(a))

struct client {
	struct fake fake;
	int fd;
	bool closed;
	char replies[1 << 16]; /* codes, separated by commas, `!` behind the last if closed */
	char last[1024];       /* the last line of the last reply */
	struct buf got;
};

static void
client_open(struct client *c, const struct session_origin *origin)
{
	memset(c, 0, sizeof *c);
	buf_init(&c->got, 1U << 20);
	fake_init(&c->fake);
	c->fd = fake_connect(&c->fake, origin);
	fake_run(&c->fake);
}

static void
client_close(struct client *c)
{
	close(c->fd);
	fake_run(&c->fake);
	assert_int_equal(c->fake.large_open, 0);
	assert_int_equal(c->fake.server.nsessions, 0);
	assert_int_equal(c->fake.server.budget.used, 0);
	fake_release(&c->fake);
	buf_release(&c->got);
}

/* RFC 5321 4.2, RFC 2034 4: what holds for every line. */
static void
check_line(struct span line)
{
	assert_in_range(line.len, 4, REPLY_LINE_MAX - 2);
	assert_in_range(line.p[0], '2', '5');
	assert_in_range(line.p[1], '0', '5');
	assert_in_range(line.p[2], '0', '9');
	assert_true(line.p[3] == ' ' || line.p[3] == '-');
	for (size_t i = 0; i < line.len; i++)
		assert_in_range((unsigned char)line.p[i], 0x20, 0x7e);
	if (line.p[0] == '4' || line.p[0] == '5')
		assert_true(line.len > 9 && line.p[4] == line.p[0] && line.p[5] == '.');
}

static void
client_read(struct client *c)
{
	char block[4096];
	struct span rest, line;
	ssize_t n;

	while ((n = recv(c->fd, block, sizeof block, 0)) > 0) {
		buf_add(&c->got, block, (size_t)n);
		fake_run(&c->fake);
	}
	if (n == 0)
		c->closed = true;
	c->replies[0] = '\0';
	for (rest = buf_span(&c->got); rest.len > 0;) {
		size_t len = strlen(c->replies);

		assert_true(span_index(rest, '\n') > 0);
		line = span_cut(&rest, '\n');
		assert_int_equal(line.p[line.len - 1], '\r');
		line.len--;
		check_line(line);
		if (line.p[3] == ' ') {
			snprintf(c->replies + len, sizeof c->replies - len, "%s%.3s",
			    len > 0 ? "," : "", line.p);
			snprintf(c->last, sizeof c->last, "%.*s", SPAN_ARG(line));
		}
	}
	if (c->closed)
		snprintf(c->replies + strlen(c->replies), 2, "!");
	buf_clear(&c->got);
}

/* Writes, in pieces, and collects what comes back. */
static const char *
client_say(struct client *c, struct span out, size_t piece)
{
	while (out.len > 0) {
		struct span part = span_first(out, piece);
		ssize_t n = send(c->fd, part.p, part.len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
			break;
		if (n > 0)
			out = span_skip(out, (size_t)n);
		fake_run(&c->fake);
	}
	fake_run(&c->fake);
	client_read(c);
	return c->replies;
}

static const char *
say(struct client *c, const char *text)
{
	struct buf out;

	buf_init(&out, 8U << 20);
	assert_true(escapes_expand(span_str(text), &out));
	client_say(c, buf_span(&out), out.len + 1);
	buf_release(&out);
	return c->replies;
}

struct row {
	const char *name;
	const char *send[STEPS], *want[STEPS];
	int queued; /* messages in the end */
};

static const struct row rows[] = {
    {"GR-03", {Q}, {"221!"}, 0},
    {"EH-03", {"EHLO\\r\\n"}, {"501"}, 0},
    {"EH-06", {"eHlO c.test\\r\\n"}, {"250"}, 0},
    {"EH-11", {"EHLO {*300:a}\\r\\n"}, {"501"}, 0},
    {"EH-12", {"EHLO c\\x00t\\r\\n", E}, {"500", "250"}, 0},
    {"EH-14", {E, M, H, R}, {"250", "250", "250", "503"}, 0},
    {"EH-15", {"EHLO a) by evil (b\\r\\n", M}, {"501", "503"}, 0},
    {"EH-17", {"EHLO c.test\\r\\r\\n"}, {"500!"}, 0},
    {"EH-18", {"EHLO\\tc.test\\r\\n"}, {"500"}, 0},
    {"EH-19", {"   EHLO c.test\\r\\n"}, {"500"}, 0},
    {"EHLO that fails changes nothing", {E, M, "EHLO ?\\r\\n", R}, {"250", "250", "501", "250"},
	0},
    {"ML-01", {M}, {"503"}, 0},
    {"ML-03", {E, "MAIL FROM:<>\\r\\n"}, {"250", "250"}, 0},
    {"ML-31", {E, "MAIL FROM:<s\\r@remote.test>\\r\\n"}, {"250", "500!"}, 0},
    {"ML-33", {H, "MAIL FROM:<s@remote.test> SIZE=10\\r\\n"}, {"250", "555"}, 0},
    {"nested MAIL", {E, M, "MAIL FROM:<x@remote.test>\\r\\n", R, D, B},
	{"250", "250", "503", "250", "354", "250"}, 1},
    {"SZ-03", {E, "MAIL FROM:<s@remote.test> SIZE=1048577\\r\\n", R}, {"250", "552", "503"}, 0},
    {"SZ-02", {E, "MAIL FROM:<s@remote.test> SIZE=1048576\\r\\n"}, {"250", "250"}, 0},
    {"refused sender", {E, "MAIL FROM:<forged@a.test>\\r\\n", R, M},
	{"250", "553", "503", "250"}, 0},
    {"RC-02", {E, M, R}, {"250", "250", "250"}, 0},
    {"RC-12", {E, M, R, R, D, B}, {"250", "250", "250", "250", "354", "250"}, 1},
    {"RC-17", {E, M, "RCPT TO:<nosuch@a.test>\\r\\n", D}, {"250", "250", "550", "554"}, 0},
    {"later recipient", {E, M, "RCPT TO:<later@a.test>\\r\\n", R, D, B},
	{"250", "250", "451", "250", "354", "250"}, 1},
    {"421 from the policy", {E, M, "RCPT TO:<bye@a.test>\\r\\n"}, {"250", "250", "421!"}, 0},
    {"RC-19", {E, M, "{*12:RCPT TO:<no@a.test>\\r\\n}"},
	{"250", "250", "550,550,550,550,550,550,550,550,550,421!"}, 0},
    {"DT-01", {E, D}, {"250", "503"}, 0},
    {"DT-02", {E, M, D}, {"250", "250", "503"}, 0},
    {"DT-04", {E, M, R, "DATA x\\r\\n", D, B}, {"250", "250", "250", "501", "354", "250"}, 1},
    {"DT-24", {E, M, R, D, B, R}, {"250", "250", "250", "354", "250", "503"}, 1},
    {"DT-27", {E, M R, D, B, M R, D, B},
	{"250", "250,250", "354", "250", "250,250", "354", "250"}, 2},
    {"DT-18", {E, M, R, D, "{*60:Received: by h\\r\\n}\\r\\nb\\r\\n.\\r\\n", R},
	{"250", "250", "250", "354", "554", "503"}, 0},
    {"bare LF",
	{E, M, R, D, "S: t\\r\\n\\r\\nfirst\\n.\\n" M R D "S: s\\r\\n\\r\\nevil\\r\\n.\\r\\n"},
	{"250", "250", "250", "354", "550!"}, 0},
    {"SM-13", {E, M, R, D, "S: t\\r\\n\\r\\nfirst\\r\\r\\n.\\r\\n" M R D},
	{"250", "250", "250", "354", "550!"}, 0},
    {"BD-02", {E, "BDAT 12 LAST\\r\\nRSET\\r\\nQUIT\\r\\n", Q}, {"250", "503", "221!"}, 0},
    {"BDAT in a transaction", {E, M, R, "BDAT 6 LAST\\r\\nQUIT\\r\\nNOOP\\r\\n"},
	{"250", "250", "250", "502,250"}, 0},
    {"BDAT 0", {E, "BDAT 0\\r\\nNOOP\\r\\n"}, {"250", "503,250"}, 0},
    {"BD-03", {E, M, R, "BDAT 99999999999999999999 LAST\\r\\n"}, {"250", "250", "250", "501!"},
	0},
    {"BDAT larger than the limit", {E, "BDAT 1048577\\r\\nQUIT\\r\\n"}, {"250", "552!"}, 0},
    {"BD-04", {E, M, R, "BDAT -1\\r\\n"}, {"250", "250", "250", "501!"}, 0},
    {"OT-02", {E, M, "RSET\\r\\n", R}, {"250", "250", "250", "503"}, 0},
    {"OT-05", {E, "VRFY alice\\r\\n", "VRFY nosuch\\r\\n", "VRFY\\r\\n"},
	{"250", "252", "252", "501"}, 0},
    {"OT-07", {"HELP\\r\\n", "HELP MAIL\\r\\n"}, {"214", "214"}, 0},
    {"OT-10", {E, "{*20:FOO\\r\\n}"}, {"250", "500,500,500,500,500,500,500,500,500,421!"}, 0},
    {"OT-13",
	{E, "SOML FROM:<s@remote.test>\\r\\n", "STARTTLS\\r\\n", "AUTH PLAIN\\r\\n",
	    "EXPN x\\r\\n"},
	{"250", "502", "502", "502", "502"}, 0},
    {"OT-15", {E, "XCLIENT ADDR=127.0.0.1\\r\\n", "XSUBMITTER 0\\r\\n"}, {"250", "500", "500"},
	0},
    {"OT-19", {"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"}, {"554!"}, 0},
    {"OT-20", {"POST / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" E M}, {"554!"}, 0},
    {"OT-22", {"Host: x\\r\\nUser-Agent: y\\r\\n"}, {"554!"}, 0},
    {"OT-23", {"\\x16\\x03\\x01\\x02\\x00\\x01\\x00\\x01\\xfc\\x03\\x03\\r\\n"}, {"500!"}, 0},
    {"TLS without a line end", {"\\x16\\x03\\x01"}, {"500!"}, 0},
    {"OT-25", {"QUIT x\\r\\n", Q}, {"501", "221!"}, 0},
    {"long line", {E, "{*3000:A}\\r\\nNOOP\\r\\n"}, {"250", "500,250"}, 0},
    {"OT-27", {"{*1000000:A}"}, {"500!"}, 0},
    {"OT-28", {E, "NOOP\\x00QUIT\\r\\n", "NOOP\\r\\n"}, {"250", "500", "250"}, 0},
    {"PI-01", {E, M R D, B}, {"250", "250,250,354", "250"}, 1},
    {"PI-02", {E, M "RCPT TO:<nosuch@a.test>\\r\\n" D}, {"250", "250,550,554"}, 0},
    {"PI-03", {E, M R D B}, {"250", "250,250,503!"}, 0},
    {"body behind a DATA that would be refused", {E, M D B}, {"250", "250,503!"}, 0},
    {"PI-05", {E, M R D, B M R D, B Q}, {"250", "250,250,354", "250,250,250,354", "250,221!"},
	2},
    {"PI-07", {E M}, {"250,250"}, 0},
    {"nothing behind QUIT", {E, Q E M}, {"250", "221!"}, 0},
    {"ST-02", {E, M, R, "RSET\\r\\n", D}, {"250", "250", "250", "250", "503"}, 0},
    {"ST-03", {E, M, R, Q}, {"250", "250", "250", "221!"}, 0},
    {"ST-05", {E, M, R, "NOOP x\\r\\nVRFY x\\r\\nHELP\\r\\n", D, B},
	{"250", "250", "250", "250,252,214", "354", "250"}, 1},
    {"RSET takes no argument", {E, M, "RSET x\\r\\n", R}, {"250", "250", "501", "250"}, 0},
    {"empty line", {"\\r\\n", E}, {"500", "250"}, 0},
};

/* Every octet alone is the same dialogue, but where input behind DATA makes the difference. */
static bool
may_split(const struct row *r)
{
	for (size_t i = 0; i < STEPS && r->send[i] != NULL; i++) {
		const char *data = strstr(r->send[i], D);

		if ((data != NULL && data[strlen(D)] != '\0') ||
		    strstr(r->send[i], "00:") != NULL)
			return false;
	}
	return true;
}

static void
play(const struct row *r, size_t piece)
{
	struct client c;
	struct buf out;

	buf_init(&out, 8U << 20);
	client_open(&c, NULL);
	client_read(&c);
	assert_string_equal(c.replies, "220");
	for (size_t i = 0; i < STEPS && r->send[i] != NULL && r->want[i] != NULL; i++) {
		buf_clear(&out);
		assert_true(escapes_expand(span_str(r->send[i]), &out));
		if (strcmp(client_say(&c, buf_span(&out), piece), r->want[i]) != 0)
			fail_msg("%s, pieces of %zu, step %zu: got %s, want %s", r->name, piece,
			    i + 1, c.replies, r->want[i]);
	}
	if ((int)c.fake.nmessages != r->queued)
		fail_msg("%s: %zu messages, want %d", r->name, c.fake.nmessages, r->queued);
	client_close(&c);
	buf_release(&out);
}

static void
dialogues(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		play(&rows[i], 1U << 20);
		if (may_split(&rows[i]))
			play(&rows[i], 1);
	}
}

static void
the_ehlo_offers_what_there_is(void **state)
{
	static const char want[] =
	    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1048576\r\n250-8BITMIME\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n250 HELP\r\n";
	char got[512] = {0};
	struct client c;

	(void)state;
	client_open(&c, NULL);
	client_read(&c);
	assert_string_equal(c.last, "220 mx.test ESMTP Postrider");
	assert_int_equal(send(c.fd, "EHLO c.test\r\n", 13, 0), 13);
	fake_run(&c.fake);
	assert_int_equal(recv(c.fd, got, sizeof got - 1, 0), sizeof want - 1);
	assert_string_equal(got, want);
	client_close(&c);
}

/* A pipelined group is answered in one write, whatever it waited for on the way. */
static void
a_group_leaves_in_one_write(void **state)
{
	static const char group[] =
	    "MAIL FROM:<>\r\nRCPT TO:<a@a.test>\r\nRCPT TO:<b@a.test>\r\nDATA\r\n";
	char got[4096];
	struct client c;
	ssize_t n;

	(void)state;
	client_open(&c, NULL);
	assert_string_equal(say(&c, E), "220,250");
	send(c.fd, group, strlen(group), 0);
	for (int i = 0; i < 3;
	     i++) { /* three questions, nothing said before the last is answered */
		event_base_loop(c.fake.base, EVLOOP_NONBLOCK);
		assert_int_equal(recv(c.fd, got, sizeof got, 0), -1);
		assert_int_equal(c.fake.ncalls, 1);
		fake_answer_policy(&c.fake);
	}
	n = recv(c.fd, got, sizeof got, 0);
	assert_in_range(n, 1, sizeof got);
	assert_int_equal(memcmp(got + n - 2, "\r\n", 2), 0);
	assert_true(n > 4 && strncmp(got, "250 ", 4) == 0);
	got[n - 1] = '\0';
	assert_non_null(strstr(got, "\r\n354 "));
	client_close(&c);
}

static void
what_is_asked_and_stored(void **state)
{
	struct client c;
	const struct fake_message *m;

	(void)state;
	client_open(&c, NULL);
	assert_string_equal(c.fake.asked, "0 role=0 client=192.0.2.7 uid=-1 helo= from= rcpt=");
	assert_string_equal(
	    say(&c, E "MAIL FROM:<S@Remote.Test> BODY=8BITMIME\\r\\n"), "220,250,250");
	assert_string_equal(c.fake.asked,
	    "1 role=0 client=192.0.2.7 uid=-1 helo=c.test from=S@remote.test rcpt=");
	assert_string_equal(
	    say(&c, "RCPT TO:<Bob@A.Test>\\r\\n" R "RCPT TO:<no@a.test>\\r\\n"), "250,250,550");
	assert_string_equal(say(&c, D), "354");
	c.fake.hold_commits = true;
	assert_string_equal(say(&c, B), "");
	c.fake.hold_commits = false;
	assert_string_equal(say(&c, ""), "250");
	assert_int_equal(c.fake.nmessages, 1);
	m = &c.fake.messages[0];
	assert_int_equal(m->number, 42);
	assert_string_equal(m->envelope,
	    "envelope\nfrom=S@remote.test\nclient=192.0.2.7\nhelo=c.test\neight-bit=yes\n"
	    "rcpt=Bob@a.test\nrcpt=alice@a.test\n");
	assert_int_equal(
	    strncmp(m->content,
		"Received: from c.test ([192.0.2.7])\n\tby mx.test (Postrider) with ESMTP id ",
		74),
	    0);
	assert_non_null(strstr(m->content, "+0000\nSubject: t\n\nhello\n"));
	assert_null(strstr(m->content, "\tfor <"));
	/* The id in the reply is the one in the trace field. */
	assert_int_equal(strncmp(c.last, "250 2.0.0 Queued as ", 20), 0);
	assert_non_null(strstr(m->content, c.last + 20));
	client_close(&c);
}

static void
no_250_before_the_disk(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, NULL);
	c.fake.failing = true;
	assert_string_equal(say(&c, E M R D), "220,250,250,250,354");
	assert_string_equal(say(&c, B), "451");
	assert_string_equal(say(&c, R), "503");
	c.fake.failing = false;
	assert_string_equal(say(&c, M R D), "250,250,354");
	c.fake.hold_commits = true;
	assert_string_equal(say(&c, B), "");
	fake_sleep(&c.fake, 50000);
	client_read(&c);
	assert_string_equal(c.replies, "");
	c.fake.hold_commits = false;
	assert_string_equal(say(&c, ""), "250");
	client_close(&c);
}

static void
a_full_spool(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, NULL);
	assert_string_equal(say(&c, E M R), "220,250,250,250");
	c.fake.full = true;
	assert_string_equal(say(&c, D), "452");
	assert_string_equal(say(&c, "RSET\\r\\n" M), "250,452");
	c.fake.full = false;
	assert_string_equal(say(&c, M R D), "250,250,354");
	client_close(&c);
}

static void
large_and_too_large(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, NULL);
	assert_string_equal(say(&c, E M R D), "220,250,250,250,354");
	for (int i = 0; i < 600; i++)
		assert_string_equal(say(&c, "{*900:a}\\r\\n"), "");
	assert_string_equal(say(&c, ".\\r\\n" M R D), "250,250,250,354");
	assert_int_equal(c.fake.nmessages, 1);
	assert_true(c.fake.messages[0].large);
	for (int i = 0; i < 1300; i++)
		assert_string_equal(say(&c, "{*900:a}\\r\\n"), "");
	assert_string_equal(say(&c, ".\\r\\n" M), "552,250");
	assert_int_equal(c.fake.nmessages, 1);
	c.fake.no_file = true;
	assert_string_equal(say(&c, R D), "250,354");
	for (int i = 0; i < 600; i++)
		assert_string_equal(say(&c, "{*900:a}\\r\\n"), "");
	assert_string_equal(say(&c, ".\\r\\nNOOP\\r\\n"), "452,250");
	client_close(&c);
}

static void
the_directory_is_down(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, NULL);
	client_close(&c);
	memset(&c, 0, sizeof c);
	buf_init(&c.got, 1U << 20);
	fake_init(&c.fake);
	c.fake.untold = true;
	c.fd = fake_connect(&c.fake, NULL);
	assert_string_equal(say(&c, E M R), "220,250,451,503");
	c.fake.untold = false;
	assert_string_equal(say(&c, M R), "250,250");
	c.fake.untold = true;
	assert_string_equal(say(&c, "RCPT TO:<bob@a.test>\\r\\n"), "451");
	assert_string_equal(say(&c, D), "354");
	client_close(&c);
}

static void
a_client_that_is_refused(void **state)
{
	static const char *const verdicts[] = {"5", "4"};

	(void)state;
	for (size_t i = 0; i < ROWS(verdicts); i++) {
		struct client c;

		memset(&c, 0, sizeof c);
		buf_init(&c.got, 1U << 20);
		fake_init(&c.fake);
		c.fake.refuse_client = verdicts[i];
		c.fd = fake_connect(&c.fake, NULL);
		fake_run(&c.fake);
		client_read(&c);
		assert_string_equal(c.replies, i == 0 ? "554" : "421!");
		if (i == 0)
			assert_string_equal(say(&c, E "NOOP\\r\\n" Q), "503,503,221!");
		client_close(&c);
	}
}

static void
clocks(void **state)
{
	static const struct {
		const char *name, *send, *before, *after;
		uint64_t ms;
	} times[] = {
	    {"idle between commands", E M, "220,250,250", "421!", 5000},
	    {"half a command", E "MAIL FR", "220,250", "421!", 5000},
	    {"idle in DATA", E M R D, "220,250,250,250,354", "421!", 5000},
	    {"half a message", E M R D, "220,250,250,250,354", "421!", 5000},
	    {"not yet", E, "220,250", "", 4900},
	};
	struct client c;

	(void)state;
	for (size_t i = 0; i < ROWS(times); i++) {
		client_open(&c, NULL);
		assert_string_equal(say(&c, times[i].send), times[i].before);
		fake_sleep(&c.fake, times[i].ms);
		client_read(&c);
		if (strcmp(c.replies, times[i].after) != 0)
			fail_msg("%s: %s", times[i].name, c.replies);
		client_close(&c);
	}
	client_open(&c, NULL); /* a command every 4 s, for a minute in all */
	assert_string_equal(say(&c, E), "220,250");
	for (int i = 0; i < 14; i++) {
		fake_sleep(&c.fake, 4000);
		assert_string_equal(say(&c, "NOOP\\r\\n"), "250");
	}
	fake_sleep(&c.fake, 4000);
	client_read(&c);
	assert_string_equal(c.replies, "421!");
	client_close(&c);
}

/* An octet now and then keeps no session open (RELIABILITY: slow senders). */
static void
content_has_to_come(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, NULL);
	assert_string_equal(say(&c, E M R D), "220,250,250,250,354");
	for (int i = 0; i < 5; i++) {
		assert_string_equal(say(&c, "aaaa\\r\\n"), "");
		fake_sleep(&c.fake, 1000);
	}
	client_read(&c);
	assert_string_equal(c.replies, "421!");
	assert_int_equal(c.fake.nmessages, 0);
	client_close(&c);
	client_open(&c, NULL);
	assert_string_equal(say(&c, E M R D), "220,250,250,250,354");
	for (int i = 0; i < 12; i++) { /* and enough of them does */
		assert_string_equal(say(&c, "{*50:a}\\r\\n"), "");
		fake_sleep(&c.fake, 1000);
	}
	assert_string_equal(say(&c, ".\\r\\n"), "250");
	client_close(&c);
}

static void
greeting_delay(void **state)
{
	struct client c;

	(void)state;
	for (int early = 0; early < 2; early++) {
		memset(&c, 0, sizeof c);
		buf_init(&c.got, 1U << 20);
		fake_init(&c.fake);
		c.fake.server.settings->greeting_delay_ms = 200;
		c.fd = fake_connect(&c.fake, NULL);
		fake_sleep(&c.fake, 100);
		client_read(&c);
		assert_string_equal(c.replies, "");
		if (early != 0) {
			assert_string_equal(say(&c, E), "554!");
		} else {
			fake_sleep(&c.fake, 150);
			assert_string_equal(say(&c, E), "220,250");
		}
		client_close(&c);
	}
	memset(&c, 0, sizeof c); /* a client that goes away meanwhile is no early talker */
	buf_init(&c.got, 1U << 20);
	fake_init(&c.fake);
	c.fake.server.settings->greeting_delay_ms = 200;
	c.fd = fake_connect(&c.fake, NULL);
	shutdown(c.fd, SHUT_WR);
	fake_run(&c.fake);
	client_read(&c);
	assert_string_equal(c.replies, "!");
	client_close(&c);
}

static void
too_many_recipients(void **state)
{
	struct client c;
	char text[128];

	(void)state;
	client_open(&c, NULL);
	assert_string_equal(say(&c, E M), "220,250,250");
	for (int i = 1; i <= 101; i++) {
		snprintf(text, sizeof text, "RCPT TO:<u%d@b.test>\\r\\n", i);
		assert_string_equal(say(&c, text), i <= 100 ? "250" : "452");
	}
	assert_string_equal(say(&c, "RCPT TO:<u7@b.test>\\r\\n"), "250"); /* is among them */
	assert_string_equal(say(&c, D), "354");
	assert_string_equal(say(&c, B), "250");
	client_close(&c);
}

static void
too_much_junk(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, NULL);
	assert_string_equal(say(&c, E), "220,250");
	for (int i = 0; i < 99; i++)
		assert_string_equal(say(&c, "NOOP\\r\\n"), "250");
	assert_string_equal(say(&c, "NOOP\\r\\nNOOP\\r\\n"), "421!");
	client_close(&c);
}

static void
the_submit_socket(void **state)
{
	struct session_origin user = {.role = LISTENER_SUBMIT, .uid = 1000, .peer_uid = 1000};
	struct session_origin queue = {
	    .role = LISTENER_SUBMIT, .uid = 64003, .peer_uid = 64003, .queue_manager = true};
	struct client c;

	(void)state;
	client_open(&c, &user);
	assert_string_equal(c.fake.asked, "0 role=2 client= uid=1000 helo= from= rcpt=");
	assert_string_equal(say(&c, E "XSUBMITTER 0\\r\\n" M R D), "220,250,500,250,250,354");
	assert_string_equal(say(&c, B), "250");
	assert_non_null(strstr(c.fake.messages[0].envelope, "\nuid=1000\n"));
	assert_null(strstr(c.fake.messages[0].envelope, "client="));
	assert_int_equal(strncmp(c.fake.messages[0].content,
			     "Received: by mx.test (Postrider, from userid 1000)\n\tid ", 55),
	    0);
	client_close(&c);

	client_open(&c, &queue);
	assert_string_equal(
	    say(&c, E "XSUBMITTER x\\r\\nXSUBMITTER 1234\\r\\n" M "XSUBMITTER 0\\r\\n" R),
	    "220,250,501,250,250,503,250");
	assert_string_equal(c.fake.asked,
	    "2 role=2 client= uid=1234 helo=c.test from=s@remote.test rcpt=alice@a.test");
	assert_string_equal(say(&c, D), "354");
	assert_string_equal(say(&c, B), "250");
	assert_non_null(strstr(c.fake.messages[0].envelope, "\nuid=1234\n"));
	client_close(&c);
}

static void
clients_that_vanish(void **state)
{
	static const char *const sends[] = {
	    "", E, E M, E M R, E M R D, E M R D "S: t\\r\\n", "EHL", E M R "BDAT 100\\r\\nabc"};
	struct client c;

	(void)state;
	for (size_t i = 0; i < ROWS(sends); i++) {
		client_open(&c, NULL);
		say(&c, sends[i]);
		client_close(&c);
	}
	/* While a question is open, while the message is on its way to disk, while a file is asked for. */
	client_open(&c, NULL);
	say(&c, E);
	c.fake.hold_policy = true;
	say(&c, M);
	close(c.fd);
	c.fd = -1;
	fake_sleep(&c.fake, 61000);
	fake_sleep(&c.fake, 11000);
	c.fake.hold_policy = false;
	client_close(&c);
	client_open(&c, NULL);
	say(&c, E M R D);
	c.fake.hold_commits = true;
	say(&c, B);
	close(c.fd);
	c.fd = -1;
	fake_sleep(&c.fake, 70000);
	assert_int_equal(c.fake.server.nsessions, 1);
	c.fake.hold_commits = false;
	fake_run(&c.fake);
	assert_int_equal(c.fake.nmessages, 1);
	client_close(&c);
}

static void
the_end_of_service(void **state)
{
	static const struct {
		const char *name, *send, *before, *at_once, *more, *then;
	} stops[] = {
	    {"idle", E, "220,250", "421!", NULL, NULL},
	    {"in a transaction", E M R, "220,250,250,250", "421!", NULL, NULL},
	    {"in DATA", E M R D, "220,250,250,250,354", "", B, "250,421!"},
	    {"in half a command", E "NOO", "220,250", "421!", NULL, NULL},
	    {"in a chunk", E "BDAT 9\\r\\nabc", "220,250,503", "421!", NULL, NULL},
	};
	struct client c;

	(void)state;
	for (size_t i = 0; i < ROWS(stops); i++) {
		client_open(&c, NULL);
		assert_string_equal(say(&c, stops[i].send), stops[i].before);
		server_stop(&c.fake.server);
		fake_run(&c.fake);
		client_read(&c);
		if (strcmp(c.replies, stops[i].at_once) != 0)
			fail_msg("%s: %s", stops[i].name, c.replies);
		if (stops[i].more != NULL)
			assert_string_equal(say(&c, stops[i].more), stops[i].then);
		client_close(&c);
	}
	/* The command under way is finished first. */
	client_open(&c, NULL);
	assert_string_equal(say(&c, E), "220,250");
	c.fake.hold_policy = true;
	assert_string_equal(say(&c, M R), "");
	server_stop(&c.fake.server);
	c.fake.hold_policy = false;
	assert_string_equal(say(&c, ""), "250,421!");
	client_close(&c);
	/* What is left in the end is cut off, but for messages on their way to disk. */
	client_open(&c, NULL);
	assert_string_equal(say(&c, E M R D), "220,250,250,250,354");
	server_stop(&c.fake.server);
	server_abandon(&c.fake.server);
	client_read(&c);
	assert_string_equal(c.replies, "!");
	client_close(&c);
}

/* A client that sends and never reads is held back, in bounded memory, and served when it reads. */
static void
a_client_that_does_not_read(void **state)
{
	struct client c;
	struct span out;
	struct buf all;
	size_t replies = 0;

	(void)state;
	client_open(&c, NULL);
	assert_string_equal(say(&c, E M R), "220,250,250,250");
	buf_init(&all, 8U << 20);
	for (int i = 0; i < 50000; i++)
		buf_add_str(&all, "RCPT TO:<alice@a.test>\r\n");
	out = buf_span(&all);
	for (int stuck = 0; out.len > 0 && stuck < 5;) {
		ssize_t n = send(c.fd, out.p, out.len, MSG_NOSIGNAL);

		stuck = n > 0 ? 0 : stuck + 1;
		out = span_skip(out, n > 0 ? (size_t)n : 0);
		fake_run(&c.fake);
	}
	assert_true(out.len > 0);
	assert_in_range(TAILQ_FIRST(&c.fake.server.sessions)->in.len, 0, 2 * SERVER_INPUT_SIZE);
	assert_in_range(transport_backlog(&TAILQ_FIRST(&c.fake.server.sessions)->transport), 1,
	    2 * SESSION_BACKLOG_MAX);
	while (out.len > 0 || replies < 50000) {
		char block[65536];
		ssize_t n = recv(c.fd, block, sizeof block, 0);

		for (ssize_t i = 0; i < n; i++)
			replies += block[i] == '\n';
		n = out.len > 0 ? send(c.fd, out.p, out.len, MSG_NOSIGNAL) : 0;
		out = span_skip(out, n > 0 ? (size_t)n : 0);
		fake_run(&c.fake);
	}
	assert_int_equal(replies, 50000);
	buf_release(&all);
	client_close(&c);
}

/* Running sessions keep the settings they began with. */
static void
a_reload(void **state)
{
	struct client c;
	struct settings *fresh = fake_settings();

	(void)state;
	client_open(&c, NULL);
	assert_string_equal(say(&c, E), "220,250");
	fresh->message_size_limit = 5;
	server_set_settings(&c.fake.server, fresh);
	assert_string_equal(say(&c, "MAIL FROM:<> SIZE=10\\r\\n" R D), "250,250,354");
	assert_string_equal(say(&c, B Q), "250,221!");
	close(c.fd);
	c.closed = false;
	c.fd = fake_connect(&c.fake, NULL);
	assert_string_equal(say(&c, E "MAIL FROM:<> SIZE=10\\r\\n"), "220,250,552");
	client_close(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dialogues),
	    cmocka_unit_test(the_ehlo_offers_what_there_is),
	    cmocka_unit_test(a_group_leaves_in_one_write),
	    cmocka_unit_test(what_is_asked_and_stored),
	    cmocka_unit_test(no_250_before_the_disk),
	    cmocka_unit_test(a_full_spool),
	    cmocka_unit_test(large_and_too_large),
	    cmocka_unit_test(the_directory_is_down),
	    cmocka_unit_test(a_client_that_is_refused),
	    cmocka_unit_test(clocks),
	    cmocka_unit_test(content_has_to_come),
	    cmocka_unit_test(greeting_delay),
	    cmocka_unit_test(too_many_recipients),
	    cmocka_unit_test(too_much_junk),
	    cmocka_unit_test(the_submit_socket),
	    cmocka_unit_test(clients_that_vanish),
	    cmocka_unit_test(the_end_of_service),
	    cmocka_unit_test(a_client_that_does_not_read),
	    cmocka_unit_test(a_reload),
	};

	setenv("TZ", "UTC", 1);
	log_set_level(LOG_LEVEL_WARN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
