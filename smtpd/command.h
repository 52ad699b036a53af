/*
 * command: one SMTP command, and the table of verbs. A row says when its verb is
 * allowed and how it counts; the dispatcher decides 503 and the like from the
 * row, the verb's own file (cmd_*.c) has parse, which is pure, and run. Adding a
 * verb is a file and a row.
 */
#ifndef SMTPD_COMMAND_H
#define SMTPD_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/netaddr.h"
#include "common/span.h"
#include "smtpd/smtp_reply.h"

/* A name with HELO is a domain, or an address literal. */
#define HELO_NAME_MAX 255

struct session;

/* Where a session stands in RFC 5321 4.1.4; follows from what it holds. */
enum command_phase {
	PHASE_REFUSED = 1,    /* the greeting was 554 */
	PHASE_CONNECTED = 2,  /* before HELO or EHLO */
	PHASE_READY = 4,      /* no transaction */
	PHASE_MAIL = 8,	      /* MAIL was accepted, no recipient yet */
	PHASE_RECIPIENT = 16, /* there is a recipient */
	PHASE_CHUNKS = 32,    /* between two chunks of a message (RFC 3030 2) */
};

enum command_flags {
	COMMAND_LAST = 1, /* nothing may stand behind it in a pipelined group (RFC 2920 3.1) */
	COMMAND_JUNK = 2, /* brings no message nearer: only so many of them */
	COMMAND_NO_ARGUMENT = 4,   /* takes none */
	COMMAND_QUEUE_MANAGER = 8, /* does not exist for anybody else */
	COMMAND_SECURES = 32,	   /* TLS begins behind its reply */
	COMMAND_CHUNK = 16, /* as many octets follow as its argument says, whatever the reply */
};

enum command_result {
	COMMAND_DONE,	 /* one reply was left */
	COMMAND_WAITING, /* no reply yet: session_finish follows */
	COMMAND_FAILED,	 /* one reply was left: a refusal */
	COMMAND_LATER,	 /* no reply yet: run has set the state at whose end it comes */
};

/* What is wrong with an argument. */
struct refusal {
	enum smtp_reply_id reply;
	struct span detail;
};

struct mail_args {
	struct address from;
	uint64_t size;		/* UINT64_MAX: larger than can be written */
	bool eight_bit, utf8;	/* BODY=8BITMIME, SMTPUTF8 */
	struct span ret, envid; /* as given, empty if not */
	uint64_t hold_for;	/* seconds; 0: not given */
	int64_t hold_until;	/* seconds since 1970; 0: not given */
};

struct rcpt_args {
	struct address to;
	struct span notify, orcpt; /* as given, empty if not */
};

struct auth_args {
	struct span mechanism;
	struct span response; /* as given */
	bool has_response;
};

struct bdat_args {
	uint64_t size;
	bool last;
};

struct xclient_args {
	bool has_client, has_helo, has_login;
	bool has_port;
	struct netaddr client; /* 0.0.0.0: nobody knows */
	uint16_t port;	       /* 0: nobody knows */
	char helo[HELO_NAME_MAX + 1];
	struct address login; /* empty: nobody has logged in */
};

struct command {
	const struct verb *verb;
	union {
		struct span name; /* HELO, EHLO */
		struct mail_args mail;
		struct rcpt_args rcpt;
		struct bdat_args bdat;
		struct auth_args auth;
		struct xclient_args xclient;
		uint32_t uid; /* XSUBMITTER */
	} args;
};

struct verb {
	const char *name;
	unsigned phases;
	unsigned flags;
	/*
	 * Pure: what the argument says, into c->args. offers: what EHLO has offered this client, 0 if it
	 * said HELO. 0, or -1 and *r. NULL: the argument is not looked at.
	 */
	int (*parse)(struct span arg, unsigned offers, struct command *c, struct refusal *r);
	enum command_result (*run)(struct session *s, const struct command *c);
};

/* The row of a verb, or NULL. */
const struct verb *command_find(struct span name);

/* Leaves the reply: COMMAND_FAILED. */
enum command_result command_refuse(struct session *s, enum smtp_reply_id id);

/* What is wrong with an argument, for a verb's parse: -1. */
int command_wrong(struct refusal *r, enum smtp_reply_id reply, struct span detail);

/* Cuts a line into verb and argument (without the spaces around it). */
struct span command_split(struct span line, struct span *arg);

/*
 * Runs the command of a line. input_follows: more is at hand behind it. Leaves exactly one
 * reply, or the session waiting for it.
 */
void command_dispatch(struct session *s, struct span line, bool input_follows);

#endif
