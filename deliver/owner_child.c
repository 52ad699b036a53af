/*
 * owner_child: the mailbox owner's process. See owner_child.h. Forked by the
 * spawner, spoken to by local (deliver/owner.c).
 *
 * Jobs that have arrived while a batch was being flushed make up the next one:
 * the event that runs a batch has a lower priority than the channel, so it runs
 * when nothing more is to be read.
 */
#include "deliver/owner_child.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/landlock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/xalloc.h"
#include "deliver/maildir.h"

struct recipient {
	struct maildir_item item;
	uint64_t index; /* local's number for it */
};

struct delivery {
	TAILQ_ENTRY(delivery) link;
	uint64_t request;
	char *text;    /* all strings of the job, NUL-terminated, one after another */
	char *content; /* or NULL: it is in fd */
	int fd;
	struct recipient *recipients;
	size_t n, done;
};

struct owner_child {
	struct event_base *base;
	struct channel *channel;
	struct event *run;
	TAILQ_HEAD(, delivery) waiting;
	struct volume_memory memory;
};

static void
delivery_free(struct delivery *d)
{
	if (d->fd >= 0)
		close(d->fd);
	free(d->content);
	free(d->recipients);
	free(d->text);
	free(d);
}

/* --- a job out of its message --- */

/* Copies a value into the job's text; *at is where the next one goes. */
static const char *
keep(char **at, struct span value)
{
	char *s = *at;

	if (value.len > 0)
		memcpy(s, value.p, value.len);
	s[value.len] = '\0';
	*at = s + value.len + 1;
	return s;
}

static bool
parse_recipients(
    struct delivery *d, const struct wire_msg *m, const struct maildir_item *all, char **at)
{
	struct maildir_item *item = NULL;

	for (size_t i = 0; i < m->nfields; i++) {
		const struct wire_field *f = &m->fields[i];

		if (span_is(f->name, "rcpt")) {
			struct recipient *r = &d->recipients[d->n++];

			item = &r->item;
			*item = *all;
			if (span_to_u64(f->value, UINT64_MAX, &r->index) != 0)
				return false;
		} else if (item == NULL) {
			continue;
		} else if (span_is(f->name, "entry")) {
			if (span_to_u64(f->value, UINT64_MAX, &item->entry) != 0)
				return false;
		} else if (span_is(f->name, "address")) {
			item->address = keep(at, f->value);
		} else if (span_is(f->name, "directory")) {
			item->directory = keep(at, f->value);
		} else if (span_is(f->name, "home")) {
			item->home = keep(at, f->value);
		} else if (span_is(f->name, "maildir")) {
			item->maildir = keep(at, f->value);
		} else if (span_is(f->name, "quota")) {
			if (span_to_u64(f->value, INT64_MAX, &item->quota) != 0)
				return false;
		} else if (span_is(f->name, "over-quota")) {
			item->over_quota_refuses = span_is(f->value, "refuse");
		}
	}
	for (size_t i = 0; i < d->n; i++) {
		item = &d->recipients[i].item;
		if (item->address == NULL || item->directory == NULL || item->home == NULL ||
		    item->maildir == NULL)
			return false;
	}
	return d->n > 0;
}

static bool
parse_content(struct delivery *d, struct wire_msg *m, struct maildir_item *all)
{
	if (m->nfds > 0) {
		d->fd = all->fd = wire_take_fd(m, 0);
		return d->fd >= 0 && wire_get_u64(m, "offset", INT64_MAX, &all->offset) == 0;
	}
	d->content = xmalloc(m->payload.len + 1);
	if (m->payload.len > 0)
		memcpy(d->content, m->payload.p, m->payload.len);
	all->content = span_make(d->content, m->payload.len);
	return all->size == m->payload.len;
}

static bool
parse(struct delivery *d, struct wire_msg *m)
{
	struct maildir_item all = {.fd = -1};
	struct span message, from, host;
	size_t octets = 1, recipients = 0;
	uint64_t received;
	char *at;

	for (size_t i = 0; i < m->nfields; i++) {
		octets += m->fields[i].value.len + 1;
		recipients += span_is(m->fields[i].name, "rcpt");
	}
	d->text = at = xmalloc(octets);
	d->recipients = xcalloc(recipients, sizeof *d->recipients);
	if (wire_get(m, "message", &message) != 0 || wire_get(m, "from", &from) != 0 ||
	    wire_get(m, "host", &host) != 0 ||
	    wire_get_u64(m, "received", INT64_MAX, &received) != 0 ||
	    wire_get_u64(m, "size", INT64_MAX, &all.size) != 0 || !parse_content(d, m, &all))
		return false;
	all.message = keep(&at, message);
	all.from = keep(&at, from);
	all.host = keep(&at, host);
	all.received = (int64_t)received;
	all.again = wire_is_yes(m, "again");
	return parse_recipients(d, m, &all, &at);
}

