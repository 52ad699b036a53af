/*
 * postrider: the administrator's tool (postrider(8)): a table of commands. Each is
 * a cmd_*.c; adding one is a file and a row here.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/log.h"
#include "common/version.h"
#include "common/xalloc.h"
#include "queue/cmd_queue.h"
#include "queue/cmd_verbs.h"

struct command {
	const char *group, *name; /* name NULL: the group itself is the command */
	const char *summary;
	const char *usage;
	int (*run)(struct cmd_context *ctx, char **argv);
};

static const struct command commands[] = {
    {"check", NULL, "is the configuration right, and every domain directory?",
	"usage: postrider check [DOMAIN ...]\n", cmd_check},
    {"reload", NULL, "read the configuration again and say whether it is in force",
	"usage: postrider reload\n", cmd_reload},
    {"status", NULL, "processes, queue, destinations",
	"usage: postrider status [--watch [SECONDS]]\n", cmd_status},
    {"explain", NULL, "what becomes of an address, and why",
	"usage: postrider explain ADDRESS\n"
	"       postrider explain --client IP [--helo NAME] [--role mx|submission] "
	"[--auth ACCOUNT]\n"
	"                         [--client-cert SHA256 [--client-cert-verified]]\n"
	"                         [--header-from ADDRESS] [--from ADDRESS] --rcpt ADDRESS\n"
	"       postrider explain --header-file FILE\n",
	cmd_explain},
    {"queue", "list", "what is in the queue",
	"usage: postrider queue list [ID ...] [filters] [--sort age|size|next] [--limit N]\n"
	"                            [--watch [SECONDS]]\n" CMD_QUEUE_FILTER_USAGE,
	cmd_queue_list},
    {"queue", "show", "everything about one message", "usage: postrider queue show ID\n",
	cmd_queue_show},
    {"queue", "cat", "a message's content", "usage: postrider queue cat [--envelope] ID\n",
	cmd_queue_cat},
    {"queue", "summary", "how much waits for whom, since when, and until when",
	"usage: postrider queue summary [ID ...] [filters] [--by "
	"destination|domain|sender-domain]\n"
	"                               [--limit N] [--watch "
	"[SECONDS]]\n" CMD_QUEUE_FILTER_USAGE,
	cmd_queue_summary},
    {"queue", "retry", "try deferred mail now",
	"usage: postrider queue retry " CMD_QUEUE_ACT_USAGE, cmd_queue_retry},
    {"queue", "hold", "stop trying messages until they are released",
	"usage: postrider queue hold " CMD_QUEUE_ACT_USAGE, cmd_queue_hold},
    {"queue", "release", "let held messages go on",
	"usage: postrider queue release " CMD_QUEUE_ACT_USAGE, cmd_queue_release},
    {"queue", "requeue", "resolve recipients anew, after aliases or routes have changed",
	"usage: postrider queue requeue " CMD_QUEUE_ACT_USAGE, cmd_queue_requeue},
    {"queue", "remove", "take mail out of the queue for good; with --bounce its sender is told",
	"usage: postrider queue remove [--bounce] " CMD_QUEUE_ACT_USAGE, cmd_queue_remove},
    {"queue", "pause", "stop the mail to a destination, or of a sender domain",
	"usage: postrider queue pause {--destination NAME | --sender-domain NAME} ...\n",
	cmd_queue_pause},
    {"queue", "resume", "let what is paused go on",
	"usage: postrider queue resume {--destination NAME | --sender-domain NAME} ... | "
	"--all\n",
	cmd_queue_resume},
    {"queue", "paused", "what is paused", "usage: postrider queue paused\n", cmd_queue_paused},
    {"queue", "fsck", "is what lies in the spool whole? repairs it, gets mail out of it",
	"usage: postrider queue fsck [--repair | --salvage DIRECTORY [--file NAME]] [SPOOL]\n",
	cmd_queue_fsck},
    {"domain", "add", "make a domain directory",
	"usage: postrider domain add NAME [--owner USER[:GROUP]]\n", cmd_domain_add},
    {"domain", "list", "the hosted domains", "usage: postrider domain list\n", cmd_domain_list},
    {"user", "add", "add a mailbox; the password comes from the terminal or standard input",
	"usage: postrider user add ADDRESS [--stdin | --locked] [--scheme NAME]\n",
	cmd_user_add},
    {"user", "list", "who has a mailbox, who can log in, with what quota",
	"usage: postrider user list DOMAIN\n", cmd_user_list},
    {"user", "passwd", "change a mailbox's password",
	"usage: postrider user passwd ADDRESS [--stdin | --locked] [--scheme NAME]\n",
	cmd_user_passwd},
    {"user", "quota", "show how full a mailbox is, or set its quota",
	"usage: postrider user quota ADDRESS [SIZE | none | default]\n", cmd_user_quota},
};

