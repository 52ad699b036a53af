/* directory_fields: what questions and answers have in common. See directory_fields.h. */
#include "conf/directory_fields.h"

#include <string.h>

#include "conf/fingerprint.h"

/* A number that may be missing: 0. -1 if it is none. */
static int
get_count(const struct wire_msg *m, const char *name, uint64_t most, uint64_t *out)
{
	struct span s;

	*out = 0;
	return wire_get(m, name, &s) != 0 || span_to_u64(s, most, out) == 0 ? 0 : -1;
}

/* What it has shown of itself in the TLS handshake. */
static int
get_certificate(const struct wire_msg *m, struct policy_client *c)
{
	char text[FINGERPRINT_SIZE];

	c->verified = wire_is_yes(m, "verified");
	if (wire_get(m, "certificate", &c->certificate) == 0 &&
	    fingerprint_parse(c->certificate, text) != 0)
		return -1;
	if (wire_get(m, "public-key", &c->public_key) == 0 &&
	    fingerprint_parse(c->public_key, text) != 0)
		return -1;
	return 0;
}

int
directory_get_client(const struct wire_msg *m, struct policy_client *c)
{
	struct span role, address;
	uint64_t uid = 0, recipients;

	*c = (struct policy_client){.role = LISTENER_MX};
	if (wire_get(m, "role", &role) != 0 || listener_role_parse(role, &c->role) != 0)
		return -1;
	if (wire_get(m, "client", &address) == 0 && address.len > 0 &&
	    netaddr_parse(address, &c->address) != 0)
		return -1;
	if (c->role == LISTENER_SUBMIT) {
		if (wire_get_u64(m, "uid", UINT32_MAX, &uid) != 0)
			return -1;
	} else if (c->address.family == 0) {
		return -1;
	}
	c->uid = (uid_t)uid;
	wire_get(m, "helo", &c->helo);
	wire_get(m, "auth", &c->auth);
	if (get_certificate(m, c) != 0 ||
	    get_count(m, "recipients", UINT32_MAX - 1, &recipients) != 0 ||
	    get_count(m, "size", INT64_MAX, &c->size) != 0)
		return -1;
	c->recipients = (uint32_t)recipients;
	return 0;
}

static void
add_want(enum fact_kind kind, const char *name, void *arg)
{
	wire_addf(arg, "want", "%s %s", fact_kind_name(kind), name);
}

void
directory_add_wants(struct wire_out *w, const struct resolve_env *env,
    const struct policy_client *client, const struct address *from)
{
	policy_wants(env, client, from, add_want, w);
}

int
directory_get_address(const struct wire_msg *m, const char *name, unsigned flags,
    struct address *a, struct verdict *v)
{
	const char *why = "";
	struct span s;

	if (wire_get(m, name, &s) != 0)
		return -1;
	if (address_parse(s, ADDRESS_UTF8 | flags, a, &why) == 0)
		return 0;
	verdict_set(v, VERDICT_PERMANENT, 553, "5.1.3", "%s", why);
	return 1;
}

void
directory_add_decision(struct wire_out *w, const struct policy_answer *a)
{
	wire_add_verdict(w, &a->verdict);
	wire_add_str(w, "rule", a->rule);
	if (a->verdict.kind == VERDICT_OK && a->action != POLICY_DELIVER)
		wire_add_str(w, "action", policy_action_name(a->action));
	for (unsigned i = 0; i < a->nwarnings; i++)
		wire_addf(w, "warning", "%s %s", a->warnings[i].rule, a->warnings[i].text);
	if (a->verdict.kind == VERDICT_OK && a->size_limit > 0)
		wire_add_u64(w, "size-limit", a->size_limit);
	if (a->verdict.kind == VERDICT_OK && a->count)
		wire_add_str(w, "count", "yes");
}

void
directory_add_targets(struct wire_out *w, struct resolution *r)
{
	static const char *const kinds[] = {[TARGET_MAILBOX] = "mailbox",
	    [TARGET_REMOTE] = "remote",
	    [TARGET_FAILURE] = "failure"};
	size_t octets = 0;

	for (size_t i = 0; i < r->n; i++)
		octets += strlen(r->v[i].address) + strlen(r->v[i].destination) + 48;
	if (octets > WIRE_TEXT_MAX - 65536) {
		resolution_release(r);
		verdict_set(&r->verdict, VERDICT_PERMANENT, 550, "5.4.6",
		    "Expands to more addresses than can be taken");
	}
	wire_add_verdict(w, &r->verdict);
	for (size_t i = 0; i < r->n; i++) {
		wire_add_str(w, "target", kinds[r->v[i].kind]);
		wire_add_str(w, "address", r->v[i].address);
		wire_add_str(w, "destination", r->v[i].destination);
	}
}
