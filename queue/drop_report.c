/*
 * drop_report: a report as a file in drop/. See drop_report.h. Called by drop.c. Invariant, as for
 * sendmail(1): under its final name the file is whole and on disk.
 */
#include "queue/drop_report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/log_value.h"
#include "queue/blocking.h"
#include "queue/drop_file.h"

static int
compose(const struct drop_report *r, struct buf *file)
{
	char own[DROP_NAME_SIZE + 8];
	struct bounce b = {.hostname = r->hostname,
	    .id = r->name,
	    .own_id = own,
	    .to = r->to,
	    .envid = r->envid,
	    .arrived = r->arrived,
	    .now = clock_wall(),
	    .recipients = r->refused,
	    .nrecipients = r->nrefused};
	struct span to = r->to;
	struct drop_file f = {.from = span_str(""),
	    .notify = span_str("NEVER"),
	    .recipients = &to,
	    .nrecipients = 1};
	struct bounce_result told;
	struct buf report;
	int result;

	snprintf(own, sizeof own, "%.24s.r", r->name);
	buf_init(&report, WIRE_PAYLOAD_MAX);
	if (bounce_compose(&b, &report, &told) != 0) {
		buf_release(&report);
		errno = EMSGSIZE;
		return -1;
	}
	f.size = report.len;
	result = drop_file_format(&f, file);
	if (result == 0)
		result = buf_add_span(file, buf_span(&report));
	if (result != 0)
		errno = EMSGSIZE;
	buf_release(&report);
	return result;
}

static int
write_file(int dirfd, const struct drop_file_names *n, struct span octets)
{
	int fd = openat(
	    dirfd, n->unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = -1;

	if (fd < 0)
		return -1;
	if (blocking_write(fd, octets) == 0 && fsync(fd) == 0 &&
	    renameat(dirfd, n->unfinished, dirfd, n->whole) == 0)
		r = 0;
	close(fd);
	return r;
}

int
drop_report_write(int dirfd, const struct drop_report *r)
{
	struct drop_file_names n;
	struct buf file;
	int result = -1, saved;

	buf_init(&file, DROP_HEAD_MAX + WIRE_PAYLOAD_MAX);
	if (drop_file_names(&n) == 0 && compose(r, &file) == 0) {
		result = write_file(dirfd, &n, buf_span(&file));
		if (result == 0)
			result = fsync(dirfd);
		saved = errno;
		if (result != 0) {
			(void)unlinkat(dirfd, n.unfinished, 0);
			(void)unlinkat(dirfd, n.whole, 0);
		}
		errno = saved;
	}
	if (result != 0)
		log_warn("drop/%s: the report cannot be written", r->name);
	else
		log_info("drop=%s report=%s to=<%s> recipients=%zu", r->name, n.whole,
		    LOG_ADDRESS(r->to), r->nrefused);
	buf_release(&file);
	return result;
}
