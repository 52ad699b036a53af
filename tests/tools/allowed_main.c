/*
 * allowed: prints which system calls each process may make, a line `process call` for each,
 * of the filter's own table and of local's children. For tests/integration/test_calls.py, which
 * compares them with those that are made.
 */
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/process_table.h"
#include "deliver/owner_child.h"

/* Numbers of calls on the architectures there are end below. */
#define CALLS_MAX 600

static void
print(const char *process, uint32_t groups)
{
	for (int call = 0; call < CALLS_MAX; call++) {
		char *name;

		if (!syscall_filter_mentions(groups, call))
			continue;
		name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);
		printf("%s %s\n", process, name != NULL ? name : "?");
		free(name);
	}
}

int
main(void)
{
	size_t n;
	const struct process_row *rows = process_table(&n);

	for (size_t i = 0; i < n; i++)
		print(rows[i].name, rows[i].calls);
	print(OWNER_CHILD_NAME, OWNER_CHILD_CALLS);
	return 0;
}
