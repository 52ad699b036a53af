/*
 * test_bounce: reports have their parts, say what became of each recipient, stay within their
 * bounds, and nothing a stranger wrote adds a line to any of them.
 */
#include "queue/bounce.h"

#include <stdlib.h>

#include "common/limits.h"
#include "tests/unit/testing.h"

#define OWN "0000000000002"
#define B   "=_0000000000002_0"

struct one {
	struct bounce b;
	struct bounce_recipient r;
	struct bounce_result result;
	struct buf out;
};

/* Of one recipient that failed, as tests vary it. */
static void
setup(struct one *o)
{
	*o = (struct one){.r = {.action = BOUNCE_FAILED,
			      .original = span_str("bob@d.test"),
			      .address = span_str("target@e.test"),
			      .mta = span_str("mx.e.test")},
	    .b = {.hostname = "mx.test",
		.id = "0000000000001",
		.own_id = OWN,
		.to = span_str("alice@d.test"),
		.arrived = 1700000000,
		.now = 1700000100,
		.nrecipients = 1,
		.content = span_str("Subject: hello\n\nbody\n"),
		.content_whole = true}};
	o->b.recipients = &o->r;
	verdict_set_parts(
	    &o->r.verdict, VERDICT_PERMANENT, 550, span_str("5.1.1"), span_str("No such user"));
	buf_init(&o->out, MESSAGE_INLINE_MAX);
}

static const char *
compose(struct one *o)
{
	buf_clear(&o->out);
	assert_int_equal(bounce_compose(&o->b, &o->out, &o->result), 0);
	return o->out.p;
}

static void
teardown(struct one *o)
{
	buf_release(&o->out);
}

static size_t
count(const char *s, const char *what)
{
	size_t n = 0;

	for (s = strstr(s, what); s != NULL; s = strstr(s + 1, what))
		n++;
	return n;
}

#define has(text, what)                                                                        \
	do {                                                                                   \
		if (strstr((text), (what)) == NULL)                                            \
			fail_msg("no \"%s\" in:\n%s", (what), (text));                         \
	} while (0)

/* Every line ends in LF and is at most 998 octets (RFC 5322 2.1.1); ASCII but for what is returned. */
static void
check_lines(const struct buf *b, bool ascii)
{
	struct span rest = buf_span(b);

	assert_int_equal(b->p[b->len - 1], '\n');
	while (rest.p != NULL) {
		struct span line = span_cut(&rest, '\n');

		assert_true(line.len <= 998);
		for (size_t i = 0; ascii && i < line.len; i++)
			assert_true(line.p[i] == '\t' ||
				    ((unsigned char)line.p[i] >= 0x20 && line.p[i] != 0x7f &&
					(unsigned char)line.p[i] < 0x80));
	}
}

static void
has_its_parts(void **state)
{
	struct one o;
	const char *s;

	(void)state;
	setup(&o);
	s = compose(&o);
	assert_int_equal(o.result.nrecipients, 1);
	assert_false(o.result.eight_bit);
	assert_int_equal(count(s, "\n--" B "\n"), 3);
	assert_int_equal(count(s, "\n--" B "--\n"), 1);
	has(s, "\nTo: <alice@d.test>\nSubject: Undelivered mail: bob@d.test\n");
	has(s, "\nAuto-Submitted: auto-replied\n");
	has(s, "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.test\n"
	       "Arrival-Date: Tue, 14 Nov 2023 22:13:20 +0000\n"
	       "X-Postrider-Message: 0000000000001\n\n"
	       "Original-Recipient: rfc822; bob@d.test\n"
	       "Final-Recipient: rfc822; target@e.test\n"
	       "Action: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.e.test\n"
	       "Diagnostic-Code: smtp; 550 5.1.1 No such user\n\n--" B "\n");
	has(s, "\nContent-Type: message/rfc822\n\nSubject: hello\n\nbody\n\n--" B "--\n");
	has(s, "could not be delivered to the recipients below");
	has(s, "  <bob@d.test>\n    (forwarded to <target@e.test>)\n"
	       "    The mail server mx.e.test said:\n    550 5.1.1 No such user\n");
	check_lines(&o.out, true);
	teardown(&o);
}

