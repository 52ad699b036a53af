/*
 * access_table: sendmail's access table, as it stands in /etc/mail/access: who may
 * connect, send, be sent to, and relay. Pure: text in, table out; a look-up answers
 * with the one line that decides. What the answers mean is conf/policy.c.
 *
 *	Connect:192.0.2		RELAY		clients, by network (whole octets), address or name
 *	From:spam@example.com	REJECT		senders: user@domain, user@, domain and all below it, <>
 *	To:gone@example.org	550 Moved away	recipients, likewise
 *	example.net		OK		without a tag: all three
 *
 * Right sides are conf/access_action.h's. A key stands once; keys know no case. Lines of other features of sendmail
 * (ClientRate:, TLS_Srv:, …) are passed over and counted.
 */
#ifndef CONF_ACCESS_TABLE_H
#define CONF_ACCESS_TABLE_H

#include "common/address.h"
#include "common/netaddr.h"
#include "conf/access_action.h"
#include "conf/access_key.h"
#include "conf/config_errors.h"

struct access_entry {
	char *key; /* as in the table's index: "connect:192.0.2", ":example.net" */
	enum access_action action;
	struct verdict verdict; /* as access_action_parse sets it */
	unsigned line;
};

struct access_table;

/* Longest text: about what sendmail's makemap takes. */
#define ACCESS_TABLE_MAX (64U << 20)

/*
 * Reads a table. All errors go to errors as path:line: text. NULL if there is one; else the caller
 * frees. foreign (may be NULL): lines of features that are not ours, passed over.
 */
struct access_table *access_table_parse(
    struct span text, const char *path, struct config_errors *errors, unsigned *foreign);
void access_table_free(struct access_table **t);

size_t access_table_count(const struct access_table *t);

/* Has it names of clients: is there a reason to find a client's name out? Has it one that says OK, RELAY or SKIP? */
bool access_table_has_names(const struct access_table *t);
bool access_table_spares_names(const struct access_table *t);

/*
 * The line that decides about a client, or NULL: by its name and the domains above it (name empty: not known), then
 * by its address and the networks above it; at each, Connect: before a key without tag. Never one that says SKIP.
 */
const struct access_entry *access_table_find_client(
    const struct access_table *t, const struct netaddr *client, struct span name);

/*
 * The line that decides about a sender (ACCESS_FROM) or recipient (ACCESS_TO), or NULL: by user@domain, user@,
 * the domain and those above it. a is canonical; its text empty for <>. Of user+detail the user is looked for, too, with
 * each of separators in the plus sign's place (conf/access_forms).
 */
const struct access_entry *access_table_find_address(const struct access_table *t,
    enum access_tag tag, const struct address *a, const char *separators);

#endif
