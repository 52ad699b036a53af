/*
 * tls_settings: what smtpd uses of tls { } of the configuration, as its own copies, so
 * that TLS can be made of it later, when the rights are gone. Made by smtpd_main.c from
 * each settings message.
 */
#ifndef SMTPD_TLS_SETTINGS_H
#define SMTPD_TLS_SETTINGS_H

#include "common/buf.h"
#include "conf/config.h"
#include "smtpd/tls_context.h"

struct tls_settings {
	bool wanted;		/* there is a certificate */
	struct tls_rules rules; /* points into the others */
	struct buf client_ca;
	char *ciphers, *ciphersuites; /* NULL: not configured */
};

/* From a configuration and the text of its client-ca (may be empty), neither of which is kept. */
void tls_settings_init(struct tls_settings *s, const struct config *c, struct span client_ca);

/* One of zeros is fine. */
void tls_settings_release(struct tls_settings *s);

#endif
