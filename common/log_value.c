/* log_value: values of log lines, exactly. See log_value.h. Called where lines are made, mostly by smtpd and queue. */
#include "common/log_value.h"

#include <stdio.h>
#include <string.h>

static bool
ends(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* Of a character that is cut in the middle nothing is left. */
static struct span
cut(struct span s, size_t max)
{
	size_t n = max;

	if (s.len <= max)
		return s;
	while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return span_first(s, n);
}

/* Four octets for one at most. */
static const char *
format(struct span whole, const char *set, size_t max, char *out)
{
	struct span s = cut(whole, max);
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (ends(s.p[i], set))
			n += (size_t)snprintf(
			    out + n, 5, "\\x%02x", (unsigned)(unsigned char)s.p[i]);
		else
			out[n++] = s.p[i] != '\0' ? s.p[i] : ' ';
	}
	memcpy(out + n, "…", s.len < whole.len ? sizeof "…" : 0);
	out[n + (s.len < whole.len ? sizeof "…" - 1 : 0)] = '\0';
	return out;
}

const char *
log_address(struct span s, char out[LOG_ADDRESS_SIZE])
{
	return format(s, " \"<>\\", ADDRESS_MAX, out);
}

const char *
log_quoted(struct span s, char out[LOG_QUOTED_SIZE])
{
	return format(s, "\"\\", LOG_QUOTED_MAX, out);
}

void
log_add_quoted(struct buf *out, struct span s, size_t max)
{
	char text[LOG_QUOTED_SIZE];

	buf_add_str(out, format(s, "\"\\", max < LOG_QUOTED_MAX ? max : LOG_QUOTED_MAX, text));
}
