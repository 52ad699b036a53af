/*
 * password_hash: what stands in the second field of a domain's etc/passwd, and
 * whether a password fits it. Pure, and without locks: the directory hashes on
 * threads of its own.
 *
 *	$y$… $gy$… $2a$… $2b$… $2y$… $6$… $5$…		crypt(5)
 *	{CRYPT}…						one of these
 *	{BLF-CRYPT}… {SHA512-CRYPT}… {SHA256-CRYPT}…		that one of them
 *	{MD5-CRYPT}… {DES-CRYPT}…				old ones, if so named alone
 *	{PLAIN}… {CLEARTEXT}…					the password
 *	{SSHA}… {SSHA256}… {SSHA512}…	base64 of digest(password, salt), salt
 *	{SCRAM-SHA-256}iterations,salt,stored key,server key	RFC 5803, base64
 *
 * Empty, "x", or with a leading * or !: nobody can log in.
 */
#ifndef CONF_PASSWORD_HASH_H
#define CONF_PASSWORD_HASH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"

/* Octets of a password: more are not hashed. */
#define PASSWORD_MAX 1024

/* Octets of what is stored: more are no known form. */
#define PASSWORD_STORED_MAX 512

/* Rounds of SHA-crypt, iterations of SCRAM: more take seconds, and a thread is everybody's. */
#define PASSWORD_ROUNDS_MAX UINT64_C(2000000)

enum password_form {
	PASSWORD_DISABLED,
	PASSWORD_UNKNOWN, /* no form of the list, what its scheme cannot be, or a cost that would take minutes */
	PASSWORD_CRYPT,
	PASSWORD_PLAIN,
	PASSWORD_SSHA1,
	PASSWORD_SSHA256,
	PASSWORD_SSHA512,
	PASSWORD_SCRAM_SHA256,
};

/* The form, with *text what follows the scheme (may be NULL). The text itself is looked at by verify. */
enum password_form password_hash_form(struct span stored, struct span *text);

/*
 * Does the password fit? Takes as long as the form's cost says; the comparison takes as long whatever
 * differs. false for what is no password (empty, too long, with a NUL) and for what cannot be understood.
 */
bool password_hash_verify(struct span stored, struct span password);

/* Is the form so cheap that the work of PASSWORD_DUMMY has to be done as well, lest the time taken tell it? */
bool password_hash_is_cheap(enum password_form form);

/* Can a client prove by SCRAM-SHA-256 (conf/scram.h) that it knows a password stored so? */
bool password_hash_allows_scram(enum password_form form);

/* A stored password of the default cost that nobody knows the password of: for users who do not exist. */
#define PASSWORD_DUMMY                                                                         \
	"$y$j9T$Lm3uQHkDuSLWhRQMjvqiI0$m2oFBMRXZjPQ4NXqkJ0RX8YtNV3ZcUuJvAgHm1dU0hA"

#endif
