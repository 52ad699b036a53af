/*
 * content: one message on its way from the wire to the spool. Octets of DATA pass
 * the end-of-data machine, those of BDAT the one for chunks (common/lineend), the
 * header is read along, and what comes out is gathered in memory; beyond
 * MESSAGE_INLINE_MAX, or when the worker's budget is used up, it goes to a file of its own.
 *
 * A message that will be refused is read to its true end without being kept:
 * there alone the client expects the answer.
 */
#ifndef SMTPD_CONTENT_H
#define SMTPD_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/lineend.h"
#include "common/span.h"
#include "conf/header_check.h"
#include "smtpd/author_scan.h"
#include "smtpd/header_scan.h"
#include "smtpd/spool.h"

/* Octets gathered by all sessions of a worker. */
struct budget {
	size_t used, max;
};

/* Room in the scratch buffer that content of large messages passes through. */
#define CONTENT_SCRATCH_SIZE (64U << 10)

/* After a message has become hopeless this much more is read to its end, then the connection ends. */
#define CONTENT_DROP_MAX (64U << 20)

enum content_fault {
	CONTENT_GOOD,
	CONTENT_BARE,	   /* a bare CR or LF */
	CONTENT_TOO_BIG,   /* above the limit */
	CONTENT_LOOPING,   /* too many Received (or Delivered-To) fields */
	CONTENT_RETURNED,  /* it says that it has been delivered to one of its recipients */
	CONTENT_REFUSED,   /* by header checks: see check->verdict */
	CONTENT_DISCARDED, /* by header checks: accepted and thrown away */
	CONTENT_UNSTORED,  /* the spool could not take it: see verdict */
};

enum content_where {
	CONTENT_MEMORY,
	CONTENT_FILE,
	CONTENT_NOWHERE, /* dropped: there is a fault */
};

enum content_result {
	CONTENT_MORE,	    /* all input was taken, the end is not there */
	CONTENT_WANTS_FILE, /* memory is full: content_open_file, then go on feeding */
	CONTENT_WHOLE,	    /* CRLF.CRLF was seen; *in begins with what follows */
	CONTENT_ENDLESS,    /* too much came after the fault: answer and close */
};

struct content {
	const struct spool_ops *spool;
	void *spool_arg;
	struct budget *budget;
	struct buf *scratch; /* the worker's, CONTENT_SCRATCH_SIZE */
	uint64_t size_limit;
	uint32_t hop_limit;
	bool chunked;	/* it comes by BDAT: no dots, and no end but what the client says */
	struct eod eod; /* unless chunked */
	struct chunk_end chunk; /* if chunked */
	struct header_scan header;
	struct buf data; /* in memory: our trace field and content */
	size_t top;	 /* length of the trace field */
	size_t charged;	 /* to the budget */
	uint64_t
	    size; /* as RFC 1870 counts it: CRLF line ends, without stuffed dots and the end */
	uint64_t dropped;
	bool eight_bit; /* an octet above 127 was seen */
	enum content_where where;
	enum content_fault fault;
	struct verdict verdict;	    /* for CONTENT_UNSTORED */
	struct header_check *check; /* NULL: no rules */
	struct author_scan *author; /* NULL: nobody asks */
	size_t
	    reserved; /* of the file's envelope, so that another one fits; 0: nothing will change */
	struct large *file;
	large_ready_fn *ready;
	void *ready_arg;
};

/* What of a worker all its messages share, and the limits for this one. */
struct content_setup {
	const struct spool_ops *spool;
	void *spool_arg;
	struct budget *budget;
	struct buf *scratch;
	uint64_t size_limit; /* octets */
	uint32_t hop_limit;
	bool chunked;
	const struct recipients
	    *recipients;	    /* of the transaction, which outlives the content */
	struct header_check *check; /* taken; NULL: no rules */
	struct author_scan *author; /* taken; NULL: nobody asks */
};

/* Content begins with top (copied), the trace field with LF line ends. */
struct content *content_new(const struct content_setup *setup, struct span top);

/* Frees it and gives up the file. Clears *c; NULL is fine. */
void content_free(struct content **c);

/* Feeds octets from the wire, moving *in. Chunks are never CONTENT_WHOLE, and content_finish ends them. */
enum content_result content_feed(struct content *c, struct span *in);

/*
 * There are no more chunks. A CR at their end is a bare one, and a first line that no line end came
 * behind is what it looks like. May find a fault.
 */
void content_finish(struct content *c);

/*
 * After CONTENT_WANTS_FILE: asks the spool for a file and calls ready when feeding may go on,
 * whether a file was had or not (the message is dropped then, and says so at its end).
 */
void content_open_file(struct content *c, const struct spool_message *m, uint64_t declared,
    large_ready_fn *ready, void *arg);

/*
 * After CONTENT_WHOLE or content_finish, without a fault: hands the message to the spool, with what header checks put
 * on top of it. done is called once, never before this returns; c must live until then. -1: it cannot be stored, there is
 * a fault now and done is not called.
 */
int content_commit(struct content *c, const struct spool_message *m, spool_done_fn *done,
    void *arg) __attribute__((warn_unused_result));

#endif
