/*
 * address_tool: what Postrider makes of addresses. Reads one a line, as it
 * would stand between < and > in RCPT, in the notation of tests/vectors
 * (tests/unit/escapes.h), and prints for each
 *
 *	valid CANONICAL | valid-utf8 CANONICAL | invalid
 *
 * where valid-utf8 is valid with SMTPUTF8 only. The tests of tests/vectors run
 * addresses.tsv through it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/address.h"
#include "common/buf.h"
#include "tests/unit/escapes.h"

static void
judge(struct span text)
{
	struct address a;

	if (address_parse(text, ADDRESS_POSTMASTER, &a, NULL) == 0)
		printf("valid %s\n", a.text);
	else if (address_parse(text, ADDRESS_POSTMASTER | ADDRESS_UTF8, &a, NULL) == 0)
		printf("valid-utf8 %s\n", a.text);
	else
		puts("invalid");
}

int
main(void)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int status = EXIT_SUCCESS;
	struct buf text;

	setvbuf(stdout, NULL, _IOLBF, 0);
	buf_init(&text, 1U << 20);
	while ((n = getline(&line, &cap, stdin)) > 0) {
		if (line[n - 1] == '\n')
			n--;
		buf_clear(&text);
		if (escapes_expand(span_make(line, (size_t)n), &text)) {
			judge(buf_span(&text));
		} else {
			fprintf(stderr, "address_tool: malformed escape: %.*s\n", (int)n, line);
			status = EXIT_FAILURE;
		}
	}
	buf_release(&text);
	free(line);
	return status;
}
