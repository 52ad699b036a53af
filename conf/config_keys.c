/*
 * config_keys: the keys of postrider.conf as a table, and what walks it without
 * knowing what a value means. Setting a value is in config_value.c.
 */
#include "conf/config_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/config_section.h"
#include "conf/units.h"

#define MEMBER(m)	  offsetof(struct config, m)
#define IN_LISTENER(m)	  offsetof(struct config_listener, m)
#define IN_DESTINATION(m) offsetof(struct config_destination, m)
#define IN_STATUS(m)	  offsetof(struct config_retry_status, m)
#define IN_DNSLIST(m)	  offsetof(struct config_dnslist, m)
#define SECOND		  UINT64_C(1000)
#define MINUTE		  (60 * SECOND)
#define DAY		  (24 * 60 * MINUTE)
#define KIB		  UINT64_C(1024)
#define GIB		  (KIB * KIB * KIB)

/* A list of durations is two members, one behind the other. */
#define PAIRED(s, a, b, type)                                                                  \
	_Static_assert(offsetof(struct s, b) == offsetof(struct s, a) + sizeof(type), #s)
PAIRED(config, retry, nretry, uint64_t *);
PAIRED(config_destination, retry, nretry, uint64_t *);
PAIRED(config_retry_status, retry, nretry, uint64_t *);
PAIRED(config_dnslist, replies, nreplies, struct reply_filter *);

/* clang-format off */
static const struct config_key table[] = {
    /* name, section, type, member, default, least, most, may stay unset */
    {"hostname", NULL, CONFIG_HOSTNAME, MEMBER(hostname), NULL, 0, 0, false},
    {"domains", NULL, CONFIG_PATH, MEMBER(domains), "/virtual", 0, 0, false},
    {"spool", NULL, CONFIG_PATH, MEMBER(spool), "/var/spool/postrider", 0, 0, false},
    {"postmaster", NULL, CONFIG_ADDRESS, MEMBER(postmaster), NULL, 0, 0, true},
    {"relay-from", NULL, CONFIG_NETBLOCKS, MEMBER(relay_from), NULL, 0, 0, true},
    {"relay-client-certs", NULL, CONFIG_FINGERPRINTS, MEMBER(relay_client_certs), NULL, 0, 0, true},
    {"relay-verified-clients", NULL, CONFIG_BOOL, MEMBER(relay_verified_clients), "no", 0, 0, false},
    {"proxy-from", NULL, CONFIG_NETBLOCKS, MEMBER(proxy_from), NULL, 0, 0, true},
    {"xclient-from", NULL, CONFIG_NETBLOCKS, MEMBER(xclient_from), NULL, 0, 0, true},
    {"relay-domains", NULL, CONFIG_DOMAINS, MEMBER(relay_domains), NULL, 0, 0, true},
    {"access", NULL, CONFIG_PATH, MEMBER(access_table), NULL, 0, 0, true},
    {"header-checks", NULL, CONFIG_PATH, MEMBER(header_checks), NULL, 0, 0, true},
    {"mime-header-checks", NULL, CONFIG_PATH, MEMBER(mime_header_checks), NULL, 0, 0, true},
    {"header-checks-unfinished", NULL, CONFIG_UNFINISHED, MEMBER(header_unfinished), "hold", 0, 0, false},
    {"smarthost", NULL, CONFIG_SMARTHOST, MEMBER(smarthost), NULL, 0, 0, true},
    {"resolver", NULL, CONFIG_RESOLVERS, MEMBER(resolver), NULL, 0, 0, true},
    {"message-size-limit", NULL, CONFIG_SIZE, MEMBER(message_size_limit), "50M", KIB, 64 * GIB, false},
    {"segment-size", NULL, CONFIG_SIZE, MEMBER(segment_size), "16M", KIB * KIB, GIB, false},
    {"recipient-limit", NULL, CONFIG_NUMBER, MEMBER(recipient_limit), "1000", 100, 10000, false},
    {"transaction-limit", NULL, CONFIG_NUMBER, MEMBER(transaction_limit), "0", 0, 1000000, false},
    {"error-limit", NULL, CONFIG_NUMBER, MEMBER(error_limit), "10", 1, 1000, false},
    {"auth-failure-limit", NULL, CONFIG_NUMBER, MEMBER(auth_failure_limit), "3", 1, 1000, false},
    {"auth-failures-per-client", NULL, CONFIG_NUMBER, MEMBER(auth_failures_per_client), "60", 1, 1000000, false},
    {"auth-failures-per-account", NULL, CONFIG_NUMBER, MEMBER(auth_failures_per_account), "20", 1, 1000000, false},
    {"auth-failures-ceiling", NULL, CONFIG_NUMBER, MEMBER(auth_failures_ceiling), "200", 1, 1000000, false},
    {"auth-scram", NULL, CONFIG_AUTO_BOOL, MEMBER(auth_scram), "auto", 0, 0, false},
    {"auth-domain", NULL, CONFIG_HOSTNAME, MEMBER(auth_domain), NULL, 0, 0, true},
    {"auth-without-tls", NULL, CONFIG_BOOL, MEMBER(auth_without_tls), "no", 0, 0, false},
    {"hop-limit", NULL, CONFIG_NUMBER, MEMBER(hop_limit), "50", 1, 1000, false},
    {"command-line-limit", NULL, CONFIG_NUMBER, MEMBER(command_line_limit), "2048", 512, 65536, false},
    {"connection-limit", NULL, CONFIG_NUMBER, MEMBER(connection_limit), "1000", 1, 1000000, false},
    {"connection-limit-per-client", NULL, CONFIG_NUMBER, MEMBER(connection_limit_per_client), "100", 1, 1000000, false},
    {"connection-limit-per-network", NULL, CONFIG_NUMBER, MEMBER(connection_limit_per_network), "1000000", 1, 1000000, false},
    {"minimum-rate", NULL, CONFIG_NUMBER, MEMBER(minimum_rate), "32", 0, 1000000, false},
    {"connection-rate-per-client", NULL, CONFIG_RATE, MEMBER(rates[RATE_CONNECTION_CLIENT]), NULL, 0, 0, true},
    {"connection-rate-per-network", NULL, CONFIG_RATE, MEMBER(rates[RATE_CONNECTION_NETWORK]), NULL, 0, 0, true},
    {"command-rate-per-client", NULL, CONFIG_RATE, MEMBER(rates[RATE_COMMAND_CLIENT]), NULL, 0, 0, true},
    {"command-rate-per-network", NULL, CONFIG_RATE, MEMBER(rates[RATE_COMMAND_NETWORK]), NULL, 0, 0, true},
    {"message-rate-per-client", NULL, CONFIG_RATE, MEMBER(rates[RATE_MESSAGE_CLIENT]), NULL, 0, 0, true},
    {"recipient-rate-per-client", NULL, CONFIG_RATE, MEMBER(rates[RATE_RECIPIENT_CLIENT]), NULL, 0, 0, true},
    {"message-rate-per-account", NULL, CONFIG_RATE, MEMBER(rates[RATE_MESSAGE_ACCOUNT]), NULL, 0, 0, true},
    {"recipient-rate-per-account", NULL, CONFIG_RATE, MEMBER(rates[RATE_RECIPIENT_ACCOUNT]), NULL, 0, 0, true},
    {"message-rate-per-domain", NULL, CONFIG_RATE, MEMBER(rates[RATE_MESSAGE_DOMAIN]), NULL, 0, 0, true},
    {"recipient-rate-per-domain", NULL, CONFIG_RATE, MEMBER(rates[RATE_RECIPIENT_DOMAIN]), NULL, 0, 0, true},
    {"destination-concurrency", NULL, CONFIG_NUMBER, MEMBER(destination_concurrency), "20", 1, 1000, false},
    {"workers", NULL, CONFIG_NUMBER, MEMBER(workers), NULL, 1, 256, false},
    {"remote-port", NULL, CONFIG_NUMBER, MEMBER(remote_port), "25", 1, 65535, false},
    {"allow-loopback-destinations", NULL, CONFIG_BOOL, MEMBER(allow_loopback_destinations), "no", 0, 0, false},
    {"check-header-from", NULL, CONFIG_CHECK, MEMBER(check_header_from), "off", 0, 0, false},
    {"client-name", NULL, CONFIG_CHECK, MEMBER(client_name), "off", 0, 1, false},
    {"helo-name", NULL, CONFIG_CHECK, MEMBER(helo_name), "off", 0, 0, false},
    {"helo-resolves", NULL, CONFIG_CHECK, MEMBER(helo_resolves), "off", 0, 0, false},
    {"helo-ours", NULL, CONFIG_CHECK, MEMBER(helo_ours), "off", 0, 0, false},
    {"sender-domain", NULL, CONFIG_CHECK, MEMBER(sender_domain), "off", 0, 0, false},
    {"dns-timeout", NULL, CONFIG_DURATION, MEMBER(dns_timeout), "5s", 100, MINUTE, false},
    {"idle-timeout", NULL, CONFIG_DURATION, MEMBER(idle_timeout), "5m", 100, DAY, false},
    {"session-timeout", NULL, CONFIG_DURATION, MEMBER(session_timeout), "2h", 100, 7 * DAY, false},
    {"transaction-timeout", NULL, CONFIG_DURATION, MEMBER(transaction_timeout), "2h", 100, 7 * DAY, false},
    {"greeting-delay", NULL, CONFIG_DURATION, MEMBER(greeting_delay), "0", 0, 5 * MINUTE, false},
    {"connect-timeout", NULL, CONFIG_DURATION, MEMBER(connect_timeout), "30s", 100, 10 * MINUTE, false},
    {"reply-timeout", NULL, CONFIG_DURATION, MEMBER(reply_timeout), "5m", 100, DAY, false},
    {"queue-lifetime", NULL, CONFIG_DURATION, MEMBER(queue_lifetime), "5d", 100, 365 * DAY, false},
    {"bounce-lifetime", NULL, CONFIG_DURATION, MEMBER(bounce_lifetime), "1d", 100, 365 * DAY, false},
    {"future-release", NULL, CONFIG_DURATION, MEMBER(future_release), "7d", 0, 365 * DAY, false},
    {"delay-warning", NULL, CONFIG_DURATION, MEMBER(delay_warning), "4h", 0, 365 * DAY, false},
    {"retry", NULL, CONFIG_DURATIONS, MEMBER(retry), "5m 10m 20m 40m 1h 2h 4h", 10, 30 * DAY, false},
    {"double-bounce", NULL, CONFIG_DOUBLE, MEMBER(double_bounce), "drop", 0, 0, false},
    {"log-level", NULL, CONFIG_LOG_LEVEL, MEMBER(log_level), "info", 0, 0, false},
    {"system-call-filter", NULL, CONFIG_CALLS, MEMBER(system_call_filter), "enforce", 0, 0, false},
    {"role", "listen", CONFIG_ROLE, IN_LISTENER(role), NULL, 0, 0, true},
    {"tls", "listen", CONFIG_TLS, IN_LISTENER(tls), NULL, 0, 0, true},
    {"proxy", "listen", CONFIG_BOOL, IN_LISTENER(proxy), NULL, 0, 0, true},
    {"concurrency", "destination", CONFIG_NUMBER, IN_DESTINATION(concurrency), NULL, 1, 1000, true},
    {"rate", "destination", CONFIG_RATE, IN_DESTINATION(rate), NULL, 0, 0, true},
    {"retry", "destination", CONFIG_DURATIONS, IN_DESTINATION(retry), NULL, 10, 30 * DAY, true},
    {"lifetime", "destination", CONFIG_DURATION, IN_DESTINATION(lifetime), NULL, 100, 365 * DAY, true},
    {"retry", "retry-status", CONFIG_DURATIONS, IN_STATUS(retry), NULL, 10, 30 * DAY, true},
    {"action", "dnsbl", CONFIG_CHECK, IN_DNSLIST(action), NULL, 0, 0, true},
    {"replies", "dnsbl", CONFIG_REPLIES, IN_DNSLIST(replies), NULL, 0, 0, true},
    {"text", "dnsbl", CONFIG_REPLY, IN_DNSLIST(text), NULL, 0, 0, true},
    {"replies", "dnswl", CONFIG_REPLIES, IN_DNSLIST(replies), NULL, 0, 0, true},
    {"certificate", "tls", CONFIG_PATH, MEMBER(tls_certificate), NULL, 0, 0, true},
    {"key", "tls", CONFIG_PATH, MEMBER(tls_key), NULL, 0, 0, true},
    {"second-certificate", "tls", CONFIG_PATH, MEMBER(tls_second_certificate), NULL, 0, 0, true},
    {"second-key", "tls", CONFIG_PATH, MEMBER(tls_second_key), NULL, 0, 0, true},
    {"minimum", "tls", CONFIG_TLS_LEAST, MEMBER(tls_only_13), "1.2", 0, 0, false},
    {"ciphers", "tls", CONFIG_CIPHERS, MEMBER(tls_ciphers), NULL, 0, 0, true},
    {"ciphersuites", "tls", CONFIG_CIPHERS, MEMBER(tls_ciphersuites), NULL, 0, 0, true},
    {"client-certificates", "tls", CONFIG_ASK, MEMBER(tls_ask_client), "no", 0, 0, false},
    {"client-ca", "tls", CONFIG_PATH, MEMBER(tls_client_ca), NULL, 0, 0, true},
    {"smtpd", "users", CONFIG_TEXT, MEMBER(user_smtpd), "prsmtpd", 0, 0, false},
    {"directory", "users", CONFIG_TEXT, MEMBER(user_directory), "prdir", 0, 0, false},
    {"queue", "users", CONFIG_TEXT, MEMBER(user_queue), "prqueue", 0, 0, false},
    {"remote", "users", CONFIG_TEXT, MEMBER(user_remote), "prremote", 0, 0, false},
    {"keys", "users", CONFIG_TEXT, MEMBER(user_keys), "prkeys", 0, 0, false},
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
	       k->type == CONFIG_REPLIES || k->type == CONFIG_NETBLOCKS ||
	       k->type == CONFIG_RESOLVERS || k->type == CONFIG_FINGERPRINTS;
}

const char *
config_key_full_name(const struct config_key *k, char out[CONFIG_KEY_NAME_SIZE])
{
	snprintf(out, CONFIG_KEY_NAME_SIZE, "%s%s%s", k->section != NULL ? k->section : "",
	    k->section != NULL ? "." : "", k->name);
	return out;
}

bool
config_key_has_name(const struct config_key *k, struct span name)
{
	if (k->section != NULL) {
		if (!span_starts_with(name, k->section))
			return false;
		name = span_skip(name, strlen(k->section));
		if (!span_starts_with(name, "."))
			return false;
		name = span_skip(name, 1);
	}
	return span_is(name, k->name);
}

void
config_key_set_default(struct config *c, const struct config_key *k)
{
	struct span rest = span_str(k->fallback);
	bool list = config_key_is_list(k);
	struct buf why;

	if (k->fallback == NULL)
		return;
	buf_init(&why, 1024);
	do {
		struct span one = list ? span_cut(&rest, ' ') : rest;

		if (config_key_set(c, k, one, &why) != 0)
			abort(); /* the table contradicts itself */
	} while (list && rest.p != NULL);
	buf_release(&why);
}

bool
config_key_is_titled(const struct config_key *k)
{
	enum config_section_kind s = config_section_find(k->section);

	return s != CONFIG_SECTIONS && config_section(s)->titled;
}

void *
config_key_member(const struct config *c, const struct config_key *k, size_t i)
{
	const char *home = (const char *)c;

	if (config_key_is_titled(k))
		home = config_section_at(c, config_section_find(k->section), i);
	return (char *)(uintptr_t)(home + k->offset);
}

bool
config_key_is_set(const struct config *c, const struct config_key *k, size_t i)
{
	const void *m = config_key_member(c, k, i);

	switch (k->type) {
	case CONFIG_HOSTNAME:
	case CONFIG_PATH:
	case CONFIG_TEXT:
	case CONFIG_CIPHERS:
	case CONFIG_ADDRESS:
	case CONFIG_SMARTHOST:
	case CONFIG_REPLY:
		return *(char *const *)m != NULL;
	case CONFIG_DOMAINS:
	case CONFIG_RESOLVERS:
	case CONFIG_FINGERPRINTS:
		return ((const struct config_strings *)m)->n > 0;
	case CONFIG_NETBLOCKS:
		return ((const struct config_netblocks *)m)->n > 0;
	case CONFIG_DURATIONS:
	case CONFIG_REPLIES:
		return *(const size_t *)((void *const *)m + 1) > 0;
	case CONFIG_RATE:
		return ((const struct units_rate *)m)->count > 0;
	case CONFIG_NUMBER:
		return !config_key_is_titled(k) || *(const uint32_t *)m > 0;
	case CONFIG_SIZE:
	case CONFIG_DURATION:
		return !config_key_is_titled(k) || *(const uint64_t *)m > 0;
	case CONFIG_BOOL:
	case CONFIG_AUTO_BOOL:
	case CONFIG_TLS_LEAST:
	case CONFIG_ASK:
	case CONFIG_DOUBLE:
	case CONFIG_UNFINISHED:
	case CONFIG_CHECK:
	case CONFIG_LOG_LEVEL:
	case CONFIG_CALLS:
	case CONFIG_ROLE:
	case CONFIG_TLS:
		break;
	}
	return true;
}

static void
get_list(const struct config_key *k, const void *m, config_value_fn *fn, void *arg)
{
	char text[NETADDR_TEXT_SIZE + 8];

	if (k->type == CONFIG_DURATIONS) {
		uint64_t *const *list = m;
		size_t n = *(const size_t *)(list + 1);

		for (size_t i = 0; i < n; i++)
			fn(units_format_duration((*list)[i], text), arg);
	} else if (k->type == CONFIG_REPLIES) {
		struct reply_filter *const *list = m;
		size_t n = *(const size_t *)(list + 1);

		for (size_t i = 0; i < n; i++)
			fn(reply_filter_format(&(*list)[i], text), arg);
	} else if (k->type == CONFIG_NETBLOCKS) {
		const struct config_netblocks *b = m;

		for (size_t i = 0; i < b->n; i++) {
			char ip[NETADDR_TEXT_SIZE];

			snprintf(text, sizeof text, "%s/%u", netaddr_format(&b->v[i].base, ip),
			    b->v[i].bits);
			fn(text, arg);
		}
	} else {
		const struct config_strings *s = m;

		for (size_t i = 0; i < s->n; i++)
			fn(s->v[i], arg);
	}
}

static const char *
log_level_name(enum log_level level)
{
	return level == LOG_LEVEL_DEBUG ? "debug" : level == LOG_LEVEL_INFO ? "info" : "warn";
}

static const char *
config_auto_name(enum config_auto a)
{
	return a == CONFIG_AUTO ? "auto" : a == CONFIG_YES ? "yes" : "no";
}

/* The text of what is no list; in text if it has to be made. */
static const char *
format(const struct config_key *k, const void *m, char text[UNITS_TEXT_SIZE])
{
	switch (k->type) {
	case CONFIG_NUMBER:
		snprintf(text, UNITS_TEXT_SIZE, "%" PRIu32, *(const uint32_t *)m);
		return text;
	case CONFIG_SIZE:
		return units_format_size(*(const uint64_t *)m, text);
	case CONFIG_DURATION:
		return units_format_duration(*(const uint64_t *)m, text);
	case CONFIG_RATE:
		return units_format_rate(m, text);
	case CONFIG_BOOL:
		return *(const bool *)m ? "yes" : "no";
	case CONFIG_AUTO_BOOL:
		return config_auto_name(*(const enum config_auto *)m);
	case CONFIG_TLS_LEAST:
		return *(const bool *)m ? "1.3" : "1.2";
	case CONFIG_ASK:
		return *(const bool *)m ? "ask" : "no";
	case CONFIG_DOUBLE:
		return *(const enum config_double_bounce *)m == DOUBLE_BOUNCE_DROP
			   ? "drop"
			   : "postmaster";
	case CONFIG_UNFINISHED:
		return header_unfinished_name(*(const enum header_unfinished *)m);
	case CONFIG_CHECK:
		return config_check_name(*(const enum config_check *)m);
	case CONFIG_LOG_LEVEL:
		return log_level_name(*(const enum log_level *)m);
	case CONFIG_CALLS:
		return syscall_filter_mode_name(*(const enum syscall_filter_mode *)m);
	case CONFIG_ROLE:
		return listener_role_name(*(const enum listener_role *)m);
	case CONFIG_TLS:
		return listener_tls_name(*(const enum listener_tls *)m);
	default:
		return *(char *const *)m;
	}
}

void
config_key_get(const struct config *c, const struct config_key *k, size_t i,
    config_value_fn *fn, void *arg)
{
	const void *m = config_key_member(c, k, i);
	char text[UNITS_TEXT_SIZE];

	if (config_key_is_list(k))
		get_list(k, m, fn, arg);
	else if (config_key_is_set(c, k, i))
		fn(format(k, m, text), arg);
}
