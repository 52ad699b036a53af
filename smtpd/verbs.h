/*
 * verbs: the two halves of each SMTP command, one file each (cmd_<verb>.c). Only
 * the table in command.c and tests use them. For parse and run see struct verb.
 */
#ifndef SMTPD_VERBS_H
#define SMTPD_VERBS_H

#include "smtpd/command.h"

/* HELO, EHLO: RFC 5321 4.1.1.1. */
int cmd_helo_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r);
enum command_result cmd_helo_run(struct session *s, const struct command *c);
enum command_result cmd_ehlo_run(struct session *s, const struct command *c);

/* MAIL: RFC 5321 4.1.1.2, with SIZE (RFC 1870) and BODY (RFC 6152). */
int cmd_mail_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r);
enum command_result cmd_mail_run(struct session *s, const struct command *c);

/* RCPT: RFC 5321 4.1.1.3. */
int cmd_rcpt_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r);
enum command_result cmd_rcpt_run(struct session *s, const struct command *c);

/* DATA: RFC 5321 4.1.1.4; what follows its 354 is in smtpd/session_content.h. */
enum command_result cmd_data_run(struct session *s, const struct command *c);

/* BDAT: RFC 3030 2. */
int cmd_bdat_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r);
enum command_result cmd_bdat_run(struct session *s, const struct command *c);

enum command_result cmd_rset_run(struct session *s, const struct command *c);
enum command_result cmd_noop_run(struct session *s, const struct command *c);
enum command_result cmd_quit_run(struct session *s, const struct command *c);
enum command_result cmd_help_run(struct session *s, const struct command *c);

/* VRFY: RFC 5321 3.5.3; tells nothing about anybody. */
int cmd_vrfy_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r);
enum command_result cmd_vrfy_run(struct session *s, const struct command *c);

/* XSUBMITTER uid: the queue manager says whose file from drop/ it submits. */
int cmd_xsubmitter_parse(
    struct span arg, unsigned offers, struct command *c, struct refusal *r);
enum command_result cmd_xsubmitter_run(struct session *s, const struct command *c);

/* XCLIENT: postfix.org, XCLIENT_README. */
int cmd_xclient_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r);
enum command_result cmd_xclient_run(struct session *s, const struct command *c);

/* STARTTLS: RFC 3207. */
enum command_result cmd_starttls_run(struct session *s, const struct command *c);

/* AUTH: RFC 4954 4; the rest of the exchange is in smtpd/login.h. */
int cmd_auth_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r);
enum command_result cmd_auth_run(struct session *s, const struct command *c);

/* Verbs of SMTP that are not offered, and words of other protocols. */
enum command_result cmd_absent_run(struct session *s, const struct command *c);
enum command_result cmd_foreign_run(struct session *s, const struct command *c);

#endif
