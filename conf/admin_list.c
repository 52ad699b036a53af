/* admin_list: the users of a domain, as they stand in its passwd. See admin.h. Looked at with the caller's rights. */
#include <stdlib.h>

#include "common/address.h"
#include "common/xalloc.h"
#include "conf/admin.h"
#include "conf/admin_private.h"
#include "conf/password_hash.h"

static int
by_line(const void *a, const void *b)
{
	const struct passwd_user *const *x = a, *const *y = b;

	return ((*x)->line > (*y)->line) - ((*x)->line < (*y)->line);
}

static void
tell(const struct domain *d, const struct passwd_user *u, admin_user_fn *fn, void *arg)
{
	enum password_form form = password_hash_form(passwd_stored(&d->passwd, u), NULL);
	bool own = u->quota_kib != PASSWD_NO_QUOTA;
	char *address = xasprintf("%.*s@%s", SPAN_ARG(passwd_name(&d->passwd, u)), d->name);

	fn(&(struct admin_user){.address = address,
	       .line = u->line,
	       .login = form != PASSWORD_DISABLED && form != PASSWORD_UNKNOWN,
	       .scram = password_hash_allows_scram(form),
	       .limit = own ? (uint64_t)u->quota_kib * 1024 : d->conf.quota,
	       .own = own},
	    arg);
	free(address);
}

/* The table of users is in the order of a hash; people want that of the file. */
static void
tell_all(const struct domain *d, admin_user_fn *fn, void *arg)
{
	const struct passwd_user **v = xcalloc(d->passwd.nusers + 1, sizeof(*v));

	for (size_t i = 0; i < d->passwd.nusers; i++)
		v[i] = &d->passwd.users[i];
	qsort(v, d->passwd.nusers, sizeof(*v), by_line);
	for (size_t i = 0; i < d->passwd.nusers; i++)
		tell(d, v[i], fn, arg);
	free(v);
}

int
admin_user_list(
    const struct config *c, const char *name, admin_user_fn *fn, void *arg, struct buf *why)
{
	struct domains *domains = admin_domains_new(c);
	char canonical[DOMAIN_MAX + 1];
	struct domain *d = NULL;
	const char *reason = "";
	size_t len;
	int r = -1;

	if (domain_canonical(span_str(name), true, canonical, &len, &reason) != 0)
		buf_addf(why, "%s: expected a domain name: %s", name, reason);
	else if (domains_find(domains, span_str(canonical), &d, why) == LOOKUP_NOT_FOUND)
		buf_addf(why, "%s is not hosted here", canonical);
	else if (d != NULL && domain_usable(d, why))
		r = 0;
	if (r == 0)
		tell_all(d, fn, arg);
	domains_free(&domains);
	return r;
}
