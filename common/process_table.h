/*
 * process_table: which processes there are and what each may keep, as data: the
 * table of doc/ARCHITECTURE.md. postriderd starts and stops by it, a child
 * (common/process.c) gives up its rights by it. Adding a process is one row,
 * adding a socket between processes is one row.
 */
#ifndef COMMON_PROCESS_TABLE_H
#define COMMON_PROCESS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/landlock.h"
#include "common/span.h"

/* What a process sees as "/". */
enum process_root {
	PROCESS_ROOT_SLASH,   /* the whole system: it must read what lies anywhere */
	PROCESS_ROOT_SPOOL,   /* the spool */
	PROCESS_ROOT_SOCKETS, /* spool/sockets/<name>: nothing but its sockets */
};

struct process_row {
	const char *name;    /* argv[0], the name in the log and in sockets/ */
	const char *program; /* file name below the program directory */
	const char *user;    /* key of `users { }`; NULL: stays the user postriderd runs as */
	enum process_root root;
	uint64_t keep;	/* capabilities it keeps as root's child: bits SANDBOX_CAP(CAP_…) */
	uint32_t calls; /* of the kernel: groups of common/syscall_filter.h */
	enum landlock_scope files; /* LANDLOCK_BENEATH: its root directory */
	bool executes;	     /* it executes its own program again, which needs what it keeps */
	unsigned stop_stage; /* stages stop from 0 on, and reload from the last */
	bool per_worker;     /* one for each of `workers`, else one */
	bool many_descriptors; /* its soft limit is raised to the hard one */
	bool holds_spool;      /* writes below the spool: it inherits the lock (doc/IPC.md) */
	bool secret;	       /* settings carry the octets of spool/secret */
	bool client_ca;	       /* settings carry the CA certificates for clients' own */
};

/* A Unix socket below spool/sockets/. */
struct socket_row {
	const char *name;      /* "directory/file": its name everywhere */
	const char *served_by; /* a process, or "postriderd" */
	const char *used_by; /* a process, "control" (root and our own user), or "everybody" */
};

/* Whom a process becomes. Arrays of these have one element for each row of the table. */
struct process_ids {
	uid_t uid;
	gid_t gid;
};

#define PROCESS_STAGES 4

/* Milliseconds a stage has to stop in before what is left of it is killed; all stages end within 10 s. */
unsigned process_stage_ms(unsigned stage);

/* All rows, in the order in which they are started. */
const struct process_row *process_table(size_t *n);
const struct socket_row *socket_table(size_t *n);

/* The row of that name, or NULL. */
const struct process_row *process_table_find(struct span name);

/* The element of ids for the process of that name, or NULL. */
const struct process_ids *process_ids_find(const struct process_ids *ids, const char *name);

/*
 * The root directory of a process of this spool (absolute), and where its own
 * sockets lie as seen from there; without confine, as seen from "/". The caller frees both.
 */
char *process_row_root(const struct process_row *row, const char *spool);
char *process_row_sockets(const struct process_row *row, const char *spool, bool confine);

#endif
