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

static int
run(struct cmd_context *ctx, char **argv, admin_fn *act)
{
	bool from_stdin = false, locked = false;
	struct admin_password new = {.text = NULL};
	const struct cmd_option options[] = {{.name = "stdin", .given = &from_stdin},
	    {.name = "locked", .given = &locked}, {.name = "scheme", .value = &new.scheme}};
	struct config *c;
	struct cmd_args args;
	struct buf password, why;
	int r = cmd_parse(ctx, argv, options, 3, 1, 1, &args);

	if (r != CMD_GO_ON)
		return r;
	if (locked && (from_stdin || new.scheme != NULL))
		return cmd_fail_usage(ctx, "--locked takes no password");
	c = cmd_load_config(ctx);
	if (c == NULL)
		return EX_CONFIG;
	buf_init(&password, CMD_PASSWORD_MAX);
	buf_init(&why, 4096);
	r = locked ? 0 : cmd_password_read(from_stdin, &password);
	new.text = locked ? NULL : buf_str(&password);
	if (r == 0 && act(c, args.v[0], &new, &why) != 0)
		r = cmd_fail(EX_CANTCREAT, "%s", buf_str(&why));
	cmd_password_clear(&password);
	buf_release(&why);
	config_free(&c);
	return r;
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
