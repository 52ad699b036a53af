/*
 * passfd: descriptors that travel over a UNIX socket with octets (unix(7), SCM_RIGHTS). Used by whoever
 * calls sendmsg and recvmsg. Invariant: each descriptor that arrives is given to the caller or closed.
 */
#ifndef COMMON_PASSFD_H
#define COMMON_PASSFD_H

#include <stddef.h>
#include <sys/socket.h>

#include "common/limits.h"

/* Room beside the octets of one call. */
union passfd_control {
	char octets[CMSG_SPACE(WIRE_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

/* For sendmsg: fd, which stays the caller's, goes with the octets of h. control lives as long as h. */
void passfd_attach(struct msghdr *h, union passfd_control *control, int fd);

/* For recvmsg, which is called with MSG_CMSG_CLOEXEC: there is room for descriptors. control lives as long as h. */
void passfd_expect(struct msghdr *h, union passfd_control *control);

/*
 * After recvmsg: appends the descriptors that came, which are the caller's, to fds, where *n are; beyond max they are
 * closed. -1 if there were more than this, or more than WIRE_FDS_MAX, which the kernel has closed.
 */
int passfd_take(struct msghdr *h, int *fds, size_t *n, size_t max);

#endif
