/* access_action: right sides of the access table. See access_action.h. Called by conf/access_table. */
#include "conf/access_action.h"

#include <string.h>

static const char *const names[] = {[ACCESS_OK] = "OK",
    [ACCESS_RELAY] = "RELAY",
    [ACCESS_REJECT] = "REJECT",
    [ACCESS_DISCARD] = "DISCARD",
    [ACCESS_QUARANTINE] = "QUARANTINE",
    [ACCESS_ERROR] = "ERROR",
    [ACCESS_SKIP] = "SKIP"};

const char *
access_action_name(enum access_action action)
{
	return names[action];
}

/* "550 text", "550 5.7.1 text"; fallback is the status if the text has none. -1 if there is no code. */
static int
set_error(struct verdict *v, struct span s, struct span status)
{
	struct span code = span_cut(&s, ' '),
		    rest = s.p != NULL ? span_trim(s) : span_make("", 0);
	struct span word = rest, own = span_cut(&word, ' ');
	uint64_t n;

	if (code.len != 3 || span_to_u64(code, 599, &n) != 0 || n < 400)
		return -1;
	if (verdict_status_valid(own)) {
		status = own;
		rest = word.p != NULL ? span_trim(word) : span_make("", 0);
	}
	if (status.len == 0)
		status = span_str(n < 500 ? "4.7.1" : "5.7.1");
	if (rest.len == 0)
		rest = span_str("Not accepted here");
	verdict_set_parts(
	    v, n < 500 ? VERDICT_TEMPORARY : VERDICT_PERMANENT, (int)n, status, rest);
	return 0;
}

static struct span
unquote(struct span s)
{
	return s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"'
		   ? span_make(s.p + 1, s.len - 2)
		   : s;
}

/* What stands behind ERROR: — x.y.z:code text, code text, or one of them in quotes. */
static int
set_tagged_error(struct verdict *v, struct span s)
{
	struct span rest = s, status = span_cut(&rest, ':');

	if (rest.p != NULL && verdict_status_valid(status))
		return set_error(v, unquote(span_trim(rest)), status);
	return set_error(v, unquote(s), span_make("", 0));
}

int
access_action_parse(struct span s, enum access_action *action, struct verdict *v)
{
	static const enum access_action words[] = {
	    ACCESS_OK, ACCESS_RELAY, ACCESS_REJECT, ACCESS_DISCARD, ACCESS_SKIP};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (span_is_nocase(s, names[words[i]])) {
			*action = words[i];
			return 0;
		}
	}
	if (span_starts_with_nocase(s, "QUARANTINE:")) {
		*action = ACCESS_QUARANTINE;
		s = span_trim(unquote(span_trim(span_skip(s, strlen("QUARANTINE:")))));
		verdict_set_parts(v, VERDICT_OK, 250, span_str("2.0.0"),
		    s.len > 0 ? s : span_str("The access table says so"));
		return 0;
	}
	*action = ACCESS_ERROR;
	if (span_starts_with_nocase(s, "ERROR:"))
		return set_tagged_error(v, span_trim(span_skip(s, strlen("ERROR:"))));
	return set_error(v, unquote(s), span_make("", 0));
}
