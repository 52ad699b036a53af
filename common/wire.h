/*
 * wire: the messages that processes exchange (doc/IPC.md): a verb, a request
 * id, `name=value` lines, and octets that ride along unread (the payload).
 * Values may hold any octet; LF, NUL and the backslash are escaped.
 *
 *	text    = verb [SP id] LF *(name "=" value LF)
 *	frame   = text length (4) | payload length (4) | descriptors (4) | text | payload
 *	          each length in network order
 *
 * Building and parsing are pure; common/channel.h moves frames.
 */
#ifndef COMMON_WIRE_H
#define COMMON_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/span.h"
#include "common/verdict.h"

#define WIRE_VERSION	 1
#define WIRE_HEADER_SIZE 12

struct wire_field {
	struct span name;
	struct span value; /* unescaped */
};

/* A message received. Everything points into the receiver's buffer and is gone when the callback returns. */
struct wire_msg {
	struct span verb;
	uint64_t id; /* 0: a notice that wants no answer */
	struct wire_field *fields;
	size_t nfields;
	struct span payload;
	int fds
	    [8]; /* descriptors that came with it; channel closes those left >= 0 after the callback */
	size_t nfds;
};

/* A message being built. */
struct wire_out {
	struct buf text;
	struct span payload; /* borrowed until the message is sent */
};

/* Begins a message; verb is a plain word. Release with wire_out_release (channel_send does not). */
void wire_out_init(struct wire_out *w, const char *verb, uint64_t id);
void wire_out_release(struct wire_out *w);

/* Before fields are added: what is added is wiped when it is released. */
void wire_out_keep_nothing(struct wire_out *w);

/* Append fields. Names are plain words without '='. Adding beyond WIRE_TEXT_MAX marks the message as too long. */
void wire_add(struct wire_out *w, const char *name, struct span value);
void wire_add_unless_empty(struct wire_out *w, const char *name, struct span value);
void wire_add_str(struct wire_out *w, const char *name, const char *value);
void wire_add_u64(struct wire_out *w, const char *name, uint64_t value);
void wire_addf(struct wire_out *w, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The verdict as fields kind, code, status, text. */
void wire_add_verdict(struct wire_out *w, const struct verdict *v);

/* The frame header for what was built, and whether it fits the limits (0, or -1). */
int wire_header(const struct wire_out *w, size_t nfds, unsigned char header[WIRE_HEADER_SIZE]);

/* Lengths out of a header; -1 if they exceed the limits. */
int wire_header_parse(const unsigned char header[WIRE_HEADER_SIZE], size_t *text_len,
    size_t *payload_len, size_t *nfds);

/*
 * Parses the text of a message in place (escapes are undone where they stand).
 * fields has room for WIRE_FIELDS_MAX and *is grown by the callee*: pass the
 * same growing array each time. Payload and descriptors are left to the caller.
 * -1 if malformed.
 */
struct wire_fields {
	struct wire_field *v;
	size_t cap;
};
void wire_fields_release(struct wire_fields *f);
int wire_parse(char *text, size_t len, struct wire_fields *fields, struct wire_msg *m);

/* First field of that name: 0 and *value, or -1. */
int wire_get(const struct wire_msg *m, const char *name, struct span *value);
int wire_get_u64(const struct wire_msg *m, const char *name, uint64_t max, uint64_t *value);

/* Is there a field `name=yes`? */
bool wire_is_yes(const struct wire_msg *m, const char *name);

/* The verdict of fields kind, code, status, text; -1 (and *v temporary) if there is none or it is malformed. */
int wire_get_verdict(const struct wire_msg *m, struct verdict *v);

/* Descriptor i out of the message: the caller owns it from now on. -1 if there is none. */
int wire_take_fd(struct wire_msg *m, size_t i);

#endif
