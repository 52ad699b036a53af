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

/*
 * A user's address taken apart, the domain open for change, and its passwd as it is to
 * be: change_begin puts there what stands before the user's line, the caller the new
 * line, change_commit what stands behind.
 */
struct change {
	struct admin_etc etc;
	char name[LOCAL_PART_MAX + 1]; /* folded */
	struct buf text;	       /* of passwd as it is */
	struct span line; /* the user's in it, without the line end; none: empty, at its end */
	struct buf changed;
};

/* The canonical name of the domain that mail for this one goes to. */
static int
find_domain(const struct config *c, struct span name, char out[DOMAIN_MAX + 1], struct buf *why)
{
	struct domains *domains = admin_domains_new(c);
	struct domain *d = NULL;
	enum lookup l;

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

/* Takes the address apart and opens the domain. 0, or -1 with *why. */
static int
open_domain(struct change *ch, const struct config *c, const char *address, struct buf *why)
{
	char domain[DOMAIN_MAX + 1];
	struct address a;
	const char *reason = "";

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

/* Is there a line of the user? */
static bool
find_line(struct change *ch)
{
	struct span rest = buf_span(&ch->text);
	char folded[LOCAL_PART_MAX + 1];

	ch->line = span_skip(rest, rest.len);
	while (rest.p != NULL) {
		struct span line = span_cut(&rest, '\n'), fields = line,
			    name = span_cut(&fields, ':');

		if (fields.p == NULL || !fold_is_name(name))
			continue;
		fold_name(name, folded);
		if (strcmp(folded, ch->name) == 0) {
			ch->line = line;
			return true;
		}
	}
	return false;
}

/* For a user who is there, or is not, as it has to be; change_end in any case. 0, or -1 with *why. */
static int
change_begin(struct change *ch, const struct config *c, const char *address, bool is_there,
    struct buf *why)
{
	const char *before;

	*ch = (struct change){.etc.fd = -1};
	buf_init(&ch->text, PASSWD_MAX);
	/* Nothing is left out on the way: whether it is too large is asked of the whole. */
	buf_init(&ch->changed, 2 * (size_t)PASSWD_MAX);
	if (open_domain(ch, c, address, why) != 0)
		return -1;
	if (find_line(ch) != is_there) {
		if (is_there)
			admin_say_no_user(address, why);
		else
			buf_addf(why, "%s exists already", address);
		return -1;
	}
	before = buf_span(&ch->text).p;
	buf_add(&ch->changed, before, (size_t)(ch->line.p - before));
	return 0;
}

/* Writes the file. 0, or -1 with *why. */
static int
change_commit(struct change *ch, struct buf *why)
{
	const char *rest = ch->line.p + ch->line.len;

	buf_add(&ch->changed, rest, ch->text.len - (size_t)(rest - buf_span(&ch->text).p));
	if (ch->changed.len > PASSWD_MAX) {
		buf_addf(why, "%s/etc/passwd would be too large", ch->etc.path);
		return -1;
	}
	return admin_passwd_write(&ch->etc, buf_span(&ch->changed), why);
}

static void
change_end(struct change *ch)
{
	admin_etc_release(&ch->etc);
	buf_release(&ch->text);
	buf_release(&ch->changed);
}

int
admin_user_look(const struct config *c, const char *address, bool there, struct buf *why)
{
	struct change ch;
	int r = change_begin(&ch, c, address, there, why);

	change_end(&ch);
	return r;
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
	char *hash = NULL;
	int r = -1;

	if (change_begin(&ch, c, address, false, why) == 0)
		hash = hash_password(password, why);
	if (hash != NULL) {
		if (ch.text.len > 0 && ch.text.p[ch.text.len - 1] != '\n')
			buf_add_char(&ch.changed, '\n');
		buf_addf(&ch.changed, "%s:%s::::/home/%s:\n", ch.name, hash, ch.name);
		r = change_commit(&ch, why);
	}
	free(hash);
	change_end(&ch);
	return r;
}

int
admin_user_passwd(const struct config *c, const char *address,
    const struct admin_password *password, struct buf *why)
{
	struct change ch;
	struct span rest;
	char *hash = NULL;
	int r = -1;

	if (change_begin(&ch, c, address, true, why) == 0)
		hash = hash_password(password, why);
	if (hash != NULL) {
		rest = ch.line;
		buf_add_span(&ch.changed, span_cut(&rest, ':'));
		span_cut(&rest, ':'); /* the old hash */
		buf_addf(&ch.changed, ":%s", hash);
		if (rest.p != NULL) {
			buf_add_char(&ch.changed, ':');
			buf_add_span(&ch.changed, rest);
		}
		r = change_commit(&ch, why);
	}
	free(hash);
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
	int r = change_begin(&ch, c, address, true, why);

	if (r == 0) {
		add_with_quota(ch.line, octets, remove, &ch.changed);
		r = change_commit(&ch, why);
	}
	change_end(&ch);
	return r;
}
