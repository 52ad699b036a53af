/*
 * domain_fake: hosted domains made of texts, without a file system: what
 * struct resolve_source is for. For the tests of the resolver and of policy.
 */
#ifndef TESTS_UNIT_DOMAIN_FAKE_H
#define TESTS_UNIT_DOMAIN_FAKE_H

#include "tests/unit/testing.h"

#include <stdlib.h>

#include "common/xalloc.h"
#include "conf/mailbox_usage.h"
#include "conf/resolve.h"

#define FAKE_DOMAINS_MAX 16

struct fake {
	struct domain *domains[FAKE_DOMAINS_MAX];
	size_t n;
	struct {
		const char *alias, *name;
	} aliases[FAKE_DOMAINS_MAX];
	size_t naliases;
	const char *broken; /* a domain about which nothing can be told */
	struct {
		const char *path, *text;
		struct aliases_file list;
	} lists[FAKE_DOMAINS_MAX];
	size_t nlists;
	struct config config;
	struct resolve_env env;
	uint64_t used; /* octets in each mailbox */
	bool used_at_least;
};

static inline enum lookup
fake_find(void *arg, struct span name, struct domain **out, struct buf *why)
{
	struct fake *f = arg;

	if (f->broken != NULL && span_is(name, f->broken)) {
		buf_add_str(why, "its file system is away");
		return LOOKUP_UNKNOWN;
	}
	for (size_t i = 0; i < f->naliases; i++) {
		if (span_is(name, f->aliases[i].alias))
			name = span_str(f->aliases[i].name);
	}
	for (size_t i = 0; i < f->n; i++) {
		if (span_is(name, f->domains[i]->name)) {
			*out = f->domains[i];
			return LOOKUP_FOUND;
		}
	}
	return LOOKUP_NOT_FOUND;
}

static inline enum lookup
fake_include(void *arg, struct domain *d, struct span path, const struct aliases_file **list,
    const char **file, struct buf *why)
{
	struct fake *f = arg;

	(void)d;
	for (size_t i = 0; i < f->nlists; i++) {
		if (!span_is(path, f->lists[i].path))
			continue;
		*list = &f->lists[i].list;
		*file = f->lists[i].path;
		return LOOKUP_FOUND;
	}
	buf_add_str(why, "does not exist");
	return LOOKUP_UNKNOWN;
}

static inline void
fake_usage(void *arg, struct domain *d, const struct mailbox *m, uint64_t need,
    struct mailbox_usage *u)
{
	struct fake *f = arg;

	(void)d, (void)m, (void)need;
	*u = (struct mailbox_usage){.octets = f->used, .at_least = f->used_at_least};
}

static inline enum lookup
fake_first(void *arg, char out[DOMAIN_MAX + 1])
{
	struct fake *f = arg;

	if (f->n == 0)
		return LOOKUP_NOT_FOUND;
	snprintf(out, DOMAIN_MAX + 1, "%s", f->domains[0]->name);
	return LOOKUP_FOUND;
}

static inline void
fake_init(struct fake *f)
{
	*f = (struct fake){.n = 0};
	f->config.path = xstrdup("postrider.conf");
	f->config.hostname = xstrdup("mx.test");
	f->env = (struct resolve_env){.config = &f->config,
	    .source = {fake_find, fake_include, fake_first, fake_usage, f},
	    .self = {1000, 1000}};
}

static inline struct domain *
fake_domain(
    struct fake *f, const char *name, const char *passwd, const char *aliases, const char *conf)
{
	struct domain *d = domain_new("/virtual", span_str(name));

	passwd_parse(&d->passwd, span_str(passwd), "etc/passwd", span_str(d->path), NULL);
	aliases_parse(&d->aliases, span_str(aliases), "etc/aliases", NULL);
	domain_conf_release(&d->conf);
	assert_int_equal(
	    domain_conf_parse(&d->conf, span_str(conf), "etc/domain.conf", NULL), 0);
	for (size_t i = 0; i < DOMAIN_FILES; i++)
		d->source[i] = (struct domain_source){.seen = true, .in_force = true};
	d->uid = d->gid = 2000;
	assert_true(f->n < FAKE_DOMAINS_MAX);
	f->domains[f->n++] = d;
	return d;
}

static inline void
fake_list(struct fake *f, const char *path, const char *text)
{
	assert_true(f->nlists < FAKE_DOMAINS_MAX);
	f->lists[f->nlists].path = path;
	aliases_parse_list(&f->lists[f->nlists].list, span_str(text), path, NULL);
	f->nlists++;
}

static inline void
fake_release(struct fake *f)
{
	for (size_t i = 0; i < f->n; i++)
		domain_free(&f->domains[i]);
	for (size_t i = 0; i < f->nlists; i++)
		aliases_release(&f->lists[i].list);
	free(f->config.path);
	free(f->config.hostname);
	free(f->config.relay_from.v);
	free(f->config.smarthost);
	free(f->config.postmaster);
	for (size_t i = 0; i < f->config.relay_domains.n; i++)
		free(f->config.relay_domains.v[i]);
	free(f->config.relay_domains.v);
}

/* A tear-down for cmocka, after a set-up that has put a struct fake into *state. */
static inline int
fake_teardown(void **state)
{
	fake_release(*state);
	return 0;
}

#endif
