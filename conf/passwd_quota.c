/* passwd_quota: a user's quota as Dovecot writes it. See passwd_quota.h. */
#include "conf/passwd_quota.h"

#include <inttypes.h>

#include "conf/domain_conf.h"

#define RULE "userdb_quota_rule="

/* -1 if it is no number with a letter or without. */
static int
parse_amount(struct span s, uint64_t unit, uint64_t *octets)
{
	static const char letters[] = "bkmgt";
	uint64_t n;

	for (size_t i = 0; s.len > 1 && i < sizeof letters - 1; i++) {
		if ((s.p[s.len - 1] | 0x20) != letters[i])
			continue;
		unit = UINT64_C(1) << (10 * i);
		s.len--;
		break;
	}
	if (span_to_u64(s, DOMAIN_QUOTA_MAX, &n) != 0 || n > DOMAIN_QUOTA_MAX / unit)
		return -1;
	*octets = n * unit;
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
passwd_quota_find(struct span extra, uint64_t *octets)
{
	enum passwd_quota found = PASSWD_QUOTA_NONE;

	while (extra.p != NULL) {
		struct span field = span_cut(&extra, ' ');
		enum passwd_quota one;

		if (!span_starts_with(field, RULE))
			continue;
		one = parse_rule(span_skip(field, sizeof RULE - 1), octets);
		if (one != PASSWD_QUOTA_NONE)
			found = one;
	}
	return found;
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
