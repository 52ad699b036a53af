/* passwd_quota: a user's quota as Dovecot writes it. See passwd_quota.h. */
#include "conf/passwd_quota.h"

#include <inttypes.h>
#include <string.h>

#include "conf/domain_conf.h"
#include "conf/units.h"

#define RULE "userdb_quota_rule="

/* A size as everywhere (conf/units.h), but that a bare number is of this unit. -1 if it is none. */
static int
parse_amount(struct span s, uint64_t unit, uint64_t *octets)
{
	uint64_t n;

	if (s.len > 0 && s.p[s.len - 1] >= '0' && s.p[s.len - 1] <= '9') {
		if (span_to_u64(s, DOMAIN_QUOTA_MAX / unit, &n) != 0)
			return -1;
		*octets = n * unit;
		return 0;
	}
	if (units_parse_size(s, &n) != 0 || n > DOMAIN_QUOTA_MAX)
		return -1;
	*octets = n;
	return 0;
}

/* "*:storage=1G" */
static enum passwd_quota
parse_rule(struct span rule, uint64_t *octets)
{
	struct span folder = span_cut(&rule, ':');
	int r = -1;

	if (!span_is(folder, "*"))
		return PASSWD_QUOTA_NONE; /* about a single folder */
	if (span_starts_with(rule, "storage="))
		r = parse_amount(span_skip(rule, 8), 1024, octets);
	else if (span_starts_with(rule, "bytes="))
		r = parse_amount(span_skip(rule, 6), 1, octets);
	return r == 0 ? PASSWD_QUOTA_FOUND : PASSWD_QUOTA_WRONG;
}

/*
 * Is the rule's number followed by a field that is nothing but a unit? Then there is a blank between them where none belongs:
 * fields are separated by blanks, so that "1 G" is 1, and something else. extra: what follows; *upto gets the unit's end.
 */
static bool
has_lone_unit(struct span rule, struct span extra, const char **upto)
{
	static const char *const units[] = {
	    "B", "K", "M", "G", "T", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"};
	struct span field = {NULL, 0};

	if (rule.len == 0 || rule.p[rule.len - 1] < '0' || rule.p[rule.len - 1] > '9')
		return false;
	while (extra.p != NULL && field.len == 0)
		field = span_cut(&extra, ' ');
	if (span_among_nocase(field, units, sizeof units / sizeof *units) < 0)
		return false;
	*upto = field.p + field.len;
	return true;
}

enum passwd_quota
passwd_quota_find(struct span extra, uint64_t *octets, struct span *rule)
{
	enum passwd_quota found = PASSWD_QUOTA_NONE;
	const char *upto;

	*rule = span_str("");

	while (extra.p != NULL) {
		struct span field = span_cut(&extra, ' ');
		struct span text;
		enum passwd_quota one;
		uint64_t n = 0;

		if (!span_starts_with(field, RULE))
			continue;
		text = span_skip(field, sizeof RULE - 1);
		one = parse_rule(text, &n);
		if (one == PASSWD_QUOTA_NONE)
			continue;
		if (one == PASSWD_QUOTA_FOUND && has_lone_unit(text, extra, &upto)) {
			text.len = (size_t)(upto - text.p);
			one = PASSWD_QUOTA_WRONG;
		}
		if (one == PASSWD_QUOTA_FOUND)
			*octets = n;
		found = one;
		*rule = text;
	}
	return found;
}

bool
passwd_quota_strays(struct span line, struct span extra)
{
	while (line.len > 0) {
		const char *at = memmem(line.p, line.len, RULE, sizeof RULE - 1);
		bool in_place;

		if (at == NULL)
			return false;
		in_place = extra.p != NULL && at >= extra.p && (at == extra.p || at[-1] == ' ');
		if (!in_place)
			return true;
		line = span_skip(line, (size_t)(at + 1 - line.p));
	}
	return false;
}

void
passwd_quota_replace(struct span extra, uint64_t octets, bool remove, struct buf *out)
{
	size_t start = out->len;

	while (extra.p != NULL) {
		struct span field = span_cut(&extra, ' ');

		if (field.len == 0 || span_starts_with(field, RULE "*:"))
			continue;
		if (out->len > start)
			buf_add_char(out, ' ');
		buf_add_span(out, field);
	}
	if (!remove)
		buf_addf(out, "%s" RULE "*:storage=%" PRIu64 "K", out->len > start ? " " : "",
		    octets / 1024);
}
