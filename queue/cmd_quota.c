/*
 * cmd_quota: postrider user quota: how full a mailbox is and may be, and a quota of
 * its user's own. What is done to the domain's passwd is conf/admin.h's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "conf/admin.h"
#include "conf/domain_conf.h"
#include "conf/units.h"
#include "queue/cmd_verbs.h"

struct request {
	const struct cmd_context *ctx;
	const char *address, *value; /* NULL: only ask */
};

static int
set(const struct config *c, const struct request *q, struct buf *why)
{
	bool remove = strcmp(q->value, "default") == 0;
	uint64_t octets = 0;

	if (!remove && strcmp(q->value, "none") != 0 &&
	    (units_parse_size(span_str(q->value), &octets) != 0 ||
		(octets > 0 && octets < 1024) || octets > DOMAIN_QUOTA_MAX))
		return cmd_fail_usage(q->ctx,
		    "%s: expected a whole number with K, M, G or T such as 500M, from 1K to "
		    "4095G, or none, or default",
		    q->value);
	return admin_user_set_quota(c, q->address, octets, remove, why) == 0 ? 0 : EX_CANTCREAT;
}

static int
print_json(const char *address, const struct admin_quota *q)
{
	json_t *json = json_object();

	json_object_set_new(json, "address", cmd_json_text(address));
	json_object_set_new(
	    json, "quota", q->limit > 0 ? cmd_json_number(q->limit) : json_null());
	json_object_set_new(json, "own", json_boolean(q->own));
	json_object_set_new(json, "octets", cmd_json_number(q->octets));
	json_object_set_new(json, "messages", cmd_json_number(q->messages));
	json_object_set_new(json, "at-least", json_boolean(q->at_least));
	return cmd_json_print(json);
}

static int
print(const char *address, const struct admin_quota *q)
{
	char used[CMD_SIZE_SIZE], limit[CMD_SIZE_SIZE];

	printf("%s: %s%s in %" PRIu64 " messages", address, q->at_least ? "at least " : "",
	    cmd_format_size(q->octets, used), q->messages);
	if (q->limit > 0)
		printf(", %" PRIu64 " %% of %s", q->octets * 100 / q->limit,
		    cmd_format_size(q->limit, limit));
	printf("; quota: %s\n", q->own ? q->limit > 0 ? "the user's own" : "none, for this user"
				: q->limit > 0 ? "the domain's"
					       : "none");
	return fflush(stdout) == 0 ? 0 : EX_IOERR;
}

static int
ask_or_set(const struct config *c, struct buf *why, void *arg)
{
	const struct request *q = arg;
	struct admin_quota quota;

	if (q->value != NULL)
		return set(c, q, why);
	if (admin_user_quota(c, q->address, &quota, why) != 0)
		return EX_NOINPUT;
	return q->ctx->json ? print_json(q->address, &quota) : print(q->address, &quota);
}

int
cmd_user_quota(struct cmd_context *ctx, char **argv)
{
	struct request q = {.ctx = ctx};
	struct cmd_args args;
	int r = cmd_parse(ctx, argv, NULL, 0, 1, 2, &args);

	if (r != CMD_GO_ON)
		return r;
	q.address = args.v[0];
	q.value = args.v[1];
	r = cmd_check_address(q.address);
	return r != CMD_GO_ON ? r : cmd_with_config(ctx, ask_or_set, &q);
}
