/*
 * header_check: one message against the header checks: its fields, as common/mime_scan finds them while
 * content passes, are matched against the rules in their order; the first that fits a field decides
 * about that field. What comes of it is for the caller to do. The same code runs in smtpd and in
 * `postrider explain`.
 *
 *	REJECT, DISCARD	  the fate of the message; nothing more of it is looked at
 *	HOLD, REDIRECT	  noted; the next field is looked at. Of several HOLDs the first counts, of REDIRECTs the last
 *	PREPEND		  a field to be put on top of the message; several are in the order in which they were found
 *	WARN		  told
 *	DUNNO		  the next field
 *
 * Fields are matched as they stand, unfolded, and where they hold encoded words or coded parameters
 * also as decoded (common/mime_decode); a rule with ! fits when neither form matches.
 *
 * A pattern that reaches its limits has not matched, and is not tried again in this message. When the rules have
 * used HEADER_CHECK_TIME on it the rest of a message is not looked at; nor is what is beyond the limits of mime_scan and
 * mime_decode: parts too deep or too many, a boundary or a field too long. All is told. Else a sender could switch a
 * rule off: where it may have decided about the message (REJECT, DISCARD, HOLD, REDIRECT, if) the message's fate at its
 * end is that of header_set's unfinished.
 */
#ifndef CONF_HEADER_CHECK_H
#define CONF_HEADER_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/mime_scan.h"
#include "common/verdict.h"
#include "conf/header_rules.h"
#include "conf/header_unfinished.h"

/* Processor time that the rules may take for one message, in microseconds. */
#define HEADER_CHECK_TIME 100000

/* Of all fields put on top of a message, with their line ends; one of them without its own. */
#define HEADER_PREPEND_MAX	 4096U
#define HEADER_PREPEND_FIELD_MAX 998U

/* More hits of a message are not told of, and no other thing about it. */
#define HEADER_HITS_MAX 100

/* What an action says of itself. */
#define HEADER_SAID_MAX 390

/* The rules in force; counted, so that a message keeps those that it began with. */
struct header_set {
	unsigned refs;
	struct header_rules
	    *header; /* of the message's own fields and those of attached messages */
	struct header_rules
	    *mime; /* of MIME-Version and Content-* there, and of parts; NULL: header's */
	struct header_matcher *matcher;
	uint64_t time;			   /* HEADER_CHECK_TIME */
	enum header_unfinished unfinished; /* ACCEPT, unless set anew behind header_set_new */
};

/* What a file says, and its name; path NULL: there is none. */
struct header_text {
	const char *path;
	struct span text;
};

/* NULL with everything that is wrong in errors. mime->path NULL: header's rules are for those fields, too. */
struct header_set *header_set_new(const struct header_text *header,
    const struct header_text *mime, struct config_errors *errors);
struct header_set *header_set_ref(struct header_set *s);
void header_set_unref(struct header_set **s); /* NULL is fine */

/* May what is stored be changed (HOLD, REDIRECT, PREPEND, or an unfinished check)? */
bool header_set_changes(const struct header_set *s);

/* A rule has fired. */
struct header_hit {
	const char *path;
	const struct header_rule *rule;
	const struct mime_field *field;
	bool decoded;	  /* the decoded form matched */
	struct span text; /* of the action, $1 replaced */
};

struct header_check_ops {
	/* A rule that does something has fired. */
	void (*on_hit)(const struct header_hit *h, void *arg);
	/* Something was not looked at: a line without the message's name. */
	void (*on_trouble)(const char *text, void *arg);
	/* For those who want to see all, else NULL: a field is about to be tried; a rule said DUNNO. */
	void (*on_field)(const struct mime_field *f, void *arg);
	void (*on_dunno)(const struct header_hit *h, void *arg);
};

enum header_fate {
	HEADER_PASSED,
	HEADER_REJECTED, /* with verdict */
	HEADER_DISCARDED,
};

struct header_check {
	struct header_set *set;
	const struct header_check_ops *ops;
	void *arg;
	struct mime_scan scan;
	enum header_fate fate;
	struct verdict verdict;
	char *hold;		 /* why it is to be held; NULL: it is not */
	const char *redirect;	 /* canonical; NULL: not; of the rules */
	struct buf prepend;	 /* whole fields with LF line ends */
	struct buf decoded;	 /* of the field at hand */
	unsigned char *barred;	 /* rules of both files that reached a limit; NULL: none */
	unsigned hits, hits_max; /* HEADER_HITS_MAX, unless set anew behind header_check_new */
	unsigned told;		 /* notes of the scan */
	unsigned line;		 /* of the field at hand */
	unsigned tried;		 /* rules */
	uint64_t used;		 /* microseconds */
	uint64_t since;	  /* when was last looked at the clock; 0: not since content came */
	bool late;	  /* the time is up */
	bool undecoded;	  /* a field was too long to be decoded, and it has been told */
	char *unfinished; /* the check that could not be finished; NULL: none */
	bool finished;
};

/* One reference to the set is taken of its own. */
struct header_check *header_check_new(
    struct header_set *set, const struct header_check_ops *ops, void *arg);
void header_check_free(struct header_check **c); /* NULL is fine */

/* Content (LF line ends), and its end. The fate may be known after each. */
void header_check_feed(struct header_check *c, struct span content);

/* May rules still be tried on what comes? */
bool header_check_is_looking(const struct header_check *c);
void header_check_finish(struct header_check *c);

#endif
