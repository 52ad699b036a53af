/*
 * resolve: where mail for an address goes. See resolve.h. The expansion is a
 * recursion whose path is kept as a chain of links, by which loops are known.
 */
#include "conf/resolve.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "conf/fold.h"
#include "conf/resolve_private.h"

static enum outcome expand(struct run *r, const struct step *s);

/* A target of an alias as an address: a local name gets the domain. -1 if it would be too long. */
static int
target_address(const struct domain *d, const struct aliases_file *f,
    const struct alias_target *t, struct address *a)
{
	char text[ADDRESS_MAX + DOMAIN_MAX + 2];
	struct span s = alias_text(f, t);

	if (t->kind == ALIAS_ADDRESS)
		return address_parse(s, ADDRESS_UTF8, a, NULL);
	if (s.len > ADDRESS_MAX)
		return -1;
	snprintf(text, sizeof text, "%.*s@%s", SPAN_ARG(s), d->name);
	return address_parse(span_str(text), ADDRESS_UTF8, a, NULL);
}

/* The targets of one alias or list, and what has come of them. */
struct expansion {
	struct domain *domain;
	const struct aliases_file *file;
	const char *path; /* relative to the domain, for messages */
	const struct link *link;
	unsigned depth;
	bool any_ok;
	char **failed; /* addresses that go nowhere */
	size_t nfailed;
};

static enum outcome expand_targets(
    struct run *r, struct expansion *x, size_t first, size_t count);

static enum outcome
expand_include(struct run *r, struct expansion *x, const struct alias_target *t)
{
	struct expansion list = {.domain = x->domain, .link = x->link, .depth = x->depth + 1};
	struct span path = alias_text(x->file, t);
	enum outcome o = OUTCOME_TEMPORARY;
	enum lookup l;
	struct buf why;

	buf_init(&why, 1024);
	buf_addf(&why, "%s/%s:%u: ", x->domain->name, x->path, t->line);
	trace_look(r->trace, "list", (struct trace_place){x->domain->path, x->path, t->line},
	    ":include:%.*s", SPAN_ARG(path));
	l = r->env->source.include(
	    r->env->source.arg, x->domain, path, &list.file, &list.path, &why);
	if (l != LOOKUP_FOUND)
		o = resolve_temporary(r, buf_str(&why));
	else if (++r->steps > RESOLVE_STEPS_MAX || list.depth > RESOLVE_DEPTH_MAX)
		o = resolve_permanent(r, "5.4.6", "Lists include each other too deeply (%s/%s)",
		    x->domain->name, list.path);
	else if (list.file->ntargets == 0)
		o = resolve_permanent(
		    r, "5.1.1", "The list %s/%s is empty", x->domain->name, list.path);
	else
		o = expand_targets(r, &list, 0, list.file->ntargets);
	buf_release(&why);
	return o;
}

static enum outcome
expand_target(
    struct run *r, struct expansion *x, const struct alias_target *t, struct address *a)
{
	struct step s = {
	    .address = a, .up = x->link, .depth = x->depth + 1, .mailbox_only = t->final};
	struct buf why;
	enum outcome o;

	if (t->kind == ALIAS_INCLUDE)
		return expand_include(r, x, t);
	if (t->kind != ALIAS_REFUSED && target_address(x->domain, x->file, t, a) == 0)
		return expand(r, &s);
	buf_init(&why, 4096);
	buf_addf(&why, "%s/%s:%u: ", x->domain->name, x->path, t->line);
	if (t->kind == ALIAS_REFUSED)
		buf_add_span(&why, alias_text(x->file, t));
	else
		buf_add_str(&why, "together with the domain the address is too long");
	o = resolve_temporary(r, buf_str(&why));
	buf_release(&why);
	return o;
}

/* Those that go nowhere become targets, so that the failure is told to the sender, not forgotten. */
static enum outcome
add_failed(struct run *r, struct expansion *x)
{
	enum outcome o = OUTCOME_OK;

	for (size_t i = 0; i < x->nfailed; i++) {
		const char *at = strrchr(x->failed[i], '@');

		if (o == OUTCOME_OK && x->any_ok && at != NULL)
			o = resolve_add_target(
			    r, TARGET_MAILBOX, xstrdup(x->failed[i]), at + 1);
		free(x->failed[i]);
	}
	free(x->failed);
	return o;
}

