/*
 * spool_record: the bytes of segments and of the records in them (doc/SPOOL.md).
 * Pure: parses and formats, does no I/O. Numbers are in network order.
 *
 * A segment begins with a header page; records follow, in batches that each
 * begin at a multiple of SPOOL_PAGE, so that no block which holds an
 * acknowledged message is ever written again. Within a batch records stand at
 * multiples of SPOOL_ALIGN.
 *
 * A record counts only if its generation and instance are those of the
 * segment's header page and its checksums fit: what an earlier life of a
 * recycled segment left behind never does.
 */
#ifndef QUEUE_SPOOL_RECORD_H
#define QUEUE_SPOOL_RECORD_H

#include <stdint.h>

#include "common/span.h"

#define SPOOL_PAGE	  4096U
#define SPOOL_ALIGN	  8U
#define SPOOL_RECORD_SIZE 80U /* of a record's header */
#define SPOOL_ID_SIZE	  14U /* a message id for people, with its NUL */
#define SPOOL_COUNT_BITS  24

/* The header page of a segment. */
struct spool_segment_header {
	uint64_t number;
	uint64_t generation; /* never used twice in a spool's life */
	uint64_t instance;   /* the spool it belongs to */
	uint64_t size;	     /* of the file */
};

/* A copy is of a message that stands elsewhere too: it counts only if the journal says so. */
enum spool_kind {
	SPOOL_MESSAGE = 0,
	SPOOL_COPY = 1,
};

/* The header of a record; envelope and content follow it, in this order. */
struct spool_record {
	uint64_t generation, instance;
	uint64_t batch;	  /* counts the flushes of this segment's generation, from 1 */
	uint64_t message; /* number of the message, unique in the spool's life */
	int64_t received; /* milliseconds since 1970 */
	uint64_t content_len;
	uint32_t envelope_len;
	uint32_t envelope_crc, content_crc; /* CRC-32C */
	uint32_t kind; /* enum spool_kind; others are of a later version and not understood */
};

void spool_segment_header_format(
    const struct spool_segment_header *h, unsigned char out[SPOOL_PAGE]);

/* -1 if it is none: wrong magic, version or checksum. in has SPOOL_PAGE octets. */
int spool_segment_header_parse(struct span in, struct spool_segment_header *h);

void spool_record_format(const struct spool_record *r, unsigned char out[SPOOL_RECORD_SIZE]);

/* -1 if in does not begin with a whole, intact record header, or its lengths exceed the limits. */
int spool_record_parse(struct span in, struct spool_record *r);

/* Octets from this record's header to where the next may begin. */
uint64_t spool_record_extent(const struct spool_record *r);

/* n rounded up to a multiple of SPOOL_ALIGN, of SPOOL_PAGE. */
uint64_t spool_align(uint64_t n);
uint64_t spool_page_align(uint64_t n);

/*
 * A message's number for people: base 32 without look-alikes, 13 characters. And back: -1 if it
 * is not such an id. The number is generation << SPOOL_COUNT_BITS | a count within the generation.
 */
const char *spool_id_format(uint64_t message, char out[SPOOL_ID_SIZE]);
int spool_id_parse(struct span s, uint64_t *message);

#endif
