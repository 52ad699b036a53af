/*
 * cmd_status_text: postriderd's own status. See cmd_status_text.h. Called by
 * cmd_status and cmd_reload. Parsing is pure.
 */
#include "queue/cmd_status_text.h"

#include <stdlib.h>
#include <sysexits.h>

#include "common/xalloc.h"
#include "queue/client_config.h"

#define TEXT_MAX (1U << 20)

static int
number(struct span s, uint64_t *v)
{
	return span_to_u64(s, INT64_MAX, v);
}

static int
process_field(struct cmd_process *p, struct span name, struct span value)
{
	if (span_is(name, "state"))
		p->state = value;
	else if (span_is(name, "worker"))
		return number(value, &p->worker);
	else if (span_is(name, "pid"))
		return number(value, &p->pid);
	else if (span_is(name, "restarts"))
		return number(value, &p->restarts);
	else if (span_is(name, "uptime"))
		return number(value, &p->uptime);
	return 0;
}

static int
daemon_field(struct cmd_status_text *s, struct span name, struct span value)
{
	uint64_t pid;

	if (span_is(name, "version"))
		s->version = value;
	else if (span_is(name, "state"))
		s->state = value;
	else if (span_is(name, "reload"))
		s->reload = value;
	else if (span_is(name, "reload-time"))
		s->reload_time = value;
	else if (span_is(name, "next-start") && s->nnext_start < CMD_NEXT_START_MAX)
		s->next_start[s->nnext_start++] = value;
	else if (span_is(name, "system-call-filter"))
		s->filter = value;
	else if (span_is(name, "landlock"))
		return number(value, &s->landlock);
	else if (span_is(name, "uptime"))
		return number(value, &s->uptime);
	else if (span_is(name, "reloads"))
		return number(value, &s->reloads);
	else if (span_is(name, "pid")) {
		if (span_to_u64(value, INT32_MAX, &pid) != 0)
			return -1;
		s->pid = (pid_t)pid;
	}
	return 0;
}

static int
take_line(struct cmd_status_text *s, struct span line)
{
	struct span value = line, name = span_cut(&value, '=');

	if (value.p == NULL)
		return -1;
	if (span_is(name, "process")) {
		s->processes =
		    xreallocarray(s->processes, s->nprocesses + 1, sizeof *s->processes);
		s->processes[s->nprocesses++] = (struct cmd_process){.name = value};
		return 0;
	}
	if (s->nprocesses > 0)
		return process_field(&s->processes[s->nprocesses - 1], name, value);
	return daemon_field(s, name, value);
}

int
cmd_status_text_parse(struct span text, struct cmd_status_text *s)
{
	struct span rest;

	*s = (struct cmd_status_text){.pid = 0};
	buf_init(&s->text, TEXT_MAX);
	if (buf_add_span(&s->text, text) != 0)
		return -1;
	rest = buf_span(&s->text);
	while (rest.len > 0) {
		if (take_line(s, span_cut(&rest, '\n')) != 0) {
			cmd_status_text_release(s);
			return -1;
		}
	}
	return 0;
}

void
cmd_status_text_release(struct cmd_status_text *s)
{
	free(s->processes);
	s->processes = NULL;
	s->nprocesses = 0;
	buf_release(&s->text);
}

int
cmd_status_text_read(const struct cmd_context *ctx, struct cmd_status_text *s)
{
	struct client_config config;
	struct buf text, why;
	int status;

	buf_init(&text, TEXT_MAX);
	buf_init(&why, 4096);
	status = client_config_init(&config, ctx->config_path, &why);
	if (status == 0)
		status = control_client_read_status(config.spool, &text, &why);
	if (status == 0 && cmd_status_text_parse(buf_span(&text), s) != 0) {
		buf_add_str(&why, "control/status says what cannot be understood");
		status = EX_PROTOCOL;
	}
	if (status != 0)
		cmd_fail(status, "%s", buf_str(&why));
	client_config_release(&config);
	buf_release(&text);
	buf_release(&why);
	return status;
}
