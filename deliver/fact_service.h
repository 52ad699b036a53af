/*
 * fact_service: the sockets smtpd/dns and control/dns (doc/IPC.md): finds out what
 * is wanted to be known about a client, all of it at once, and answers when it is
 * there or the time is up, whichever is first. What was not found out in time is `unknown`.
 */
#ifndef DELIVER_FACT_SERVICE_H
#define DELIVER_FACT_SERVICE_H

#include <event2/event.h>
#include <sys/types.h>

#include "deliver/dns.h"

/* Questions under way; one beyond them is answered at once: unknown. */
#define FACT_SERVICE_MAX 4000

struct fact_service;

/* dns is borrowed, and lives no longer than this (it may call back until it is freed). */
struct fact_service *fact_service_new(struct event_base *base, struct dns *dns);

/* Its dns is gone already. */
void fact_service_free(struct fact_service **s);

/* Milliseconds after which a question is answered with what is there. For those to come. */
void fact_service_set_timeout(struct fact_service *s, unsigned ms);

/* Serves the listening descriptor fd (taken), name and uid as of service_new. At most two. */
void fact_service_listen(struct fact_service *s, int fd, const char *name, uid_t uid);

#endif
