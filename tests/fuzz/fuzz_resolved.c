/* The directory's answer to resolve, as text of a wire message. */
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "queue/resolved.h"

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct wire_fields fields = {0};
	struct wire_msg m;
	struct resolved r;
	char *text = xspandup(span_make(data, size));

	if (wire_parse(text, size, &fields, &m) == 0 && resolved_parse(&m, &r) == 0) {
		for (size_t i = 0; i < r.n; i++)
			if (r.targets[i].address.len == 0 || r.targets[i].destination.len == 0)
				abort();
		resolved_release(&r);
	}
	wire_fields_release(&fields);
	free(text);
	return 0;
}
