/* smtp_limits: the LIMITS extension (RFC 9422). See smtp_limits.h. Called for each reply to EHLO. */
#include "deliver/smtp_limits.h"

#include <stddef.h>

void
smtp_limits_parse(struct span value, struct smtp_limits *l)
{
	struct {
		const char *name;
		uint32_t *place;
	} const known[] = {{"MAILMAX", &l->mail}, {"RCPTMAX", &l->rcpt}};

	*l = (struct smtp_limits){0, 0};
	while (value.p != NULL) {
		struct span number = span_cut(&value, ' '), name = span_cut(&number, '=');
		uint64_t v;

		if (span_to_u64(number, UINT32_MAX, &v) != 0)
			continue;
		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			if (span_is_nocase(name, known[i].name))
				*known[i].place = (uint32_t)v;
	}
}
