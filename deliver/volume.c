/* volume: shared flushes for batches of files. See volume.h. Used by maildir.c. */
#include "deliver/volume.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

#define XFS_MAGIC 0x58465342 /* linux/magic.h has it since 6.8 only */

/* File systems of which syncfs writes all data and metadata, waits, flushes the disk and reports errors. */
static bool
can_share(const struct statfs *st)
{
	return st->f_type == EXT4_SUPER_MAGIC || st->f_type == XFS_MAGIC ||
	       st->f_type == BTRFS_SUPER_MAGIC;
}

struct volume *
volume_obtain(struct volume *v, size_t *n, size_t max, int fd)
{
	struct statfs st;

	if (fstatfs(fd, &st) != 0 || !can_share(&st))
		return NULL;
	for (size_t i = 0; i < *n; i++)
		if (memcmp(&v[i].id, &st.f_fsid, sizeof st.f_fsid) == 0)
			return &v[i];
	if (*n == max)
		return NULL;
	v[*n] = (struct volume){.id = st.f_fsid, .fd = fd};
	return &v[(*n)++];
}

static void
flush(struct volume *v, struct volume_memory *memory)
{
	uint64_t began = clock_mono_ms(), took;

	v->flushed = true;
	v->error = syncfs(v->fd) != 0 ? errno : 0;
	took = clock_mono_ms() - began;
	if (took <= VOLUME_SLOW_MS)
		return;
	log_info("a shared flush took %llu ms, flushing files one by one for %d s",
	    (unsigned long long)took, VOLUME_AVOID_MS / 1000);
	memory->avoid_until_ms = began + took + VOLUME_AVOID_MS;
}

void
volume_flush_all(struct volume *v, size_t n, struct volume_memory *memory)
{
	for (size_t i = 0; i < n; i++) {
		v[i].flushed = false;
		if (v[i].files >= VOLUME_SHARED_MIN &&
		    clock_mono_ms() >= memory->avoid_until_ms)
			flush(&v[i], memory);
		v[i].files = 0;
	}
}
