/*
 * bounce_text: the texts a domain may have for reports to its own people: etc/bounce.txt
 * for mail that failed, etc/delay.txt for mail that is late (postrider-domain(5)). Read when a
 * report is to be written; what stands in braces is the queue manager's business. ASCII only, so
 * that a report is readable whatever it passes through.
 */
#ifndef CONF_BOUNCE_TEXT_H
#define CONF_BOUNCE_TEXT_H

#include "common/buf.h"
#include "conf/config_errors.h"
#include "conf/domain.h"
#include "conf/lookup.h"

/* Octets of one. */
#define BOUNCE_TEXT_MAX (16U << 10)

enum bounce_text {
	BOUNCE_TEXT_FAILED,
	BOUNCE_TEXT_DELAYED,
};

/* "failed", "delayed". -1 if it is none. */
int bounce_text_parse(struct span s, enum bounce_text *which);

/*
 * The domain's text into out (emptied before), with LF line ends. NOT_FOUND: it has none. UNKNOWN: it has one that
 * must not be used, and errors (may be NULL) says which and why. Blocks on no file.
 */
enum lookup bounce_text_read(const struct domain *d, enum bounce_text which, struct buf *out,
    struct config_errors *errors);

/*
 * Is it text: printable ASCII, tabs and line ends? CR before LF is taken out. -1 with the number of the first line
 * that holds something else.
 */
int bounce_text_clean(struct buf *text, unsigned *line);

#endif
