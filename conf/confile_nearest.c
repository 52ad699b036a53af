/* confile_nearest: what was meant by a key nobody knows. See confile_nearest.h. */
#include "conf/confile_nearest.h"

#include <string.h>

/* Longest name compared. */
#define NAME_MAX_GUESSED 40

/* Levenshtein's: letters put in, left out or exchanged. Both at most NAME_MAX_GUESSED long. */
static size_t
distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t row[NAME_MAX_GUESSED + 1];

	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t above = row[j];
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = above;
		}
	}
	return row[nb];
}

const char *
confile_nearest(struct span s, const struct confile_key *keys, size_t nkeys)
{
	const char *best = NULL;
	size_t least = s.len / 3 + 1; /* a third of the letters may differ */

	if (s.len > NAME_MAX_GUESSED)
		return NULL;
	for (size_t i = 0; i < nkeys; i++) {
		size_t n = strlen(keys[i].name), d;

		if (n > NAME_MAX_GUESSED)
			continue;
		d = distance(s.p, s.len, keys[i].name, n);
		if (d <= least && (best == NULL || d < least)) {
			least = d;
			best = keys[i].name;
		}
	}
	return best;
}
