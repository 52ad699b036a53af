/* ticket_keys: what TLS session tickets are sealed with. See ticket_keys.h. */
#include "conf/ticket_keys.h"

#include <openssl/rand.h>
#include <string.h>

#include "common/log.h"

_Static_assert(
    sizeof(struct ticket_key) == TICKET_NAME_SIZE + 64, "travels as it lies in memory");

void
ticket_keys_rotate(struct ticket_key keys[TICKET_KEYS])
{
	memmove(&keys[1], &keys[0], (TICKET_KEYS - 1) * sizeof *keys);
	if (RAND_bytes((unsigned char *)&keys[0], sizeof keys[0]) != 1)
		fatalx("there is no randomness for ticket keys");
}

void
ticket_keys_make(struct ticket_key keys[TICKET_KEYS])
{
	for (int i = 0; i < TICKET_KEYS; i++)
		ticket_keys_rotate(keys);
}
