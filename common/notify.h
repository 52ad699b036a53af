/*
 * notify: tells the service manager that started us how we are: the protocol of
 * sd_notify(3), datagrams to the socket named in NOTIFY_SOCKET. No library needed.
 * Without a service manager every call does nothing.
 */
#ifndef COMMON_NOTIFY_H
#define COMMON_NOTIFY_H

struct notify;

/* socket_name: the value of NOTIFY_SOCKET, a path or "@" and an abstract name; NULL or "": nobody listens. */
struct notify *notify_new(const char *socket_name);
void notify_free(struct notify **n);

/* READY=1, RELOADING=1 (with the time, as Type=notify-reload wants), STOPPING=1; each with a status line for people. */
void notify_ready(struct notify *n, const char *status);
void notify_reloading(struct notify *n, const char *status);
void notify_stopping(struct notify *n, const char *status);

#endif
