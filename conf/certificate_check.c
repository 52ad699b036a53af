/* certificate_check: is a domain's TLS certificate of any use? See certificate_check.h. */
#include "conf/certificate_check.h"

#include "common/clock.h"
#include "conf/certificate_files.h"
#include "conf/key_pair.h"

/* False: it cannot be used, which is said. */
static bool
check_pair(const struct domain *domain, const struct certificate_files *f,
    struct key_pair *pair, struct config_errors *errors)
{
	char term[KEY_PAIR_TERM_SIZE];
	enum key_pair_file file;
	struct buf why;
	bool good;

	if (f->problem.len > 0) {
		config_errors_add_text(errors, buf_str(&f->problem));
		return false;
	}
	buf_init(&why, 1024);
	good = key_pair_parse(buf_span(&f->certificate_text), buf_span(&f->key_text), pair,
		   &file, &why) == 0;
	if (!good) {
		config_errors_add(errors, file == KEY_PAIR_KEY ? f->key : f->certificate, 0,
		    "%s", buf_str(&why));
	} else {
		if (key_pair_term(pair, clock_wall(), term) != KEY_PAIR_VALID)
			config_errors_warn(errors, f->certificate, 0, "%s", term);
		if (!key_pair_is_of(pair, span_str(domain->name)))
			config_errors_add(errors, f->certificate, 0,
			    "is a certificate neither for %s nor for a name below it: no "
			    "client will see it",
			    domain->name);
	}
	buf_release(&why);
	return good;
}

void
certificate_check(struct domains *d, const struct domain *domain, struct config_errors *errors)
{
	struct certificate_set set = {.n = 0};
	struct key_pair pairs[CERTIFICATE_PAIRS] = {{.leaf = NULL}};
	size_t good = 0;

	if (certificate_set_find_in(d, domain, true, &set) == LOOKUP_FOUND)
		for (size_t i = 0; i < set.n; i++)
			good += check_pair(domain, &set.v[i], &pairs[i], errors);
	if (good == CERTIFICATE_PAIRS && key_pair_same_kind(&pairs[0], &pairs[1]))
		config_errors_add(errors, set.v[1].certificate, 0, KEY_PAIR_SAME_KIND,
		    key_pair_kind(&pairs[1]), set.v[0].certificate);
	for (size_t i = 0; i < CERTIFICATE_PAIRS; i++)
		key_pair_release(&pairs[i]);
	certificate_set_release(&set);
}
