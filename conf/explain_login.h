/*
 * explain_login: AUTH as `postrider explain` tells it. Finds the account as the authenticator does
 * (conf/account.h), and writes down what a client never hears: why nobody can log in so.
 * Used by conf/explain.
 */
#ifndef CONF_EXPLAIN_LOGIN_H
#define CONF_EXPLAIN_LOGIN_H

#include "common/address.h"
#include "common/verdict.h"
#include "conf/resolve.h"
#include "conf/trace.h"

/*
 * Could user (as typed; without a domain it is of auth-domain) log in, if the password was right? True: *account is the
 * account's canonical name. False: *v is what the client hears, *rule (a static word) what the log says.
 */
bool explain_login(const struct resolve_env *env, struct span user, struct trace *trace,
    struct address *account, struct verdict *v, const char **rule);

#endif
