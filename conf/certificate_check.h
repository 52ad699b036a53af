/*
 * certificate_check: is the TLS certificate in a domain's etc/tls, if there is one,
 * of any use? What `postrider check` says of it before a client does.
 */
#ifndef CONF_CERTIFICATE_CHECK_H
#define CONF_CERTIFICATE_CHECK_H

#include "conf/config_errors.h"
#include "conf/domains.h"

/* Adds a complaint for what is wrong, a warning of a term that is over or soon will be. The domain's mail does not depend on it. */
void certificate_check(
    struct domains *d, const struct domain *domain, struct config_errors *errors);

#endif
