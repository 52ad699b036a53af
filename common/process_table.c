/*
 * process_table: which processes there are and what each may keep. See
 * process_table.h. The reason for each right is with its row.
 */
#include "common/process_table.h"

#include <linux/capability.h>
#include <string.h>

#include "common/sandbox.h"
#include "common/syscall_filter.h"
#include "common/xalloc.h"

/* Every process waits in an event loop, and talks over sockets that it is handed; most serve, and ask others. */
#define EVERY (SYSCALLS_BASIC | SYSCALLS_MESSAGES)
#define BOTH  (EVERY | SYSCALLS_SERVE | SYSCALLS_CONNECT)

static const struct process_row rows[] = {
    {
	/* Reads configuration, tables, password files and domain directories of any owner; writes nothing. */
	.name = "directory",
	.program = "directory",
	.user = "directory",
	.root = PROCESS_ROOT_SLASH,
	.keep = SANDBOX_CAP(CAP_DAC_READ_SEARCH),
	.calls =
	    EVERY | SYSCALLS_SERVE | SYSCALLS_READ_FILES | SYSCALLS_DOMAINS | SYSCALLS_THREADS,
	.files = LANDLOCK_READ_ONLY,
	.stop_stage = 3,
	.many_descriptors = true,
	.secret = true, /* to make up salts of users who do not exist */
    },
    {
	/* Owns the spool and sees nothing else. */
	.name = "queue",
	.program = "queue",
	.user = "queue",
	.root = PROCESS_ROOT_SPOOL,
	.calls =
	    BOTH | SYSCALLS_READ_FILES | SYSCALLS_WRITE_FILES | SYSCALLS_SPOOL |
	    SYSCALLS_THREADS |
	    SYSCALLS_FORK, /* checkpoints and long answers are written by a copy of itself */
	.files = LANDLOCK_BENEATH,
	.stop_stage = 2,
	.many_descriptors = true,
	.holds_spool = true,
    },
    {
	/*
	 * Its spawner forks children that become the mailbox owner (SETUID, SETGID) with
	 * nothing left in their bounding set (SETPCAP), and ends those that hang (KILL: they are
	 * of another user by then). It opens no mailbox itself, so nothing of CAP_DAC_*: a root
	 * that cannot read another user's files.
	 */
	.name = "local",
	.program = "local",
	.user = NULL,
	.root = PROCESS_ROOT_SLASH,
	.keep = SANDBOX_CAP(CAP_SETUID) | SANDBOX_CAP(CAP_SETGID) | SANDBOX_CAP(CAP_KILL) |
		SANDBOX_CAP(CAP_SETPCAP),
	/* What its spawner and their children need, who then give up more. */
	.calls = EVERY | SYSCALLS_CONNECT | SYSCALLS_READ_FILES | SYSCALLS_WRITE_FILES |
		 SYSCALLS_DELIVER | SYSCALLS_FORK | SYSCALLS_BECOME,
	.files = LANDLOCK_EVERYTHING,
	.executes = true, /* the spawner, a lean process to fork from */
	.stop_stage = 1,
    },
    {
	/* Talks to strangers' servers; tells smtpd what the DNS says of its clients. */
	.name = "remote",
	.program = "remote",
	.user = "remote",
	.root = PROCESS_ROOT_SOCKETS,
	.calls = BOTH | SYSCALLS_NETWORK,
	.files = LANDLOCK_NOTHING,
	.stop_stage = 1,
	.many_descriptors = true,
    },
    {
	/* Holds the private keys of TLS; files are read for it by the directory. */
	.name = "keys",
	.program = "keys",
	.user = "keys",
	.root = PROCESS_ROOT_SOCKETS,
	.calls = BOTH,
	.files = LANDLOCK_NOTHING,
	.stop_stage = 1,
    },
    {
	/* Talks to strangers; writes to the segments it was handed. */
	.name = "smtpd",
	.program = "smtpd",
	.user = "smtpd",
	.root = PROCESS_ROOT_SOCKETS,
	.calls = BOTH | SYSCALLS_CLIENTS | SYSCALLS_APPEND | SYSCALLS_THREADS,
	.files = LANDLOCK_NOTHING,
	.stop_stage = 0,
	.per_worker = true,
	.many_descriptors = true,
	.holds_spool = true,
	.client_ca = true,
    },
};

static const struct socket_row sockets[] = {
    {"smtpd/queue", "queue", "smtpd"},
    {"smtpd/directory", "directory", "smtpd"},
    {"smtpd/keys", "keys", "smtpd"},
    {"smtpd/dns", "remote", "smtpd"},
    {"queue/directory", "directory", "queue"},
    {"local/queue", "queue", "local"},
    {"local/directory", "directory", "local"},
    {"remote/queue", "queue", "remote"},
    {"keys/directory", "directory", "keys"},
    {"submit/smtp", "smtpd", "everybody"},
    {"control/queue", "queue", "control"},
    {"control/directory", "directory", "control"},
    {"control/dns", "remote", "control"},
    {"control/status", "postriderd", "control"},
};

/* smtpd finishes the replies it owes, agents the jobs in hand, queue its journal: 9.5 s in all. */
static const unsigned stage_ms[PROCESS_STAGES] = {4000, 3000, 2000, 500};

unsigned
process_stage_ms(unsigned stage)
{
	return stage < PROCESS_STAGES ? stage_ms[stage] : 0;
}

const struct process_row *
process_table(size_t *n)
{
	*n = sizeof rows / sizeof *rows;
	return rows;
}

const struct socket_row *
socket_table(size_t *n)
{
	*n = sizeof sockets / sizeof *sockets;
	return sockets;
}

const struct process_row *
process_table_find(struct span name)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (span_is(name, rows[i].name))
			return &rows[i];
	return NULL;
}

const struct process_ids *
process_ids_find(const struct process_ids *ids, const char *name)
{
	const struct process_row *row = process_table_find(span_str(name));

	return row != NULL ? &ids[row - rows] : NULL;
}

char *
process_row_root(const struct process_row *row, const char *spool)
{
	switch (row->root) {
	case PROCESS_ROOT_SPOOL:
		return xstrdup(spool);
	case PROCESS_ROOT_SOCKETS:
		return xasprintf("%s/sockets/%s", spool, row->name);
	case PROCESS_ROOT_SLASH:
		break;
	}
	return xstrdup("/");
}

char *
process_row_sockets(const struct process_row *row, const char *spool, bool confine)
{
	if (confine && row->root == PROCESS_ROOT_SOCKETS)
		return xstrdup("");
	if (confine && row->root == PROCESS_ROOT_SPOOL)
		return xasprintf("/sockets/%s", row->name);
	return xasprintf("%s/sockets/%s", spool, row->name);
}
