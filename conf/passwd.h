/*
 * passwd: a domain's etc/passwd, the list of its mailboxes:
 *
 *	user:hash:uid:gid:name:home:shell
 *
 * passwd(5) with everything behind user:hash optional. Of what Dovecot writes behind
 * the seventh colon userdb_quota_rule is read (passwd_quota.h), the rest left alone. What the second field may hold is in
 * password_hash.h. Pure: the text in, a table out. Names are found without regard to ASCII case (fold.h).
 */
#ifndef CONF_PASSWD_H
#define CONF_PASSWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/span.h"
#include "conf/config_errors.h"

/* Files above this are refused by those who read them. */
#define PASSWD_MAX (64U << 20)

#define PASSWD_NO_QUOTA UINT32_MAX

struct passwd_user {
	uint32_t code;	     /* hash of the name: the table's order */
	uint32_t name, home; /* where in passwd_file.text */
	uint16_t home_len;
	uint16_t stored_len; /* of the stored password, which stands behind the home */
	uint8_t name_len;
	bool has_uid, has_gid; /* else: the domain directory's */
	uid_t uid;
	gid_t gid;
	unsigned line;
	uint32_t quota_kib; /* his own, 0: unlimited; PASSWD_NO_QUOTA: the domain's */
};

struct passwd_file {
	struct passwd_user *users; /* sorted by code, so that a look-up touches little memory */
	size_t nusers;
	size_t first; /* index of the user who stands first in the file */
	char *text;   /* names (folded), homes and stored passwords */
	size_t text_len;
	/* Users who can log in, by whether their stored passwords allow SCRAM. */
	size_t with_scram, without_scram;
	bool has_quota; /* somebody has one of his own */
};

/*
 * Parses text, which is the file named path (for complaints) of the domain in directory. A line that is
 * wrong adds a complaint and is skipped, the others stay. -1 if there are complaints and not one user:
 * this is no passwd file. Release in both cases.
 */
int passwd_parse(struct passwd_file *f, struct span text, const char *path,
    struct span directory, struct config_errors *errors);
void passwd_release(struct passwd_file *f);

/* The user of a folded name, or NULL. Takes the logarithm of the number of users. */
const struct passwd_user *passwd_find(const struct passwd_file *f, struct span name);

/* The user who stands first in the file, NULL if there is none. */
const struct passwd_user *passwd_first(const struct passwd_file *f);

/*
 * The n-th user from the place of code on, in the table's order, which begins again at its end; NULL if
 * there are not that many. Who else comes and goes hardly changes who is found.
 */
const struct passwd_user *passwd_near(const struct passwd_file *f, uint32_t code, size_t n);

/* The folded name, and the home relative to the domain's directory. They live as long as f. */
struct span passwd_name(const struct passwd_file *f, const struct passwd_user *u);
struct span passwd_home(const struct passwd_file *f, const struct passwd_user *u);

/* The second field, for password_hash_verify; empty if it was longer than any known form. Lives as long as f. */
struct span passwd_stored(const struct passwd_file *f, const struct passwd_user *u);

#endif
