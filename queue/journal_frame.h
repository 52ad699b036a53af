/*
 * journal_frame: the bytes of journal files (doc/SPOOL.md): records with a
 * length and a checksum. Pure.
 *
 *	frame = length (4) | CRC-32C of instance and body (4) | body	network order; a length of 0 ends a log
 */
#ifndef QUEUE_JOURNAL_FRAME_H
#define QUEUE_JOURNAL_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"

#define JOURNAL_FRAME_HEADER 8
#define JOURNAL_RECORD_MAX   (8U << 20)

/* Records of the files' own: the last of a checkpoint, and the first of what one flush made durable. */
#define JOURNAL_END_RECORD   "END"
#define JOURNAL_FLUSH_RECORD "+"

/*
 * The first record of a log, on disk before anything else of it: "LOG number before". Of the log before it
 * the first so many octets were on disk by then and count; what else of it is found need not be whole.
 */
#define JOURNAL_LOG_RECORD "LOG "
#define JOURNAL_LOG_SIZE   64
struct journal_log_record {
	uint64_t number;
	uint64_t before;
};

/* The header that stands before body. */
void journal_frame_header(
    uint64_t instance, struct span body, unsigned char h[JOURNAL_FRAME_HEADER]);

/* The body of a log's first record into out; its length. */
size_t journal_log_record_format(
    const struct journal_log_record *r, char out[JOURNAL_LOG_SIZE]);

/* 0, or -1: body is no such record. */
int journal_log_record_parse(struct span body, struct journal_log_record *r);

/* Takes the next frame's body off *rest. 1: taken; 0: the end; -1: no whole frame stands there. */
int journal_frame_next(uint64_t instance, struct span *rest, struct span *body);

/*
 * Moves *rest to the next place where a write begins: what stands before it was on disk by then, and is
 * damaged. False, with *rest as it was, if there is none: then it is what a cut write leaves (pages of one
 * write reach the disk in any order, so good frames may stand in it).
 */
bool journal_frame_resync(uint64_t instance, struct span *rest);

#endif
