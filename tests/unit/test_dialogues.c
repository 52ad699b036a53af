/* test_dialogues: the dialogues of dialogues.h, as written and an octet at a time. */
#include "smtpd/session.h"

#include "common/log.h"
#include "tests/unit/dialogues.h"

static void
play(const struct row *r, size_t piece)
{
	struct client c;

	client_open(&c, NULL);
	client_read(&c);
	assert_string_equal(c.replies, "220");
	dialogue_play(&c, r, piece);
	client_close(&c);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dialogues),
	};

	log_set_level(LOG_LEVEL_WARN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
