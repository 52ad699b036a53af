/*
 * message: a message in the queue and its recipients, in memory. What must
 * survive is in the spool (queue/store.h); these objects are rebuilt from it.
 *
 * A recipient here is one *entry*: what RCPT named, or a target it expanded to
 * (an alias). Entries are numbered from 0 in order of creation, and keep their
 * number: journal, jobs and Maildir names use it. They never move in memory.
 *
 * There may be a million of these, so what few need is not in all of them: texts that many
 * share are atoms, a message and the recipients RCPT named are one allocation, and what only
 * reports need hangs on a pointer.
 */
#ifndef QUEUE_MESSAGE_H
#define QUEUE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/atom.h"
#include "common/heap.h"
#include "common/span.h"
#include "common/verdict.h"
#include "queue/dsn.h"

struct batch;
struct destination;
struct spool_segment;

enum recipient_state {
	RECIPIENT_DUE,	     /* to be resolved as soon as the resolver takes it */
	RECIPIENT_RESOLVING, /* asked the directory */
	RECIPIENT_WAITING,   /* in its destination's list */
	RECIPIENT_ACTIVE,    /* in a job */
	RECIPIENT_PARKED,    /* in a list that may not move: paused, or it does not answer */
	RECIPIENT_DEFERRED,  /* waits for its next time */
	RECIPIENT_HELD,	     /* not tried until the administrator releases it */
	RECIPIENT_FAILED,    /* failed for good, its sender has not been told yet */
	RECIPIENT_TELL, /* done, and its sender asked to hear of it and has not yet (RFC 3461) */
	RECIPIENT_SETTLED, /* delivered, expanded, told, or removed: nothing more to do */
};

enum recipient_kind {
	RECIPIENT_GIVEN,   /* as RCPT said: to be resolved in full */
	RECIPIENT_MAILBOX, /* the target of an expansion, and final */
	RECIPIENT_REMOTE,  /* likewise */
};

/* While TELL: what is reported. */
enum recipient_action {
	RECIPIENT_DELIVERED,
	RECIPIENT_RELAYED,  /* to a host that does not send reports */
	RECIPIENT_EXPANDED, /* to several (RFC 3461 5.2.7) */
};

struct recipient {
	struct message *message;
	union { /* the scheduler's alone */
		struct {
			TAILQ_ENTRY(recipient) link; /* while DUE, WAITING or PARKED */
			union {
				struct destination *destination; /* while ACTIVE */
				struct batch
				    *batch; /* in which it waits: see queue/waitlist.h */
			};
		};
		struct {		      /* while DEFERRED or HELD */
			struct heap_item due; /* key is monotonic milliseconds */
			int64_t next; /* wall clock seconds, for people and the journal */
		};
	};
	const char *address;
	const char
	    *mta; /* atom: host that gave the last verdict, NULL if it was decided here */
	const char
	    *reason; /* atom: last verdict as "code status text", NULL before the first */
	uint32_t entry;
	uint32_t parent; /* the entry it was expanded from; its own number if none */
	uint16_t attempts;
	uint16_t
	    section; /* of the configuration, for the next hop that put it off: see queue/section_names.h */
	uint8_t losses; /* times its agent died under it */
	uint8_t kind : 2, state : 4;
	uint8_t notify : 5; /* NOTIFY_ */
	uint8_t action : 2; /* while TELL */
	bool recovered : 1; /* a delivery may have happened before a crash */
	bool held : 1;	    /* the administrator's wish: HELD as soon as nothing is under way */
	bool warned : 1;    /* its sender has been told that it is late */
	bool hurry : 1;	    /* asked for by name: its destination is probed with it */
	bool early : 1;	    /* does not wait for the release of its message, or no longer */
	bool first : 1;	    /* of its allocation; for message_free */
};

/* What few messages have: they are a report themselves, one on them is to be written, or they wait for a time. */
struct message_report {
	TAILQ_ENTRY(message_report) link; /* the reporter's, while waits */
	struct message *message;
	uint64_t bounce_of; /* the message this one reports on, 0 if it is no report */
	uint32_t *told;	    /* the entries of that message it tells of */
	uint32_t ntold;
	uint32_t failed, tell; /* entries FAILED, TELL */
	uint64_t outcome_at;   /* journal position of the last outcome that is to be told */
	int64_t release;       /* seconds since 1970: not tried before (RFC 4865); 0: at once */
	bool delayed;	       /* this one tells of a delay, not of an end */
	uint64_t since_ms; /* monotonic: since when something is to be told; 0: nothing is */
	uint64_t due_ms;   /* while waits: until when at most, monotonic */
	bool bouncing;	   /* a report is being written, or its text asked for */
	bool waits;	   /* in the reporter's list */
	bool patient;	   /* while waits: only for what is still under way */
};

