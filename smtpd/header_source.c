/* header_source: the header checks in force. See header_source.h. Fed by directory_client, asked by session_checks. */
#include "smtpd/header_source.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "conf/header_files.h"

#define ANSWER_TIMEOUT_MS 10000

struct header_source {
	struct peer *peer;
	struct header_set *set; /* NULL: none in hand */
	char version[HEADER_VERSION_SIZE];
	char asked[HEADER_VERSION_SIZE]; /* under way; "": nothing is */
	uint64_t call;
	bool wanted;
};

struct header_source *
header_source_new(struct peer *peer)
{
	struct header_source *h = xcalloc(1, sizeof *h);

	h->peer = peer;
	return h;
}

void
header_source_free(struct header_source **hp)
{
	struct header_source *h = *hp;

	if (h == NULL)
		return;
	*hp = NULL;
	if (h->asked[0] != '\0')
		peer_cancel(h->peer, h->call);
	header_set_unref(&h->set);
	free(h);
}

void
header_source_configure(struct header_source *h, bool wanted)
{
	h->wanted = wanted;
	if (!wanted) {
		header_set_unref(&h->set);
		h->version[0] = '\0';
	}
}

static void
keep_version(char out[HEADER_VERSION_SIZE], struct span version)
{
	version = span_first(version, HEADER_VERSION_SIZE - 1);
	memcpy(out, version.p, version.len);
	out[version.len] = '\0';
}

void
header_source_put(struct header_source *h, struct header_set *set, struct span version)
{
	header_set_unref(&h->set);
	h->set = set;
	keep_version(h->version, version);
	log_debug("header checks: version %s is in force", h->version);
}

/* What cannot be had or understood leaves what is in hand; the next MAIL asks again. */
static void
on_answer(struct wire_msg *m, void *arg)
{
	struct header_source *h = arg;
	struct config_errors errors = {0};
	struct header_set *set;
	struct span version;
	struct verdict v;

	h->asked[0] = '\0';
	if (m == NULL || wire_get_verdict(m, &v) != 0 || v.kind != VERDICT_OK ||
	    wire_get(m, "version", &version) != 0 || !h->wanted)
		return;
	set = header_files_parse(m, &errors);
	if (set != NULL)
		header_source_put(h, set, version);
	else
		log_warnx("header checks that the directory has in force cannot be used: %s",
		    errors.n > 0 ? errors.v[0].text : "");
	config_errors_release(&errors);
}

void
header_source_announce(struct header_source *h, struct span version)
{
	struct wire_out w;

	if (!h->wanted || h->asked[0] != '\0' || span_is(version, h->version) ||
	    h->peer == NULL)
		return;
	keep_version(h->asked, version);
	h->call = peer_next_id(h->peer);
	wire_out_init(&w, "header-rules", h->call);
	peer_call(h->peer, &w, ANSWER_TIMEOUT_MS, on_answer, h);
}

bool
header_source_is_ready(const struct header_source *h)
{
	return h == NULL || !h->wanted || h->set != NULL;
}

bool
header_source_is_asking(const struct header_source *h)
{
	return h != NULL && h->asked[0] != '\0';
}

struct header_set *
header_source_set(const struct header_source *h)
{
	return h != NULL ? h->set : NULL;
}
