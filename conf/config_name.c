/* config_name: next hops and domains as they are written. See config_name.h. */
#include "conf/config_name.h"

#include <stdio.h>

#include "common/address.h"
#include "common/netaddr.h"

static bool
in_brackets(struct span s)
{
	return s.len >= 2 && s.p[0] == '[' && s.p[s.len - 1] == ']';
}

int
config_name_next_hop(struct span s, char out[CONFIG_NEXT_HOP_SIZE])
{
	ptrdiff_t colon = in_brackets(s) ? -1 : span_rindex(s, ':');
	struct span host = colon < 0 ? s : span_first(s, (size_t)colon);
	char name[DOMAIN_MAX + 1], suffix[8] = "";
	struct netaddr ip;
	uint64_t port;
	size_t len;

	if (colon >= 0) {
		if (span_to_u64(span_skip(s, (size_t)colon + 1), 65535, &port) != 0 ||
		    port == 0)
			return -1;
		snprintf(suffix, sizeof suffix, ":%u", (unsigned)port);
	}
	if (in_brackets(host))
		host = span_make(host.p + 1, host.len - 2);
	else if (colon < 0 || span_index(host, ':') >= 0)
		return -1;
	if (netaddr_parse(host, &ip) == 0)
		netaddr_format(&ip, name);
	else if (domain_canonical(host, true, name, &len, NULL) != 0)
		return -1;
	snprintf(out, CONFIG_NEXT_HOP_SIZE, "[%s]%s", name, suffix);
	return 0;
}

int
config_name_domain(struct span s, char out[DOMAIN_MAX + 2], const char **why)
{
	size_t len, dot = s.len > 0 && s.p[0] == '.';

	if (domain_canonical(span_skip(s, dot), true, out + dot, &len, why) != 0)
		return -1;
	if (dot > 0)
		out[0] = '.';
	return 0;
}
