/* future_release: intervals and times of RFC 4865. See future_release.h. */
#include "smtpd/future_release.h"

#include <inttypes.h>

#include "common/clock.h"

#define INTERVAL_DIGITS 9

/* Exactly n digits off the front of *rest. */
static int
take_digits(struct span *rest, size_t n, unsigned *v)
{
	*v = 0;
	if (rest->len < n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (rest->p[i] < '0' || rest->p[i] > '9')
			return -1;
		*v = *v * 10 + (unsigned)(rest->p[i] - '0');
	}
	*rest = span_skip(*rest, n);
	return 0;
}

/* One of two characters off the front of *rest: RFC 3339 5.6 leaves the case of T and Z open. */
static int
take(struct span *rest, char one, char other)
{
	if (rest->len == 0 || (rest->p[0] != one && rest->p[0] != other))
		return -1;
	*rest = span_skip(*rest, 1);
	return 0;
}

int
future_release_parse_interval(struct span value, uint64_t *seconds)
{
	return value.len > INTERVAL_DIGITS || value.len == 0 || value.p[0] == '0' ||
		       span_to_u64(value, UINT32_MAX, seconds) != 0
		   ? -1
		   : 0;
}

static bool
is_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days since 1970-01-01, by the Gregorian calendar. -1 if there is no such day. */
static int
count_days(unsigned year, unsigned month, unsigned day, int64_t *days)
{
	static const unsigned before[] = {
	    0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
	unsigned past = year - 1, leap;

	if (year < 1970 || month < 1 || month > 12 || day < 1)
		return -1;
	leap = month == 2 && is_leap(year) ? 1 : 0;
	if (day > before[month] - before[month - 1] + leap)
		return -1;
	*days = (int64_t)past * 365 + past / 4 - past / 100 + past / 400 - 719162;
	*days += before[month - 1] + day - 1 + (month > 2 && is_leap(year) ? 1 : 0);
	return 0;
}

/* "Z", "+hh:mm" or "-hh:mm", and nothing behind it. */
static int
take_offset(struct span *rest, int64_t *seconds)
{
	unsigned hours, minutes;
	bool west = rest->len > 0 && rest->p[0] == '-';

	*seconds = 0;
	if (take(rest, 'Z', 'z') == 0)
		return rest->len == 0 ? 0 : -1;
	if (take(rest, '+', '-') != 0 || take_digits(rest, 2, &hours) != 0 ||
	    take(rest, ':', ':') != 0 || take_digits(rest, 2, &minutes) != 0 ||
	    rest->len != 0 || hours > 23 || minutes > 59)
		return -1;
	*seconds = (int64_t)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
	return 0;
}

int
future_release_parse_time(struct span value, int64_t *when)
{
	unsigned year, month, day, hour, minute, second, ignored;
	int64_t days, offset;

	if (take_digits(&value, 4, &year) != 0 || take(&value, '-', '-') != 0 ||
	    take_digits(&value, 2, &month) != 0 || take(&value, '-', '-') != 0 ||
	    take_digits(&value, 2, &day) != 0 || take(&value, 'T', 't') != 0 ||
	    take_digits(&value, 2, &hour) != 0 || take(&value, ':', ':') != 0 ||
	    take_digits(&value, 2, &minute) != 0 || take(&value, ':', ':') != 0 ||
	    take_digits(&value, 2, &second) != 0)
		return -1;
	if (hour > 23 || minute > 59 || second > 60) /* 60: a leap second */
		return -1;
	if (take(&value, '.', '.') == 0) {
		if (take_digits(&value, 1, &ignored) != 0)
			return -1;
		while (take_digits(&value, 1, &ignored) == 0)
			;
	}
	if (take_offset(&value, &offset) != 0 || count_days(year, month, day, &days) != 0)
		return -1;
	*when = days * 86400 + hour * 3600 + minute * 60 + second - offset;
	return 0;
}

void
future_release_format(uint64_t longest, int64_t now, struct buf *out)
{
	char date[CLOCK_DATE_SIZE];

	clock_format_iso(now + (int64_t)longest, date);
	buf_addf(out, "250-FUTURERELEASE %" PRIu64 " %s\r\n", longest, date);
}