static void
says_what_the_sender_gave(void **state)
{
	struct one o;
	const char *s;

	(void)state;
	setup(&o);
	o.b.envid = span_str("QQ+2B31+3Dx");
	o.b.helo = span_str("client.test");
	o.r.orcpt = span_str("rfc822;Bob+2Bx@d.test");
	o.r.tried = 1700000090;
	s = compose(&o);
	has(s, "\n\nOriginal-Envelope-Id: QQ+31=x\nReporting-MTA: dns; mx.test\n"
	       "Received-From-MTA: dns; client.test\nArrival-Date: ");
	has(s, "\nOriginal-Recipient: rfc822; Bob+x@d.test\n");
	has(s, "\nLast-Attempt-Date: Tue, 14 Nov 2023 22:14:50 +0000\n");
	assert_null(strstr(s, "Will-Retry-Until"));
	/* Not given, and the same address: nothing is known of what the sender wrote. */
	o.r.orcpt = span_str("");
	o.r.address = o.r.original;
	assert_null(strstr(compose(&o), "Original-Recipient"));
	teardown(&o);
}

static void
says_what_was_done(void **state)
{
	static const struct {
		enum bounce_action action;
		const char *name, *subject, *text;
	} rows[] = {
	    {BOUNCE_DELAYED, "delayed", "Subject: Delayed mail: bob@d.test",
		"This is a warning only"},
	    {BOUNCE_DELIVERED, "delivered", "Subject: Delivery report: bob@d.test",
		"in the mailbox"},
	    {BOUNCE_RELAYED, "relayed", "Subject: Delivery report: bob@d.test",
		"passed on to a mail"},
	    {BOUNCE_EXPANDED, "expanded", "Subject: Delivery report: bob@d.test",
		"several addresses"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct one o;
		char action[40];
		const char *s;

		setup(&o);
		o.r.action = rows[i].action;
		o.r.until = 1700400000;
		verdict_set(&o.r.verdict,
		    rows[i].action == BOUNCE_DELAYED ? VERDICT_TEMPORARY : VERDICT_OK, 250,
		    "2.0.0", "x");
		s = compose(&o);
		snprintf(action, sizeof action, "\nAction: %s\nStatus: %s\n", rows[i].name,
		    rows[i].action == BOUNCE_DELAYED ? "4.0.0" : "2.0.0");
		has(s, action);
		has(s, rows[i].subject);
		has(s, rows[i].text);
		assert_int_equal(count(s, "\nWill-Retry-Until: Sun, 19 Nov 2023 13:20:00"),
		    rows[i].action == BOUNCE_DELAYED);
		assert_int_equal(count(s, "It is tried until\nSun, 19 Nov 2023 13:20:00"),
		    rows[i].action == BOUNCE_DELAYED);
		check_lines(&o.out, true);
		teardown(&o);
	}
}

/* What had time to succeed and did not: the status says so, the diagnostic what the other side said last. */
static void
expired(void **state)
{
	struct one o;
	const char *s;

	(void)state;
	setup(&o);
	verdict_set(&o.r.verdict, VERDICT_TEMPORARY, 450, "4.2.1", "mailbox busy");
	s = compose(&o);
	has(s, "\nAction: failed\nStatus: 5.4.7\n");
	has(s, "\nDiagnostic-Code: smtp; 450 4.2.1 mailbox busy\n");
	has(s, "was tried for too long a time. The last answer:\n");
	teardown(&o);
}

/* One report for failures and successes: the failures are what it is about. */
static void
mixed(void **state)
{
	struct bounce_recipient r[2];
	struct one o;
	const char *s, *list;

	(void)state;
	setup(&o);
	r[0] = r[1] = o.r;
	r[0].action = BOUNCE_DELIVERED;
	r[0].original = r[0].address = span_str("good@d.test");
	o.b.recipients = r;
	o.b.nrecipients = 2;
	s = compose(&o);
	has(s, "Subject: Undelivered mail: 2 recipients\n");
	list =
	    strstr(s, "What you asked to hear about the other recipients:\n\n  <good@d.test>");
	assert_non_null(list);
	assert_true(strstr(s, "  <bob@d.test>") < list);
	assert_int_equal(count(s, "  <good@d.test>"), 1);
	teardown(&o);
}

#define EVIL "bad\r\nInjected: yes\xff"

static void
nothing_is_injected(void **state)
{
	struct one o;
	const char *s;

	(void)state;
	setup(&o);
	o.r.original = span_str("\"x\nBcc: evil@x.test\"@d.test");
	o.r.address = span_str("y\nInjected: yes@e.test");
	o.r.mta = span_str(EVIL);
	o.r.orcpt = span_str("rfc822;x+0D+0AInjected:+20yes");
	o.b.to = span_str("s\nInjected: yes@d.test");
	o.b.envid = span_str("x+0AInjected:+20yes");
	o.b.helo = span_str(EVIL);
	o.b.content_whole = false;
	o.b.content = span_str("\n\n");
	verdict_set_parts(
	    &o.r.verdict, VERDICT_PERMANENT, 550, span_str("5.1.1"), span_str(EVIL));
	s = compose(&o);
	assert_int_equal(count(s, "\nBcc:"), 0);
	assert_int_equal(count(s, "\nInjected:"), 0);
	check_lines(&o.out, true);
	teardown(&o);
}

/* A message that holds the boundary: another one is taken. */
static void
boundary_is_not_in_a_part(void **state)
{
	struct one o;
	const char *s;

	(void)state;
	setup(&o);
	o.b.content =
	    span_str("A: b\n\n--" B "--\n\n--=_" OWN "_1\nContent-Type: text/html\n\n");
	s = compose(&o);
	has(s, "\n\tboundary=\"=_" OWN "_2\"\n");
	assert_int_equal(count(s, "\n--=_" OWN "_2\n"), 3);
	teardown(&o);
}

static void
returns_what_it_may(void **state)
{
	static const struct {
		const char *name, *content;
		bool whole, utf8, eight_bit;
		const char *want;
	} rows[] = {
	    {"whole", "A: b\n\nx\n", true, false, false,
		"Content-Type: message/rfc822\n\nA: b\n\nx\n\n--"},
	    {"without a last line end", "A: b\n\nx", true, false, false, "A: b\n\nx\n\n--"},
	    {"whole, 8-bit", "A: b\n\n\xc3\xbc\n", true, false, true,
		"Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nA: "
		"b\n\n\xc3\xbc"
		"\n\n--"},
	    {"whole, UTF-8 header", "A: \xc3\xbc=\n\nx \n", true, true, false,
		"Content-Type: message/global\nContent-Transfer-Encoding: quoted-printable\n\n"
		"A: =C3=BC=3D\n\nx=20\n\n--"},
	    {"header", "A: b\n\nx\n", false, false, false,
		"Content-Type: text/rfc822-headers\n\nA: b\n\n--"},
	    {"header, 8-bit", "A: \xc3\xbc\n\nx\n", false, false, false,
		"Content-Type: text/rfc822-headers; charset=utf-8\n"
		"Content-Transfer-Encoding: quoted-printable\n\nA: =C3=BC\n\n--"},
	    {"header, no UTF-8", "A: \xfc\n\nx\n", false, false, false,
		"Content-Type: text/rfc822-headers\n"
		"Content-Transfer-Encoding: quoted-printable\n\nA: =FC\n\n--"},
	    {"UTF-8 header", "A: \xc3\xbc\n\nx\n", false, true, false,
		"Content-Type: message/global-headers\n"
		"Content-Transfer-Encoding: quoted-printable\n\nA: =C3=BC\n\n--"},
	    {"nothing", "", false, false, false, "Content-Type: text/rfc822-headers\n\n\n--"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct one o;
		const char *s;

		setup(&o);
		o.b.content = span_str(rows[i].content);
		o.b.content_whole = rows[i].whole;
		o.b.utf8 = rows[i].utf8;
		s = compose(&o);
		if (strstr(s, rows[i].want) == NULL)
			fail_msg("%s: %s", rows[i].name, s);
		check_row(rows[i].name, o.result.eight_bit == rows[i].eight_bit);
		check_lines(&o.out, !rows[i].eight_bit);
		teardown(&o);
	}
}

/* For a server without 8BITMIME: the same report, with the header of what it returned whole. */
static void
becomes_seven_bit(void **state)
{
	struct one o;
	struct buf seven;
	const char *parts;

	(void)state;
	setup(&o);
	buf_init(&seven, MESSAGE_INLINE_MAX);
	o.b.content = span_str("Subject: \xc3\xbc\n\nGr\xc3\xbc\xc3\x9f\x65\n");
	compose(&o);
	assert_true(o.result.eight_bit);
	assert_int_equal(bounce_seven_bit(buf_span(&o.out), &seven), 0);
	check_lines(&seven, true);
	assert_null(strstr(seven.p, "8bit"));
	has(seven.p,
	    "\n--" B "\nContent-Type: text/rfc822-headers; charset=utf-8\n"
	    "Content-Transfer-Encoding: quoted-printable\n\nSubject: =C3=BC\n\n--" B "--\n");
	parts = strstr(o.out.p, "\n--" B "\nContent-Type: message/rfc822");
	has(seven.p, "\n\tboundary=\"" B "\"\n\n--" B "\nContent-Type: text/plain");
	assert_int_equal(count(seven.p, "Final-Recipient"), 1);
	assert_non_null(parts);
	/* What is none of ours is left alone. */
	buf_clear(&seven);
	assert_int_equal(bounce_seven_bit(span_str("Subject: x\n\nbody\n"), &seven), -1);
	o.b.content = span_str("A: b\n\nx\n");
	compose(&o);
	assert_int_equal(bounce_seven_bit(buf_span(&o.out), &seven), -1);
	buf_release(&seven);
	teardown(&o);
}

/* RFC 6533: addresses beyond ASCII, in a report that is ASCII. */
static void
utf8_addresses(void **state)
{
	struct one o;
	const char *s;

	(void)state;
	setup(&o);
	o.r.original = o.r.address = span_str("gr\xc3\xbc\xc3\x9f@d.test");
	o.r.orcpt = span_str("utf-8;gr\xc3\xbc\xc3\x9f@d.test");
	s = compose(&o);
	has(s, "\nSubject: Undelivered mail: gr\\x{FC}\\x{DF}@d.test\n");
	has(s, "\nOriginal-Recipient: utf-8; gr\\x{FC}\\x{DF}@d.test\n"
	       "Final-Recipient: utf-8; gr\\x{FC}\\x{DF}@d.test\n");
	check_lines(&o.out, true);
	teardown(&o);
}

/* RFC 6533 4: of a message that came with SMTPUTF8 they stand in the status part as they are, which is encoded. */
static void
global_status(void **state)
{
	struct one o;
	const char *s;

	(void)state;
	setup(&o);
	o.b.utf8 = true;
	o.b.content = span_str("Subject: \xc3\xbc\n\nbody\n");
	o.r.original = o.r.address = span_str("gr\xc3\xbc\xc3\x9f=@d.test");
	o.r.orcpt = span_str("utf-8;gr\\x{FC}\xc3\x9f\\x{3D}@d.test");
	s = compose(&o);
	has(s, "\nContent-Type: message/global-delivery-status\n"
	       "Content-Transfer-Encoding: quoted-printable\n\nReporting-MTA: dns; mx.test\n");
	has(s, "\nOriginal-Recipient: utf-8; gr=C3=BC=C3=9F=3D@d.test\n"
	       "Final-Recipient: utf-8; gr=C3=BC=C3=9F=3D@d.test\n");
	check_lines(&o.out, true);
	assert_false(o.result.eight_bit || o.result.utf8);
	/* ASCII throughout: the type that every program knows. */
	o.r.original = o.r.address = span_str("bob@d.test");
	o.r.orcpt = span_str("rfc822;bob@d.test");
	has(compose(&o), "\nContent-Type: message/delivery-status\n\nReporting");
	teardown(&o);
}

/* Who has an address in UTF-8 gets a report with SMTPUTF8, and his address stands in its header. */
static void
utf8_sender(void **state)
{
	struct one o;

	(void)state;
	setup(&o);
	o.b.utf8 = true;
	o.b.to = span_str("m\xc3\xbcller@d.test");
	has(compose(&o), "\nTo: <m\xc3\xbcller@d.test>\n");
	assert_true(o.result.eight_bit && o.result.utf8);
	teardown(&o);
}

static void
uses_a_template(void **state)
{
	static const struct {
		const char *name, *text, *want;
		size_t listed; /* how often the recipient stands in the text */
	} rows[] = {
	    {"values", "{hostname} {id} {sender} {recipient} {count} {returned}\n",
		"\n\nmx.test 0000000000001 alice@d.test bob@d.test 1 your message\n", 1},
	    {"unknown names", "{Date} {} { {{id}} {recipients x} }{\n",
		"\n\n{Date} {} { {0000000000001} {recipients x} }{\n", 1},
	    {"list", "Hello\n{recipients}End {recipients}\n",
		"\n\nHello\n  <bob@d.test>\n    (forwarded", 1},
	    {"subject", "Subject:  Nicht zugestellt: {recipient} \n\nText {date}\n",
		"\nSubject: Nicht zugestellt: bob@d.test\n", 1},
	    {"subject alone", "Subject: x", "\nSubject: x\n", 1},
	    {"a list in the subject is nothing", "Subject: x {recipients}y\n\n",
		"\nSubject: x y\n", 1},
	    {"no line end at the end", "Hello", "\n\nHello\n  <bob@d.test>", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct one o;
		const char *s;

		setup(&o);
		o.b.text = span_str(rows[i].text);
		s = compose(&o);
		if (strstr(s, rows[i].want) == NULL)
			fail_msg("%s: %s", rows[i].name, s);
		check_row(rows[i].name, count(s, "  <bob@d.test>\n") == rows[i].listed);
		check_lines(&o.out, true);
		teardown(&o);
	}
}

/* Whatever a template makes of the text, lines and report stay within their limits. */
static void
template_is_bounded(void **state)
{
	struct one o;
	struct buf text;
	const char *s;

	(void)state;
	setup(&o);
	buf_init(&text, 1 << 20);
	for (int i = 0; i < 200; i++)
		buf_add_str(&text, "{sender}{date}");
	o.b.text = buf_span(&text);
	compose(&o);
	check_lines(&o.out, true);
	for (int i = 0; i < 4000; i++)
		buf_add_str(&text, "{sender}{date}");
	o.b.text = buf_span(&text);
	s = compose(&o);
	has(s, "could not be delivered to the recipients below"); /* ours */
	check_lines(&o.out, true);
	buf_release(&text);
	teardown(&o);
}

/* CD-08: the most recipients with the longest of everything: bounded, and it says how many it told of. */
static void
many_recipients(void **state)
{
	struct bounce_recipient *r = calloc(BOUNCE_RECIPIENTS_MAX, sizeof *r);
	char address[ADDRESS_MAX + 1], text[400];
	struct one o;
	const char *s;

	(void)state;
	setup(&o);
	assert_non_null(r);
	for (size_t i = 0; i < BOUNCE_RECIPIENTS_MAX; i++)
		r[i] = o.r;
	o.b.recipients = r;
	o.b.nrecipients = BOUNCE_RECIPIENTS_MAX;
	s = compose(&o);
	assert_in_range(o.result.nrecipients, 700, BOUNCE_RECIPIENTS_MAX);
	assert_int_equal(count(s, "\nFinal-Recipient: "), o.result.nrecipients);
	assert_int_equal(count(s, "  <bob@d.test>\n"), 100);
	has(s, "more, named in the technical report\n");

	memset(address, 'a', sizeof address - 1);
	address[sizeof address - 1] = '\0';
	memset(text, 0xff, sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (size_t i = 0; i < BOUNCE_RECIPIENTS_MAX; i++) {
		r[i].original = span_first(span_str(address), ADDRESS_MAX - 1);
		r[i].address = span_str(address);
		memcpy(r[i].verdict.text, text, sizeof text);
	}
	s = compose(&o);
	assert_in_range(o.result.nrecipients, 80, BOUNCE_RECIPIENTS_MAX);
	assert_int_equal(count(s, "\nFinal-Recipient: "), o.result.nrecipients);
	assert_true(o.out.len <= MESSAGE_INLINE_MAX);
	check_lines(&o.out, true);
	free(r);
	teardown(&o);
}

/* The largest that may be returned, with a part that grows when it is encoded. */
static void
large_content(void **state)
{
	struct one o;
	struct buf content;

	(void)state;
	setup(&o);
	buf_init(&content, BOUNCE_WHOLE_MAX);
	buf_add_str(&content, "Subject: x\n\n");
	while (buf_add_str(&content, "0123456789012345678901234567890123456789\xff\n") == 0)
		;
	o.b.content = buf_span(&content);
	has(compose(&o), "\nContent-Type: text/rfc822-headers\n\nSubject: x\n\n--");
	o.b.content = span_first(buf_span(&content), BOUNCE_WHOLE_MAX - 100);
	has(compose(&o), "\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\n");
	assert_true(o.out.len <= MESSAGE_INLINE_MAX);
	o.b.utf8 = true;
	compose(&o);
	assert_false(o.result.eight_bit);
	/* A header without end. */
	memset(content.p, 0xff, content.len);
	for (size_t i = 60; i < content.len; i += 60)
		content.p[i] = '\n';
	has(compose(&o), "\nContent-Type: message/global-headers\n");
	assert_true(o.out.len <= MESSAGE_INLINE_MAX);
	buf_release(&content);
	teardown(&o);
}

static void
to_the_postmaster(void **state)
{
	struct one o;
	const char *s;

	(void)state;
	setup(&o);
	o.b.to = span_str("postmaster@mx.test");
	o.b.to_postmaster = true;
	s = compose(&o);
	has(s, "\nSubject: Undelivered mail without a sender: bob@d.test\n");
	has(s, "It has no sender who could be\ntold, so you are.");
	teardown(&o);
}

static void
header_of(void **state)
{
	(void)state;
	assert_true(
	    span_is(bounce_header_of(span_str("A: b\nC: d\n\nbody"), 100), "A: b\nC: d\n"));
	assert_true(span_is(bounce_header_of(span_str("A: b\nC: d\n\nbody"), 7), "A: b\n"));
	assert_true(span_is(bounce_header_of(span_str("\nbody"), 100), ""));
	assert_true(span_is(bounce_header_of(span_str(""), 100), ""));
	assert_true(span_is(bounce_header_of(span_str("aaaaaaaaaa"), 5), ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(has_its_parts),
	    cmocka_unit_test(says_what_the_sender_gave),
	    cmocka_unit_test(says_what_was_done),
	    cmocka_unit_test(expired),
	    cmocka_unit_test(mixed),
	    cmocka_unit_test(nothing_is_injected),
	    cmocka_unit_test(boundary_is_not_in_a_part),
	    cmocka_unit_test(returns_what_it_may),
	    cmocka_unit_test(becomes_seven_bit),
	    cmocka_unit_test(utf8_addresses),
	    cmocka_unit_test(global_status),
	    cmocka_unit_test(utf8_sender),
	    cmocka_unit_test(uses_a_template),
	    cmocka_unit_test(template_is_bounded),
	    cmocka_unit_test(many_recipients),
	    cmocka_unit_test(large_content),
	    cmocka_unit_test(to_the_postmaster),
	    cmocka_unit_test(header_of),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
