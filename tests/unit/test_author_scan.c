/* test_author_scan: whom a message says it is from. */
#include "smtpd/author_scan.h"

#include <string.h>

#include "tests/unit/testing.h"

#define F   "From: "
#define A   "From a@a.test\n"
#define B   "From b@b.test\n"
#define END "Subject: x\n\nFrom: body@b.test\n"

static const struct {
	const char *message, *list;
	bool clear;
} rows[] = {
    {F "a@a.test\n" END, A, true}, {F "Anna <a@A.test>\n" END, A, true},
    {F "<a@a.test>\n" END, A, true}, {F "\"b@b.test\" <a@a.test>\n" END, A, true},
    {F "b@b.test <a@a.test>\n" END, A, true},
    {F "=?utf-8?q?b=40b=2Etest?= <a@a.test>\n" END, A, true},
    {F "a@a.test (b@b.test)\n" END, A, true},
    {F "(x (y) \\) z) Anna (w) <a (v) @ a.test (u)>\n" END, A, true},
    {F "Anna\n\t<a@a.test>,\n b@b.test\n" END, A B, true},
    {F "a@a.test, Bert <b@b.test>\n" END, A B, true},
    {F "team: a@a.test, b@b.test;\n" END, A B, true}, {F "\"x, y\" <a@a.test>\n" END, A, true},
    {F "\"x\\\" <b@b.test>\" <a@a.test>\n" END, A, true},
    {F "a@a.test\nSender: b@b.test\n" END, A "Sender b@b.test\n", true},
    {"sender: b@b.test\nfROM : a@a.test\n" END, "Sender b@b.test\n" A, true},
    {F "a@a.test\n" F "b@b.test\n" END, A B, true},
    {F "\"a b\"@a.test\n" END, "From \"a b\"@a.test\n", true},
    {F "a@b\xc3\xbc"
       "cher.test\n" END,
	"From a@xn--bcher-kva.test\n", true},
    {"X-From: b@b.test\nResent-From: b@b.test\n" F "a@a.test\n" END, A, true},
    {"no field\n" F "a@a.test\n" END, "", false}, /* it has no header */
    {F "a@a.test\nno field\n" F "b@b.test\n" END, A B, true},
    {F "a@a.test\nContent-Type: multipart/mixed; boundary=x\n\n--x\nFrom: b@b.test\n\n--x--\n",
	A, true},
    {F "a@a.test\nContent-Type: multipart/mixed; boundary=x\n--x\n" F "b@b.test\n\n--x\nFrom: "
       "c@c.test\n",
	A B, true}, /* for some that is still its header */
    {F "a@a.test\nContent-Type: message/rfc822\n\nFrom: b@b.test\n\n", A, true},
    {END, "", false}, {"", "", false}, {F "\n" END, "", false}, {F "team:;\n" END, "", false},
    {"Sender: a@a.test\n" END, "Sender a@a.test\n", false}, {F "Anna\n" END, "", false},
    {F "anna\n" END, "", false}, {F "Anna a@a.test\n" END, "", false},
    {F "<a@a.test> <b@b.test>\n" END, "", false}, {F "<a@a.test\n" END, "", false},
    {F "\"a@a.test\n" END, "", false}, {F "(a@a.test\n" END, "", false},
    {F "a@a.test, b@@b.test\n" END, A, false}, {F "a@a.test\nSender: nobody\n" END, A, false},
    {F "<a@a.test> b@b.test\n" END, "", false},
    {F "a@a.test", A, true}, /* cut short, without its line end */
};

static void
check(struct author_scan *s, size_t i)
{
	author_scan_finish(s);
	if (strcmp(buf_str(&s->list), rows[i].list) != 0 ||
	    (s->unclear == NULL) != rows[i].clear)
		fail_msg("%s\ngot %s%s", rows[i].message, buf_str(&s->list),
		    s->unclear != NULL ? s->unclear : "clear");
}

static void
collects_authors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span m = span_str(rows[i].message);
		struct author_scan *s = author_scan_new();

		author_scan_feed(s, m);
		check(s, i);
		author_scan_free(&s);
		s = author_scan_new();
		for (size_t k = 0; k < m.len; k++)
			author_scan_feed(s, span_make(m.p + k, 1));
		check(s, i);
		author_scan_free(&s);
		assert_null(s);
	}
}

static void
is_bounded(void **state)
{
	struct author_scan *s = author_scan_new();
	char field[64];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(field, sizeof field, "From: a%d@a.test\n", i);
		author_scan_feed(s, span_str(field));
	}
	author_scan_finish(s);
	assert_int_equal(s->n, AUTHOR_SCAN_MAX);
	assert_string_equal(s->unclear, "too many addresses in From and Sender");
	author_scan_free(&s);
	s = author_scan_new();
	author_scan_feed(s, span_str("From: a@a.test"));
	for (int i = 0; i < 5000; i++)
		author_scan_feed(s, span_str(",\n  b@b.test      "));
	author_scan_finish(s);
	assert_string_equal(s->unclear, "From or Sender is too long");
	author_scan_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(collects_authors),
	    cmocka_unit_test(is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
