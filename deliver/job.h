/*
 * job: what the queue asks of a delivery agent, and the agent's side of that
 * conversation (doc/IPC.md, "queue and its agents"). An agent connects to the
 * queue, says how many jobs it takes at once, and answers each job once, with
 * a verdict for every recipient. A job freed without an answer is answered
 * temporary: an agent that lost its way never makes mail vanish or bounce.
 */
#ifndef DELIVER_JOB_H
#define DELIVER_JOB_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "common/verdict.h"

struct job_recipient {
	uint64_t entry;	      /* the queue's number for it within the message */
	char *address;	      /* canonical target */
	char *original;	      /* as RCPT said it */
	char *notify, *orcpt; /* RFC 3461, for a server that offers DSN; NULL: none */
	struct verdict verdict;
	char *mta; /* host that gave the verdict, NULL if it was decided here */
	bool decided;
	bool dsn;	/* whoever took it sends the reports that were asked for */
	bool unreached; /* remote: no host of the destination could be told of any mail */
};

struct job {
	char *message; /* id for people */
	uint64_t number;
	char *from;	   /* reverse-path, "" for <> */
	int64_t received;  /* seconds since 1970 */
	char *envid, *ret; /* RFC 3461; NULL: none */
	uint64_t size;	   /* octets of content with LF line ends */
	bool eight_bit;	   /* body=8bit */
	bool utf8;	   /* came with SMTPUTF8 */
	char *destination; /* next hop or domain */
	uint32_t attempt;  /* 1 for the first; more: an earlier one may have left traces */
	bool recovered;	   /* the queue was restarted since: as attempt > 1 */
	struct job_recipient *recipients;
	size_t nrecipients;
	char *content;	 /* size octets, or NULL if it is in the file */
	int fd;		 /* read-only, or -1 */
	uint64_t offset; /* where content begins in fd */
	void *data;	 /* for the agent's use */

	/* job.c's own */
	struct agent *agent; /* NULL once the agent is gone */
	uint64_t request, connection;
	TAILQ_ENTRY(job) link;
};

struct agent;
struct wire_msg;

struct agent_ops {
	/* A job to do: the agent's until job_finish. */
	void (*on_job)(struct job *j, void *arg);
	/* The queue is gone: jobs under way may go on, their answers go nowhere. May be NULL. */
	void (*on_down)(void *arg);
};

/* Connects to the queue at this socket path as role "local" or "remote", offering slots. Reconnects for ever. */
struct agent *agent_new(struct event_base *base, const char *path, const char *role,
    unsigned slots, const struct agent_ops *ops, void *arg);

/* Jobs under way live on; their answers go nowhere. Clears *a. */
void agent_free(struct agent **a);

/* Jobs not yet finished. */
unsigned agent_active(const struct agent *a);

/* Sends what is queued now, before the process ends. */
void agent_flush(struct agent *a);

/*
 * A job out of its message; content and descriptor are taken over. If the
 * message is malformed the job's recipients, as far as they could be read, are
 * decided temporary and *why says what was wrong (NULL if nothing was). Never
 * NULL. Free with job_finish.
 */
struct job *job_parse(struct wire_msg *m, const char **why);

/* Records the verdict for one recipient (copied); mta may be NULL. */
void job_decide(struct job *j, size_t recipient, const struct verdict *v, const char *mta);

/* The same verdict for every recipient that has none yet. */
void job_decide_rest(struct job *j, const struct verdict *v, const char *mta);

/* Sends the answer (recipients without a verdict: temporary 4.3.0), closes fd, frees the job, clears *j. */
void job_finish(struct job **j);

/*
 * Copies content octets [at, at+n) to out, from memory or the file. Returns how
 * many (0 at the end), or -1 with errno if the file cannot be read.
 */
ssize_t job_read(const struct job *j, uint64_t at, void *out, size_t n);

#endif
