/*
 * aliases: a domain's etc/aliases. See aliases.h. The text is read once from left
 * to right; a logical line is one physical line and those behind it that begin
 * with a blank.
 */
#include "conf/aliases.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "common/xalloc.h"
#include "conf/fold.h"

/* Longest target: an address, or the path of an included file. */
#define TARGET_MAX 1024

/* Distinct reasons of refusal kept once each; beyond that they are kept again and again. */
#define REASONS 32

struct parser {
	struct aliases_file *f;
	struct buf text;
	struct span rest; /* what is not read yet */
	unsigned line;	  /* of its first octet */
	const char *path;
	struct config_errors *errors;
	size_t wrong;
	bool list; /* a file that aliases include, which may be no list of addresses at all */

	/* reasons kept already: a file of nothing but errors needs no more room than its text */
	struct reason {
		const char *why;
		uint32_t at;
	} reasons[REASONS];
	unsigned nreasons;
};

static void __attribute__((format(printf, 3, 4)))
complain(struct parser *p, unsigned line, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	p->wrong++;
	config_errors_add(p->errors, p->path, line, "%s", text);
}

static uint32_t
keep_text(struct parser *p, struct span s)
{
	uint32_t at = (uint32_t)p->text.len;

	if (buf_add_span(&p->text, s) != 0)
		abort(); /* the maximum allows for a reason an octet */
	return at;
}

static uint32_t
keep_reason(struct parser *p, const char *why)
{
	unsigned i = 0;

	while (i < p->nreasons && p->reasons[i].why != why)
		i++;
	if (i == REASONS)
		return keep_text(p, span_str(why));
	if (i == p->nreasons)
		p->reasons[p->nreasons++] = (struct reason){why, keep_text(p, span_str(why))};
	return p->reasons[i].at;
}

static void
add_target(struct parser *p, enum alias_kind kind, uint32_t text, size_t len, unsigned line)
{
	struct aliases_file *f = p->f;

	if ((f->ntargets & (f->ntargets - 1)) == 0)
		f->targets = xreallocarray(
		    f->targets, f->ntargets > 0 ? 2 * f->ntargets : 1, sizeof *f->targets);
	f->targets[f->ntargets++] = (struct alias_target){
	    .text = text, .text_len = (uint16_t)len, .kind = (uint8_t)kind, .line = line};
}

static void
accept(struct parser *p, enum alias_kind kind, struct span text, unsigned line)
{
	add_target(p, kind, keep_text(p, text), text.len, line);
}

/*
 * why is a static text: it is known again by its address. Of an included file nothing is quoted: who named the wrong
 * one must not find its secrets in the log.
 */
static void
refuse(struct parser *p, const char *why, struct span target, unsigned line)
{
	if (p->list)
		complain(p, line,
		    "expected a list of addresses: %s; mail to aliases that include it waits "
		    "until "
		    "it is mended",
		    why);
	else
		complain(p, line, "%.*s: %s; mail to this alias waits until it is mended",
		    SPAN_ARG(span_first(target, 100)), why);
	add_target(p, ALIAS_REFUSED, keep_reason(p, why), strlen(why), line);
}

/* Is the whole of s one quoted string? */
static bool
is_quoted(struct span s)
{
	if (s.len < 2 || s.p[0] != '"')
		return false;
	for (size_t i = 1; i < s.len; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i == s.len - 1;
	}
	return false;
}

/* A local part without domain: parsed as one of an address that has the shortest domain there is. */
static int
parse_here(struct span s, struct address *a, const char **why)
{
	char text[TARGET_MAX + 2];

	memcpy(text, s.p, s.len);
	memcpy(text + s.len, "@x", 2);
	return address_parse(span_make(text, s.len + 2), ADDRESS_UTF8, a, why);
}

static void
parse_address(struct parser *p, struct span s, bool final, unsigned line)
{
	struct address a;
	const char *why;

	if (parse_here(s, &a, NULL) == 0 && span_is(address_domain(&a), "x")) {
		accept(p, ALIAS_HERE, address_local(&a), line);
		p->f->targets[p->f->ntargets - 1].final = final;
	} else if (address_parse(s, ADDRESS_UTF8, &a, &why) != 0) {
		refuse(p, why, s, line);
	} else if (a.literal) {
		refuse(
		    p, "expected a domain, mail is not delivered to address literals", s, line);
	} else if (final) {
		refuse(p, "expected a local name behind the backslash", s, line);
	} else {
		accept(p, ALIAS_ADDRESS, address_span(&a), line);
	}
}

