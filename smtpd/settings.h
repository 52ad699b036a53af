/*
 * settings: what smtpd uses of the configuration, with the replies that depend
 * on it made in advance. Counted: a session keeps those it began with, a reload
 * is for the sessions that follow.
 */
#ifndef SMTPD_SETTINGS_H
#define SMTPD_SETTINGS_H

#include <stdint.h>

#include "common/buf.h"
#include "conf/config.h"

/* Extensions: RFC 1870, RFC 6152, RFC 3461, RFC 6531, RFC 3030. */
enum settings_offer {
	OFFER_SIZE = 1,
	OFFER_8BITMIME = 2,
	OFFER_DSN = 4,
	OFFER_AUTH = 16,    /* RFC 4954; where somebody may log in */
	OFFER_STARTTLS = 8, /* RFC 3207; as long as a session has no TLS */
	OFFER_SMTPUTF8 = 32,
	OFFER_LIMITS = 64, /* RFC 9422 */
	OFFER_CHUNKING = 128,
	OFFER_XCLIENT = 256,	    /* Postfix's; to xclient-from */
	OFFER_FUTURE_RELEASE = 512, /* RFC 4865; to who has logged in */
	OFFER_SCRAM = 1 << 16,	    /* RFC 7677; beside OFFER_AUTH */
	OFFER_SCRAM_PLUS = 1 << 17, /* the same bound to the TLS connection */
};

struct settings {
	unsigned refs;
	unsigned offers; /* what EHLO lists */
	char *hostname;
	char *greeting; /* whole replies, with their CRLF */
	char *hello;	/* to HELO */
	uint64_t message_size_limit;
	uint32_t recipient_limit;
	uint32_t transaction_limit; /* 0: none */
	uint64_t future_release;    /* seconds at most; 0: not offered */
	uint32_t error_limit;
	uint32_t auth_failure_limit;
	bool auth_without_tls;
	enum config_auto auth_scram;
	enum config_check check_header_from;
	uint32_t hop_limit;
	uint32_t command_line_limit;
	uint32_t connection_limit;
	uint32_t connection_limit_per_client;
	uint32_t connection_limit_per_network;
	char **proxied; /* names of the listeners where a PROXY header comes first */
	size_t nproxied;
	struct config_netblocks proxy_from, xclient_from;
	uint64_t idle_ms;
	uint64_t session_ms;
	uint64_t transaction_ms;
	uint32_t minimum_rate; /* octets of content a second */
	uint64_t greeting_delay_ms;
	uint64_t dns_timeout_ms;
	bool connect_is_open; /* clients are greeted without asking the directory */
};

/*
 * From a configuration, which is not kept. offers is some of enum settings_offer: what the
 * processes behind this one do as well. One reference belongs to the caller.
 */
struct settings *settings_new(const struct config *c, unsigned offers);

/* Appends the reply to EHLO of a client that is offered these extensions. */
void settings_format_ehlo(const struct settings *s, unsigned offers, struct buf *out);

/* Does every connection to this listener begin with a PROXY header? */
bool settings_is_proxied(const struct settings *s, const char *listener);

/* One more reference; one less (clears *s; frees at none; NULL is fine). */
struct settings *settings_ref(struct settings *s);
void settings_unref(struct settings **s);

#endif
