/* test_session_content: what becomes of content in a session, by DATA and in chunks (RFC 3030). */
#include "tests/unit/smtpd_client.h"

#define S "S: t\\r\\n\\r\\n" /* 8 octets */

static void
open_offering(struct client *c)
{
	client_open(c, NULL);
	TAILQ_FIRST(&c->fake.server.sessions)->settings->offers |= OFFER_CHUNKING;
	client_read(c);
}

static void
play(const char *name, const char *text, const char *want, const char *content, size_t piece)
{
	struct client c;
	struct buf out;
	const char *got, *body;

	buf_init(&out, 8U << 20);
	assert_true(escapes_expand(span_str(text), &out));
	open_offering(&c);
	/* What is held back behind a group would come in one go; pieces collect. */
	got = client_say(&c, buf_span(&out), piece);
	if (strcmp(got, want) != 0)
		fail_msg("%s, pieces of %zu: got %s, want %s", name, piece, got, want);
	if (c.fake.nmessages != (content != NULL ? 1 : 0))
		fail_msg("%s, pieces of %zu: %zu messages", name, piece, c.fake.nmessages);
	if (content != NULL) {
		buf_clear(&out);
		assert_true(escapes_expand(span_str(content), &out));
		body = strchr(c.fake.messages[0].content, ';');
		assert_non_null(body);
		body = strchr(strchr(body, '\n') + 1, '\n') + 1;
		if (strcmp(body, buf_str(&out)) != 0)
			fail_msg("%s, pieces of %zu: stored \"%s\"", name, piece, body);
	}
	buf_release(&out);
	client_close(&c);
}

