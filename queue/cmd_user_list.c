/* cmd_user_list: postrider user list: who has a mailbox in a domain, who can log in, and what quota holds. */
#include <stdio.h>
#include <sysexits.h>

#include "common/address.h"
#include "conf/admin.h"
#include "queue/cmd_list.h"
#include "queue/cmd_verbs.h"

struct question {
	const char *domain;
	struct cmd_list list;
};

static void
add_to_table(struct cmd_table *t, const struct admin_user *u)
{
	char limit[CMD_SIZE_SIZE];

	cmd_table_addf(t, "%s", u->address);
	cmd_table_addf(t, "%s", !u->login ? "no" : u->scram ? "yes, by SCRAM too" : "yes");
	cmd_table_addf(t, "%s", u->limit > 0 ? cmd_format_size(u->limit, limit) : "none");
	cmd_table_addf(t, "%s", u->own ? "the user's own" : u->limit > 0 ? "the domain's" : "");
}

static void
on_user(const struct admin_user *u, void *arg)
{
	struct cmd_list *l = arg;
	json_t *one;

	if (l->table != NULL) {
		add_to_table(l->table, u);
		return;
	}
	one = cmd_list_add(l);
	json_object_set_new(one, "address", cmd_json_text(u->address));
	json_object_set_new(one, "line", cmd_json_number(u->line));
	json_object_set_new(one, "login", json_boolean(u->login));
	json_object_set_new(one, "scram", json_boolean(u->scram));
	json_object_set_new(
	    one, "quota", u->limit > 0 ? cmd_json_number(u->limit) : json_null());
	json_object_set_new(one, "own", json_boolean(u->own));
}

static int
list(const struct config *c, struct buf *why, void *arg)
{
	struct question *q = arg;

	return admin_user_list(c, q->domain, on_user, &q->list, why) == 0 ? 0 : EX_NOINPUT;
}

int
cmd_user_list(struct cmd_context *ctx, char **argv)
{
	struct question q;
	char canonical[DOMAIN_MAX + 1];
	const char *reason = "";
	struct cmd_args args;
	size_t len;
	int r = cmd_parse(ctx, argv, NULL, 0, 1, 1, &args);

	if (r != CMD_GO_ON)
		return r;
	q.domain = args.v[0];
	if (domain_canonical(span_str(q.domain), true, canonical, &len, &reason) != 0)
		return cmd_fail(EX_USAGE, "%s: expected a domain name: %s", q.domain, reason);
	cmd_list_init(&q.list, ctx->json, "users", "USER|LOGIN|>QUOTA|");
	r = cmd_with_config(ctx, list, &q);
	if (r == 0)
		r = cmd_list_print(&q.list);
	cmd_list_release(&q.list);
	return r;
}
