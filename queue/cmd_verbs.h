/*
 * cmd_verbs: every command of postrider(8), one cmd_*.c each. argv is what stands
 * behind the command's name, NULL at the end; the result is the exit status.
 */
#ifndef QUEUE_CMD_VERBS_H
#define QUEUE_CMD_VERBS_H

#include "queue/cmd.h"

int cmd_check(struct cmd_context *ctx, char **argv);
int cmd_status(struct cmd_context *ctx, char **argv);
int cmd_reload(struct cmd_context *ctx, char **argv);
int cmd_explain(struct cmd_context *ctx, char **argv);
int cmd_queue_list(struct cmd_context *ctx, char **argv);
int cmd_queue_show(struct cmd_context *ctx, char **argv);
int cmd_queue_summary(struct cmd_context *ctx, char **argv);
int cmd_queue_cat(struct cmd_context *ctx, char **argv);
int cmd_queue_retry(struct cmd_context *ctx, char **argv);
int cmd_queue_hold(struct cmd_context *ctx, char **argv);
int cmd_queue_release(struct cmd_context *ctx, char **argv);
int cmd_queue_requeue(struct cmd_context *ctx, char **argv);
int cmd_queue_pause(struct cmd_context *ctx, char **argv);
int cmd_queue_resume(struct cmd_context *ctx, char **argv);
int cmd_queue_paused(struct cmd_context *ctx, char **argv);
int cmd_queue_fsck(struct cmd_context *ctx, char **argv);
int cmd_queue_remove(struct cmd_context *ctx, char **argv);
int cmd_domain_add(struct cmd_context *ctx, char **argv);
int cmd_domain_list(struct cmd_context *ctx, char **argv);
int cmd_user_add(struct cmd_context *ctx, char **argv);
int cmd_user_list(struct cmd_context *ctx, char **argv);
int cmd_user_passwd(struct cmd_context *ctx, char **argv);
int cmd_user_quota(struct cmd_context *ctx, char **argv);

#endif
