/*
 * keys: the questions of doc/IPC.md that the process `keys` answers: which
 * certificate is shown for a host name, and a signature by its private key; and the
 * ticket keys it tells every smtpd. conf/keys_main.c does the talking.
 *
 * Private keys are here and nowhere else: smtpd, which talks to strangers, has
 * certificates and asks for one signature per handshake. The process has no
 * right to anything: files reach it through the directory process.
 */
#ifndef CONF_KEYS_H
#define CONF_KEYS_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/service.h"
#include "common/wire.h"

struct keys;

/* What a client calls itself in the greeting that is to be told no ticket keys. */
#define KEYS_ROLE_SIGNER "signer"

/* directory_socket is the path of the directory's socket. */
struct keys *keys_new(struct event_base *base, const char *directory_socket);
void keys_free(struct keys **k);

/* A client has come: it is told the ticket keys. It is gone: its questions are forgotten. */
void keys_on_up(struct keys *k, struct client *c);
void keys_on_down(struct keys *k, struct client *c);

/* A question. -1: it makes no sense, drop the client. */
int keys_on_message(struct keys *k, struct client *c, const struct wire_msg *m);

#endif
