/* server: what all sessions of one worker share. See server.h. */
#include "smtpd/server.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "smtpd/session.h"

static void
on_time(struct wheel_entry *e, void *arg)
{
	(void)arg;
	session_on_time(session_of_timer(e));
}

/* One at a time: the loop looks between two of them for what has come. */
static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct server *sv = arg;
	struct session *s;

	(void)fd, (void)what;
	s = TAILQ_FIRST(&sv->paused);
	if (s == NULL)
		return;
	server_resume(sv, s);
	if (!TAILQ_EMPTY(&sv->paused))
		event_active(sv->turn, 0, 0);
	session_continue(s);
}

void
server_pause(struct server *sv, struct session *s)
{
	if (s->paused)
		return;
	s->paused = true;
	TAILQ_INSERT_TAIL(&sv->paused, s, turn);
	event_active(sv->turn, 0, 0);
}

void
server_resume(struct server *sv, struct session *s)
{
	if (!s->paused)
		return;
	s->paused = false;
	TAILQ_REMOVE(&sv->paused, s, turn);
}

void
server_init(struct server *sv, struct event_base *base, struct settings *settings,
    const struct question_ops *question_ops, void *directory, const struct spool_ops *spool_ops,
    void *spool)
{
	*sv = (struct server){.base = base,
	    .clock = clock_mono_ms,
	    .settings = settings,
	    .question_ops = question_ops,
	    .directory = directory,
	    .spool_ops = spool_ops,
	    .spool = spool,
	    .budget = {.max = SERVER_BUDGET}};
	TAILQ_INIT(&sv->sessions);
	TAILQ_INIT(&sv->paused);
	sv->turn = event_new(base, -1, 0, on_turn, sv);
	if (sv->turn == NULL)
		fatalx("cannot make an event");
	wheel_init(&sv->wheel, base, sv->clock, on_time, sv);
	buf_init(&sv->scratch, CONTENT_SCRATCH_SIZE);
	buf_init(&sv->envelope, ENVELOPE_MAX);
	sv->input = xmalloc(SERVER_INPUT_SIZE);
	snprintf(sv->tag, sizeof sv->tag, "%llx.%x", (unsigned long long)clock_wall(),
	    (unsigned)getpid());
}

void
server_release(struct server *sv)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&sv->sessions)) != NULL)
		session_free(&s);
	event_free(sv->turn);
	wheel_release(&sv->wheel);
	settings_unref(&sv->settings);
	buf_release(&sv->scratch);
	buf_release(&sv->envelope);
	free(sv->input);
}

void
server_set_settings(struct server *sv, struct settings *settings)
{
	settings_unref(&sv->settings);
	sv->settings = settings;
}

void
server_stop(struct server *sv)
{
	struct session *s, *next;

	sv->stopping = true;
	for (s = TAILQ_FIRST(&sv->sessions); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		session_on_stop(s);
	}
}

void
server_abandon(struct server *sv)
{
	struct session *s, *next;

	for (s = TAILQ_FIRST(&sv->sessions); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->state != SESSION_COMMITTING)
			session_free(&s);
	}
}
