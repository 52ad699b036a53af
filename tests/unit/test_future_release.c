/* test_future_release: intervals and times (RFC 4865, RFC 3339), and the parameters in a session. */
#include "smtpd/future_release.h"

#include "smtpd/session.h"
#include "tests/unit/smtpd_client.h"

static void
parses_intervals(void **state)
{
	static const struct {
		const char *value;
		uint64_t want; /* 0: refused */
	} rows[] = {{"1", 1}, {"86400", 86400}, {"999999999", 999999999}, {"1000000000", 0},
	    {"0", 0}, {"01", 0}, {"", 0}, {"-1", 0}, {"1s", 0}, {"+1", 0}, {" 1", 0}};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint64_t v = 0;

		if (future_release_parse_interval(span_str(rows[i].value), &v) != 0)
			v = 0;
		if (v != rows[i].want)
			fail_msg("%s", rows[i].value);
	}
}

static void
parses_times(void **state)
{
	static const struct {
		const char *value;
		int64_t want; /* -1: refused */
	} rows[] = {
	    {"1970-01-01T00:00:00Z", 0},
	    {"2026-11-22T06:45:07Z", 1795329907},
	    {"2026-11-22t06:45:07z", 1795329907},
	    {"2026-11-22T06:45:07.123Z", 1795329907},
	    {"2026-11-22T08:45:07+02:00", 1795329907},
	    {"2026-11-22T01:15:07-05:30", 1795329907},
	    {"2024-02-29T00:00:00Z", 1709164800},
	    {"2024-03-01T00:00:00Z", 1709251200},
	    {"2000-02-29T12:00:00Z", 951825600},
	    {"2100-03-01T00:00:00Z", 4107542400},
	    {"9999-12-31T23:59:59Z", 253402300799},
	    {"2016-12-31T23:59:60Z", 1483228800},
	    {"2023-02-29T00:00:00Z", -1},
	    {"2100-02-29T00:00:00Z", -1},
	    {"2026-04-31T00:00:00Z", -1},
	    {"2026-13-01T00:00:00Z", -1},
	    {"2026-00-01T00:00:00Z", -1},
	    {"2026-01-00T00:00:00Z", -1},
	    {"2026-01-01T24:00:00Z", -1},
	    {"2026-01-01T00:60:00Z", -1},
	    {"2026-01-01T00:00:61Z", -1},
	    {"2026-01-01T00:00:00", -1},
	    {"2026-01-01T00:00:00.Z", -1},
	    {"2026-01-01T00:00:00+24:00", -1},
	    {"2026-01-01T00:00:00+0100", -1},
	    {"2026-01-01T00:00:00Zx", -1},
	    {"2026-01-01 00:00:00Z", -1},
	    {"26-01-01T00:00:00Z", -1},
	    {"1969-12-31T23:59:59Z", -1},
	    {"", -1},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		int64_t v = -1;

		if (future_release_parse_time(span_str(rows[i].value), &v) != 0)
			v = -1;
		if (v != rows[i].want)
			fail_msg("%s: %lld", rows[i].value, (long long)v);
	}
}

/* --- in a session --- */

static void
open_session(struct client *c, const char *account)
{
	struct session *s;

	client_open(c, NULL);
	s = TAILQ_FIRST(&c->fake.server.sessions);
	s->settings->offers |= OFFER_LIMITS;
	s->settings->future_release = 3600;
	if (account != NULL)
		s->account = strdup(account);
}

static void
is_for_users_who_logged_in(void **state)
{
	struct client c;

	(void)state;
	open_session(&c, NULL);
	assert_string_equal(
	    say(&c, E "MAIL FROM:<s@remote.test> HOLDFOR=60\\r\\n"), "220,250,555");
	client_close(&c);
	open_session(&c, "s@remote.test");
	assert_string_equal(
	    say(&c, E "MAIL FROM:<s@remote.test> HOLDFOR=60\\r\\n" R D), "220,250,250,250,354");
	assert_string_equal(say(&c, B), "250");
	assert_non_null(strstr(c.fake.messages[0].envelope, "\nrelease="));
	assert_string_equal(say(&c, "MAIL FROM:<s@remote.test> HOLDFOR=3601\\r\\n"), "501");
	assert_string_equal(c.last,
	    "501 5.5.4 The release is later than mail is kept here; seconds at most: 3600");
	assert_string_equal(
	    say(&c, "MAIL FROM:<s@remote.test> HOLDUNTIL=9999-01-01T00:00:00Z\\r\\n"), "501");
	assert_string_equal(say(&c, "MAIL FROM:<s@remote.test> HOLDFOR=x\\r\\n"), "501");
	assert_string_equal(say(&c, "MAIL FROM:<s@remote.test> HOLDFOR\\r\\n"), "501");
	assert_string_equal(
	    say(&c, "MAIL FROM:<s@remote.test> HOLDFOR=9 HOLDUNTIL=2000-01-01T00:00:00Z\\r\\n"),
	    "501");
	/* A time that is past is now. */
	assert_string_equal(
	    say(&c, "MAIL FROM:<s@remote.test> HOLDUNTIL=2000-01-01T00:00:00Z\\r\\n" R D),
	    "250,250,354");
	assert_string_equal(say(&c, B), "250");
	assert_null(strstr(c.fake.messages[1].envelope, "\nrelease="));
	client_close(&c);
}

static void
says_its_limits(void **state)
{
	struct settings *s = fake_settings();
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	settings_format_ehlo(s, OFFER_LIMITS, &out);
	assert_non_null(strstr(buf_str(&out), "\r\n250-LIMITS RCPTMAX=100\r\n"));
	s->transaction_limit = 7;
	s->future_release = 3600;
	settings_format_ehlo(s, OFFER_LIMITS | OFFER_FUTURE_RELEASE, &out);
	assert_non_null(strstr(buf_str(&out), "\r\n250-LIMITS RCPTMAX=100 MAILMAX=7\r\n"));
	assert_non_null(strstr(buf_str(&out), "\r\n250-FUTURERELEASE 3600 20"));
	buf_release(&out);
	settings_unref(&s);
}

static void
ends_at_the_last_transaction(void **state)
{
	struct client c;

	(void)state;
	open_session(&c, NULL);
	TAILQ_FIRST(&c.fake.server.sessions)->settings->transaction_limit = 2;
	assert_string_equal(say(&c, E M R D), "220,250,250,250,354");
	assert_string_equal(say(&c, B M "RSET\\r\\n" M), "250,250,250,421!");
	client_close(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses_intervals),
	    cmocka_unit_test(parses_times),
	    cmocka_unit_test(is_for_users_who_logged_in),
	    cmocka_unit_test(says_its_limits),
	    cmocka_unit_test(ends_at_the_last_transaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
