/* test_sendmail_header: where a header ends, who is in it, what is put in and taken out. */
#include "queue/sendmail_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define ADDED                                                                                  \
	"From: Bob Builder <bob@mx.test>\nDate: Thu, 01 Jan 1970 00:00:00 +0000\n"             \
	"Message-ID: <1.abc@mx.test>\n"
#define RESENT_ADDED                                                                           \
	"Resent-From: Bob Builder <bob@mx.test>\n"                                             \
	"Resent-Date: Thu, 01 Jan 1970 00:00:00 +0000\nResent-Message-ID: <1.abc@mx.test>\n"
#define WHOLE "From: a@b.test\nDate: x\nMessage-ID: <y@z>\n"

struct outcome {
	struct buf text, recipients, bad;
};

static void
on_bad_address(struct span field, struct span text, const char *why, void *arg)
{
	struct outcome *o = arg;

	assert_non_null(why);
	buf_addf(&o->bad, "%.*s:%.*s|", SPAN_ARG(field), SPAN_ARG(text));
}

static void
outcome_release(struct outcome *o)
{
	buf_release(&o->text);
	buf_release(&o->recipients);
	buf_release(&o->bad);
}

static int
complete(const char *header, size_t max, struct outcome *o)
{
	struct sendmail_recipients r;
	struct sendmail_header_job job = {.hostname = "mx.test",
	    .sender = "bob@mx.test",
	    .full_name = "Bob Builder",
	    .unique = "1.abc",
	    .now = 0,
	    .recipients = &r,
	    .on_bad_address = on_bad_address,
	    .arg = o};
	int result;

	setenv("TZ", "UTC", 1);
	buf_init(&o->text, max);
	buf_init(&o->recipients, 65536);
	buf_init(&o->bad, 65536);
	sendmail_recipients_init(&r);
	result = sendmail_header_complete(span_str(header), &job, &o->text);
	for (size_t i = 0; i < r.n; i++)
		buf_addf(&o->recipients, "%s%s", i > 0 ? " " : "", r.v[i]->address);
	sendmail_recipients_release(&r);
	return result;
}

static void
finds_the_end(void **state)
{
	static const struct {
		const char *text;
		bool found;
		size_t at;
	} rows[] = {
	    {"", false, 0},
	    {"\nbody\n", true, 0},
	    {"body\n", true, 0},
	    {"Subject: x\n\nbody\n", true, 11},
	    {"Subject: x\n y\n\nbody\n", true, 14},
	    {"Subject: x\n  \nTo: y\n\n", true, 20},
	    {"Subject: x\nbody\n", true, 11},
	    {"Subject: x\nbod", false, 11},
	    {"Subject: x\nbody goes on", true, 11},
	    {"From b", false, 0},
	    {"Subject: x\n fol", false, 11},
	    {"Subject  ", false, 0},
	    {"Subject: x\n", false, 11},
	    {" continues nothing\n", true, 0},
	    {"From bob Sat Nov 21 22:50:11 2026\nTo: x\n\n", true, 40},
	    {"To: x\nFrom bob Sat\n\n", true, 6},
	    {"Subject : x\n\n", true, 12},
	    {"No colon here: x\n\n", true, 0},
	    {": x\n\n", true, 0},
	    {"S\xc3\xb6: x\n\n", true, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t at = 0;
		bool found = sendmail_header_scan(span_str(rows[i].text), &at);

		if (found != rows[i].found || at != rows[i].at)
			fail_msg("%s: %d at %zu", rows[i].text, found, at);
	}
}

static void
goes_on_where_it_stopped(void **state)
{
	static const char text[] = "Subject: x\n y\nTo: bob\n\nbody: x\n";
	size_t at = 0;

	(void)state;
	for (size_t n = 0; n < 23; n++)
		assert_false(sendmail_header_scan(span_make(text, n), &at));
	assert_int_equal(at, 22);
	assert_true(sendmail_header_scan(span_make(text, 23), &at));
	assert_int_equal(at, 22);
}

static void
completes(void **state)
{
	static const struct {
		const char *header, *want;
	} rows[] = {
	    {"", ADDED},
	    {"Subject: x\n", "Subject: x\n" ADDED},
	    {WHOLE, WHOLE},
	    {"fRoM: a@b.test\ndate : x\nMESSAGE-ID:\n",
		"fRoM: a@b.test\ndate : x\nMESSAGE-ID:\n"},
	    {WHOLE "To: root\n", WHOLE "To: root@mx.test\n"},
	    {WHOLE "To: Root <root>, \"a b\",\n carol@c.test, f (x)\n", WHOLE
		"To: Root <root@mx.test>, \"a b\"@mx.test,\n carol@c.test, f@mx.test (x)\n"},
	    {WHOLE "To: <>, two words, a..b\n", WHOLE "To: <>, two words, a..b\n"},
	    {WHOLE "Sender: s\nReply-To: r\nCc: c\n",
		WHOLE "Sender: s@mx.test\nReply-To: r@mx.test\nCc: c@mx.test\n"},
	    {WHOLE "Subject: root\nX-To: root\n", WHOLE "Subject: root\nX-To: root\n"},
	    {WHOLE "Bcc: x@y\n", WHOLE},
	    {WHOLE "BCC : x@y,\n\tz@y\nSubject: s\n", WHOLE "Subject: s\n"},
	    {WHOLE "bcc:x@y\n \n z@y\nSubject: s\n", WHOLE "Subject: s\n"},
	    {WHOLE "Return-Path: <x@y>\n", WHOLE},
	    {"From bob Sat Nov 21\n" WHOLE, WHOLE},
	    {WHOLE "Subject: a\n  \n b\n", WHOLE "Subject: a\n b\n"},
	    {WHOLE "Resent-To: b\n", RESENT_ADDED WHOLE "Resent-To: b@mx.test\n"},
	    {"Resent-Bcc: b\nResent-From: c@d\n",
		"Resent-Date: Thu, 01 Jan 1970 00:00:00 +0000\n"
		"Resent-Message-ID: <1.abc@mx.test>\nResent-From: c@d\n"},
	};
	struct outcome o;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(complete(rows[i].header, 65536, &o), 0);
		if (!span_is(buf_span(&o.text), rows[i].want))
			fail_msg("%s: got %s, want %s", rows[i].header, buf_str(&o.text),
			    rows[i].want);
		outcome_release(&o);
	}
}

