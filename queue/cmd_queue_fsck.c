/*
 * cmd_queue_fsck: postrider queue fsck: is what lies in the spool whole, and if not, make it so (queue/fsck.h), or get mail
 * out of what was set aside (queue/salvage.h). Works on the files: the daemon need not run, and for --repair must not.
 *
 * As root it sets owners and modes, and then becomes the spool's owner before it reads any file: so it sees what the queue
 * manager would, makes files that are the queue manager's, and root parses no mail.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/idmap.h"
#include "common/limits.h"
#include "common/sandbox.h"
#include "common/spool_tree.h"
#include "common/xalloc.h"
#include "conf/config_check.h"
#include "queue/client_config.h"
#include "queue/cmd_list.h"
#include "queue/cmd_verbs.h"
#include "queue/fsck_show.h"
#include "queue/salvage.h"

#define SEGMENT_SIZE (16U << 20) /* where there is no segment to take the size from */

struct fsck_command {
	struct cmd_context *ctx;
	bool repair;
	const char *salvage, *file; /* NULL: not asked for */
	char *spool;
	int spoolfd, lockfd, outfd;
};

/* The spool of the configuration, as far as it can be read. */
static int
find_spool(struct fsck_command *k)
{
	struct client_config config;
	struct buf why;
	int status;

	buf_init(&why, LOG_LINE_MAX);
	status = client_config_init(&config, k->ctx->config_path, &why);
	if (status == 0)
		k->spool = xstrdup(config.spool);
	else
		cmd_fail(status, "%s", buf_str(&why));
	client_config_release(&config);
	buf_release(&why);
	return status;
}

static int
open_spool(struct fsck_command *k)
{
	if (k->spool == NULL) {
		int status = find_spool(k);

		if (status != 0)
			return status;
	}
	k->spoolfd = open(k->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->spoolfd < 0)
		return cmd_fail(errno == EACCES ? EX_NOPERM : EX_NOINPUT,
		    "the spool %s cannot be opened: %s", k->spool, strerror(errno));
	if (!k->repair)
		return 0;
	k->lockfd = spool_tree_lock(k->spool, 0);
	if (k->lockfd < 0)
		return cmd_fail(k->lockfd == -1 ? EX_TEMPFAIL : EX_CANTCREAT,
		    "%s is in use and cannot be repaired now: stop postriderd first", k->spool);
	return 0;
}

/* The user that the configuration names for the queue, if it is this spool's; the report has the owner of journal/. */
static void
find_owner(const struct fsck_command *k, struct fsck_report *r)
{
	struct config_errors errors = {.n = 0};
	struct config *c;

	if (!sandbox_is_root())
		return;
	c = config_load(cmd_config_path(k->ctx), &errors);
	if (c != NULL && strcmp(c->spool, k->spool) == 0)
		(void)config_user_find(c->user_queue, &r->uid, &r->gid);
	config_errors_release(&errors);
	config_free(&c);
}

