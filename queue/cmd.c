/*
 * cmd: what the commands of postrider(8) share. See cmd.h. Invariant: nothing that
 * came from a message, a file or the network is printed but through the escaper.
 */
#include "queue/cmd.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/address.h"
#include "common/log.h"
#include "queue/client_config.h"

#define LINE_MAX_OCTETS 16384

static void complain(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static void
complain(const char *fmt, va_list ap)
{
	struct buf text, line;

	buf_init(&text, LINE_MAX_OCTETS);
	buf_init(&line, 5 * LINE_MAX_OCTETS);
	if (buf_vaddf(&text, fmt, ap) != 0)
		buf_add_str(&text, "(an error too long to show)");
	buf_add_str(&line, "postrider: ");
	log_escape(&line, buf_span(&text));
	buf_add_char(&line, '\n');
	fputs(buf_str(&line), stderr);
	buf_release(&text);
	buf_release(&line);
}

int
cmd_fail(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	return status;
}

int
cmd_fail_usage(const struct cmd_context *ctx, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s", ctx->usage);
	return EX_USAGE;
}

/* Does arg say this option? *attached gets what stands behind its equals sign, or NULL. */
static bool
is_option(const char *arg, const char *name, const char **attached)
{
	size_t n = strlen(name);

	if (strncmp(arg, "--", 2) != 0 || strncmp(arg + 2, name, n) != 0 ||
	    (arg[2 + n] != '\0' && arg[2 + n] != '='))
		return false;
	*attached = arg[2 + n] == '=' ? arg + 3 + n : NULL;
	return true;
}

static bool
is_number(const char *s)
{
	return s != NULL && s[0] != '\0' && strspn(s, "0123456789") == strlen(s);
}

/* Sets what an option that was found says; *at is what follows it. */
static int
take_option(
    struct cmd_context *ctx, const struct cmd_option *o, const char *attached, char ***at)
{
	const char *value = attached;

	if (o->value == NULL && o->values == NULL && attached != NULL)
		return cmd_fail_usage(ctx, "--%s takes no value", o->name);
	if (o->given != NULL)
		*o->given = true;
	if (o->value == NULL && o->values == NULL)
		return CMD_GO_ON;
	if (value == NULL && (o->given == NULL || is_number(**at)) && (value = **at) != NULL)
		++*at;
	if (value == NULL && o->given == NULL)
		return cmd_fail_usage(ctx, "--%s wants a value", o->name);
	if (o->values == NULL) {
		*o->value = value;
		return CMD_GO_ON;
	}
	if (o->values->n == CMD_VALUES_MAX)
		return cmd_fail_usage(ctx, "--%s is given too many times", o->name);
	o->values->v[o->values->n++] = value;
	return CMD_GO_ON;
}

/* One option at *at, which is moved behind it. */
static int
parse_option(struct cmd_context *ctx, char ***at, const struct cmd_option *options, size_t n)
{
	const char *arg = *(*at)++, *attached;

	if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
		printf("%s", ctx->usage);
		return 0;
	}
	if (strcmp(arg, "--json") == 0) {
		ctx->json = true;
		return CMD_GO_ON;
	}
	for (size_t i = 0; i < n; i++)
		if (is_option(arg, options[i].name, &attached))
			return take_option(ctx, &options[i], attached, at);
	return cmd_fail_usage(ctx, "unknown option %s", arg);
}

int
cmd_parse(struct cmd_context *ctx, char **argv, const struct cmd_option *options, size_t n,
    int min, int max, struct cmd_args *args)
{
	bool only_args = false;
	char **at = argv;
	int r;

	*args = (struct cmd_args){.v = argv};
	while (*at != NULL) {
		if (only_args || (*at)[0] != '-' || (*at)[1] == '\0') {
			argv[args->n++] = *at++;
		} else if (strcmp(*at, "--") == 0) {
			only_args = true;
			at++;
		} else if ((r = parse_option(ctx, &at, options, n)) != CMD_GO_ON) {
			return r;
		}
	}
	argv[args->n] = NULL;
	if (args->n < min)
		return cmd_fail_usage(ctx, "an argument is missing");
	if (max >= 0 && args->n > max)
		return cmd_fail_usage(ctx, "there is an argument too many: %s", argv[max]);
	return CMD_GO_ON;
}

int
cmd_check_address(const char *arg)
{
	const char *reason = "";
	struct address a;

	if (address_parse(span_str(arg), ADDRESS_UTF8, &a, &reason) == 0)
		return CMD_GO_ON;
	return cmd_fail(EX_USAGE, "%s: expected an address user@domain: %s", arg, reason);
}

