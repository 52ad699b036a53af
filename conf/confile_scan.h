/*
 * confile_scan: the pass over a configuration file that goes before libconfuse
 * (confile.h says why). It reports every place where the file is not a sequence
 * of known keys in the right shape, and leaves a text without those places and
 * without comments, in which each line keeps its number. Pure.
 */
#ifndef CONF_CONFILE_SCAN_H
#define CONF_CONFILE_SCAN_H

#include "common/span.h"
#include "conf/confile.h"

/* Where a value stands: enough to find it in what libconfuse made of the text. */
struct confile_place {
	const struct confile_key *section; /* NULL: at the top */
	const struct confile_key *key;	   /* NULL: the section itself */
	unsigned instance;		   /* of a titled section, from 0 */
	unsigned index;			   /* of the value in a list, from 0 */
	unsigned line;
};

struct confile_scan {
	char *text; /* NUL-terminated; what libconfuse shall read */
	struct confile_place *places;
	size_t nplaces;
};

/* Scans text. Complaints go to errors. Release with confile_scan_release in any case. */
void confile_scan(struct confile_scan *s, struct span text, const char *path,
    const struct confile_key *keys, size_t nkeys, struct config_errors *errors);
void confile_scan_release(struct confile_scan *s);

#endif
