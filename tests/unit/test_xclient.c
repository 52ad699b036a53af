/* test_xclient: what XCLIENT says, whom it is believed, and what it changes. */
#include "smtpd/verbs.h"
#include "tests/unit/smtpd_client.h"

static const struct session_origin proxy = {.role = LISTENER_MX,
    .uid = -1,
    .peer_uid = -1,
    .text = "127.0.0.1",
    .client = {AF_INET, {127, 0, 0, 1}, 9},
    .peer = {AF_INET, {127, 0, 0, 1}, 9}};

/* A session of a proxy, on a listener where XCLIENT is believed to 127.0.0.0/8. */
static void
open_proxy(struct client *c, enum listener_role role)
{
	struct session_origin o = proxy;
	struct settings *set;

	o.role = role;
	client_open(c, &o);
	set = c->fake.server.settings;
	free(set->xclient_from.v);
	set->xclient_from.v = xcalloc(1, sizeof *set->xclient_from.v);
	assert_int_equal(netblock_parse(span_str("127.0.0.0/8"), &set->xclient_from.v[0]), 0);
	set->xclient_from.n = 1;
	client_read(c);
	assert_string_equal(c->replies, "220");
}

static struct session *
the_session(struct client *c)
{
	return TAILQ_FIRST(&c->fake.server.sessions);
}

static void
arguments(void **state)
{
	static const struct {
		const char *arg, *client, *helo, *login; /* client NULL: refused */
		uint16_t port;
	} rows[] = {
	    {"ADDR=192.0.2.7", "192.0.2.7", "", "", 0},
	    {"addr=192.0.2.7 port=25", "192.0.2.7", "", "", 25},
	    {"ADDR=IPV6:2001:db8::7", "2001:db8::7", "", "", 0},
	    {"ADDR=ipv6:::ffff:192.0.2.7", "192.0.2.7", "", "", 0},
	    {"ADDR=2001:db8::7", "2001:db8::7", "", "", 0},
	    {"ADDR=[UNAVAILABLE]", "0.0.0.0", "", "", 0},
	    {"ADDR=[tempunavail] NAME=[TEMPUNAVAIL] PORT=[UNAVAILABLE]", "0.0.0.0", "", "", 0},
	    {"NAME=c.test ADDR=192.0.2.7 PORT=1 PROTO=ESMTP HELO=h.test LOGIN=alice@A.test "
	     "DESTADDR=192.0.2.1 DESTPORT=587",
		"192.0.2.7", "h.test", "alice@a.test", 1},
	    {"LOGIN=alice+2Bx@a.test", "0.0.0.0", "", "alice+x@a.test", 0},
	    {"LOGIN=[UNAVAILABLE]", "0.0.0.0", "", "", 0},
	    {"HELO=[192.0.2.9]", "0.0.0.0", "[192.0.2.9]", "", 0},
	    {"HELO=a+20b", "0.0.0.0", "", "", 0},
	    {"HELO=x+0D+0Ay", "0.0.0.0", "", "", 0},
	    {"HELO={*300:a}", "0.0.0.0", "", "", 0},
	    {"  PROTO=smtp   HELO=a.test ", "0.0.0.0", "a.test", "", 0},
	    {"", NULL, NULL, NULL, 0},
	    {"ADDR", NULL, NULL, NULL, 0},
	    {"ADDR=", NULL, NULL, NULL, 0},
	    {"=192.0.2.7", NULL, NULL, NULL, 0},
	    {"ADDR=192.0.2", NULL, NULL, NULL, 0},
	    {"ADDR=192.0.2.7 ADDR=192.0.2.8", NULL, NULL, NULL, 0},
	    {"ADDR=192.0.2.7 SESSION=x", NULL, NULL, NULL, 0},
	    {"PORT=65536", NULL, NULL, NULL, 0},
	    {"PORT=-1", NULL, NULL, NULL, 0},
	    {"PROTO=LMTP", NULL, NULL, NULL, 0},
	    {"NAME=a+20b", NULL, NULL, NULL, 0},
	    {"LOGIN=alice", NULL, NULL, NULL, 0},
	    {"LOGIN=alice@a.test+0D+0A", NULL, NULL, NULL, 0},
	    {"LOGIN=+0", NULL, NULL, NULL, 0},
	    {"DESTADDR=x", NULL, NULL, NULL, 0},
	    {"DESTPORT=x", NULL, NULL, NULL, 0},
	};
	struct buf arg;

	(void)state;
	buf_init(&arg, 4096);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct command c;
		struct refusal r;
		const struct xclient_args *x = &c.args.xclient;
		char text[NETADDR_TEXT_SIZE];
		int got;

		buf_clear(&arg);
		assert_true(escapes_expand(span_str(rows[i].arg), &arg));
		got = cmd_xclient_parse(span_trim(buf_span(&arg)), 0, &c, &r);
		if (got != (rows[i].client != NULL ? 0 : -1))
			fail_msg("%s: got %d", rows[i].arg, got);
		if (got != 0)
			continue;
		assert_string_equal(netaddr_format(&x->client, text), rows[i].client);
		assert_string_equal(x->helo, rows[i].helo);
		assert_true(span_is(address_span(&x->login), rows[i].login));
		assert_int_equal(x->port, rows[i].port);
	}
	buf_release(&arg);
}

