/* test_message: messages and their recipients in memory. */
#include "queue/message.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/testing.h"

static struct message *
message_of(struct atom_table *atoms, uint32_t n)
{
	static const struct message_given given[] = {
	    {{"a@d.test", 8}, NOTIFY_DEFAULT},
	    {{"\"b b\"@d.test", 12}, NOTIFY_NEVER},
	    {{"c@d.testtrailing", 8}, NOTIFY_SUCCESS | NOTIFY_DELAY},
	};

	return message_new(atoms, 4711, span_str("s@e.test"), given, n);
}

static void
given_recipients(void **state)
{
	struct atom_table *atoms = atom_table_new();
	struct message *m = message_of(atoms, 3), *other = message_of(atoms, 1);

	(void)state;
	assert_int_equal(m->nrecipients, 3);
	assert_int_equal(m->given, 3);
	assert_int_equal(m->unsettled, 3);
	assert_int_equal(m->busy, 3);
	assert_ptr_equal(m->from, other->from);
	assert_string_equal(message_recipient(m, 1)->address, "\"b b\"@d.test");
	assert_string_equal(message_recipient(m, 2)->address, "c@d.test");
	assert_int_equal(message_recipient(m, 2)->notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	assert_int_equal(message_recipient(m, 2)->parent, 2);
	assert_null(message_recipient(m, 3));
	assert_null(message_recipient(other, 1));
	message_free(&m);
	assert_null(m);
	message_free(&m);
	message_free(&other);
	assert_int_equal(atom_count(atoms), 0);
	atom_table_free(&atoms);
}

/* Expansions of expansions: recipients stay where they are, and know where they come from. */
static void
expansions(void **state)
{
	struct atom_table *atoms = atom_table_new();
	struct message *m = message_of(atoms, 2);
	struct recipient *seen[200];
	uint32_t from = 1;

	(void)state;
	message_recipient(m, 1)->recovered = true;
	for (uint32_t round = 0; round < 20; round++) {
		struct message_target targets[9];
		uint32_t n = 1 + round % 9, first = m->nrecipients;
		char address[9][32];

		for (uint32_t i = 0; i < n; i++) {
			snprintf(address[i], sizeof address[i], "r%u@x.test", first + i);
			targets[i] =
			    (struct message_target){RECIPIENT_MAILBOX, span_str(address[i])};
		}
		assert_int_equal(message_expand(m, from, targets, n), first);
		recipient_set_state(message_recipient(m, from), RECIPIENT_SETTLED);
		for (uint32_t i = 0; i < n; i++)
			seen[first + i] = message_recipient(m, first + i);
		from = first + n / 2;
	}
	for (uint32_t i = 2; i < m->nrecipients; i++) {
		struct recipient *r = message_recipient(m, i);
		char want[32];

		snprintf(want, sizeof want, "r%u@x.test", i);
		assert_ptr_equal(r, seen[i]);
		assert_string_equal(r->address, want);
		assert_int_equal(r->entry, i);
		assert_ptr_equal(r->message, m);
		assert_ptr_equal(recipient_origin(r), message_recipient(m, 1));
		assert_int_equal(r->notify, NOTIFY_NEVER);
		assert_true(r->recovered);
		assert_int_equal(r->kind, RECIPIENT_MAILBOX);
	}
	assert_int_equal(m->unsettled, m->nrecipients - 20);
	assert_ptr_equal(recipient_origin(message_recipient(m, 0)), message_recipient(m, 0));
	message_free(&m);
	atom_table_free(&atoms);
}

static void
counts_follow_states(void **state)
{
	static const struct {
		enum recipient_state to;
		uint32_t busy, unsettled, failed, tell;
	} rows[] = {
	    {RECIPIENT_RESOLVING, 1, 1, 0, 0},
	    {RECIPIENT_WAITING, 1, 1, 0, 0},
	    {RECIPIENT_ACTIVE, 1, 1, 0, 0},
	    {RECIPIENT_DEFERRED, 0, 1, 0, 0},
	    {RECIPIENT_HELD, 0, 1, 0, 0},
	    {RECIPIENT_DUE, 1, 1, 0, 0},
	    {RECIPIENT_FAILED, 0, 1, 1, 0},
	    {RECIPIENT_SETTLED, 0, 0, 0, 0},
	    {RECIPIENT_TELL, 0, 1, 0, 1},
	    {RECIPIENT_SETTLED, 0, 0, 0, 0},
	};
	struct atom_table *atoms = atom_table_new();
	struct message *m = message_of(atoms, 1);

	(void)state;
	assert_int_equal(message_failed(m), 0);
	assert_int_equal(message_bounce_of(m), 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		recipient_set_state(message_recipient(m, 0), rows[i].to);
		assert_int_equal(m->busy, rows[i].busy);
		assert_int_equal(m->unsettled, rows[i].unsettled);
		assert_int_equal(message_failed(m), rows[i].failed);
		assert_int_equal(message_tell(m), rows[i].tell);
		assert_true((m->report != NULL) == (i >= 6));
	}
	message_free(&m);
	atom_table_free(&atoms);
}

static void
reason_and_host(void **state)
{
	struct atom_table *atoms = atom_table_new();
	struct message *m = message_of(atoms, 2);
	struct recipient *a = message_recipient(m, 0), *b = message_recipient(m, 1);
	struct verdict v;

	(void)state;
	for (int i = 0; i < 3; i++) {
		verdict_set(&v, VERDICT_TEMPORARY, 450, "4.2.0", "try later, %d", i);
		recipient_set_reason(a, &v);
		recipient_set_reason(b, &v);
		recipient_set_mta(a, span_str("mx.test"));
		assert_ptr_equal(a->reason, b->reason);
		assert_string_equal(a->mta, "mx.test");
	}
	assert_string_equal(a->reason, "450 4.2.0 try later, 2");
	recipient_get_reason(a, &v);
	assert_int_equal(v.kind, VERDICT_TEMPORARY);
	assert_int_equal(v.code, 450);
	assert_string_equal(v.status, "4.2.0");
	assert_string_equal(v.text, "try later, 2");
	recipient_set_mta(a, span_str(""));
	assert_null(a->mta);
	assert_int_equal(atom_count(atoms), 2); /* the sender, the reason */
	message_free(&m);
	atom_table_free(&atoms);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(given_recipients),
	    cmocka_unit_test(expansions),
	    cmocka_unit_test(counts_follow_states),
	    cmocka_unit_test(reason_and_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
