/* test_sendmail_queue: the queue manager's list, parsed, and in sendmail's form. */
#include "queue/sendmail_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "queue/listing.h"

struct answer {
	char text[4096];
	struct wire_fields fields;
	struct wire_msg msg;
};

static void
answer_init(struct answer *a, const char *verb, const char *fields)
{
	*a = (struct answer){.fields = {NULL, 0}};
	snprintf(a->text, sizeof a->text, "%s\n%s", verb, fields);
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
	answer_init(&a, "part", "messages=2\nrecipients=3\n" TWO);
	assert_int_equal(listing_parse(&a.msg, &l), 0);
	assert_int_equal(l.nmessages, 2);
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

		answer_init(&a, "part", rows[i]);
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
	answer_init(&a, "part", "rcpt=0\naddress=x@c.test\nfrom=y\n");
	assert_int_equal(listing_parse(&a.msg, &l), 0);
	assert_int_equal(l.nmessages, 0);
	listing_release(&l);
	wire_fields_release(&a.fields);
}

static void
reads_what_goes_on_and_what_show_tells(void **state)
{
	struct answer a;
	struct listing l;

	(void)state;
	answer_init(&a, "part",
	    "message=3kf0\nfrom=a@b.test\nsize=1\nreceived=5\ncontinued=yes\nclient=192.0.2.1\n"
	    "envid=Q\nrcpt=7\naddress=x@c.test\nstate=deferred\nparent=2\nwhy=because\n"
	    "notify=NEVER\norcpt=rfc822;x@y\npaused=destination c.test\ndestination=c.test\n");
	assert_int_equal(listing_parse(&a.msg, &l), 0);
	assert_true(l.messages[0].continued);
	assert_true(span_is(l.messages[0].client, "192.0.2.1"));
	assert_true(span_is(l.messages[0].envid, "Q"));
	assert_int_equal(l.recipients[0].entry, 7);
	assert_true(l.recipients[0].expanded);
	assert_int_equal(l.recipients[0].parent, 2);
	assert_true(span_is(l.recipients[0].why, "because"));
	assert_true(span_is(l.recipients[0].notify, "NEVER"));
	assert_true(span_is(l.recipients[0].original, "rfc822;x@y"));
	assert_true(span_is(l.recipients[0].paused, "destination c.test"));
	assert_true(span_is(l.recipients[0].destination, "c.test"));
	listing_release(&l);
	wire_fields_release(&a.fields);
}

static void
print_frame(struct sendmail_queue_view *v, const char *verb, const char *fields)
{
	struct answer a;

	answer_init(&a, verb, fields);
	assert_int_equal(sendmail_queue_frame(v, &a.msg), 0);
	wire_fields_release(&a.fields);
}

static void
prints_it_as_sendmail_does(void **state)
{
	char out[4096];
	struct sendmail_queue_view v = {.spool = "/spool"};

	(void)state;
	setenv("TZ", "UTC", 1);
	v.out = fmemopen(out, sizeof out, "w");
	print_frame(&v, "part", "messages=0\nrecipients=0\n");
	print_frame(&v, "end", "");
	fclose(v.out);
	assert_string_equal(out, "/spool is empty\n\t\tTotal requests: 0\n");
	v = (struct sendmail_queue_view){.spool = "/spool"};
	v.out = fmemopen(out, sizeof out, "w");
	print_frame(&v, "part", "messages=2\nrecipients=5\n" TWO);
	print_frame(&v, "part",
	    "message=3kf1\nfrom=\nsize=5\nreceived=90000\ncontinued=yes\n"
	    "rcpt=1\naddress=h@c.test\nstate=held\n"
	    "rcpt=2\naddress=g@c.test\nstate=held\nstatus=4.0.0\ntext=slow\n");
	print_frame(&v, "end", "");
	fclose(v.out);
	assert_string_equal(out,
	    "\t\t/spool (2 requests)\n"
	    "-----Q-ID----- --Size-- -----Q-Time----- ------------Sender/Recipient-----------\n"
	    "3kf0               1234 Fri Jan  2 00:00 <a@b.test>\n"
	    "                 (Deferred: 4.4.1 no \\x1b[2Jroute)\n"
	    "\t\t\t\t\t <x@c.test>\n"
	    "\t\t\t\t\t <y@c.test>\n"
	    "3kf1                  5 Fri Jan  2 01:00 <>\n"
	    "\t\t\t\t\t <z@c.test>\n"
	    "                 (held)\n"
	    "\t\t\t\t\t <h@c.test>\n"
	    "                 (held; 4.0.0 slow)\n"
	    "\t\t\t\t\t <g@c.test>\n"
	    "\t\tTotal requests: 2\n");
}

static void
asks_for_parts_of_names(void **state)
{
	const struct sendmail_options o = {.nlimits = 4,
	    .limits = {{'I', false, "3K"}, {'R', true, "a*[b]"}, {'S', false, "x@y"},
		{'Q', true, ""}}};
	struct wire_out w;

	(void)state;
	wire_out_init(&w, "list", 1);
	sendmail_queue_limits(&o, &w);
	assert_string_equal(buf_str(&w.text),
	    "list 1\nmatch-id=*3K*\nnot-recipient=*a\\\\*\\\\[b]*\nsender=*x@y*\n"
	    "not-state=held\n");
	wire_out_release(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses_a_list),
	    cmocka_unit_test(refuses_a_malformed_list),
	    cmocka_unit_test(passes_over_what_belongs_to_nothing),
	    cmocka_unit_test(reads_what_goes_on_and_what_show_tells),
	    cmocka_unit_test(prints_it_as_sendmail_does),
	    cmocka_unit_test(asks_for_parts_of_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
