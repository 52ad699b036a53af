/* domain_conf: choices that hold for a domain. See domain_conf.h. */
#include "conf/domain_conf.h"

#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "common/xalloc.h"
#include "conf/confile.h"
#include "conf/fold.h"

struct loader {
	struct domain_conf *c;
	const char *path;
	struct config_errors *errors;
};

static void
set(char **p, struct span s)
{
	free(*p);
	*p = xspandup(s);
}

/* NULL, or what was expected. */
static const char *
set_catch_all(struct domain_conf *c, struct span s, unsigned line)
{
	char text[LOCAL_PART_MAX + 3];
	struct address a;

	c->catch_all_line = line;
	c->catch_all_here = span_index(s, '@') < 0;
	if (!c->catch_all_here) {
		if (address_parse(s, ADDRESS_UTF8, &a, NULL) != 0 || a.literal)
			return "expected a user of this domain, or an address";
		set(&c->catch_all, address_span(&a));
		return NULL;
	}
	if (!fold_is_name(s))
		return "expected a user of this domain, or an address";
	memcpy(text, s.p, s.len);
	memcpy(text + s.len, "@x", 2);
	if (address_parse(span_make(text, s.len + 2), ADDRESS_UTF8, &a, NULL) != 0)
		return "expected a user of this domain, or an address";
	set(&c->catch_all, address_local(&a));
	return NULL;
}

static const char *
set_separators(struct domain_conf *c, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (strchr(DOMAIN_SEPARATORS, s.p[i]) == NULL)
			return "expected characters out of + - = _ # % & ~ ^ ! * $, such as "
			       "\"+\" or \"+-\"";
	}
	set(&c->separators, s);
	return NULL;
}

static const char *
set_maildir(struct domain_conf *c, struct span s)
{
	char path[FOLD_PATH_MAX + 1];

	if (s.len == 0 || s.p[0] == '/' || fold_path(s, span_str(""), path) != 0)
		return "expected a path below the home directory such as Maildir, without ..";
	set(&c->maildir, span_str(path));
	return NULL;
}

static const char *
set_rate(struct units_rate *rate, struct span s)
{
	return units_parse_rate(s, rate) == 0 ? NULL
					      : "expected a rate such as 6/minute, 100/hour or "
						"500/day, from 1 to 1000000";
}

static const char *
set_size(uint64_t *size, struct span s)
{
	return units_parse_size(s, size) == 0 && *size >= 1024
		   ? NULL
		   : "expected a size such as 500K or 20M, at least 1K";
}

static const char *
set_quota(uint64_t *quota, struct span s)
{
	return units_parse_size(s, quota) == 0 && (*quota == 0 || *quota >= 1024) &&
		       *quota <= DOMAIN_QUOTA_MAX
		   ? NULL
		   : "expected a whole number with K, M, G or T such as 500M, from 1K to "
		     "4095G, or 0 for none";
}

static const char *
set_over_quota(struct domain_conf *c, struct span s)
{
	c->over_quota_refuses = span_is(s, "refuse");
	return c->over_quota_refuses || span_is(s, "wait") ? NULL : "expected wait or refuse";
}

/* The order is that of enum key. */
static const struct confile_key keys[] = {
    {"catch-all", CONFILE_VALUE, NULL, 0},
    {"subaddress-separators", CONFILE_VALUE, NULL, 0},
    {"maildir", CONFILE_VALUE, NULL, 0},
    {"message-rate", CONFILE_VALUE, NULL, 0},
    {"recipient-rate", CONFILE_VALUE, NULL, 0},
    {"message-size-limit", CONFILE_VALUE, NULL, 0},
    {"quota", CONFILE_VALUE, NULL, 0},
    {"over-quota", CONFILE_VALUE, NULL, 0},
};

const struct confile_key *
domain_conf_keys(size_t *n)
{
	*n = sizeof keys / sizeof keys[0];
	return keys;
}

enum key {
	KEY_CATCH_ALL,
	KEY_SEPARATORS,
	KEY_MAILDIR,
	KEY_MESSAGE_RATE,
	KEY_RECIPIENT_RATE,
	KEY_MESSAGE_SIZE,
	KEY_QUOTA,
	KEY_OVER_QUOTA
};

static const char *
set_value(struct domain_conf *c, enum key key, struct span value, unsigned line)
{
	switch (key) {
	case KEY_CATCH_ALL:
		return set_catch_all(c, value, line);
	case KEY_SEPARATORS:
		return set_separators(c, value);
	case KEY_MAILDIR:
		return set_maildir(c, value);
	case KEY_MESSAGE_RATE:
		return set_rate(&c->message_rate, value);
	case KEY_RECIPIENT_RATE:
		return set_rate(&c->recipient_rate, value);
	case KEY_MESSAGE_SIZE:
		return set_size(&c->message_size_limit, value);
	case KEY_QUOTA:
		return set_quota(&c->quota, value);
	case KEY_OVER_QUOTA:
		return set_over_quota(c, value);
	}
	return NULL;
}

static void
on_item(const struct confile_item *item, void *arg)
{
	struct loader *l = arg;
	struct span value = span_str(item->value);
	const char *wrong = set_value(l->c, (enum key)(item->key - keys), value, item->line);

	if (wrong != NULL)
		config_errors_add(l->errors, l->path, item->line, "%s = \"%s\": %s",
		    item->key->name, item->value, wrong);
}

void
domain_conf_init(struct domain_conf *c)
{
	*c = (struct domain_conf){.separators = xstrdup("+"), .maildir = xstrdup("Maildir")};
}

int
domain_conf_parse(
    struct domain_conf *c, struct span text, const char *path, struct config_errors *errors)
{
	struct config_errors mine = {.v = NULL};
	struct loader l = {c, path, errors != NULL ? errors : &mine};
	size_t first = l.errors->n, before = l.errors->n + l.errors->dropped;
	int r;

	domain_conf_init(c);
	confile_parse(text, path, keys, sizeof keys / sizeof keys[0], l.errors, on_item, &l);
	r = l.errors->n + l.errors->dropped > before ? -1 : 0;
	config_errors_finish(l.errors, first);
	config_errors_release(&mine);
	return r;
}

void
domain_conf_release(struct domain_conf *c)
{
	free(c->catch_all);
	free(c->separators);
	free(c->maildir);
	*c = (struct domain_conf){.catch_all = NULL};
}