/* Where salvaged mail goes: a new directory is the spool owner's, who writes it. */
static int
open_output(struct fsck_command *k, const struct fsck_report *r)
{
	bool made;

	if (k->salvage == NULL)
		return 0;
	made = mkdir(k->salvage, 0700) == 0;
	if (!made && errno != EEXIST)
		return cmd_fail(EX_CANTCREAT, "%s: %s", k->salvage, strerror(errno));
	k->outfd = open(k->salvage, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (k->outfd < 0 ||
	    (made && sandbox_is_root() && fchown(k->outfd, r->uid, r->gid) != 0))
		return cmd_fail(EX_CANTCREAT, "%s: %s", k->salvage, strerror(errno));
	return 0;
}

/* From root to the owner of the spool, for good. */
static int
become_owner(const struct fsck_command *k, const struct fsck_report *r)
{
	if (!sandbox_is_root()) {
		if (r->uid == geteuid())
			return 0;
		return cmd_fail(EX_NOPERM,
		    "the spool %s belongs to user %lu: only root can look at it", k->spool,
		    (unsigned long)r->uid);
	}
	if (r->uid == 0)
		return 0;
	if (setgroups(0, NULL) != 0 || setresgid(r->gid, r->gid, r->gid) != 0 ||
	    setresuid(r->uid, r->uid, r->uid) != 0)
		return cmd_fail(EX_OSERR, "cannot become user %lu: %s", (unsigned long)r->uid,
		    strerror(errno));
	return 0;
}

static bool
is_curable(const struct fsck_report *r)
{
	for (size_t i = 0; i < r->nfindings; i++)
		if (!r->findings[i].cured && r->findings[i].cure != FSCK_CURE_NONE)
			return true;
	return false;
}

static uint64_t
segment_size_of(const struct fsck_report *r)
{
	uint64_t size = 0;

	for (size_t i = 0; i < r->nsegments; i++)
		if (!r->segments[i].large && r->segments[i].size > size)
			size = r->segments[i].size;
	return size > 0 ? size : SEGMENT_SIZE;
}

static int
check(struct fsck_command *k, struct fsck_report *r)
{
	int status = 0;

	fsck_examine(r);
	if (k->repair && is_curable(r) && fsck_repair(r, segment_size_of(r)) != 0)
		status = EX_IOERR;
	if (!k->ctx->json)
		fsck_show_text(r, k->spool, k->repair);
	else if (cmd_json_print(fsck_show_json(r, k->spool, k->repair)) != 0)
		return EX_IOERR;
	if (status != 0)
		return cmd_fail(
		    status, "not everything could be repaired: see the lines above");
	return fsck_has_problem(r, true) ? 1 : 0;
}

/* Salvaging */

struct listing {
	struct cmd_list list;
	struct idmap queued; /* the numbers of what is in the queue now */
	const char *file;
};

static void
add_to_table(struct listing *l, const struct salvage_message *m, bool queued)
{
	struct cmd_table *t = l->list.table;
	char size[CMD_SIZE_SIZE];

	cmd_table_addf(t, "%s.eml", m->name);
	cmd_table_add(t, span_str(cmd_format_size(m->size, size)));
	cmd_table_addf(t, "%" PRIu32, m->recipients);
	cmd_table_addf(t, "<%.*s>", SPAN_ARG(m->from));
	cmd_table_add(t, span_str(queued ? "yes" : "no"));
	cmd_table_add(t, span_str(m->there ? "(was there already)" : l->file));
}

static void
on_salvaged(const struct salvage_message *m, void *arg)
{
	struct listing *l = arg;
	bool queued = idmap_find(&l->queued, m->number) != NULL;
	json_t *one;

	if (l->list.table != NULL) {
		add_to_table(l, m, queued);
		return;
	}
	one = cmd_list_add(&l->list);
	json_object_set_new(one, "id", cmd_json_text(m->name));
	cmd_json_set(one, "sender", m->from);
	json_object_set_new(one, "recipients", cmd_json_number(m->recipients));
	json_object_set_new(one, "size", cmd_json_number(m->size));
	json_object_set_new(one, "queued", json_boolean(queued));
	json_object_set_new(one, "file", cmd_json_text(l->file));
	json_object_set_new(one, "written", json_boolean(!m->there));
}

static int
salvage_one(const struct fsck_command *k, int corruptfd, struct listing *l)
{
	struct salvage_result result;

	if (salvage_file(corruptfd, l->file, k->outfd, on_salvaged, l, &result) != 0) {
		if (errno == EINVAL && k->file == NULL)
			return 0; /* a piece of the journal, or rubbish */
		return cmd_fail(errno == ENOENT ? EX_NOINPUT : EX_IOERR, "%s: %s", l->file,
		    errno == EINVAL ? "holds no message" : strerror(errno));
	}
	if (result.damaged > 0)
		cmd_fail(0, "%s: places in it that are not whole: %u", l->file, result.damaged);
	return 0;
}

static int
salvage(struct fsck_command *k, struct fsck_report *r)
{
	int corruptfd = openat(k->spoolfd, "corrupt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct listing l = {.file = k->file};
	int status = 0;

	cmd_list_init(&l.list, k->ctx->json, "messages",
	    "WRITTEN|>SIZE|>RECIPIENTS|SENDER|IN QUEUE|FROM");
	fsck_list_kept(r);
	idmap_init(&l.queued);
	fsck_list_messages(r, &l.queued);
	if (corruptfd < 0)
		status = cmd_fail(EX_NOINPUT, "corrupt: %s", strerror(errno));
	else if (k->file != NULL)
		status = salvage_one(k, corruptfd, &l);
	for (size_t i = 0; k->file == NULL && i < r->nkept && status == 0; i++) {
		l.file = r->kept[i].name;
		status = salvage_one(k, corruptfd, &l);
	}
	if (cmd_list_print(&l.list) != 0)
		status = EX_IOERR;
	cmd_list_release(&l.list);
	idmap_release(&l.queued);
	if (corruptfd >= 0)
		close(corruptfd);
	return status;
}

static int
run(struct fsck_command *k)
{
	struct fsck_report r;
	int status = open_spool(k);

	if (status != 0)
		return status;
	if (fsck_open(&r, k->spoolfd, k->repair) != 0)
		return cmd_fail(
		    EX_NOINPUT, "%s is no spool: journal: %s", k->spool, strerror(errno));
	find_owner(k, &r);
	if (k->salvage == NULL)
		fsck_check_owners(&r, k->repair);
	status = open_output(k, &r);
	if (status == 0)
		status = become_owner(k, &r);
	if (status == 0)
		status = k->salvage != NULL ? salvage(k, &r) : check(k, &r);
	fsck_release(&r);
	return status;
}

int
cmd_queue_fsck(struct cmd_context *ctx, char **argv)
{
	struct fsck_command k = {.ctx = ctx, .spoolfd = -1, .lockfd = -1, .outfd = -1};
	const struct cmd_option options[] = {{.name = "repair", .given = &k.repair},
	    {.name = "salvage", .value = &k.salvage}, {.name = "file", .value = &k.file}};
	struct cmd_args args;
	int status = cmd_parse(ctx, argv, options, 3, 0, 1, &args);

	if (status != CMD_GO_ON)
		return status;
	if (k.repair && k.salvage != NULL)
		return cmd_fail_usage(ctx, "--repair and --salvage are two things to do");
	if (k.file != NULL && (k.salvage == NULL || strchr(k.file, '/') != NULL))
		return cmd_fail_usage(ctx, "--file names a file in corrupt/, for --salvage");
	umask(077);
	k.spool = args.n > 0 ? xstrdup(args.v[0]) : NULL;
	status = run(&k);
	free(k.spool);
	if (k.spoolfd >= 0)
		close(k.spoolfd);
	if (k.lockfd >= 0)
		close(k.lockfd);
	if (k.outfd >= 0)
		close(k.outfd);
	return status;
}
