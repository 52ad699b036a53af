/*
 * policy_open: what the configuration alone says about clients. Apart from the rest of policy, so that smtpd,
 * which asks it, has nothing of that. See policy.h.
 */
#include "conf/policy.h"
#include "conf/policy_private.h"

bool
policy_dns_is_any_on(const struct config *c)
{
	for (size_t i = 0; i < c->ndnsbls; i++)
		if (c->dnsbls[i].action >= CHECK_WARN)
			return true;
	return c->client_name >= CHECK_WARN || c->helo_name >= CHECK_WARN ||
	       c->helo_resolves >= CHECK_WARN || c->helo_ours >= CHECK_WARN ||
	       c->sender_domain >= CHECK_WARN;
}

/* The table, the limits that conf/policy_limits.c finds for connections and commands, and what policy_wants names without a table. */
bool
policy_connect_is_open(const struct config *c)
{
	static const enum config_rate rates[] = {RATE_CONNECTION_CLIENT,
	    RATE_CONNECTION_NETWORK, RATE_COMMAND_CLIENT, RATE_COMMAND_NETWORK};

	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
		if (c->rates[rates[i]].count > 0)
			return false;
	return c->access_table == NULL && c->client_name == CHECK_OFF &&
	       !policy_dns_is_any_on(c);
}
