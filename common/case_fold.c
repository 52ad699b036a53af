/* case_fold: text without regard to case beyond ASCII. See case_fold.h. Called by conf/fold and common/address for names that have such. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "common/case_fold.h"

#include <pcre2.h>
#include <string.h>

#include "common/utf8.h"

/* Of a form of what is folded, which is a local part. */
#define FORM_SIZE 1024

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

/*
 * The forms of a text, of which each is made of another. One character is one in each of them, so they are walked through
 * together.
 */
enum form { SMALL, CAPITAL, FROM_CAPITAL, TWICE, FROM_TWICE, FORMS };

static const struct {
	int of; /* -1: of the text itself */
	const char *by;
} forms[FORMS] = {[SMALL] = {-1, "\\L$0"},
    [CAPITAL] = {-1, "\\U$0"},
    [FROM_CAPITAL] = {CAPITAL, "\\L$0"},
    [TWICE] = {CAPITAL, "\\U$0"},
    [FROM_TWICE] = {TWICE, "\\L$0"}};

static struct span
take_character(struct span *s)
{
	struct span c = span_first(*s, utf8_char(*s, NULL));

	*s = span_skip(*s, c.len);
	return c;
}

/* UTF-8 sorts as its characters do. */
static struct span
greater(struct span a, struct span b)
{
	int order = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);

	return order > 0 || (order == 0 && a.len > b.len) ? a : b;
}

/*
 * The small letter of the capital. Where three are the same, PCRE2 has for one of the small ones the other in the capital's
 * place: ς leads to Σ over σ, and the micro sign and μ, the greater of which is Μ's, to each other.
 */
static struct span
fold_character(struct span c, const struct span f[FORMS])
{
	if (!span_eq(f[SMALL], c))
		return f[SMALL];
	if (!span_eq(f[FROM_CAPITAL], f[CAPITAL]))
		return f[FROM_CAPITAL];
	if (!span_eq(f[FROM_TWICE], f[TWICE]))
		return f[FROM_TWICE];
	return greater(c, f[CAPITAL]);
}

int
case_fold(struct span s, char *out, size_t size, size_t *len)
{
	char texts[FORMS][FORM_SIZE];
	struct span rest[FORMS], f[FORMS];
	pcre2_code *all = all_of_it();
	int r = all != NULL ? 0 : -1;
	size_t n = 0;

	for (size_t i = 0; i < FORMS && r == 0; i++) {
		r = replace(all, forms[i].of < 0 ? s : rest[forms[i].of], forms[i].by, texts[i],
		    FORM_SIZE, &n);
		rest[i] = span_make(texts[i], n);
	}
	pcre2_code_free(all);
	*len = 0;
	while (r == 0 && s.len > 0) {
		struct span c = take_character(&s);

		for (size_t i = 0; i < FORMS; i++)
			f[i] = take_character(&rest[i]);
		c = fold_character(c, f);
		if (c.len == 0 || *len + c.len >= size)
			return -1;
		memcpy(out + *len, c.p, c.len);
		*len += c.len;
	}
	if (r == 0)
		out[*len] = '\0';
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
