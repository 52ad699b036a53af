/*
 * server: what all sessions of one worker share: the loop, the timers, the
 * settings for new sessions, whom to ask, where to store, the memory budget, the
 * counters, and the list of sessions itself.
 */
#ifndef SMTPD_SERVER_H
#define SMTPD_SERVER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/buf.h"
#include "smtpd/content.h"
#include "smtpd/facts_source.h"
#include "smtpd/question.h"
#include "smtpd/settings.h"
#include "smtpd/spool.h"
#include "smtpd/tls.h"
#include "smtpd/wheel.h"

/* One read takes at most this much. */
#define SERVER_INPUT_SIZE (64U << 10)

/* Content gathered in memory by all sessions of a worker. */
#define SERVER_BUDGET (64U << 20)

struct header_source;
struct session;
struct session_origin;

struct server_counts {
	uint64_t connections; /* since the start */
	uint64_t accepted;    /* messages */
	uint64_t refused;     /* connections, commands and messages */
};

struct server {
	struct event_base *base;
	uint64_t (*clock)(void); /* milliseconds, monotonic */
	struct wheel wheel;
	struct settings *settings; /* for sessions to come */
	const struct question_ops *question_ops;
	void *directory;
	struct header_source *headers;	   /* borrowed; NULL: no message is checked */
	const struct facts_ops *facts_ops; /* NULL: nobody knows what the DNS says */
	void *dns;
	const struct spool_ops *spool_ops;
	void *spool;
	struct tls *tls; /* borrowed; NULL: there is none */
	struct budget budget;
	struct buf scratch;  /* content of large messages passes through it */
	struct buf envelope; /* where envelopes are written */
	char *input;	     /* SERVER_INPUT_SIZE: where every read goes */
	struct server_counts counts;
	TAILQ_HEAD(server_sessions, session) sessions, paused;
	struct event *turn; /* of those that are paused */
	unsigned nsessions;
	uint64_t next_session;
	char tag[32]; /* makes session ids unique among workers and their lives */
	bool stopping;
	/* May be NULL: a session's client is to be another one. -1 if that one has too many connections. */
	int (*on_client_change)(
	    const struct session *s, const struct session_origin *now, void *arg);
	/* May be NULL: a session has ended; nsessions tells how many are left. */
	void (*on_session_end)(const struct session *s, void *arg);
	void *arg;
};

/* What answers and what stores are borrowed. settings is one reference, the server's from now on. */
void server_init(struct server *sv, struct event_base *base, struct settings *settings,
    const struct question_ops *question_ops, void *directory, const struct spool_ops *spool_ops,
    void *spool);

/* Frees every session and what the server holds. */
void server_release(struct server *sv);

/* New settings for sessions to come; one reference, the server's from now on. */
void server_set_settings(struct server *sv, struct settings *settings);

/* No service any more: sessions that wait for a command hear 421, others when they are done. */
void server_stop(struct server *sv);

/* What else there is to do is first; then session_continue is called for s. Its turn comes soon, and is not lost. */
void server_pause(struct server *sv, struct session *s);

/* Nothing more is called for s, if it is paused. */
void server_resume(struct server *sv, struct session *s);

/* Ends what is left but for messages on their way to disk. */
void server_abandon(struct server *sv);

#endif
