/*
 * fingerprint: the SHA-256 of a certificate, or of a public key (its
 * SubjectPublicKeyInfo, as in RFC 7469 2.4), as people write it and as the rest of
 * the program compares it. Pure.
 */
#ifndef CONF_FINGERPRINT_H
#define CONF_FINGERPRINT_H

#include "common/span.h"

/* 64 hexadecimal digits, in lower case. */
#define FINGERPRINT_SIZE 65

/* Takes 32 octets as digits of either case, with a colon between all of them or none. 0 or -1. */
int fingerprint_parse(struct span s, char out[FINGERPRINT_SIZE])
    __attribute__((warn_unused_result));

/* Of these 32 octets. Returns out. */
const char *fingerprint_format(const unsigned char digest[32], char out[FINGERPRINT_SIZE]);

#endif
