/* reply_filter: which replies of a DNS list count. See reply_filter.h. */
#include "conf/reply_filter.h"

#include <stdio.h>

/* A number of up to three digits at the front of *s, cut off. -1 if there is none, or it is above 255. */
static int
take_number(struct span *s, unsigned char *out)
{
	size_t n = 0;
	uint64_t v;

	while (n < s->len && n < 3 && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	if (span_to_u64(span_first(*s, n), 255, &v) != 0)
		return -1;
	*s = span_skip(*s, n);
	*out = (unsigned char)v;
	return 0;
}

int
reply_filter_parse(struct span s, struct reply_filter *f)
{
	for (unsigned i = 0; i < 4; i++) {
		if (i > 0 && !span_starts_with(s, "."))
			return -1;
		if (i > 0)
			s = span_skip(s, 1);
		if (take_number(&s, &f->low[i]) != 0)
			return -1;
		f->high[i] = f->low[i];
		if (!span_starts_with(s, ".."))
			continue;
		s = span_skip(s, 2);
		if (take_number(&s, &f->high[i]) != 0 || f->high[i] < f->low[i])
			return -1;
	}
	return s.len == 0 && f->low[0] == 127 && f->high[0] == 127 ? 0 : -1;
}

bool
reply_filter_matches(const struct reply_filter *f, uint32_t reply)
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned octet = reply >> (24 - 8 * i) & 0xff;

		if (octet < f->low[i] || octet > f->high[i])
			return false;
	}
	return true;
}

const char *
reply_filter_format(const struct reply_filter *f, char out[REPLY_FILTER_TEXT_SIZE])
{
	size_t n = 0;

	for (unsigned i = 0; i < 4; i++) {
		n += (size_t)snprintf(
		    out + n, REPLY_FILTER_TEXT_SIZE - n, "%s%u", i > 0 ? "." : "", f->low[i]);
		if (f->high[i] != f->low[i])
			n += (size_t)snprintf(
			    out + n, REPLY_FILTER_TEXT_SIZE - n, "..%u", f->high[i]);
	}
	return out;
}

bool
reply_filter_counts(uint32_t reply)
{
	return reply >> 24 == 127 && reply >> 8 != 0x7fffff && reply != 0x7f000001;
}