/* Does the failure of one target end it all (RESOLVE_STRICT)? */
static bool
is_final(const struct run *r, enum outcome o)
{
	return o == OUTCOME_PERMANENT && (r->flags & RESOLVE_STRICT) != 0 &&
	       strcmp(r->failure.status, "5.4.6") == 0;
}

static enum outcome
expand_targets(struct run *r, struct expansion *x, size_t first, size_t count)
{
	const struct alias_target *t = x->file->targets + first;
	enum outcome o = OUTCOME_PERMANENT, failed;
	struct address a;

	/* One that nobody understands makes the whole alias wait: half of it must not be lost. */
	for (size_t i = 0; i < count; i++) {
		if (t[i].kind == ALIAS_REFUSED)
			return expand_target(r, x, &t[i], &a);
	}
	for (size_t i = 0; i < count; i++) {
		a.len = 0;
		o = expand_target(r, x, &t[i], &a);
		if (o == OUTCOME_TEMPORARY || r->steps > RESOLVE_STEPS_MAX || is_final(r, o))
			break;
		x->any_ok = x->any_ok || o == OUTCOME_OK;
		if (o == OUTCOME_OK && (r->flags & RESOLVE_ANY))
			break;
		if (o != OUTCOME_PERMANENT || a.len == 0)
			continue;
		x->failed = xreallocarray(x->failed, x->nfailed + 1, sizeof *x->failed);
		x->failed[x->nfailed++] = xspandup(address_span(&a));
	}
	failed = add_failed(r, x);
	if (o == OUTCOME_TEMPORARY || r->steps > RESOLVE_STEPS_MAX || is_final(r, o))
		return o;
	return x->any_ok ? failed : OUTCOME_PERMANENT;
}

static enum outcome
expand_alias(struct run *r, const struct step *s, struct domain *d, const struct alias *al)
{
	struct link link = {s->up, d, alias_name(&d->aliases, al)};
	struct expansion x = {.domain = d,
	    .file = &d->aliases,
	    .path = "etc/aliases",
	    .link = &link,
	    .depth = s->depth};

	trace_look(r->trace, "alias", (struct trace_place){d->path, "etc/aliases", al->line},
	    "%.*s is an alias", SPAN_ARG(link.name));
	return expand_targets(r, &x, al->first, al->count);
}

static bool
is_link(const struct link *l, const struct domain *d, struct span name)
{
	return l != NULL && l->domain == d && span_eq(l->name, name);
}

/* An alias or a user of exactly that name. PERMANENT with *found unset: there is neither. */
static enum outcome
expand_name(
    struct run *r, const struct step *s, struct domain *d, struct span name, bool *found)
{
	const struct alias *al = s->mailbox_only ? NULL : aliases_find(&d->aliases, name);
	const struct passwd_user *u;

	*found = true;
	if (al != NULL && !is_link(s->up, d, name)) {
		for (const struct link *l = s->up; l != NULL; l = l->up) {
			if (is_link(l, d, name))
				return resolve_permanent(r, "5.4.6",
				    "The alias %.*s@%s leads back to itself "
				    "(%s/etc/aliases:%u)",
				    SPAN_ARG(name), d->name, d->name, al->line);
		}
		return expand_alias(r, s, d, al);
	}
	if (al != NULL)
		trace_look(r->trace, "alias",
		    (struct trace_place){d->path, "etc/aliases", al->line},
		    "%.*s within its own alias means the mailbox", SPAN_ARG(name));
	u = passwd_find(&d->passwd, name);
	if (u != NULL)
		return resolve_to_mailbox(r, d, u);
	*found = false;
	trace_look(r->trace, "alias, user", (struct trace_place){d->path, "etc", 0},
	    "%.*s is in neither aliases nor passwd", SPAN_ARG(name));
	return OUTCOME_PERMANENT;
}

/* The catch-all, or one that stands in for postmaster: an address instead of the one asked for. */
static enum outcome
expand_instead(struct run *r, const struct step *s, const struct domain *d, struct span name,
    struct span instead)
{
	struct link link = {s->up, d, name};
	struct step next = {.up = &link, .depth = s->depth + 1};
	struct address a;
	const char *why = "";
	char text[600];

