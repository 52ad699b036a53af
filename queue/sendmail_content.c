/*
 * sendmail_content: a message's content, small in memory, large in an unlinked
 * file. See sendmail_content.h. Called by sendmail_input, sendmail_submit and
 * sendmail_drop. Invariant: the file has no name, so no way out leaves it behind.
 */
#include "queue/sendmail_content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/utf8.h"
#include "common/xalloc.h"
#include "queue/blocking.h"

void
sendmail_content_init(struct sendmail_content *c, uint64_t max)
{
	*c = (struct sendmail_content){.fd = -1, .max = max};
	buf_init(&c->memory, MESSAGE_INLINE_MAX);
}

void
sendmail_content_release(struct sendmail_content *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_release(&c->memory);
}

/* A file without a name in dir; on file systems without O_TMPFILE one whose name goes at once. */
static int
open_unnamed(const char *dir)
{
	char *path;
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	path = xasprintf("%s/sendmail.XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	free(path);
	return fd;
}

/* Moves what memory holds to the file, which is made when it is first needed. */
static int
flush(struct sendmail_content *c)
{
	const char *dir = getenv("TMPDIR");

	if (c->fd < 0)
		c->fd = open_unnamed(dir != NULL && dir[0] == '/' ? dir : "/tmp");
	if (c->fd < 0 || blocking_write(c->fd, buf_span(&c->memory)) != 0)
		return -1;
	buf_clear(&c->memory);
	return 0;
}

static void
look_at(struct sendmail_content *c, struct span s)
{
	unsigned char all = 0;

	for (size_t i = 0; i < s.len; i++) {
		all |= (unsigned char)s.p[i];
		c->lines += s.p[i] == '\n';
	}
	c->eight_bit = c->eight_bit || (all & 0x80) != 0;
	c->size += s.len;
}

int
sendmail_content_add(struct sendmail_content *c, struct span s)
{
	if (s.len > c->max - c->size) {
		errno = EMSGSIZE;
		return -1;
	}
	look_at(c, s);
	if (c->memory.len + s.len > c->memory.max && flush(c) != 0)
		return -1;
	if (s.len > c->memory.max)
		return blocking_write(c->fd, s);
	return buf_add_span(&c->memory, s);
}

ssize_t
sendmail_content_read(const struct sendmail_content *c, uint64_t at, void *out, size_t n)
{
	uint64_t in_file = c->size - c->memory.len;
	ssize_t r;

	if (at < in_file) {
		if (n > in_file - at)
			n = (size_t)(in_file - at);
		do {
			r = pread(c->fd, out, n, (off_t)at);
		} while (r < 0 && errno == EINTR);
		if (r == 0) {
			errno = EIO; /* someone cut our file short */
			return -1;
		}
		return r;
	}
	at -= in_file;
	if (at >= c->memory.len)
		return 0;
	if (n > c->memory.len - at)
		n = (size_t)(c->memory.len - at);
	memcpy(out, c->memory.p + at, n);
	return (ssize_t)n;
}

bool
sendmail_content_is_utf8(const struct sendmail_content *c)
{
	struct span header;
	struct buf head;
	const char *end;
	char chunk[4096];
	ssize_t n = 1;
	bool r;

	if (!c->eight_bit)
		return false;
	buf_init(&head, MESSAGE_INLINE_MAX);
	while (n > 0 && memmem(buf_str(&head), head.len, "\n\n", 2) == NULL) {
		n = sendmail_content_read(c, head.len, chunk, sizeof chunk);
		if (n > 0 && buf_add(&head, chunk, (size_t)n) != 0)
			n = 0;
	}
	header = buf_span(&head);
	end = memmem(header.p, header.len, "\n\n", 2);
	if (end != NULL)
		header = span_first(header, (size_t)(end - header.p));
	r = !utf8_is_ascii(header) && utf8_valid(header);
	buf_release(&head);
	return r;
}
