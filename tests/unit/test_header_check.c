/*
 * test_header_check: what rules make of messages: the pests that administrators wrote them against, each
 * action, the order, and what bounds the work of patterns that never end.
 */
#include "conf/header_check.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/xalloc.h"
#include "tests/unit/testing.h"

struct seen {
	struct buf text; /* a line for each thing that was told */
	struct header_check *check;
};

static void
on_hit(const struct header_hit *h, void *arg)
{
	struct seen *s = arg;

	buf_addf(&s->text, "%s:%u %s %s %u%s [%.*s]\n", h->path, h->rule->line,
	    header_action_name(h->rule->action), mime_where_name(h->field->where),
	    h->field->line, h->decoded ? " decoded" : "", SPAN_ARG(h->text));
}

static void
on_trouble(const char *text, void *arg)
{
	struct seen *s = arg;

	buf_addf(&s->text, "%s\n", text);
}

static const struct header_check_ops ops = {.on_hit = on_hit, .on_trouble = on_trouble};

static struct header_set *
rules(const char *header, const char *mime)
{
	struct config_errors errors = {0};
	struct header_set *set =
	    header_set_new(&(struct header_text){header != NULL ? "h" : NULL, span_str(header)},
		&(struct header_text){mime != NULL ? "m" : NULL, span_str(mime)}, &errors);

	if (set == NULL)
		fail_msg("%s", errors.v[0].text);
	return set;
}

/* Takes the set. */
static void
run(struct header_set *set, struct span content, struct seen *s)
{
	buf_init(&s->text, 1U << 20);
	s->check = header_check_new(set, &ops, s);
	header_set_unref(&set);
	header_check_feed(s->check, content);
	header_check_finish(s->check);
}

static void
end(struct seen *s)
{
	header_check_free(&s->check);
	buf_release(&s->text);
}

/* The rules of the manual page. */
#define SCRIPTS "(\\s|\"|;|$)/\n    REJECT "
static const char pests[] =
    "/^Subject: ILOVEYOU$/\n    REJECT This subject is that of a virus; write another one\n"
    "/^Content-(Type|Disposition):.*name=.*\\.(vbs|vbe|wsf|shs)" SCRIPTS
    "Scripts are not taken here\n"
    "/^Content-(Type|Disposition):.*name=.*\\.(doc|xls|zip|mpg|jpe?g)\\.(bat|com|exe|lnk|"
    "pif)" SCRIPTS "5.7.1 A program that calls itself a document: .$2.$3\n"
    "/^Content-Type:.*boundary=\"====_ABC1234567890DEF_====\"/\n"
    "    REJECT This message has the boundary of a virus\n"
    "if /^Content-Type: audio\\/x-wav/\n/name=\"?readme\\.exe/ DISCARD\nendif\n";

