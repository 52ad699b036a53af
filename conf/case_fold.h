/*
 * case_fold: text without regard to case beyond ASCII: what conf/fold does with names that are not ASCII alone. By the
 * tables of PCRE2, which knows Unicode and is here for the header checks already. Pure.
 *
 * Each letter alone is brought to upper case and then to lower case, so that all that share a capital are one: Σ, σ and
 * ς are. Nothing becomes longer than one letter (ß is not ss), and letters that look alike stay apart.
 */
#ifndef CONF_CASE_FOLD_H
#define CONF_CASE_FOLD_H

#include <stddef.h>

#include "common/span.h"

/* s, which is well-formed UTF-8, folded to out, with a NUL behind; *len gets its length. -1 if it is longer than size - 1, or not UTF-8. */
int case_fold(struct span s, char *out, size_t size, size_t *len)
    __attribute__((warn_unused_result));

#endif
