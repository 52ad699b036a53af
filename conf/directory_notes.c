/* directory_notes: what is told and not asked. See directory_notes.h. Called by conf/directory.c. */
#include "conf/directory_notes.h"

#include "conf/directory_fields.h"
#include "conf/policy_limits.h"

int
directory_notes_commands(
    const struct resolve_env *env, const struct wire_msg *m, const struct policy_client *client)
{
	uint64_t n = 0;
	struct span s;

	if (wire_get(m, "commands", &s) == 0 && span_to_u64(s, UINT32_MAX, &n) != 0)
		return -1;
	policy_count_commands(env, client, (uint32_t)n);
	return 0;
}

static int
take_accepted(
    const struct resolve_env *env, const struct wire_msg *m, const struct policy_client *client)
{
	struct address from;
	struct verdict v;

	if (client->recipients == 0 ||
	    directory_get_address(m, "from", ADDRESS_ALLOW_EMPTY, &from, &v) != 0)
		return -1;
	policy_count_message(env, client, &from, client->recipients);
	return 0;
}

int
directory_notes_take(const struct resolve_env *env, const struct wire_msg *m)
{
	struct policy_client client;

	if (directory_get_client(m, &client) != 0 ||
	    directory_notes_commands(env, m, &client) != 0)
		return -1;
	if (span_is(m->verb, "commands"))
		return 0;
	return span_is(m->verb, "accepted") ? take_accepted(env, m, &client) : -1;
}
