/*
 * policy_dns: is a stranger believed? By lists of clients in the DNS (RFC 5782), the
 * name of its address, what it greets with, and whether an answer to the sender could
 * be sent. See policy.h; called by policy_rcpt when all else accepts, so that each
 * refusal names its recipient and postmaster can be reached (RFC 5321 4.5.1).
 *
 * Invariant: what is not known refuses nothing. Only what the DNS itself said counts.
 */
#include <stdarg.h>
#include <string.h>

#include "conf/policy.h"
#include "conf/policy_private.h"
#include "conf/reply_filter.h"

/* One recipient being looked at. */
struct look {
	const struct resolve_env *env;
	const struct policy_client *client;
	const struct address *from;
	const struct access_table *table; /* NULL: there is none */
	struct trace *trace;
	struct policy_answer *answer;
};

/* --- who is not looked at --- */

static bool
spares(const struct access_entry *e)
{
	return e != NULL && (e->action == ACCESS_OK || e->action == ACCESS_RELAY);
}

/* Why the client is none of the strangers, or NULL. */
static const char *
why_no_stranger(const struct resolve_env *env, const struct policy_client *client,
    const struct access_table *table)
{
	if (client->role != LISTENER_MX || client->auth.len > 0)
		return "the client has logged in, or is a user of this system";
	if (policy_ours(env, client, NULL) != NULL)
		return "the client is one of ours, and may relay";
	if (table != NULL && spares(policy_table_client(table, client)))
		return "the access table spares the client";
	return NULL;
}

/* Nobody is asked about senders whom mail reaches without the DNS, or who are vouched for. */
static bool
is_sender_asked_about(
    const struct resolve_env *env, const struct address *from, const struct access_table *table)
{
	struct domain *d;
	struct buf why;
	enum lookup l;

	if (from->len == 0 || from->literal || address_domain(from).len == 0 ||
	    policy_relay_domain(env, address_domain(from).p) != NULL ||
	    (table != NULL && spares(policy_table_address(env, table, ACCESS_FROM, from))))
		return false;
	buf_init(&why, 1024);
	l = env->source.find(env->source.arg, address_domain(from), &d, &why);
	buf_release(&why);
	return l == LOOKUP_NOT_FOUND;
}

/* The name that the client greets with, canonical; -1 if it is a literal, or no host name. */
static int
greeting_name(const struct policy_client *client, char out[DOMAIN_MAX + 1])
{
	const char *why;
	size_t len;

	return domain_canonical(client->helo, false, out, &len, &why);
}

/* --- what is to be known --- */

struct wish {
	const struct facts *known;
	policy_want_fn *fn;
	void *arg;
};

static void
want(const struct wish *w, enum fact_kind kind, const char *name)
{
	if (facts_find(w->known, kind, span_str(name)) == NULL)
		w->fn(kind, name, w->arg);
}

void
policy_wants(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, policy_want_fn *fn, void *arg)
{
	const struct config *c = env->config;
	const struct access_table *table =
	    env->senders != NULL ? access_file_table(env->senders) : NULL;
	const struct wish w = {client->facts, fn, arg};
	char helo[DOMAIN_MAX + 1];

	if (client->role == LISTENER_SUBMIT)
		return;
	if (c->client_name != CHECK_OFF || (table != NULL && access_table_has_names(table)))
		want(&w, FACT_PTR, "-");
	if (!policy_dns_is_any_on(c) || why_no_stranger(env, client, table) != NULL)
		return;
	for (size_t i = 0; i < c->ndnsbls; i++)
		if (c->dnsbls[i].action >= CHECK_WARN)
			want(&w, FACT_LIST, c->dnsbls[i].zone);
	for (size_t i = 0; i < c->ndnswls; i++)
		want(&w, FACT_LIST, c->dnswls[i].zone);
	if (from == NULL)
		return;
	if (c->helo_resolves >= CHECK_WARN && greeting_name(client, helo) == 0)
		want(&w, FACT_HOST, helo);
	if (c->sender_domain >= CHECK_WARN && is_sender_asked_about(env, from, table))
		want(&w, FACT_DOMAIN,
		    address_domain(from).p); /* it ends where the address does */
}

/* --- findings --- */

