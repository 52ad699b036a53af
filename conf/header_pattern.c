/* header_pattern: regular expressions within bounds. See header_pattern.h. Called by header_rules and header_check. */
#include "conf/header_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/xalloc.h"

/* Items of a pattern between two looks at the clock: each takes no longer than to walk through a field. */
#define ITEMS_AT_ONCE 64

struct header_pattern {
	pcre2_code *code;
	uint32_t groups;
};

struct header_matcher {
	pcre2_match_data *data;
	pcre2_match_context *context;
	struct span subject;
	unsigned groups; /* of the last match, 0: there was none */
	unsigned items;	 /* of the pattern that were tried in this match */
	uint64_t began;	 /* when the clock was looked at first, in this match */
};

static const struct {
	char letter;
	uint32_t option;
} flag_table[] = {
    {'i', PCRE2_CASELESS},
    {'m', PCRE2_MULTILINE},
    {'s', PCRE2_DOTALL},
    {'x', PCRE2_EXTENDED},
    {'A', PCRE2_ANCHORED},
    {'E', PCRE2_DOLLAR_ENDONLY},
    {'U', PCRE2_UNGREEDY},
};

#define FLAGS (sizeof flag_table / sizeof *flag_table)

static int
take_flags(struct span flags, uint32_t *options, struct buf *why)
{
	for (size_t i = 0; i < flags.len; i++) {
		size_t k = 0;

		while (k < FLAGS && flag_table[k].letter != flags.p[i])
			k++;
		if (k == FLAGS) {
			buf_addf(why,
			    "%.*s behind the pattern: expected flags out of imsxAEU and then "
			    "white space",
			    SPAN_ARG(span_first(flags, 40)));
			return -1;
		}
		*options ^= flag_table[k].option;
	}
	return 0;
}

struct header_pattern *
header_pattern_new(struct span pattern, struct span flags, struct buf *why)
{
	uint32_t options = PCRE2_CASELESS | PCRE2_DOTALL | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |
			   PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT;
	struct header_pattern *p;
	PCRE2_UCHAR text[200];
	pcre2_code *code;
	PCRE2_SIZE at;
	int error;

	if (take_flags(flags, &options, why) != 0)
		return NULL;
	code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.len, options, &error, &at, NULL);
	if (code == NULL) {
		pcre2_get_error_message(error, text, sizeof text);
		buf_addf(why, "the pattern is wrong at its octet %zu: %s", (size_t)at + 1,
		    (const char *)text);
		return NULL;
	}
	p = xcalloc(1, sizeof *p);
	p->code = code;
	(void)pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &p->groups);
	return p;
}

void
header_pattern_free(struct header_pattern **pp)
{
	struct header_pattern *p = *pp;

	if (p == NULL)
		return;
	*pp = NULL;
	pcre2_code_free(p->code);
	free(p);
}

uint32_t
header_pattern_groups(const struct header_pattern *p)
{
	return p->groups;
}

/* Before each item of a pattern. A negative number ends the match. */
static int
on_item(pcre2_callout_block *block, void *arg)
{
	struct header_matcher *m = arg;
	uint64_t now;

	(void)block;
	if (++m->items % ITEMS_AT_ONCE != 0)
		return 0;
	now = clock_thread_us();
	if (m->began == 0)
		m->began = now;
	return now - m->began > HEADER_PATTERN_TIME ? PCRE2_ERROR_CALLOUT : 0;
}

struct header_matcher *
header_matcher_new(uint32_t steps)
{
	struct header_matcher *m = xcalloc(1, sizeof *m);

	m->data = pcre2_match_data_create(HEADER_PATTERN_GROUPS, NULL);
	m->context = pcre2_match_context_create(NULL);
	if (m->data == NULL || m->context == NULL)
		abort();
	pcre2_set_match_limit(m->context, steps);
	pcre2_set_depth_limit(m->context, HEADER_PATTERN_DEPTH);
	pcre2_set_heap_limit(m->context, HEADER_PATTERN_HEAP);
	pcre2_set_callout(m->context, on_item, m);
	return m;
}

void
header_matcher_free(struct header_matcher **mp)
{
	struct header_matcher *m = *mp;

	if (m == NULL)
		return;
	*mp = NULL;
	pcre2_match_data_free(m->data);
	pcre2_match_context_free(m->context);
	free(m);
}

enum header_match
header_pattern_match(const struct header_pattern *p, struct header_matcher *m, struct span s)
{
	int r;

	m->items = 0;
	m->began = 0;
	r = pcre2_match(p->code, (PCRE2_SPTR)s.p, s.len, 0, 0, m->data, m->context);
	m->subject = s;
	m->groups = 0;
	if (r == PCRE2_ERROR_NOMATCH)
		return HEADER_NO_MATCH;
	if (r < 0)
		return HEADER_TOO_HARD;
	m->groups = r == 0 ? HEADER_PATTERN_GROUPS : (unsigned)r;
	return HEADER_MATCH;
}

struct span
header_matcher_group(const struct header_matcher *m, unsigned n)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(m->data);

	/* \K in a lookahead can put the start behind the end. */
	if (n >= m->groups || at[2 * n] == PCRE2_UNSET || at[2 * n] > at[2 * n + 1])
		return span_make("", 0);
	return span_make(m->subject.p + at[2 * n], at[2 * n + 1] - at[2 * n]);
}
