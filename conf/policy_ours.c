/*
 * policy_ours: which clients are ours, and may relay: by their address, or by the
 * certificate they have shown in the TLS handshake (whose key they have proven to
 * hold). See policy_private.h. A name in a certificate decides nothing, so neither
 * does what somebody hides in one (CVE-2009-4565): it is the one that is listed, or
 * it comes from an authority of the administrator's choice.
 */
#include <string.h>

#include "conf/policy_private.h"

static bool
has_address(
    const struct resolve_env *env, const struct policy_client *client, struct trace *trace)
{
	const struct trace_place here = {NULL, env->config->path, 0};
	const struct netblock *ours =
	    config_netblocks_find(&env->config->relay_from, &client->address);
	char name[NETADDR_TEXT_SIZE];

	if (trace == NULL)
		return ours != NULL; /* asked for each message, more than once */
	if (ours == NULL)
		trace_look(trace, "relay-from", here, "no network of it has the client");
	else
		trace_look(trace, "relay-from", here, "%s/%u has the client",
		    netaddr_format(&ours->base, name), ours->bits);
	return ours != NULL;
}

static bool
is_listed(
    const struct resolve_env *env, const struct policy_client *client, struct trace *trace)
{
	const struct config_strings *list = &env->config->relay_client_certs;
	const struct trace_place here = {NULL, env->config->path, 0};

	if (list->n == 0)
		return false;
	for (size_t i = 0; client->certificate.len > 0 && i < list->n; i++) {
		bool whole = span_is(client->certificate, list->v[i]);

		if (!whole && !span_is(client->public_key, list->v[i]))
			continue;
		trace_look(trace, "relay-client-certs", here, "%s is that of the client's %s",
		    list->v[i], whole ? "certificate" : "public key");
		return true;
	}
	trace_look(trace, "relay-client-certs", here, "%s%.*s%s",
	    client->certificate.len > 0 ? "" : "the client has shown no certificate",
	    SPAN_ARG(client->certificate), client->certificate.len > 0 ? " is not in it" : "");
	return false;
}

static bool
is_vouched_for(
    const struct resolve_env *env, const struct policy_client *client, struct trace *trace)
{
	const struct trace_place here = {NULL, env->config->path, 0};
	bool ours = client->certificate.len > 0 && client->verified;

	if (!env->config->relay_verified_clients)
		return false;
	trace_look(trace, "relay-verified-clients", here, "%s",
	    ours			  ? "the client's certificate comes from client-ca"
	    : client->certificate.len > 0 ? "the client's certificate is not verified"
					  : "the client has shown no certificate");
	return ours;
}

const char *
policy_ours(
    const struct resolve_env *env, const struct policy_client *client, struct trace *trace)
{
	if (has_address(env, client, trace))
		return "relay-from";
	if (is_listed(env, client, trace))
		return "relay-client-certs";
	return is_vouched_for(env, client, trace) ? "relay-verified-clients" : NULL;
}
