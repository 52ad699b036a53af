/*
 * log: lines to descriptor 2. See log.h. The one module besides *_main.c that
 * keeps globals: a log that had to be handed through every call would be used less.
 */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/decimal.h"
#include "common/limits.h"
#include "common/log_sink.h"
#include "common/utf8.h"

static const char *program_name = "postrider";
static enum log_level minimum = LOG_LEVEL_INFO;
static pid_t pid;					 /* 0: not asked yet, or forked since */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the commit threads log, too */

static void
before_fork(void)
{
	pthread_mutex_lock(&lock);
	log_sink_flush();
}

static void
after_fork_in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void
after_fork_in_child(void)
{
	pid = 0;
	log_sink_forget();
	pthread_mutex_unlock(&lock);
}

static int
own_pid(void)
{
	if (pid == 0)
		pid = getpid();
	return (int)pid;
}

void
log_init(const char *program, enum log_level level)
{
	static bool forks_are_watched;

	program_name = program;
	minimum = level;
	log_sink_init(program);
	if (!forks_are_watched)
		pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
	forks_are_watched = true;
}

void
log_never_block(void)
{
	pthread_mutex_lock(&lock);
	log_sink_never_block();
	pthread_mutex_unlock(&lock);
}

void
log_gather(struct event_base *base)
{
	pthread_mutex_lock(&lock);
	log_sink_gather(base);
	pthread_mutex_unlock(&lock);
}

void
log_flush(void)
{
	pthread_mutex_lock(&lock);
	log_sink_flush();
	pthread_mutex_unlock(&lock);
}

void
log_set_level(enum log_level level)
{
	minimum = level;
}

bool
log_enabled(enum log_level level)
{
	return level >= minimum;
}

int
log_level_parse(struct span s, enum log_level *level)
{
	if (span_is(s, "debug"))
		*level = LOG_LEVEL_DEBUG;
	else if (span_is(s, "info"))
		*level = LOG_LEVEL_INFO;
	else if (span_is(s, "warn"))
		*level = LOG_LEVEL_WARN;
	else
		return -1;
	return 0;
}

int
log_escape(struct buf *b, struct span s)
{
	while (s.len > 0) {
		size_t n = utf8_printable(s);

		if (n > 0) {
			if (buf_add(b, s.p, n) != 0)
				return -1;
		} else {
			if (buf_addf(b, "\\x%02x", (unsigned char)s.p[0]) != 0)
				return -1;
			n = 1;
		}
		s = span_skip(s, n);
	}
	return 0;
}

static void emit(enum log_level level, const char *fmt, va_list ap, int error)
    __attribute__((format(printf, 2, 0)));

/* The date and time up to the second, formatted once a second. */
static const char *
stamp_of(time_t now)
{
	static time_t last = -1;
	static char stamp[32];
	struct tm tm;

	if (now != last) {
		gmtime_r(&now, &tm);
		strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
		last = now;
	}
	return stamp;
}

/* "2026-01-31T12:00:00.123Z smtpd[42]: ", without printf: it begins each line there is. */
static void
begin_line(struct buf *line, const struct timespec *now)
{
	unsigned ms = (unsigned)(now->tv_nsec / 1000000);
	const char text[] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10),
	    (char)('0' + ms % 10), 'Z', ' '};

	buf_add_str(line, stamp_of(now->tv_sec));
	buf_add(line, text, sizeof text);
	buf_add_str(line, program_name);
	buf_add_char(line, '[');
	decimal_add(line, (uint64_t)own_pid());
	buf_add_str(line, "]: ");
}

static void
emit(enum log_level level, const char *fmt, va_list ap, int error)
{
	static const char *const names[] = {"debug: ", "", "warning: ", "fatal: "};
	static struct buf raw, line; /* kept: most lines are written by few processes, often */
	struct timespec now;
	bool may_wait = minimum > LOG_LEVEL_DEBUG && level < LOG_LEVEL_WARN;

	if (level < minimum)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	pthread_mutex_lock(&lock);
	if (raw.max == 0) {
		buf_init(&raw, LOG_LINE_MAX);
		buf_init(&line, LOG_LINE_MAX * 4 + 256);
	}
	buf_clear(&raw);
	buf_clear(&line);
	begin_line(&line, &now);
	buf_add_str(&line, names[level]);
	if (buf_vaddf(&raw, fmt, ap) != 0)
		buf_add_str(&raw, "(a line too long to log)");
	if (error != 0)
		buf_addf(&raw, ": %s", strerror(error));
	log_escape(&line, buf_span(&raw));
	buf_add_char(&line, '\n');
	log_sink_line(line.p, line.len, may_wait);
	pthread_mutex_unlock(&lock);
}

#define EMIT(level, error)                                                                     \
	do {                                                                                   \
		va_list ap;                                                                    \
		va_start(ap, fmt);                                                             \
		emit(level, fmt, ap, error);                                                   \
		va_end(ap);                                                                    \
	} while (0)

void
log_debug(const char *fmt, ...)
{
	EMIT(LOG_LEVEL_DEBUG, 0);
}

void
log_info(const char *fmt, ...)
{
	EMIT(LOG_LEVEL_INFO, 0);
}

void
log_warn(const char *fmt, ...)
{
	EMIT(LOG_LEVEL_WARN, errno);
}

void
log_warnx(const char *fmt, ...)
{
	EMIT(LOG_LEVEL_WARN, 0);
}

void
fatal(const char *fmt, ...)
{
	EMIT(LOG_LEVEL_FATAL, errno);
	exit(75);
}

void
fatalx(const char *fmt, ...)
{
	EMIT(LOG_LEVEL_FATAL, 0);
	exit(75);
}
