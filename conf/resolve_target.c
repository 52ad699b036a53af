/*
 * resolve_target: the ends of an expansion: a mailbox, another host, or a reason why not. Part of the
 * resolver, see resolve.h.
 */
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "conf/resolve_private.h"

enum outcome
resolve_permanent(struct run *r, const char *status, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	verdict_set_text(&r->failure, VERDICT_PERMANENT, 550, status, text);
	trace_add(r->trace, "%s %s", status, text);
	return OUTCOME_PERMANENT;
}

/* Something an administrator must mend first (RFC 3463 3.4: X.3.5 system incorrectly configured). */
enum outcome
resolve_temporary(struct run *r, const char *why)
{
	verdict_set_text(&r->failure, VERDICT_TEMPORARY, 451, "4.3.5", why);
	trace_add(r->trace, "4.3.5 %s", why);
	return OUTCOME_TEMPORARY;
}

/* As many targets are compared one by one: most addresses have one, and a map costs more than that. */
#define FEW 8

static bool
is_target(const struct resolution *o, const char *address)
{
	if (o->n > FEW)
		return hash_find(&o->seen, span_str(address)) != NULL;
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->v[i].address, address) == 0)
			return true;
	return false;
}

/* Takes over the address; the destination is copied. A target that is there already is not added again. */
enum outcome
resolve_add_target(struct run *r, enum target_kind kind, char *address, const char *destination)
{
	struct resolution *o = r->out;

	if (is_target(o, address)) {
		free(address);
		return OUTCOME_OK;
	}
	if (o->n >= RESOLVE_TARGETS_MAX) {
		free(address);
		return resolve_permanent(
		    r, "5.4.6", "Expands to more than %d addresses", RESOLVE_TARGETS_MAX);
	}
	if ((o->n & (o->n - 1)) == 0)
		o->v = xreallocarray(o->v, o->n > 0 ? 2 * o->n : 1, sizeof *o->v);
	o->v[o->n++] = (struct target){kind, address, xstrdup(destination)};
	if (r->flags & RESOLVE_ANY)
		return OUTCOME_OK; /* it ends here: nothing to compare with */
	if (o->n == FEW + 1) {
		hash_init(&o->seen);
		for (size_t i = 0; i < FEW; i++)
			hash_insert(&o->seen, span_str(o->v[i].address), o->v[i].address);
	}
	if (o->n > FEW)
		hash_insert(&o->seen, span_str(address), address);
	return OUTCOME_OK;
}

enum outcome
resolve_to_remote(struct run *r, const struct step *s)
{
	const char *smarthost = r->env->config->smarthost;
	char *domain = xspandup(address_domain(s->address));
	enum outcome o;

	if (smarthost != NULL)
		trace_look(r->trace, "smarthost",
		    (struct trace_place){NULL, r->env->config->path, 0}, "%s", smarthost);
	trace_add(r->trace, "%s goes to %s (remote)", s->address->text,
	    smarthost != NULL ? smarthost : domain);
	o = resolve_add_target(r, TARGET_REMOTE, xspandup(address_span(s->address)),
	    smarthost != NULL ? smarthost : domain);
	free(domain);
	return o;
}

enum outcome
resolve_to_mailbox(struct run *r, const struct domain *d, const struct passwd_user *u)
{
	struct span name = passwd_name(&d->passwd, u);
	struct domain_ids ids;
	enum outcome o;
	struct buf why;

	trace_look(r->trace, "user", (struct trace_place){d->path, "etc/passwd", u->line},
	    "%.*s is a user", SPAN_ARG(name));
	buf_init(&why, 1024);
	if (domain_user_ids(d, u, r->env->privileged, &r->env->self, &ids, &why) != 0) {
		o = resolve_temporary(r, buf_str(&why));
	} else {
		trace_add(r->trace, "%.*s@%s goes to the mailbox in %s", SPAN_ARG(name),
		    d->name, d->name);
		o = resolve_add_target(
		    r, TARGET_MAILBOX, xasprintf("%.*s@%s", SPAN_ARG(name), d->name), d->name);
	}
	buf_release(&why);
	return o;
}

enum outcome
resolve_no_mailbox(struct run *r, const struct step *s)
{
	return resolve_permanent(
	    r, "5.1.1", "No mailbox %.*s here", SPAN_ARG(address_span(s->address)));
}
