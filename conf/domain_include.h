/*
 * domain_include: the lists that a domain's aliases name (:include:file): files
 * beneath the domain's etc, read when an alias needs them and again when they
 * changed. Believed under the same rules as the domain's other files.
 */
#ifndef CONF_DOMAIN_INCLUDE_H
#define CONF_DOMAIN_INCLUDE_H

#include "conf/domain.h"

/* Lists of one domain, and the memory they take before there may be another. */
#define DOMAIN_INCLUDES_MAX	   1000
#define DOMAIN_INCLUDES_OCTETS_MAX ((size_t)256 << 20)

/*
 * The list in the file that path (as written in aliases) names. It is looked at once for each number of
 * a decision, so that it does not change within one.
 * UNKNOWN with *why if it is not in etc, not there, or not to be believed. *file gets its path relative to the
 * domain, for messages. What is returned lives as long as the decision.
 */
enum lookup domain_include(struct domain *d, int rootfd, struct span path, uint64_t decision,
    const struct aliases_file **list, const char **file, struct config_errors *errors,
    struct buf *why);

/* For domain.c: forgets all of them; the memory they take. */
void domain_includes_release(struct domain *d);
size_t domain_includes_octets(const struct domain *d);

#endif
