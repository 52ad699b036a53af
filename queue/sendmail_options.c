/*
 * sendmail_options: the command line of sendmail. See sendmail_options.h. Called
 * by sendmail_main.c. Invariant: nothing behind `--` is ever an option, and no
 * option's argument is ever used as a file name.
 */
#include "queue/sendmail_options.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "common/span.h"
#include "common/xalloc.h"
#include "common/xtext.h"
#include "queue/dsn.h"

#define ENVID_MAX 100 /* RFC 3461 5.1 */

enum argument {
	ARG_NONE,
	ARG_WANTED,   /* attached or the next string */
	ARG_ATTACHED, /* attached or missing */
};

/* Acts on one option; value is NULL if it has none. Returns 0 or an exit status and why. */
typedef int option_fn(struct sendmail_options *o, const char *value, struct buf *why);

static int
refuse(struct buf *why, const char *text)
{
	buf_add_str(why, text);
	return EX_USAGE;
}

static int
ignore(struct sendmail_options *o, const char *value, struct buf *why)
{
	(void)o, (void)value, (void)why;
	return 0;
}

static int
refuse_file(struct sendmail_options *o, const char *value, struct buf *why)
{
	(void)o, (void)value;
	return refuse(why, "options that name a file (-C, -D, -X) are refused; "
			   "POSTRIDER_CONFIG in the environment names another configuration");
}

static int
on_quarantine(struct sendmail_options *o, const char *value, struct buf *why)
{
	(void)why;
	o->quarantine = true;
	o->why_held = value;
	return 0;
}

static int
on_mode(struct sendmail_options *o, const char *value, struct buf *why)
{
	static const struct {
		char letter;
		enum sendmail_mode mode;
	} modes[] = {{'m', SENDMAIL_SUBMIT}, {'s', SENDMAIL_SMTP}, {'p', SENDMAIL_MAILQ},
	    {'i', SENDMAIL_NEWALIASES}};

	if (strcmp(value, "d") == 0 || strcmp(value, "D") == 0)
		return refuse(why, "this command is no daemon: run postriderd, which listens, "
				   "queues and delivers");
	if (strcmp(value, "v") == 0 || strcmp(value, "t") == 0)
		return refuse(
		    why, "to see what becomes of an address: postrider explain ADDRESS");
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (value[0] == modes[i].letter && value[1] == '\0') {
			o->mode = modes[i].mode;
			return 0;
		}
	}
	buf_addf(why, "unknown mode -b%s", value);
	return EX_USAGE;
}

static int
on_sender(struct sendmail_options *o, const char *value, struct buf *why)
{
	(void)why;
	o->sender = strcmp(value, "<>") == 0 ? "" : value;
	return 0;
}

static int
on_full_name(struct sendmail_options *o, const char *value, struct buf *why)
{
	if (span_has_control(span_str(value)))
		return refuse(why, "-F: a name holds no line end and no control character");
	o->full_name = value;
	return 0;
}

static int
on_dots(struct sendmail_options *o, const char *value, struct buf *why)
{
	(void)value, (void)why;
	o->ignore_dots = true;
	return 0;
}

static int
on_take_recipients(struct sendmail_options *o, const char *value, struct buf *why)
{
	(void)value, (void)why;
	o->take_recipients = true;
	return 0;
}

static int
on_verbose(struct sendmail_options *o, const char *value, struct buf *why)
{
	(void)value, (void)why;
	o->verbose = true;
	return 0;
}

static int
on_rebuild(struct sendmail_options *o, const char *value, struct buf *why)
{
	(void)value, (void)why;
	o->mode = SENDMAIL_NEWALIASES;
	return 0;
}

static int
on_error_mode(struct sendmail_options *o, const char *value, struct buf *why)
{
	(void)why;
	o->quiet = value[0] == 'q';
	o->always_ok = value[0] == 'e';
	return 0;
}

/* Is a boolean option's value true, as sendmail reads it: nothing at all, or t, y, 1? */
static bool
is_true(const char *value)
{
	return value[0] == '\0' || strchr("tTyY1", value[0]) != NULL;
}

/* -o and a letter. All but two set how sendmail's own queue and daemon work. */
static int
on_short_setting(struct sendmail_options *o, const char *value, struct buf *why)
{
	if (value[0] == 'i')
		o->ignore_dots = is_true(value + 1);
	else if (value[0] == 'v')
		o->verbose = is_true(value + 1);
	else if (value[0] == 'e')
		return on_error_mode(o, value + 1, why);
	return 0;
}

