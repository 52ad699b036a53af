/*
 * login: the AUTH exchange of a session (RFC 4954): PLAIN (RFC 4616), LOGIN, and
 * with login_scram SCRAM, from the command to the directory's answer. A password is here only on its way,
 * and its memory is wiped.
 */
#ifndef SMTPD_LOGIN_H
#define SMTPD_LOGIN_H

#include <stdbool.h>

#include "common/limits.h"
#include "common/span.h"
#include "conf/password_hash.h"
#include "smtpd/command.h"
#include "smtpd/question.h"

struct session;

enum login_mechanism {
	LOGIN_PLAIN,
	LOGIN_LOGIN,
	LOGIN_SCRAM,
	LOGIN_SCRAM_PLUS, /* with channel binding */
};

/* What the client has said so far. */
struct login {
	enum login_mechanism mechanism;
	bool has_user;
	size_t user_len, password_len;
	char user[ADDRESS_MAX];
	char password[PASSWORD_MAX];
	struct login_scram *scram; /* of the two SCRAM */
};

enum login_step {
	LOGIN_WRONG, /* no base64, or not what the mechanism says */
	LOGIN_MORE,  /* the password is to follow */
	LOGIN_READY, /* user and password are there, or what of SCRAM the directory has to answer */
	LOGIN_FAILS, /* there can be no such user or password */
	LOGIN_DONE,  /* the client has heard that it is logged in, and so it is */
};

/* Pure: takes one response of the client, base64 as it came. */
enum login_step login_take(struct login *l, struct span response);

/* Is AUTH offered in this session, as it is now? By which mechanisms: of enum settings_offer. */
bool login_is_offered(const struct session *s);
unsigned login_offers(const struct session *s);

/* The mechanism of that name, if it is offered in this session. -1: it is not. */
int login_find_mechanism(const struct session *s, struct span name, enum login_mechanism *m);

/* Begins an exchange; as struct verb's run. response: the initial one, if there is one. */
enum command_result login_begin(
    struct session *s, enum login_mechanism mechanism, bool has_response, struct span response);

/* A line of the client's in SESSION_LOGIN. */
void login_line(struct session *s, struct span line);

/* Fills in the question. */
void login_fill(const struct login *l, struct question *q);

/* Wipes and frees it. Clears *l; NULL is fine. */
void login_free(struct login **l);

#endif