static void
takes_recipients(void **state)
{
	static const struct {
		const char *header, *want, *bad;
	} rows[] = {
	    {"Subject: x@y.test\n", "", ""},
	    {"To: a@b.test, c\nCC: d@e.test\nbcc: f@g.test\n",
		"a@b.test c@mx.test d@e.test f@g.test", ""},
	    {"To: a@b.test\nTo: c@b.test\nCc: a@B.test\n", "a@b.test c@b.test", ""},
	    {"Bcc: x@y.test\n", "x@y.test", ""},
	    {"To: old@b.test\nResent-To: new@b.test\nResent-Bcc: more@b.test\n",
		"new@b.test more@b.test", ""},
	    {"To: old@b.test\nResent-From: me@b.test\n", "", ""},
	    {"To: undisclosed-recipients:;\n", "", ""},
	    {"To: good@b.test, not good, a@b@c.test\nCc: <>\n", "good@b.test",
		"To:not good|To:a@b@c.test|Cc:<>|"},
	    {"To: \"a\n b\"@c.test\n", "\"a b\"@c.test", ""},
	    {"From: from@b.test\nReply-To: r@b.test\n", "", ""},
	};
	struct outcome o;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(complete(rows[i].header, 65536, &o), 0);
		if (!span_is(buf_span(&o.recipients), rows[i].want) ||
		    !span_is(buf_span(&o.bad), rows[i].bad))
			fail_msg("%s: got %s, bad %s", rows[i].header, buf_str(&o.recipients),
			    buf_str(&o.bad));
		outcome_release(&o);
	}
}

static void
says_when_there_is_no_room(void **state)
{
	static const char header[] = WHOLE "To: root\nResent-To: x\n";
	struct outcome o;
	size_t need, max;

	(void)state;
	assert_int_equal(complete(header, 65536, &o), 0);
	need = o.text.len;
	outcome_release(&o);
	for (max = 0; max < need; max++) {
		assert_int_equal(complete(header, max, &o), -1);
		outcome_release(&o);
	}
	assert_int_equal(complete(header, need, &o), 0);
	outcome_release(&o);
}

static void
leaves_out_who_is_excepted(void **state)
{
	struct sendmail_recipients except, r;
	const char *why;

	(void)state;
	sendmail_recipients_init(&except);
	sendmail_recipients_init(&r);
	assert_int_equal(sendmail_recipients_add_list(
			     &except, span_str("bob, <carol@C.test>"), "mx.test", &why),
	    0);
	assert_int_equal(except.n, 2);
	r.except = &except;
	assert_int_equal(sendmail_recipients_add_list(&r,
			     span_str("bob@mx.test,carol@c.test,dave@c.test"), "mx.test", &why),
	    0);
	assert_int_equal(r.n, 1);
	assert_string_equal(r.v[0]->address, "dave@c.test");
	assert_int_equal(
	    sendmail_recipients_add_list(&r, span_str("a\nb@c.test"), "mx.test", &why), -1);
	assert_int_equal(sendmail_recipients_add_list(&r, span_str(""), "mx.test", &why), -1);
	sendmail_recipients_release(&r);
	sendmail_recipients_release(&except);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_the_end),
	    cmocka_unit_test(goes_on_where_it_stopped),
	    cmocka_unit_test(completes),
	    cmocka_unit_test(takes_recipients),
	    cmocka_unit_test(says_when_there_is_no_room),
	    cmocka_unit_test(leaves_out_who_is_excepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
