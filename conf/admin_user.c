/* admin_user: users added, their passwords and quotas set. See admin.h. */
#include <crypt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/address.h"
#include "common/xalloc.h"
#include "conf/admin.h"
#include "conf/admin_private.h"
#include "conf/domains.h"
#include "conf/fold.h"
#include "conf/passwd.h"
#include "conf/password_hash.h"
#include "conf/scram.h"
#include "conf/passwd_quota.h"

/* What no password hashes to. */
#define LOCKED "!"

/* A user's address taken apart, and the domain open for change. */
struct change {
	struct admin_etc etc;
	char name[LOCAL_PART_MAX + 1]; /* folded */
	struct buf text;	       /* of passwd */
};

/* What is wrong with the domain's files is told where it matters. */
static void
ignore(const char *text, void *arg)
{
	(void)text, (void)arg;
}

/* The canonical name of the domain that mail for this one goes to. */
static int
find_domain(const struct config *c, struct span name, char out[DOMAIN_MAX + 1], struct buf *why)
{
	const struct domains_limits limits = {.domains = 16, .octets = 64U << 20, .watches = 0};
	struct domains *domains = domains_new(c->domains, &limits, ignore, NULL);
	struct domain *d = NULL;
	enum lookup l;

	domains_begin(domains);
	l = domains_find(domains, name, &d, why);
	if (l == LOOKUP_FOUND)
		snprintf(out, DOMAIN_MAX + 1, "%s", d->name);
	else if (l == LOOKUP_NOT_FOUND)
		buf_addf(why,
		    "%.*s is not hosted here, add it first: postrider domain add %.*s",
		    SPAN_ARG(name), SPAN_ARG(name));
	domains_free(&domains);
	return l == LOOKUP_FOUND ? 0 : -1;
}

/* Opens what a change to the address needs; change_end in any case. */
static int
change_begin(struct change *ch, const struct config *c, const char *address, struct buf *why)
{
	char domain[DOMAIN_MAX + 1];
	struct address a;
	const char *reason = "";

	ch->etc = (struct admin_etc){.fd = -1};
	buf_init(&ch->text, PASSWD_MAX);
	if (address_parse(span_str(address), ADDRESS_UTF8, &a, &reason) != 0) {
		buf_addf(why, "%s: expected an address user@domain: %s", address, reason);
		return -1;
	}
	fold_name(address_local(&a), ch->name);
	if (a.literal || !fold_is_name(address_local(&a)) || strchr(ch->name, '/') != NULL) {
		buf_addf(why, "%s: expected a plain name before the @ of a domain", address);
		return -1;
	}
	if (find_domain(c, address_domain(&a), domain, why) != 0 ||
	    admin_etc_open(&ch->etc, c->domains, domain, why) != 0)
		return -1;
	return admin_passwd_read(&ch->etc, &ch->text, why);
}

static void
change_end(struct change *ch)
{
	admin_etc_release(&ch->etc);
	buf_release(&ch->text);
}

/* The line of the user: from *start, *len octets without the line end. false: there is none. */
static bool
find_line(const struct change *ch, size_t *start, size_t *len)
{
	struct span rest = buf_span(&ch->text);
	char folded[LOCAL_PART_MAX + 1];

	while (rest.p != NULL) {
		struct span line = span_cut(&rest, '\n'), fields = line,
			    name = span_cut(&fields, ':');

		if (fields.p == NULL || !fold_is_name(name))
			continue;
		fold_name(name, folded);
		if (strcmp(folded, ch->name) == 0) {
			*start = (size_t)(line.p - ch->text.p);
			*len = line.len;
			return true;
		}
	}
	return false;
}

/* For the caller to free; NULL: this system cannot. */
static char *
hash_yescrypt(const char *password)
{
	struct crypt_data data;
	const char *hash;
	char *salt = crypt_gensalt_ra("$y$", 0, NULL, 0), *copy = NULL;

	memset(&data, 0, sizeof data);
	hash = salt != NULL ? crypt_r(password, salt, &data) : NULL;
	if (hash != NULL && hash[0] == '$')
		copy = xstrdup(hash);
	explicit_bzero(&data, sizeof data);
	free(salt);
	return copy;
}

static char *
hash_scram(const char *password)
{
	struct scram s = {.iterations = SCRAM_ITERATIONS, .salt_len = SCRAM_SALT_SIZE};
	char *stored = NULL;
	struct buf text;

	buf_init(&text, PASSWORD_STORED_MAX);
	if (getrandom(s.salt, s.salt_len, 0) == (ssize_t)s.salt_len) {
		scram_derive(&s, span_str(password));
		buf_add_str(&text, "{SCRAM-SHA-256}");
		if (scram_format(&s, &text) == 0)
			stored = buf_take(&text);
	}
	explicit_bzero(&s, sizeof s);
	buf_release(&text);
	return stored;
}

