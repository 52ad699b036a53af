/*
 * test_session: what a dialogue's reply codes do not show: what is asked and stored and when, time,
 * limits, memory, and every way in which a session ends.
 */
#include "smtpd/session.h"

#include "common/log.h"
#include "tests/unit/smtpd_client.h"

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
	/* three questions, the first two at once, nothing said before the last is answered */
	for (unsigned ncalls = 2; ncalls > 0; ncalls--) {
		event_base_loop(c.fake.base, EVLOOP_NONBLOCK);
		assert_int_equal(recv(c.fd, got, sizeof got, 0), -1);
		assert_int_equal(c.fake.ncalls, ncalls);
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

/* Asked ahead, RCPT is asked about once, and decided by its own answer alone. */
static void
the_first_recipient_is_asked_about_ahead(void **state)
{
	static const struct {
		const char *send, *want;
		unsigned questions;
	} rows[] = {
	    {M R "RSET\\r\\n", "250,250,250", 2},
	    {M "RCPT TO:<no@a.test>\\r\\n" R D, "250,550,250,354", 3},
	    {"MAIL FROM:<forged@a.test>\\r\\n" R, "553,503", 2},
	    {"MAIL FROM:<forged@a.test>\\r\\n" R M R "RSET\\r\\n", "553,503,250,250,250", 4},
	    {"MAIL FROM:<forged@a.test>\\r\\n" R M "RCPT TO:<no@a.test>\\r\\nRSET\\r\\n",
		"553,503,250,550,250", 4},
	    {M "NOOP\\r\\n" R "RSET\\r\\n", "250,250,250,250", 2},
	    {M "RCPT TO:<a@a.test> NONE=x\\r\\nRSET\\r\\n", "250,555,250", 1},
	    {M R Q, "250,250,221!", 2},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct client c;
		unsigned before;

		client_open(&c, NULL);
		assert_string_equal(say(&c, E), "220,250");
		before = c.fake.questions;
		assert_string_equal(say(&c, rows[i].send), rows[i].want);
		assert_int_equal(c.fake.questions - before, rows[i].questions);
		client_close(&c);
	}
}

/* The client goes while both questions are open. */
static void
the_end_with_a_question_asked_ahead(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, NULL);
	assert_string_equal(say(&c, E), "220,250");
	c.fake.hold_policy = true;
	assert_string_equal(say(&c, M R), "");
	assert_int_equal(c.fake.ncalls, 2);
	server_abandon(&c.fake.server);
	assert_int_equal(c.fake.server.nsessions, 0);
	c.fake.hold_policy = false;
	client_close(&c);
}

/* Where everybody is let in nobody is asked; the delay of the greeting holds all the same. */
static void
a_greeting_without_a_question(void **state)
{
	struct client c;

	(void)state;
	memset(&c, 0, sizeof c);
	buf_init(&c.got, 1U << 20);
	fake_init(&c.fake);
	c.fake.server.settings->connect_is_open = true;
	c.fd = fake_connect(&c.fake, NULL);
	client_read(&c);
	assert_string_equal(c.replies, "220");
	assert_int_equal(c.fake.questions, 0);
	assert_string_equal(say(&c, E M), "250,250");
	assert_int_equal(c.fake.questions, 1);
	close(c.fd);
	fake_run(&c.fake);
	c.fake.server.settings->greeting_delay_ms = 1000;
	c.closed = false;
	c.fd = fake_connect(&c.fake, NULL);
	fake_run(&c.fake);
	client_read(&c);
	assert_string_equal(c.replies, "");
	fake_sleep(&c.fake, 1200);
	client_read(&c);
	assert_string_equal(c.replies, "220");
	close(c.fd);
	/* Gone before it is greeted. */
	fake_run(&c.fake);
	c.fake.server.settings->greeting_delay_ms = 0;
	c.fd = fake_connect(&c.fake, NULL);
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
	    {"in a chunk", E "BDAT 9\\r\\nabc", "220,250", "503,421!", NULL, NULL},
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

static void
look(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd, (void)what;
	c->left = TAILQ_FIRST(&c->fake.server.sessions)->in.len;
	if (c->cuts_off)
		server_abandon(&c->fake.server);
}

/*
 * The same recipient, over and over, is neither an error nor asked about. One turn of the loop: what is left of this when
 * something else that has come meanwhile is looked at stands in c->left.
 */
static void
flood(struct client *c, unsigned commands)
{
	struct buf out;
	int other[2];

	assert_string_equal(say(c, E M R), "220,250,250,250");
	buf_init(&out, 1U << 20);
	while (commands-- > 0)
		buf_add_str(&out, "RCPT TO:<alice@a.test>\r\n");
	assert_int_equal(send(c->fd, out.p, out.len, MSG_NOSIGNAL), out.len);
	assert_int_equal(pipe(other), 0);
	assert_int_equal(write(other[1], "x", 1), 1);
	event_base_once(c->fake.base, other[0], EV_READ, look, c, NULL);
	event_base_loop(c->fake.base, EVLOOP_ONCE);
	assert_in_range(c->left, out.len / 2, out.len - 1);
	buf_release(&out);
	close(other[0]);
	close(other[1]);
}

/* Thousands of commands may come with one read. What else there is to do has its turn between them, and none is lost. */
static void
a_flood_of_commands_leaves_others_their_turn(void **state)
{
	enum { COMMANDS = 2000 };
	struct client c;
	size_t replies = 0;

	(void)state;
	client_open(&c, NULL);
	flood(&c, COMMANDS);
	while (replies < COMMANDS) {
		char block[65536];
		ssize_t n = recv(c.fd, block, sizeof block, 0);

		for (ssize_t i = 0; i < n; i++)
			replies += block[i] == '\n';
		fake_run(&c.fake);
	}
	assert_int_equal(replies, COMMANDS);
	client_close(&c);
}

/* A session that ends between two turns is not called again. */
static void
a_flood_that_is_cut_off(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, NULL);
	c.cuts_off = true;
	flood(&c, 2000);
	client_close(&c);
}

/* Where DSN is offered its parameters reach the envelope, as given. */
static void
dsn_parameters_are_stored(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, NULL);
	TAILQ_FIRST(&c.fake.server.sessions)->settings->offers |= OFFER_DSN;
	assert_string_equal(
	    say(&c, E "MAIL FROM:<> RET=FULL ENVID=a+20b\\r\\n"), "220,250,250");
	assert_string_equal(
	    say(&c, "RCPT TO:<a@a.test> NOTIFY=DELAY ORCPT=rfc822;x@y.test\\r\\n" R D),
	    "250,250,354");
	assert_string_equal(say(&c, B), "250");
	assert_non_null(strstr(c.fake.messages[0].envelope,
	    "\nenvid=a+20b\nret=FULL\nrcpt=a@a.test\norcpt=rfc822;x@y.test\nnotify=DELAY\n"
	    "rcpt=alice@a.test\n"));
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
	    cmocka_unit_test(the_ehlo_offers_what_there_is),
	    cmocka_unit_test(a_group_leaves_in_one_write),
	    cmocka_unit_test(the_first_recipient_is_asked_about_ahead),
	    cmocka_unit_test(the_end_with_a_question_asked_ahead),
	    cmocka_unit_test(a_greeting_without_a_question),
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
	    cmocka_unit_test(a_flood_of_commands_leaves_others_their_turn),
	    cmocka_unit_test(a_flood_that_is_cut_off),
	    cmocka_unit_test(dsn_parameters_are_stored),
	    cmocka_unit_test(a_reload),
	};

	setenv("TZ", "UTC", 1);
	log_set_level(LOG_LEVEL_WARN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