/* --- batches --- */

static void
answer(struct owner_child *c, struct delivery *d)
{
	struct wire_out w;

	wire_out_init(&w, "answer", d->request);
	for (size_t i = 0; i < d->n; i++) {
		wire_add_u64(&w, "rcpt", d->recipients[i].index);
		wire_add_verdict(&w, &d->recipients[i].item.verdict);
	}
	if (channel_send(c->channel, &w, -1) != 0)
		log_warnx("cannot answer local");
	wire_out_release(&w);
}

/* Takes up to MAILDIR_BATCH_MAX recipients of the jobs that wait, delivers, answers what is complete. */
static void
on_run(evutil_socket_t fd, short what, void *arg)
{
	struct owner_child *c = arg;
	struct maildir_item items[MAILDIR_BATCH_MAX];
	struct recipient *who[MAILDIR_BATCH_MAX];
	struct delivery *d;
	size_t n = 0;

	(void)fd, (void)what;
	TAILQ_FOREACH (d, &c->waiting, link) {
		while (d->done < d->n && n < MAILDIR_BATCH_MAX) {
			who[n] = &d->recipients[d->done++];
			items[n] = who[n]->item;
			n++;
		}
	}
	maildir_deliver(&c->memory, items, n);
	for (size_t i = 0; i < n; i++)
		who[i]->item.verdict = items[i].verdict;
	while ((d = TAILQ_FIRST(&c->waiting)) != NULL && d->done == d->n) {
		TAILQ_REMOVE(&c->waiting, d, link);
		answer(c, d);
		delivery_free(d);
	}
	if (d != NULL)
		event_active(c->run, EV_TIMEOUT, 0);
}

static void
on_message(struct channel *channel, struct wire_msg *m, void *arg)
{
	struct owner_child *c = arg;
	struct delivery *d = xcalloc(1, sizeof *d);

	d->fd = -1;
	d->request = m->id;
	if (!span_is(m->verb, "deliver") || !parse(d, m))
		fatalx("malformed job from local"); /* its jobs become temporary failures */
	TAILQ_INSERT_TAIL(&c->waiting, d, link);
	event_active(c->run, EV_TIMEOUT, 0);
	(void)channel;
}

static void
on_close(struct channel *channel, const char *why, void *arg)
{
	struct owner_child *c = arg;

	(void)channel;
	log_debug("uid=%u ends: %s", getuid(), why);
	event_base_loopbreak(c->base);
}

static const struct channel_ops channel_ops = {.on_message = on_message, .on_close = on_close};

bool
owner_child_allowed(uid_t uid, gid_t gid)
{
	return uid != 0 && gid != 0 && uid != (uid_t)-1 && gid != (gid_t)-1;
}

void
owner_child_confine(const struct owner_child_rights *r)
{
	const struct sandbox sandbox = {.uid = r->uid, .gid = r->gid, .many_descriptors = true};

	if (sandbox_is_root() && !owner_child_allowed(r->uid, r->gid))
		fatalx("refusing to deliver as uid %u gid %u", r->uid, r->gid);
	sandbox_enter(&sandbox);
	/* Whatever kept us from changing: mail is never written as somebody else. */
	if (geteuid() != r->uid)
		fatalx("cannot become uid %u to deliver its mail", r->uid);
	landlock_enter(LANDLOCK_BENEATH, r->directory);
	syscall_filter_enter(OWNER_CHILD_CALLS, r->filter);
}

int
owner_child_run(int fd, const struct owner_child_rights *rights)
{
	struct owner_child c = {0};
	struct delivery *d;

	c.base = event_base_new();
	if (c.base == NULL || event_base_priority_init(c.base, 3) != 0)
		fatalx("cannot make an event loop");
	owner_child_confine(rights); /* making a loop takes calls that it forbids */
	TAILQ_INIT(&c.waiting);
	c.run = event_new(c.base, -1, 0, on_run, &c);
	event_priority_set(c.run, 2);
	c.channel = channel_new(c.base, fd, &channel_ops, &c);
	event_base_dispatch(c.base);
	while ((d = TAILQ_FIRST(&c.waiting)) != NULL) {
		TAILQ_REMOVE(&c.waiting, d, link);
		delivery_free(d);
	}
	channel_free(&c.channel);
	event_free(c.run);
	event_base_free(c.base);
	return 0;
}
