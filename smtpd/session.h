/*
 * session: one SMTP connection (RFC 5321 3.1): its socket, its state, its input
 * and output, its clocks, and the transaction under way. Verbs (smtpd/cmd_*.c)
 * say what a command does; when input is read, replies leave and the connection
 * ends is decided here alone.
 *
 * Functions that verbs and callbacks use never free the session; the outermost
 * one does (session_continue, or the event that began it).
 */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/buf.h"
#include "common/netaddr.h"
#include "common/span.h"
#include "common/verdict.h"
#include "smtpd/command.h"
#include "smtpd/question.h"
#include "smtpd/server.h"
#include "smtpd/session_reply.h"
#include "smtpd/tls_info.h"
#include "smtpd/transport.h"
#include "smtpd/wheel.h"

/* Beyond this many octets that the client has not read nothing more is done for it. */
#define SESSION_BACKLOG_MAX (16U << 10)

enum session_state {
	SESSION_GREETING, /* the greeting waits for its delay and the answer about the client */
	SESSION_HANDSHAKE,  /* the TLS handshake is under way; there is no transport yet */
	SESSION_COMMAND,    /* reading commands */
	SESSION_LOGIN,	    /* reading the client's next line of AUTH */
	SESSION_OVERLONG,   /* dropping the rest of a command line that is too long */
	SESSION_CHUNK,	    /* dropping the octets of a chunk that was refused */
	SESSION_WAITING,    /* a command waits for its answer; input waits behind it */
	SESSION_CONTENT,    /* reading message content */
	SESSION_FILE,	    /* content waits for the file of a large message */
	SESSION_COMMITTING, /* the message is on its way to disk */
	SESSION_SECURING,   /* the 220 to STARTTLS is leaving; another session follows */
	SESSION_CLOSING,    /* the last reply is leaving */
	SESSION_LINGERING,  /* dropping what still comes: a reset would overtake the reply */
	SESSION_DEAD,	    /* to be freed by the outermost caller */
};

/* Who is at the other end. */
struct session_origin {
	enum listener_role role;
	enum listener_tls tls;	      /* what the listener does about it */
	struct netaddr client;	      /* unless role is LISTENER_SUBMIT */
	char text[NETADDR_TEXT_SIZE]; /* the same as text; "" for the submit socket */
	struct netaddr peer;	      /* the client before XCLIENT */
	int64_t uid;		      /* of a local submitter, else -1 */
	int64_t peer_uid;	      /* the same before XSUBMITTER */
	bool queue_manager;	      /* may submit on behalf of another uid */
};

/* What the greeting still waits for. */
enum session_greeting_wait {
	GREETING_WAITS_DELAY = 1,
	GREETING_WAITS_ANSWER = 2,
};

struct login;
struct session_ahead;
struct session_facts;
struct tls_handshake;

struct session {
	TAILQ_ENTRY(session) link;
	TAILQ_ENTRY(session) turn; /* while `paused` */
	struct wheel_entry timer;
	struct server *server;
	struct settings *settings;
	struct transport transport;
	struct tls_names_wait identity_wait; /* while STARTTLS waits for a certificate */
	struct tls_handshake *handshake;     /* in SESSION_HANDSHAKE */
	struct tls_info *tls;		     /* what was agreed on; NULL: in clear */
	struct buf in; /* read and not yet used; holds no memory when empty */
	enum session_state state;
	struct session_origin origin;
	char id[56];
	char *helo;	  /* the name given with HELO or EHLO; NULL before */
	char *helo_named; /* by XCLIENT, in the place of what HELO says; NULL: none */
	bool introduced;  /* XCLIENT was said */
	bool vouched;	  /* account is what XCLIENT says */
	bool esmtp;	  /* EHLO was said */
	bool scram;	  /* the users this is for can prove themselves by SCRAM */
	bool refused;	  /* by connect: only QUIT is served */
	bool lingers;	  /* see SESSION_LINGERING */
	bool
	    paused; /* others are first: neither reads nor uses what it has, see server_pause */
	unsigned greeting_waits;
	const struct verb *verb; /* the command under way */
	struct txn *txn;	 /* NULL: none */
	struct login *login;	 /* the AUTH under way; NULL: none */
	char *account;		 /* who has logged in, canonical; NULL: nobody */
	struct question_call call;
	struct session_ahead
	    *ahead; /* a question asked before its turn; NULL: none is under way */
	struct session_facts *facts; /* NULL: nothing is known of the client, nor wanted */
	unsigned replies;	     /* to commands and messages, so far */
	unsigned awaited;	     /* what replies will be when the waiting command is done */
	unsigned errors;	     /* 5xx replies */
	unsigned logins;	     /* AUTH commands that failed */
	unsigned mails;		     /* MAIL commands */
	unsigned junk;		     /* commands that brought no message nearer */
	unsigned commands;	     /* given, and the directory has not been told */
	bool counts_commands;	     /* the directory wants to be told */
	unsigned accepted, refusals;
	uint64_t began_ms, until_ms; /* until_ms: when the state has lasted too long */
	uint64_t mark;		     /* content octets when the rate was looked at last */
	uint64_t skip;		     /* octets of a chunk still to drop */
	size_t dropped;	 /* octets of an overlong line or a refused chunk, or while lingering */
	const char *end; /* why it ended, for the log */
};

/*
 * Takes the descriptor, which does not block. The session belongs to the server. If origin->tls is
 * implicit the server has its tls. It may have ended when this returns.
 */
void session_new(struct server *sv, int fd, const struct session_origin *origin);
void session_free(struct session **s);

/* Changes the state, with a line in the debug log, and sets its clock. */
void session_set_state(struct session *s, enum session_state state);

/*
 * Ends the session once what is queued has left; end says why, in the log (static). lingers: the
 * client may still be sending, see SESSION_LINGERING.
 */
void session_close(struct session *s, const char *end, bool lingers);

/* Asks the directory about the session, its transaction and recipient; fn is called with the session. */
void session_ask(struct session *s, enum question_kind kind, question_fn *fn);

/* Tells the directory that the transaction's message was accepted, and of commands it has not heard of; each if it counts them. */
void session_tell_accepted(struct session *s);
void session_tell_commands(struct session *s);

/* May this client say who is behind it? */
bool session_believes_xclient(const struct session *s);

/* What EHLO lists for this client now: of enum settings_offer. */
unsigned session_offers(const struct session *s);

/* Sends the replies that are due. */
void session_flush(struct session *s);

/* The command that waited has left its reply: goes on with the input behind it. */
void session_finish(struct session *s);

/* Uses the input at hand, sends replies, sets clocks; frees the session if it has ended. */
void session_continue(struct session *s);

/*
 * The beginning of the dialogue: the directory is asked about the client and the greeting follows, or, where everybody
 * is let in, it is said already and leaves with the next session_continue (state SESSION_COMMAND).
 */
void session_begin(struct session *s);

/* The line about what a session has done: at its end, and when XCLIENT puts another client in the place of the one before. */
void session_log_end(const struct session *s, const char *end);

/* Events from the server: the timer, the end of service. They may free the session. */
void session_on_time(struct session *s);
void session_on_stop(struct session *s);
struct session *session_of_timer(struct wheel_entry *e);

#endif
