/*
 * mime_field: the parts of one header field (RFC 5322 2.2, unfolded): its name, its value, and what the value of Content-Type
 * and Content-Disposition (RFC 2045 5.1) is made of; parameters are common/mime_param's. Pure, and as
 * lenient as those who read mail: what cannot be understood is passed over.
 */
#ifndef COMMON_MIME_FIELD_H
#define COMMON_MIME_FIELD_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/span.h"

/* RFC 5322 2.1.1 limits the whole line to 998 octets: a longer name is none. */
#define MIME_NAME_MAX 998

/*
 * The name a line begins with: printable ASCII, then perhaps white space (obsolete, understood everywhere), then a
 * colon. Empty if the line is no field.
 */
struct span mime_field_name(struct span line);

/* What stands behind the colon, trimmed; empty if the line is no field. */
struct span mime_field_value(struct span line);

/* The first word of a value, such as "multipart/mixed"; *rest is what mime_param_readings looks in. */
struct span mime_value_type(struct span value, struct span *rest);

/* Passes over white space, and comments with what is nested in them (RFC 5322 3.2.2). */
void mime_skip_blank(struct span *s);

/*
 * Passes over a quoted string, or what stands before the next semicolon or white space; it is added to value without
 * quotes as far as there is room. value NULL: to nothing.
 */
void mime_take_value(struct span *s, struct buf *value);

/* The octet whose two hexadecimal digits, of any case, s begins with. False if it begins with none. */
bool mime_hex(struct span s, char *octet);

#endif
