/*
 * directory_client: asks the directory (doc/IPC.md, "smtpd to directory") what
 * sessions want to know. It implements struct question_ops.
 */
#ifndef SMTPD_DIRECTORY_CLIENT_H
#define SMTPD_DIRECTORY_CLIENT_H

#include <event2/event.h>
#include <stdbool.h>

#include "smtpd/header_source.h"
#include "smtpd/question.h"

struct directory_client;
extern const struct question_ops directory_client_ops;

/* path is that of the directory's socket. Connects from within the loop. */
struct directory_client *directory_client_new(struct event_base *base, const char *path);
void directory_client_free(struct directory_client **c);

/* The header checks that the directory has in force; the client's. */
struct header_source *directory_client_headers(struct directory_client *c);

/* Connected and greeted: a question asked now is answered. */
bool directory_client_is_up(const struct directory_client *c);

#endif
