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

/* In a longer field encoded words alone are decoded, no parameters: the ways to read many of them cost too much. */
#define MIME_PARAMS_MAX 16384U

/* A longer field (as long as common/mime_scan keeps) is not decoded. What comes of one has room in MIME_DECODED_MAX octets. */
#define MIME_DECODE_MAX	 65536U
#define MIME_DECODED_MAX (16 * MIME_PARAMS_MAX)

/*
 * The decoded form of an unfolded field in out (emptied before). False, and out of no use, if there
 * is nothing to decode: the field is as it stands.
 */
bool mime_decode(struct span field, struct buf *out);

/* There may be something to decode for which the field is too long. */
bool mime_decode_is_too_long(struct span field);

#endif
