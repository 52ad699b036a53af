/* notify: the sd_notify(3) protocol. See notify.h. */
#include "common/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/xalloc.h"

#define NOTIFY_MAX 2048

struct notify {
	int fd; /* -1: nobody listens */
	struct sockaddr_un to;
	socklen_t len;
};

struct notify *
notify_new(const char *socket_name)
{
	struct notify *n = xcalloc(1, sizeof *n);
	size_t len = socket_name != NULL ? strlen(socket_name) : 0;

	n->fd = -1;
	if (len == 0)
		return n;
	if ((socket_name[0] != '/' && socket_name[0] != '@') || len >= sizeof n->to.sun_path) {
		log_warnx(
		    "NOTIFY_SOCKET=%s names no socket: not telling it anything", socket_name);
		return n;
	}
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, socket_name, len + 1);
	n->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	if (socket_name[0] == '@') { /* abstract: a zero octet in front, none at the end */
		n->to.sun_path[0] = '\0';
		n->len--;
	}
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		log_warn("cannot make a socket to talk to the service manager");
	return n;
}

void
notify_free(struct notify **np)
{
	struct notify *n = *np;

	if (n == NULL)
		return;
	*np = NULL;
	if (n->fd >= 0)
		close(n->fd);
	free(n);
}

/* Never waits: a service manager that does not read is no reason to stop serving. */
static void
say(struct notify *n, const char *what, const char *status)
{
	struct buf b;

	if (n->fd < 0)
		return;
	buf_init(&b, NOTIFY_MAX);
	if (buf_addf(&b, "%sSTATUS=%s\n", what, status) == 0 &&
	    sendto(n->fd, b.p, b.len, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&n->to,
		n->len) < 0)
		log_warn("cannot tell the service manager: %s", status);
	buf_release(&b);
}

void
notify_ready(struct notify *n, const char *status)
{
	say(n, "READY=1\n", status);
}

void
notify_reloading(struct notify *n, const char *status)
{
	struct timespec now;
	char what[80];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(what, sizeof what, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n",
	    (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	say(n, what, status);
}

void
notify_stopping(struct notify *n, const char *status)
{
	say(n, "STOPPING=1\n", status);
}