/* What is to be stored of the password, for the caller to free; NULL with *why. */
static char *
hash_password(const struct admin_password *password, struct buf *why)
{
	const char *scheme = password->scheme != NULL ? password->scheme : "yescrypt";
	bool scram = strcmp(scheme, "scram-sha-256") == 0;
	char *stored;

	if (password->text == NULL)
		return xstrdup(LOCKED);
	if (!scram && strcmp(scheme, "yescrypt") != 0) {
		buf_addf(why, "%s: expected yescrypt or scram-sha-256 as scheme", scheme);
		return NULL;
	}
	if (*password->text == '\0' || span_has_control(span_str(password->text)) ||
	    strlen(password->text) >= CRYPT_MAX_PASSPHRASE_SIZE) {
		buf_addf(why,
		    "expected a password of 1 to %d octets without control characters",
		    CRYPT_MAX_PASSPHRASE_SIZE - 1);
		return NULL;
	}
	stored = scram ? hash_scram(password->text) : hash_yescrypt(password->text);
	if (stored == NULL)
		buf_addf(why, "this system cannot hash passwords with %s", scheme);
	return stored;
}

int
admin_user_add(const struct config *c, const char *address,
    const struct admin_password *password, struct buf *why)
{
	struct change ch;
	size_t start, len;
	char *hash = NULL;
	int r = -1;

	if (change_begin(&ch, c, address, why) != 0)
		goto done;
	if (find_line(&ch, &start, &len)) {
		buf_addf(why, "%s exists already", address);
		goto done;
	}
	hash = hash_password(password, why);
	if (hash == NULL)
		goto done;
	if (ch.text.len > 0 && ch.text.p[ch.text.len - 1] != '\n')
		buf_add_char(&ch.text, '\n');
	if (buf_addf(&ch.text, "%s:%s::::/home/%s:\n", ch.name, hash, ch.name) != 0) {
		buf_addf(why, "%s/etc/passwd would be too large", ch.etc.path);
		goto done;
	}
	r = admin_passwd_write(&ch.etc, buf_span(&ch.text), why);
done:
	free(hash);
	change_end(&ch);
	return r;
}

int
admin_user_passwd(const struct config *c, const char *address,
    const struct admin_password *password, struct buf *why)
{
	struct change ch;
	struct span line, name, rest;
	size_t start, len;
	char *hash = NULL;
	struct buf changed;
	int r = -1;

	buf_init(&changed, PASSWD_MAX);
	if (change_begin(&ch, c, address, why) != 0)
		goto done;
	if (!find_line(&ch, &start, &len)) {
		buf_addf(why, "there is no user %s, add it: postrider user add %s", address,
		    address);
		goto done;
	}
	hash = hash_password(password, why);
	if (hash == NULL)
		goto done;
	line = span_make(ch.text.p + start, len);
	rest = line;
	name = span_cut(&rest, ':');
	span_cut(&rest, ':'); /* the old hash */
	buf_add(&changed, ch.text.p, start);
	buf_add_span(&changed, name);
	buf_addf(&changed, ":%s", hash);
	if (rest.p != NULL) {
		buf_add_char(&changed, ':');
		buf_add_span(&changed, rest);
	}
	if (buf_add(&changed, line.p + line.len, ch.text.len - start - len) != 0) {
		buf_addf(why, "%s/etc/passwd would be too large", ch.etc.path);
		goto done;
	}
	r = admin_passwd_write(&ch.etc, buf_span(&changed), why);
done:
	free(hash);
	buf_release(&changed);
	change_end(&ch);
	return r;
}

/* The line with as many fields as there must be in front of the extra ones, which are changed. */
static void
add_with_quota(struct span line, uint64_t octets, bool remove, struct buf *out)
{
	for (unsigned i = 0; i < 7; i++) {
		buf_add_span(out, span_cut(&line, ':'));
		buf_add_char(out, ':');
	}
	passwd_quota_replace(line, octets, remove, out);
}

int
admin_user_set_quota(
    const struct config *c, const char *address, uint64_t octets, bool remove, struct buf *why)
{
	struct change ch;
	size_t start, len;
	struct buf changed;
	int r = -1;

	buf_init(&changed, PASSWD_MAX);
	if (change_begin(&ch, c, address, why) != 0)
		goto done;
	if (!find_line(&ch, &start, &len)) {
		buf_addf(why, "there is no user %s, add it: postrider user add %s", address,
		    address);
		goto done;
	}
	buf_add(&changed, ch.text.p, start);
	add_with_quota(span_make(ch.text.p + start, len), octets, remove, &changed);
	if (buf_add(&changed, ch.text.p + start + len, ch.text.len - start - len) != 0) {
		buf_addf(why, "%s/etc/passwd would be too large", ch.etc.path);
		goto done;
	}
	r = admin_passwd_write(&ch.etc, buf_span(&changed), why);
done:
	buf_release(&changed);
	change_end(&ch);
	return r;
}
