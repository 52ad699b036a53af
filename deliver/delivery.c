/* delivery: one job of local on its way. See delivery.h. Called by local_main.c. */
#include "deliver/delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "deliver/owner_child.h"

#define ASK_TIMEOUT_MS 30000
#define ASK_AGAIN_MS   100
#define ASK_FOR_MS     20000 /* how long a directory that is restarting is waited for */
#define GROUP_MAX      500   /* recipients in one message to a child */

struct mailbox {
	struct delivery *delivery;
	uid_t uid;
	gid_t gid;
	char *directory, *home, *maildir; /* NULL until the directory has said */
	uint64_t quota;			  /* octets, 0: none */
	bool over_quota_refuses;
	bool asked; /* a question is under way, or answered for good */
	bool sent;
};

struct delivery {
	const struct delivery_env *env;
	struct job *job;
	struct event *again;
	uint64_t ask_until_ms;
	size_t pending;		   /* questions under way, then messages to children */
	struct mailbox *mailboxes; /* one for each recipient */
};

/* Recipients of one owner and domain, in one message to its child. */
struct group {
	struct delivery *delivery;
	size_t n;
	size_t recipients[];
};

static void ask_all(struct delivery *);

static void
finish(struct delivery *d)
{
	for (size_t i = 0; i < d->job->nrecipients; i++) {
		free(d->mailboxes[i].directory);
		free(d->mailboxes[i].home);
		free(d->mailboxes[i].maildir);
	}
	if (d->again != NULL)
		event_free(d->again);
	free(d->mailboxes);
	job_finish(&d->job);
	free(d);
}

static size_t
index_of(const struct mailbox *box)
{
	return (size_t)(box - box->delivery->mailboxes);
}

/* --- children --- */

static void
take_verdicts(const struct group *g, struct wire_msg *m)
{
	struct job *j = g->delivery->job;

	for (size_t i = 0; i < m->nfields; i++) {
		struct wire_msg rest = {.fields = &m->fields[i], .nfields = m->nfields - i};
		struct verdict v;
		uint64_t at;

		if (!span_is(m->fields[i].name, "rcpt"))
			continue;
		if (span_to_u64(m->fields[i].value, g->n - 1, &at) != 0 ||
		    wire_get_verdict(&rest, &v) != 0) {
			log_warnx(
			    "id=%s a child gave an answer that makes no sense", j->message);
			return;
		}
		job_decide(j, g->recipients[at], &v, NULL);
	}
}

static void
on_delivered(struct wire_msg *m, void *arg)
{
	struct group *g = arg;
	struct delivery *d = g->delivery;
	struct verdict v;

	if (m != NULL)
		take_verdicts(g, m);
	verdict_set(&v, VERDICT_TEMPORARY, 451, "4.3.0",
	    "The delivery process ended before it answered; the log says why");
	for (size_t i = 0; i < g->n; i++)
		if (!d->job->recipients[g->recipients[i]].decided)
			job_decide(d->job, g->recipients[i], &v, NULL);
	free(g);
	if (--d->pending == 0)
		finish(d);
}

/* The recipients of the owner and domain of box that were not sent yet. */
static struct group *
collect(struct delivery *d, const struct mailbox *box)
{
	size_t n = d->job->nrecipients < GROUP_MAX ? d->job->nrecipients : GROUP_MAX;
	struct group *g = xmalloc(sizeof *g + n * sizeof *g->recipients);

	g->delivery = d;
	g->n = 0;
	for (size_t i = index_of(box); i < d->job->nrecipients && g->n < GROUP_MAX; i++) {
		struct mailbox *other = &d->mailboxes[i];

		if (d->job->recipients[i].decided || other->sent || other->uid != box->uid ||
		    other->gid != box->gid || strcmp(other->directory, box->directory) != 0)
			continue;
		other->sent = true;
		g->recipients[g->n++] = i;
	}
	return g;
}

static void
send_group(struct delivery *d, const struct mailbox *box)
{
	const struct job *j = d->job;
	struct group *g = collect(d, box);
	uint64_t id = owner_pool_next_id(d->env->pool);
	struct wire_out w;
	int fd = -1;

	wire_out_init(&w, "deliver", id);
	wire_add_str(&w, "message", j->message);
	wire_add_str(&w, "from", j->from);
	wire_add_u64(&w, "received", (uint64_t)j->received);
	wire_add_str(&w, "host", d->env->host);
	wire_add_u64(&w, "size", j->size);
	wire_add_str(&w, "again", j->attempt > 1 || j->recovered ? "yes" : "no");
	if (j->content != NULL) {
		w.payload = span_make(j->content, j->size);
	} else {
		wire_add_u64(&w, "offset", j->offset);
		fd = fcntl(j->fd, F_DUPFD_CLOEXEC, 0);
	}
	for (size_t i = 0; i < g->n; i++) {
		const struct mailbox *to = &d->mailboxes[g->recipients[i]];

		wire_add_u64(&w, "rcpt", i);
		wire_add_u64(&w, "entry", j->recipients[g->recipients[i]].entry);
		wire_add_str(&w, "address", j->recipients[g->recipients[i]].address);
		wire_add_str(&w, "directory", to->directory);
		wire_add_str(&w, "home", to->home);
		wire_add_str(&w, "maildir", to->maildir);
		if (to->quota > 0)
			wire_add_u64(&w, "quota", to->quota);
		if (to->over_quota_refuses)
			wire_add_str(&w, "over-quota", "refuse");
	}
	d->pending++;
	if (j->content == NULL && fd < 0) {
		log_warn("id=%s cannot duplicate a descriptor", j->message);
		wire_out_release(&w);
		on_delivered(NULL, g);
		return;
	}
	owner_pool_send(d->env->pool, &(struct owner_name){box->uid, box->gid, box->directory},
	    id, &w, fd, on_delivered, g);
}

