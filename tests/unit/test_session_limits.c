/*
 * test_session_limits: what sessions tell the directory that counts, sizes of single recipients, and how
 * long a transaction may take.
 */
#include "smtpd/session.h"

#include "tests/unit/smtpd_client.h"

/* What was accepted is told where it counts, with as many recipients as were accepted. */
static void
tells_what_was_accepted(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, NULL);
	assert_string_equal(say(&c, E M R D), "220,250,250,250,354");
	assert_string_equal(say(&c, B), "250");
	assert_int_equal(c.fake.tellings, 0);
	c.fake.counting = true;
	assert_string_equal(say(&c, M R "RCPT TO:<no@a.test>\\r\\nRCPT TO:<b@a.test>\\r\\n" D),
	    "250,250,550,250,354");
	assert_int_equal(c.fake.tellings, 0);
	c.fake.failing = true;
	assert_string_equal(say(&c, B), "451");
	assert_int_equal(c.fake.tellings, 0);
	c.fake.failing = false;
	assert_string_equal(say(&c, M R "RCPT TO:<no@a.test>\\r\\nRCPT TO:<b@a.test>\\r\\n" D),
	    "250,250,550,250,354");
	assert_string_equal(say(&c, B), "250");
	assert_int_equal(c.fake.tellings, 1);
	assert_string_equal(
	    c.fake.told, "0 client=192.0.2.7 from=s@remote.test recipients=2 commands=0");
	client_close(&c);
}

/* Each command is told once: with a question, or when the session is over. */
static void
tells_its_commands(void **state)
{
	struct client c;

	(void)state;
	memset(&c, 0, sizeof c);
	buf_init(&c.got, 1U << 20);
	fake_init(&c.fake);
	c.fake.counting = true;
	c.fd = fake_connect(&c.fake, NULL);
	fake_run(&c.fake);
	assert_string_equal(say(&c, E "NOOP\\r\\nX\\r\\n" M), "220,250,250,500,250");
	assert_non_null(strstr(c.fake.asked, "1 role=0"));
	assert_int_equal(c.fake.asked_commands, 4);
	assert_string_equal(say(&c, R "RSET\\r\\nNOOP\\r\\n"), "250,250,250");
	assert_int_equal(c.fake.asked_commands, 1);
	assert_int_equal(c.fake.tellings, 0);
	assert_string_equal(say(&c, Q), "221!");
	assert_int_equal(c.fake.tellings, 1);
	assert_string_equal(c.fake.told, "1 client=192.0.2.7 from= recipients=0 commands=3");
	client_close(&c);
}

static void
recipients_with_their_own_size(void **state)
{
	static const struct {
		const char *send, *want;
	} rows[] = {
	    /* the limit holds for the message */
	    {M "RCPT TO:<small@a.test>\\r\\n" D "{*1200:a}\\r\\n.\\r\\n", "250,250,354,552"},
	    {M "RCPT TO:<small@a.test>\\r\\n" D "{*500:a}\\r\\n.\\r\\n", "250,250,354,250"},
	    /* of unknown size: no recipient suffers for another */
	    {M R "RCPT TO:<small@a.test>\\r\\n" D "{*1200:a}\\r\\n.\\r\\n",
		"250,250,452,354,250"},
	    {M "RCPT TO:<small@a.test>\\r\\n" R D "{*500:a}\\r\\n.\\r\\n",
		"250,250,452,354,250"},
	    {M "RCPT TO:<small1@a.test>\\r\\nRCPT TO:<small2@a.test>\\r\\n"
	       "RSET\\r\\n",
		"250,250,250,250"},
	    /* announced: both may have it; who said too little is told in the end */
	    {"MAIL FROM:<> SIZE=600\\r\\n" R "RCPT TO:<small@a.test>\\r\\n" D
	     "{*500:a}\\r\\n.\\r\\n",
		"250,250,250,354,250"},
	    {"MAIL FROM:<> SIZE=600\\r\\n" R "RCPT TO:<small@a.test>\\r\\n" D
	     "{*1200:a}\\r\\n.\\r\\n",
		"250,250,250,354,552"},
	    /* a domain's limit above everybody's is none */
	    {M R "RCPT TO:<huge@a.test>\\r\\nRSET\\r\\n", "250,250,250,250"},
	};
	struct client c;

	(void)state;
	client_open(&c, NULL);
	assert_string_equal(say(&c, E), "220,250");
	for (size_t i = 0; i < ROWS(rows); i++) {
		const char *data = strstr(rows[i].send, D);
		char group[512], replies[128];

		/* the content comes when it is asked for */
		snprintf(group, sizeof group, "%.*s",
		    data != NULL ? (int)(data - rows[i].send + (ptrdiff_t)strlen(D)) : 511,
		    rows[i].send);
		snprintf(replies, sizeof replies, "%s", say(&c, group));
		if (data != NULL)
			snprintf(replies + strlen(replies), sizeof replies - strlen(replies),
			    ",%s", say(&c, data + strlen(D)));
		if (strcmp(replies, rows[i].want) != 0)
			fail_msg("%s: got %s, want %s", rows[i].send, replies, rows[i].want);
	}
	client_close(&c);
}

/* As busy as it may be: a transaction has its time, and the session goes on to have its own. */
static void
a_transaction_has_its_time(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, NULL);
	assert_string_equal(say(&c, E), "220,250");
	fake_sleep(&c.fake, 4000);
	assert_string_equal(say(&c, M R D), "250,250,354");
	for (int i = 0; i < 9; i++) {
		assert_string_equal(say(&c, "{*900:a}\\r\\n"), "");
		fake_sleep(&c.fake, 4000);
	}
	assert_string_equal(say(&c, "{*900:a}\\r\\n"), "");
	fake_sleep(&c.fake, 4000);
	client_read(&c);
	assert_string_equal(c.replies, "421!");
	assert_non_null(strstr(c.last, "This message has taken too long"));
	assert_int_equal(c.fake.nmessages, 0);
	client_close(&c);
}

/* So many octets a second, whatever the administrator says; 0: any octet at all. */
static void
a_minimum_rate(void **state)
{
	static const struct {
		uint32_t rate;
		const char *octets, *want;
	} rows[] = {{0, "a", ""}, {0, "", "421!"}, {1, "aaaaa", ""}, {1, "aaaa", "421!"},
	    {180, "{*898:a}\\r\\n", ""}, {180, "{*897:a}\\r\\n", "421!"}};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct client c;

		client_open(&c, NULL);
		TAILQ_FIRST(&c.fake.server.sessions)->settings->minimum_rate = rows[i].rate;
		assert_string_equal(say(&c, E M R D), "220,250,250,250,354");
		assert_string_equal(say(&c, rows[i].octets), "");
		fake_sleep(&c.fake, 5000);
		client_read(&c);
		if (strcmp(c.replies, rows[i].want) != 0)
			fail_msg("%u octets a second: %s", rows[i].rate, c.replies);
		client_close(&c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tells_what_was_accepted),
	    cmocka_unit_test(tells_its_commands),
	    cmocka_unit_test(recipients_with_their_own_size),
	    cmocka_unit_test(a_transaction_has_its_time),
	    cmocka_unit_test(a_minimum_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
