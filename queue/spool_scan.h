/*
 * spool_scan: finding the records in a segment (doc/SPOOL.md): behind what is accounted
 * for, after a crash or damage past what is not whole, or one at a known place.
 * Reads, changes nothing; what it finds is what its caller makes of it.
 */
#ifndef QUEUE_SPOOL_SCAN_H
#define QUEUE_SPOOL_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "queue/spool_segment.h"

/* An intact record. envelope is valid during the call. */
typedef void spool_scan_fn(struct spool_segment *s, uint64_t offset,
    const struct spool_record *r, struct span envelope, void *arg);

struct spool_scan_result {
	uint64_t end; /* behind the last intact record, page-aligned; from if there is none */
	unsigned
	    damaged;  /* records, or runs of them, that were once durable and are not intact */
	unsigned cut; /* records that are not whole and may never have been durable */
	unsigned unreadable; /* pages that the disk does not give back */
	unsigned earlier;    /* intact record headers of earlier lives of the segment */
};

/*
 * Calls fn for every intact record in [from, to), in order. With past_gaps it looks on
 * behind what is not a record (after a crash some pages of the last batches may be missing). What is not whole, or
 * missing where batches say that something stood, and belongs to a batch before the last one seen, was durable
 * once. Without, it ends at the first octets that are no record.
 */
void spool_segment_scan(struct spool_segment *s, uint64_t instance, uint64_t from, uint64_t to,
    bool past_gaps, spool_scan_fn *fn, void *arg, struct spool_scan_result *result);

enum spool_found {
	SPOOL_FOUND_NOTHING,	/* no record header of this generation */
	SPOOL_FOUND_UNREADABLE, /* the disk does not give it back */
	SPOOL_FOUND_BROKEN,	/* a header, but what it describes is not whole */
	SPOOL_FOUND_RECORD,
};

/* What stands at offset. With envelope: its octets are appended if the record is intact. */
enum spool_found spool_segment_look(struct spool_segment *s, uint64_t instance, uint64_t offset,
    struct spool_record *r, struct buf *envelope);

/* The highest generation of which the segment holds an intact record header, of a large file the one of its message. 0: none. */
uint64_t spool_scan_generation(struct spool_segment *s, uint64_t instance);

#endif
