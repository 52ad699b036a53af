/* check_domain: is everything right that one domain directory says? See check_domain.h. Called by cmd_check. */
#include "queue/check_domain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "common/xalloc.h"
#include "conf/bounce_text.h"
#include "conf/certificate_check.h"
#include "conf/fold.h"
#include "queue/check_problems.h"

#define WHY_MAX 4096

static void
check_bounce_texts(struct check *k, const struct domain *d)
{
	struct buf text;

	buf_init(&text, BOUNCE_TEXT_MAX);
	(void)bounce_text_read(d, BOUNCE_TEXT_FAILED, &text, &k->errors);
	(void)bounce_text_read(d, BOUNCE_TEXT_DELAYED, &text, &k->errors);
	buf_release(&text);
}

/* What the resolver says: "domain/etc/file:line: text", or "domain …". */
static void
add_reason(struct check *k, const char *text)
{
	check_problems_add(&k->errors, k->root, text);
}

/* Whom each mailbox is delivered as; what is wrong with the directory itself is told once. */
static void
check_users(struct check *k, const struct domain *d)
{
	struct domain_ids ids;
	struct buf why;

	buf_init(&why, WHY_MAX);
	for (size_t i = 0; i < d->passwd.nusers; i++) {
		if (domain_user_ids(d, &d->passwd.users[i], k->env.privileged, &k->env.self,
			&ids, &why) != 0)
			add_reason(k, buf_str(&why));
		buf_clear(&why);
	}
	buf_release(&why);
}

/* Would mail for this local part be put off? Then what is wrong has to be mended. */
static void
check_address(struct check *k, const struct domain *d, struct span local)
{
	struct address address;
	struct resolution r;
	char *text = xasprintf("%.*s@%s", SPAN_ARG(local), d->name);

	if (address_parse(span_str(text), 0, &address, NULL) == 0) {
		resolve(&k->env, &address, RESOLVE_ANY, NULL, &r);
		if (r.verdict.kind == VERDICT_TEMPORARY)
			add_reason(k, r.verdict.text);
		resolution_release(&r);
	}
	free(text);
}

/* What an alias or a list names at a line of one of the domain's files. */
struct place {
	const struct domain *d;
	const char *file; /* relative to the domain */
	struct span alias;
};

static void __attribute__((format(printf, 4, 5)))
complain(struct check *k, const struct place *p, unsigned line, const char *fmt, ...)
{
	char text[1000];
	va_list ap;
	char *whole;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	whole = xasprintf("%s/%s:%u: %s", p->d->name, p->file, line, text);
	add_reason(k, whole);
	free(whole);
}

/* Is the address the alias's own, by which it means the mailbox of that name? */
static bool
is_own(const struct place *p, const struct address *a)
{
	char folded[LOCAL_PART_MAX + 1];

	return span_is(address_domain(a), p->d->name) &&
	       span_eq(span_make(folded, fold_address(a, folded)), p->alias);
}

static void
check_address_target(struct check *k, const struct place *p, const struct aliases_file *f,
    const struct alias_target *t)
{
	bool here = t->kind == ALIAS_HERE;
	char *text = xasprintf(
	    "%.*s%s%s", SPAN_ARG(alias_text(f, t)), here ? "@" : "", here ? p->d->name : "");
	unsigned flags = RESOLVE_ANY;
	struct address a;
	struct resolution r;

	if (address_parse(span_str(text), ADDRESS_UTF8, &a, NULL) == 0) {
		bool own = is_own(p, &a);

		if (t->final || own)
			flags |= RESOLVE_FINAL;
		resolve(&k->env, &a, flags, NULL, &r);
		/* What has no mailbox of the alias's own name goes to the catch-all. */
		if (r.verdict.kind == VERDICT_PERMANENT &&
		    (t->final || !own || p->d->conf.catch_all == NULL))
			complain(k, p, t->line, "%s goes nowhere: %s", text, r.verdict.text);
		else if (r.verdict.kind == VERDICT_TEMPORARY)
			add_reason(k, r.verdict.text);
		resolution_release(&r);
	}
	free(text);
}

/* Each target by itself: of an alias that has a good one the others would be bounced. */
static void
check_targets(struct check *k, struct domain *d, const struct place *p,
    const struct aliases_file *f, size_t first, size_t count, unsigned depth)
{
	for (size_t i = first; i < first + count; i++) {
		const struct alias_target *t = &f->targets[i];
		struct place inside = *p;
		const struct aliases_file *list;
		struct buf why;

		if (t->kind == ALIAS_HERE || t->kind == ALIAS_ADDRESS)
			check_address_target(k, p, f, t);
		if (t->kind != ALIAS_INCLUDE || depth == RESOLVE_DEPTH_MAX)
			continue;
		buf_init(&why, WHY_MAX);
		if (k->env.source.include(k->env.source.arg, d, alias_text(f, t), &list,
			&inside.file, &why) == LOOKUP_FOUND)
			check_targets(k, d, &inside, list, 0, list->ntargets, depth + 1);
		buf_release(&why); /* told with the alias as a whole */
	}
}

