/*
 * report: what a report on a message says, gathered from the message in memory,
 * its envelope and its content; and the messages nobody is told of. Used by the
 * reporter, which decides when, and writes it.
 */
#ifndef QUEUE_REPORT_H
#define QUEUE_REPORT_H

#include "conf/config.h"
#include "queue/bounce.h"
#include "queue/envelope_cache.h"
#include "queue/section_names.h"
#include "queue/store.h"

/* What a reporter gathers with. */
struct report_source {
	struct store *store;
	struct envelope_cache *envelopes;
	const struct config *config;
	const struct section_names *sections;
};

/* Entries of one message. */
struct report_entries {
	size_t n;
	uint32_t v[BOUNCE_RECIPIENTS_MAX];
};

/* Why nobody is told of the end of a recipient. */
enum report_silence {
	REPORT_SPEAK,	    /* somebody is */
	REPORT_NOT_ASKED,   /* its sender asked not to be told (RFC 3461 4.1) */
	REPORT_NO_SENDER,   /* the null reverse-path */
	REPORT_FORGED_LOOP, /* see report.c */
};

/* Of a recipient that is FAILED or TELL. */
enum report_silence report_silence_of(const struct report_source *s, const struct recipient *r);

/* For a line of the log: "its sender asked not to be told". Static. */
const char *report_silence_text(enum report_silence silence);

/* The recipients of m, FAILED or TELL, somebody is to be told of: of others silence is kept. As many as a report names. */
void report_collect_ended(
    const struct report_source *s, const struct message *m, struct report_entries *out);

/* Those whose delay is to be told and was not yet: what was tried and will be again (RFC 3461 4.1, DELAY). */
void report_collect_delayed(const struct message *m, struct report_entries *out);

/* To whom. The postmaster is told of what has no sender, if that is wished for; an address without a domain is the system's own. */
struct span report_addressee(const struct report_source *s, const struct message *m);

/* What makes a report out of entries. */
struct report_facts {
	const char *own_id;
	struct span text; /* template, empty: none */
	bool delayed;
	int64_t tried; /* when the last attempt was, 0 unknown */
};

/*
 * Composes the report on these entries of m into out, and leaves in entries those it tells of. What it is then is in result. Never fails: a message
 * that cannot be read is not returned.
 */
void report_compose(const struct report_source *s, struct message *m,
    const struct report_facts *facts, struct report_entries *entries, struct buf *out,
    struct bounce_result *result);

/*
 * r is one of a report of ours that its server refused only for being 8-bit: the same in 7 bits into out. -1 if it is no
 * such, or cannot be read.
 */
int report_seven_bit(const struct report_source *s, struct recipient *r, struct buf *out);

#endif
