/* config_section: the kinds of sections of postrider.conf. See config_section.h. */
#include "conf/config_section.h"

#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "common/xalloc.h"
#include "conf/config_name.h"
#include "conf/fact.h"

static const struct config_section sections[CONFIG_SECTIONS] = {
    [CONFIG_LISTEN] = {"listen", true},
    [CONFIG_DESTINATION] = {"destination", true},
    [CONFIG_RETRY_STATUS] = {"retry-status", true},
    [CONFIG_DNSBL] = {"dnsbl", true},
    [CONFIG_DNSWL] = {"dnswl", true},
    [CONFIG_TLS_SECTION] = {"tls", false},
    [CONFIG_USERS] = {"users", false},
};

/* The title is what each of them begins with: config_section_title reads it there. */
_Static_assert(offsetof(struct config_listener, address) == 0, "title");
_Static_assert(offsetof(struct config_destination, name) == 0, "title");
_Static_assert(offsetof(struct config_retry_status, status) == 0, "title");
_Static_assert(offsetof(struct config_dnslist, zone) == 0, "title");

const struct config_section *
config_section(enum config_section_kind kind)
{
	return &sections[kind];
}

enum config_section_kind
config_section_find(const char *name)
{
	int kind = 0;

	while (
	    kind < CONFIG_SECTIONS && (name == NULL || strcmp(sections[kind].name, name) != 0))
		kind++;
	return (enum config_section_kind)kind;
}

static int
add_listener(struct config *c, struct span title, struct buf *why)
{
	struct netaddr a;

	if (netaddr_parse_port(title, &a) != 0 || a.port == 0) {
		buf_add_str(why, "expected address:port such as 0.0.0.0:25 or [::]:25");
		return -1;
	}
	c->listeners = xreallocarray(c->listeners, c->nlisteners + 1, sizeof *c->listeners);
	c->listeners[c->nlisteners++] = (struct config_listener){.address = xspandup(title),
	    .addr = a,
	    .role = LISTENER_MX,
	    .tls = LISTENER_TLS_UNSET};
	return 0;
}

/* A domain, with a dot in front for all below it, or a host that is not looked up by MX. */
static int
add_destination(struct config *c, struct span title, struct buf *why)
{
	char name[CONFIG_NEXT_HOP_SIZE];
	const char *reason = "";

	if (config_name_next_hop(title, name) != 0 &&
	    config_name_domain(title, name, &reason) != 0) {
		buf_addf(why,
		    "expected a domain, .domain for all below it, or [host]:port%s%s%s",
		    reason[0] != '\0' ? " (" : "", reason, reason[0] != '\0' ? ")" : "");
		return -1;
	}
	/* Grown by powers of two, whose end the length itself tells. */
	if ((c->ndestinations & (c->ndestinations - 1)) == 0)
		c->destinations = xreallocarray(c->destinations,
		    c->ndestinations > 0 ? 2 * c->ndestinations : 1, sizeof *c->destinations);
	c->destinations[c->ndestinations++] =
	    (struct config_destination){.name = xstrdup(name)};
	return 0;
}

/* 4.y.z, 4.y, or "unreachable": only temporary failures are tried again (RFC 3463 2). */
static bool
is_retry_status(struct span s)
{
	struct span rest = s, class = span_cut(&rest, '.');
	unsigned parts = 0;
	uint64_t number;

	if (span_is(s, "unreachable"))
		return true;
	for (; rest.p != NULL; parts++) {
		struct span part = span_cut(&rest, '.');

		/* As written is as compared: 4.07 would never be found. */
		if (span_to_u64(part, 999, &number) != 0 || (part.len > 1 && part.p[0] == '0'))
			return false;
	}
	return span_is(class, "4") && (parts == 1 || parts == 2);
}

static int
add_retry_status(struct config *c, struct span title, struct buf *why)
{
	if (!is_retry_status(title)) {
		buf_add_str(why,
		    "expected a temporary status (RFC 3463) such as 4.7.1, 4.7 for "
		    "all that begin so, or unreachable");
		return -1;
	}
	c->retry_statuses =
	    xreallocarray(c->retry_statuses, c->nretry_statuses + 1, sizeof *c->retry_statuses);
	c->retry_statuses[c->nretry_statuses++] =
	    (struct config_retry_status){.status = xspandup(title)};
	return 0;
}