/* A check found something: true if that refuses the recipient. */
static bool __attribute__((format(printf, 7, 8)))
found(struct look *k, enum config_check check, const char *rule, enum verdict_kind kind,
    int code, const char *status, const char *fmt, ...)
{
	struct policy_answer *a = k->answer;
	struct policy_warning *w = &a->warnings[a->nwarnings];
	struct verdict v = {.kind = kind};
	char text[sizeof v.text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	verdict_set_text(&v, kind, code, status, text);
	if (check == CHECK_REJECT) {
		a->verdict = v;
		policy_decide(a, k->trace, rule);
		return true;
	}
	trace_add(k->trace, "rule %s: warns: %s", rule, v.text);
	if (a->nwarnings < POLICY_WARNINGS_MAX) {
		a->nwarnings++;
		w->rule = rule;
		snprintf(w->text, sizeof w->text, "%s", v.text);
	}
	return false;
}

/* The fact, as a step: NULL if it is not known. */
static const struct fact *
look_up(struct look *k, const char *what, enum fact_kind kind, const char *name)
{
	const struct fact *f = facts_find(k->client->facts, kind, span_str(name));
	const struct trace_place here = {NULL, k->env->config->path, 0};
	struct buf line;

	buf_init(&line, FACT_TEXT_MAX);
	if (f != NULL)
		fact_tell(f, &line);
	trace_look(
	    k->trace, what, here, "%s", f != NULL ? buf_str(&line) : "the DNS was not asked");
	buf_release(&line);
	return f != NULL && f->result != FACT_UNKNOWN ? f : NULL;
}

/* --- lists --- */

static bool
counts(const struct config_dnslist *list, uint32_t reply)
{
	if (list->nreplies == 0)
		return reply_filter_counts(reply);
	for (size_t i = 0; i < list->nreplies; i++)
		if (reply_filter_matches(&list->replies[i], reply))
			return true;
	return false;
}

static bool
has_client(struct look *k, const char *what, const struct config_dnslist *list)
{
	const struct fact *f = look_up(k, what, FACT_LIST, list->zone);

	for (unsigned i = 0; f != NULL && i < f->nreplies; i++)
		if (counts(list, f->replies[i]))
			return true;
	return false;
}

/* The list's text with what stands for %c, %z and %% in it. */
static void
format_text(
    const struct config_dnslist *list, const struct policy_client *client, struct buf *out)
{
	const char *text = list->text != NULL ? list->text : "%c is listed in %z";
	char name[NETADDR_TEXT_SIZE];

	for (; *text != '\0'; text++) {
		if (*text != '%')
			buf_add_char(out, *text);
		else if (*++text == 'c')
			buf_add_str(out, policy_client_name(client, name));
		else if (*text == 'z')
			buf_add_str(out, list->zone);
		else
			buf_add_char(out, '%');
	}
}

static bool
lists_refuse(struct look *k)
{
	const struct config *c = k->env->config;
	bool refused = false;

	for (size_t i = 0; i < c->ndnsbls && !refused; i++) {
		const struct config_dnslist *list = &c->dnsbls[i];
		struct buf text;

		if (list->action < CHECK_WARN || !has_client(k, "dnsbl", list))
			continue;
		buf_init(&text, 1024);
		format_text(list, k->client, &text);
		refused = found(k, list->action, "dnsbl", VERDICT_PERMANENT, 554, "5.7.1", "%s",
		    buf_str(&text));
		buf_release(&text);
	}
	return refused;
}

static bool
is_whitelisted(struct look *k)
{
	const struct config *c = k->env->config;

	for (size_t i = 0; i < c->ndnswls; i++)
		if (has_client(k, "dnswl", &c->dnswls[i]))
			return true;
	return false;
}

/* --- the client's name --- */

static bool
name_refuses(struct look *k)
{
	enum config_check check = k->env->config->client_name;
	char address[NETADDR_TEXT_SIZE];
	const struct fact *f;

	if (check < CHECK_WARN)
		return false;
	policy_client_name(k->client, address);
	f = look_up(k, "client-name", FACT_PTR, "-");
	if (f != NULL && f->result == FACT_NONE)
		return found(k, check, "client-name", VERDICT_PERMANENT, 550, "5.7.25",
		    "%s has no name in the DNS (PTR)", address);
	if (f != NULL && f->result == FACT_UNCONFIRMED)
		return found(k, check, "client-name", VERDICT_PERMANENT, 550, "5.7.25",
		    "%s is not an address of %s, the name that it has in the DNS (PTR)",
		    address, f->name);
	return false;
}

/* --- what it greets with --- */

/* RFC 5321 4.1.3: "[192.0.2.1]", "[IPv6:2001:db8::1]". */
static bool
is_own_literal(const struct policy_client *client)
{
	struct span s = client->helo;
	struct netaddr a;

	if (s.len < 2 || s.p[0] != '[' || s.p[s.len - 1] != ']')
		return false;
	s = span_make(s.p + 1, s.len - 2);
	if (span_starts_with_nocase(s, "IPv6:"))
		s = span_skip(s, 5);
	return netaddr_parse(s, &a) == 0 && netaddr_equal_ip(&a, &client->address);
}

/* Two labels at least, the last of which is no number (RFC 3696 2). */
static bool
is_full_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL && strspn(dot + 1, "0123456789") < strlen(dot + 1);
}

