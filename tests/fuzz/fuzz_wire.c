/*
 * fuzz_wire: any octets as a frame from another process. What parses can be
 * built again and parses to the same; what cannot is refused, never read past.
 */
#include <stdlib.h>

#include "common/limits.h"
#include "common/wire.h"
#include "tests/fuzz/must.h"

static char *
copy(struct span s)
{
	char *p = malloc(s.len > 0 ? s.len : 1);

	MUST(p != NULL);
	if (s.len > 0)
		memcpy(p, s.p, s.len);
	return p;
}

/* Builds the message again and compares field by field. */
static void
check_round_trip(const struct wire_msg *m)
{
	struct wire_fields fields = {0};
	struct wire_msg again;
	struct wire_out w;
	char verb[4096], name[4096], *text;

	if (m->verb.len >= sizeof verb)
		return;
	memcpy(verb, m->verb.p, m->verb.len);
	verb[m->verb.len] = '\0';
	wire_out_init(&w, verb, m->id);
	for (size_t i = 0; i < m->nfields; i++) {
		struct span n = m->fields[i].name;

		MUST(n.len > 0 && n.len < sizeof name);
		if (memchr(n.p, '\0', n.len) != NULL) {
			/* Names are our own words; one with a NUL cannot be built. */
			wire_out_release(&w);
			return;
		}
		memcpy(name, n.p, n.len);
		name[n.len] = '\0';
		wire_add(&w, name, m->fields[i].value);
	}
	text = copy(buf_span(&w.text));
	MUST(wire_parse(text, w.text.len, &fields, &again) == 0);
	MUST(again.id == m->id && span_eq(again.verb, m->verb) && again.nfields == m->nfields);
	for (size_t i = 0; i < m->nfields; i++)
		MUST(span_eq(again.fields[i].name, m->fields[i].name) &&
		     span_eq(again.fields[i].value, m->fields[i].value));
	free(text);
	wire_fields_release(&fields);
	wire_out_release(&w);
}

static void
ask_everything(const struct wire_msg *m)
{
	struct verdict v;
	struct span s;
	uint64_t n;

	(void)wire_get(m, "a", &s);
	(void)wire_get_u64(m, "n", UINT32_MAX, &n);
	(void)wire_is_yes(m, "y");
	if (wire_get_verdict(m, &v) == 0)
		MUST(verdict_status_valid(span_str(v.status)) && v.code >= 0 && v.code <= 599);
	else
		MUST(v.kind == VERDICT_TEMPORARY);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_fields fields = {0};
	size_t text_len, payload_len, nfds;
	struct wire_msg m;
	char *text;

	if (size < WIRE_HEADER_SIZE || size > 4096)
		return 0;
	if (wire_header_parse(data, &text_len, &payload_len, &nfds) == 0)
		MUST(text_len <= WIRE_TEXT_MAX && payload_len <= WIRE_PAYLOAD_MAX &&
		     nfds <= WIRE_FDS_MAX);
	text = copy(span_make(data + WIRE_HEADER_SIZE, size - WIRE_HEADER_SIZE));
	if (wire_parse(text, size - WIRE_HEADER_SIZE, &fields, &m) == 0) {
		ask_everything(&m);
		check_round_trip(&m);
	}
	free(text);
	wire_fields_release(&fields);
	return 0;
}
