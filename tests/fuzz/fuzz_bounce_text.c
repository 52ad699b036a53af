/* A domain's text for reports, as its owner may have written it: what is let through is text, and only CR was taken out. */
#include "conf/bounce_text.h"
#include "tests/fuzz/must.h"

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct buf text;
	unsigned line;

	buf_init(&text, BOUNCE_TEXT_MAX);
	if (buf_add(&text, data, size) == 0 && bounce_text_clean(&text, &line) == 0) {
		size_t at = 0;

		for (size_t i = 0; i < size; i++) {
			if (data[i] == '\r')
				continue;
			MUST(at < text.len && (unsigned char)text.p[at] == data[i]);
			MUST(data[i] == '\n' || data[i] == '\t' ||
			     (data[i] >= 0x20 && data[i] < 0x7f));
			at++;
		}
		MUST(at == text.len && (text.p == NULL || text.p[at] == '\0'));
	}
	buf_release(&text);
	return 0;
}
