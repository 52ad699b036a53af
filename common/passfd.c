/* passfd: SCM_RIGHTS. See passfd.h. Called by channel, and by control_client and spawner, which have none. */
#include "common/passfd.h"

#include <string.h>
#include <unistd.h>

void
passfd_attach(struct msghdr *h, union passfd_control *control, int fd)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof *control);
	h->msg_control = control;
	h->msg_controllen = CMSG_SPACE(sizeof fd);
	c = CMSG_FIRSTHDR(h);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
}

void
passfd_expect(struct msghdr *h, union passfd_control *control)
{
	h->msg_control = control;
	h->msg_controllen = sizeof *control;
}

int
passfd_take(struct msghdr *h, int *fds, size_t *n, size_t max)
{
	int r = (h->msg_flags & MSG_CTRUNC) != 0 ? -1 : 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		size_t came;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		came = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < came; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (*n < max) {
				fds[(*n)++] = fd;
			} else {
				close(fd);
				r = -1;
			}
		}
	}
	return r;
}
