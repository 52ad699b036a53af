/*
 * sendmail_report: what sendmail tells its caller: lines on standard error, and
 * the exit status of the first thing that went wrong (sysexits.h).
 */
#ifndef QUEUE_SENDMAIL_REPORT_H
#define QUEUE_SENDMAIL_REPORT_H

#include <stdbool.h>

struct sendmail_report {
	bool quiet; /* -oeq: no lines */
	int status; /* 0: nothing went wrong */
};

/* Adds a line, cleaned of what could drive a terminal; its status counts if it is the first. */
void sendmail_report_add(struct sendmail_report *r, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