/* The address of a client goes in front of the zone. */
static int
add_dnslist(struct config *c, struct config_dnslist **list, size_t *n, struct span title,
    struct buf *why)
{
	char zone[DOMAIN_MAX + 1];
	const char *reason;
	size_t len;

	if (c->ndnsbls + c->ndnswls >= FACT_ZONES_MAX) {
		buf_addf(why, "expected at most %d dnsbl and dnswl together", FACT_ZONES_MAX);
		return -1;
	}
	if (domain_canonical(title, true, zone, &len, &reason) != 0) {
		buf_addf(why, "expected the zone of a DNS list (%s)", reason);
		return -1;
	}
	*list = xreallocarray(*list, *n + 1, sizeof **list);
	(*list)[(*n)++] =
	    (struct config_dnslist){.zone = xstrdup(zone), .action = CHECK_REJECT};
	return 0;
}

int
config_section_add(
    struct config *c, enum config_section_kind kind, struct span title, struct buf *why)
{
	switch (kind) {
	case CONFIG_LISTEN:
		return add_listener(c, title, why);
	case CONFIG_DESTINATION:
		return add_destination(c, title, why);
	case CONFIG_RETRY_STATUS:
		return add_retry_status(c, title, why);
	case CONFIG_DNSBL:
		return add_dnslist(c, &c->dnsbls, &c->ndnsbls, title, why);
	case CONFIG_DNSWL:
		return add_dnslist(c, &c->dnswls, &c->ndnswls, title, why);
	case CONFIG_TLS_SECTION:
	case CONFIG_USERS:
	case CONFIG_SECTIONS:
		break;
	}
	abort(); /* it has no title */
}

size_t
config_section_count(const struct config *c, enum config_section_kind kind)
{
	return kind == CONFIG_LISTEN	    ? c->nlisteners
	       : kind == CONFIG_DESTINATION ? c->ndestinations
	       : kind == CONFIG_DNSBL	    ? c->ndnsbls
	       : kind == CONFIG_DNSWL	    ? c->ndnswls
					    : c->nretry_statuses;
}

void *
config_section_at(const struct config *c, enum config_section_kind kind, size_t i)
{
	if (kind == CONFIG_LISTEN)
		return &c->listeners[i];
	if (kind == CONFIG_DESTINATION)
		return &c->destinations[i];
	if (kind == CONFIG_DNSBL)
		return &c->dnsbls[i];
	if (kind == CONFIG_DNSWL)
		return &c->dnswls[i];
	return &c->retry_statuses[i];
}

const char *
config_section_title(const struct config *c, enum config_section_kind kind, size_t i)
{
	return *(char *const *)config_section_at(c, kind, i);
}

static int
by_title(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
config_sections_sort(struct config *c)
{
	if (c->ndestinations > 1)
		qsort(c->destinations, c->ndestinations, sizeof *c->destinations, by_title);
	if (c->nretry_statuses > 1)
		qsort(
		    c->retry_statuses, c->nretry_statuses, sizeof *c->retry_statuses, by_title);
}

static void
release_dnslists(struct config_dnslist *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].zone);
		free(list[i].replies);
		free(list[i].text);
	}
	free(list);
}

void
config_sections_release(struct config *c)
{
	for (size_t i = 0; i < c->nlisteners; i++)
		free(c->listeners[i].address);
	for (size_t i = 0; i < c->ndestinations; i++) {
		free(c->destinations[i].name);
		free(c->destinations[i].retry);
	}
	for (size_t i = 0; i < c->nretry_statuses; i++) {
		free(c->retry_statuses[i].status);
		free(c->retry_statuses[i].retry);
	}
	release_dnslists(c->dnsbls, c->ndnsbls);
	release_dnslists(c->dnswls, c->ndnswls);
	free(c->listeners);
	free(c->destinations);
	free(c->retry_statuses);
}