/*
 * Of an alias with a good target the others are bounced, so that a loop among them shows in mail alone. Each alias of
 * a loop is told, at its own line; not those that lead to one.
 */
static void
check_loop(struct check *k, const struct place *p, unsigned line, const struct address *a)
{
	char *own = xasprintf("The alias %s leads back", a->text);
	struct resolution r;
	struct span why;

	resolve(&k->env, a, RESOLVE_STRICT, NULL, &r);
	why = span_str(r.verdict.text);
	if (r.verdict.kind != VERDICT_PERMANENT || strcmp(r.verdict.status, "5.4.6") != 0)
		why = span_str("");
	if (span_starts_with(why, own))
		complain(k, p, line,
		    "%s leads back to itself beside other targets: what goes round is returned "
		    "to its sender",
		    a->text);
	else if (why.len > 0 && !span_starts_with(why, "The alias "))
		complain(k, p, line, "%s: %.*s", a->text, SPAN_ARG(why));
	resolution_release(&r);
	free(own);
}

static void
check_alias(struct check *k, struct domain *d, const struct alias *al)
{
	const struct place p = {d, "etc/aliases", alias_name(&d->aliases, al)};
	size_t before = k->errors.n;
	struct resolution r;
	struct address a;
	char *text = xasprintf("%.*s@%s", SPAN_ARG(p.alias), d->name);

	check_targets(k, d, &p, &d->aliases, al->first, al->count, 0);
	if (address_parse(span_str(text), ADDRESS_UTF8, &a, NULL) == 0) {
		resolve(&k->env, &a, RESOLVE_ANY, NULL, &r);
		if (r.verdict.kind == VERDICT_TEMPORARY)
			add_reason(k, r.verdict.text);
		else if (r.verdict.kind == VERDICT_PERMANENT && k->errors.n == before)
			complain(k, &p, al->line, "%s goes nowhere: %s", text, r.verdict.text);
		if (r.verdict.kind == VERDICT_OK)
			check_loop(k, &p, al->line, &a);
		resolution_release(&r);
	}
	free(text);
}

/* What the catch-all does with a name that nobody has. */
static void
check_catch_all(struct check *k, const struct domain *d)
{
	char name[32] = "";

	for (unsigned i = 0; name[0] == '\0'; i++) {
		snprintf(name, sizeof name, "nobody%u", i);
		if (passwd_find(&d->passwd, span_str(name)) != NULL ||
		    aliases_find(&d->aliases, span_str(name)) != NULL)
			name[0] = '\0';
	}
	check_address(k, d, span_str(name));
}

/* The domain of that name; NULL: it cannot be used, and what is wrong with it has been told. */
static struct domain *
find_domain(struct check *k, const char *name)
{
	struct domain *d = NULL;
	size_t before = k->errors.n;
	struct buf why;

	buf_init(&why, WHY_MAX);
	domains_begin(k->domains);
	if (domains_find(k->domains, span_str(name), &d, &why) != LOOKUP_FOUND ||
	    !domain_usable(d, &why)) {
		d = NULL;
		if (k->errors.n == before && why.len > 0)
			add_reason(k, buf_str(&why));
	}
	buf_release(&why);
	return d;
}

void
check_domain(struct check *k, const char *name)
{
	struct domain *d = find_domain(k, name);

	k->ndomains++;
	if (d == NULL)
		return;
	check_bounce_texts(k, d);
	certificate_check(k->domains, d, &k->errors);
	check_users(k, d);
	if (d->passwd.nusers > 0 || d->aliases.naliases > 0) /* else it was just added */
		check_address(k, d, span_str("postmaster"));
	if (d->conf.catch_all != NULL)
		check_catch_all(k, d);
	for (size_t i = 0; i < d->aliases.naliases; i++)
		check_alias(k, d, &d->aliases.aliases[i]);
}

void
check_domain_link(struct check *k, const char *name)
{
	struct domain *d = NULL;
	size_t before = k->errors.n;
	struct buf why;

	k->aliases++;
	buf_init(&why, WHY_MAX);
	domains_begin(k->domains);
	if (domains_find(k->domains, span_str(name), &d, &why) != LOOKUP_FOUND &&
	    k->errors.n == before && why.len > 0)
		add_reason(k, buf_str(&why));
	buf_release(&why);
}
