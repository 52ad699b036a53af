/* header_action: what a rule of header checks does. See header_action.h. Called by header_rules. */
#include "conf/header_action.h"

#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "common/mime_field.h"
#include "common/verdict.h"
#include "common/xalloc.h"

#define EXPECTED "expected REJECT, DISCARD, HOLD, WARN, INFO, PREPEND, REDIRECT, DUNNO or OK"

static const struct {
	const char *name;
	enum header_action action;
} actions[] = {
    {"DUNNO", HEADER_DUNNO},
    {"REJECT", HEADER_REJECT},
    {"DISCARD", HEADER_DISCARD},
    {"HOLD", HEADER_HOLD},
    {"WARN", HEADER_WARN},
    {"PREPEND", HEADER_PREPEND},
    {"REDIRECT", HEADER_REDIRECT},
    {"INFO", HEADER_WARN},
    {"OK", HEADER_DUNNO},
};

#define ACTIONS (sizeof actions / sizeof *actions)

/* What Postfix can do and we do not; those who bring a file are told so. */
static const char *const foreign[] = {"BCC", "FILTER", "IGNORE", "PASS", "REPLACE", "STRIP"};

/* By these the way of mail is told, and loops are found. */
static const char *const trace[] = {"Received", "Return-Path", "Delivered-To"};

struct span
header_action_word(struct span *s)
{
	size_t n = 0;
	struct span word;

	while (n < s->len && s->p[n] != ' ' && s->p[n] != '\t')
		n++;
	word = span_first(*s, n);
	*s = span_trim(span_skip(*s, n));
	return word;
}

const char *
header_action_name(enum header_action action)
{
	for (size_t i = 0; i < ACTIONS; i++)
		if (actions[i].action == action)
			return actions[i].name;
	return "?";
}

/*
 * The reference at the front of s, which begins with a dollar sign: its length, and in *n the group, -1 for $$. 0 if it
 * is none.
 */
static size_t
take_reference(struct span s, int *n)
{
	char close = s.len > 1 && s.p[1] == '{' ? '}' : s.len > 1 && s.p[1] == '(' ? ')' : '\0';
	size_t at = close != '\0' ? 2 : 1;

	if (s.len > 1 && s.p[1] == '$') {
		*n = -1;
		return 2;
	}
	if (at >= s.len || s.p[at] < '0' || s.p[at] > '9')
		return 0;
	*n = s.p[at] - '0';
	if (close != '\0' && (at + 1 >= s.len || s.p[at + 1] != close))
		return 0;
	return at + (close != '\0' ? 2 : 1);
}

/* Does every $ in the text mean something? */
static int
check_references(const struct header_rule *r, struct span s, struct buf *why)
{
	for (size_t i = 0; i < s.len; i++) {
		int n = -1;
		size_t len;

		if (s.p[i] != '$')
			continue;
		len = take_reference(span_skip(s, i), &n);
		if (len == 0) {
			buf_addf(why,
			    "%.*s: expected $1 to $9, ${1}, $(1), or $$ for a dollar sign",
			    SPAN_ARG(span_first(span_skip(s, i), 20)));
			return -1;
		}
		if (n >= 0 && r->negated) {
			buf_addf(why,
			    "$%d: a pattern with ! has matched nothing that could be put there",
			    n);
			return -1;
		}
		if (n > 0 && (uint32_t)n > header_pattern_groups(r->pattern)) {
			buf_addf(why, "$%d: the pattern has %u groups in parentheses", n,
			    (unsigned)header_pattern_groups(r->pattern));
			return -1;
		}
		i += len - 1;
	}
	return 0;
}

