/* test_queue_filter: which messages a command means. */
#include "queue/queue_filter.h"

#include <stdlib.h>

#include "common/limits.h"
#include "queue/spool_record.h"
#include "tests/unit/testing.h"

#define NOW	INT64_C(10000000000)
#define HOUR_MS INT64_C(3600000)

struct request {
	char text[4096];
	struct wire_fields fields;
	struct wire_msg msg;
};

static void
request_init(struct request *r, const char *fields)
{
	*r = (struct request){.fields = {NULL, 0}};
	snprintf(r->text, sizeof r->text, "list 1\n%s", fields);
	assert_int_equal(wire_parse(r->text, strlen(r->text), &r->fields, &r->msg), 0);
}

static const char *const others[] = {"limit", "sort", NULL};

static int
parse(struct queue_filter *f, const char *fields, struct buf *why)
{
	struct request r;
	int result;

	request_init(&r, fields);
	result = queue_filter_parse(f, &r.msg, NOW, others, why);
	wire_fields_release(&r.fields);
	return result;
}

/* Two hours old, from news@lists.a.test: 0 deferred bob@b.test "451 4.4.1 No route", 1 due "c d"@C.Test, 2 settled z@b.test. */
static struct message *
sample(struct atom_table *atoms)
{
	const struct message_given given[] = {{span_str("bob@b.test"), 0},
	    {span_str("\"c@d\"@C.Test"), 0}, {span_str("z@b.test"), 0}};
	struct message *m = message_new(
	    atoms, UINT64_C(0x0100000000000001), span_str("news@lists.a.test"), given, 3);
	struct verdict v;

	m->received = NOW - 2 * HOUR_MS;
	verdict_set(&v, VERDICT_TEMPORARY, 451, "4.4.1", "No route");
	recipient_set_reason(message_recipient(m, 0), &v);
	recipient_set_state(message_recipient(m, 0), RECIPIENT_DEFERRED);
	recipient_set_state(message_recipient(m, 2), RECIPIENT_SETTLED);
	return m;
}

/* One letter for each recipient that fits. */
static void
fits(const char *fields, char out[8])
{
	struct atom_table *atoms = atom_table_new();
	struct message *m = sample(atoms);
	struct queue_filter f;
	struct buf why;
	size_t n = 0;

	buf_init(&why, 4096);
	if (parse(&f, fields, &why) != 0)
		fail_msg("%s: %s", fields, buf_str(&why));
	for (uint32_t i = 0; queue_filter_message(&f, m) && i < m->nrecipients; i++)
		if (queue_filter_recipient(&f, message_recipient(m, i)))
			out[n++] = (char)('0' + i);
	out[n] = '\0';
	queue_filter_release(&f);
	buf_release(&why);
	message_free(&m);
	atom_table_free(&atoms);
}

