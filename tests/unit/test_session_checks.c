/*
 * test_session_checks: sessions whose messages are checked by rules: DATA and BDAT, a target that does not
 * exist, a directory that does not answer, a client that does not wait, rules that are not there or change meanwhile,
 * and a header that makes much work for them.
 */
#include "smtpd/session_checks.h"

#include <sys/socket.h>

#include "common/peer.h"
#include "queue/spool_envelope.h"
#include "smtpd/header_source.h"
#include "tests/unit/smtpd_client.h"

#define S(subject) "Subject: " subject "\\r\\n\\r\\nx\\r\\n.\\r\\n"

static const char rules[] =
    "/^Subject: reject/ REJECT 5.6.0 no\n/^Subject: later/ REJECT 4.6.0\n/^Subject: discard/ "
    "DISCARD\n"
    "/^Subject: hold/ HOLD why\n/^Subject: redirect/ REDIRECT x@y.test\n"
    "/^Subject: astray/ REDIRECT nobody@y.test\n/^Subject: mark/ PREPEND X-Mark: yes\n";

static struct header_set *
set_of(const char *text)
{
	struct config_errors errors = {0};
	struct header_set *set = header_set_new(&(struct header_text){"r", span_str(text)},
	    &(struct header_text){NULL, {NULL, 0}}, &errors);

	assert_non_null(set);
	return set;
}

static void
open_checked(struct client *c)
{
	client_open(c, NULL);
	c->fake.server.headers = header_source_new(NULL);
	header_source_configure(c->fake.server.headers, true);
	header_source_put(c->fake.server.headers, set_of(rules), span_str("1"));
}

static void
close_checked(struct client *c)
{
	struct header_source *h = c->fake.server.headers;

	client_close(c);
	header_source_free(&h);
}

/* The last message stored: why it is held, to whom it goes, whether it is marked. */
static void
check_last(const struct client *c, const char *hold, const char *to, bool marked)
{
	const struct fake_message *m = &c->fake.messages[c->fake.nmessages - 1];
	struct envelope e;

	assert_int_equal(envelope_parse(span_str(m->envelope), &e), 0);
	assert_true(span_is(e.hold, hold));
	assert_int_equal(e.nrecipients, 1);
	assert_true(span_is(e.recipients[0].address, to));
	assert_int_equal(strncmp(m->content, "X-Mark: yes\nReceived:", 21) == 0, marked);
	envelope_release(&e);
}

/* The answer that counts comes behind the rules that MAIL's answer has made known, so it is not one that was asked for before. */
static void
other_rules_are_on_their_way(void **state)
{
	static const struct peer_ops ops = {.secret = false};
	struct client c;
	struct peer *peer;
	unsigned before;

	(void)state;
	client_open(&c, NULL);
	peer = peer_new(c.fake.base, "/nonexistent/socket", "test", &ops, NULL);
	c.fake.server.headers = header_source_new(peer);
	header_source_configure(c.fake.server.headers, true);
	header_source_put(c.fake.server.headers, set_of(rules), span_str("1"));
	assert_string_equal(say(&c, E), "220,250");
	before = c.fake.questions;
	c.fake.hold_policy = true;
	assert_string_equal(say(&c, M R), "");
	assert_int_equal(c.fake.questions - before, 2);
	header_source_announce(c.fake.server.headers, span_str("2"));
	assert_true(header_source_is_asking(c.fake.server.headers));
	fake_answer_policy(&c.fake);
	assert_int_equal(c.fake.questions - before, 3);
	c.fake.hold_policy = false;
	fake_run(&c.fake);
	client_read(&c);
	assert_string_equal(c.replies, "250,250");
	header_source_free(&c.fake.server.headers);
	peer_free(&peer);
	client_close(&c);
}

