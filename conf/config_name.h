/*
 * config_name: names as postrider.conf writes them, in the form that the rest of
 * the program compares. Used by keys (conf/config_value.c) and titles of sections. Pure.
 */
#ifndef CONF_CONFIG_NAME_H
#define CONF_CONFIG_NAME_H

#include "common/limits.h"
#include "common/span.h"

#define CONFIG_NEXT_HOP_SIZE (DOMAIN_MAX + 16)

/*
 * "[host]", "[host]:port", "[address]:port", "host:port", "address:port" to the form of doc/IPC.md for
 * a host that is not looked up by MX: "[host]" or "[host]:port". -1 if it is none of these.
 */
int config_name_next_hop(struct span s, char out[CONFIG_NEXT_HOP_SIZE]);

/* A domain, canonical, perhaps with a dot in front. -1 and *why (a static text) if it is none. */
int config_name_domain(struct span s, char out[DOMAIN_MAX + 2], const char **why);

#endif
