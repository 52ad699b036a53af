/*
 * config_keys: the keys of postrider.conf as a table, and what walks it without
 * knowing what a value means. Setting a value is in config_value.c.
 */
#include "conf/config_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf/units.h"

#define MEMBER(m) offsetof(struct config, m)
#define SECOND	  UINT64_C(1000)
#define MINUTE	  (60 * SECOND)
#define DAY	  (24 * 60 * MINUTE)
#define KIB	  UINT64_C(1024)
#define GIB	  (KIB * KIB * KIB)

/* clang-format off */
static const struct config_key table[] = {
    /* name, section, type, member, default, least, most, may stay unset */
    {"hostname", NULL, CONFIG_HOSTNAME, MEMBER(hostname), NULL, 0, 0, false},
    {"domains", NULL, CONFIG_PATH, MEMBER(domains), "/virtual", 0, 0, false},
    {"spool", NULL, CONFIG_PATH, MEMBER(spool), "/var/spool/postrider", 0, 0, false},
    {"postmaster", NULL, CONFIG_ADDRESS, MEMBER(postmaster), NULL, 0, 0, true},
    {"relay-from", NULL, CONFIG_NETBLOCKS, MEMBER(relay_from), NULL, 0, 0, true},
    {"relay-domains", NULL, CONFIG_DOMAINS, MEMBER(relay_domains), NULL, 0, 0, true},
    {"smarthost", NULL, CONFIG_SMARTHOST, MEMBER(smarthost), NULL, 0, 0, true},
    {"resolver", NULL, CONFIG_RESOLVERS, MEMBER(resolver), NULL, 0, 0, true},
    {"message-size-limit", NULL, CONFIG_SIZE, MEMBER(message_size_limit), "50M", KIB, 64 * GIB, false},
    {"segment-size", NULL, CONFIG_SIZE, MEMBER(segment_size), "16M", KIB * KIB, GIB, false},
    {"recipient-limit", NULL, CONFIG_NUMBER, MEMBER(recipient_limit), "1000", 100, 10000, false},
    {"error-limit", NULL, CONFIG_NUMBER, MEMBER(error_limit), "10", 1, 1000, false},
    {"auth-failure-limit", NULL, CONFIG_NUMBER, MEMBER(auth_failure_limit), "3", 1, 1000, false},
    {"hop-limit", NULL, CONFIG_NUMBER, MEMBER(hop_limit), "50", 1, 1000, false},
    {"command-line-limit", NULL, CONFIG_NUMBER, MEMBER(command_line_limit), "2048", 512, 65536, false},
    {"connection-limit", NULL, CONFIG_NUMBER, MEMBER(connection_limit), "1000", 1, 1000000, false},
    {"connection-limit-per-client", NULL, CONFIG_NUMBER, MEMBER(connection_limit_per_client), "100", 1, 1000000, false},
    {"destination-concurrency", NULL, CONFIG_NUMBER, MEMBER(destination_concurrency), "20", 1, 1000, false},
    {"workers", NULL, CONFIG_NUMBER, MEMBER(workers), NULL, 1, 256, false},
    {"remote-port", NULL, CONFIG_NUMBER, MEMBER(remote_port), "25", 1, 65535, false},
    {"allow-loopback-destinations", NULL, CONFIG_BOOL, MEMBER(allow_loopback_destinations), "no", 0, 0, false},
    {"idle-timeout", NULL, CONFIG_DURATION, MEMBER(idle_timeout), "5m", 100, DAY, false},
    {"session-timeout", NULL, CONFIG_DURATION, MEMBER(session_timeout), "2h", 100, 7 * DAY, false},
    {"greeting-delay", NULL, CONFIG_DURATION, MEMBER(greeting_delay), "0", 0, 5 * MINUTE, false},
    {"connect-timeout", NULL, CONFIG_DURATION, MEMBER(connect_timeout), "30s", 100, 10 * MINUTE, false},
    {"reply-timeout", NULL, CONFIG_DURATION, MEMBER(reply_timeout), "5m", 100, DAY, false},
    {"queue-lifetime", NULL, CONFIG_DURATION, MEMBER(queue_lifetime), "5d", 100, 365 * DAY, false},
    {"retry", NULL, CONFIG_DURATIONS, MEMBER(retry), "5m 10m 20m 40m 1h 2h 4h", 10, 30 * DAY, false},
    {"log-level", NULL, CONFIG_LOG_LEVEL, MEMBER(log_level), "info", 0, 0, false},
    {"role", "listen", CONFIG_ROLE, 0, "mx", 0, 0, true},
    {"tls", "listen", CONFIG_TLS, 0, "none", 0, 0, true},
    {"certificate", "tls", CONFIG_PATH, MEMBER(tls_certificate), NULL, 0, 0, true},
    {"key", "tls", CONFIG_PATH, MEMBER(tls_key), NULL, 0, 0, true},
    {"smtpd", "users", CONFIG_TEXT, MEMBER(user_smtpd), "prsmtpd", 0, 0, false},
    {"directory", "users", CONFIG_TEXT, MEMBER(user_directory), "prdir", 0, 0, false},
    {"queue", "users", CONFIG_TEXT, MEMBER(user_queue), "prqueue", 0, 0, false},
    {"remote", "users", CONFIG_TEXT, MEMBER(user_remote), "prremote", 0, 0, false},
};
/* clang-format on */