	next.address = &a;
	if (address_parse(instead, ADDRESS_UTF8, &a, &why) == 0) {
		/* A catch-all does not catch its own target. */
		next.no_catch_all = span_is(address_domain(&a), d->name);
		return expand(r, &next);
	}
	snprintf(
	    text, sizeof text, "%s: %.*s cannot be used: %s", d->name, SPAN_ARG(instead), why);
	return resolve_temporary(r, text);
}

static enum outcome
expand_catch_all(struct run *r, const struct step *s, const struct domain *d, struct span name)
{
	const struct domain_conf *c = &d->conf;
	char text[ADDRESS_MAX + DOMAIN_MAX + 2], *why;
	enum outcome o;

	snprintf(text, sizeof text, "%s%s%s", c->catch_all, c->catch_all_here ? "@" : "",
	    c->catch_all_here ? d->name : "");
	trace_look(r->trace, "catch-all",
	    (struct trace_place){d->path, "etc/domain.conf", c->catch_all_line}, "%s", text);
	o = expand_instead(r, s, d, name, span_str(text));
	if (o != OUTCOME_PERMANENT)
		return o;
	/* Whoever wrote to it is not to blame for a catch-all that catches nothing. */
	why = xasprintf("%s/etc/domain.conf:%u: the catch-all goes nowhere: %s", d->name,
	    c->catch_all_line, r->failure.text);
	o = resolve_temporary(r, why);
	free(why);
	return o;
}

/* RFC 5321 4.5.1: every domain takes mail for its postmaster. */
static enum outcome
expand_postmaster(struct run *r, const struct step *s, const struct domain *d)
{
	static const struct span name = {"postmaster", 10};
	const char *configured = r->env->config->postmaster;
	const struct passwd_user *first = passwd_first(&d->passwd);
	bool came_from_here = false;
	char *why;
	enum outcome o;

	for (const struct link *l = s->up; l != NULL; l = l->up)
		came_from_here = came_from_here || is_link(l, d, name);
	if (configured != NULL && !came_from_here) {
		trace_look(r->trace, "postmaster",
		    (struct trace_place){NULL, r->env->config->path, 0}, "%s", configured);
		o = expand_instead(r, s, d, name, span_str(configured));
		if (o != OUTCOME_PERMANENT)
			return o;
	}
	if (first != NULL) {
		trace_look(r->trace, "postmaster", (struct trace_place){d->path, "etc", 0},
		    "%s has no postmaster: its first user stands in", d->name);
		return resolve_to_mailbox(r, d, first);
	}
	why = xasprintf(
	    "%s has nobody to take mail for its postmaster: add one to etc/aliases", d->name);
	o = resolve_temporary(r, why);
	free(why);
	return o;
}

/* In a hosted domain: the fixed order of resolve.h. */
static enum outcome
expand_hosted(struct run *r, const struct step *s, struct domain *d)
{
	char folded[LOCAL_PART_MAX + 1];
	struct span name = span_make(folded, fold_address(s->address, folded)), base = name;
	size_t separator;
	enum outcome o;
	bool found;

	o = expand_name(r, s, d, name, &found);
	if (found)
		return o;
	if (s->mailbox_only)
		return resolve_no_mailbox(r, s);
	separator = strcspn(folded, d->conf.separators);
	if (separator > 0 && separator < name.len) {
		base = span_first(name, separator);
		trace_look(r->trace, "subaddress", (struct trace_place){NULL, d->path, 0},
		    "%.*s is a subaddress of %.*s", SPAN_ARG(name), SPAN_ARG(base));
		o = expand_name(r, s, d, base, &found);
		if (found)
			return o;
	}
	if (d->conf.catch_all != NULL && !s->no_catch_all)
		return expand_catch_all(r, s, d, base);
	if (span_is(base, "postmaster"))
		return expand_postmaster(r, s, d);
	return resolve_no_mailbox(r, s);
}

