/*
 * fuzz_access_table: any text is a table or a list of errors; a table answers every
 * question, and a key of its own decides about itself.
 */
#include "conf/access_table.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors = {0};
	struct access_table *t = access_table_parse(span_make(data, size), "t", &errors, NULL);
	struct span line = span_make(data, size), text = span_cut(&line, '\n');
	struct netaddr client;
	struct address a;

	MUST((t == NULL) == (errors.n > 0));
	if (t != NULL) {
		if (netaddr_parse(text, &client) == 0)
			(void)access_table_find_client(t, &client, span_str("mx.example.com"));
		MUST(netaddr_parse(span_str("2001:db8::1"), &client) == 0);
		(void)access_table_find_client(t, &client, text);
		if (address_parse(text, ADDRESS_UTF8 | ADDRESS_ALLOW_EMPTY, &a, NULL) == 0)
			(void)access_table_find_address(t, ACCESS_FROM, &a, "+-");
		MUST(access_table_count(t) <= size);
	}
	access_table_free(&t);
	config_errors_release(&errors);
	return 0;
}