struct message {
	uint64_t number;
	struct spool_segment *segment;
	uint64_t content_len;
	int64_t received;	       /* milliseconds since 1970 */
	const char *from;	       /* atom: the reverse-path, "" for the null sender */
	struct recipient **more;       /* entries that came by expansion: given and up */
	struct message_report *report; /* NULL for most */
	uint32_t offset;	       /* of the record in the segment */
	uint32_t envelope_len;
	uint32_t content_crc;
	uint32_t nrecipients;
	uint32_t given;	    /* how many of them RCPT named: entries 0 to given - 1 */
	uint32_t unsettled; /* entries not SETTLED */
	uint32_t busy;	    /* entries DUE, RESOLVING, WAITING or ACTIVE */
	bool eight_bit : 1;
	bool utf8 : 1;	  /* SMTPUTF8 */
	bool has_dsn : 1; /* its envelope has ENVID, RET or ORCPT: who needs them reads it */
	int32_t
	    skew : 28; /* minutes from `received` to when it came by the steady clock: see message_age */
	struct recipient own[];
};

/* What RCPT named. */
struct message_given {
	struct span address;
	uint8_t notify;
};

/* What a recipient expands to. */
struct message_target {
	enum recipient_kind kind;
	struct span address;
};

/* A message with its first n > 0 entries, DUE. Everything is copied; from becomes an atom of the table. */
struct message *message_new(struct atom_table *atoms, uint64_t number, struct span from,
    const struct message_given *given, uint32_t n);
void message_free(struct message **m);

/* New entries, DUE, that come of entry `parent` and take over what holds for it. Returns the first. */
uint32_t message_expand(
    struct message *m, uint32_t parent, const struct message_target *targets, size_t n);

/* Entry n, or NULL. */
struct recipient *message_recipient(const struct message *m, uint32_t n);

/* Octets of its record in the segment, padding included. */
uint64_t message_extent(const struct message *m);

/* The part for reports, made if there is none yet. */
struct message_report *message_report(struct message *m);

/* Frees the part for reports if there is nothing in it: most messages that are late have been warned of once. */
void message_trim_report(struct message *m);

/* Entries that failed, or are to be told as done, and whose sender does not know yet. */
uint32_t message_failed(const struct message *m);
uint32_t message_tell(const struct message *m);

/* The message this one reports on, 0 if it is no report. */
uint64_t message_bounce_of(const struct message *m);

/* When it is to be released (RFC 4865), seconds since 1970; 0: no such time was given. */
int64_t message_release(const struct message *m);

/* The same for a recipient that is not tried before; 0: one that was, or was released earlier, or came by expansion. */
int64_t recipient_release(const struct recipient *r);

/* Does its sender hear that it was expanded, since of several targets none reports success (RFC 3461 5.2.7.3)? */
bool recipient_tells_expansion(const struct recipient *r, size_t targets);

/* What RCPT named, of which this entry came by whatever expansions. */
struct recipient *recipient_origin(const struct recipient *r);

/* The one setter: keeps the message's counts, logs old -> new at debug. */
void recipient_set_state(struct recipient *r, enum recipient_state state);
const char *recipient_state_name(enum recipient_state state);

/* To be resolved as if RCPT had named it, its attempts forgotten: DUE, or still HELD. It is in no list and not under way. */
void recipient_requeue(struct recipient *r);

/* All that RCPT named is HELD, from DUE; why may be NULL. */
void message_hold(struct message *m, const struct verdict *why);

/* Remembers the verdict for people ("code status text"); and back. */
void recipient_set_reason(struct recipient *r, const struct verdict *v);
void recipient_get_reason(const struct recipient *r, struct verdict *v);

/* Remembers who gave it; empty (or no name of a host): it was decided here. */
void recipient_set_mta(struct recipient *r, struct span mta);

#endif
