/* header_check: one message against the header checks. See header_check.h. */
#include "conf/header_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mime_decode.h"
#include "common/mime_field.h"
#include "common/xalloc.h"

/* Between two looks at the clock. */
#define RULES_AT_ONCE 16

/* --- the set --- */

struct header_set *
header_set_new(const struct header_text *header, const struct header_text *mime,
    struct config_errors *errors)
{
	struct header_set *s = xcalloc(1, sizeof *s);
	bool wrong;

	s->refs = 1;
	s->time = HEADER_CHECK_TIME;
	s->matcher = header_matcher_new(HEADER_PATTERN_STEPS);
	if (header->path != NULL)
		s->header = header_rules_parse(header->text, header->path, errors);
	if (mime->path != NULL)
		s->mime = header_rules_parse(mime->text, mime->path, errors);
	wrong = (header->path != NULL && s->header == NULL) ||
		(mime->path != NULL && s->mime == NULL);
	if (wrong)
		header_set_unref(&s);
	return s;
}

struct header_set *
header_set_ref(struct header_set *s)
{
	s->refs++;
	return s;
}

void
header_set_unref(struct header_set **sp)
{
	struct header_set *s = *sp;

	*sp = NULL;
	if (s == NULL || --s->refs > 0)
		return;
	header_rules_free(&s->header);
	header_rules_free(&s->mime);
	header_matcher_free(&s->matcher);
	free(s);
}

static bool
changes(const struct header_rules *r)
{
	for (size_t i = 0; r != NULL && i < r->n; i++)
		if (r->v[i].action == HEADER_HOLD || r->v[i].action == HEADER_REDIRECT ||
		    r->v[i].action == HEADER_PREPEND)
			return true;
	return false;
}

bool
header_set_changes(const struct header_set *s)
{
	return s->unfinished == HEADER_UNFINISHED_HOLD || changes(s->header) ||
	       changes(s->mime);
}

/* --- actions --- */

static void __attribute__((format(printf, 2, 3)))
tell(struct header_check *c, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (++c->hits > c->hits_max)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->ops->on_trouble(
	    c->hits == c->hits_max ? "more was found than is told here" : text, c->arg);
}

static void
reject(struct header_check *c, const struct header_rule *r, struct span text)
{
	bool temporary = r->status[0] == '4';

	c->fate = HEADER_REJECTED;
	if (text.len == 0)
		text = span_str("The header of this message is not accepted here");
	verdict_set_parts(&c->verdict, temporary ? VERDICT_TEMPORARY : VERDICT_PERMANENT,
	    temporary ? 451 : 550, span_str(r->status), text);
}

/* One line of printable ASCII, whatever a message has put into it. */
static void
prepend(
    struct header_check *c, const char *path, const struct header_rule *r, struct span field)
{
	field = span_first(field, HEADER_PREPEND_FIELD_MAX);
	if (c->prepend.len + field.len + 1 > c->prepend.max) {
		tell(
		    c, "%s:%u: no room for another field on top of the message", path, r->line);
		return;
	}
	for (size_t i = 0; i < field.len; i++)
		buf_add_char(&c->prepend, (unsigned char)field.p[i] > 126 ? '?' : field.p[i]);
	buf_add_char(&c->prepend, '\n');
}

static void
apply(struct header_check *c, const struct header_rules *rules, const struct header_rule *r,
    const struct mime_field *f, bool decoded)
{
	struct header_hit hit = {
	    .path = rules->path, .rule = r, .field = f, .decoded = decoded};
	struct buf text;

	if (r->action == HEADER_DUNNO) {
		if (c->ops->on_dunno != NULL)
			c->ops->on_dunno(&hit, c->arg);
		return;
	}
	buf_init(&text, HEADER_PREPEND_FIELD_MAX);
	if (r->action == HEADER_REDIRECT)
		buf_add_str(&text, r->text);
	else
		header_rule_expand(r, c->set->matcher, &text);
	hit.text = buf_span(&text);
	if (++c->hits < c->hits_max)
		c->ops->on_hit(&hit, c->arg);
	else if (c->hits == c->hits_max)
		c->ops->on_trouble("more was found than is told here", c->arg);
	if (r->action == HEADER_REJECT)
		reject(c, r, hit.text);
	else if (r->action == HEADER_DISCARD)
		c->fate = HEADER_DISCARDED;
	else if (r->action == HEADER_HOLD && c->hold == NULL)
		c->hold = hit.text.len > 0 ? xspandup(span_first(hit.text, HEADER_SAID_MAX))
					   : xasprintf("%s:%u", rules->path, r->line);
	else if (r->action == HEADER_REDIRECT)
		c->redirect = r->text;
	else if (r->action == HEADER_PREPEND)
		prepend(c, rules->path, r, hit.text);
	buf_release(&text);
}

