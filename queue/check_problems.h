/*
 * check_problems: what `postrider check` has found, as people read it: each thing once, though the file that was read and
 * the resolver that came upon it both tell, and of one file line by line. Pure.
 */
#ifndef QUEUE_CHECK_PROBLEMS_H
#define QUEUE_CHECK_PROBLEMS_H

#include "conf/config_errors.h"

/*
 * Adds what the resolver says, "domain/etc/file:line: text" below root, unless it is there: as it stands, or as what the
 * file's own reader said of that line. What a line leads to (an included file that is not there) is told once as well.
 */
void check_problems_add(struct config_errors *errors, const char *root, const char *text);

/* Files in the order in which something was found in them first, and of each the lines in theirs. */
void check_problems_order(struct config_errors *errors);

#endif
