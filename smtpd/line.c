/* line: command lines out of octets. See line.h. Called by the session for everything outside of message content. */
#include "smtpd/line.h"

#include <string.h>

enum line_result
line_take(struct span *in, size_t limit, struct span *line)
{
	size_t look = in->len < limit ? in->len : limit;
	const char *lf = look > 0 ? memchr(in->p, '\n', look) : NULL;
	size_t n;

	if (in->len > 0 && (unsigned char)in->p[0] < 0x20 && in->p[0] != '\r' &&
	    in->p[0] != '\n' && in->p[0] != '\t')
		return LINE_FOREIGN;
	if (lf == NULL)
		return in->len < limit ? LINE_MORE : LINE_LONG;
	n = (size_t)(lf - in->p);
	if (n == 0 || in->p[n - 1] != '\r' || memchr(in->p, '\r', n - 1) != NULL)
		return LINE_BARE;
	*line = span_make(in->p, n - 1);
	*in = span_skip(*in, n + 1);
	return LINE_WHOLE;
}

size_t
line_skip(struct span *in, bool *whole)
{
	const char *lf = in->len > 0 ? memchr(in->p, '\n', in->len) : NULL;
	size_t n = lf != NULL ? (size_t)(lf - in->p) + 1 : in->len;

	*whole = lf != NULL;
	*in = span_skip(*in, n);
	return n;
}
