/*
 * cmd_user: postrider user add and passwd. What they do to the domain's passwd is
 * conf/admin.h's. A password never stands in an argument, where others could see it.
 */
#include <sysexits.h>

#include "conf/admin.h"
#include "queue/cmd_password.h"
#include "queue/cmd_verbs.h"

typedef int admin_fn(const struct config *c, const char *address,
    const struct admin_password *password, struct buf *why);

struct request {
	admin_fn *act;
	const char *address, *scheme;
	bool from_stdin, locked;
};

static int
store_password(const struct config *c, struct buf *why, void *arg)
{
	const struct request *q = arg;
	struct admin_password new = {.scheme = q->scheme};
	struct buf password;
	int r = 0;

	if (admin_user_look(c, q->address, q->act == admin_user_passwd, why) != 0)
		return EX_CANTCREAT;
	buf_init_secret(&password, CMD_PASSWORD_MAX);
	if (!q->locked) {
		r = cmd_password_read(q->from_stdin, &password);
		new.text = buf_str(&password);
	}
	if (r == 0 && q->act(c, q->address, &new, why) != 0)
		r = EX_CANTCREAT;
	buf_release(&password);
	return r;
}

static int
run(struct cmd_context *ctx, char **argv, admin_fn *act)
{
	struct request q = {.act = act};
	const struct cmd_option options[] = {{.name = "stdin", .given = &q.from_stdin},
	    {.name = "locked", .given = &q.locked}, {.name = "scheme", .value = &q.scheme}};
	struct cmd_args args;
	int r = cmd_parse(ctx, argv, options, 3, 1, 1, &args);

	if (r != CMD_GO_ON)
		return r;
	if (q.locked && (q.from_stdin || q.scheme != NULL))
		return cmd_fail_usage(ctx, "--locked takes no password");
	q.address = args.v[0];
	r = cmd_check_address(q.address);
	return r != CMD_GO_ON ? r : cmd_with_config(ctx, store_password, &q);
}

int
cmd_user_add(struct cmd_context *ctx, char **argv)
{
	return run(ctx, argv, admin_user_add);
}

int
cmd_user_passwd(struct cmd_context *ctx, char **argv)
{
	return run(ctx, argv, admin_user_passwd);
}
