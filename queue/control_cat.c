/*
 * control_cat: the verb cat: a message's envelope, and its content as a descriptor. Part of
 * control (control_parts.h).
 */
#include "common/limits.h"
#include "queue/control_parts.h"
#include "queue/spool_envelope.h"

static void
add_envelope(struct wire_out *w, struct store *store, const struct message *msg)
{
	struct envelope e;
	struct buf text;

	buf_init(&text, ENVELOPE_MAX);
	if (store_read_envelope(store, msg, &text) == 0 &&
	    envelope_parse(buf_span(&text), &e) == 0) {
		wire_add(w, "from", e.from);
		wire_add_unless_empty(w, "client", e.client);
		wire_add_unless_empty(w, "helo", e.helo);
		wire_add_unless_empty(w, "auth", e.auth);
		if (e.uid >= 0)
			wire_add_u64(w, "uid", (uint64_t)e.uid);
		for (size_t i = 0; i < e.nrecipients; i++)
			wire_add(w, "recipient", e.recipients[i].address);
		envelope_release(&e);
	}
	buf_release(&text);
}

void
control_cat(const struct control_request *r)
{
	struct store *store = manager_store(r->control->manager);
	const struct message *msg = control_named_message(r);
	struct wire_out w;
	int fd;

	if (msg == NULL)
		return;
	fd = segment_pool_read_fd(store_pool(store), msg->segment);
	if (fd < 0) {
		control_refuse(r, CONTROL_CANNOT, "The message cannot be read");
		return;
	}
	control_answer_begin(&w, r->msg);
	add_envelope(&w, store, msg);
	wire_add_u64(&w, "offset", store_content_offset(msg));
	wire_add_u64(&w, "size", msg->content_len);
	wire_add_u64(&w, "crc", msg->content_crc);
	client_send(r->client, &w, fd);
}
