/*
 * fuzz_aliases: any octets as a domain's aliases, and as a list that one includes.
 * Every alias has targets, is found by its name, and each target is an address
 * that parses to itself, a path, or refused with a reason and a complaint.
 */
#include "common/address.h"
#include "common/utf8.h"
#include "conf/aliases.h"
#include "tests/fuzz/must.h"

static void
check_target(const struct aliases_file *f, const struct alias_target *t)
{
	struct span s = alias_text(f, t);
	struct address a;

	MUST(t->text + t->text_len <= f->text_len);
	MUST(utf8_valid(s) && !span_has_control(s));
	MUST(t->line > 0);
	switch ((enum alias_kind)t->kind) {
	case ALIAS_ADDRESS:
		MUST(!t->final);
		MUST(address_parse(s, ADDRESS_UTF8, &a, NULL) == 0);
		MUST(span_eq(address_span(&a), s) && !a.literal);
		break;
	case ALIAS_HERE:
		MUST(s.len > 0 && s.len <= LOCAL_PART_MAX);
		break;
	case ALIAS_INCLUDE:
	case ALIAS_REFUSED:
		MUST(!t->final);
		break;
	}
}

static size_t
check_targets(const struct aliases_file *f)
{
	size_t refused = 0;

	for (size_t i = 0; i < f->ntargets; i++) {
		check_target(f, &f->targets[i]);
		refused += f->targets[i].kind == ALIAS_REFUSED;
	}
	return refused;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors = {.v = NULL};
	struct aliases_file f;
	struct span text = span_make(data, size);
	int r = aliases_parse(&f, text, "etc/aliases", &errors);

	MUST(r == 0 || (f.naliases == 0 && errors.n > 0));
	MUST(check_targets(&f) == 0 || errors.n > 0);
	for (size_t i = 0; i < f.naliases; i++) {
		const struct alias *a = &f.aliases[i];

		MUST(a->name_len > 0 && aliases_find(&f, alias_name(&f, a)) == a);
		MUST(a->count > 0 && a->first + a->count <= f.ntargets);
	}
	aliases_release(&f);
	config_errors_release(&errors);

	aliases_parse_list(&f, text, "etc/list", &errors);
	MUST(f.naliases == 0);
	MUST(check_targets(&f) == 0 || errors.n > 0);
	aliases_release(&f);
	config_errors_release(&errors);
	return 0;
}