/* --- checks that could not be finished --- */

/* May it decide what becomes of the message? A condition may hide such a rule. */
static bool
decides(const struct header_rule *r)
{
	return r->kind == HEADER_IF ||
	       (r->kind == HEADER_RULE &&
		   (r->action == HEADER_REJECT || r->action == HEADER_DISCARD ||
		       r->action == HEADER_HOLD || r->action == HEADER_REDIRECT));
}

static bool
any_decides(const struct header_rules *r)
{
	for (size_t i = 0; r != NULL && i < r->n; i++)
		if (decides(&r->v[i]))
			return true;
	return false;
}

/* Something was not looked at that a rule might have been about. The first such thing is the one that is told. */
static void __attribute__((format(printf, 2, 3)))
leave_unfinished(struct header_check *c, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (c->unfinished != NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->unfinished = xstrdup(text);
}

/* The message is whole and passed all that could be tried. */
static void
heed_unfinished(struct header_check *c)
{
	if (c->unfinished == NULL || c->fate != HEADER_PASSED)
		return;
	if (c->set->unfinished == HEADER_UNFINISHED_HOLD && c->hold == NULL) {
		c->hold = xasprintf("header check not finished: %s", c->unfinished);
	} else if (c->set->unfinished == HEADER_UNFINISHED_REFUSE) {
		c->fate = HEADER_REJECTED;
		verdict_set(&c->verdict, VERDICT_PERMANENT, 550, "5.7.1",
		    "The header of this message cannot be checked to its end");
	}
}

/* --- matching --- */

/* What a field lacks. */
#define FIELD_CUT	"a field longer than is looked at"
#define FIELD_UNDECODED "a field longer than is decoded"

/* One field, and the rules it is matched against. */
struct trial {
	struct header_check *c;
	const struct header_rules *rules;
	const struct mime_field *field;
	struct span decoded; /* empty: as it stands */
	bool by_decoded;     /* the last match was of the decoded form */
	const char *lacks;   /* why the field is not all there; NULL: it is */
};

/* Rules of the second file come behind those of the first. */
static size_t
number_of(const struct trial *t, const struct header_rule *r)
{
	const struct header_set *s = t->c->set;

	return (size_t)(r - t->rules->v) +
	       (t->rules == s->mime && s->header != NULL ? s->header->n : 0);
}

static void
bar(struct trial *t, const struct header_rule *r)
{
	struct header_check *c = t->c;
	const struct header_set *s = c->set;

	if (c->barred == NULL)
		c->barred = xcalloc(
		    (s->header != NULL ? s->header->n : 0) + (s->mime != NULL ? s->mime->n : 0),
		    1);
	c->barred[number_of(t, r)] = 1;
	if (decides(r))
		leave_unfinished(c, "%s:%u", t->rules->path, r->line);
	c->tried = 0; /* the clock is to be looked at before the next */
	tell(c,
	    "%s:%u: the pattern reached its limit in line %u and counts as no match in this "
	    "message",
	    t->rules->path, r->line, t->field->line);
}

/* Does the rule fit? One that is too hard does not, negated or not. */
static bool
fits(struct trial *t, const struct header_rule *r)
{
	enum header_match m;

	if (t->c->barred != NULL && t->c->barred[number_of(t, r)] != 0)
		return false;
	t->by_decoded = false;
	m = header_pattern_match(r->pattern, t->c->set->matcher, t->field->text);
	if (m == HEADER_NO_MATCH && t->decoded.len > 0) {
		m = header_pattern_match(r->pattern, t->c->set->matcher, t->decoded);
		t->by_decoded = true;
	}
	if (m == HEADER_TOO_HARD) {
		bar(t, r);
		return false;
	}
	return (m == HEADER_MATCH) != r->negated;
}

/* Looks at the clock. False if the time for this message is up. */
static bool
has_time(struct header_check *c)
{
	uint64_t now = clock_thread_us();

	c->used += c->since != 0 ? now - c->since : 0;
	c->since = now;
	if (c->used <= c->set->time)
		return true;
	if (!c->late)
		tell(c,
		    "the rules have used their time in line %u: the rest of the message was "
		    "not "
		    "looked at",
		    c->line);
	c->late = true;
	if (any_decides(c->set->header) || any_decides(c->set->mime))
		leave_unfinished(c, "from line %u of the message on", c->line);
	return false;
}

static void
try_rules(struct trial *t)
{
	const struct header_rules *rules = t->rules;

	for (size_t i = 0; i < rules->n; i++) {
		const struct header_rule *r = &rules->v[i];
		bool fit;

		if (r->kind == HEADER_ENDIF)
			continue;
		if (t->c->tried++ % RULES_AT_ONCE == 0 && !has_time(t->c))
			return;
		fit = fits(t, r);
		if (!fit && t->lacks != NULL && decides(r))
			leave_unfinished(t->c, "%s:%u: %s in line %u", rules->path, r->line,
			    t->lacks, t->field->line);
		if (r->kind == HEADER_IF && !fit)
			i = r->end;
		if (r->kind == HEADER_RULE && fit) {
			apply(t->c, rules, r, t->field, t->by_decoded);
			return;
		}
	}
}

static bool
is_mime_field(const struct mime_field *f)
{
	struct span name = mime_field_name(f->text);

	return f->where == MIME_PART || span_starts_with_nocase(name, "content-") ||
	       span_is_nocase(name, "mime-version");
}

static void
on_field(const struct mime_field *f, void *arg)
{
	struct header_check *c = arg;
	struct trial t = {.c = c, .rules = c->set->header, .field = f};

	if (c->fate != HEADER_PASSED || c->late)
		return;
	c->line = f->line;
	if (c->since == 0)
		c->since = clock_thread_us();
	if (c->ops->on_field != NULL)
		c->ops->on_field(f, c->arg);
	if (c->set->mime != NULL && is_mime_field(f))
		t.rules = c->set->mime;
	if (t.rules == NULL || t.rules->n == 0)
		return;
	if (mime_decode(f->text, &c->decoded))
		t.decoded = buf_span(&c->decoded);
	if (f->cut) {
		t.lacks = FIELD_CUT;
	} else if (mime_decode_is_too_long(f->text)) {
		t.lacks = FIELD_UNDECODED;
		if (!c->undecoded)
			tell(c, FIELD_UNDECODED);
		c->undecoded = true;
	}
	try_rules(&t);
	buf_clear_large(&c->decoded);
}

/* --- the message --- */

struct header_check *
header_check_new(struct header_set *set, const struct header_check_ops *ops, void *arg)
{
	struct header_check *c = xcalloc(1, sizeof *c);

	c->set = header_set_ref(set);
	c->ops = ops;
	c->arg = arg;
	c->hits_max = HEADER_HITS_MAX;
	buf_init(&c->prepend, HEADER_PREPEND_MAX);
	buf_init(&c->decoded, MIME_DECODED_MAX);
	mime_scan_init(&c->scan, on_field, c);
	return c;
}

void
header_check_free(struct header_check **cp)
{
	struct header_check *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	mime_scan_release(&c->scan);
	buf_release(&c->prepend);
	buf_release(&c->decoded);
	header_set_unref(&c->set);
	free(c->barred);
	free(c->hold);
	free(c->unfinished);
	free(c);
}

/* What the scan did not look at is told once. */
static void
tell_notes(struct header_check *c)
{
	static const struct {
		enum mime_note note;
		const char *text;
	} notes[] = {
	    {MIME_TOO_DEEP, "parts within more parts than are looked into"},
	    {MIME_TOO_MANY, "more parts than are looked at"},
	    {MIME_BOUNDARY_TOO_LONG,
		"a boundary longer, or further behind, than is looked for"},
	    {MIME_TOO_MANY_BOUNDARIES, "more boundaries of one multipart than are looked for"},
	    {MIME_FIELD_CUT, FIELD_CUT},
	};
	bool any = any_decides(c->set->header) || any_decides(c->set->mime);

	for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
		if ((c->scan.notes & ~c->told & notes[i].note) == 0)
			continue;
		tell(c, "%s", notes[i].text);
		/* Of a field that is cut the rules that were tried on it know (try_rules). */
		if (any && notes[i].note != MIME_FIELD_CUT)
			leave_unfinished(c, "%s", notes[i].text);
	}
	c->told = c->scan.notes;
}

bool
header_check_is_looking(const struct header_check *c)
{
	return c->fate == HEADER_PASSED && !c->scan.done;
}

void
header_check_feed(struct header_check *c, struct span content)
{
	if (!header_check_is_looking(c))
		return;
	c->since = 0;
	mime_scan_feed(&c->scan, content);
	if (c->since != 0)
		(void)has_time(c);
	if (c->scan.notes != c->told)
		tell_notes(c);
}

void
header_check_finish(struct header_check *c)
{
	if (c->finished)
		return;
	c->finished = true;
	c->since = 0;
	if (c->fate == HEADER_PASSED)
		mime_scan_finish(&c->scan);
	if (c->scan.notes != c->told)
		tell_notes(c);
	heed_unfinished(c);
}
