/*
 * mime_param: the parameters of Content-Type and Content-Disposition (RFC 2045 5.1) with their continuations and percent
 * codes (RFC 2231 3, 4), as those who read mail read them. They differ where a parameter stands twice, a piece is missing,
 * or a comment holds what would mean something elsewhere: each way of reading it is a reading of its own. Pure.
 */
#ifndef COMMON_MIME_PARAM_H
#define COMMON_MIME_PARAM_H

#include "common/buf.h"
#include "common/span.h"

/* How a parameter is written. */
enum mime_param_form {
	MIME_PARAM_PLAIN,  /* name= */
	MIME_PARAM_CODED,  /* name*= (RFC 2231 4) */
	MIME_PARAM_PIECES, /* name*0=, name*0*= and what follows (RFC 2231 3) */
};

/* One reading; charset is what RFC 2231 says of it, empty if nothing. Both are valid until the function returns. */
typedef void mime_param_fn(
    enum mime_param_form form, struct span value, struct span charset, void *arg);

/*
 * Tells all readings of a parameter; rest is of mime_value_type. The plain form as often as it is there. The coded one as
 * it is there first, and last. Pieces: those from 0 to the first gap; and where that is not the same, all that there are
 * in the order of their numbers, and with the last of those that are alike.
 */
void mime_param_readings(struct span rest, const char *name, mime_param_fn *fn, void *arg);

#endif
