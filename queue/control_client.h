/*
 * control_client: the blocking end of a control socket (doc/IPC.md), for programs
 * a person waits for: postrider(8), mailq(1), sendmail -q. Every wait has a
 * time-out; what the other side sends is checked as any peer's.
 */
#ifndef QUEUE_CONTROL_CLIENT_H
#define QUEUE_CONTROL_CLIENT_H

#include "common/buf.h"
#include "common/wire.h"

/* Seconds to wait for the answer to a request. */
#define CONTROL_TIMEOUT 30

struct control_client;

/*
 * Connects to `<spool>/sockets/control/<name>` and exchanges greetings. NULL with a line for people in *why, and in *status the
 * exit status that fits: EX_NOPERM, EX_UNAVAILABLE (nobody answers), EX_PROTOCOL.
 */
struct control_client *control_client_open(
    const char *spool, const char *name, int *status, struct buf *why);
void control_client_close(struct control_client **c);

/* The id for wire_out_init of the next request. */
uint64_t control_client_next_id(struct control_client *c);

/*
 * Sends a request (w is released) and waits for its answer, which lives until the next call. A process that is too busy to
 * answer (4.3.2) is asked again, for CONTROL_TIMEOUT at most. 0, or an exit status and why as above.
 */
int control_client_call(
    struct control_client *c, struct wire_out *w, struct wire_msg *answer, struct buf *why);

/*
 * The next frame of an answer that goes on in a stream of its own: the descriptor that came with the last answer,
 * which belongs to the client from the first call on. The last frame's verb is `end`. 0, or an exit status and why:
 * EX_PROTOCOL, EX_UNAVAILABLE if the stream was cut. *m lives until the next call.
 */
int control_client_next(struct control_client *c, struct wire_msg *m, struct buf *why);

/* The descriptor that came with the last answer: the caller's from now on. -1 if there was none. */
int control_client_take_fd(struct control_client *c);

/*
 * Reads the text that `<spool>/sockets/control/status` writes: lines of name=value, appended to out. 0, or an exit status and why.
 */
int control_client_read_status(const char *spool, struct buf *out, struct buf *why);

#endif
