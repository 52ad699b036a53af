/*
 * cmd_check: postrider check: is the configuration right, and everything that the
 * domain directories say? The same code that the daemon believes reads them here, and
 * resolves what it would put off.
 * Every problem is a line file:line: text on standard output, a warning one with "warning: " in front.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/address.h"
#include "common/xalloc.h"
#include "conf/directory.h"
#include "conf/domains_list.h"
#include "conf/header_files.h"
#include "queue/check_domain.h"
#include "queue/check_problems.h"
#include "queue/cmd_verbs.h"

#define DOMAINS_AT_ONCE 1000 /* kept in memory */

static void
on_complaint(const char *text, void *arg)
{
	struct check *k = arg;

	config_errors_add_text(&k->errors, text);
}

/* The one of postrider.conf. What its domain lacks as a whole is told there. */
static void
check_postmaster(struct check *k, const struct config *c)
{
	struct resolution r;
	struct address a;

	if (c->postmaster == NULL ||
	    address_parse(span_str(c->postmaster), ADDRESS_UTF8, &a, NULL) != 0)
		return;
	domains_begin(k->domains);
	resolve(&k->env, &a, RESOLVE_ANY, NULL, &r);
	if (r.verdict.kind == VERDICT_PERMANENT)
		config_errors_add(&k->errors, c->path, 0, "postmaster %s goes nowhere: %s",
		    c->postmaster, r.verdict.text);
	resolution_release(&r);
}

/* Whose users log in without a domain. */
static void
check_auth_domain(struct check *k, const struct config *c)
{
	struct domain *d = NULL;
	struct buf why;

	if (c->auth_domain == NULL)
		return;
	buf_init(&why, 4096);
	domains_begin(k->domains);
	if (domains_find(k->domains, span_str(c->auth_domain), &d, &why) == LOOKUP_NOT_FOUND)
		config_errors_add(&k->errors, c->path, 0,
		    "auth-domain = %s: is not hosted here, so who gives a user name without a "
		    "domain cannot log in",
		    c->auth_domain);
	buf_release(&why);
}

/* What a symbolic link in the directory of all domains leads to, its last part: a domain is a directory, a link another name of
 * one. For the caller to free; NULL: it is no link. */
static char *
link_target(const struct check *k, const char *name)
{
	char *path = xasprintf("%s/%s", k->root, name), target[PATH_MAX], *slash, *last = NULL;
	ssize_t n = readlink(path, target, sizeof target - 1);

	if (n >= 0) {
		target[n] = '\0';
		slash = strrchr(target, '/');
		last = xstrdup(slash != NULL ? slash + 1 : target);
	}
	free(path);
	return last;
}

static void
on_entry(const char *name, const char *problem, void *arg)
{
	struct check *k = arg;
	char *target = link_target(k, name);

	if (problem != NULL)
		config_errors_add(&k->errors, k->root, 0, "%s: %s", name, problem);
	else if (target != NULL)
		check_domain_link(k, name);
	else
		check_domain(k, name);
	free(target);
}

/* Can mail go where rules on header fields send it? */
static void
check_redirects(struct check *k, const struct header_rules *rules)
{
	struct address address;
	struct resolution r;

	for (size_t i = 0; rules != NULL && i < rules->n; i++) {
		const struct header_rule *one = &rules->v[i];

		if (one->action != HEADER_REDIRECT ||
		    address_parse(span_str(one->text), 0, &address, NULL) != 0)
			continue;
		domains_begin(k->domains);
		resolve(&k->env, &address, 0, NULL, &r);
		if (r.verdict.kind != VERDICT_OK)
			config_errors_add(&k->errors, rules->path, one->line, "REDIRECT %s: %s",
			    one->text, r.verdict.text);
		resolution_release(&r);
	}
}

/* The files were found good with the configuration. */
static void
check_header_checks(struct check *k, const struct config *c)
{
	struct header_set *set = header_files_load(c, geteuid(), NULL);

	if (set != NULL) {
		check_redirects(k, set->header);
		check_redirects(k, set->mime);
	}
	header_set_unref(&set);
}

/* Everything: the domains, and what the configuration says of addresses. */
static void
check_all(struct check *k, const struct config *c)
{
	if (domains_list(c->domains, on_entry, k) != 0)
		config_errors_add(&k->errors, c->domains, 0, "%s", strerror(errno));
	check_postmaster(k, c);
	check_auth_domain(k, c);
	check_header_checks(k, c);
}

