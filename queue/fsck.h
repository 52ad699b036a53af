/*
 * fsck: what `postrider queue fsck` finds in a spool, and repairs (doc/SPOOL.md, "What damage leaves"). It reads with
 * the library that the queue manager starts with and judges as that would; examining changes nothing on the
 * disk. Needs no terminal and no running daemon.
 *
 * Files of a running instance grow at their ends and are never written twice in one place, so they can be read meanwhile:
 * what is being written at this moment looks like the last write before a power cut, and is not complained of. What
 * seems wrong is looked at again, with the journal as it is then.
 */
#ifndef QUEUE_FSCK_H
#define QUEUE_FSCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/idmap.h"
#include "queue/journal_file.h"
#include "queue/spool_scan.h"

enum fsck_severity {
	FSCK_NOTE, /* worth knowing; a start deals with it without a word, or nothing needs to be done */
	FSCK_PROBLEM, /* something is lost or would be complained of */
};

/* What mends it. */
enum fsck_cure {
	FSCK_CURE_NONE,	     /* nothing here */
	FSCK_CURE_RECOVER,   /* the library's own recovery */
	FSCK_CURE_SET_ASIDE, /* the file is moved to corrupt/ */
	FSCK_CURE_OWN,	     /* owner and mode are set */
	FSCK_CURE_UNSHARE, /* a copy takes the place of the file, which has another name too */
	FSCK_CURE_HEADER,  /* a copy in corrupt/, and a new header page */
	FSCK_CURE_FAIL,	   /* a copy in corrupt/, and its sender is told */
};

struct fsck_finding {
	enum fsck_severity severity;
	enum fsck_cure cure;
	bool cured;
	char *file; /* below the spool; "" for the spool as a whole */
	char *text;
};

struct fsck_journal_file {
	char name[JOURNAL_NAME_SIZE];
	struct journal_file_result result;
	bool used; /* it counts: not one that a newer checkpoint replaces */
};

struct fsck_segment {
	char name[SPOOL_NAME_SIZE];
	bool large, own, complete, headless;
	uint64_t generation, size, accounted;
	uint64_t live, live_octets; /* messages of the queue in it, and their octets */
	uint64_t records;	    /* intact, of this life */
	uint64_t unknown; /* of these, behind what is accounted for: a start takes them in */
	struct spool_scan_result scan;
};

enum fsck_message_state {
	FSCK_MESSAGE_MISSING,	 /* its segment is gone */
	FSCK_MESSAGE_DAMAGED,	 /* its content is not what was written */
	FSCK_MESSAGE_UNREADABLE, /* the disk does not give it back */
};

/* A message of the queue that cannot be delivered. */
struct fsck_message {
	uint64_t number;
	enum fsck_message_state state;
	char *file, *sender;
	uint64_t offset;
	uint32_t recipients; /* not settled */
};

struct fsck_kept {
	char *name, *reason; /* reason NULL: there is none beside it */
	uint64_t size;
};

/* Initialized by fsck_open. */
struct fsck_report {
	uint64_t instance;
	int spoolfd;  /* borrowed */
	int lockfd;   /* of spool/lock, -1 if it cannot be opened */
	bool running; /* an instance works in it */
	bool journal_whole;
	uint64_t checkpoint; /* number of the one in use, 0 if there is none */
	uint64_t messages, recipients,
	    octets;	  /* that the journal knows, deferred or not; settled ones aside */
	uint64_t unknown; /* messages that only their segment knows */
	uint64_t
	    presumed; /* messages taken for settled: their file is gone, and part of the journal */
	uint64_t reserve; /* octets of journal/reserve */
	uint64_t size, room,
	    inodes; /* of the file system: octets in all, free for us; inodes free */
	uid_t uid;  /* whose it is */
	gid_t gid;
	struct fsck_journal_file *journal;
	struct fsck_segment *segments;
	struct fsck_message *bad;
	struct fsck_kept *kept;
	struct fsck_finding *findings;
	size_t njournal, nsegments, nbad, nkept, nfindings;
};

/*
 * Whose spool this is (the owner of journal/) and whether an instance works in it, into *r, which is initialized. 0, or
 * -1 with errno: it is no spool. spoolfd is borrowed until fsck_release. locked: the caller holds its
 * lock, so nobody does.
 */
int fsck_open(struct fsck_report *r, int spoolfd, bool locked);
void fsck_release(struct fsck_report *r);

/*
 * Owners and modes: what the queue manager could not read, or others could. With repair they are set, for which the
 * caller must be root or the owner. Before fsck_examine, which can be done as the owner.
 */
void fsck_check_owners(struct fsck_report *r, bool repair);

/* Only what is in corrupt/. */
void fsck_list_kept(struct fsck_report *r);

/* The numbers of the messages in the queue, by what the journal says, into an empty map (the values are r). */
void fsck_list_messages(struct fsck_report *r, struct idmap *numbers);

/* Everything else is looked at. */
void fsck_examine(struct fsck_report *r);

/*
 * Mends what was found, after which a start has nothing to complain of; no intact message is lost and no file removed
 * but those that a start removes. The caller holds the spool's lock and is the owner. segment_size as configured.
 * 0, or -1: something could not be done, which is in the log; a finding that was mended is marked.
 */
int fsck_repair(struct fsck_report *r, uint64_t segment_size);

/* Is there a problem (that was not cured, if cured ones do not count)? */
bool fsck_has_problem(const struct fsck_report *r, bool count_cured);

/* Adds a finding; file and text (a format) are copied. For the parts of fsck. */
struct fsck_finding *fsck_add(struct fsck_report *r, enum fsck_severity severity,
    enum fsck_cure cure, const char *file, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

#endif