/* Every recipient has a mailbox or a verdict. */
static void
hand_over(struct delivery *d)
{
	d->pending++; /* so that the loop below cannot end it */
	for (size_t i = 0; i < d->job->nrecipients; i++)
		if (!d->job->recipients[i].decided && !d->mailboxes[i].sent)
			send_group(d, &d->mailboxes[i]);
	if (--d->pending == 0)
		finish(d);
}

/* --- the directory --- */

static char *
field(const struct wire_msg *m, const char *name)
{
	struct span v;

	return wire_get(m, name, &v) == 0 && memchr(v.p, '\0', v.len) == NULL ? xspandup(v)
									      : NULL;
}

/* What the directory says about one recipient. */
static void
take_mailbox(struct mailbox *box, const struct wire_msg *m)
{
	struct job *j = box->delivery->job;
	size_t i = index_of(box);
	uint64_t uid, gid;
	struct verdict v;
	struct span action;

	if (wire_get_verdict(m, &v) == 0 && v.kind != VERDICT_OK) {
		job_decide(j, i, &v, NULL);
		return;
	}
	box->directory = field(m, "directory");
	box->home = field(m, "home");
	box->maildir = field(m, "maildir");
	if (wire_get_u64(m, "quota", INT64_MAX, &box->quota) != 0)
		box->quota = 0;
	box->over_quota_refuses =
	    wire_get(m, "over-quota", &action) == 0 && span_is(action, "refuse");
	if (v.kind != VERDICT_OK || wire_get_u64(m, "uid", UINT32_MAX, &uid) != 0 ||
	    wire_get_u64(m, "gid", UINT32_MAX, &gid) != 0 || box->directory == NULL ||
	    box->directory[0] != '/' || box->home == NULL || box->maildir == NULL) {
		verdict_set(&v, VERDICT_TEMPORARY, 451, "4.3.0",
		    "The directory's answer about %s makes no sense", j->recipients[i].address);
		job_decide(j, i, &v, NULL);
		return;
	}
	box->uid = box->delivery->env->root ? (uid_t)uid : geteuid();
	box->gid = box->delivery->env->root ? (gid_t)gid : getegid();
	if (box->delivery->env->root && !owner_child_allowed(box->uid, box->gid)) {
		verdict_set(&v, VERDICT_TEMPORARY, 451, "4.3.5",
		    "The mailbox %s belongs to uid %u gid %u, and no mail is delivered as "
		    "root: give its "
		    "domain's directory another owner and group, or name others in etc/passwd",
		    j->recipients[i].address, box->uid, box->gid);
		log_warnx("id=%s %s", j->message, v.text);
		job_decide(j, i, &v, NULL);
	}
}

static void
on_mailbox(struct wire_msg *m, void *arg)
{
	struct mailbox *box = arg;
	struct delivery *d = box->delivery;
	struct verdict v;

	if (m != NULL) {
		take_mailbox(box, m);
	} else if (clock_mono_ms() < d->ask_until_ms) {
		box->asked = false;
		if (!event_pending(d->again, EV_TIMEOUT, NULL))
			event_add(d->again, &(struct timeval){0, ASK_AGAIN_MS * 1000});
	} else {
		verdict_set(
		    &v, VERDICT_TEMPORARY, 451, "4.3.0", "The directory does not answer");
		job_decide(d->job, index_of(box), &v, NULL);
	}
	if (--d->pending == 0 && !event_pending(d->again, EV_TIMEOUT, NULL))
		hand_over(d);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	ask_all(arg);
}

static void
ask_all(struct delivery *d)
{
	for (size_t i = 0; i < d->job->nrecipients; i++) {
		struct wire_out w;

		if (d->mailboxes[i].asked)
			continue;
		d->mailboxes[i].asked = true;
		d->pending++;
		wire_out_init(&w, "mailbox", peer_next_id(d->env->directory));
		wire_add_str(&w, "address", d->job->recipients[i].address);
		peer_call(d->env->directory, &w, ASK_TIMEOUT_MS, on_mailbox, &d->mailboxes[i]);
	}
}

void
delivery_start(const struct delivery_env *env, struct job *j)
{
	struct delivery *d = xcalloc(1, sizeof *d);

	d->env = env;
	d->job = j;
	d->ask_until_ms = clock_mono_ms() + ASK_FOR_MS;
	d->again = evtimer_new(env->base, on_again, d);
	d->mailboxes = xcalloc(j->nrecipients, sizeof *d->mailboxes);
	for (size_t i = 0; i < j->nrecipients; i++)
		d->mailboxes[i].delivery = d;
	ask_all(d);
}
