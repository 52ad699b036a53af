/*
 * question: what may be done, as sessions ask it. struct question_ops is the
 * seam: directory_client implements it, tests answer themselves.
 *
 * A question that cannot be answered (directory down, silent, unintelligible) is
 * temporary, 451 4.3.0: never a permission, never a refusal for ever.
 */
#ifndef SMTPD_QUESTION_H
#define SMTPD_QUESTION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"
#include "common/verdict.h"
#include "conf/config.h"
#include "conf/fact.h"

enum question_kind {
	QUESTION_CONNECT,
	QUESTION_MAIL,
	QUESTION_RCPT,
	QUESTION_REDIRECT,   /* can mail go to rcpt, where a rule of ours sends it? */
	QUESTION_AUTHOR,     /* may it say that it is from these? */
	QUESTION_LOGIN,	     /* is this the password of the user? */
	QUESTION_MECHANISMS, /* can users prove themselves by SCRAM? */
};

struct question {
	enum question_kind kind;
	enum listener_role role;
	struct span client; /* address, empty for the submit socket */
	int64_t uid;	    /* of the submitter, -1 for the network */
	struct span helo, auth;
	struct span from, rcpt; /* canonical */
	struct span
	    server; /* the host name the client wanted to talk to (SNI), canonical, or empty */
	struct span certificate, public_key; /* SHA-256 of those it has shown; empty: none */
	bool verified;			     /* that certificate comes from client-ca */
	struct span authors, unclear;	     /* of QUESTION_AUTHOR: see smtpd/author_scan.h */
	struct span user, password;	     /* of QUESTION_LOGIN */
	bool scram; /* instead of the password: nonce, or then message and proof */
	struct span nonce, message, proof;
	const struct facts
	    *facts;	   /* of MAIL and RCPT: what is known of the client; NULL: nothing */
	uint64_t size;	   /* declared, 0 if not */
	size_t recipients; /* of the transaction, so far */
	unsigned commands; /* given and not told before */
};

/* What becomes of a recipient's mail once it is accepted. */
enum answer_action {
	ANSWER_DELIVER,
	ANSWER_HOLD,	/* held in the queue; verdict.text says why */
	ANSWER_DISCARD, /* thrown away */
};

struct answer {
	bool told; /* false: could not tell, and verdict says so */
	struct verdict verdict;
	struct span rule;		  /* what decided, for the log */
	struct span account;		  /* who has logged in, canonical */
	struct span challenge, signature; /* of SCRAM: server-first-message, ServerSignature */
	bool scram;			  /* of QUESTION_MECHANISMS */
	enum answer_action action;
	uint64_t size_limit; /* of messages to this recipient; 0: as for all */
	bool count;	     /* what becomes of it is to be told */
	/* Until the answering function returns: */
	const struct span
	    *wants; /* what is to be found out before the next question, see conf/fact.h */
	size_t nwants;
	const struct span
	    *warnings; /* checks that found something and let it pass: rule SP text */
	size_t nwarnings;
};

typedef void question_fn(const struct answer *a, void *arg);

/* A question under way. Belongs to who asked, and lives until fn was called or it is cancelled. */
struct question_call {
	uint64_t id;	 /* 0: none under way */
	void *directory; /* who was asked */
	question_fn *fn;
	void *arg;
};

/* What is told, and not asked. */
enum note_kind {
	NOTE_ACCEPTED, /* the transaction's message was accepted */
	NOTE_COMMANDS, /* so many commands were given */
};

struct question_ops {
	/* Calls call->fn once, never before it returns. Sets call->id and directory. The question's spans are borrowed. */
	void (*ask)(void *directory, const struct question *q, struct question_call *call);
	/* fn will not be called. Fine if none is under way. */
	void (*cancel)(void *directory, struct question_call *call);
	/* Told if the directory is there; else it is forgotten. */
	void (*tell)(void *directory, enum note_kind kind, const struct question *q);
};

#endif
