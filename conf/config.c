/*
 * config: the struct that holds postrider.conf, its end, and the names of its
 * enumerations. Loading is in config_load.c, checks in config_check.c.
 */
#include "conf/config.h"

#include <stdlib.h>

#include "conf/config_section.h"

static void
strings_release(struct config_strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
}

void
config_free(struct config **cp)
{
	struct config *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	config_sections_release(c);
	strings_release(&c->relay_domains);
	strings_release(&c->relay_client_certs);
	strings_release(&c->resolver);
	free(c->relay_from.v);
	free(c->proxy_from.v);
	free(c->xclient_from.v);
	free(c->retry);
	free(c->path);
	free(c->hostname);
	free(c->domains);
	free(c->spool);
	free(c->access_table);
	free(c->tls_certificate);
	free(c->tls_second_certificate);
	free(c->tls_second_key);
	free(c->tls_key);
	free(c->tls_client_ca);
	free(c->header_checks);
	free(c->mime_header_checks);
	free(c->smarthost);
	free(c->auth_domain);
	free(c->tls_ciphers);
	free(c->tls_ciphersuites);
	free(c->postmaster);
	free(c->user_smtpd);
	free(c->user_directory);
	free(c->user_queue);
	free(c->user_remote);
	free(c->user_keys);
	free(c);
}

static const char *const roles[] = {
    [LISTENER_MX] = "mx",
    [LISTENER_SUBMISSION] = "submission",
    [LISTENER_SUBMIT] = "submit",
};

static const char *const tls_modes[] = {
    [LISTENER_TLS_NONE] = "none",
    [LISTENER_TLS_STARTTLS] = "starttls",
    [LISTENER_TLS_IMPLICIT] = "implicit",
};

static const char *const checks[] = {
    [CHECK_OFF] = "off",
    [CHECK_LOOKUP] = "lookup",
    [CHECK_WARN] = "warn",
    [CHECK_REJECT] = "reject",
};

const char *
listener_role_name(enum listener_role role)
{
	return roles[role];
}

int
listener_role_parse(struct span s, enum listener_role *role)
{
	int i = span_among(s, roles, sizeof roles / sizeof roles[0]);

	if (i < 0)
		return -1;
	*role = (enum listener_role)i;
	return 0;
}

const char *
listener_tls_name(enum listener_tls tls)
{
	return tls_modes[tls];
}

int
listener_tls_parse(struct span s, enum listener_tls *tls)
{
	int i = span_among(s, tls_modes, sizeof tls_modes / sizeof tls_modes[0]);

	if (i < 0)
		return -1;
	*tls = (enum listener_tls)i;
	return 0;
}

const struct netblock *
config_netblocks_find(const struct config_netblocks *networks, const struct netaddr *a)
{
	for (size_t i = 0; i < networks->n; i++)
		if (netblock_contains(&networks->v[i], a))
			return &networks->v[i];
	return NULL;
}

const char *
config_check_name(enum config_check check)
{
	return checks[check];
}

int
config_check_parse(struct span s, enum config_check *check)
{
	int i = span_among(s, checks, sizeof checks / sizeof checks[0]);

	if (i < 0)
		return -1;
	*check = (enum config_check)i;
	return 0;
}