#define KEYS (sizeof table / sizeof table[0])

const struct config_key *
config_keys(size_t *n)
{
	*n = KEYS;
	return table;
}

bool
config_key_is_list(const struct config_key *k)
{
	return k->type == CONFIG_DURATIONS || k->type == CONFIG_DOMAINS ||
	       k->type == CONFIG_NETBLOCKS || k->type == CONFIG_RESOLVERS;
}

const char *
config_key_full_name(const struct config_key *k, char out[CONFIG_KEY_NAME_SIZE])
{
	snprintf(out, CONFIG_KEY_NAME_SIZE, "%s%s%s", k->section != NULL ? k->section : "",
	    k->section != NULL ? "." : "", k->name);
	return out;
}

void
config_key_set_default(struct config *c, const struct config_key *k)
{
	struct span rest = span_str(k->fallback);
	bool list = config_key_is_list(k);
	struct buf why;

	if (k->fallback == NULL || k->type == CONFIG_ROLE || k->type == CONFIG_TLS)
		return;
	buf_init(&why, 1024);
	do {
		struct span one = list ? span_cut(&rest, ' ') : rest;

		if (config_key_set(c, k, one, &why) != 0)
			abort(); /* the table contradicts itself */
	} while (list && rest.p != NULL);
	buf_release(&why);
}

static const void *
member(const struct config *c, const struct config_key *k)
{
	return (const char *)c + k->offset;
}

bool
config_key_is_set(const struct config *c, const struct config_key *k)
{
	switch (k->type) {
	case CONFIG_HOSTNAME:
	case CONFIG_PATH:
	case CONFIG_TEXT:
	case CONFIG_ADDRESS:
	case CONFIG_SMARTHOST:
		return *(char *const *)member(c, k) != NULL;
	case CONFIG_DOMAINS:
	case CONFIG_RESOLVERS:
		return ((const struct config_strings *)member(c, k))->n > 0;
	case CONFIG_NETBLOCKS:
		return ((const struct config_netblocks *)member(c, k))->n > 0;
	case CONFIG_DURATIONS:
		return c->nretry > 0;
	case CONFIG_NUMBER:
	case CONFIG_SIZE:
	case CONFIG_DURATION:
	case CONFIG_BOOL:
	case CONFIG_LOG_LEVEL:
	case CONFIG_ROLE:
	case CONFIG_TLS:
		break;
	}
	return true;
}

static void
get_list(const struct config *c, const struct config_key *k, config_value_fn *fn, void *arg)
{
	char text[NETADDR_TEXT_SIZE + 8];

	if (k->type == CONFIG_DURATIONS) {
		for (size_t i = 0; i < c->nretry; i++)
			fn(units_format_duration(c->retry[i], text), arg);
	} else if (k->type == CONFIG_NETBLOCKS) {
		const struct config_netblocks *b = member(c, k);

		for (size_t i = 0; i < b->n; i++) {
			char ip[NETADDR_TEXT_SIZE];

			snprintf(text, sizeof text, "%s/%u", netaddr_format(&b->v[i].base, ip),
			    b->v[i].bits);
			fn(text, arg);
		}
	} else {
		const struct config_strings *s = member(c, k);

		for (size_t i = 0; i < s->n; i++)
			fn(s->v[i], arg);
	}
}

static const char *
log_level_name(enum log_level level)
{
	return level == LOG_LEVEL_DEBUG ? "debug" : level == LOG_LEVEL_INFO ? "info" : "warn";
}

void
config_key_get(
    const struct config *c, const struct config_key *k, config_value_fn *fn, void *arg)
{
	char text[UNITS_TEXT_SIZE];

	if (config_key_is_list(k)) {
		get_list(c, k, fn, arg);
		return;
	}
	switch (k->type) {
	case CONFIG_NUMBER:
		snprintf(text, sizeof text, "%" PRIu32, *(const uint32_t *)member(c, k));
		fn(text, arg);
		break;
	case CONFIG_SIZE:
		fn(units_format_size(*(const uint64_t *)member(c, k), text), arg);
		break;
	case CONFIG_DURATION:
		fn(units_format_duration(*(const uint64_t *)member(c, k), text), arg);
		break;
	case CONFIG_BOOL:
		fn(*(const bool *)member(c, k) ? "yes" : "no", arg);
		break;
	case CONFIG_LOG_LEVEL:
		fn(log_level_name(c->log_level), arg);
		break;
	case CONFIG_ROLE:
	case CONFIG_TLS:
		break;
	default:
		if (config_key_is_set(c, k))
			fn(*(char *const *)member(c, k), arg);
		break;
	}
}
