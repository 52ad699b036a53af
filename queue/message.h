/*
 * message: a message in the queue and its recipients, in memory. What must
 * survive is in the spool (queue/store.h); these objects are rebuilt from it.
 *
 * A recipient here is one *entry*: what RCPT named, or a target it expanded to
 * (an alias). Entries are numbered from 0 in order of creation, and keep their
 * number: journal, jobs and Maildir names use it.
 */
#ifndef QUEUE_MESSAGE_H
#define QUEUE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/heap.h"
#include "common/span.h"
#include "common/verdict.h"

struct spool_segment;
struct destination;

enum recipient_state {
	RECIPIENT_DUE,	     /* to be resolved as soon as the resolver takes it */
	RECIPIENT_RESOLVING, /* asked the directory */
	RECIPIENT_WAITING,   /* in its destination's list */
	RECIPIENT_ACTIVE,    /* in a job */
	RECIPIENT_DEFERRED,  /* waits for its next time */
	RECIPIENT_FAILED,    /* failed for good, its sender has not been told yet */
	RECIPIENT_SETTLED,   /* delivered, expanded, told, or removed: nothing more to do */
};

enum recipient_kind {
	RECIPIENT_GIVEN,   /* as RCPT said: to be resolved in full */
	RECIPIENT_MAILBOX, /* the target of an expansion, and final */
	RECIPIENT_REMOTE,  /* likewise */
};

struct recipient {
	struct message *message;
	struct destination *destination; /* while WAITING or ACTIVE */
	TAILQ_ENTRY(recipient) link;	 /* in the destination's list */
	struct heap_item due;		 /* while DEFERRED: key is monotonic milliseconds */
	char *address;
	char *mta;    /* host that gave the last verdict, NULL if it was decided here */
	char *reason; /* last verdict as "code status text", NULL before the first */
	int64_t next; /* while DEFERRED: wall clock seconds, for people and the journal */
	uint32_t entry;
	uint32_t parent; /* the entry it was expanded from; its own number if none */
	uint16_t attempts;
	uint8_t losses; /* times its agent died under it */
	uint8_t kind, state;
	bool recovered; /* a delivery may have happened before a crash */
};

struct message {
	uint64_t number;
	struct spool_segment *segment;
	uint64_t offset; /* of the record in the segment */
	uint32_t envelope_len;
	uint64_t content_len;
	uint32_t content_crc;
	int64_t received; /* milliseconds since 1970 */
	char *from;
	struct recipient **recipients;
	uint32_t nrecipients;
	uint32_t given;	    /* how many of them RCPT named: entries 0 to given - 1 */
	uint32_t unsettled; /* entries not SETTLED */
	uint32_t busy;	    /* entries DUE, RESOLVING, WAITING or ACTIVE */
	uint32_t failed;    /* entries FAILED */
	uint64_t bounce_of; /* the message this DSN reports on, 0 if it is none */
	uint32_t *told;	    /* the entries of that message it tells of */
	uint32_t ntold;
	uint64_t failed_at; /* journal position of the last failure of an entry */
	bool eight_bit;
	bool bouncing;	   /* its DSN is being written, or waits for space */
	bool report_waits; /* in the reporter's list */
	TAILQ_ENTRY(message) report_link;
};

struct message *message_new(uint64_t number);
void message_free(struct message **m);

/* Appends an entry in state DUE; address is copied. */
struct recipient *message_add_recipient(
    struct message *m, enum recipient_kind kind, uint32_t parent, struct span address);

/* Entry n, or NULL. */
struct recipient *message_recipient(const struct message *m, uint32_t n);

/* The one setter: keeps the message's counts, logs old -> new at debug. */
void recipient_set_state(struct recipient *r, enum recipient_state state);
const char *recipient_state_name(enum recipient_state state);

/* Remembers the verdict for people ("code status text"); and back. */
void recipient_set_reason(struct recipient *r, const struct verdict *v);
void recipient_get_reason(const struct recipient *r, struct verdict *v);

#endif
