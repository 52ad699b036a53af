/* dsn_param: the values of the parameters of RFC 3461. See dsn_param.h. Called by the parsers of MAIL and RCPT. */
#include "smtpd/dsn_param.h"

#include "common/utf8_address.h"
#include "common/xtext.h"

bool
dsn_param_ret_valid(struct span value)
{
	return span_is_nocase(value, "FULL") || span_is_nocase(value, "HDRS");
}

bool
dsn_param_envid_valid(struct span value)
{
	return xtext_is_printable(value, DSN_ENVID_MAX);
}

bool
dsn_param_notify_valid(struct span value)
{
	static const char *const words[] = {"SUCCESS", "FAILURE", "DELAY"};
	struct span rest = value;
	unsigned seen = 0;

	if (span_is_nocase(value, "NEVER"))
		return true;
	while (rest.p != NULL) {
		struct span word = span_cut(&rest, ',');
		int i = span_among_nocase(word, words, sizeof words / sizeof *words);

		if (i < 0 || (seen & 1U << i) != 0)
			return false;
		seen |= 1U << i;
	}
	return true;
}

/* The address type is an atom (RFC 3461 4.2). */
static bool
is_type(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '-')
			return false;
	}
	return s.len > 0;
}

bool
dsn_param_orcpt_valid(struct span value)
{
	struct span rest = value, type = span_cut(&rest, ';');

	if (value.len > DSN_ORCPT_MAX || !is_type(type) || rest.p == NULL)
		return false;
	return span_is_nocase(type, "utf-8") ? utf8_address_valid(rest)
					     : xtext_is_utf8(rest, DSN_ORCPT_MAX);
}
