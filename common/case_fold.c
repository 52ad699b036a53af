/* case_fold: text without regard to case beyond ASCII. See case_fold.h. Called by conf/fold and common/address for names that have such. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "common/case_fold.h"

#include <pcre2.h>

/* All of it as the replacement says. */
static int
replace(
    const pcre2_code *all, struct span s, const char *by, char *out, size_t size, size_t *len)
{
	PCRE2_SIZE n = size;
	int r = pcre2_substitute(all, (PCRE2_SPTR)s.p, s.len, 0, PCRE2_SUBSTITUTE_EXTENDED,
	    NULL, NULL, (PCRE2_SPTR)by, PCRE2_ZERO_TERMINATED, (PCRE2_UCHAR *)out, &n);

	*len = n;
	return r == 1 ? 0 : -1;
}

static pcre2_code *
all_of_it(void)
{
	PCRE2_SIZE offset;
	int error;

	return pcre2_compile((PCRE2_SPTR) ".+", PCRE2_ZERO_TERMINATED,
	    PCRE2_UTF | PCRE2_UCP | PCRE2_DOTALL, &error, &offset, NULL);
}

int
case_fold(struct span s, char *out, size_t size, size_t *len)
{
	pcre2_code *all = all_of_it();
	char upper[4096];
	int r = -1;

	if (all != NULL)
		r = replace(all, s, "\\U$0", upper, sizeof upper, len);
	if (r == 0)
		r = replace(all, span_make(upper, *len), "\\L$0", out, size, len);
	pcre2_code_free(all);
	return r;
}

int
case_lower(struct span s, char *out, size_t size, size_t *len)
{
	pcre2_code *all = all_of_it();
	int r = all != NULL ? replace(all, s, "\\L$0", out, size, len) : -1;

	pcre2_code_free(all);
	return r;
}
