/*
 * cmd_domain: postrider domain add and list. What they do to the disk is
 * conf/admin.h's; the daemon sees it by itself.
 */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sysexits.h>

#include "common/address.h"
#include "conf/admin.h"
#include "queue/cmd_list.h"
#include "queue/cmd_verbs.h"

struct addition {
	const char *name, *owner;
};

static int
add(const struct config *c, struct buf *why, void *arg)
{
	const struct addition *a = arg;

	return admin_domain_add(c, a->name, a->owner, why) == 0 ? 0 : EX_CANTCREAT;
}

int
cmd_domain_add(struct cmd_context *ctx, char **argv)
{
	struct addition a = {.owner = NULL};
	const struct cmd_option options[] = {{.name = "owner", .value = &a.owner}};
	char canonical[DOMAIN_MAX + 1];
	const char *reason = "";
	struct cmd_args args;
	size_t len;
	int r = cmd_parse(ctx, argv, options, 1, 1, 1, &args);

	if (r != CMD_GO_ON)
		return r;
	a.name = args.v[0];
	if (domain_canonical(span_str(a.name), true, canonical, &len, &reason) != 0)
		return cmd_fail(EX_USAGE, "%s: expected a domain name: %s", a.name, reason);
	return cmd_with_config(ctx, add, &a);
}

static void
add_to_table(struct cmd_table *t, const struct admin_domain *d)
{
	const struct passwd *pw = getpwuid(d->uid);
	const struct group *gr;

	cmd_table_addf(t, "%s", d->name);
	if (d->alias_of != NULL) {
		cmd_table_addf(t, "-");
		cmd_table_addf(t, "-");
		cmd_table_addf(t, "alias of %s", d->alias_of);
		return;
	}
	cmd_table_addf(t, "%zu", d->users);
	if (pw != NULL && (gr = getgrgid(d->gid)) != NULL)
		cmd_table_addf(t, "%s:%s", pw->pw_name, gr->gr_name);
	else
		cmd_table_addf(t, "%u:%u", (unsigned)d->uid, (unsigned)d->gid);
	cmd_table_addf(t, "%s", d->problem != NULL ? d->problem : "");
}

static void
on_domain(const struct admin_domain *d, void *arg)
{
	struct cmd_list *l = arg;
	json_t *one;

	if (l->table != NULL) {
		add_to_table(l->table, d);
		return;
	}
	one = cmd_list_add(l);
	json_object_set_new(one, "name", cmd_json_text(d->name));
	json_object_set_new(one, "alias-of", cmd_json_text(d->alias_of));
	json_object_set_new(one, "path", cmd_json_text(d->path));
	json_object_set_new(one, "uid", json_integer(d->uid));
	json_object_set_new(one, "gid", json_integer(d->gid));
	json_object_set_new(one, "users", cmd_json_number(d->users));
	json_object_set_new(one, "problem", cmd_json_text(d->problem));
}

static int
list(const struct config *c, struct buf *why, void *arg)
{
	const struct cmd_context *ctx = arg;
	struct cmd_list l;
	int r;

	cmd_list_init(&l, ctx->json, "domains", "DOMAIN|>USERS|OWNER|");
	r = admin_domain_list(c, on_domain, &l, why) == 0 ? 0 : EX_NOINPUT;
	if (cmd_list_print(&l) != 0)
		r = EX_IOERR;
	cmd_list_release(&l);
	return r;
}

int
cmd_domain_list(struct cmd_context *ctx, char **argv)
{
	struct cmd_args args;
	int r = cmd_parse(ctx, argv, NULL, 0, 0, 0, &args);

	return r != CMD_GO_ON ? r : cmd_with_config(ctx, list, ctx);
}