static void
finds_what_is_meant(void **state)
{
	static const struct {
		const char *fields, *want;
	} rows[] = {
	    {"", "01"},
	    {"limit=5\nsort=age\n", "01"},
	    {"sender=news@lists.a.test\n", "01"},
	    {"sender=NEWS@LISTS.A.TEST\n", "01"},
	    {"sender=news\n", ""},
	    {"sender=*@lists.?.test\n", "01"},
	    {"sender=<>\n", ""},
	    {"sender=\n", ""},
	    {"sender-domain=lists.a.test\n", "01"},
	    {"sender-domain=*.a.test\n", "01"},
	    {"sender-domain=a.test\n", ""},
	    {"recipient=bob@b.test\n", "0"},
	    {"recipient=z@b.test\n", ""},
	    {"recipient=bob@b.test\nrecipient=*@c.test\n", "01"},
	    {"recipient=[a-c]ob@*\n", "0"},
	    {"recipient=bob\\\\@b.test\n", "0"},
	    {"domain=b.test\n", "0"},
	    {"domain=C.TEST\n", "1"},
	    {"domain=d\"@c.test\n", ""},
	    {"domain=*.test\n", "01"},
	    {"destination=b.test\n", "0"},
	    {"reason=no ROUTE\n", "0"},
	    {"reason=451\n", "0"},
	    {"reason=*\n", ""},
	    {"reason=\n", "01"},
	    {"state=deferred\n", "0"},
	    {"state=due\n", "1"},
	    {"state=deferred\nstate=due\n", "01"},
	    {"state=active\n", ""},
	    {"not-state=due\n", "0"},
	    {"not-recipient=*b.test\n", "1"},
	    {"not-sender=*lists*\n", ""},
	    {"not-reason=route\n", "1"},
	    {"not-domain=b.test\ndomain=*.test\n", "1"},
	    {"not-domain=b.test\nnot-domain=c.test\n", ""},
	    {"domain=b.test\nstate=due\n", ""},
	    {"older=3600\n", "01"},
	    {"older=7199\n", "01"},
	    {"older=7200\n", ""},
	    {"younger=7201\n", "01"},
	    {"younger=7200\n", ""},
	    {"older=3600\nyounger=10800\n", "01"},
	    {"match-id=*1\n", "01"},
	    {"match-id=*2\n", ""},
	    {"not-match-id=*2\n", "01"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char got[8];

		fits(rows[i].fields, got);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got %s, want %s", rows[i].fields, got, rows[i].want);
	}
}

/* The queue has domains as A-labels; who asks may write them either way. */
static void
takes_domains_in_either_spelling(void **state)
{
	static const struct {
		const char *field;
		bool want;
	} rows[] = {
	    {"sender=m\xc3\xbcller@b\xc3\xbc"
	     "cher.test",
		true},
	    {"sender=*@xn--bcher-kva.test", true},
	    {"sender=*@*.b\xc3\xbc"
	     "cher.test",
		false},
	    {"sender-domain=b\xc3\xbc"
	     "cher.test",
		true},
	    {"sender-domain=b\xc3\xbc"
	     "cher.*",
		true},
	    {"not-sender-domain=b\xc3\xbc"
	     "cher.test",
		false},
	    {"recipient=\"m\xc3\xbc@b\"@mail.b\xc3\xbc"
	     "cher.test",
		true},
	    {"recipient=*@*.b\xc3\xbc"
	     "cher.test",
		true},
	    {"domain=mail.b\xc3\xbc"
	     "cher.test",
		true},
	    {"domain=*.b\xc3\xbc"
	     "cher.test",
		true},
	    {"domain=b\xc3\xbc"
	     "cher.test",
		false},
	    {"domain=*b\xc3\xbc"
	     "cher.test",
		false},
	    {"destination=mail.b\xc3\xbc"
	     "cher.test",
		true},
	    {"not-destination=mail.b\xc3\xbc"
	     "cher.test",
		false},
	};
	struct atom_table *atoms = atom_table_new();
	const struct message_given given = {
	    span_str("\"m\xc3\xbc@b\"@mail.xn--bcher-kva.test"), 0};
	struct message *m =
	    message_new(atoms, 1, span_str("m\xc3\xbcller@xn--bcher-kva.test"), &given, 1);
	char line[200];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct queue_filter f;
		struct buf why;

		buf_init(&why, 4096);
		snprintf(line, sizeof line, "%s\n", rows[i].field);
		assert_int_equal(parse(&f, line, &why), 0);
		if ((queue_filter_message(&f, m) &&
			queue_filter_recipient(&f, message_recipient(m, 0))) != rows[i].want)
			fail_msg("%s: expected %d", rows[i].field, rows[i].want);
		queue_filter_release(&f);
		buf_release(&why);
	}
	message_free(&m);
	atom_table_free(&atoms);
}

/* Local parts are the same for a filter that are the same for the mailbox: see conf/fold. */
static void
takes_local_parts_without_regard_to_case(void **state)
{
	static const struct {
		const char *address, *field;
		bool want;
	} rows[] = {
	    {"müller@a.test", "MÜLLER@A.TEST", true},
	    {"MÜLLER@a.test", "müller@a.test", true},
	    {"müller@a.test", "mu\xcc\x88ller@a.test", true},
	    {"müller@a.test", "MÜ*", true},
	    {"Müller@a.test", "*Ü*@?.test", true},
	    {"müller@a.test", "muller@a.test", false},
	    {"ΣΊΓΜΑΣ@a.test", "σίγμας@*", true},
	    {"σίγμας@a.test", "*ΜΑΣ@a.test", true},
	    {"\xe2\x84\xaa@a.test", "k@a.test", true}, /* the sign of Kelvin */
	    {"\"Ä b\"@a.test", "\"ä B\"@a.test", true},
	    {"\"Ä b\"@a.test", "\"ä b\"@b.test", false},
	    {"äöüäöüäöüäöüäöüäöüäöüäöüäöüäöü@a.test",
		"ÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜ*[xyzÄ]ÖÜÄÖÜÄÖÜ@[a-c]*[a-z][a-z]", true},
	    {"müller@a.test", "\xff*", false},
	};
	struct atom_table *atoms = atom_table_new();
	char line[400];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (unsigned which = 0; which < 4; which++) {
			const struct message_given given = {span_str(rows[i].address), 0};
			struct message *m =
			    message_new(atoms, 1, span_str(rows[i].address), &given, 1);
			struct queue_filter f;
			struct buf why;
			bool negated = which % 2 != 0;

			buf_init(&why, 4096);
			snprintf(line, sizeof line, "%s%s=%s\n", negated ? "not-" : "",
			    which < 2 ? "sender" : "recipient", rows[i].field);
			assert_int_equal(parse(&f, line, &why), 0);
			if ((queue_filter_message(&f, m) &&
				queue_filter_recipient(&f, message_recipient(m, 0))) !=
			    (rows[i].want != negated))
				fail_msg("%s: of %s", line, rows[i].address);
			queue_filter_release(&f);
			buf_release(&why);
			message_free(&m);
		}
	atom_table_free(&atoms);
}

