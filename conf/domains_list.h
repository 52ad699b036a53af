/*
 * domains_list: the names in the directory that holds one directory per domain.
 * Used where all domains matter: `postrider domain list` and `check`, and the
 * search for the first one. Reads names only, nothing of a domain.
 */
#ifndef CONF_DOMAINS_LIST_H
#define CONF_DOMAINS_LIST_H

#include "common/address.h"
#include "common/span.h"

/*
 * Is the name of an entry that of a domain? 0: yes. 1: no, and nobody will take it for one (lost+found,
 * anything with a leading dot). -1: it would be, were it written as canonical gets it.
 */
int domains_judge_name(struct span name, char canonical[DOMAIN_MAX + 1]);

/*
 * Calls fn for every directory and symbolic link in root whose name is that of a domain, in no order.
 * problem is NULL, or why it is none although it looks like one. -1 with errno: root cannot be read.
 */
typedef void domains_entry_fn(const char *name, const char *problem, void *arg);
int domains_list(const char *root, domains_entry_fn *fn, void *arg);

#endif
