/*
 * resolve_mailbox: whom and where a message for a target is delivered as and to.
 * Asked by local, which takes an identity from nobody else. See resolve.h.
 */
#include <stdlib.h>

#include "common/xalloc.h"
#include "conf/fold.h"
#include "conf/resolve.h"

static void
fill(struct mailbox *m, const struct domain *d, const struct passwd_user *u)
{
	m->user = xspandup(passwd_name(&d->passwd, u));
	m->domain = xstrdup(d->name);
	m->directory = xstrdup(d->path);
	m->home = xspandup(passwd_home(&d->passwd, u));
	m->maildir = xstrdup(d->conf.maildir);
	m->over_quota_refuses = d->conf.over_quota_refuses;
	m->quota = d->conf.quota;
	if (u->quota_kib != PASSWD_NO_QUOTA) {
		m->quota = (uint64_t)u->quota_kib * 1024;
		m->quota_line = u->line;
	}
}

/* In a hosted domain about which something can be told. */
static void
find_mailbox(const struct resolve_env *env, const struct address *address,
    const struct domain *d, struct verdict *v, struct mailbox *m)
{
	char folded[LOCAL_PART_MAX + 1];
	struct span name = span_make(folded, fold_address(address, folded));
	const struct passwd_user *u = passwd_find(&d->passwd, name);
	struct buf why;

	if (u == NULL) {
		verdict_set(v, VERDICT_PERMANENT, 550, "5.1.1", "No mailbox %.*s here",
		    SPAN_ARG(address_span(address)));
		return;
	}
	buf_init(&why, 1024);
	if (domain_user_ids(d, u, env->privileged, &env->self, &m->ids, &why) != 0) {
		verdict_set_text(v, VERDICT_TEMPORARY, 451, "4.3.5", buf_str(&why));
	} else {
		fill(m, d, u);
		verdict_set_text(v, VERDICT_OK, 250, "2.1.5", "Mailbox found");
	}
	buf_release(&why);
}

void
resolve_mailbox(const struct resolve_env *env, const struct address *address, struct verdict *v,
    struct mailbox *m)
{
	struct domain *d = NULL;
	enum lookup l;
	struct buf why;

	*m = (struct mailbox){.user = NULL};
	buf_init(&why, 1024);
	l = env->source.find(env->source.arg, address_domain(address), &d, &why);
	if (l == LOOKUP_NOT_FOUND)
		verdict_set(v, VERDICT_PERMANENT, 550, "5.1.2", "%.*s is not hosted here",
		    SPAN_ARG(address_domain(address)));
	else if (l != LOOKUP_FOUND || !domain_usable(d, &why))
		verdict_set_text(v, VERDICT_TEMPORARY, 451, "4.3.5", buf_str(&why));
	else
		find_mailbox(env, address, d, v, m);
	buf_release(&why);
}

void
mailbox_release(struct mailbox *m)
{
	free(m->user);
	free(m->domain);
	free(m->directory);
	free(m->home);
	free(m->maildir);
	*m = (struct mailbox){.user = NULL};
}
