/*
 * fuzz_dns_answer: any octets as a name server's reply. Names that come out are
 * host names, counts and lives are within bounds, and every outcome has a verdict.
 */
#include <string.h>

#include "deliver/dns_answer.h"
#include "tests/fuzz/must.h"

static uint32_t
not_random(void)
{
	static uint32_t n;

	return n++ * 2654435761U;
}

static void
check_mx(struct dns_answer *a)
{
	struct verdict v;
	bool usable;

	for (size_t i = 0; i < a->n; i++)
		MUST(a->mx[i].host[0] == '\0' || dns_name_is_host(span_str(a->mx[i].host)));
	dns_answer_sort_mx(a, not_random);
	for (size_t i = 1; i < a->n; i++)
		MUST(a->mx[i - 1].preference <= a->mx[i].preference);
	usable = dns_answer_usable_mx(a, "d.test", "mx.self", &v);
	MUST(usable == (a->n > 0));
	MUST(usable || v.kind == VERDICT_PERMANENT);
	for (size_t i = 0; i < a->n; i++)
		MUST(a->mx[i].host[0] != '\0' && strcmp(a->mx[i].host, "localhost") != 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = {DNS_TYPE_MX, DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_PTR};
	struct dns_answer a;
	struct verdict v;

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		dns_answer_parse(data, size, "d.test", types[i], &a);
		MUST(a.n <= DNS_RECORDS_MAX && (a.n == 0 || a.result == DNS_FOUND));
		MUST(a.ttl >= DNS_TTL_MIN && a.ttl <= DNS_TTL_MAX);
		if (a.result != DNS_FOUND)
			dns_answer_verdict(a.result, "d.test", "MX", &v);
		else if (types[i] == DNS_TYPE_MX)
			check_mx(&a);
		else if (types[i] == DNS_TYPE_PTR)
			for (size_t k = 0; k < a.n; k++)
				MUST(dns_name_is_host(span_str(a.mx[k].host)));
		else
			for (size_t k = 0; k < a.n; k++)
				MUST(a.address[k].family ==
				     (types[i] == DNS_TYPE_A ? AF_INET : AF_INET6));
	}
	return 0;
}