/* <postmaster> without a domain. */
static enum outcome
expand_bare_postmaster(struct run *r, const struct step *s)
{
	const struct config *c = r->env->config;
	char name[DOMAIN_MAX + 1], text[DOMAIN_MAX + 16];
	struct domain *d = NULL;
	struct step next = *s;
	struct address a;
	enum lookup l;
	struct buf why;

	buf_init(&why, 1024);
	snprintf(text, sizeof text, "postmaster@%s", c->hostname);
	if (c->postmaster != NULL) {
		trace_look(r->trace, "postmaster", (struct trace_place){NULL, c->path, 0}, "%s",
		    c->postmaster);
	} else if (r->env->source.find(r->env->source.arg, span_str(c->hostname), &d, &why) !=
		   LOOKUP_FOUND) {
		l = r->env->source.first(r->env->source.arg, name);
		if (l == LOOKUP_NOT_FOUND) {
			buf_release(&why);
			return resolve_permanent(
			    r, "5.1.1", "No domain is hosted here, so there is no postmaster");
		}
		if (l != LOOKUP_FOUND) {
			buf_release(&why);
			return resolve_temporary(r, "The hosted domains cannot be read");
		}
		snprintf(text, sizeof text, "postmaster@%s", name);
		trace_look(r->trace, "domains", (struct trace_place){NULL, c->domains, 0},
		    "%s is the first hosted domain", name);
	}
	buf_release(&why);
	next.address = &a;
	if (address_parse(c->postmaster != NULL ? span_str(c->postmaster) : span_str(text),
		ADDRESS_UTF8, &a, NULL) != 0)
		return resolve_temporary(r, "The configured postmaster cannot be used");
	return expand(r, &next);
}

static enum outcome
expand(struct run *r, const struct step *s)
{
	struct span domain = address_domain(s->address);
	struct domain *d = NULL;
	enum outcome o = OUTCOME_TEMPORARY;
	struct buf why;

	if (++r->steps > RESOLVE_STEPS_MAX || s->depth > RESOLVE_DEPTH_MAX)
		return resolve_permanent(r, "5.4.6",
		    "Aliases lead on and on, to %.*s at last: expected fewer",
		    SPAN_ARG(address_span(s->address)));
	if (domain.len == 0)
		return span_is_nocase(address_span(s->address), "postmaster")
			   ? expand_bare_postmaster(r, s)
			   : resolve_no_mailbox(r, s);
	if (s->address->literal)
		return resolve_permanent(
		    r, "5.1.2", "Mail to address literals is not taken, use a domain");
	buf_init(&why, 1024);
	switch (r->env->source.find(r->env->source.arg, domain, &d, &why)) {
	case LOOKUP_FOUND:
		if (r->trace != NULL && !span_is(domain, d->name))
			trace_look(r->trace, "domains",
			    (struct trace_place){NULL, r->env->config->domains, 0},
			    "%.*s is an alias of %s (symbolic link)", SPAN_ARG(domain),
			    d->name);
		o = domain_usable(d, &why) ? expand_hosted(r, s, d)
					   : resolve_temporary(r, buf_str(&why));
		break;
	case LOOKUP_NOT_FOUND:
		trace_look(r->trace, "domains",
		    (struct trace_place){NULL, r->env->config->domains, 0},
		    "%.*s is not hosted here", SPAN_ARG(domain));
		o = resolve_to_remote(r, s);
		break;
	case LOOKUP_UNKNOWN:
		o = resolve_temporary(r, buf_str(&why));
		break;
	}
	buf_release(&why);
	return o;
}

static void
drop_targets(struct resolution *r)
{
	if (hash_count(&r->seen) > 0)
		hash_release(&r->seen);
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].address);
		free(r->v[i].destination);
	}
	free(r->v);
	r->v = NULL;
	r->n = 0;
}

void
resolve(const struct resolve_env *env, const struct address *address, unsigned flags,
    struct trace *trace, struct resolution *out)
{
	struct run r = {.env = env, .out = out, .trace = trace, .flags = flags};
	struct step s = {.address = address, .mailbox_only = (flags & RESOLVE_FINAL) != 0};
	enum outcome o;

	*out = (struct resolution){.v = NULL};
	o = expand(&r, &s);
	out->steps = r.steps;
	if (o == OUTCOME_OK && out->n > 0) {
		verdict_set_text(&out->verdict, VERDICT_OK, 250, "2.1.5", "Recipient ok");
		return;
	}
	drop_targets(out);
	out->verdict = r.failure;
}

void
resolution_release(struct resolution *r)
{
	drop_targets(r);
}
