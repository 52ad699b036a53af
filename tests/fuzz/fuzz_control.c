/* What the control socket is asked (a filter, over a message) and what its answer says (a listing), as text of wire messages. */
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "queue/listing.h"
#include "queue/queue_filter.h"
#include "tests/fuzz/must.h"

static const char *const others[] = {"limit", "sort", NULL};

static void
match(const struct wire_msg *m)
{
	const struct message_given given[] = {
	    {span_str("bob@b.test"), 0}, {span_str("\"c@d\"@C.Test"), 0}};
	struct atom_table *atoms = atom_table_new();
	struct message *msg = message_new(atoms, 4711, span_str("news@a.test"), given, 2);
	struct queue_filter f;
	struct verdict v;
	struct buf why;
	uint32_t n = 0;

	verdict_set(&v, VERDICT_TEMPORARY, 451, "4.4.1", "No route");
	recipient_set_reason(message_recipient(msg, 0), &v);
	recipient_set_state(message_recipient(msg, 0), RECIPIENT_HELD);
	buf_init(&why, 65536);
	if (queue_filter_parse(&f, m, 1000000, others, &why) == 0) {
		for (uint32_t i = 0; queue_filter_message(&f, msg) && i < 2; i++)
			n += queue_filter_recipient(&f, message_recipient(msg, i));
		MUST(!queue_filter_is_empty(&f) || n == 2);
	} else {
		MUST(why.len > 0);
	}
	queue_filter_release(&f);
	buf_release(&why);
	message_free(&msg);
	atom_table_free(&atoms);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct wire_fields fields = {0};
	struct wire_msg m;
	struct listing l;
	char *text = xspandup(span_make(data, size));

	if (wire_parse(text, size, &fields, &m) == 0) {
		match(&m);
		if (listing_parse(&m, &l) == 0) {
			for (size_t i = 0; i < l.nmessages; i++)
				MUST(l.messages[i].nrecipients <= l.nrecipients);
			listing_release(&l);
		}
	}
	wire_fields_release(&fields);
	free(text);
	return 0;
}
