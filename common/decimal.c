/* decimal: numbers as text. See decimal.h. */
#include "common/decimal.h"

int
decimal_add(struct buf *b, uint64_t n)
{
	char digits[20]; /* of UINT64_MAX */
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	return buf_add(b, digits + at, sizeof digits - at);
}
