/*
 * nfc: Unicode normalization form C (UAX #15), for local parts of addresses: RFC 6531 3.3
 * and RFC 6532 3.1 ask for it, since the two ways to write an accented letter are one
 * name to everybody who reads it. Pure; used by common/local_part.
 *
 * The tables are libidn2's, which knows the letters of IDNA2008 and no others: what is not in that form is
 * brought to it if it is made of those, and refused if it is not. What is in it stays as it is.
 */
#ifndef COMMON_NFC_H
#define COMMON_NFC_H

#include <stddef.h>

#include "common/span.h"

/*
 * s, which is well-formed UTF-8, in form C to out (size octets, no NUL behind); *len gets its length. -1 if it
 * cannot be brought to that form, or does not fit.
 */
int nfc_format(struct span s, char *out, size_t size, size_t *len);

#endif
