/*
 * lineend: the one module that turns line ends and dots around, in every
 * direction. Inside Postrider content has LF line ends; on the wire it has CRLF
 * and stuffed dots. Pure: octets in, octets out, state in between. However the
 * octets are cut into pieces, the result is the same.
 *
 *	eod_*     DATA from the wire to content: only CRLF.CRLF ends it (RFC 5321 4.1.1.4)
 *	chunk_*   BDAT content from the wire to content (RFC 3030): no dots, no end mark
 *	wire_end  content to DATA for the wire
 *	text_*    a local program's standard input (LF or CRLF ends) to content
 *
 * The feeding functions move *in over what they consumed, append to out and
 * return true when all was consumed or the end was found, false when out is full
 * (out->max): nothing is lost then, *in stands where it stopped. An out with
 * room for two octets always makes progress.
 */
#ifndef COMMON_LINEEND_H
#define COMMON_LINEEND_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/span.h"

enum eod_state {
	EOD_LINE_START, /* at the first octet of a line: behind CRLF, and where DATA begins */
	EOD_TEXT,	/* within a line */
	EOD_CR,		/* a CR was seen; it is kept back until we know LF follows */
	EOD_DOT,	/* a dot at the beginning of a line, kept back */
	EOD_DOT_CR,	/* dot and CR */
	EOD_DONE,	/* CRLF.CRLF was seen */
};

struct eod {
	enum eod_state state;
	bool
	    bare; /* a CR without LF or an LF without CR was seen: the message is to be refused */
};

void eod_init(struct eod *e);

/*
 * Appends content with LF line ends, unstuffed. After the end (e->state == EOD_DONE)
 * *in begins with what follows CRLF.CRLF. Content after the first bare CR or LF is
 * consumed but not kept.
 */
bool eod_feed(struct eod *e, struct span *in, struct buf *out);

/* The same for octets of a BDAT chunk: CRLF to LF, bare CR or LF noted; CRLF may be split between chunks. */
struct chunk_end {
	bool cr;   /* a CR is kept back */
	bool bare; /* as in struct eod */
};
void chunk_init(struct chunk_end *c);
bool chunk_feed(struct chunk_end *c, struct span *in, struct buf *out);
/* At the end of the last chunk: a CR still kept back is a bare one. */
void chunk_finish(struct chunk_end *c);

/*
 * Content (LF line ends) to DATA: CRLF line ends, stuffed dots. A bare CR in content becomes CRLF so that
 * none ever reaches the wire; CRLF in content stays one line end.
 */
struct wire_end {
	bool line_start;
	bool cr; /* the last octet was a CR, for which CRLF was written */
};
void wire_end_init(struct wire_end *w);
bool wire_end_feed(struct wire_end *w, struct span *in, struct buf *out);

/* Appends what completes the last line, and ".\r\n": out needs room for WIRE_END_FINISH octets. */
#define WIRE_END_FINISH 5
void wire_end_finish(struct wire_end *w, struct buf *out);

/*
 * A local program's message (sendmail's standard input): CRLF, LF and lone CR all end a line.
 * With dots set a line of a single dot ends the message (sendmail without -i): done becomes true and what
 * is left in *in is no part of it.
 */
struct text_end {
	bool line_start; /* at the first octet of a line */
	bool cr;	 /* the last octet was a CR, for which LF was written */
	bool dot;	 /* a dot at the beginning of a line, kept back */
	bool dots, done;
};
void text_end_init(struct text_end *t, bool dots);
bool text_end_feed(struct text_end *t, struct span *in, struct buf *out);

/* At the end of input: completes the last line; out needs room for one octet. A last line of a dot alone ends like one with LF. */
void text_end_finish(struct text_end *t, struct buf *out);

#endif
