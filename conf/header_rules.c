/*
 * header_rules: a file of header checks. See header_rules.h. Called by the directory to know whether a new version may
 * be believed, by smtpd and `postrider explain` to use it.
 */
#include "conf/header_rules.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "conf/header_action.h"

/* A logical line with its continuations. */
#define LINE_MAX_OCTETS (16U << 10)

struct parser {
	struct header_rules *rules;
	struct config_errors *errors;
	unsigned line, wrong;
	size_t open[HEADER_RULES_NEST_MAX]; /* indices of IFs */
	unsigned depth;
};

#define COMPLAIN(p, line, ...)                                                                 \
	((p)->wrong++, config_errors_add((p)->errors, (p)->rules->path, line, __VA_ARGS__))

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* What may stand around a pattern. */
static bool
is_delimiter(char c)
{
	return c > 0x20 && c < 0x7f && strchr("\\!", c) == NULL && !(c >= '0' && c <= '9') &&
	       !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* !/pattern/flags at the front of *s, which is moved behind it. -1 after a complaint. */
static int
take_pattern(struct parser *p, struct span *s, struct header_rule *r)
{
	struct span pattern, flags;
	struct buf why;
	size_t n = 1;

	while (s->len > 0 && s->p[0] == '!') {
		r->negated = !r->negated;
		*s = span_trim(span_skip(*s, 1));
	}
	if (s->len == 0 || !is_delimiter(s->p[0])) {
		COMPLAIN(p, r->line,
		    "%.*s: expected /pattern/flags ACTION text, if /pattern/flags, or endif",
		    SPAN_ARG(span_first(*s, 60)));
		return -1;
	}
	while (n < s->len && s->p[n] != s->p[0])
		n += s->p[n] == '\\' ? 2 : 1;
	if (n >= s->len) {
		COMPLAIN(p, r->line, "expected a %c that ends the pattern", s->p[0]);
		return -1;
	}
	pattern = span_make(s->p + 1, n - 1);
	*s = span_skip(*s, n + 1);
	flags = header_action_word(s);
	buf_init(&why, 400);
	r->pattern = header_pattern_new(pattern, flags, &why);
	if (r->pattern == NULL)
		COMPLAIN(p, r->line, "%s", buf_str(&why));
	buf_release(&why);
	return r->pattern != NULL ? 0 : -1;
}

static void
rule_release(struct header_rule *r)
{
	header_pattern_free(&r->pattern);
	free(r->text);
}

/* Takes what r holds. */
static void
keep(struct parser *p, const struct header_rule *r)
{
	struct header_rules *rules = p->rules;

	if ((rules->n & (rules->n - 1)) == 0)
		rules->v =
		    xreallocarray(rules->v, rules->n > 0 ? 2 * rules->n : 1, sizeof *rules->v);
	rules->v[rules->n++] = *r;
}

/* -1 after a complaint. */
static int
take_if(struct parser *p, struct span s, struct header_rule *r)
{
	r->kind = HEADER_IF;
	if (p->depth == HEADER_RULES_NEST_MAX) {
		COMPLAIN(p, r->line, "expected at most %d conditions within each other",
		    HEADER_RULES_NEST_MAX);
		return -1;
	}
	/* Even if the pattern is wrong: its endif is not. */
	p->open[p->depth++] = p->rules->n;
	if (take_pattern(p, &s, r) != 0)
		return -1;
	if (s.len > 0) {
		COMPLAIN(p, r->line, "%.*s: expected nothing behind the pattern of an if",
		    SPAN_ARG(span_first(s, 60)));
		return -1;
	}
	return 0;
}

static int
take_endif(struct parser *p, struct span s, struct header_rule *r)
{
	r->kind = HEADER_ENDIF;
	if (s.len > 0) {
		COMPLAIN(p, r->line, "%.*s: expected nothing behind endif",
		    SPAN_ARG(span_first(s, 60)));
		return -1;
	}
	if (p->depth == 0) {
		COMPLAIN(p, r->line, "endif without an if before it");
		return -1;
	}
	if (p->open[--p->depth] < p->rules->n)
		p->rules->v[p->open[p->depth]].end = p->rules->n;
	return 0;
}

static int
take_rule(struct parser *p, struct span s, struct header_rule *r)
{
	struct buf why;
	int result;

	if (take_pattern(p, &s, r) != 0)
		return -1;
	buf_init(&why, 600);
	result = header_action_parse(s, r, &why);
	if (result != 0)
		COMPLAIN(p, r->line, "%s", buf_str(&why));
	buf_release(&why);
	return result;
}

/* A logical line. */
static void
take_line(struct parser *p, struct span s, unsigned line)
{
	struct header_rule r = {.line = line};
	struct span rest = s, word = header_action_word(&rest);
	int result;

	if (p->rules->n >= HEADER_RULES_COUNT_MAX) {
		if (p->rules->n++ == HEADER_RULES_COUNT_MAX)
			COMPLAIN(p, line, "expected at most %d rules", HEADER_RULES_COUNT_MAX);
		return;
	}
	if (span_is_nocase(word, "endif"))
		result = take_endif(p, rest, &r);
	else if (span_is_nocase(word, "if"))
		result = take_if(p, rest, &r);
	else
		result = take_rule(p, s, &r);
	if (result == 0 || r.kind == HEADER_IF) {
		keep(p, &r);
		return;
	}
	rule_release(&r);
}

static void
take_text(struct parser *p, struct span text)
{
	unsigned begun = 0;
	struct buf logical;

	buf_init(&logical, LINE_MAX_OCTETS);
	while (text.p != NULL) {
		struct span line = span_cut(&text, '\n'), s;

		p->line++;
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		s = span_trim(line);
		if (s.len == 0 || s.p[0] == '#')
			continue;
		if (is_space(line.p[0]) && begun != 0) {
			if (buf_add_char(&logical, ' ') != 0 || buf_add_span(&logical, s) != 0)
				COMPLAIN(p, begun, "expected a rule of at most %u octets",
				    LINE_MAX_OCTETS);
			continue;
		}
		if (begun != 0)
			take_line(p, buf_span(&logical), begun);
		buf_clear(&logical);
		begun = p->line;
		if (is_space(line.p[0]))
			COMPLAIN(p, begun,
			    "a continuation of nothing: expected the first rule to begin its "
			    "line");
		if (buf_add_span(&logical, s) != 0)
			COMPLAIN(
			    p, begun, "expected a rule of at most %u octets", LINE_MAX_OCTETS);
	}
	if (begun != 0)
		take_line(p, buf_span(&logical), begun);
	buf_release(&logical);
}

struct header_rules *
header_rules_parse(struct span text, const char *path, struct config_errors *errors)
{
	struct parser p = {.errors = errors};

	p.rules = xcalloc(1, sizeof *p.rules);
	p.rules->path = xstrdup(path);
	if (memchr(text.p != NULL ? text.p : "", '\0', text.len) != NULL)
		COMPLAIN(&p, 0, "holds a NUL octet: expected a text file");
	else
		take_text(&p, text);
	if (p.rules->n > HEADER_RULES_COUNT_MAX)
		p.rules->n = HEADER_RULES_COUNT_MAX;
	while (p.depth > 0 && p.wrong == 0) {
		p.depth--;
		COMPLAIN(&p, p.rules->v[p.open[p.depth]].line, "if without an endif behind it");
	}
	if (p.wrong > 0)
		header_rules_free(&p.rules);
	return p.rules;
}

void
header_rules_free(struct header_rules **rp)
{
	struct header_rules *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	for (size_t i = 0; i < r->n; i++)
		rule_release(&r->v[i]);
	free(r->v);
	free(r->path);
	free(r);
}