static void
to_others_it_is_refused(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, NULL);
	assert_string_equal(say(&c, E "XCLIENT ADDR=127.0.0.1\\r\\n"), "220,250,550");
	assert_non_null(strstr(c.last, "550 5.7.0 "));
	assert_string_equal(the_session(&c)->origin.text, "192.0.2.7");
	client_close(&c);
	/* Being named one of them by somebody who is makes no proxy. */
	open_proxy(&c, LISTENER_MX);
	say(&c, "XCLIENT ADDR=192.0.2.8\\r\\n" E);
	assert_string_equal(c.replies, "220,250");
	assert_true(session_offers(the_session(&c)) & OFFER_XCLIENT);
	client_close(&c);
}

static void
the_session_begins_anew(void **state)
{
	struct client c;

	(void)state;
	open_proxy(&c, LISTENER_MX);
	assert_string_equal(say(&c, E), "250");
	assert_true(session_offers(the_session(&c)) & OFFER_XCLIENT);
	assert_string_equal(
	    say(&c, "XCLIENT NAME=c.test ADDR=192.0.2.8 PORT=77 HELO=real.test\\r\\n"), "220");
	assert_string_equal(c.fake.asked, "0 role=0 client=192.0.2.8 uid=-1 helo= from= rcpt=");
	assert_string_equal(say(&c, M), "503");
	assert_string_equal(say(&c, E M), "250,250");
	assert_string_equal(c.fake.asked,
	    "1 role=0 client=192.0.2.8 uid=-1 helo=real.test from=s@remote.test rcpt=");
	/* Not within a transaction. */
	assert_string_equal(say(&c, "XCLIENT ADDR=192.0.2.9\\r\\n"), "503");
	assert_string_equal(
	    say(&c, "RSET\\r\\nXCLIENT HELO=[UNAVAILABLE]\\r\\n" E M), "250,220,250,250");
	assert_string_equal(c.fake.asked,
	    "1 role=0 client=192.0.2.8 uid=-1 helo=c.test from=s@remote.test rcpt=");
	assert_string_equal(say(&c, "RSET\\r\\nXCLIENT ADDR=[UNAVAILABLE]\\r\\n" E M R D),
	    "250,220,250,250,250,354");
	assert_string_equal(say(&c, B), "250");
	assert_non_null(strstr(c.fake.messages[0].content, "([0.0.0.0])"));
	assert_non_null(strstr(c.fake.messages[0].envelope, "\nclient=0.0.0.0\n"));
	assert_string_equal(say(&c, "XCLIENT ADDR=x\\r\\n"), "501");
	client_close(&c);
}

