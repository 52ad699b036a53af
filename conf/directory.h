/*
 * directory: the questions of doc/IPC.md that the directory process answers:
 * one message in, one answer out, nothing kept waiting. Which socket may ask what
 * is a table in directory.c. directory_main.c does the talking.
 */
#ifndef CONF_DIRECTORY_H
#define CONF_DIRECTORY_H

#include <stdbool.h>

#include "common/wire.h"
#include "conf/config.h"
#include "conf/domain.h"
#include "conf/domains.h"
#include "conf/resolve.h"

struct directory;

/* privileged and self as in struct resolve_env. Answers nothing before it is configured. */
struct directory *directory_new(bool privileged, const struct domain_ids *self);
void directory_free(struct directory **d);

/* Takes the configuration; domains that are loaded stay if it is about the same root. */
void directory_configure(struct directory *d, struct config *c);

/*
 * Answers the question m, asked at the socket of that name, into w (begun with client_answer_init by
 * the caller). -1: this socket does not allow the question, or it makes no sense; nothing was added.
 */
int directory_answer(
    struct directory *d, const char *socket_name, const struct wire_msg *m, struct wire_out *w);

/*
 * Takes the notice m (a message without an id). -1: this socket has none such, or it makes no sense.
 */
int directory_note(struct directory *d, const char *socket_name, const struct wire_msg *m);

/* What it knows now, as the resolver sees it: after directory_refresh, until the next question. */
const struct resolve_env *directory_view(const struct directory *d);

/* As domains_fd and domains_begin: what the loop watches, and does when it becomes readable. */
int directory_fd(const struct directory *d);
void directory_refresh(struct directory *d);

/* The resolver's view of a set of domains; env lives as long as they do. */
void directory_env(struct resolve_env *env, const struct config *c, struct domains *domains,
    bool privileged, const struct domain_ids *self);

#endif
