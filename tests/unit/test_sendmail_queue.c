/* test_sendmail_queue: the queue manager's list, parsed, and in sendmail's form. */
#include "queue/sendmail_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct answer {
	char text[4096];
	struct wire_fields fields;
	struct wire_msg msg;
};

static void
answer_init(struct answer *a, const char *fields)
{
	*a = (struct answer){.fields = {NULL, 0}};
	snprintf(a->text, sizeof a->text,
	    "answer 1\nkind=ok\ncode=0\nstatus=2.0.0\ntext=Done\n%s", fields);
	assert_int_equal(wire_parse(a->text, strlen(a->text), &a->fields, &a->msg), 0);
}

#define TWO                                                                                    \
	"message=3kf0\nfrom=a@b.test\nsize=1234\nreceived=86400\n"                             \
	"rcpt=0\naddress=x@c.test\nstate=deferred\nattempts=2\nnext=99\ncode=451\n"            \
	"status=4.4.1\ntext=no \x1b[2Jroute\nmta=mx.c.test\n"                                  \
	"rcpt=1\naddress=y@c.test\nstate=active\nattempts=0\nnext=0\n"                         \
	"message=3kf1\nfrom=\nsize=5\nreceived=90000\n"                                        \
	"rcpt=0\naddress=z@c.test\nstate=due\nattempts=0\nnext=0\n"

static void
parses_a_list(void **state)
{
	struct answer a;
	struct listing l;

	(void)state;
	answer_init(&a, TWO "more=yes\n");
	assert_int_equal(listing_parse(&a.msg, &l), 0);
	assert_int_equal(l.nmessages, 2);
	assert_true(l.more);
	assert_true(span_is(l.messages[0].id, "3kf0"));
	assert_int_equal(l.messages[0].size, 1234);
	assert_int_equal(l.messages[0].received, 86400);
	assert_int_equal(l.messages[0].nrecipients, 2);
	assert_int_equal(l.messages[0].recipients[0].attempts, 2);
	assert_int_equal(l.messages[0].recipients[0].next, 99);
	assert_true(span_is(l.messages[0].recipients[0].mta, "mx.c.test"));
	assert_true(span_is(l.messages[0].recipients[1].address, "y@c.test"));
	assert_int_equal(l.messages[0].recipients[1].text.len, 0);
	assert_int_equal(l.messages[1].from.len, 0);
	assert_true(span_is(l.messages[1].recipients[0].state, "due"));
	listing_release(&l);
	wire_fields_release(&a.fields);
}

static void
refuses_a_malformed_list(void **state)
{
	static const char *const rows[] = {"message=1\nsize=x\n", "message=1\nreceived=-5\n",
	    "message=1\nrcpt=x\n", "message=1\nrcpt=0\nattempts=many\n",
	    "message=1\nrcpt=0\nnext=99999999999999999999\n"};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct answer a;
		struct listing l;

		answer_init(&a, rows[i]);
		assert_int_equal(listing_parse(&a.msg, &l), -1);
		wire_fields_release(&a.fields);
	}
}

static void
passes_over_what_belongs_to_nothing(void **state)
{
	struct answer a;
	struct listing l;

	(void)state;
	answer_init(&a, "rcpt=0\naddress=x@c.test\nfrom=y\n");
	assert_int_equal(listing_parse(&a.msg, &l), 0);
	assert_int_equal(l.nmessages, 0);
	listing_release(&l);
	wire_fields_release(&a.fields);
}

static void
format(const char *fields, char *out, size_t size)
{
	struct answer a;
	struct listing l;
	FILE *f = fmemopen(out, size, "w");

	answer_init(&a, fields);
	assert_int_equal(listing_parse(&a.msg, &l), 0);
	sendmail_queue_format(&l, "/spool", f);
	fclose(f);
	listing_release(&l);
	wire_fields_release(&a.fields);
}

static void
prints_it_as_sendmail_does(void **state)
{
	char out[4096];

	(void)state;
	setenv("TZ", "UTC", 1);
	format("", out, sizeof out);
	assert_string_equal(out, "/spool is empty\n\t\tTotal requests: 0\n");
	format(TWO, out, sizeof out);
	assert_string_equal(out,
	    "\t\t/spool (2 requests)\n"
	    "-----Q-ID----- --Size-- -----Q-Time----- ------------Sender/Recipient-----------\n"
	    "3kf0               1234 Fri Jan  2 00:00 <a@b.test>\n"
	    "                 (Deferred: 4.4.1 no \\x1b[2Jroute)\n"
	    "\t\t\t\t\t <x@c.test>\n"
	    "\t\t\t\t\t <y@c.test>\n"
	    "3kf1                  5 Fri Jan  2 01:00 <>\n"
	    "\t\t\t\t\t <z@c.test>\n"
	    "\t\tTotal requests: 2\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses_a_list),
	    cmocka_unit_test(refuses_a_malformed_list),
	    cmocka_unit_test(passes_over_what_belongs_to_nothing),
	    cmocka_unit_test(prints_it_as_sendmail_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
