/* landlock: which files a process may touch. See landlock.h; landlock(7). */
#include "common/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"

/* Version 1, which 5.13 has; what later versions know is added by number, their names being newer than our headers may be. */
#define READ_RIGHTS                                                                            \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |                           \
	    LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_RIGHTS                                                                           \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                       \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                    \
	    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                        \
	    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                      \
	    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define RIGHT_REFER    (UINT64_C(1) << 13) /* version 2: rename between directories */
#define RIGHT_TRUNCATE (UINT64_C(1) << 14) /* version 3 */
#define RIGHT_BIND_TCP (UINT64_C(1) << 0)  /* version 4; of the network */

/* As in linux/landlock.h from version 4 on; an older kernel takes the first member alone. */
struct ruleset {
	uint64_t files;
	uint64_t network;
};

int
landlock_version(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return v > 0 ? (int)v : 0;
}

/* All rights to write that this version of the kernel's interface can take away. */
static uint64_t
write_rights(int version)
{
	uint64_t rights = WRITE_RIGHTS;

	if (version >= 2)
		rights |= RIGHT_REFER;
	if (version >= 3)
		rights |= RIGHT_TRUNCATE;
	return rights;
}

static void
allow_beneath(int ruleset, const char *directory, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = rights};

	rule.parent_fd = open(directory, O_PATH | O_CLOEXEC | O_DIRECTORY);
	if (rule.parent_fd < 0 ||
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
		fatal("cannot keep %s open to this process alone", directory);
	close(rule.parent_fd);
}

void
landlock_enter(enum landlock_scope scope, const char *directory)
{
	int version = landlock_version(), ruleset;
	struct ruleset attr = {
	    .files = write_rights(version),
	    /* Ports are bound by postriderd alone. */
	    .network = RIGHT_BIND_TCP,
	};
	size_t size = version >= 4 ? sizeof attr : sizeof attr.files;

#ifdef __SANITIZE_ADDRESS__ /* it looks into /proc at the end */
	scope = LANDLOCK_EVERYTHING;
#endif

	if (version == 0 || scope == LANDLOCK_EVERYTHING)
		return;
	/* Version 1 forbids renames between directories wherever it allows some files. */
	if (version == 1 && scope == LANDLOCK_BENEATH)
		return;
	if (scope != LANDLOCK_READ_ONLY)
		attr.files |= READ_RIGHTS;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		fatal("cannot make a Landlock ruleset");
	if (scope == LANDLOCK_BENEATH)
		allow_beneath(ruleset, directory, attr.files);
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		fatal("cannot enter Landlock");
	close(ruleset);
}