static void
test_pests(void **state)
{
	static const struct {
		const char *name, *content;
		enum header_fate fate;
		const char *text;
	} rows[] = {
	    {"ILOVEYOU",
		"From: a\nSubject: ILOVEYOU\n\nkindly check the attached LOVELETTER coming "
		"from me.\n",
		HEADER_REJECTED, "This subject is that of a virus; write another one"},
	    {"ILOVEYOU, folded and coded", "Subject: =?utf-8?B?SUxP?=\n =?utf-8?Q?VEYOU?=\n\n",
		HEADER_REJECTED, "This subject is that of a virus; write another one"},
	    {"about ILOVEYOU", "Subject: Re: ILOVEYOU\n\nSubject: ILOVEYOU\n", HEADER_PASSED,
		""},
	    {"its attachment",
		"Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\nContent-Type: "
		"text/plain\n\nhi\n--b\n"
		"Content-Type: "
		"application/"
		"octet-stream;\n\tname=\"LOVE-LETTER-FOR-YOU.TXT.vbs\"\n\n\n--b--\n",
		HEADER_REJECTED, "Scripts are not taken here"},
	    {"Sircam",
		"Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\n\nHi! How are you?\n\nI "
		"send you this file in order to have your advice\n"
		"--b\nContent-Type: application/mixed\nContent-Disposition: attachment;\n "
		"filename=\"plans.doc.pif\"\n\n\n",
		HEADER_REJECTED, "A program that calls itself a document: .doc.pif"},
	    {"Sircam, coded",
		"Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\n"
		"Content-Disposition: attachment; filename*0=plans.do; "
		"filename*1*=c%2Epif\n\n\n",
		HEADER_REJECTED, "A program that calls itself a document: .doc.pif"},
	    {"a program behind the name of a text",
		"Content-Disposition: attachment; filename=a.txt; "
		"filename*=utf-8''plans%2Edoc%2Eexe\n\n",
		HEADER_REJECTED, "A program that calls itself a document: .doc.exe"},
	    {"a document", "Content-Disposition: attachment; filename=\"plans.pif.doc\"\n\n",
		HEADER_PASSED, ""},
	    {"Nimda",
		"MIME-Version: 1.0\nContent-Type: "
		"multipart/related;\n\ttype=\"multipart/alternative\";\n"
		"\tboundary=\"====_ABC1234567890DEF_====\"\n\n--====_ABC1234567890DEF_====\n",
		HEADER_REJECTED, "This message has the boundary of a virus"},
	    {"Nimda's inner boundary",
		"Content-Type: "
		"multipart/related;\n\tboundary=\"====_ABC123\"\n\n--====_ABC123\n"
		"Content-Type: "
		"multipart/alternative;\n\tboundary=\"====_ABC1234567890DEF_====\"\n\n",
		HEADER_REJECTED, "This message has the boundary of a virus"},
	    {"Nimda's program",
		"Content-Type: multipart/related; boundary=x\n\n--x\n"
		"Content-Type: audio/x-wav;\n\tname=\"readme.exe\"\nContent-ID: "
		"<EA4DMGBP9p>\n\n",
		HEADER_DISCARDED, ""},
	    {"in an attached message",
		"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: "
		"message/rfc822\n\n"
		"Subject: iloveyou\n\n",
		HEADER_REJECTED, "This subject is that of a virus; write another one"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct seen s;

		run(rules(pests, NULL), span_str(rows[i].content), &s);
		check_row(rows[i].name, s.check->fate == rows[i].fate);
		if (rows[i].fate == HEADER_REJECTED) {
			check_row(
			    rows[i].name, strcmp(s.check->verdict.text, rows[i].text) == 0);
			check_row(rows[i].name, s.check->verdict.code == 550);
			check_row(rows[i].name, strcmp(s.check->verdict.status, "5.7.1") == 0);
		}
		end(&s);
	}
}

static void
test_actions(void **state)
{
	static const char text[] = "/^A: (.*)/ HOLD because of $1\n"
				   "/^B:/ REDIRECT b@x.test\n"
				   "/^C: (.*)/ PREPEND X-C: <$1>\n"
				   "/^D: (.*)/ WARN saw $1\n"
				   "/^E:/ DUNNO\n"
				   "/^[A-F]:/ WARN later rule\n"
				   "/^G:/ REDIRECT g@x.test\n"
				   "/^H:/ HOLD\n"
				   "/^R:/ REJECT 4.7.1\n";
	struct seen s;

	(void)state;
	run(rules(text, NULL),
	    span_str("A: 1\nA: 2\nB: 1\nG: 1\nC: \xc3\xa9\nC: 2\nD: 1\nE: 1\nF: 1\n\n"), &s);
	assert_int_equal(s.check->fate, HEADER_PASSED);
	assert_string_equal(s.check->hold, "because of 1");
	assert_string_equal(s.check->redirect, "g@x.test");
	assert_string_equal(buf_str(&s.check->prepend), "X-C: <?\?>\nX-C: <2>\n");
	assert_string_equal(buf_str(&s.text), "h:1 HOLD message 1 [because of 1]\n"
					      "h:1 HOLD message 2 [because of 2]\n"
					      "h:2 REDIRECT message 3 [b@x.test]\n"
					      "h:7 REDIRECT message 4 [g@x.test]\n"
					      "h:3 PREPEND message 5 [X-C: <\xc3\xa9>]\n"
					      "h:3 PREPEND message 6 [X-C: <2>]\n"
					      "h:4 WARN message 7 [saw 1]\n"
					      "h:6 WARN message 9 [later rule]\n");
	end(&s);
	run(rules(text, NULL), span_str("H: 1\nR: 1\nD: 1\n\n"), &s);
	assert_string_equal(s.check->hold, "h:8");
	assert_int_equal(s.check->fate, HEADER_REJECTED);
	assert_int_equal(s.check->verdict.kind, VERDICT_TEMPORARY);
	assert_int_equal(s.check->verdict.code, 451);
	assert_string_equal(s.check->verdict.status, "4.7.1");
	assert_null(strstr(buf_str(&s.text), "WARN")); /* the fate is decided */
	end(&s);
}

/* Which of the two files is for a field. */
static void
test_two_files(void **state)
{
	static const char content[] =
	    "Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
	    "--b\nSubject: part\nContent-Type: message/rfc822\n\nSubject: y\n"
	    "content-type: text/plain\n\n--b--\n";
	struct header_set *set = rules("/^/ WARN\n", "/^/ WARN\n");
	struct seen s;

	(void)state;
	assert_false(header_set_changes(set));
	run(set, span_str(content), &s);
	assert_string_equal(buf_str(&s.text),
	    "h:1 WARN message 1 []\nm:1 WARN message 2 []\nm:1 WARN message 3 []\nm:1 WARN "
	    "part 6 []\n"
	    "m:1 WARN part 7 []\nh:1 WARN attached 9 []\nm:1 WARN attached 10 []\n");
	end(&s);
	run(rules(NULL, "/^/ WARN\n"), span_str(content), &s);
	assert_non_null(strstr(buf_str(&s.text), "m:1 WARN part 6"));
	assert_null(strstr(buf_str(&s.text), "attached 9"));
	end(&s);
	set = rules(NULL, "/x/ PREPEND X-A: b\n");
	assert_true(header_set_changes(set));
	header_set_unref(&set);
}

static void
test_conditions(void **state)
{
	static const char text[] = "if /^S/\nif !/secret/\n/x/ WARN s with x, no "
				   "secret\nendif\n/x/ WARN s with x\nendif\n"
				   "!/^S/ WARN no s\n";
	struct seen s;

	(void)state;
	run(rules(text, NULL),
	    span_str("S: x\nS: x secret\nT: x\nS: y\nT: =?utf-8?q?=78?=\n\n"), &s);
	assert_string_equal(buf_str(&s.text),
	    "h:3 WARN message 1 [s with x, no secret]\nh:5 WARN message 2 [s with x]\n"
	    "h:7 WARN message 3 [no s]\nh:7 WARN message 5 decoded [no s]\n");
	end(&s);
	/* With ! neither form may match. */
	run(rules("!/abc/ WARN not abc\n/abc/ WARN abc\n", NULL),
	    span_str("S: abc =?utf-8?q?d?=\nS: =?utf-8?q?=61bc?=\n\n"), &s);
	assert_string_equal(
	    buf_str(&s.text), "h:2 WARN message 1 [abc]\nh:2 WARN message 2 decoded [abc]\n");
	end(&s);
}

/* A pattern that would take for ever counts as no match, once and for the whole message; the others go on. */
static void
test_catastrophe(void **state)
{
	static const char text[] = "/^Subject: (a|aa)+$/ REJECT for ever\n!/(x+x+)+y/ WARN "
				   "negated\n/^Subject:/ PREPEND X-Last: rule\n";
	uint64_t began = clock_mono_ms();
	struct seen s;
	struct buf content;

	(void)state;
	buf_init(&content, 1U << 20);
	for (unsigned n = 0; n < 500; n++) {
		buf_add_str(&content, "Subject: ");
		for (unsigned i = 0; i < 60; i++)
			buf_add_char(&content, 'a');
		for (unsigned i = 0; i < 60; i++)
			buf_add_char(&content, 'x');
		buf_add_str(&content, "!y\n");
	}
	run(rules(text, NULL), buf_span(&content), &s);
	assert_int_equal(s.check->fate, HEADER_PASSED);
	assert_non_null(strstr(buf_str(&s.text), "h:1: the pattern reached its limit in line 1 "
						 "and counts as no match in this message\n"));
	assert_non_null(
	    strstr(buf_str(&s.text), "h:2: the pattern reached its limit in line 1 "));
	assert_null(strstr(buf_str(&s.text), "in line 2 "));
	assert_non_null(strstr(buf_str(&s.text), "h:3 PREPEND message 2"));
	assert_non_null(strstr(buf_str(&s.text), "more was found than is told here\n"));
	assert_true(s.check->prepend.len <= HEADER_PREPEND_MAX);
	assert_true(clock_mono_ms() - began < 2000);
	end(&s);
	buf_release(&content);
}

/* Patterns that stay within their limits and are slow all the same: the time of the message is up. */
static void
test_time_is_up(void **state)
{
	struct header_set *set = rules("/^X: (a|aa)+$/ REJECT\n/^Y/ REJECT\n", NULL);
	struct seen s;
	struct buf content;

	(void)state;
	set->time = 3000;
	buf_init(&content, 1U << 20);
	for (unsigned i = 0; i < 20000; i++)
		buf_add_str(&content, "X: aaaaaaaaaaaaaaaaa!\n");
	buf_add_str(&content, "Y: 1\n");
	run(set, buf_span(&content), &s);
	assert_int_equal(s.check->fate, HEADER_PASSED);
	assert_non_null(strstr(buf_str(&s.text), "the rules have used their time in line "));
	assert_int_equal(s.check->hits, 1);
	end(&s);
	buf_release(&content);
}

/* A sender who makes a pattern take too long must not get past a rule that would have stopped his message. */
static void
test_unfinished(void **state)
{
	static const struct {
		const char *rules;
		enum header_unfinished set;
		uint64_t time;
		enum header_fate fate;
		const char *hold;
	} rows[] = {
	    {"/^X: (a|aa)+$/ REJECT\n", HEADER_UNFINISHED_ACCEPT, 0, HEADER_PASSED, NULL},
	    {"/^X: (a|aa)+$/ REJECT\n", HEADER_UNFINISHED_HOLD, 0, HEADER_PASSED,
		"header check not finished: h:1"},
	    {"/^X: (a|aa)+$/ REJECT\n", HEADER_UNFINISHED_REFUSE, 0, HEADER_REJECTED, NULL},
	    {"/^X: (a|aa)+$/ WARN\n", HEADER_UNFINISHED_REFUSE, 0, HEADER_PASSED, NULL},
	    {"/^Z/ WARN\nif /^X: (a|aa)+$/\n/b/ DISCARD\nendif\n", HEADER_UNFINISHED_HOLD, 0,
		HEADER_PASSED, "header check not finished: h:2"},
	    {"/^X: (a|aa)+$/ REJECT\n/^Y/ HOLD own\n", HEADER_UNFINISHED_HOLD, 0, HEADER_PASSED,
		"own"},
	    {"/^X: (a|aa)+$/ HOLD\n/^Y/ DISCARD\n", HEADER_UNFINISHED_REFUSE, 0,
		HEADER_DISCARDED, NULL},
	    {"/^X: (a|aa)+$/ WARN\n/^W/ REJECT\n", HEADER_UNFINISHED_HOLD, 1, HEADER_PASSED,
		"header check not finished: from line 1 of the message on"},
	    {"/^X: (a|aa)+$/ WARN\n", HEADER_UNFINISHED_HOLD, 1, HEADER_PASSED, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct header_set *set = rules(rows[i].rules, NULL);
		const char *hold;
		struct seen s;

		set->unfinished = rows[i].set;
		if (rows[i].time != 0)
			set->time = rows[i].time;
		check_row(rows[i].rules,
		    header_set_changes(set) || rows[i].set != HEADER_UNFINISHED_HOLD);
		run(set,
		    span_str("X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			     "!\nY: 1\n\n"),
		    &s);
		hold = s.check->hold;
		check_row(rows[i].rules, s.check->fate == rows[i].fate);
		if ((hold == NULL) != (rows[i].hold == NULL) ||
		    (hold != NULL && strcmp(hold, rows[i].hold) != 0))
			fail_msg("%s: %s", rows[i].rules, hold != NULL ? hold : "not held");
		end(&s);
	}
}

/* A message that fills a limit of what is looked at, and hides something behind it. */
struct filler {
	const char *name;
	void (*fill)(struct buf *content);
	const char *note;
};

static void
repeat(struct buf *content, const char *text, size_t n)
{
	while (n-- > 0)
		buf_add_str(content, text);
}

static void
fill_parts(struct buf *content)
{
	buf_add_str(content, "Content-Type: multipart/mixed; boundary=b\n\n");
	repeat(content, "--b\n\n", MIME_PARTS_MAX);
	buf_add_str(content, "--b\nX: secret\n\n--b--\n");
}

static void
fill_depth(struct buf *content)
{
	buf_add_str(content, "Content-Type: multipart/mixed; boundary=b0.\n\n");
	for (unsigned i = 1; i <= MIME_DEPTH_MAX; i++)
		buf_addf(content, "--b%u.\nContent-Type: multipart/mixed; boundary=b%u.\n\n",
		    i - 1, i);
	buf_addf(content, "--b%u.\nX: secret\n\n", MIME_DEPTH_MAX);
}

static void
fill_boundary(struct buf *content)
{
	buf_add_str(content, "Content-Type: multipart/mixed; boundary=");
	repeat(content, "b", MIME_BOUNDARY_MAX + 1);
	buf_add_str(content, "\n\n--");
	repeat(content, "b", MIME_BOUNDARY_MAX + 1);
	buf_add_str(content, "\nX: secret\n\n");
}

static void
fill_field(struct buf *content)
{
	buf_add_str(content, "X: ");
	repeat(content, "x", MIME_FIELD_MAX);
	buf_add_str(content, "secret\n\n");
}

static void
fill_decoder(struct buf *content)
{
	buf_add_str(content, "Content-X: x; name*=%73ecret; y=");
	repeat(content, "y", 16400);
	buf_add_str(content, "\n\n");
}

/* Everybody of a large club in To, by names that are not in ASCII: nothing that has to be held. */
static void
test_long_words(void **state)
{
	struct header_set *set;
	struct buf content;
	struct seen s;

	(void)state;
	buf_init(&content, 1U << 20);
	buf_add_str(&content, "To: ");
	repeat(&content, "=?utf-8?q?J=C3=B6rg?= <joerg@example.org>,\n\t", 1200);
	buf_add_str(&content, "=?utf-8?q?=73ecret?= <a@example.org>\n\n");
	set = rules("/^Subject:/ REJECT\n", NULL);
	set->unfinished = HEADER_UNFINISHED_HOLD;
	run(set, buf_span(&content), &s);
	assert_int_equal(s.check->fate, HEADER_PASSED);
	assert_null(s.check->hold);
	end(&s);
	set = rules("/secret/ REJECT\n", NULL);
	run(set, buf_span(&content), &s);
	assert_int_equal(s.check->fate, HEADER_REJECTED);
	end(&s);
	buf_release(&content);
}

static void
test_limits(void **state)
{
	static const struct filler fillers[] = {
	    {"parts", fill_parts, "more parts than are looked at"},
	    {"depth", fill_depth, "parts within more parts than are looked into"},
	    {"boundary", fill_boundary,
		"a boundary longer, or further behind, than is looked for"},
	    {"field", fill_field, "h:1: a field longer than is looked at in line 1"},
	    {"decoder", fill_decoder, "h:1: a field longer than is decoded in line 1"},
	};
	struct buf content, want;
	struct header_set *set;
	struct seen s;

	(void)state;
	buf_init(&content, 1U << 20);
	buf_init(&want, 1000);
	for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++) {
		buf_clear(&content);
		buf_clear(&want);
		fillers[i].fill(&content);
		buf_addf(&want, "header check not finished: %s", fillers[i].note);
		set = rules("/secret/ REJECT\n", NULL);
		set->unfinished = HEADER_UNFINISHED_HOLD;
		run(set, buf_span(&content), &s);
		check_row(fillers[i].name, s.check->fate == HEADER_PASSED);
		assert_non_null(s.check->hold);
		assert_string_equal(s.check->hold, buf_str(&want));
		assert_true(s.text.len > 0);
		end(&s);
		set = rules("/secret/ REJECT\n", NULL);
		set->unfinished = HEADER_UNFINISHED_REFUSE;
		run(set, buf_span(&content), &s);
		check_row(fillers[i].name, s.check->fate == HEADER_REJECTED);
		end(&s);
		/* Nothing could have come of it. */
		set = rules("/secret/ WARN\n", NULL);
		set->unfinished = HEADER_UNFINISHED_REFUSE;
		run(set, buf_span(&content), &s);
		check_row(fillers[i].name, s.check->fate == HEADER_PASSED);
		end(&s);
	}
	/* A rule that has decided about the field has seen enough of it. */
	set = rules("/^X/ DUNNO\n/secret/ REJECT\n", NULL);
	set->unfinished = HEADER_UNFINISHED_HOLD;
	buf_clear(&content);
	fill_field(&content);
	run(set, buf_span(&content), &s);
	assert_null(s.check->hold);
	end(&s);
	/* But not of the parts that another field would have told of. */
	set = rules("/^Content-Type/ DUNNO\n/secret/ REJECT\n", NULL);
	set->unfinished = HEADER_UNFINISHED_HOLD;
	buf_clear(&content);
	buf_add_str(&content, "Content-Type: multipart/mixed;");
	repeat(&content, " ", MIME_FIELD_MAX);
	buf_add_str(&content, "boundary=b\n\n--b\nX: secret\n\n");
	run(set, buf_span(&content), &s);
	assert_non_null(s.check->hold);
	end(&s);
	buf_release(&content);
	buf_release(&want);
}

/* Where parameters stand, and words are long: nothing is hidden behind what is not looked at. */
static void
test_far_behind(void **state)
{
	struct buf content;
	struct seen s;

	(void)state;
	buf_init(&content, 1U << 20);
	buf_add_str(&content, "Content-Type: multipart/mixed; x=\"");
	repeat(&content, "x", 20000);
	buf_add_str(&content, "\"; boundary=b\n\n--b\nX: secret\n\n");
	run(rules("/^X: secret/ REJECT\n", NULL), buf_span(&content), &s);
	assert_int_equal(s.check->fate, HEADER_REJECTED);
	end(&s);
	buf_clear(&content);
	buf_add_str(&content, "X: =?utf-8?q?");
	repeat(&content, "=20", 1000);
	buf_add_str(&content, "=73ecret?=\n\n");
	run(rules("/secret/ REJECT\n", NULL), buf_span(&content), &s);
	assert_int_equal(s.check->fate, HEADER_REJECTED);
	end(&s);
	buf_clear(&content);
	buf_add_str(&content, "Content-Disposition: attachment");
	for (unsigned i = 0; i < 100; i++)
		buf_addf(&content, "; filename*%u=%c", i, i < 60 ? 'a' : 'b');
	buf_add_str(&content, "; filename*100=.exe\n\n");
	run(rules("/ab{40}\\.exe/ REJECT\n", NULL), buf_span(&content), &s);
	assert_int_equal(s.check->fate, HEADER_REJECTED);
	end(&s);
	buf_release(&content);
}

static void
test_notes(void **state)
{
	struct buf content;
	struct seen s;

	(void)state;
	buf_init(&content, 1U << 20);
	buf_add_str(&content, "X: ");
	for (unsigned i = 0; i < MIME_FIELD_MAX; i++)
		buf_add_char(&content, 'x');
	buf_add_str(&content, "\nX: y\n\n");
	run(rules("/x$/ WARN cut\n", NULL), buf_span(&content), &s);
	assert_string_equal(
	    buf_str(&s.text), "h:1 WARN message 1 [cut]\na field longer than is looked at\n");
	end(&s);
	buf_release(&content);
}

/* A client that stops in the middle keeps no more memory than what it sent takes: of a long field nothing stays. */
static void
test_memory(void **state)
{
	struct header_set *set = rules("/^X-None:/ REJECT\n", NULL);
	struct header_check *c;
	struct buf content;

	(void)state;
	c = header_check_new(set, &ops, NULL);
	buf_init(&content, 1U << 20);
	buf_add_str(&content, "Content-Type: a/b");
	repeat(&content, "; name= =?iso-8859-1?q?=e9?=", 500);
	buf_add_str(&content, "\nX: ");
	repeat(&content, "x", MIME_FIELD_MAX - 10);
	buf_add_str(&content, "\nY: y\nZ");
	header_check_feed(c, buf_span(&content));
	assert_true(c->scan.in_header);
	assert_true(c->decoded.cap + c->scan.text.cap + c->scan.field.cap < 16384);
	header_check_free(&c);
	header_set_unref(&set);
	buf_release(&content);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pests),
	    cmocka_unit_test(test_actions),
	    cmocka_unit_test(test_two_files),
	    cmocka_unit_test(test_conditions),
	    cmocka_unit_test(test_catastrophe),
	    cmocka_unit_test(test_time_is_up),
	    cmocka_unit_test(test_unfinished),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_long_words),
	    cmocka_unit_test(test_far_behind),
	    cmocka_unit_test(test_notes),
	    cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
