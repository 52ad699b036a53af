/* admin_quota: how full is a user's mailbox? See admin.h. Looked at with the caller's rights. */
#include "common/address.h"
#include "common/clock.h"
#include "conf/admin.h"
#include "conf/admin_private.h"
#include "conf/domains.h"
#include "conf/fold.h"
#include "conf/mailbox_usage.h"

static void
fill(const struct domain *d, const struct passwd_user *u, struct admin_quota *q)
{
	struct mailbox_usage usage = {.octets = 0};

	q->own = u->quota_kib != PASSWD_NO_QUOTA;
	q->limit = q->own ? (uint64_t)u->quota_kib * 1024 : d->conf.quota;
	mailbox_usage_read(d->path, passwd_home(&d->passwd, u), d->conf.maildir, UINT64_MAX / 2,
	    clock_wall(), &usage);
	q->octets = usage.octets;
	q->messages = usage.messages;
	q->at_least = usage.at_least;
}

int
admin_user_quota(
    const struct config *c, const char *address, struct admin_quota *q, struct buf *why)
{
	struct domains *domains;
	struct domain *d = NULL;
	const struct passwd_user *u = NULL;
	char folded[LOCAL_PART_MAX + 1];
	struct address a;
	const char *reason = "";
	enum lookup l;

	if (address_parse(span_str(address), ADDRESS_UTF8, &a, &reason) != 0 || a.literal) {
		buf_addf(why, "%s: expected an address user@domain %s", address, reason);
		return -1;
	}
	domains = admin_domains_new(c);
	l = domains_find(domains, address_domain(&a), &d, why);
	if (l == LOOKUP_FOUND && domain_usable(d, why))
		u = passwd_find(&d->passwd, span_make(folded, fold_address(&a, folded)));
	if (u != NULL)
		fill(d, u, q);
	else if (why->len == 0)
		admin_say_no_user(address, why);
	domains_free(&domains);
	return u != NULL ? 0 : -1;
}
