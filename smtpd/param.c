/* param: the form of ESMTP parameters. See param.h. Called by the parsers of MAIL and RCPT. */
#include "smtpd/param.h"

static bool
is_keyword(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		bool alnum =
		    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!alnum && (i == 0 || c != '-'))
			return false;
	}
	return s.len > 0;
}

/* esmtp-value = 1*(%d33-60 / %d62-126); octets above are for extensions with UTF-8, whose own rules they meet. */
static bool
is_value(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= 0x20 || c == '=' || c == 0x7f)
			return false;
	}
	return s.len > 0;
}

int
param_next(struct span *rest, struct param *p)
{
	struct span item;

	while (rest->len > 0 && rest->p[0] == ' ')
		*rest = span_skip(*rest, 1);
	if (rest->len == 0)
		return 0;
	item = span_cut(rest, ' ');
	p->keyword = span_cut(&item, '=');
	p->has_value = item.p != NULL;
	p->value = item;
	return is_keyword(p->keyword) && (!p->has_value || is_value(p->value)) ? 1 : -1;
}

bool
param_is(const struct param *p, const char *keyword)
{
	return span_is_nocase(p->keyword, keyword);
}
