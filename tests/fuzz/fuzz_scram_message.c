/*
 * fuzz_scram_message: any octets as a client's two messages of SCRAM. What comes out lies in the
 * message, and put together again is the message.
 */
#include <string.h>

#include "smtpd/scram_message.h"
#include "tests/fuzz/must.h"

static void
lies_in(struct span part, struct span whole)
{
	MUST(part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

static void
first(struct span m)
{
	struct scram_first f;
	char name[ADDRESS_MAX];
	size_t len;

	if (scram_first_parse(m, &f) != 0)
		return;
	MUST(f.header.len + f.bare.len == m.len && f.header.p == m.p);
	MUST(f.bare.p == m.p + f.header.len);
	lies_in(f.user, f.bare);
	lies_in(f.nonce, f.bare);
	MUST(f.nonce.len > 0 && f.nonce.len <= SCRAM_NONCE_MAX);
	MUST(memchr(f.nonce.p, ',', f.nonce.len) == NULL);
	MUST(f.flag == 'n' || f.flag == 'y' || (f.flag == 'p' && f.binding.len > 0));
	if (scram_name_decode(f.user, name, &len) == 0)
		MUST(len > 0 && len <= ADDRESS_MAX && len <= f.user.len);
}

static void
final(struct span m)
{
	struct scram_final f;

	if (scram_final_parse(m, &f) != 0)
		return;
	lies_in(f.binding, f.without_proof);
	lies_in(f.nonce, f.without_proof);
	MUST(f.without_proof.p == m.p && f.without_proof.len + 3 + f.proof.len == m.len);
	MUST(memchr(f.proof.p, ',', f.proof.len) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span m = span_make(data, size);

	first(m);
	final(m);
	return 0;
}