/* All of a dialogue is written at once, and in small pieces. The transaction is under way. */
static void
chunks(void **state)
{
	static const struct {
		const char *name, *send, *want, *content;
	} rows[] = {
	    {"BD-01", "BDAT 5 LAST\\r\\nhello", "250", "\\nhello"},
	    {"one chunk", "BDAT 15 LAST\\r\\n" S "hello\\r\\n", "250", "S: t\\n\\nhello\\n"},
	    {"no line end", "BDAT 13 LAST\\r\\n" S "hello", "250", "S: t\\n\\nhello"},
	    {"BD-06", "BDAT 3\\r\\nabcBDAT 2 LAST\\r\\nde", "250,250", "\\nabcde"},
	    {"BD-07", "BDAT 0 LAST\\r\\n", "250", ""},
	    {"BD-08", "BDAT 20\\r\\nSubject: t\\r\\n\\r\\nhi\\r\\n.\\rBDAT 1 LAST\\r\\n\\n",
		"250,250", "Subject: t\\n\\nhi\\n.\\n"},
	    {"a dot", "BDAT 13 LAST\\r\\n" S ".\\r\\n..", "250", "S: t\\n\\n.\\n.."},
	    {"the end of DATA in a chunk",
		"BDAT 20 LAST\\r\\n" S "a\\r\\n.\\r\\nRSET\\r\\n\\r\\nNOOP\\r\\n",
		"250,500,250", "S: t\\n\\na\\n.\\nRSET\\n"},
	    {"CRLF split between chunks", "BDAT 12\\r\\n" S "abc\\rBDAT 4 LAST\\r\\n\\nd\\r\\n",
		"250,250", "S: t\\n\\nabc\\nd\\n"},
	    {"CRLF split around nothing",
		"BDAT 12\\r\\n" S "abc\\rBDAT 0\\r\\nBDAT 3 LAST\\r\\n\\nde", "250,250,250",
		"S: t\\n\\nabc\\nde"},
	    {"LAST in lower case", "bdat 8 last\\r\\n" S, "250", "S: t\\n\\n"},
	    {"a field cut short", "BDAT 4 LAST\\r\\nS: t", "250", "S: t"},
	    {"a word", "BDAT 7 LAST\\r\\nSubject", "250", "\\nSubject"},
	    {"eight bit", "BDAT 9 LAST\\r\\n" S "\\xff", "250", "S: t\\n\\n\\xff"},
	    {"commands between chunks",
		"BDAT 8\\r\\n" S "NOOP\\r\\nVRFY x\\r\\nBDAT 1 LAST\\r\\nx", "250,250,252,250",
		"S: t\\n\\nx"},
	    {"RSET between chunks", "BDAT 8\\r\\n" S "RSET\\r\\nBDAT 4 LAST\\r\\nQUIT",
		"250,250,503", NULL},
	    {"EHLO between chunks", "BDAT 8\\r\\n" S E "BDAT 4 LAST\\r\\nQUIT", "250,250,503",
		NULL},
	    {"MAIL, RCPT and DATA between chunks", "BDAT 8\\r\\n" S M R D "BDAT 1 LAST\\r\\nx",
		"250,503,503,503!", NULL},
	    {"RCPT between chunks", "BDAT 8\\r\\n" S R "BDAT 1 LAST\\r\\nx", "250,503,250",
		"S: t\\n\\nx"},
	    {"behind the last", "BDAT 8 LAST\\r\\n" S "BDAT 6\\r\\nQUIT\\r\\nNOOP\\r\\n",
		"250,503,250", "S: t\\n\\n"},
	    {"BD-09", "BDAT 4\\r\\na\\nbcBDAT 0 LAST\\r\\nNOOP\\r\\n", "550,503,250", NULL},
	    {"a bare CR", "BDAT 4\\r\\na\\rbcBDAT 6 LAST\\r\\nQUIT\\r\\nNOOP\\r\\n",
		"550,503,250", NULL},
	    {"a CR that nothing follows", "BDAT 12 LAST\\r\\n" S "abc\\rNOOP\\r\\n", "550,250",
		NULL},
	    {"a CR at the end of a chunk, then no LF",
		"BDAT 12\\r\\n" S "abc\\rBDAT 1 LAST\\r\\ndNOOP\\r\\n", "250,550,250", NULL},
	    {"a CR, then an empty last chunk",
		"BDAT 12\\r\\n" S "abc\\rBDAT 0 LAST\\r\\nNOOP\\r\\n", "250,550,250", NULL},
	    {"smuggled", "BDAT 14 LAST\\r\\n" S "a\\n.\\nx\\rNOOP\\r\\n", "550,250", NULL},
	    {"BD-04", "BDAT -1\\r\\n", "501!", NULL},
	    {"BD-11", "BDAT x LAST\\r\\nQUIT", "501!", NULL},
	    {"no size", "BDAT\\r\\n", "501!", NULL},
	    {"BINARYMIME", "RSET\\r\\nMAIL FROM:<s@a.test> BODY=BINARYMIME\\r\\nNOOP\\r\\n",
		"250,555,250", NULL},
	    {"a loop", "BDAT 24\\r\\nDelivered-To: no@b.test\\nBDAT 0 LAST\\r\\n", "550,503",
		NULL},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char text[4096], want[256];

		snprintf(text, sizeof text, "%s%s", E M R, rows[i].send);
		snprintf(want, sizeof want, "250,250,250,%s", rows[i].want);
		play(rows[i].name, text, want, rows[i].content, 100000);
	}
}

/* The same to a client that sends an octet at a time and collects what comes. */
static void
chunks_octet_by_octet(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < 9; piece++) {
		play("pieces",
		    E M R "BDAT 12\\r\\n" S "abc\\rBDAT 0\\r\\nBDAT 3 LAST\\r\\n\\nde" Q,
		    "250,250,250,250,250,250,221!", "S: t\\n\\nabc\\nde", piece);
		play("refused pieces", E M R "BDAT 4\\r\\na\\nbcBDAT 6 LAST\\r\\nQUIT\\r\\n" Q,
		    "250,250,250,550,503,221!", NULL, piece);
	}
}

static void
recipients_before_chunks(void **state)
{
	(void)state;
	play("none", E M "BDAT 6\\r\\nQUIT\\r\\nBDAT 6 LAST\\r\\nQUIT\\r\\n" R,
	    "250,250,503,503,250", NULL, 1000);
	play("refused",
	    E M "RCPT TO:<no@a.test>\\r\\nBDAT 6\\r\\nQUIT\\r\\nBDAT 6 LAST\\r\\nQUIT\\r\\n",
	    "250,250,550,554,554", NULL, 1000);
	play("one of two", E M "RCPT TO:<no@a.test>\\r\\n" R "BDAT 8 LAST\\r\\n" S,
	    "250,250,550,250,250", "S: t\\n\\n", 1000);
	play("no transaction", E "BDAT 6 LAST\\r\\nQUIT\\r\\n" M, "250,503,250", NULL, 1000);
	play("DATA behind a chunk that failed", E M R "BDAT 4\\r\\na\\nbc" D,
	    "250,250,250,550,503", NULL, 1000);
	play("BD-05", E M R "BDAT 0\\r\\n" D, "250,250,250,250,503", NULL, 1000);
	play("after HELO", H M R "BDAT 6 LAST\\r\\nQUIT\\r\\n", "250,250,250,502", NULL, 1000);
}

