/*
 * mime_decode: a header field as a person would see it: encoded words (RFC 2047) decoded
 * wherever they stand, in quotes too, as mail programs do, and parameters that are split, percent-coded
 * (RFC 2231) or otherwise spelled than `name=value` or `name="value"` put behind it in the latter form, in each way they
 * can be read (common/mime_param). ISO 8859-1 and Windows-1252 become UTF-8; text of other character sets keeps its octets. Pure.
 */
#ifndef COMMON_MIME_DECODE_H
#define COMMON_MIME_DECODE_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/span.h"

/* A longer field is not decoded. */
#define MIME_DECODE_MAX 16384U

/*
 * The decoded form of an unfolded field in out (emptied before). False, and out of no use, if there
 * is nothing to decode: the field is as it stands.
 */
bool mime_decode(struct span field, struct buf *out);

/* There may be something to decode, and the field is too long for that. */
bool mime_decode_is_too_long(struct span field);

#endif
