/* The journal's records as a stranger might have written them: one a line, applied to nothing and to each other. */
#include "common/log.h"
#include "queue/store_replay.h"

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct span rest = span_make(data, size);
	struct pauses pauses;
	struct message_map messages;
	struct replay rp = {.pool = NULL, .pauses = &pauses, .messages = &messages};
	struct message *m;
	size_t at = 0;

	log_set_level(LOG_LEVEL_FATAL);
	if (size > 4096)
		return 0;
	rp.atoms = atom_table_new();
	message_map_init(&messages);
	pauses_init(&pauses);
	while (rest.p != NULL) {
		struct span record = span_cut(&rest, '\0');

		replay_record(record, &rp);
	}
	while ((m = message_map_next(&messages, &at)) != NULL)
		message_free(&m);
	replay_release(&rp);
	message_map_release(&messages);
	atom_table_free(&rp.atoms);
	pauses_release(&pauses);
	return 0;
}