/* RFC 3030 2: the octets of a refused chunk come first, then the reply. */
static void
the_reply_to_a_refused_chunk_comes_behind_it(void **state)
{
	struct client c;

	(void)state;
	open_offering(&c);
	assert_string_equal(say(&c, E "BDAT 6 LAST\\r\\nQUI"), "250");
	assert_string_equal(say(&c, "T\\r"), "");
	assert_string_equal(say(&c, "\\n"), "503");
	client_close(&c);
}

static void
sizes(void **state)
{
	static const char hello[] = E M R;
	struct client c;
	struct buf out;

	(void)state;
	buf_init(&out, 8U << 20);
	/* Exactly the limit, in two chunks. */
	open_offering(&c);
	assert_string_equal(say(&c, hello), "250,250,250");
	buf_add_str(&out, "BDAT 1048568\r\n");
	while (out.len < 14 + 1048568)
		buf_add_str(&out, "1234567\n");
	for (size_t i = 14; i < out.len; i += 8)
		memcpy(out.p + i, "S: 34\r\n\r" + (i > 14), 8);
	memcpy(out.p + 14, "S: 456\r\n", 8);
	for (size_t i = 22; i < out.len; i += 8)
		memcpy(out.p + i, "x: 456\r\n", 8);
	assert_string_equal(client_say(&c, buf_span(&out), 65536), "250");
	assert_string_equal(say(&c, "BDAT 8 LAST\\r\\nx: 456\\r\\n"), "250");
	assert_int_equal(c.fake.nmessages, 1);
	assert_true(c.fake.messages[0].large);
	/* One octet more than the limit: the last chunk is dropped, and so is the message. */
	assert_string_equal(say(&c, M R), "250,250");
	assert_string_equal(client_say(&c, buf_span(&out), 65536), "250");
	assert_string_equal(say(&c, "BDAT 9 LAST\\r\\nQUIT\\r\\nRSENOOP\\r\\n"), "552,250");
	assert_string_equal(say(&c, "BDAT 6 LAST\\r\\nQUIT\\r\\n"), "503");
	assert_int_equal(c.fake.nmessages, 1);
	/* A chunk larger than any message is dropped too, if it is not out of all proportion. */
	assert_string_equal(say(&c, M R), "250,250");
	memcpy(out.p, "BDAT 1048577\r\n", 14);
	buf_add_str(&out, "QUIT\r\nxyz");
	assert_string_equal(client_say(&c, buf_span(&out), 65536), "552");
	assert_string_equal(say(&c, M "BDAT 99999999\\r\\n"), "250,552!");
	buf_release(&out);
	client_close(&c);
}

/* A chunk that finds no room ends the transaction: what follows is no message without its beginning. */
static void
no_room_for_a_chunk(void **state)
{
	struct client c;

	(void)state;
	open_offering(&c);
	assert_string_equal(say(&c, E M R), "250,250,250");
	c.fake.full = true;
	assert_string_equal(say(&c, "BDAT 6\\r\\nQUIT\\r\\n"), "452");
	c.fake.full = false;
	assert_string_equal(say(&c, "BDAT 6 LAST\\r\\nQUIT\\r\\n"), "503");
	/* Memory ran out in the middle of a chunk, and then there was no file. */
	c.fake.server.budget.max = 1;
	c.fake.no_file = true;
	assert_string_equal(
	    say(&c, M R "BDAT 10\\r\\n" S "abBDAT 0 LAST\\r\\n"), "250,250,452,503");
	c.fake.no_file = false;
	/* With a file, the chunk may be all there when memory runs out. */
	assert_string_equal(
	    say(&c, M R "BDAT 8\\r\\n" S "BDAT 3 LAST\\r\\nx\\r\\n"), "250,250,250,250");
	assert_int_equal(c.fake.nmessages, 1);
	assert_true(c.fake.messages[0].large);
	c.fake.failing = true;
	assert_string_equal(say(&c, M R "BDAT 8 LAST\\r\\n" S), "250,250,452");
	client_close(&c);
}