static void
parse_target(struct parser *p, struct span s, unsigned line)
{
	static const char include[] = ":include:";
	struct span bare = is_quoted(s) ? span_make(s.p + 1, s.len - 2) : s;

	if (s.len > TARGET_MAX)
		refuse(p, "expected at most 1024 octets", s, line);
	else if (!utf8_valid(s) || span_has_control(s))
		refuse(p, "expected text in UTF-8 without control characters", s, line);
	else if (bare.len > 0 && (bare.p[0] == '|' || bare.p[0] == '/'))
		refuse(p,
		    "programs and files are not delivered to by this release; use the address "
		    "of a "
		    "mailbox, and let its owner's programs read that",
		    s, line);
	else if (span_starts_with_nocase(bare, include))
		accept(p, ALIAS_INCLUDE, span_trim(span_skip(bare, strlen(include))), line);
	else if (s.p[0] == '\\')
		parse_address(p, span_skip(s, 1), true, line);
	else
		parse_address(p, s, false, line);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void
skip_line(struct parser *p)
{
	span_cut(&p->rest, '\n');
	p->line++;
}

/* Is the rest of the present line a comment, or nothing? */
static bool
at_empty_line(const struct parser *p)
{
	struct span s = p->rest;

	while (s.len > 0 && is_blank(s.p[0]))
		s = span_skip(s, 1);
	return s.len == 0 || s.p[0] == '\n' || s.p[0] == '#';
}

/*
 * What stands before the next c outside of quotes, or before the end of the line or a comment there;
 * moves behind it, but not behind a line end. Says whether there was a c.
 */
static bool
take_until(struct parser *p, char c, struct span *taken)
{
	struct span s = p->rest;
	size_t i = 0;
	bool quoted = false, found;

	size_t end;

	for (; i < s.len && s.p[i] != '\n'; i++) {
		if (s.p[i] == '\\' && i + 1 < s.len && s.p[i + 1] != '\n')
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (!quoted &&
			 (s.p[i] == c || (s.p[i] == '#' && (i == 0 || is_blank(s.p[i - 1])))))
			break;
	}
	end = i;
	found = i < s.len && s.p[i] == c;
	while (!found && i < s.len && s.p[i] != '\n')
		i++;
	p->rest = span_skip(s, found ? i + 1 : i);
	s.len = end;
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	while (s.len > 0 && is_blank(s.p[0]))
		s = span_skip(s, 1);
	*taken = s;
	return found;
}

/* The targets up to the end of the present physical line. */
static void
parse_targets(struct parser *p)
{
	while (p->rest.len > 0 && p->rest.p[0] != '\n') {
		struct span s;

		take_until(p, ',', &s);
		if (s.len > 0)
			parse_target(p, s, p->line);
	}
	skip_line(p);
}

/* The lines that go on with the one before; comments and empty lines between them do not count. */
static void
parse_continuations(struct parser *p)
{
	while (p->rest.p != NULL) {
		struct parser ahead = *p;

		while (ahead.rest.p != NULL && at_empty_line(&ahead))
			skip_line(&ahead);
		if (ahead.rest.p == NULL || ahead.rest.len == 0 || !is_blank(ahead.rest.p[0]))
			return;
		p->rest = ahead.rest;
		p->line = ahead.line;
		parse_targets(p);
	}
}

/* `name:` at the beginning of a line; -1 if there is none. */
static int
parse_name(struct parser *p, struct alias *a)
{
	char folded[LOCAL_PART_MAX + 1];
	struct address parsed;
	struct span name;

	if (!take_until(p, ':', &name)) {
		complain(
		    p, p->line, "expected name: target, found no colon; the line is skipped");
		return -1;
	}
	if (name.len > TARGET_MAX || parse_here(name, &parsed, NULL) != 0 ||
	    !span_is(address_domain(&parsed), "x") || fold_address(&parsed, folded) == 0) {
		complain(p, p->line,
		    "%.*s: expected a name that can stand before the @ of an address; the line "
		    "is "
		    "skipped",
		    SPAN_ARG(span_first(name, 100)));
		return -1;
	}
	a->name_len = (uint8_t)fold_address(&parsed, folded);
	a->name = keep_text(p, span_make(folded, a->name_len));
	a->line = p->line;
	return 0;
}

static void
add_alias(struct parser *p, const struct alias *a)
{
	struct aliases_file *f = p->f;

	if ((f->naliases & (f->naliases - 1)) == 0)
		f->aliases = xreallocarray(
		    f->aliases, f->naliases > 0 ? 2 * f->naliases : 1, sizeof *f->aliases);
	f->aliases[f->naliases++] = *a;
}

static void
parse_alias(struct parser *p)
{
	struct alias a = {.first = p->f->ntargets};
	bool named = parse_name(p, &a) == 0;

	if (!named)
		skip_line(p);
	else
		parse_targets(p);
	parse_continuations(p);
	a.count = p->f->ntargets - a.first;
	if (!named) {
		p->f->ntargets = a.first; /* of a line without a name */
		return;
	}
	if (a.count == 0)
		refuse(p, "expected a target behind the colon", span_str("an alias"), a.line);
	a.count = p->f->ntargets - a.first;
	add_alias(p, &a);
}

static int
compare(const void *a, const void *b, void *arg)
{
	const struct alias *x = a, *y = b;
	const char *text = arg;
	size_t n = x->name_len < y->name_len ? x->name_len : y->name_len;
	int r = memcmp(text + x->name, text + y->name, n);

	if (r != 0)
		return r;
	if (x->name_len != y->name_len)
		return x->name_len < y->name_len ? -1 : 1;
	return (x->line > y->line) - (x->line < y->line);
}

static void
sort(struct parser *p)
{
	struct aliases_file *f = p->f;
	size_t kept = 0;

	if (f->naliases == 0)
		return;
	qsort_r(f->aliases, f->naliases, sizeof *f->aliases, compare, f->text);
	for (size_t i = 0; i < f->naliases; i++) {
		if (kept > 0 && span_eq(alias_name(f, &f->aliases[kept - 1]),
				    alias_name(f, &f->aliases[i]))) {
			complain(p, f->aliases[i].line,
			    "alias %.*s stands on line %u already, that one counts",
			    SPAN_ARG(alias_name(f, &f->aliases[i])), f->aliases[kept - 1].line);
			continue;
		}
		f->aliases[kept++] = f->aliases[i];
	}
	f->naliases = kept;
}

static void
parser_init(struct parser *p, struct aliases_file *f, struct span text, const char *path,
    struct config_errors *errors)
{
	*p = (struct parser){.f = f, .rest = text, .line = 1, .path = path, .errors = errors};
	*f = (struct aliases_file){.naliases = 0};
	buf_init(&p->text, 4096 + text.len * 128);
	if (p->rest.p == NULL)
		p->rest = span_str("");
}

static void
parser_finish(struct parser *p)
{
	struct aliases_file *f = p->f;

	/* No slack: there may be many. */
	f->text_len = p->text.len;
	f->text = xrealloc(buf_take(&p->text), f->text_len + 1);
	if (f->ntargets > 0)
		f->targets = xreallocarray(f->targets, f->ntargets, sizeof *f->targets);
}

int
aliases_parse(
    struct aliases_file *f, struct span text, const char *path, struct config_errors *errors)
{
	size_t first_error = errors != NULL ? errors->n : 0;
	struct parser p;

	parser_init(&p, f, text, path, errors);
	while (p.rest.p != NULL) {
		if (at_empty_line(&p)) {
			skip_line(&p);
		} else if (is_blank(p.rest.p[0])) {
			complain(&p, p.line,
			    "expected a name, found a line that goes on with none before");
			skip_line(&p);
		} else {
			parse_alias(&p);
		}
	}
	parser_finish(&p);
	sort(&p);
	config_errors_finish(errors, first_error);
	return p.wrong > 0 && f->naliases == 0 ? -1 : 0;
}

void
aliases_parse_list(
    struct aliases_file *f, struct span text, const char *path, struct config_errors *errors)
{
	size_t first_error = errors != NULL ? errors->n : 0;
	struct parser p;

	parser_init(&p, f, text, path, errors);
	p.list = true;
	while (p.rest.p != NULL) {
		if (at_empty_line(&p))
			skip_line(&p);
		else
			parse_targets(&p);
	}
	parser_finish(&p);
	config_errors_finish(errors, first_error);
}

void
aliases_release(struct aliases_file *f)
{
	free(f->aliases);
	free(f->targets);
	free(f->text);
	*f = (struct aliases_file){.naliases = 0};
}

const struct alias *
aliases_find(const struct aliases_file *f, struct span name)
{
	size_t low = 0, high = f->naliases;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct alias *a = &f->aliases[mid];
		size_t n = a->name_len < name.len ? a->name_len : name.len;
		int r = memcmp(name.p, f->text + a->name, n);

		if (r == 0 && name.len == a->name_len)
			return a;
		if (r < 0 || (r == 0 && name.len < a->name_len))
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

struct span
alias_name(const struct aliases_file *f, const struct alias *a)
{
	return span_make(f->text + a->name, a->name_len);
}

struct span
alias_text(const struct aliases_file *f, const struct alias_target *t)
{
	return span_make(f->text + t->text, t->text_len);
}
