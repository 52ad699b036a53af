/*
 * scram_message: what a client of SCRAM-SHA-256 says (RFC 5802 5.1 and 7), taken
 * apart. What it proves is found out where the secrets are (conf/scram.h). Pure.
 *
 *	first	n,,n=user,r=nonce
 *	final	c=biws,r=nonce,p=proof
 */
#ifndef SMTPD_SCRAM_MESSAGE_H
#define SMTPD_SCRAM_MESSAGE_H

#include "common/limits.h"
#include "common/span.h"

/* Octets of each message; a longer one is none. */
#define SCRAM_MESSAGE_MAX 1024
#define SCRAM_NONCE_MAX	  256

struct scram_first {
	struct span header;  /* gs2-header: what comes before bare */
	char flag;	     /* 'n' no channel binding, 'y' we seem to have none, 'p' binding */
	struct span binding; /* of 'p': its name */
	struct span authzid; /* as it stands there; empty if not given */
	struct span bare;    /* client-first-message-bare */
	struct span user;    /* as it stands there */
	struct span nonce;
};

struct scram_final {
	struct span binding; /* base64 */
	struct span nonce;
	struct span proof;	   /* base64 */
	struct span without_proof; /* what the proof is of */
};

/* Spans point into the message. -1: it is none, or wants an extension that nobody knows here. */
int scram_first_parse(struct span message, struct scram_first *f);
int scram_final_parse(struct span message, struct scram_final *f);

/* A name as it is meant: "=2C" is a comma, "=3D" an equals sign. -1 if it is none, or longer than ADDRESS_MAX. */
int scram_name_decode(struct span name, char out[ADDRESS_MAX], size_t *len);

#endif
