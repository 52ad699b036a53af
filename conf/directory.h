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

/* The user that the queue manager runs as: reports that it submits count for nobody (conf/policy_limits.h). */
void directory_set_queue_uid(struct directory *d, uid_t uid);

/*
 * Takes notice of every change made to files so far. Called when questions have arrived and before the first of them
 * is answered, so that each is answered from what was saved when it was asked; and when directory_fd becomes readable,
 * so that events do not pile up.
 */
void directory_refresh(struct directory *d);

/*
 * Answers the question m, asked at the socket of that name, as of the last directory_refresh, into w (begun with
 * client_answer_init by the caller). -1: this socket does not allow the question, or it makes no sense; nothing was added.
 */
int directory_answer(
    struct directory *d, const char *socket_name, const struct wire_msg *m, struct wire_out *w);

/*
 * Takes the notice m (a message without an id). -1: this socket has none such, or it makes no sense.
 */
int directory_note(struct directory *d, const char *socket_name, const struct wire_msg *m);

/* What it knows now, as the resolver sees it: after directory_refresh, until the next question. */
const struct resolve_env *directory_view(const struct directory *d);

/* As domains_fd: what the loop watches. */
int directory_fd(const struct directory *d);

/* The resolver's view of a set of domains; env lives as long as they do. */
void directory_env(struct resolve_env *env, const struct config *c, struct domains *domains,
    bool privileged, const struct domain_ids *self);

#endif
