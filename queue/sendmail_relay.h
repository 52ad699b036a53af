/*
 * sendmail_relay: sendmail -bs: standard input and output become an SMTP session
 * with the daemon, octet by octet. What a program says there is judged as any
 * client's: line ends are CRLF (RFC 5321 2.3.8).
 */
#ifndef QUEUE_SENDMAIL_RELAY_H
#define QUEUE_SENDMAIL_RELAY_H

/*
 * Copies both ways between (in, out) and the socket at path until the daemon ends the session. 0; or EX_TEMPFAIL, after
 * a 421 on out, if nobody answers; or EX_IOERR. hostname is for the 421.
 */
int sendmail_relay(const char *path, int in, int out, const char *hostname);

#endif