/* However much memory slow clients hold, others' mail comes in. */
static void
no_memory_is_room_enough(void **state)
{
	struct client c;

	(void)state;
	open_offering(&c);
	c.fake.server.budget.max = 0;
	assert_string_equal(say(&c, E M R "BDAT 8 LAST\\r\\n" S), "250,250,250,250");
	assert_string_equal(say(&c, M R "DATA\\r\\n"), "250,250,354");
	assert_string_equal(say(&c, S), "");
	assert_string_equal(say(&c, "x\\r\\n.\\r\\n"), "250");
	assert_int_equal(c.fake.nmessages, 2);
	assert_true(c.fake.messages[1].large);
	client_close(&c);
}

static void
chunks_for_nobody(void **state)
{
	struct client c;

	(void)state;
	open_offering(&c);
	assert_string_equal(say(&c, E M "RCPT TO:<discard@a.test>\\r\\n"), "250,250,250");
	assert_string_equal(
	    say(&c, "BDAT 8\\r\\n" S "BDAT 0 LAST\\r\\nNOOP\\r\\n"), "250,250,250");
	assert_int_equal(c.fake.nmessages, 0);
	client_close(&c);
}

/* Content that stops coming ends the session, whether the chunk is taken or dropped. */
static void
slow_chunks(void **state)
{
	struct client c;

	(void)state;
	open_offering(&c);
	assert_string_equal(say(&c, E M R "BDAT 5000\\r\\n" S), "250,250,250");
	fake_sleep(&c.fake, 5001);
	assert_string_equal(say(&c, ""), "421!");
	client_close(&c);
	open_offering(&c);
	assert_string_equal(say(&c, E "BDAT 1000\\r\\n{*200:x}"), "250");
	fake_sleep(&c.fake, 5001);
	assert_string_equal(say(&c, "{*200:x}"), "");
	fake_sleep(&c.fake, 5001);
	assert_string_equal(say(&c, "xx"), "");
	fake_sleep(&c.fake, 5001);
	assert_string_equal(say(&c, ""), "503,421!");
	client_close(&c);
}

static void
clients_that_vanish(void **state)
{
	static const char *const sends[] = {
	    "BDAT 100\\r\\nabc", "BDAT 3\\r\\nabc", "BDAT 3\\r\\nabcBDAT"};
	struct client c;

	(void)state;
	for (size_t i = 0; i < ROWS(sends); i++) {
		open_offering(&c);
		say(&c, E M R);
		say(&c, sends[i]);
		client_close(&c);
	}
}

/*
 * What was kept while a large message waited for its file holds the rest of the content. When the
 * message then went nowhere, that was looked at again from its beginning, as commands.
 */
static void
content_kept_for_a_discarded_message_is_no_command(void **state)
{
	struct client c;
	struct buf all;

	(void)state;
	client_open(&c, NULL);
	buf_init(&all, 8U << 20);
	assert_string_equal(
	    say(&c, E M "RCPT TO:<discard@a.test>\\r\\n" D), "220,250,250,250,354");
	while (all.len < MESSAGE_INLINE_MAX / 5 * 6 + 3000)
		buf_add_str(&all, "NOOP\r\n");
	buf_add_str(&all, ".\r\nRSET\r\n");
	assert_string_equal(client_say(&c, buf_span(&all), 32768), "250,250");
	assert_int_equal(c.fake.nmessages, 0);
	buf_release(&all);
	client_close(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(chunks),
	    cmocka_unit_test(chunks_octet_by_octet),
	    cmocka_unit_test(recipients_before_chunks),
	    cmocka_unit_test(the_reply_to_a_refused_chunk_comes_behind_it),
	    cmocka_unit_test(sizes),
	    cmocka_unit_test(no_room_for_a_chunk),
	    cmocka_unit_test(no_memory_is_room_enough),
	    cmocka_unit_test(chunks_for_nobody),
	    cmocka_unit_test(slow_chunks),
	    cmocka_unit_test(clients_that_vanish),
	    cmocka_unit_test(content_kept_for_a_discarded_message_is_no_command),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
