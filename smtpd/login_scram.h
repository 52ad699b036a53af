/*
 * login_scram: SCRAM-SHA-256 and SCRAM-SHA-256-PLUS in a session (RFC 5802, RFC 7677;
 * channel binding tls-exporter, RFC 9266). Salts and secrets are the directory's: it
 * makes up the challenge, and finds out whether the proof is right; what the client
 * says is taken apart here. Used by login.
 */
#ifndef SMTPD_LOGIN_SCRAM_H
#define SMTPD_LOGIN_SCRAM_H

#include "common/buf.h"
#include "conf/scram.h"
#include "smtpd/question.h"

#define LOGIN_CHANNEL_SIZE 32

struct login;
enum login_step;

enum login_scram_stage {
	SCRAM_FIRST, /* waits for the client's first message, then the directory's challenge */
	SCRAM_FINAL, /* waits for the client's final message, then for what it is worth */
	SCRAM_SHOWN, /* the client has been shown that we know the password as well, and has to go on */
};

struct login_scram {
	enum login_scram_stage stage;
	bool bound;			  /* the mechanism is that with -PLUS */
	bool can_bind;			  /* it was offered */
	bool hopeless;			  /* whatever the proof, this comes to nothing */
	char channel[LOGIN_CHANNEL_SIZE]; /* if can_bind: what the connection is known by */
	struct buf header, nonce;	  /* the client's, of the first message */
	struct buf bare, challenge; /* first messages without and with the server's part */
	struct buf message;	    /* AuthMessage */
	size_t proof_len;
	char proof[SCRAM_KEY_SIZE];
	char *account; /* in SCRAM_SHOWN: who this is */
};

struct login_scram *login_scram_new(bool bound, bool can_bind, const char *channel);
void login_scram_free(struct login_scram **s); /* clears *s; NULL is fine */

/* Pure: takes one message of the client, decoded. As login_take. */
enum login_step login_scram_take(struct login *l, struct span message);

/* Takes the directory's challenge. -1: it is none for this client. */
int login_scram_challenge(struct login_scram *s, struct span challenge);

/* Fills in the question. */
void login_scram_fill(const struct login_scram *s, struct question *q);

#endif
