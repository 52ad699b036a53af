/*
 * check_domain: is everything right that one domain directory says? The part of `postrider check` that looks at a domain:
 * the code that the daemon believes reads its files, and the resolver is asked where mail would go.
 */
#ifndef QUEUE_CHECK_DOMAIN_H
#define QUEUE_CHECK_DOMAIN_H

#include "conf/config_errors.h"
#include "conf/domains.h"
#include "conf/resolve.h"

/* Of cmd_check; domains tells its complaints to errors. */
struct check {
	struct config_errors errors;
	struct domains *domains;
	struct resolve_env env;
	const char *root;	  /* the directory of all domains */
	size_t ndomains, aliases; /* looked at so far */
};

/* Adds a problem for everything that is wrong with the domain of that (canonical) name. */
void check_domain(struct check *k, const char *name);

/* The same of a symbolic link. What it leads to is checked under its own name. */
void check_domain_link(struct check *k, const char *name);

#endif
