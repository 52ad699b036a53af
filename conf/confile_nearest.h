/*
 * confile_nearest: guesses which key was meant by one that is not known, for the
 * scan of configuration files. Pure.
 */
#ifndef CONF_CONFILE_NEAREST_H
#define CONF_CONFILE_NEAREST_H

#include "common/span.h"
#include "conf/confile.h"

/* The name nearest to s by editing distance; NULL if more than a third of the letters differ. */
const char *confile_nearest(struct span s, const struct confile_key *keys, size_t nkeys);

#endif
