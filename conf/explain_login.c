/*
 * explain_login: may somebody of this name log in, and if not, why? See explain_login.h. The decision
 * is account_find's; here is only told what it has looked at.
 */
#include "conf/explain_login.h"

#include <string.h>

#include "conf/account.h"
#include "conf/fold.h"
#include "conf/refusal.h"

/* Nobody can have such a name: it is no address, or its domain is not hosted. */
static void
tell_no_domain(const struct resolve_env *env, struct span user, struct trace *trace)
{
	char home[DOMAIN_MAX + 1] = "";
	bool is_whole = span_rindex(user, '@') >= 0;
	struct trace_place here = {NULL, env->config->path, 0};
	struct address typed;
	const char *why = "";
	struct buf text;

	if (!is_whole)
		account_home(env, span_str(""), home);
	if (!is_whole && home[0] == '\0') {
		trace_look(trace, "auth-domain", here,
		    "is not set, so that %.*s is nobody: a whole address is wanted",
		    SPAN_ARG(user));
		return;
	}
	buf_init(&text, user.len + sizeof home + 1);
	buf_addf(&text, "%.*s%s%s", SPAN_ARG(user), is_whole ? "" : "@", home);
	if (address_parse(buf_span(&text), ADDRESS_UTF8, &typed, &why) != 0)
		trace_add(trace, "nobody can log in as %s: %s", buf_str(&text), why);
	else
		trace_look(trace, "domains",
		    (struct trace_place){NULL, env->config->domains, 0},
		    "%.*s is not hosted here: nobody can log in as %s",
		    SPAN_ARG(address_domain(&typed)), buf_str(&text));
	buf_release(&text);
}

/* The user's line in etc/passwd, or that there is none; the account has a name, so there is the domain. */
static void
tell_user(
    const struct resolve_env *env, const struct address *account, bool can, struct trace *trace)
{
	char folded[LOCAL_PART_MAX + 1];
	struct span name = span_make(folded, fold_address(account, folded));
	const struct passwd_user *u;
	struct domain *d = NULL;
	struct buf why;

	buf_init(&why, 1024);
	if (env->source.find(env->source.arg, address_domain(account), &d, &why) ==
	    LOOKUP_FOUND) {
		struct trace_place place = {d->path, "etc/passwd", 0};

		u = passwd_find(&d->passwd, name);
		place.line = u != NULL ? u->line : 0;
		if (can)
			trace_look(trace, "user", place, "%s is a user with a password",
			    account->text);
		else if (u != NULL)
			trace_look(trace, "user", place,
			    "the password of %.*s is locked, or of no known form: nobody can "
			    "log in as %s",
			    SPAN_ARG(name), account->text);
		else
			trace_look(trace, "user", place,
			    "there is no user %.*s: nobody can log in as %s", SPAN_ARG(name),
			    account->text);
	}
	buf_release(&why);
}

static void
refuse(struct verdict *v, const char **rule, enum verdict_kind kind, int code,
    const char *status, const char *text, const char *its_rule)
{
	verdict_set(v, kind, code, status, "%s", text);
	*rule = its_rule;
}

bool
explain_login(const struct resolve_env *env, struct span user, struct trace *trace,
    struct address *account, struct verdict *v, const char **rule)
{
	/* What an attempt would cost is not asked here: any secret does. */
	static const unsigned char secret[SCRAM_SECRET_SIZE];
	struct account_search search = {
	    .user = user, .use = ACCOUNT_PASSWORD, .secret = secret};
	struct account a;
	enum lookup l;
	struct buf why;

	buf_init(&why, 1024);
	l = account_find(env, &search, &a, &why);
	*account = a.name;
	explicit_bzero(&a, sizeof a);
	if (l == LOOKUP_UNKNOWN) {
		trace_add(trace, "login cannot be decided: %s", buf_str(&why));
		refuse(v, rule, VERDICT_TEMPORARY, REFUSAL_LOGIN_UNDECIDED);
	} else {
		if (account->len > 0)
			tell_user(env, account, l == LOOKUP_FOUND, trace);
		else
			tell_no_domain(env, user, trace);
		if (l == LOOKUP_NOT_FOUND)
			refuse(v, rule, VERDICT_PERMANENT, REFUSAL_LOGIN);
	}
	buf_release(&why);
	return l == LOOKUP_FOUND;
}
