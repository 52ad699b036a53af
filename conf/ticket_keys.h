/*
 * ticket_keys: what TLS session tickets are sealed with (RFC 5077 4), the same in
 * all smtpd processes so that a client may come back to another one. The process
 * `keys` makes them and throws them away; with a key goes the possibility to read
 * what was said under it in TLS 1.2. They are in memory alone.
 */
#ifndef CONF_TICKET_KEYS_H
#define CONF_TICKET_KEYS_H

#include <stddef.h>

/* A new key is made so often; tickets are good for twice as long. */
#define TICKET_KEYS_ROTATE_SEC 3600
#define TICKET_KEYS_LIFE_SEC   (2 * TICKET_KEYS_ROTATE_SEC)

#define TICKET_NAME_SIZE 16

struct ticket_key {
	unsigned char name[TICKET_NAME_SIZE]; /* stands in the ticket, in clear */
	unsigned char cipher[32];	      /* AES-256-CBC */
	unsigned char mac[32];		      /* HMAC-SHA-256 */
};

/* The first seals, the others still open: three, so that each opens for TICKET_KEYS_LIFE_SEC after it has sealed. */
#define TICKET_KEYS 3

/* Octets of all keys as they travel: one struct after another. */
#define TICKET_KEYS_SIZE (TICKET_KEYS * sizeof(struct ticket_key))

/* A new first key; the last one is gone. Ends the process if there is no randomness to be had. */
void ticket_keys_rotate(struct ticket_key keys[TICKET_KEYS]);

/* All keys from nothing. */
void ticket_keys_make(struct ticket_key keys[TICKET_KEYS]);

#endif
