/*
 * session_tls: how a session gets TLS. With STARTTLS (RFC 3207) the session that
 * said 220 ends there, and one that knows nothing of what was said before takes its
 * place on the same connection: neither a name, a sender, a login nor an octet that
 * came in clear can be in it, since it is another object. With implicit TLS
 * (RFC 8314 3) the first session begins with the handshake.
 */
#ifndef SMTPD_SESSION_TLS_H
#define SMTPD_SESSION_TLS_H

#include <stddef.h>

#include "smtpd/session.h"

/* May the client say STARTTLS? */
bool session_tls_is_offered(const struct session *s);

/* Begins the handshake of a session that has no transport yet. Takes the descriptor. */
void session_tls_begin(struct session *s, int fd);

/* The 220 has left: puts another session in the place of this one, which is freed. Clears *s. */
void session_tls_succeed(struct session **s);

/* What was agreed on, for a log line: " tls=… cipher=… sni=…", or "" in clear. Returns out. */
#define SESSION_TLS_TEXT_SIZE 720
const char *session_tls_text(const struct session *s, char out[SESSION_TLS_TEXT_SIZE]);

/*
 * What the TLS connection is known by to both sides (RFC 9266, tls-exporter): octets that no other connection
 * has. -1: there is none, since there is no TLS, or not TLS 1.3.
 */
int session_tls_binding(const struct session *s, char *out, size_t size);

#endif
