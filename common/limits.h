/*
 * limits: every bound on what strangers and lesser processes can make us hold,
 * in one place. What an administrator may change is in the configuration; these
 * are the bounds of the program itself. Sizes in octets.
 */
#ifndef COMMON_LIMITS_H
#define COMMON_LIMITS_H

#define LOG_LINE_MAX 4096

/* RFC 5321 4.5.3.1 */
#define LOCAL_PART_MAX 64
#define DOMAIN_MAX     255
#define ADDRESS_MAX    320 /* local part, at sign, domain */
#define REPLY_LINE_MAX 512

/* Channels between processes: the text of a message and the octets that ride along. */
#define WIRE_TEXT_MAX	 (4U << 20)
#define WIRE_PAYLOAD_MAX (1U << 20)
#define WIRE_FIELDS_MAX	 (1U << 20)
#define WIRE_FDS_MAX	 8

/* A message up to this size travels and is stored inline in a segment, larger ones get a file. */
#define MESSAGE_INLINE_MAX (256U << 10)

/* An envelope of recipient-limit recipients, encoded. */
#define ENVELOPE_MAX (4U << 20)

/* Remote servers' replies (RFC 5321 4.2.1 allows any number of lines; nobody needs more). */
#define REMOTE_REPLY_LINES_MAX 100
#define REMOTE_REPLY_MAX       16384

#endif