static void
by_data(void **state)
{
	static const struct {
		const char *wire, *replies;
		size_t stored;
		const char *hold, *to;
		bool marked;
	} rows[] = {
	    {S("fine"), "250", 1, "", "alice@a.test", false},
	    {S("reject"), "550", 0, NULL, NULL, false},
	    {S("later"), "451", 0, NULL, NULL, false},
	    {S("discard"), "250", 0, NULL, NULL, false},
	    {S("hold"), "250", 1, "why", "alice@a.test", false},
	    {S("redirect"), "250", 1, "", "x@y.test", false},
	    {S("astray"), "451", 0, NULL, NULL, false},
	    {S("mark"), "250", 1, "", "alice@a.test", true},
	    {"Subject: hold\\r\\nSubject: redirect\\r\\n" S("mark"), "250", 1, "why",
		"x@y.test", true},
	    {"Subject: redirect\\r\\n" S("reject"), "550", 0, NULL, NULL, false},
	    {"Subject: discard\\r\\n" S("reject"), "250", 0, NULL, NULL, false},
	    {"Subject: reject\\r\\n\\r\\n\\r.\\r\\n.\\r\\n", "550", 0, NULL, NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct client c;

		open_checked(&c);
		assert_string_equal(say(&c, E M R D), "220,250,250,250,354");
		/* A bare CR ends the connection, whatever the rules say. */
		if (strstr(rows[i].wire, "\\r.") != NULL &&
		    strstr(rows[i].wire, "\\r\\n\\r.") != NULL) {
			assert_string_equal(say(&c, rows[i].wire), "550!");
			assert_non_null(strstr(c.last, "5.5.2"));
		} else {
			assert_string_equal(say(&c, rows[i].wire), rows[i].replies);
			assert_string_equal(say(&c, M), "250");
		}
		assert_int_equal(c.fake.nmessages, rows[i].stored);
		if (rows[i].stored > 0)
			check_last(&c, rows[i].hold, rows[i].to, rows[i].marked);
		close_checked(&c);
	}
}

/* A chunk that is refused is refused at once; one that nobody will have is taken like any other. */
static void
by_bdat(void **state)
{
	struct client c;

	(void)state;
	open_checked(&c);
	c.fake.server.settings->offers |= OFFER_CHUNKING;
	assert_string_equal(say(&c, E M R), "220,250,250,250");
	assert_string_equal(say(&c, "BDAT 19\\r\\nSubject: reject\\r\\n\\r\\n"), "550");
	assert_string_equal(say(&c, "BDAT 3 LAST\\r\\nx\\r\\n"), "503");
	assert_string_equal(
	    say(&c, M R "BDAT 20\\r\\nSubject: discard\\r\\n\\r\\n"), "250,250,250");
	assert_string_equal(say(&c, "BDAT 3 LAST\\r\\nx\\r\\n"), "250");
	assert_int_equal(c.fake.nmessages, 0);
	/* The end of content ends the field, too. */
	assert_string_equal(
	    say(&c, M R "BDAT 10\\r\\nSubject: mBDAT 3 LAST\\r\\nark"), "250,250,250,250");
	assert_int_equal(c.fake.nmessages, 1);
	check_last(&c, "", "alice@a.test", true);
	assert_string_equal(
	    say(&c, M R "BDAT 17 LAST\\r\\nSubject: redirectNOOP\\r\\n"), "250,250,250,250");
	check_last(&c, "", "x@y.test", false);
	close_checked(&c);
}

/* Large ones: what was on its way to a file is changed or given up. */
static void
large(void **state)
{
	static const char late[] = "--b\\r\\nSubject: hold\\r\\nSubject: "
				   "redirect\\r\\nSubject: mark\\r\\n\\r\\n.\\r\\n";
	struct client c;

	(void)state;
	open_checked(&c);
	assert_string_equal(say(&c, E), "220,250");
	for (int i = 0; i < 4; i++) {
		static const char *const ends[] = {late, "--b\\r\\n" S("reject"),
		    "--b\\r\\n" S("discard"), "--b\\r\\n" S("astray")};
		static const char *const want[] = {"250", "550", "250", "451"};

		assert_string_equal(say(&c, M R D), "250,250,354");
		say(&c, "Content-Type: multipart/mixed; boundary=b\\r\\n\\r\\n");
		for (int k = 0; k < 600; k++)
			assert_string_equal(say(&c, "{*900:a}\\r\\n"), "");
		assert_string_equal(say(&c, ends[i]), want[i]);
		assert_int_equal(c.fake.nmessages, 1);
	}
	assert_true(c.fake.messages[0].large);
	check_last(&c, "why", "x@y.test", true);
	close_checked(&c);
}

static void
the_directory_does_not_answer(void **state)
{
	struct client c;

	(void)state;
	open_checked(&c);
	assert_string_equal(say(&c, E M R D), "220,250,250,250,354");
	c.fake.untold = true;
	assert_string_equal(say(&c, S("redirect")), "451");
	assert_int_equal(c.fake.nmessages, 0);
	close_checked(&c);
}

/* It is stored all the same, as any message whose client went away before its 250. */
static void
the_client_does_not_wait(void **state)
{
	struct client c;

	(void)state;
	open_checked(&c);
	assert_string_equal(say(&c, E M R D), "220,250,250,250,354");
	c.fake.hold_policy = true;
	assert_string_equal(say(&c, S("redirect")), "");
	shutdown(c.fd, SHUT_RDWR);
	fake_run(&c.fake);
	assert_int_equal(c.fake.nmessages, 0);
	c.fake.hold_policy = false;
	fake_run(&c.fake);
	assert_int_equal(c.fake.nmessages, 1);
	check_last(&c, "", "x@y.test", false);
	close_checked(&c);
}

/* A message keeps the rules that it began with; the next one has the new ones. */
static void
rules_change_meanwhile(void **state)
{
	struct client c;

	(void)state;
	open_checked(&c);
	assert_string_equal(say(&c, E M R D), "220,250,250,250,354");
	assert_string_equal(say(&c, "Subject: rej"), "");
	header_source_put(
	    c.fake.server.headers, set_of("/^Subject: fine/ REJECT\n"), span_str("2"));
	assert_string_equal(say(&c, "ect\\r\\n\\r\\n.\\r\\n"), "550");
	assert_string_equal(say(&c, M R D), "250,250,354");
	assert_string_equal(say(&c, S("reject")), "250");
	assert_string_equal(say(&c, M R D), "250,250,354");
	assert_string_equal(say(&c, S("fine")), "550");
	header_source_configure(c.fake.server.headers, false);
	assert_string_equal(say(&c, M R D), "250,250,354");
	assert_string_equal(say(&c, S("fine")), "250");
	close_checked(&c);
}

/* No message goes by unchecked because the rules have not come. */
static void
rules_are_not_there(void **state)
{
	struct client c;

	(void)state;
	open_checked(&c);
	header_source_configure(c.fake.server.headers, false);
	header_source_configure(c.fake.server.headers, true);
	assert_string_equal(say(&c, E M R), "220,250,250,451");
	assert_non_null(strstr(c.last, "4.3.5"));
	assert_string_equal(say(&c, D), "554");
	header_source_put(c.fake.server.headers, set_of(rules), span_str("1"));
	assert_string_equal(say(&c, R D), "250,354");
	assert_string_equal(say(&c, S("reject")), "550");
	close_checked(&c);
}

static void
look(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd, (void)what;
	c->left = TAILQ_FIRST(&c->fake.server.sessions)->in.len;
}

/* A read may bring ten thousand fields. What else there is to do has its turn between them, and none is lost. */
static void
many_fields_leave_others_their_turn(void **state)
{
	static const char field[] = "Subject: fine\r\n";
	struct client c;
	struct buf out;
	int other[2];

	(void)state;
	open_checked(&c);
	assert_string_equal(say(&c, E M R D), "220,250,250,250,354");
	buf_init(&out, SERVER_INPUT_SIZE);
	while (buf_add_str(&out, field) == 0)
		continue;
	assert_int_equal(send(c.fd, out.p, out.len, MSG_NOSIGNAL), out.len);
	assert_int_equal(pipe(other), 0);
	assert_int_equal(write(other[1], "x", 1), 1);
	event_base_once(c.fake.base, other[0], EV_READ, look, &c, NULL);
	event_base_loop(c.fake.base, EVLOOP_ONCE);
	assert_in_range(c.left, 1, out.len - 1);
	fake_run(&c.fake);
	assert_string_equal(say(&c, S("mark")), "250");
	check_last(&c, "", "alice@a.test", true);
	buf_release(&out);
	close(other[0]);
	close(other[1]);
	close_checked(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(other_rules_are_on_their_way),
	    cmocka_unit_test(by_data),
	    cmocka_unit_test(by_bdat),
	    cmocka_unit_test(large),
	    cmocka_unit_test(the_directory_does_not_answer),
	    cmocka_unit_test(the_client_does_not_wait),
	    cmocka_unit_test(rules_change_meanwhile),
	    cmocka_unit_test(rules_are_not_there),
	    cmocka_unit_test(many_fields_leave_others_their_turn),
	};

	return cmocka_run_group_tests_name("session_checks", tests, NULL, NULL);
}