/* Is the problem one of the domain's own? Those of another that its aliases lead to are for somebody else. */
static bool
is_of(const struct check *k, const char *name, const char *problem)
{
	struct span rest = span_str(problem);
	size_t root = strlen(k->root), n = strlen(name);

	if (!span_starts_with(rest, k->root))
		return false;
	rest = span_skip(rest, root + strspn(problem + root, "/: "));
	return span_starts_with(rest, name) && rest.len > n && strchr("/: ", rest.p[n]) != NULL;
}

/* Takes out from index `first` on what is of neither of the two, which may be NULL. */
static void
keep_only(struct check *k, size_t first, const char *name, const char *target)
{
	struct config_errors *e = &k->errors;
	size_t n = first;

	for (size_t i = first; i < e->n; i++) {
		if (is_of(k, name, e->v[i].text) ||
		    (target != NULL && is_of(k, target, e->v[i].text)))
			e->v[n++] = e->v[i];
		else
			free(e->v[i].text);
	}
	e->n = n;
}

static bool
is_there(const struct check *k, const char *name)
{
	char *path = xasprintf("%s/%s", k->root, name);
	struct stat st;
	bool there = lstat(path, &st) == 0 || errno != ENOENT;

	free(path);
	return there;
}

/* One that was named, and what it leads to if it is an alias. 0, or an exit status after a line on standard error. */
static int
check_named(struct check *k, const char *given)
{
	char name[DOMAIN_MAX + 1], other[DOMAIN_MAX + 1], *target;
	size_t len, first = k->errors.n;
	const char *reason = "";

	if (domain_canonical(span_str(given), true, name, &len, &reason) != 0)
		return cmd_fail(EX_USAGE, "%s: expected a domain name: %s", given, reason);
	if (!is_there(k, name))
		return cmd_fail(EX_NOINPUT, "%s is not hosted here", name);
	target = link_target(k, name);
	if (target == NULL ||
	    (domains_judge_name(span_str(target), other) == 0 && is_there(k, target)))
		check_domain(k, target != NULL ? target : name);
	if (target != NULL)
		check_domain_link(k, name);
	keep_only(k, first, name, target);
	free(target);
	return 0;
}

/* The domains that are named, or all if names ends at once. 0, or an exit status after a line on standard error. */
static int
check_domains(struct check *k, const struct config *c, char *const *names)
{
	const struct domains_limits limits = {DOMAINS_AT_ONCE, (size_t)1 << 30, 0};
	const struct domain_ids self = {geteuid(), getegid()};
	int r = 0;

	k->root = c->domains;
	k->domains = domains_new(c->domains, &limits, on_complaint, k);
	directory_env(&k->env, c, k->domains, self.uid == 0, &self);
	if (*names == NULL)
		check_all(k, c);
	for (; *names != NULL && r == 0; names++)
		r = check_named(k, *names);
	domains_free(&k->domains);
	return r;
}

static json_t *
json_of(const struct config_error *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, cmd_json_text(v[i].text));
	return list;
}

static int
print(const struct cmd_context *ctx, const struct check *k)
{
	const struct config_errors *e = &k->errors;
	json_t *json;

	if (ctx->json) {
		json = json_object();
		json_object_set_new(json, "problems", json_of(e->v, e->n));
		json_object_set_new(json, "warnings", json_of(e->warnings, e->nwarnings));
		json_object_set_new(json, "domains", cmd_json_number(k->ndomains));
		json_object_set_new(json, "aliases", cmd_json_number(k->aliases));
		return cmd_json_print(json);
	}
	for (size_t i = 0; i < e->n; i++) {
		cmd_print_span(span_str(e->v[i].text));
		putchar('\n');
	}
	for (size_t i = 0; i < e->nwarnings; i++) {
		printf("warning: ");
		cmd_print_span(span_str(e->warnings[i].text));
		putchar('\n');
	}
	if (e->n == 0)
		printf("%s: no problems; domains: %zu, aliases of domains: %zu\n",
		    cmd_config_path(ctx), k->ndomains, k->aliases);
	return 0;
}

int
cmd_check(struct cmd_context *ctx, char **argv)
{
	struct check k = {.root = NULL};
	struct config *c;
	struct cmd_args args;
	int r = cmd_parse(ctx, argv, NULL, 0, 0, -1, &args);

	if (r != CMD_GO_ON)
		return r;
	r = 0;
	c = args.n > 0 ? config_load_domains(cmd_config_path(ctx), &k.errors)
		       : config_load(cmd_config_path(ctx), &k.errors);
	if (c != NULL)
		r = check_domains(&k, c, args.v);
	check_problems_order(&k.errors);
	config_errors_finish(&k.errors, k.errors.n);
	if (r == 0)
		r = print(ctx, &k);
	if (r == 0 && k.errors.n > 0)
		r = EX_CONFIG;
	config_errors_release(&k.errors);
	config_free(&c);
	return r;
}
