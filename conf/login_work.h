/*
 * login_work: what finding out costs: is this the password, or the proof of it, of
 * an account? Run by conf/authenticator on its threads. Pure.
 *
 * The work is the same whether there is such a user or not, and whatever is wrong: an
 * account that cannot log in brings a stored password to be tried like its neighbours'
 * (account_find), and where a form costs next to nothing the work of PASSWORD_DUMMY is
 * done as well before somebody is refused.
 */
#ifndef CONF_LOGIN_WORK_H
#define CONF_LOGIN_WORK_H

#include <stdbool.h>

#include "conf/account.h"
#include "conf/password_hash.h"
#include "conf/scram.h"

/* A password, or AuthMessage of RFC 5802 3: three messages of at most 1024 octets, and commas. */
#define LOGIN_TEXT_MAX 4096

struct login_work {
	enum account_use use;
	struct account account;
	bool can;		     /* the account was found, and can log in so */
	const unsigned char *secret; /* SCRAM_SECRET_SIZE octets */
	size_t name_len;
	char name[ADDRESS_MAX]; /* of the account, or what was typed */
	size_t text_len, proof_len;
	char text[LOGIN_TEXT_MAX];
	char proof[SCRAM_KEY_SIZE]; /* of ACCOUNT_SCRAM */

	/* What comes of it. */
	bool right;
	unsigned char signature[SCRAM_KEY_SIZE];
};

/* password_hash_verify; another one in tests, which count. */
typedef bool login_verify_fn(struct span stored, struct span password);

/* Tries the password or proof, and wipes it. */
void login_work_run(struct login_work *w, login_verify_fn *verify);

/* Salt and iterations that the client is told: the user's own, or made up. The keys are not all there. */
void login_work_challenge(const struct login_work *w, struct scram *s);

#endif