/* The client that is named is refused as if it had connected. */
static void
clients_that_are_refused(void **state)
{
	struct client c;

	(void)state;
	open_proxy(&c, LISTENER_MX);
	c.fake.refuse_client = "5 not you";
	assert_string_equal(say(&c, "XCLIENT ADDR=192.0.2.8\\r\\n" E Q), "554,503,221!");
	client_close(&c);
	open_proxy(&c, LISTENER_MX);
	c.fake.refuse_client = "4 not now";
	assert_string_equal(say(&c, "XCLIENT ADDR=192.0.2.8\\r\\n"), "421!");
	client_close(&c);
}

/* There is no one to wait for who could talk too early: the proxy is not the client. */
static void
no_delay_behind_it(void **state)
{
	struct client c;

	(void)state;
	open_proxy(&c, LISTENER_MX);
	the_session(&c)->settings->greeting_delay_ms = 10000;
	assert_string_equal(say(&c, "XCLIENT ADDR=192.0.2.8\\r\\n" E), "220,250");
	client_close(&c);
}

/* The proxy's own rights are not for a client without an address, whatever else is said of it. */
static void
never_the_proxy(void **state)
{
	static const char *const rows[] = {"NAME=a.test", "HELO=a.test", "PORT=5",
	    "LOGIN=alice@a.test", "ADDR=[UNAVAILABLE]", "DESTADDR=192.0.2.1"};
	struct client c;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char line[80];

		open_proxy(&c, LISTENER_MX);
		snprintf(line, sizeof line, "XCLIENT %s\\r\\n", rows[i]);
		assert_string_equal(say(&c, line), "220");
		if (the_session(&c)->origin.client.ip[0] != 0)
			fail_msg("%s: %s", rows[i], the_session(&c)->origin.text);
		assert_string_equal(the_session(&c)->origin.text, "0.0.0.0");
		/* Nor does it come back with the next one. */
		assert_string_equal(say(&c, "XCLIENT PROTO=SMTP\\r\\n"), "220");
		assert_string_equal(the_session(&c)->origin.text, "0.0.0.0");
		client_close(&c);
	}
}

static void
logins(void **state)
{
	struct client c;

	(void)state;
	open_proxy(&c, LISTENER_SUBMISSION);
	assert_string_equal(
	    say(&c, E "XCLIENT ADDR=192.0.2.8 LOGIN=alice@a.test\\r\\n" E), "250,220,250");
	assert_string_equal(the_session(&c)->account, "alice@a.test");
	/* What it vouched for stays while it says more of the same client. */
	assert_string_equal(say(&c, "XCLIENT PORT=5\\r\\n" E M R D), "220,250,250,250,354");
	assert_string_equal(say(&c, B), "250");
	assert_non_null(strstr(c.fake.messages[0].envelope, "\nauth=alice@a.test\n"));
	assert_non_null(strstr(c.fake.messages[0].content, "with ESMTPA"));
	assert_string_equal(say(&c, "XCLIENT LOGIN=[UNAVAILABLE]\\r\\n"), "220");
	assert_null(the_session(&c)->account);
	/* A login of the proxy's own is not the client's. */
	the_session(&c)->account = xstrdup("proxy@a.test");
	the_session(&c)->vouched = false;
	assert_string_equal(say(&c, "XCLIENT ADDR=192.0.2.9\\r\\n"), "220");
	assert_null(the_session(&c)->account);
	client_close(&c);
}

/* Nothing that was counted of one client is held against the next. */
static void
counts_are_the_clients(void **state)
{
	struct settings *set;
	struct client c;

	(void)state;
	open_proxy(&c, LISTENER_MX);
	set = the_session(&c)->settings;
	set->error_limit = 3;
	set->transaction_limit = 2;
	for (int i = 0; i < 3; i++) {
		assert_string_equal(say(&c, "XCLIENT ADDR=192.0.2.8\\r\\n" E), "220,250");
		assert_string_equal(say(&c, "FOO\\r\\nBAR\\r\\n"), "500,500");
		assert_string_equal(say(&c, M "RSET\\r\\n" M "RSET\\r\\n"), "250,250,250,250");
	}
	assert_string_equal(say(&c, "FOO\\r\\n"), "421!");
	client_close(&c);
	open_proxy(&c, LISTENER_MX);
	the_session(&c)->settings->transaction_limit = 1;
	assert_string_equal(
	    say(&c, "XCLIENT ADDR=192.0.2.8\\r\\n" E M "RSET\\r\\n" M), "220,250,250,250,421!");
	client_close(&c);
	/* Commands that bring no message nearer. */
	open_proxy(&c, LISTENER_MX);
	for (int k = 0; k < 2; k++) {
		for (int i = 0; i < 95; i++)
			assert_string_equal(say(&c, "NOOP\\r\\n"), "250");
		assert_string_equal(say(&c, "XCLIENT ADDR=192.0.2.8\\r\\n"), "220");
	}
	client_close(&c);
}

