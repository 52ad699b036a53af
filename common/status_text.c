/* status_text: what postriderd says on control/status. See status_text.h. */
#include "common/status_text.h"

#include <inttypes.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/landlock.h"

static const char *const results[] = {
    [RELOAD_NONE] = "none",
    [RELOAD_OK] = "ok",
    [RELOAD_FAILED] = "failed",
    [RELOAD_RUNNING] = "running",
    [RELOAD_PARTLY] = "partly",
};

/* Each line of keys that wait for a start becomes one of its own. */
static void
add_next_start(struct buf *b, struct span lines)
{
	while (lines.len > 0) {
		struct span line = span_cut(&lines, '\n');

		if (line.len > 0)
			buf_addf(b, "next-start=%.*s\n", SPAN_ARG(line));
	}
}

void
status_text_format(const struct status_text *s, struct buf *b)
{
	char date[CLOCK_DATE_SIZE] = "";

	if (s->reload != RELOAD_NONE)
		clock_format_iso(s->reload_time, date);
	buf_addf(b,
	    "version=%s\npid=%d\nstate=%s\nuptime=%" PRIu64 "\nreloads=%" PRIu64
	    "\nreload=%s\nreload-time=%s\nsystem-call-filter=%s\nlandlock=%d\n",
	    s->version, (int)getpid(), s->state, s->uptime_ms / 1000, s->reloads,
	    results[s->reload], date, syscall_filter_mode_name(s->filter), landlock_version());
	add_next_start(b, span_str(s->next_start));
	for (size_t i = 0; i < s->nchildren; i++) {
		const struct child *c = s->children[i];

		buf_addf(b,
		    "process=%s\nworker=%u\npid=%d\nstate=%s\nrestarts=%" PRIu64
		    "\nuptime=%" PRIu64 "\n",
		    child_row(c)->name, child_worker(c), (int)child_pid(c),
		    child_state_name(child_state(c)), child_restarts(c),
		    child_uptime_ms(c) / 1000);
	}
}