static bool
is_ours(const struct look *k, const char *name)
{
	struct domain *d;
	struct buf why;
	enum lookup l;

	if (strcmp(name, k->env->config->hostname) == 0)
		return true;
	buf_init(&why, 1024);
	l = k->env->source.find(k->env->source.arg, span_str(name), &d, &why);
	buf_release(&why);
	return l != LOOKUP_NOT_FOUND; /* one whose files are broken is ours, too */
}

static bool
greeting_refuses(struct look *k)
{
	const struct config *c = k->env->config;
	const struct span helo = k->client->helo;
	char name[DOMAIN_MAX + 1];
	bool named = greeting_name(k->client, name) == 0;
	const struct fact *f;

	if (helo.len == 0)
		return false; /* explain was not told one; MAIL does not come without */
	if (c->helo_name >= CHECK_WARN && !is_own_literal(k->client) &&
	    !(named && is_full_name(name)) &&
	    found(k, c->helo_name, "helo-name", VERDICT_PERMANENT, 550, "5.7.1",
		"HELO %.*s: want your full host name, or your address in brackets",
		SPAN_ARG(helo)))
		return true;
	if (!named)
		return false;
	if (c->helo_ours >= CHECK_WARN && is_ours(k, name) &&
	    found(k, c->helo_ours, "helo-ours", VERDICT_PERMANENT, 550, "5.7.1",
		"HELO %s: that is us, want your own name", name))
		return true;
	if (c->helo_resolves < CHECK_WARN)
		return false;
	f = look_up(k, "helo-resolves", FACT_HOST, name);
	return f != NULL && f->result == FACT_NONE &&
	       found(k, c->helo_resolves, "helo-resolves", VERDICT_PERMANENT, 550, "5.7.1",
		   "HELO %s: that name has no address in the DNS", name);
}

/* --- the sender's domain --- */

static bool
sender_refuses(struct look *k)
{
	enum config_check check = k->env->config->sender_domain;
	const char *domain = address_domain(k->from).p;
	const struct fact *f;

	if (check < CHECK_WARN || !is_sender_asked_about(k->env, k->from, k->table))
		return false;
	f = look_up(k, "sender-domain", FACT_DOMAIN, domain);
	if (f != NULL && f->result == FACT_NONE)
		return found(k, check, "sender-domain", VERDICT_PERMANENT, 550, "5.1.8",
		    "The sender's domain %s has neither MX nor address in the DNS", domain);
	if (f != NULL && f->result == FACT_NULL_MX)
		return found(k, check, "sender-domain", VERDICT_PERMANENT, 550, "5.7.27",
		    "The sender's domain %s takes no mail (null MX)", domain);
	if (f != NULL && f->result == FACT_TEMPORARY)
		return found(k, check, "sender-domain", VERDICT_TEMPORARY, 451, "4.1.8",
		    "The DNS does not tell now whether the sender's domain %s exists", domain);
	return false;
}

/* --- a recipient --- */

/* Who must be reachable, or wants to be. */
static bool
is_rcpt_spared(const struct policy_recipient *rcpt)
{
	char local[LOCAL_PART_MAX + 1];
	size_t len = address_local_unquoted(rcpt->address, local);

	return span_is_nocase(span_make(local, len), "postmaster") ||
	       (rcpt->line != NULL && rcpt->line->action == ACCESS_OK);
}

bool
policy_dns_refuses(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, const struct policy_recipient *rcpt,
    const struct access_table *table, struct trace *trace, struct policy_answer *answer)
{
	struct look k = {env, client, from, table, trace, answer};
	const char *why;

	if (!policy_dns_is_any_on(env->config))
		return false;
	why = why_no_stranger(env, client, table);
	if (why == NULL && is_rcpt_spared(rcpt))
		why = "mail for this recipient is not checked";
	if (why == NULL && is_whitelisted(&k))
		why = "a dnswl has the client";
	if (why != NULL) {
		trace_add(trace, "checks by the DNS: spared: %s", why);
		return false;
	}
	return lists_refuse(&k) || name_refuses(&k) || greeting_refuses(&k) ||
	       sender_refuses(&k);
}
