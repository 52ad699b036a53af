/* envelope_cache: the envelope that was read last. See envelope_cache.h. */
#include "queue/envelope_cache.h"

#include <stdlib.h>

#include "common/limits.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "queue/spool_record.h"

struct envelope_cache {
	struct store *store;
	uint64_t message; /* whose it is; 0: none is kept */
	struct envelope envelope;
};

struct envelope_cache *
envelope_cache_new(struct store *store)
{
	struct envelope_cache *c = xcalloc(1, sizeof *c);

	c->store = store;
	return c;
}

void
envelope_cache_free(struct envelope_cache **cp)
{
	struct envelope_cache *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	envelope_release(&c->envelope);
	free(c);
}

static int
read_envelope(struct envelope_cache *c, const struct message *m)
{
	struct buf text;
	int r;

	buf_init(&text, ENVELOPE_MAX);
	r = store_read_envelope(c->store, m, &text);
	if (r == 0)
		r = envelope_parse(buf_span(&text), &c->envelope);
	buf_release(&text);
	/* What was there when the message was taken in is what stands there now. */
	if (r == 0 && c->envelope.nrecipients != m->given) {
		envelope_release(&c->envelope);
		r = -1;
	}
	return r;
}

const struct envelope *
envelope_cache_get(struct envelope_cache *c, const struct message *m)
{
	char id[SPOOL_ID_SIZE];

	if (c->message == m->number)
		return &c->envelope;
	envelope_release(&c->envelope);
	c->message = 0;
	if (read_envelope(c, m) != 0) {
		log_warnx("id=%s its envelope cannot be read", spool_id_format(m->number, id));
		return NULL;
	}
	c->message = m->number;
	return &c->envelope;
}