#define NCOMMANDS (sizeof commands / sizeof commands[0])

/* All commands, or those of one group. */
static void
print_usage(FILE *out, const char *group)
{
	fprintf(out, "usage: postrider [-c FILE] [--json] %s%sCOMMAND\n\n",
	    group != NULL ? group : "", group != NULL ? " " : "");
	for (size_t i = 0; i < NCOMMANDS; i++) {
		const struct command *c = &commands[i];
		int width;

		if (group != NULL && strcmp(group, c->group) != 0)
			continue;
		width = fprintf(out, "  %s%s%s", c->group, c->name != NULL ? " " : "",
		    c->name != NULL ? c->name : "");
		fprintf(out, "%*s%s\n", width < 18 ? 18 - width : 1, "", c->summary);
	}
	fprintf(out,
	    "\npostrider %s%sCOMMAND --help shows its options; postrider(8) says more.\n",
	    group != NULL ? group : "", group != NULL ? " " : "");
}

/* After it the commands, those of the group if it was one. */
static int
fail_usage(const char *what, const char *name, const char *group)
{
	cmd_fail(EX_USAGE, "%s%s%s", what, name != NULL ? " " : "", name != NULL ? name : "");
	print_usage(stderr, group);
	return EX_USAGE;
}

static bool
is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

/* The options in front of the command, taken from *argv; CMD_GO_ON or an exit status. */
static int
parse_global(struct cmd_context *ctx, char ***argv)
{
	for (; **argv != NULL && (**argv)[0] == '-'; ++*argv) {
		const char *arg = **argv;

		if (strcmp(arg, "--json") == 0) {
			ctx->json = true;
		} else if (is_help(arg)) {
			print_usage(stdout, NULL);
			return 0;
		} else if (strcmp(arg, "--version") == 0 || strcmp(arg, "-V") == 0) {
			printf("postrider %s\n", POSTRIDER_VERSION);
			return 0;
		} else if (strncmp(arg, "-c", 2) == 0) {
			ctx->config_path = arg[2] != '\0' ? arg + 2 : *++*argv;
			if (ctx->config_path == NULL)
				return fail_usage("option -c wants a file", NULL, NULL);
		} else {
			return fail_usage("unknown option", arg, NULL);
		}
	}
	return CMD_GO_ON;
}

/* The row for what argv begins with, and in *rest what follows; NULL if there is none. */
static const struct command *
find_command(char **argv, char ***rest)
{
	for (size_t i = 0; i < NCOMMANDS; i++) {
		const struct command *c = &commands[i];

		if (strcmp(argv[0], c->group) != 0)
			continue;
		if (c->name == NULL || (argv[1] != NULL && strcmp(argv[1], c->name) == 0)) {
			*rest = argv + (c->name == NULL ? 1 : 2);
			return c;
		}
	}
	return NULL;
}

/* Neither a command nor the beginning of one; of a group its second word is what is wrong, if not help was asked for. */
static int
end_without_command(char **at)
{
	const char *group = NULL;
	char *whole;
	int status;

	for (size_t i = 0; i < NCOMMANDS; i++)
		if (strcmp(at[0], commands[i].group) == 0)
			group = commands[i].group;
	if (group == NULL)
		return fail_usage("unknown command", at[0], NULL);
	if (at[1] == NULL)
		return fail_usage("incomplete command", at[0], group);
	if (is_help(at[1])) {
		print_usage(stdout, group);
		return 0;
	}
	whole = xasprintf("%s %s", at[0], at[1]);
	status = fail_usage("unknown command", whole, group);
	free(whole);
	return status;
}

int
main(int argc, char *argv[])
{
	struct cmd_context ctx = {.usage = ""};
	const struct command *c;
	char **at = argv + 1, **rest;
	int status;

	if (argc < 1)
		return EX_USAGE;
	log_init("postrider", LOG_LEVEL_WARN);
	signal(SIGPIPE, SIG_IGN);
	status = parse_global(&ctx, &at);
	if (status != CMD_GO_ON)
		return status;
	if (*at == NULL)
		return fail_usage("no command is given", NULL, NULL);
	c = find_command(at, &rest);
	if (c == NULL)
		return end_without_command(at);
	ctx.usage = c->usage;
	status = c->run(&ctx, rest);
	if (fflush(stdout) != 0 && status == 0)
		status = cmd_fail(EX_IOERR, "standard output cannot be written");
	return status;
}