static int
check_field(struct span s, struct buf *why)
{
	struct span name = mime_field_name(s);
	int of_trace;

	if (name.len == 0 || span_index(name, '$') >= 0 || mime_field_value(s).len == 0) {
		buf_addf(why,
		    "PREPEND %.*s: expected a header field, as in PREPEND X-Note: text",
		    SPAN_ARG(span_first(s, 60)));
		return -1;
	}
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] > 126 || (unsigned char)s.p[i] < ' ') {
			buf_add_str(why, "PREPEND: expected a field of printable ASCII");
			return -1;
		}
	}
	of_trace = span_among_nocase(name, trace, sizeof trace / sizeof *trace);
	if (of_trace >= 0)
		buf_addf(why,
		    "PREPEND %s: expected another field: this one tells the way of mail",
		    trace[of_trace]);
	return of_trace >= 0 ? -1 : 0;
}

static int
check_address(struct span s, struct header_rule *r, struct buf *why)
{
	const char *reason = "expected user@domain";
	struct address a;

	if (span_index(s, '$') >= 0) {
		buf_addf(why,
		    "REDIRECT %.*s: expected an address without $: a message does not say "
		    "where it goes",
		    SPAN_ARG(span_first(s, 60)));
		return -1;
	}
	if (s.len == 0 || address_parse(s, 0, &a, &reason) != 0 ||
	    address_domain(&a).len == 0) {
		buf_addf(why, "REDIRECT %.*s: %s", SPAN_ARG(span_first(s, 60)), reason);
		return -1;
	}
	r->text = xspandup(address_span(&a));
	return 0;
}

/* "5.7.1 text" or text. */
static int
take_status(struct span *s, struct header_rule *r, struct buf *why)
{
	struct span rest = *s, word = header_action_word(&rest);

	memcpy(r->status, "5.7.1", sizeof "5.7.1");
	if (!verdict_status_valid(word))
		return 0;
	if (word.p[0] == '2') {
		buf_addf(why, "REJECT %.*s: expected a status 4.y.z or 5.y.z", SPAN_ARG(word));
		return -1;
	}
	memcpy(r->status, word.p, word.len);
	r->status[word.len] = '\0';
	*s = rest;
	return 0;
}

static int
complain_action(struct span word, struct buf *why)
{
	int i = span_among_nocase(word, foreign, sizeof foreign / sizeof *foreign);

	if (i >= 0)
		buf_addf(why, "%s is not done here: " EXPECTED, foreign[i]);
	else if (word.len == 0)
		buf_add_str(why, EXPECTED " behind the pattern");
	else
		buf_addf(why, "%.*s: " EXPECTED, SPAN_ARG(span_first(word, 60)));
	return -1;
}

int
header_action_parse(struct span s, struct header_rule *r, struct buf *why)
{
	struct span word = header_action_word(&s);
	size_t i = 0;

	while (i < ACTIONS && !span_is_nocase(word, actions[i].name))
		i++;
	if (i == ACTIONS)
		return complain_action(word, why);
	r->action = actions[i].action;
	if (s.len > HEADER_TEXT_MAX) {
		buf_addf(why, "expected a text of at most %d octets", HEADER_TEXT_MAX);
		return -1;
	}
	if (r->action == HEADER_DUNNO)
		s = span_make("", 0); /* a comment, as in Postfix */
	if (r->action == HEADER_REDIRECT)
		return check_address(s, r, why);
	if (r->action == HEADER_PREPEND && check_field(s, why) != 0)
		return -1;
	if (r->action == HEADER_REJECT && take_status(&s, r, why) != 0)
		return -1;
	if (check_references(r, s, why) != 0)
		return -1;
	r->text = xspandup(s);
	return 0;
}

/* What a message says is shown, but for octets that could be more than text. */
static void
add_clean(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (buf_add_char(out, c < 0x20 || c == 0x7f ? '?' : (char)c) != 0)
			return;
	}
}

void
header_rule_expand(const struct header_rule *r, const struct header_matcher *m, struct buf *out)
{
	struct span s = span_str(r->text);

	for (size_t i = 0; i < s.len; i++) {
		int n = -1;
		size_t len = s.p[i] == '$' ? take_reference(span_skip(s, i), &n) : 0;

		if (len == 0 || n < 0)
			add_clean(out, span_make(s.p + i, 1));
		else
			add_clean(out, header_matcher_group(m, (unsigned)n));
		i += len > 0 ? len - 1 : 0;
	}
}
