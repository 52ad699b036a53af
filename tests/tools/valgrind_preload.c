/*
 * valgrind_preload: what a Postrider under valgrind needs to be itself. A library that
 * tests/integration/test_valgrind.py compiles and its wrappers load (LD_PRELOAD); no part of
 * any program.
 *
 * - valgrind 3.19 does not know openat2(2): openat(2) answers, without the limits on where a path
 *   may lead, which is nothing that memory depends on.
 * - The spawner starts itself by /proc/self/exe, which is valgrind's own file then:
 *   POSTRIDER_WRAPPER, put into the environment by the wrapper, is started instead.
 * - The look for leaks comes after the end of a process and is slow: who would kill it meanwhile
 *   (kill, the death of its parent) is told that it is done.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARGS 5

/* The function of this name that comes after ours; without it nothing would be as it should. */
static void *
next(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (f == NULL)
		abort();
	return f;
}

static void
take_args(va_list ap, unsigned long v[ARGS])
{
	for (size_t i = 0; i < ARGS; i++)
		v[i] = va_arg(ap, unsigned long);
}

long
syscall(long number, ...)
{
	long (*real)(long, ...);
	unsigned long v[ARGS];
	va_list ap;

	va_start(ap, number);
	take_args(ap, v);
	va_end(ap);
	if (number == SYS_openat2) {
		struct open_how how;

		memcpy(&how, (void *)v[2], sizeof how);
		return openat((int)v[0], (char *)v[1], (int)how.flags, (mode_t)how.mode);
	}
	*(void **)&real = next("syscall");
	return real(number, v[0], v[1], v[2], v[3], v[4]);
}

int
execve(const char *path, char *const argv[], char *const env[])
{
	int (*real)(const char *, char *const[], char *const[]);
	const char *wrapper = getenv("POSTRIDER_WRAPPER");

	*(void **)&real = next("execve");
	return real(
	    strcmp(path, "/proc/self/exe") == 0 && wrapper != NULL ? wrapper : path, argv, env);
}

int
kill(pid_t pid, int sig)
{
	int (*real)(pid_t, int);

	*(void **)&real = next("kill");
	return sig == SIGKILL ? 0 : real(pid, sig);
}

int
prctl(int option, ...)
{
	int (*real)(int, ...);
	unsigned long v[ARGS];
	va_list ap;

	va_start(ap, option);
	take_args(ap, v);
	va_end(ap);
	if (option == PR_SET_PDEATHSIG)
		return 0;
	*(void **)&real = next("prctl");
	return real(option, v[0], v[1], v[2], v[3]);
}
