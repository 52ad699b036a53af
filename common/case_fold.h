/*
 * case_fold: text without regard to case beyond ASCII: for names of mailboxes (conf/fold) and labels of domains
 * (common/address). By the tables of PCRE2, which knows Unicode and is here for the header checks already. Pure.
 *
 * To fold, each letter alone becomes the small letter of its capital, so that all that share a capital are one: Σ,
 * σ and ς are. What is folded stays as it is when it is folded again: names are, on their way to the mailbox. Nothing becomes longer than one letter (ß is not ss), and letters that look alike stay apart.
 */
#ifndef COMMON_CASE_FOLD_H
#define COMMON_CASE_FOLD_H

#include <stddef.h>

#include "common/span.h"

/* s, which is UTF-8, folded to out, with a NUL behind; *len gets its length. -1 if it is longer than size - 1, or not UTF-8. */
int case_fold(struct span s, char *out, size_t size, size_t *len)
    __attribute__((warn_unused_result));

/* The same in lower case, as RFC 5895 2.1 has it for domains: ς is not σ. */
int case_lower(struct span s, char *out, size_t size, size_t *len)
    __attribute__((warn_unused_result));

#endif
