/* verdict: what was decided. See verdict.h. */
#include "common/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/utf8.h"

static char
class_of(enum verdict_kind kind)
{
	switch (kind) {
	case VERDICT_OK:
		return '2';
	case VERDICT_PERMANENT:
		return '5';
	case VERDICT_TEMPORARY:
		break;
	}
	return '4';
}

void
verdict_init(struct verdict *v)
{
	verdict_set_parts(v, VERDICT_TEMPORARY, 451, span_str("4.3.0"),
	    span_str("Not decided yet, try again later"));
}

static void
set_text(struct verdict *v, struct span text)
{
	struct buf clean;
	size_t n;

	/* As nearly all are: nothing to escape, nothing to cut. It may point into v. */
	if (text.len < sizeof v->text && utf8_printable(text) == text.len) {
		if (text.len > 0)
			memmove(v->text, text.p, text.len);
		v->text[text.len] = '\0';
		return;
	}
	buf_init(&clean, 16384);
	if (log_escape(&clean, span_first(text, 2000)) != 0)
		buf_clear(&clean);
	n = clean.len < sizeof v->text ? clean.len : sizeof v->text - 1;
	while (n > 0 && n < clean.len && ((unsigned char)clean.p[n] & 0xc0) == 0x80)
		n--;
	if (n > 0)
		memcpy(v->text, clean.p, n);
	v->text[n] = '\0';
	buf_release(&clean);
}

void
verdict_set(struct verdict *v, enum verdict_kind kind, int code, const char *status,
    const char *fmt, ...)
{
	char text[sizeof v->text * 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	verdict_set_parts(v, kind, code, span_str(status), span_str(text));
}

void
verdict_set_text(
    struct verdict *v, enum verdict_kind kind, int code, const char *status, const char *text)
{
	verdict_set_parts(v, kind, code, span_str(status), span_str(text));
}

void
verdict_set_parts(
    struct verdict *v, enum verdict_kind kind, int code, struct span status, struct span text)
{
	v->kind = kind;
	v->code = code;
	if (!verdict_status_valid(status))
		status = span_str("0.0.0");
	/* status and text may point into v: each is read before anything is written over it. */
	memmove(v->status, status.p, status.len);
	v->status[status.len] = '\0';
	v->status[0] = class_of(kind);
	set_text(v, text);
}

const char *
verdict_kind_name(enum verdict_kind kind)
{
	switch (kind) {
	case VERDICT_OK:
		return "ok";
	case VERDICT_PERMANENT:
		return "permanent";
	case VERDICT_TEMPORARY:
		break;
	}
	return "temporary";
}

int
verdict_kind_parse(struct span s, enum verdict_kind *kind)
{
	if (span_is(s, "ok"))
		*kind = VERDICT_OK;
	else if (span_is(s, "temporary"))
		*kind = VERDICT_TEMPORARY;
	else if (span_is(s, "permanent"))
		*kind = VERDICT_PERMANENT;
	else
		return -1;
	return 0;
}

bool
verdict_status_valid(struct span status)
{
	struct span class = span_cut(&status, '.');
	struct span subject = span_cut(&status, '.');
	uint64_t n;

	if (!span_is(class, "2") && !span_is(class, "4") && !span_is(class, "5"))
		return false;
	return subject.len <= 3 && span_to_u64(subject, 999, &n) == 0 && status.len <= 3 &&
	       span_to_u64(status, 999, &n) == 0;
}
