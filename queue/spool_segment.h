/*
 * spool_segment: the queue manager's side of segment files (doc/SPOOL.md):
 * creating them ahead of need, handing them out, reading them,
 * giving them a new life. Only the queue manager opens segments; writers get
 * descriptors.
 *
 * A write descriptor carries a lock (flock) that lives as long as any process
 * holds it: that is how a restarted queue manager knows whether the writer of a
 * segment is still alive.
 */
#ifndef QUEUE_SPOOL_SEGMENT_H
#define QUEUE_SPOOL_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "queue/spool_record.h"

enum spool_segment_state {
	SEGMENT_FREE,	   /* holds nothing of value; may get a new generation */
	SEGMENT_PREPARING, /* its new header is being flushed */
	SEGMENT_READY,	   /* fresh generation, to be handed out */
	SEGMENT_OWNED,	   /* a writer we know appends to it */
	SEGMENT_ORPHAN,	   /* a writer we have not heard of since our start appends to it */
	SEGMENT_SEALED,	   /* nobody writes; survives while it has live messages */
};

struct spool_segment {
	TAILQ_ENTRY(spool_segment) link;
	uint64_t number, generation, size;
	uint64_t accounted;   /* every record below is known to the store */
	uint64_t live_octets; /* of the records of these, as spool_record_extent counts */
	uint32_t live;	      /* messages in it not settled */
	uint32_t lost;	      /* of these, known to be damaged */
	enum spool_segment_state state;
	uint64_t sealed_at;   /* monotonic milliseconds, 0: before our start */
	uint64_t retry_at;    /* not to be emptied before; likewise */
	uint64_t unneeded_at; /* journal position after which nothing of it is needed */
	int fd;		      /* read-only; -1: its file is gone */
	bool large;	      /* a file for one message, in large/ */
	bool own; /* of this generation only the queue manager writes: the journal says so */
	bool
	    complete; /* nothing past accounted counts: its writer is done with this generation */
	bool damaged; /* something in it could not be read: never recycled */
	bool
	    headless; /* its header page is damaged; the generation is what its records and the journal say */
	bool kept;   /* a copy of it as it was found is in corrupt/ */
	void *owner; /* while OWNED: whose it is */
};

/* "0000000042.seg"; large: "<16 hex digits>.seg". */
#define SPOOL_NAME_SIZE 32
const char *spool_segment_name(uint64_t number, bool large, char out[SPOOL_NAME_SIZE]);
int spool_segment_name_parse(const char *name, bool large, uint64_t *number);

/* Of a large message no more than this is allocated ahead: how large it will be is what a stranger says. */
#define SPOOL_LARGE_AHEAD (UINT64_C(2) << 20)

/*
 * Creates the file beneath dirfd with its header page, blocks allocated and filled with zeros, and
 * everything including the directory flushed. Filling ends where *hurry becomes true (NULL: it never does). large: size is a hint, of which SPOOL_LARGE_AHEAD at most is
 * allocated. 0, or -1 with errno. May run on a worker thread.
 */
int spool_segment_create(
    int dirfd, const struct spool_segment_header *h, bool large, const atomic_bool *hurry);

/* Writes and flushes a new header page. 0, or -1 with errno. May run on a worker thread. */
int spool_segment_renew(int dirfd, const struct spool_segment_header *h, bool large);

/* Opens an existing file: regular, one link, intact header of this instance and name. NULL, and *why says what is wrong. */
struct spool_segment *spool_segment_open(
    int dirfd, const char *name, bool large, uint64_t instance, const char **why);

/*
 * One whose header page is damaged: number by its name, generation by the newest of its intact records. NULL, and *why, also if
 * the header is not damaged or there is no record.
 */
struct spool_segment *spool_segment_open_headless(
    int dirfd, const char *name, bool large, uint64_t instance, const char **why);
void spool_segment_free(struct spool_segment **s);

/* A locked, write-only descriptor to hand out, or -1 with errno. */
int spool_segment_write_fd(int dirfd, const struct spool_segment *s);

/* Does a process hold a write descriptor of it? */
bool spool_segment_is_held(int dirfd, const struct spool_segment *s);

/* Reads n octets at offset. 0, or -1 with errno (EIO if the file ends before). */
int spool_segment_read(const struct spool_segment *s, uint64_t offset, void *p, size_t n);

#endif
