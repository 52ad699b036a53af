/* test_summary: the queue counted by name and age, and when it will be empty. */
#include "queue/summary.h"

#include "tests/unit/testing.h"

#define NOW INT64_C(10000000000)

static struct message *
message_of(struct atom_table *atoms, uint64_t number, int64_t age_s, uint32_t n)
{
	struct message_given given[3] = {
	    {span_str("a@x.test"), 0}, {span_str("b@x.test"), 0}, {span_str("c@y.test"), 0}};
	struct message *m = message_new(atoms, number, span_str("s@e.test"), given, n);

	m->received = NOW - age_s * 1000;
	return m;
}

static void
counts_by_name_and_age(void **state)
{
	struct atom_table *atoms = atom_table_new();
	struct summary *s = summary_new(NOW);
	struct message *m[2] = {message_of(atoms, 1, 599, 3), message_of(atoms, 2, 86400, 2)};
	struct summary_row **rows;
	size_t n;

	(void)state;
	recipient_set_state(message_recipient(m[1], 0), RECIPIENT_ACTIVE);
	recipient_set_state(message_recipient(m[1], 1), RECIPIENT_HELD);
	summary_add(s, "y.test", message_recipient(m[0], 2));
	summary_add(s, "x.test", message_recipient(m[0], 0));
	summary_add(s, "x.test", message_recipient(m[0], 1));
	summary_add(s, "x.test", message_recipient(m[1], 0));
	summary_add(s, "x.test", message_recipient(m[1], 1));
	rows = summary_sorted(s, &n);
	assert_int_equal(n, 2);
	assert_string_equal(rows[0]->name, "x.test");
	assert_int_equal(rows[0]->messages, 2);
	assert_int_equal(rows[0]->recipients, 4);
	assert_int_equal(rows[0]->ages[0], 2);
	assert_int_equal(rows[0]->ages[5], 2);
	assert_int_equal(rows[0]->active, 1);
	assert_int_equal(rows[0]->held, 1);
	assert_int_equal(rows[0]->oldest, NOW - 86400000);
	assert_string_equal(rows[1]->name, "y.test");
	assert_int_equal(rows[1]->recipients, 1);
	assert_ptr_equal(summary_find(s, "y.test"), rows[1]);
	assert_null(summary_find(s, "z.test"));
	assert_int_equal(summary_total(s)->recipients, 5);
	assert_int_equal(summary_total(s)->messages, 2);
	summary_free(&s);
	assert_null(s);
	message_free(&m[0]);
	message_free(&m[1]);
	atom_table_free(&atoms);
}

static void
puts_each_age_into_its_class(void **state)
{
	static const struct {
		int64_t age;
		size_t want;
	} rows[] = {{-5, 0}, {0, 0}, {599, 0}, {600, 1}, {3599, 1}, {3600, 2}, {14399, 2},
	    {14400, 3}, {43200, 4}, {86399, 4}, {86400, 5}, {172799, 5}, {172800, 6},
	    {9000000, 6}};
	struct atom_table *atoms = atom_table_new();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct summary *s = summary_new(NOW);
		struct message *m = message_of(atoms, 1, rows[i].age, 1);

		summary_add(s, "x", message_recipient(m, 0));
		if (summary_total(s)->ages[rows[i].want] != 1)
			fail_msg("%lld seconds", (long long)rows[i].age);
		summary_free(&s);
		message_free(&m);
	}
	atom_table_free(&atoms);
}

static void
tells_when_it_will_be_empty(void **state)
{
	(void)state;
	assert_int_equal(summary_forecast(0, 0, 600), 0);
	assert_int_equal(summary_forecast(5, 0, 600), -1);
	assert_int_equal(summary_forecast(5, 3, 0), -1);
	assert_int_equal(summary_forecast(100, 50, 600), 1200);
	assert_int_equal(summary_forecast(1, 600, 600), 1);
	assert_true(summary_forecast(UINT64_MAX, 1, 600) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts_by_name_and_age),
	    cmocka_unit_test(puts_each_age_into_its_class),
	    cmocka_unit_test(tells_when_it_will_be_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
