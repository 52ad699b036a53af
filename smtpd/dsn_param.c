/* dsn_param: the values of the parameters of RFC 3461. See dsn_param.h. Called by the parsers of MAIL and RCPT. */
#include "smtpd/dsn_param.h"

#include "common/utf8_address.h"
#include "common/xtext.h"
#include "queue/dsn.h"

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

bool
dsn_param_orcpt_valid(struct span value)
{
	struct span rest = value, type = span_cut(&rest, ';');

	if (value.len > DSN_ORCPT_MAX || !dsn_type_valid(type) || rest.p == NULL)
		return false;
	return span_is_nocase(type, "utf-8") ? utf8_address_valid(rest)
					     : xtext_is_utf8(rest, DSN_ORCPT_MAX);
}
