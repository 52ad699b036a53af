/* account: user names of logins. See account.h. Asked on the directory's loop; hashing is elsewhere. */
#include "conf/account.h"

#include <string.h>

#include "conf/certificate_files.h"
#include "conf/fold.h"

/* Users looked at to find one with a password of the kind that is wanted. */
#define NEIGHBOURS 64

void
account_home(const struct resolve_env *env, struct span server, char out[DOMAIN_MAX + 1])
{
	enum lookup l = LOOKUP_NOT_FOUND;
	struct domain *d = NULL;
	struct buf why;

	buf_init(&why, 1024);
	/* As far up as for the certificate that was shown. */
	for (int i = 0; i < CERTIFICATE_FILES_DEPTH && l == LOOKUP_NOT_FOUND &&
			span_index(server, '.') > 0;
	     i++, span_cut(&server, '.')) {
		buf_clear(&why);
		l = env->source.find(env->source.arg, server, &d, &why);
	}
	buf_release(&why);
	snprintf(out, DOMAIN_MAX + 1, "%s",
	    l == LOOKUP_FOUND		       ? d->name
	    : env->config->auth_domain != NULL ? env->config->auth_domain
					       : "");
}

/* The name as an address. -1 if it cannot be one of ours. */
static int
parse_name(
    const struct resolve_env *env, struct span user, struct span server, struct address *a)
{
	char home[DOMAIN_MAX + 1];
	const char *why;
	struct buf full;
	int r;

	if (span_rindex(user, '@') >= 0)
		return address_parse(user, ADDRESS_UTF8, a, &why);
	account_home(env, server, home);
	if (home[0] == '\0')
		return -1;
	buf_init(&full, ADDRESS_MAX);
	r = buf_add_span(&full, user) != 0 || buf_add_char(&full, '@') != 0 ||
		    buf_add_str(&full, home) != 0
		? -1
		: address_parse(buf_span(&full), ADDRESS_UTF8, a, &why);
	buf_release(&full);
	return r;
}

static void
keep_stored(struct account *a, struct span stored)
{
	memcpy(a->stored, stored.p, stored.len);
	a->stored_len = stored.len;
}

static bool
can_be_used(struct span stored, enum account_use use)
{
	enum password_form form = password_hash_form(stored, NULL);

	return use == ACCOUNT_SCRAM ? password_hash_allows_scram(form)
				    : form != PASSWORD_DISABLED && form != PASSWORD_UNKNOWN;
}

/* Where the name stands among the users is nobody's to know: a hash with a secret says it. */
static uint32_t
place_of(const struct account *a, const unsigned char *secret)
{
	struct scram s = {.salt_len = 0};
	uint32_t place;

	scram_make_up(&s, secret, span_str(a->name.text));
	memcpy(&place, s.stored_key, sizeof place);
	explicit_bzero(&s, sizeof s);
	return place;
}

/* What an attempt costs in this domain: as with one of its users, and always with the same one. */
static void
find_like(const struct domain *d, const struct account_search *search, struct account *a)
{
	uint32_t place = place_of(a, search->secret);

	for (size_t i = 0; i < NEIGHBOURS; i++) {
		const struct passwd_user *u = passwd_near(&d->passwd, place, i);
		struct span stored, text;
		struct scram s;

		if (u == NULL)
			return;
		stored = passwd_stored(&d->passwd, u);
		if (search->use == ACCOUNT_PASSWORD && can_be_used(stored, ACCOUNT_PASSWORD)) {
			keep_stored(a, stored);
			return;
		}
		if (search->use == ACCOUNT_SCRAM &&
		    password_hash_form(stored, &text) == PASSWORD_SCRAM_SHA256 &&
		    scram_parse(text, &s) == 0) {
			a->iterations = s.iterations;
			a->salt_len = s.salt_len;
			return;
		}
	}
}

static enum lookup
find_user(const struct domain *d, const struct account_search *search,
    const struct address *typed, struct account *a)
{
	char folded[LOCAL_PART_MAX + 1], text[ADDRESS_MAX + 1];
	struct span name = span_make(folded, fold_address(typed, folded)), stored;
	const struct passwd_user *u = passwd_find(&d->passwd, name);
	const char *why;
	int n = snprintf(text, sizeof text, "%.*s@%s", SPAN_ARG(name), d->name);

	if (n < 0 || (size_t)n >= sizeof text ||
	    address_parse(span_str(text), ADDRESS_UTF8, &a->name, &why) != 0) {
		a->name = (struct address){.len = 0};
		return LOOKUP_NOT_FOUND;
	}
	find_like(d, search, a);
	stored = u != NULL ? passwd_stored(&d->passwd, u) : span_str("");
	if (u == NULL || !can_be_used(stored, search->use))
		return LOOKUP_NOT_FOUND;
	keep_stored(a, stored);
	return LOOKUP_FOUND;
}

enum lookup
account_find(const struct resolve_env *env, const struct account_search *search,
    struct account *a, struct buf *why)
{
	struct address typed;
	struct domain *d = NULL;
	enum lookup l;

	*a = (struct account){.iterations = SCRAM_ITERATIONS, .salt_len = SCRAM_SALT_SIZE};
	keep_stored(a, span_str(PASSWORD_DUMMY));
	if (parse_name(env, search->user, search->server, &typed) != 0 || typed.literal)
		return LOOKUP_NOT_FOUND;
	l = env->source.find(env->source.arg, address_domain(&typed), &d, why);
	if (l != LOOKUP_FOUND)
		return l;
	return domain_usable(d, why) ? find_user(d, search, &typed, a) : LOOKUP_UNKNOWN;
}

bool
account_all_scram(const struct resolve_env *env, const char *domain)
{
	struct domain *d = NULL;
	struct buf why;
	bool all;

	if (*domain == '\0')
		return false;
	buf_init(&why, 1024);
	all = env->source.find(env->source.arg, span_str(domain), &d, &why) == LOOKUP_FOUND &&
	      domain_usable(d, &why) && d->passwd.without_scram == 0 &&
	      d->passwd.with_scram > 0;
	buf_release(&why);
	return all;
}

/* A target is local@domain of a mailbox; a subaddress may still stand in it. */
static bool
is_mailbox(const struct resolve_env *env, const char *target, struct span account)
{
	struct mailbox box = {.user = NULL};
	struct address a;
	struct verdict v;
	const char *why;
	bool same = false;
	char text[ADDRESS_MAX + 2];

	if (address_parse(span_str(target), ADDRESS_UTF8, &a, &why) != 0)
		return false;
	resolve_mailbox(env, &a, &v, &box);
	if (v.kind == VERDICT_OK) {
		snprintf(text, sizeof text, "%s@%s", box.user, box.domain);
		same = span_is(account, text);
	}
	mailbox_release(&box);
	return same;
}

enum lookup
account_owns(const struct resolve_env *env, struct span account, const struct address *address,
    unsigned *steps)
{
	enum lookup l = LOOKUP_NOT_FOUND;
	struct resolution r;

	if (span_eq(address_span(address), account))
		return LOOKUP_FOUND;
	resolve(env, address, 0, NULL, &r);
	*steps += r.steps;
	for (size_t i = 0; i < r.n && l != LOOKUP_FOUND; i++)
		if (r.v[i].kind == TARGET_MAILBOX && is_mailbox(env, r.v[i].address, account))
			l = LOOKUP_FOUND;
	if (l != LOOKUP_FOUND && r.verdict.kind == VERDICT_TEMPORARY)
		l = LOOKUP_UNKNOWN;
	resolution_release(&r);
	return l;
}
