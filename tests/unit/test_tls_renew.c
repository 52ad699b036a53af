/* After a reload: what was asked for before it is not taken for an answer, and what cannot be had is not waited for. */
#include "tests/unit/tls_stage.h"

static struct certificate ec, other;

static void
count(void *arg)
{
	(*(unsigned *)arg)++;
}

/* Whose certificate a handshake would show: NULL if it has to ask. */
static const struct tls_identity *
shown(struct stage *s)
{
	struct tls_names_wait w = {.name = NULL};
	const struct tls_identity *i = tls_names_get(s->tls->names, span_str(""), &w);

	tls_names_cancel(&w);
	return i;
}

/* One after the other, each change is there when its renewal is over, though what was before was fresh. */
static void
what_is_fresh_is_asked_again(void **state)
{
	struct stage s;
	unsigned renewed = 0;
	char before[KEY_PAIR_IDS_SIZE];

	(void)state;
	stage_init(&s, &ec);
	tls_prepare(s.tls);
	tls_fake_answer(&s.fake);
	assert_non_null(shown(&s));
	snprintf(before, sizeof before, "%s", tls_identity_id(shown(&s)));
	s.fake.first = &other;
	tls_renew(s.tls, count, &renewed);
	assert_int_equal(renewed, 0);
	tls_fake_answer(&s.fake);
	assert_int_equal(renewed, 1);
	assert_non_null(shown(&s));
	assert_string_not_equal(tls_identity_id(shown(&s)), before);
	stage_release(&s);
}

/* A question is under way: its answer may be that of before. */
static void
an_answer_under_way_does_not_count(void **state)
{
	struct stage s;
	unsigned renewed = 0;

	(void)state;
	stage_init(&s, &ec);
	tls_prepare(s.tls);
	tls_renew(s.tls, count, &renewed);
	assert_int_equal(s.fake.questions, 1);
	tls_fake_answer(&s.fake);
	assert_int_equal(renewed, 0);
	assert_int_equal(s.fake.questions, 2);
	tls_fake_answer(&s.fake);
	assert_int_equal(renewed, 1);
	assert_non_null(shown(&s));
	assert_true(tls_is_prepared(s.tls));
	stage_release(&s);
}

/* There is no answer: that is the end of it, and not asked again and again. */
static void
nobody_waits_for_what_is_not_there(void **state)
{
	struct stage s;
	unsigned renewed = 0;

	(void)state;
	stage_init(&s, &ec);
	s.fake.away = true;
	tls_renew(s.tls, count, &renewed);
	tls_fake_answer(&s.fake);
	assert_int_equal(renewed, 1);
	assert_int_equal(s.fake.questions, 1);
	assert_false(tls_is_prepared(s.tls));
	stage_release(&s);
}

static int
make(void **state)
{
	(void)state;
	certificate_make(&ec, "EC:P-256", "mx.test", -1, 30, NULL);
	certificate_make(&other, "EC:P-256", "mx.test", -1, 30, NULL);
	return 0;
}

static int
unmake(void **state)
{
	(void)state;
	certificate_release(&ec);
	certificate_release(&other);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_fresh_is_asked_again),
	    cmocka_unit_test(an_answer_under_way_does_not_count),
	    cmocka_unit_test(nobody_waits_for_what_is_not_there),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