/* -O Name=value. */
static int
on_long_setting(struct sendmail_options *o, const char *value, struct buf *why)
{
	struct span rest = span_str(value), name = span_trim(span_cut(&rest, '='));
	const char *set = rest.p != NULL ? rest.p + strspn(rest.p, " \t") : "";

	if (span_is_nocase(name, "IgnoreDots"))
		o->ignore_dots = is_true(set);
	else if (span_is_nocase(name, "Verbose"))
		o->verbose = is_true(set);
	else if (span_is_nocase(name, "ErrorMode"))
		return on_error_mode(o, set, why);
	return 0;
}

static int
on_body(struct sendmail_options *o, const char *value, struct buf *why)
{
	if (strcasecmp(value, "8BITMIME") == 0)
		o->eight_bit = true;
	else if (strcasecmp(value, "7BIT") != 0)
		return refuse(why, "-B: the body is 7BIT or 8BITMIME");
	return 0;
}

static int
on_envid(struct sendmail_options *o, const char *value, struct buf *why)
{
	if (!xtext_is_printable(span_str(value), ENVID_MAX))
		return refuse(why,
		    "-V: an envelope id is at most 100 printable characters, with "
		    "spaces, + and = as +20, +2B and +3D (RFC 3461)");
	o->envid = value;
	return 0;
}

static int
on_ret(struct sendmail_options *o, const char *value, struct buf *why)
{
	if (strcasecmp(value, "hdrs") != 0 && strcasecmp(value, "full") != 0)
		return refuse(why, "-R: what a report returns is hdrs or full");
	o->ret = strcasecmp(value, "hdrs") == 0 ? "HDRS" : "FULL";
	return 0;
}

static int
on_notify(struct sendmail_options *o, const char *value, struct buf *why)
{
	struct span rest = span_str(value);
	bool never = strcasecmp(value, "never") == 0;
	unsigned seen = 0;

	while (!never && rest.p != NULL) {
		unsigned one = dsn_notify_parse(span_cut(&rest, ','));

		if ((one & (NOTIFY_NEVER | NOTIFY_IMPLIED | seen)) != 0)
			return refuse(
			    why, "-N: never, or a list of success, failure, delay, each once");
		seen |= one;
	}
	o->notify = value;
	return 0;
}

/* A restriction, what = "[!]I…", "[!]R…", "[!]S…" or "[!]Q". */
static int
add_limit(struct sendmail_options *o, const char *what, struct buf *why)
{
	struct sendmail_limit l = {.negated = what[0] == '!'};

	what += l.negated;
	if (o->nlimits == SENDMAIL_LIMITS_MAX)
		return refuse(why, "-q: too many restrictions");
	if (what[0] == '\0' || strchr("IRSQ", what[0]) == NULL)
		return refuse(why, "-q: known are -q, -qf, -q[!]Iid, -q[!]Rrecipient, "
				   "-q[!]Ssender, -q[!]Q");
	l.kind = what[0];
	l.part = what + 1;
	if (l.kind == 'Q' && l.part[0] != '\0')
		return refuse(why, "-qQ: no reason is kept of why mail is held");
	if (l.kind != 'Q' && l.part[0] == '\0')
		return refuse(why, "-qI, -qR and -qS want a part of what they name");
	o->limits[o->nlimits++] = l;
	return 0;
}

/* -q and how much of the queue. sendmail's -q30m is a daemon's interval. */
static int
on_queue_run(struct sendmail_options *o, const char *value, struct buf *why)
{
	const char *what = value != NULL ? value : "";

	o->queue_run = true;
	if (what[0] == '\0' || strcmp(what, "f") == 0)
		return 0;
	if (what[0] >= '0' && what[0] <= '9')
		return refuse(why, "postriderd retries on its own schedule (retry in "
				   "postrider.conf); -q alone asks for a run now");
	return add_limit(o, what, why);
}

