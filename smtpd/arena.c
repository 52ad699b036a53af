/* arena: strings of one transaction. See arena.h. */
#include "smtpd/arena.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

#define BLOCK_FIRST 256
#define BLOCK_MAX   8192

struct arena_block {
	struct arena_block *older;
	size_t used, size;
	char octets[];
};

void
arena_init(struct arena *a)
{
	*a = (struct arena){.blocks = NULL};
}

void
arena_release(struct arena *a)
{
	struct arena_block *b;

	while ((b = a->blocks) != NULL) {
		a->blocks = b->older;
		free(b);
	}
	a->octets = 0;
}

/* A block with room for n octets becomes the newest; each is twice as large as the one before. */
static struct arena_block *
obtain_block(struct arena *a, size_t n)
{
	struct arena_block *b = a->blocks;
	size_t size = b == NULL ? BLOCK_FIRST : b->size * 2;

	if (b != NULL && b->size - b->used >= n)
		return b;
	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	if (size < n)
		size = n;
	b = xmalloc(sizeof *b + size);
	*b = (struct arena_block){.older = a->blocks, .size = size};
	a->blocks = b;
	return b;
}

struct span
arena_copy(struct arena *a, struct span s)
{
	struct arena_block *b;
	char *p;

	if (s.len == 0)
		return (struct span){"", 0};
	b = obtain_block(a, s.len);
	p = b->octets + b->used;
	memcpy(p, s.p, s.len);
	b->used += s.len;
	a->octets += s.len;
	return span_make(p, s.len);
}
