/* account: user names of logins. See account.h. Asked on the directory's loop; hashing is elsewhere. */
#include "conf/account.h"

#include <string.h>

#include "conf/fold.h"

/* The name as an address. -1 if it cannot be one of ours. */
static int
parse_name(const struct config *c, struct span user, struct address *a)
{
	const char *why;
	struct buf full;
	int r;

	if (span_rindex(user, '@') >= 0)
		return address_parse(user, ADDRESS_UTF8, a, &why);
	if (c->auth_domain == NULL)
		return -1;
	buf_init(&full, ADDRESS_MAX);
	r = buf_add_span(&full, user) != 0 || buf_add_char(&full, '@') != 0 ||
		    buf_add_str(&full, c->auth_domain) != 0
		? -1
		: address_parse(buf_span(&full), ADDRESS_UTF8, a, &why);
	buf_release(&full);
	return r;
}

static enum lookup
find_user(const struct domain *d, const struct address *typed, struct account *out)
{
	char folded[LOCAL_PART_MAX + 1], text[ADDRESS_MAX + 1];
	struct span name = span_make(folded, fold_address(typed, folded)), stored;
	const struct passwd_user *u = passwd_find(&d->passwd, name);
	const char *why;
	int n;

	if (u == NULL)
		return LOOKUP_NOT_FOUND;
	n = snprintf(text, sizeof text, "%.*s@%s", SPAN_ARG(name), d->name);
	if (n < 0 || (size_t)n >= sizeof text ||
	    address_parse(span_str(text), ADDRESS_UTF8, &out->name, &why) != 0)
		return LOOKUP_NOT_FOUND;
	stored = passwd_stored(&d->passwd, u);
	memcpy(out->stored, stored.p, stored.len);
	out->stored_len = stored.len;
	return LOOKUP_FOUND;
}

enum lookup
account_find(
    const struct resolve_env *env, struct span user, struct account *a, struct buf *why)
{
	struct address typed;
	struct domain *d = NULL;
	enum lookup l;

	if (parse_name(env->config, user, &typed) != 0 || typed.literal)
		return LOOKUP_NOT_FOUND;
	l = env->source.find(env->source.arg, address_domain(&typed), &d, why);
	if (l != LOOKUP_FOUND)
		return l;
	return domain_usable(d, why) ? find_user(d, &typed, a) : LOOKUP_UNKNOWN;
}

/* A target is local@domain of a mailbox; a subaddress may still stand in it. */
static bool
is_mailbox(const struct resolve_env *env, const char *target, struct span account)
{
	struct mailbox box = {.user = NULL};
	struct address a;
	struct verdict v;
	const char *why;
	bool same = false;
	char text[ADDRESS_MAX + 2];

	if (address_parse(span_str(target), ADDRESS_UTF8, &a, &why) != 0)
		return false;
	resolve_mailbox(env, &a, &v, &box);
	if (v.kind == VERDICT_OK) {
		snprintf(text, sizeof text, "%s@%s", box.user, box.domain);
		same = span_is(account, text);
	}
	mailbox_release(&box);
	return same;
}

enum lookup
account_owns(const struct resolve_env *env, struct span account, const struct address *address)
{
	enum lookup l = LOOKUP_NOT_FOUND;
	struct resolution r;

	if (span_eq(address_span(address), account))
		return LOOKUP_FOUND;
	resolve(env, address, 0, NULL, &r);
	for (size_t i = 0; i < r.n && l != LOOKUP_FOUND; i++)
		if (r.v[i].kind == TARGET_MAILBOX && is_mailbox(env, r.v[i].address, account))
			l = LOOKUP_FOUND;
	if (l != LOOKUP_FOUND && r.verdict.kind == VERDICT_TEMPORARY)
		l = LOOKUP_UNKNOWN;
	resolution_release(&r);
	return l;
}