static void
refuses_what_it_does_not_understand(void **state)
{
	static const struct {
		const char *fields, *word;
	} rows[] = {
	    {"id=NONSENSE\n", "NONSENSE"},
	    {"id=\n", "no message id"},
	    {"older=2h\n", "older"},
	    {"younger=-1\n", "younger"},
	    {"older=99999999999\n", "older"},
	    {"state=defered\n", "defered is no state of a recipient: expected due, "},
	    {"state=x\n", "deferred"},
	    {"state=x\n", ", held"},
	    {"state=x\n", ", parked"},
	    {"state=settled\n", "settled"},
	    {"sendr=x\n", "sendr"},
	    {"not-older=3\n", "not-older"},
	    {"not-id=0000000000001\n", "not-id"},
	    {"bounce=yes\n", "bounce"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct queue_filter f;
		struct buf why;

		buf_init(&why, 4096);
		if (parse(&f, rows[i].fields, &why) != -1)
			fail_msg("%s: is taken", rows[i].fields);
		if (strstr(buf_str(&why), rows[i].word) == NULL)
			fail_msg("%s: %s", rows[i].fields, buf_str(&why));
		queue_filter_release(&f);
		buf_release(&why);
	}
}

static void
keeps_ids_in_order(void **state)
{
	struct queue_filter f;
	struct buf why;

	(void)state;
	buf_init(&why, 4096);
	assert_int_equal(
	    parse(&f, "id=0000000000003\nid=0000000000001\nid=000000000000Z\n", &why), 0);
	assert_int_equal(f.nids, 3);
	assert_int_equal(f.ids[0], 3);
	assert_int_equal(f.ids[1], 1);
	assert_int_equal(f.ids[2], 31);
	assert_false(queue_filter_is_empty(&f));
	queue_filter_release(&f);
	assert_int_equal(parse(&f, "limit=1\n", &why), 0);
	assert_true(queue_filter_is_empty(&f));
	queue_filter_release(&f);
	assert_int_equal(parse(&f, "younger=1\n", &why), 0);
	assert_false(queue_filter_is_empty(&f));
	queue_filter_release(&f);
	buf_release(&why);
}

static void
bounds_its_fields(void **state)
{
	char fields[4000] = "";
	struct queue_filter f;
	struct buf why;

	(void)state;
	buf_init(&why, 4096);
	for (size_t i = 0; i < 101; i++)
		snprintf(
		    fields + strlen(fields), sizeof fields - strlen(fields), "sender=a*\n");
	assert_int_equal(parse(&f, fields, &why), -1);
	queue_filter_release(&f);
	memset(fields, 'x', QUEUE_FILTER_TEXT_MAX + 10);
	memcpy(fields, "sender=", 7);
	fields[QUEUE_FILTER_TEXT_MAX + 9] = '\n';
	fields[QUEUE_FILTER_TEXT_MAX + 10] = '\0';
	assert_int_equal(parse(&f, fields, &why), -1);
	queue_filter_release(&f);
	buf_release(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_what_is_meant),
	    cmocka_unit_test(takes_domains_in_either_spelling),
	    cmocka_unit_test(takes_local_parts_without_regard_to_case),
	    cmocka_unit_test(refuses_what_it_does_not_understand),
	    cmocka_unit_test(keeps_ids_in_order),
	    cmocka_unit_test(bounds_its_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
