/*
 * config: postrider.conf, parsed and checked (postrider.conf(5)). Read by
 * postriderd at start and reload, by `postrider check`, and by nobody else: the
 * children get it as `settings` fields and rebuild the same struct from them.
 */
#ifndef CONF_CONFIG_H
#define CONF_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/log.h"
#include "common/netaddr.h"
#include "common/syscall_filter.h"
#include "common/wire.h"
#include "conf/config_errors.h"
#include "conf/header_unfinished.h"
#include "conf/reply_filter.h"
#include "conf/units.h"

enum listener_role {
	LISTENER_MX,	     /* takes mail for hosted domains from anybody */
	LISTENER_SUBMISSION, /* takes mail of authenticated users */
	LISTENER_SUBMIT,     /* the submit socket: local users, known by uid */
};

enum listener_tls {
	LISTENER_TLS_NONE,
	LISTENER_TLS_STARTTLS,
	LISTENER_TLS_IMPLICIT,
	LISTENER_TLS_UNSET, /* while the file is read; then starttls if there is a certificate, else none */
};

struct config_listener {
	char *address; /* "0.0.0.0:25", "[::]:25" as written: its name everywhere */
	struct netaddr addr;
	enum listener_role role;
	enum listener_tls tls;
	bool proxy; /* every connection begins with a PROXY header */
};

/*
 * destination "name" { … }: what holds for one next hop, or for the mail of one recipient domain.
 * conf/config_destination.h finds it.
 */
struct config_destination {
	char *name; /* canonical: "example.org", ".example.org" (all below it), "[host]:port" */
	uint32_t concurrency;	/* jobs at once; 0: destination_concurrency */
	struct units_rate rate; /* of jobs begun */
	uint64_t *retry;	/* milliseconds, as struct config's; nretry 0: not given */
	size_t nretry;
	uint64_t lifetime; /* milliseconds; 0: queue_lifetime */
};

/* retry-status "x.y.z" { … }: the intervals after one kind of failure. */
struct config_retry_status {
	char *status;	 /* "4.2.2", "4.7" (all of that subject), or "unreachable" */
	uint64_t *retry; /* milliseconds; nretry 0: struct config's */
	size_t nretry;
};

struct config_strings {
	char **v;
	size_t n;
};

struct config_netblocks {
	struct netblock *v;
	size_t n;
};

/* The first of the networks that has the address (lives as long as they do), or NULL. An address of no family is in none. */
const struct netblock *config_netblocks_find(
    const struct config_netblocks *networks, const struct netaddr *a);

/* What a check does that finds something. */
enum config_check {
	CHECK_OFF,    /* is not made */
	CHECK_LOOKUP, /* client-name: the name is found out, and nothing is judged by it */
	CHECK_WARN,   /* says so in the log */
	CHECK_REJECT,
};

/* dnsbl "zone" { … }, dnswl "zone" { … }: a list of clients in the DNS (RFC 5782). */
struct config_dnslist {
	char *zone;		  /* canonical */
	enum config_check action; /* of dnsbl: off, warn, reject */
	struct reply_filter
	    *replies; /* which of them count; nreplies 0: see reply_filter_counts */
	size_t nreplies;
	char *text; /* of dnsbl: what the client is told; NULL: the usual */
};

/* How often clients may do what, see postrider.conf(5); each named as its key. */
enum config_rate {
	RATE_CONNECTION_CLIENT,
	RATE_CONNECTION_NETWORK,
	RATE_COMMAND_CLIENT,
	RATE_COMMAND_NETWORK,
	RATE_MESSAGE_CLIENT,
	RATE_RECIPIENT_CLIENT,
	RATE_MESSAGE_ACCOUNT,
	RATE_RECIPIENT_ACCOUNT,
	RATE_MESSAGE_DOMAIN,
	RATE_RECIPIENT_DOMAIN,
	CONFIG_RATES
};

/* What becomes of a failure that nobody can be told of, since the message has no sender. */
enum config_double_bounce {
	DOUBLE_BOUNCE_DROP,
	DOUBLE_BOUNCE_POSTMASTER,
};

/* What is done where it makes sense, always, or never. */
enum config_auto {
	CONFIG_AUTO,
	CONFIG_YES,
	CONFIG_NO,
};

