/* test_session_content: what becomes of content in a session, whichever way it comes. */
#include "tests/unit/smtpd_client.h"

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
	    cmocka_unit_test(content_kept_for_a_discarded_message_is_no_command),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
