/* policy_quota: is there room? See policy_quota.h. */
#include "conf/policy_quota.h"

#include <inttypes.h>

#include "conf/mailbox_usage.h"
#include "conf/policy_private.h"

/* The domain of a target, if any of its mailboxes may have a quota. */
static struct domain *
find_domain(const struct resolve_env *env, const struct address *target)
{
	struct domain *d = NULL;
	struct buf why;
	enum lookup l;

	buf_init(&why, 1024);
	l = env->source.find(env->source.arg, address_domain(target), &d, &why);
	buf_release(&why);
	return l == LOOKUP_FOUND && (d->conf.quota > 0 || d->passwd.has_quota) ? d : NULL;
}

/* Does the recipient's mail go nowhere else? */
static bool
is_alone(const struct resolve_env *env, const struct address *rcpt)
{
	struct resolution all;
	bool alone;

	resolve(env, rcpt, 0, NULL, &all);
	alone = all.n == 1;
	resolution_release(&all);
	return alone;
}

static void
tell_step(const struct domain *d, const struct mailbox *m, const struct mailbox_usage *u,
    struct trace *trace)
{
	struct trace_place place = {
	    d->path, m->quota_line > 0 ? "etc/passwd" : "etc/domain.conf", m->quota_line};
	char text[UNITS_TEXT_SIZE];

	trace_look(trace, "quota", place, "%s of %s: %s%" PRIu64 " octets are in use%s",
	    units_format_size(m->quota, text), m->user, u->at_least ? "at least " : "",
	    u->octets, u->counted ? " (counted)" : "");
}

/* Is there no room for the message in the mailbox? */
static bool
is_full(const struct resolve_env *env, const struct policy_client *client, struct domain *d,
    const struct mailbox *m, struct trace *trace)
{
	/* Of a message whose size is not known one octet. */
	uint64_t size = client->size > 0 ? client->size : 1;
	uint64_t need = size < m->quota ? m->quota - size : 0;
	struct mailbox_usage u;

	env->source.usage(env->source.arg, d, m, need, &u);
	tell_step(d, m, &u, trace);
	return u.octets > need || size > m->quota;
}

static void
refuse(const struct address *rcpt, const struct mailbox *m, struct trace *trace,
    struct policy_answer *answer)
{
	if (m->over_quota_refuses)
		verdict_set(&answer->verdict, VERDICT_PERMANENT, 552, "5.2.2",
		    "The mailbox of %s is full", rcpt->text);
	else
		verdict_set(&answer->verdict, VERDICT_TEMPORARY, 452, "4.2.2",
		    "The mailbox of %s is full, try again later", rcpt->text);
	policy_decide(answer, trace, "quota");
}

bool
policy_quota_refuses(const struct resolve_env *env, const struct policy_client *client,
    const struct address *rcpt, const struct resolution *r, struct trace *trace,
    struct policy_answer *answer)
{
	struct mailbox m = {.user = NULL};
	struct address target;
	struct domain *d;
	struct verdict v;
	bool full = false;

	if (env->source.usage == NULL || r->n == 0 || r->v[0].kind != TARGET_MAILBOX ||
	    address_parse(span_str(r->v[0].address), ADDRESS_UTF8, &target, NULL) != 0)
		return false;
	d = find_domain(env, &target);
	if (d == NULL)
		return false;
	resolve_mailbox(env, &target, &v, &m);
	if (v.kind == VERDICT_OK && m.quota > 0 && is_full(env, client, d, &m, trace) &&
	    is_alone(env, rcpt)) {
		refuse(rcpt, &m, trace, answer);
		full = true;
	}
	mailbox_release(&m);
	return full;
}
