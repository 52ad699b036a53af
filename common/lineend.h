/*
 * lineend: the one module that turns line ends and dots around, in every
 * direction. Inside Postrider content has LF line ends; on the wire it has CRLF
 * and stuffed dots. Pure: octets in, octets out, state in between.
 *
 *	eod_*     DATA from the wire to content: only CRLF.CRLF ends it (RFC 5321 4.1.1.4)
 *	chunk_*   BDAT content from the wire to content (RFC 3030): no dots, no end mark
 *	wire_end  content to DATA for the wire
 *	text_*    a local program's standard input (LF or CRLF ends) to content
 */
#ifndef COMMON_LINEEND_H
#define COMMON_LINEEND_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/span.h"

enum eod_state {
	EOD_LINE_START, /* at the first octet of a line: DATA begins here */
	EOD_TEXT,	/* within a line */
	EOD_CR,		/* a CR was seen; it is kept back until we know LF follows */
	EOD_DOT,	/* a dot at the beginning of a line, kept back */
	EOD_DOT_CR,	/* dot and CR */
	EOD_DONE,	/* CRLF.CRLF was seen */
};

struct eod {
	enum eod_state state;
	bool bare; /* a CR without LF or an LF without CR was seen: the message is to be refused */
	bool last_was_crlf; /* for EOD_LINE_START: always true but documents why */
};

void eod_init(struct eod *e);

/*
 * Consumes octets of *in up to the end of data or the end of the span (moving
 * *in), appending content with LF line ends, unstuffed, to out. Returns false when out is
 * full (nothing is lost: *in stands where it stopped), else true. After the end (e->state == EOD_DONE)
 * *in begins with what follows CRLF.CRLF. Content after the first bare CR or LF is consumed but not kept.
 */
bool eod_feed(struct eod *e, struct span *in, struct buf *out);

/* The same for octets of a BDAT chunk: CRLF to LF, bare CR or LF noted; CRLF may be split between chunks. */
struct chunk_end {
	bool cr;
	bool bare;
};
void chunk_init(struct chunk_end *c);
bool chunk_feed(struct chunk_end *c, struct span *in, struct buf *out);
/* At the end of the last chunk: a CR still kept back is a bare one. */
void chunk_finish(struct chunk_end *c);

/*
 * Content (LF line ends) to DATA: CRLF line ends, stuffed dots. A bare CR in content becomes CRLF so that
 * none ever reaches the wire. wire_end_finish appends what completes the last line, and ".\r\n".
 * Returns false when out is full; *in stands where it stopped.
 */
struct wire_end {
	bool line_start;
	bool cr;
};
void wire_end_init(struct wire_end *w);
bool wire_end_feed(struct wire_end *w, struct span *in, struct buf *out);
void wire_end_finish(struct wire_end *w, struct buf *out);

/*
 * A local program's message (sendmail's standard input): CRLF, LF and lone CR all end a line.
 * With dots set a line of a single dot ends the message (sendmail without -i): done becomes true.
 */
struct text_end {
	bool line_start, cr, dot, dots, done;
};
void text_end_init(struct text_end *t, bool dots);
bool text_end_feed(struct text_end *t, struct span *in, struct buf *out);
void text_end_finish(struct text_end *t, struct buf *out);

#endif
