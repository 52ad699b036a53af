/*
 * refusal: what a session refuses by itself, before it asks the directory, and
 * `postrider explain` tells, too: code, status, text, and rule. In one place, since
 * both have to say the same: smtpd/smtp_reply.c and conf/explain.c.
 */
#ifndef CONF_REFUSAL_H
#define CONF_REFUSAL_H

#define REFUSAL_HELO_NAME	 501, "5.5.4", "Not a host name or address literal", "helo-name"
#define REFUSAL_SYNTAX		 501, "5.5.4", "Syntax:", "syntax"
#define REFUSAL_SENDER_SYNTAX	 501, "5.1.7", "Bad sender address:", "sender-syntax"
#define REFUSAL_RECIPIENT_SYNTAX 501, "5.1.3", "Bad recipient address:", "recipient-syntax"
#define REFUSAL_LOGIN		 535, "5.7.8", "User name or password wrong", "login-failed"

/* As conf/authenticator says it, which session and `postrider explain` pass on. */
#define REFUSAL_LOGIN_UNDECIDED                                                                \
	454, "4.7.0", "Cannot tell now whether this is the password, try again later",         \
	    "cannot-tell"

/* What REFUSAL_SYNTAX is about where an address has ended and something follows. */
#define REFUSAL_AFTER_PATH "a space comes before a parameter"

#endif