struct config {
	char *path; /* the file it came from */
	char *hostname;
	char *domains; /* root of the domain directories */
	char *spool;
	struct config_listener *listeners;
	size_t nlisteners;
	struct config_destination *destinations; /* sorted by name (strcmp), each once */
	size_t ndestinations;
	struct config_retry_status *retry_statuses; /* sorted by status, each once */
	size_t nretry_statuses;
	struct config_dnslist *dnsbls, *dnswls; /* as in the file */
	size_t ndnsbls, ndnswls;
	char *tls_certificate, *tls_key;	       /* NULL if not set */
	char *tls_second_certificate, *tls_second_key; /* with a key of another kind */
	bool tls_only_13;			       /* TLS 1.2 is refused */
	char *
	    tls_ciphers; /* of TLS 1.2, as OpenSSL has them; NULL: those of smtpd/tls_context.c */
	char *tls_ciphersuites;			  /* of TLS 1.3; NULL: those of OpenSSL */
	bool tls_ask_client;			  /* for a certificate */
	char *tls_client_ca;			  /* NULL if not set */
	char *access_table;			  /* the file, NULL if not set */
	char *header_checks, *mime_header_checks; /* files, NULL if not set */
	struct config_netblocks relay_from;
	struct config_strings relay_client_certs; /* SHA-256, as conf/fingerprint.h has it */
	bool relay_verified_clients;		  /* whom client_ca vouches for */
	struct config_netblocks proxy_from;	  /* who may connect where proxy is set */
	struct config_netblocks xclient_from;	  /* whose XCLIENT is believed */
	struct config_strings
	    relay_domains; /* canonical, sorted; ".example.org": all below it */
	char *
	    smarthost; /* NULL if not set; as a destination of doc/IPC.md: "[host]:port", "[addr]:port" */
	struct config_strings resolver; /* "addr:port"; empty: the system's */
	char *
	    postmaster; /* where <postmaster> without a domain goes; NULL: postmaster of the first hosted domain named */

	uint64_t message_size_limit;
	uint64_t segment_size;
	uint32_t recipient_limit;
	uint32_t transaction_limit; /* MAIL commands in a session; 0: none */
	uint32_t error_limit;
	uint32_t auth_failure_limit;
	uint32_t hop_limit;
	uint32_t command_line_limit;
	uint32_t connection_limit;	       /* per worker */
	uint32_t connection_limit_per_client;  /* per worker and client address */
	uint32_t connection_limit_per_network; /* per worker and /24 or /64 */
	struct units_rate rates[CONFIG_RATES];
	uint32_t minimum_rate;		  /* octets of content a second */
	uint32_t destination_concurrency; /* jobs at once to one destination */
	uint32_t workers;		  /* smtpd processes */
	uint32_t remote_port;		  /* 25 */
	bool allow_loopback_destinations;
	bool auth_without_tls; /* passwords in clear */
	char *auth_domain; /* canonical; of user names without one; NULL: they are refused */
	uint32_t auth_failures_per_client, auth_failures_per_account, auth_failures_ceiling;
	enum config_auto
	    auth_scram; /* SCRAM-SHA-256 is offered; auto: where all users can use it */

	/* checks by the DNS, and of the greeting */
	enum config_check client_name, helo_name, helo_resolves, helo_ours, sender_domain;
	enum config_check check_header_from; /* of who has logged in */

	/* milliseconds */
	uint64_t dns_timeout;
	uint64_t idle_timeout;
	uint64_t session_timeout;
	uint64_t transaction_timeout;
	uint64_t greeting_delay;
	uint64_t connect_timeout;
	uint64_t reply_timeout;
	uint64_t queue_lifetime;
	uint64_t bounce_lifetime; /* of mail with the null reverse-path */
	uint64_t
	    future_release; /* how long a user may have mail kept before it is sent; 0: not at all */
	uint64_t delay_warning; /* age at which the sender is told; 0: never */
	uint64_t *retry;	/* intervals between attempts, the last one repeats */
	size_t nretry;

	/* users the processes run as: a name or a number as written */
	char *user_smtpd, *user_directory, *user_queue, *user_remote, *user_keys;

	enum config_double_bounce double_bounce;
	enum header_unfinished header_unfinished;
	enum log_level log_level;
	enum syscall_filter_mode system_call_filter;
};

/*
 * Parses and checks a file. Returns a config the caller frees, or NULL with at least one error in
 * errors; *all* errors are reported at once. Reads the file named and looks at what it names
 * (directories, key files) but writes nothing. The caller releases errors in both cases.
 */
struct config *config_load(const char *path, struct config_errors *errors);

/*
 * The same for who has to do with domain directories alone: of what the file names only the directory of all domains is looked
 * at, so that it is no matter if the caller may not read a key, or if a table that the daemon has read is being changed.
 */
struct config *config_load_domains(const char *path, struct config_errors *errors);
void config_free(struct config **c);

/* The config as fields of a settings message, and back. config_from_wire: NULL if fields are missing or malformed. */
void config_to_wire(const struct config *c, struct wire_out *w);
struct config *config_from_wire(const struct wire_msg *m);

/* "mx", "submission", "submit"; "none", "starttls", "implicit"; and back (-1 if unknown). */
const char *listener_role_name(enum listener_role role);
int listener_role_parse(struct span s, enum listener_role *role);
const char *listener_tls_name(enum listener_tls tls);
int listener_tls_parse(struct span s, enum listener_tls *tls);

/* "off", "lookup", "warn", "reject", and back. */
const char *config_check_name(enum config_check check);
int config_check_parse(struct span s, enum config_check *check);

#endif
