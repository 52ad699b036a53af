/* certificate_answer: where certificates and keys lie, and what they are. See certificate_answer.h. */
#include "conf/certificate_answer.h"

#include <stdio.h>

#include "conf/certificate_files.h"

#define NAME_SIZE 40

const char *
certificate_answer_prefix(size_t pair)
{
	static const char *const prefixes[CERTIFICATE_PAIRS] = {"", "second-"};

	return prefixes[pair];
}

int
certificate_answer_get(
    const struct wire_msg *m, size_t pair, const char *name, struct span *value)
{
	char whole[NAME_SIZE];

	snprintf(whole, sizeof whole, "%s%s", certificate_answer_prefix(pair), name);
	return wire_get(m, whole, value);
}

static void
add(struct wire_out *w, size_t pair, const char *name, struct span value)
{
	char whole[NAME_SIZE];

	snprintf(whole, sizeof whole, "%s%s", certificate_answer_prefix(pair), name);
	wire_add(w, whole, value);
}

static void
add_files(struct wire_out *w, size_t pair, const struct certificate_files *f, bool read)
{
	add(w, pair, "certificate", span_str(f->certificate));
	add(w, pair, "key", span_str(f->key));
	add(w, pair, "stamp", span_str(f->stamp));
	if (f->problem.len > 0) {
		add(w, pair, "problem", buf_span(&f->problem));
	} else if (read) {
		add(w, pair, "certificate-text", buf_span(&f->certificate_text));
		add(w, pair, "key-text", buf_span(&f->key_text));
	}
}

/* This host's own. */
static enum lookup
find_own(const struct config *c, uid_t owner, bool read, struct certificate_set *set)
{
	if (c->tls_certificate == NULL || c->tls_key == NULL)
		return LOOKUP_NOT_FOUND;
	certificate_set_add(set, c->tls_certificate, c->tls_key, owner, read);
	if (c->tls_second_certificate != NULL && c->tls_second_key != NULL)
		certificate_set_add(
		    set, c->tls_second_certificate, c->tls_second_key, owner, read);
	return LOOKUP_FOUND;
}

void
certificate_answer(const struct config *c, struct domains *d, uid_t owner,
    const struct wire_msg *m, struct wire_out *w)
{
	struct certificate_set set = {.n = 0};
	bool read = wire_is_yes(m, "texts");
	struct verdict v;
	struct span name;
	enum lookup r;

	wire_out_keep_nothing(w);
	r = wire_get(m, "name", &name) == 0 ? certificate_set_find(d, name, read, &set)
					    : find_own(c, owner, read, &set);
	if (r == LOOKUP_FOUND)
		verdict_set_text(&v, VERDICT_OK, 0, "2.0.0", "found");
	else if (r == LOOKUP_NOT_FOUND)
		verdict_set(&v, VERDICT_PERMANENT, 0, "5.7.5", "there is no certificate");
	else
		verdict_init(&v);
	wire_add_verdict(w, &v);
	for (size_t i = 0; i < set.n; i++)
		add_files(w, i, &set.v[i], read);
	certificate_set_release(&set);
}
