/*
 * config_check_tls: what must be true of tls { } and of the listeners that need
 * it: the files are there, nobody else can write them or read the key, and the
 * key belongs to the certificate. Part of config_check.
 */
#ifndef CONF_CONFIG_CHECK_TLS_H
#define CONF_CONFIG_CHECK_TLS_H

#include "conf/config.h"
#include "conf/config_errors.h"
#include "conf/config_parse.h"

/* Octets of a file of CA certificates: it travels as the payload of one message. */
#define CONFIG_CLIENT_CA_MAX (1000U << 10)

/* Adds a complaint for everything that is wrong, and warnings: of a certificate that has expired or soon will, of none. */
void config_check_tls(
    const struct config *c, const struct config_lines *lines, struct config_errors *errors);

#endif
