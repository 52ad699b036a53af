/*
 * header_rules: a file of header checks, in the form of Postfix's header_checks(5) and pcre_table(5):
 *
 *	/pattern/flags ACTION text	!/pattern/flags ACTION text
 *	if /pattern/flags … endif	if !/pattern/flags … endif
 *
 * What the actions mean is in header_check.h, all of it in postrider-header-checks(5). Pure.
 */
#ifndef CONF_HEADER_RULES_H
#define CONF_HEADER_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/span.h"
#include "conf/config_errors.h"
#include "conf/header_pattern.h"

/* A larger file is refused; it travels to smtpd in one message. */
#define HEADER_RULES_MAX (512U << 10)
/* Lines with a pattern; conditions within each other. */
#define HEADER_RULES_COUNT_MAX 4000
#define HEADER_RULES_NEST_MAX  20

enum header_action {
	HEADER_DUNNO, /* the next field, please; also OK */
	HEADER_REJECT,
	HEADER_DISCARD,
	HEADER_HOLD,
	HEADER_WARN, /* also INFO */
	HEADER_PREPEND,
	HEADER_REDIRECT,
};

enum header_rule_kind {
	HEADER_RULE, /* pattern and action */
	HEADER_IF,
	HEADER_ENDIF,
};

struct header_rule {
	enum header_rule_kind kind;
	unsigned line;
	bool negated;
	struct header_pattern *pattern; /* NULL: ENDIF */
	size_t end;			/* of IF: index of its ENDIF */
	enum header_action action;
	char status[12]; /* of REJECT: x.y.z */
	char *
	    text; /* of the action, may be "", with $1 and the like; PREPEND: the field, REDIRECT: canonical address */
};

struct header_rules {
	char *path; /* as in messages */
	struct header_rule *v;
	size_t n;
};

/* All errors go to errors as path:line: text. NULL if there is one; else the caller frees. */
struct header_rules *header_rules_parse(
    struct span text, const char *path, struct config_errors *errors);
void header_rules_free(struct header_rules **r);

/* "REJECT", … */
const char *header_action_name(enum header_action action);

/*
 * Appends a rule's text with what the groups of the last match of m were in place of $1, ${1}, $(1), and $ for $$.
 * Control octets become question marks. Cut where out is full.
 */
void header_rule_expand(
    const struct header_rule *r, const struct header_matcher *m, struct buf *out);

#endif
