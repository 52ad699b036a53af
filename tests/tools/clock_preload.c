/*
 * clock_preload: a wall clock that a test sets. A library that tests/integration/test_clock.py
 * compiles and loads into every program (LD_PRELOAD); no part of any program.
 *
 * The file that POSTRIDER_CLOCK names holds one int64_t: milliseconds to add to the
 * wall clock. It is mapped before the program gives up its rights. The monotonic clocks stay as
 * they are: that is what setting a clock means.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_ms;

static void __attribute__((constructor)) map_offset(void)
{
	const char *path = getenv("POSTRIDER_CLOCK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *p =
	    fd >= 0 ? mmap(NULL, sizeof *offset_ms, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (p == MAP_FAILED)
		abort(); /* a test that only seems to set the clock proves nothing */
	offset_ms = p;
	close(fd);
}

static int
real_gettime(clockid_t id, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);

	if (real == NULL)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	return real(id, t);
}

int
clock_gettime(clockid_t id, struct timespec *t)
{
	int64_t ns;

	if (real_gettime(id, t) != 0)
		return -1;
	if (offset_ms == NULL || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
		return 0;
	ns = ((int64_t)t->tv_sec * 1000 + *offset_ms) * 1000000 + t->tv_nsec;
	t->tv_sec = (time_t)(ns / 1000000000);
	t->tv_nsec = (long)(ns % 1000000000);
	return 0;
}

time_t
time(time_t *out)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (out != NULL)
		*out = t.tv_sec;
	return t.tv_sec;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &t);
	tv->tv_sec = t.tv_sec;
	tv->tv_usec = t.tv_nsec / 1000;
	return 0;
}
