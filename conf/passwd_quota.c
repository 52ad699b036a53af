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

enum passwd_quota
passwd_quota_find(struct span extra, uint64_t *octets, struct span *rule)
{
	enum passwd_quota found = PASSWD_QUOTA_NONE;

	*rule = span_str("");

	while (extra.p != NULL) {
		struct span field = span_cut(&extra, ' ');
		enum passwd_quota one;

		if (!span_starts_with(field, RULE))
			continue;
		one = parse_rule(span_skip(field, sizeof RULE - 1), octets);
		if (one == PASSWD_QUOTA_NONE)
			continue;
		found = one;
		*rule = span_skip(field, sizeof RULE - 1);
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