static const struct option {
	char letter;
	enum argument argument;
	option_fn *act;
} options[] = {
    {'A', ARG_WANTED, ignore}, /* which of sendmail's two configurations */
    {'B', ARG_WANTED, on_body},
    {'b', ARG_WANTED, on_mode},
    {'C', ARG_WANTED, refuse_file},
    {'c', ARG_NONE, ignore}, /* hold expensive mailers */
    {'D', ARG_WANTED, refuse_file},
    {'d', ARG_ATTACHED, ignore}, /* debugging */
    {'e', ARG_WANTED, on_error_mode},
    {'F', ARG_WANTED, on_full_name},
    {'f', ARG_WANTED, on_sender},
    {'G', ARG_NONE, ignore},   /* relaying */
    {'h', ARG_WANTED, ignore}, /* hop count: Received fields are counted instead */
    {'I', ARG_NONE, on_rebuild},
    {'i', ARG_NONE, on_dots},
    {'L', ARG_WANTED, ignore}, /* syslog tag */
    {'M', ARG_WANTED, ignore}, /* a macro of sendmail.cf */
    {'m', ARG_NONE, ignore},   /* send to me too: always so */
    {'N', ARG_WANTED, on_notify},
    {'n', ARG_NONE, ignore}, /* no aliasing: aliases belong to the receiving domain */
    {'O', ARG_WANTED, on_long_setting},
    {'o', ARG_WANTED, on_short_setting},
    {'p', ARG_WANTED, ignore}, /* protocol it came by */
    {'Q', ARG_ATTACHED, on_quarantine},
    {'q', ARG_ATTACHED, on_queue_run},
    {'R', ARG_WANTED, on_ret},
    {'r', ARG_WANTED, on_sender},
    {'s', ARG_NONE, ignore}, /* keep From lines */
    {'T', ARG_NONE, ignore},
    {'t', ARG_NONE, on_take_recipients},
    {'U', ARG_NONE, ignore}, /* initial submission */
    {'V', ARG_WANTED, on_envid},
    {'v', ARG_NONE, on_verbose},
    {'X', ARG_WANTED, refuse_file},
    {'x', ARG_NONE, ignore},
};

static const struct option *
find_option(char letter)
{
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		if (options[i].letter == letter)
			return &options[i];
	}
	return NULL;
}

/* One string of options, such as "-t", "-oi", "-itf", whose last one may take *next as its value. */
static int
parse_cluster(
    struct sendmail_options *o, const char *cluster, char *const **next, struct buf *why)
{
	for (; *cluster != '\0'; cluster++) {
		const struct option *opt = find_option(*cluster);
		const char *value = cluster[1] != '\0' ? cluster + 1 : NULL;
		int r;

		if (opt == NULL) {
			buf_addf(why, "unknown option -%c", *cluster);
			return EX_USAGE;
		}
		if (opt->argument == ARG_WANTED && value == NULL && (value = **next) != NULL)
			++*next;
		if (opt->argument == ARG_WANTED && value == NULL) {
			buf_addf(why, "option -%c wants a value", *cluster);
			return EX_USAGE;
		}
		r = opt->act(o, opt->argument != ARG_NONE ? value : NULL, why);
		if (r != 0 || opt->argument != ARG_NONE)
			return r;
	}
	return 0;
}

/* What -q, -Q and -bp together ask for. */
static int
choose_queue_mode(struct sendmail_options *o, struct buf *why)
{
	if (o->quarantine && (!o->queue_run || o->mode == SENDMAIL_MAILQ))
		return refuse(why, "-Q holds, or without a reason releases, what -q names: "
				   "-q, -qIid, -qRrecipient, -qSsender");
	if (o->quarantine)
		o->mode = o->why_held != NULL ? SENDMAIL_HOLD : SENDMAIL_RELEASE;
	else if (o->queue_run && o->mode != SENDMAIL_MAILQ)
		o->mode = SENDMAIL_RETRY;
	return 0;
}

static enum sendmail_mode
mode_of_name(const char *argv0)
{
	const char *slash = strrchr(argv0, '/'), *name = slash != NULL ? slash + 1 : argv0;

	if (strcmp(name, "mailq") == 0)
		return SENDMAIL_MAILQ;
	return strcmp(name, "newaliases") == 0 ? SENDMAIL_NEWALIASES : SENDMAIL_SUBMIT;
}

int
sendmail_options_parse(
    int argc, char *const argv[], struct sendmail_options *o, struct buf *why)
{
	bool only_recipients = false;
	char *const *arg = argv;
	int r = 0;

	*o = (struct sendmail_options){.mode = SENDMAIL_SUBMIT};
	if (argc < 1 || argv[0] == NULL)
		return refuse(why, "called without a name");
	o->mode = mode_of_name(*arg++);
	o->recipients = xcalloc((size_t)argc, sizeof *o->recipients);
	while (r == 0 && *arg != NULL) {
		const char *s = *arg++;

		if (only_recipients || s[0] != '-' || s[1] == '\0')
			o->recipients[o->nrecipients++] = s;
		else if (strcmp(s, "--") == 0)
			only_recipients = true;
		else
			r = parse_cluster(o, s + 1, &arg, why);
	}
	return r == 0 ? choose_queue_mode(o, why) : r;
}

void
sendmail_options_release(struct sendmail_options *o)
{
	free(o->recipients);
	*o = (struct sendmail_options){.mode = SENDMAIL_SUBMIT};
}
