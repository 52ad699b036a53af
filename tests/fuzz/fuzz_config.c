/*
 * fuzz_config: any octets as postrider.conf, and as a domain.conf. What is taken
 * without complaint survives the way to a child and back unchanged; every complaint
 * names the file.
 */
#include <stdlib.h>

#include "common/xalloc.h"
#include "conf/config_parse.h"
#include "conf/domain_conf.h"
#include "tests/fuzz/must.h"

static void
check_way_to_a_child(const struct config *c)
{
	struct wire_fields fields = {NULL, 0};
	struct wire_out w, again;
	struct wire_msg m;
	struct config *copy;
	char *text;

	wire_out_init(&w, "settings", 0);
	config_to_wire(c, &w);
	text = xspandup(buf_span(&w.text));
	MUST(wire_parse(text, w.text.len, &fields, &m) == 0);
	copy = config_from_wire(&m);
	MUST(copy != NULL);
	wire_out_init(&again, "settings", 0);
	config_to_wire(copy, &again);
	MUST(span_eq(buf_span(&w.text), buf_span(&again.text)));
	config_free(&copy);
	wire_out_release(&w);
	wire_out_release(&again);
	wire_fields_release(&fields);
	free(text);
}

static void
check_errors(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->n && i < CONFIG_ERRORS_MAX; i++)
		MUST(strncmp(errors->v[i].text, "conf:", 5) == 0);
	config_errors_release(errors);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors = {.v = NULL};
	struct config_lines lines;
	struct domain_conf d;
	struct config *c;
	int r;

	if (size > 65536)
		return 0;
	c = config_parse(span_make(data, size), "conf", &lines, &errors);
	MUST(c != NULL);
	if (errors.n == 0)
		check_way_to_a_child(c);
	check_errors(&errors);
	config_lines_release(&lines);
	config_free(&c);

	r = domain_conf_parse(&d, span_make(data, size), "conf", &errors);
	MUST((r != 0) == (errors.n > 0));
	MUST(d.separators != NULL && d.maildir != NULL && d.maildir[0] != '/');
	check_errors(&errors);
	domain_conf_release(&d);
	return 0;
}
