/*
 * scram: the server's half of SCRAM-SHA-256 (RFC 5802, RFC 7677): what is stored
 * of a password, and whether a client has proved that it knows it. The client's
 * messages are taken apart elsewhere (smtpd/scram_message.h): here they are octets to
 * be hashed. Pure.
 *
 * Stored: iterations,salt,stored key,server key; the last three base64 (Dovecot's {SCRAM-SHA-256}).
 */
#ifndef CONF_SCRAM_H
#define CONF_SCRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/span.h"

#define SCRAM_KEY_SIZE 32 /* of SHA-256 */

/* Longer salts can be tried with a password, not by SCRAM. */
#define SCRAM_SALT_MAX 64

/* Of passwords that are stored from now on (RFC 7677 4 wants 4096 at least): 10 ms of the client's time. */
#define SCRAM_ITERATIONS 15000
#define SCRAM_SALT_SIZE	 16

/* Octets of the key that makes up salts. */
#define SCRAM_SECRET_SIZE 32

struct scram {
	uint32_t iterations;
	size_t salt_len;
	unsigned char salt[SCRAM_SALT_MAX];
	unsigned char stored_key[SCRAM_KEY_SIZE], server_key[SCRAM_KEY_SIZE];
};

/* What is stored, without its scheme. -1 if it is none, or its salt is longer than SCRAM_SALT_MAX. */
int scram_parse(struct span stored, struct scram *s);

/* Appends what is to be stored of it, without a scheme. -1 if out is full. */
int scram_format(const struct scram *s, struct buf *out);

/* The keys of a password; iterations and salt are there. Takes as long as the iterations say. */
void scram_derive(struct scram *s, struct span password);

/*
 * Makes up the salt of a user of whom nothing is stored that SCRAM could use, perhaps because there is none
 * such: always the same one for a secret (SCRAM_SECRET_SIZE octets) and a name, looking like any. iterations and salt_len are
 * there; the keys are such that no proof fits.
 */
void scram_make_up(struct scram *s, const unsigned char *secret, struct span name);

/*
 * Does the client's proof fit (RFC 5802 3)? message is AuthMessage. Takes as long whatever the answer.
 * signature is ServerSignature in any case.
 */
bool scram_verify(const struct scram *s, struct span message, struct span proof,
    unsigned char signature[SCRAM_KEY_SIZE]);

#endif
