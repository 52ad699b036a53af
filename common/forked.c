/* forked: the first steps of a forked copy. See forked.h. */
#include "common/forked.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"

#define NICE 10 /* the parent serves, and this copies what it would like to change */

/* Closes what lies between the standard three and the end, but for those kept. */
static void
close_others(const int *kept, size_t n)
{
	int sorted[FORKED_KEPT_MAX] = {0}, from = STDERR_FILENO + 1;
	size_t count = 0;

	if (n > FORKED_KEPT_MAX)
		fatalx("a copy is to keep too many descriptors");
	for (size_t i = 0; i < n; i++) {
		size_t at = count++;

		for (; at > 0 && sorted[at - 1] > kept[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = kept[i];
	}
	for (size_t i = 0; i < count; i++) {
		if (sorted[i] < from)
			continue;
		if (sorted[i] > from)
			close_range((unsigned)from, (unsigned)sorted[i] - 1, 0);
		from = sorted[i] + 1;
	}
	close_range((unsigned)from, ~0U, 0);
}

void
forked_begin(pid_t parent, const int *kept, size_t n)
{
	static const int usual[] = {SIGALRM, SIGTERM};
	sigset_t none;

	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		signal(usual[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(1); /* it died before that */
	close_others(kept, n);
	(void)setpriority(PRIO_PROCESS, 0, NICE);
}
