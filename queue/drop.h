/*
 * drop: takes in what sendmail(1) left in spool/drop/ while nobody answered at
 * the submit socket, and submits it there on behalf of each file's owner: one
 * door for all mail. A file is believed only if it is regular, has one link,
 * the directory's group, and a whole name; who owns it is who submits.
 * See queue/drop_file.h for its form.
 */
#ifndef QUEUE_DROP_H
#define QUEUE_DROP_H

#include <event2/event.h>
#include <stdint.h>

struct drop;

/*
 * Looks through spool/drop below spoolfd now and then; submit_path is the socket (copied). What cannot be
 * submitted is tried again, each file by itself, and after lifetime_ms its owner is told that it was given up.
 */
struct drop *drop_new(struct event_base *base, int spoolfd, const char *submit_path,
    const char *hostname, uint64_t lifetime_ms);
void drop_free(struct drop **d);

#endif
