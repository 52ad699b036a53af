/* certificate_check: is a domain's TLS certificate of any use? See certificate_check.h. */
#include "conf/certificate_check.h"

#include "common/clock.h"
#include "conf/certificate_files.h"
#include "conf/key_pair.h"

static void
check_texts(const struct domain *domain, const struct certificate_files *f,
    struct config_errors *errors)
{
	char term[KEY_PAIR_TERM_SIZE];
	enum key_pair_file file;
	struct key_pair pair;
	struct buf why;

	buf_init(&why, 1024);
	if (key_pair_parse(buf_span(&f->certificate_text), buf_span(&f->key_text), &pair, &file,
		&why) != 0) {
		config_errors_add(errors, file == KEY_PAIR_KEY ? f->key : f->certificate, 0,
		    "%s", buf_str(&why));
	} else {
		if (key_pair_term(&pair, clock_wall(), term) != KEY_PAIR_VALID)
			config_errors_warn(errors, f->certificate, 0, "%s", term);
		if (!key_pair_is_of(&pair, span_str(domain->name)))
			config_errors_add(errors, f->certificate, 0,
			    "is a certificate neither for %s nor for a name below it: no "
			    "client will see it",
			    domain->name);
		key_pair_release(&pair);
	}
	buf_release(&why);
}

void
certificate_check(struct domains *d, const struct domain *domain, struct config_errors *errors)
{
	struct certificate_files f = {.key = NULL};

	if (certificate_files_in(d, domain, true, &f) == LOOKUP_FOUND) {
		if (f.problem.len > 0)
			config_errors_add_text(errors, buf_str(&f.problem));
		else
			check_texts(domain, &f, errors);
	}
	certificate_files_release(&f);
}