/* The session's time, and what the directory counts. */
static void
time_and_commands_are_the_clients(void **state)
{
	struct client c;

	(void)state;
	open_proxy(&c, LISTENER_MX);
	the_session(&c)->settings->session_ms = 10000;
	c.fake.counting = true;
	say(&c, "XCLIENT ADDR=192.0.2.8\\r\\n" E "NOOP\\r\\n");
	fake_sleep(&c.fake, 4000);
	say(&c, "NOOP\\r\\n");
	fake_sleep(&c.fake, 4000);
	assert_string_equal(say(&c, "XCLIENT ADDR=192.0.2.9\\r\\n" E), "220,250");
	assert_string_equal(c.fake.told, "1 client=192.0.2.8 from= recipients=0 commands=4");
	assert_int_equal(c.fake.asked_commands, 0);
	fake_sleep(&c.fake, 4000);
	assert_string_equal(say(&c, "NOOP\\r\\n"), "250");
	fake_sleep(&c.fake, 4000);
	assert_string_equal(say(&c, "NOOP\\r\\n"), "250");
	fake_sleep(&c.fake, 2500);
	client_read(&c);
	assert_string_equal(c.replies, "421!");
	client_close(&c);
}

static int
full(const struct session *s, const struct session_origin *now, void *arg)
{
	(void)s, (void)arg;
	return strcmp(now->text, "192.0.2.8") == 0 ? -1 : 0;
}

static void
places_are_the_clients(void **state)
{
	struct client c;

	(void)state;
	open_proxy(&c, LISTENER_MX);
	c.fake.server.on_client_change = full;
	assert_string_equal(say(&c, "XCLIENT ADDR=192.0.2.9\\r\\n"), "220");
	assert_string_equal(say(&c, "XCLIENT ADDR=192.0.2.8\\r\\n"), "421!");
	client_close(&c);
}

/* A reload that closes the door holds for the next client of a proxy that is connected already, and one that opens it, too. */
static void
reloads_hold_for_the_next(void **state)
{
	struct settings *before;
	struct client c;
	unsigned asked;

	(void)state;
	open_proxy(&c, LISTENER_MX);
	before = settings_ref(c.fake.server.settings);
	before->connect_is_open = true;
	asked = c.fake.questions;
	assert_string_equal(say(&c, "XCLIENT ADDR=192.0.2.8\\r\\n"), "220");
	assert_int_equal(c.fake.questions, asked);
	server_set_settings(&c.fake.server, fake_settings());
	assert_string_equal(say(&c, "XCLIENT ADDR=192.0.2.9\\r\\n"), "220");
	assert_int_equal(c.fake.questions, asked + 1);
	c.fake.server.settings->connect_is_open = true;
	before->connect_is_open = false;
	assert_string_equal(say(&c, "XCLIENT ADDR=192.0.2.8\\r\\n"), "220");
	assert_int_equal(c.fake.questions, asked + 1);
	settings_unref(&before);
	client_close(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(arguments),
	    cmocka_unit_test(to_others_it_is_refused),
	    cmocka_unit_test(the_session_begins_anew),
	    cmocka_unit_test(clients_that_are_refused),
	    cmocka_unit_test(no_delay_behind_it),
	    cmocka_unit_test(never_the_proxy),
	    cmocka_unit_test(logins),
	    cmocka_unit_test(counts_are_the_clients),
	    cmocka_unit_test(time_and_commands_are_the_clients),
	    cmocka_unit_test(places_are_the_clients),
	    cmocka_unit_test(reloads_hold_for_the_next),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