const char *
cmd_config_path(const struct cmd_context *ctx)
{
	return ctx->config_path != NULL ? ctx->config_path : CLIENT_CONFIG_DEFAULT;
}

int
cmd_with_config(const struct cmd_context *ctx, cmd_config_fn *fn, void *arg)
{
	struct config_errors errors = {.n = 0};
	struct config *c = config_load_domains(cmd_config_path(ctx), &errors);
	int status = EX_CONFIG;
	struct buf why;

	for (size_t i = 0; i < errors.n; i++)
		cmd_fail(EX_CONFIG, "%s", errors.v[i].text);
	config_errors_release(&errors);
	if (c == NULL)
		return status;
	buf_init(&why, LINE_MAX_OCTETS);
	status = fn(c, &why, arg);
	if (status != 0 && why.len > 0)
		cmd_fail(status, "%s", buf_str(&why));
	buf_release(&why);
	config_free(&c);
	return status;
}

int
cmd_ask(const struct cmd_context *ctx, const char *name, struct wire_out *w,
    struct control_client **c, struct wire_msg *answer)
{
	struct client_config config;
	struct buf why;
	int status;

	*c = NULL;
	buf_init(&why, LINE_MAX_OCTETS);
	status = client_config_init(&config, ctx->config_path, &why);
	if (status == 0)
		*c = control_client_open(config.spool, name, &status, &why);
	if (*c != NULL && control_client_next_id(*c) == 1)
		status = control_client_call(*c, w, answer, &why);
	else
		wire_out_release(w);
	if (status != 0)
		cmd_fail(status, "%s", buf_str(&why));
	client_config_release(&config);
	buf_release(&why);
	return status;
}

int
cmd_ask_stream(
    const struct cmd_context *ctx, struct wire_out *w, cmd_frame_fn *on_frame, void *arg)
{
	struct control_client *c;
	struct wire_msg m;
	struct buf why;
	int status = cmd_ask(ctx, "queue", w, &c, &m);
	bool end = false;

	buf_init(&why, LINE_MAX_OCTETS);
	if (status == 0)
		status = cmd_verdict_status(&m);
	while (status == 0 && !end) {
		status = control_client_next(c, &m, &why);
		if (status != 0) {
			cmd_fail(status, "%s", buf_str(&why));
			break;
		}
		end = span_is(m.verb, "end");
		status = on_frame(&m, arg);
	}
	control_client_close(&c);
	buf_release(&why);
	return status;
}

int
cmd_verdict_status(const struct wire_msg *answer)
{
	struct verdict v;

	if (wire_get_verdict(answer, &v) != 0 || v.kind == VERDICT_OK)
		return 0;
	return cmd_fail(strcmp(v.status, "5.5.4") == 0	 ? EX_USAGE
			: strcmp(v.status, "5.1.1") == 0 ? EX_NOINPUT
							 : EX_UNAVAILABLE,
	    "%s", v.text);
}

void
cmd_print_span(struct span s)
{
	struct buf escaped;

	buf_init(&escaped, 4 * s.len + 1);
	log_escape(&escaped, s);
	fputs(buf_str(&escaped), stdout);
	buf_release(&escaped);
}

const char *
cmd_format_duration(uint64_t s, char out[CMD_DURATION_SIZE])
{
	if (s >= 86400)
		snprintf(out, CMD_DURATION_SIZE, "%" PRIu64 " d %" PRIu64 " h", s / 86400,
		    s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(out, CMD_DURATION_SIZE, "%" PRIu64 " h %" PRIu64 " min", s / 3600,
		    s % 3600 / 60);
	else if (s >= 60)
		snprintf(
		    out, CMD_DURATION_SIZE, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else
		snprintf(out, CMD_DURATION_SIZE, "%" PRIu64 " s", s);
	return out;
}

const char *
cmd_format_size(uint64_t octets, char out[CMD_SIZE_SIZE])
{
	static const char *const units[] = {"KiB", "MiB", "GiB"};
	double v = (double)octets / 1024;
	size_t u = 0;

	if (octets < 10000) {
		snprintf(out, CMD_SIZE_SIZE, "%" PRIu64 " B", octets);
		return out;
	}
	while (v >= 1024 && u + 1 < sizeof units / sizeof units[0]) {
		v /= 1024;
		u++;
	}
	snprintf(out, CMD_SIZE_SIZE, "%.1f %s", v, units[u]);
	return out;
}
