/*
 * drop_report: tells the owner of a file in drop/ which recipients were refused,
 * by another file in drop/, from the empty sender. A report that is refused itself is told to nobody.
 */
#ifndef QUEUE_DROP_REPORT_H
#define QUEUE_DROP_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "common/span.h"
#include "queue/bounce.h"

struct drop_report {
	const char *hostname;
	const char *name;  /* of the file it tells of */
	struct span to;	   /* canonical address, not empty */
	struct span envid; /* as given, empty if none was */
	int64_t arrived;   /* seconds since 1970 */
	const struct bounce_recipient *refused;
	size_t nrefused;
};

/* 0: the file is there and on disk. -1: it is not there; said in the log. */
int drop_report_write(int dirfd, const struct drop_report *r);

#endif
