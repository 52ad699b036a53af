/*
 * store_replay_message: the records that say that a message is known and where it stands. Part of
 * store_replay (store_replay_parts.h).
 *
 * A place in a segment that is gone is remembered: the message may have been settled since, stand elsewhere since, or
 * be missing.
 */
#include <stdlib.h>

#include "common/xalloc.h"
#include "queue/store_record.h"
#include "queue/store_replay_parts.h"

/* The recipients of M, a line each: "notify address", into rp->given. How many; 0 if malformed. */
static uint32_t
take_given(struct replay *rp, struct span rest)
{
	uint32_t n = 0;

	while (rest.p != NULL) {
		struct span line = span_cut(&rest, '\n');
		uint64_t notify;

		if (replay_take_numbers(&line, &notify, 1) != 0 || notify > 31 ||
		    line.p == NULL)
			return 0;
		if (n == rp->given_cap) {
			rp->given_cap = n > 0 ? n * 2 : 16;
			rp->given = xreallocarray(rp->given, rp->given_cap, sizeof *rp->given);
		}
		rp->given[n++] = (struct message_given){line, (uint8_t)notify};
	}
	return n;
}

static int
take_told(struct message *m, struct span head, uint64_t of, bool delayed)
{
	struct message_report *p;
	uint64_t entry;

	if (of == 0)
		return head.len == 0 ? 0 : -1;
	p = message_report(m);
	p->bounce_of = of;
	p->delayed = delayed;
	while (head.len > 0) {
		if (replay_take_numbers(&head, &entry, 1) != 0 || entry > UINT32_MAX)
			return -1;
		p->told = xreallocarray(p->told, p->ntold + 1, sizeof *p->told);
		p->told[p->ntold++] = (uint32_t)entry;
	}
	return 0;
}

static int
take_release(struct message *m, struct span *head)
{
	uint64_t release;

	if (replay_take_numbers(head, &release, 1) != 0 || release > INT64_MAX / 1000)
		return -1;
	message_report(m)->release = (int64_t)release;
	return 0;
}

/* The message of an M record: v are its numbers, head what follows them, rest the lines behind. NULL if malformed. */
static struct message *
make_message(struct replay *rp, const uint64_t v[12], struct span head, struct span rest)
{
	struct span from = span_cut(&rest, '\n');
	struct message *m;
	uint32_t n;

	if (v[4] > UINT32_MAX || v[7] > UINT32_MAX || v[9] > UINT32_MAX || rest.p == NULL)
		return NULL;
	n = take_given(rp, rest);
	if (n == 0)
		return NULL;
	m = message_new(rp->atoms, v[0], from, rp->given, n);
	m->offset = (uint32_t)v[4];
	m->received = (int64_t)v[6];
	m->envelope_len = (uint32_t)v[7];
	m->content_len = v[8];
	m->content_crc = (uint32_t)v[9];
	m->eight_bit = (v[10] & RECORD_EIGHT_BIT) != 0;
	m->utf8 = (v[10] & RECORD_UTF8) != 0;
	m->has_dsn = (v[10] & RECORD_DSN) != 0;
	if ((v[10] & RECORD_HELD) != 0)
		message_hold(m, NULL);
	if ((v[10] & RECORD_RELEASE) != 0 && take_release(m, &head) != 0)
		message_free(&m);
	else if (take_told(m, head, v[11], (v[10] & RECORD_DELAYED) != 0) != 0)
		message_free(&m);
	return m;
}

void
replay_forget_place(struct replay *rp, uint64_t number)
{
	free(idmap_remove(&rp->places, number));
}

/* The message stands in s; if that is gone, where it stood is remembered: v is "large number generation". */
static void
set_place(struct replay *rp, struct message *m, struct spool_segment *s, const uint64_t v[3])
{
	struct replay_place *p;

	m->segment = s;
	replay_forget_place(rp, m->number);
	if (s != NULL)
		return;
	p = xcalloc(1, sizeof *p);
	*p = (struct replay_place){v[1], v[2], v[0] == 1};
	(void)idmap_insert(&rp->places, m->number, p);
}

/*
 * A message whose segment is gone or has a new life since was settled, and a later record says so.
 * It is kept without a segment until then; one that is left so at the end is reported as missing.
 */
int
replay_apply_message(struct replay *rp, struct span rest)
{
	struct span head = span_cut(&rest, '\n');
	uint64_t v[12];
	struct spool_segment *s;
	struct message *m;

	if (replay_take_numbers(&head, v, 12) != 0)
		return -1;
	s = replay_find_life(rp, v + 1);
	if (s != NULL)
		replay_account(s, v[5]);
	if (message_map_find(rp->messages, v[0]) != NULL)
		return 0;
	m = make_message(rp, v, head, rest);
	if (m == NULL)
		return -1;
	set_place(rp, m, s, v + 1);
	(void)message_map_insert(rp->messages, m);
	return 0;
}

/* It was copied to another place, and what was there before is not needed. */
int
replay_apply_moved(struct replay *rp, struct span rest)
{
	struct spool_segment *s;
	struct message *m;
	uint64_t v[6];

	if (replay_take_numbers(&rest, v, 6) != 0 || v[4] > UINT32_MAX)
		return -1;
	s = replay_find_life(rp, v + 1);
	if (s != NULL)
		replay_account(s, v[5]);
	m = message_map_find(rp->messages, v[0]);
	if (m != NULL) {
		set_place(rp, m, s, v + 1);
		m->offset = (uint32_t)v[4];
	}
	return 0;
}

void
replay_release(struct replay *rp)
{
	struct replay_place *p;
	size_t at = 0;

	while ((p = idmap_next(&rp->places, &at)) != NULL)
		free(p);
	idmap_release(&rp->places);
	free(rp->given);
}
