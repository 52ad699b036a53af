/* directory: questions and answers. See directory.h and doc/IPC.md. */
#include "conf/directory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log_value.h"
#include "common/xalloc.h"
#include "conf/account.h"
#include "conf/bounce_text.h"
#include "conf/certificate_answer.h"
#include "conf/header_files.h"
#include "conf/directory_fields.h"
#include "conf/directory_notes.h"
#include "conf/explain.h"
#include "conf/mailbox_usage.h"
#include "conf/policy.h"
#include "conf/policy_limits.h"

struct directory {
	struct config *config;
	struct domains *domains;
	struct access_file *senders;  /* NULL: no access table is configured */
	struct header_files *headers; /* NULL: no header checks are configured */
	struct resolve_env env;
	uint64_t questions;
	uint64_t started; /* clock_mono_ms */
};

static enum lookup
find_domain(void *arg, struct span name, struct domain **out, struct buf *why)
{
	return domains_find(arg, name, out, why);
}

static enum lookup
find_include(void *arg, struct domain *d, struct span path, const struct aliases_file **list,
    const char **file, struct buf *why)
{
	return domains_include(arg, d, path, list, file, why);
}

static enum lookup
find_first(void *arg, char out[DOMAIN_MAX + 1])
{
	return domains_first(arg, out);
}

/* Counting files takes of the time that a domain has for reading its own, so that no owner makes others wait. */
static void
read_usage(void *arg, struct domain *d, const struct mailbox *m, uint64_t need,
    struct mailbox_usage *u)
{
	uint64_t began = domain_load_begin();

	(void)arg;
	*u = (struct mailbox_usage){.at_least = true};
	if (!domain_may_load(d))
		return;
	mailbox_usage_read(m->directory, span_str(m->home), m->maildir, need, clock_wall(), u);
	if (u->counted)
		domain_load_end(d, began);
}

void
directory_env(struct resolve_env *env, const struct config *c, struct domains *domains,
    bool privileged, const struct domain_ids *self)
{
	*env = (struct resolve_env){.config = c,
	    .source = {find_domain, find_include, find_first, read_usage, domains},
	    .privileged = privileged,
	    .self = *self};
}

struct directory *
directory_new(bool privileged, const struct domain_ids *self)
{
	struct directory *d = xcalloc(1, sizeof *d);

	d->env.privileged = privileged;
	d->env.self = *self;
	d->env.counts = policy_counts_new();
	d->started = clock_mono_ms();
	return d;
}

void
directory_free(struct directory **dp)
{
	struct directory *d = *dp;

	if (d == NULL)
		return;
	*dp = NULL;
	domains_free(&d->domains);
	access_file_free(&d->senders);
	header_files_free(&d->headers);
	policy_counts_free(&d->env.counts);
	config_free(&d->config);
	free(d);
}

void
directory_configure(struct directory *d, struct config *c)
{
	const struct domains_limits limits = DOMAINS_LIMITS_DEFAULT;
	struct policy_counts *counts;
	uid_t queue_uid = d->env.queue_uid;

	if (d->domains != NULL && strcmp(domains_root(d->domains), c->domains) != 0)
		domains_free(&d->domains);
	if (d->domains == NULL)
		d->domains = domains_new(c->domains, &limits, NULL, NULL);
	config_free(&d->config);
	d->config = c;
	counts = d->env.counts;
	directory_env(&d->env, c, d->domains, d->env.privileged, &d->env.self);
	d->env.counts = counts;
	d->env.queue_uid = queue_uid;
	access_file_free(&d->senders);
	if (c->access_table != NULL)
		d->senders = access_file_new(c->access_table, d->env.self.uid);
	d->env.senders = d->senders;
	header_files_free(&d->headers);
	d->headers = header_files_new(c, d->env.self.uid);
}

void
directory_set_queue_uid(struct directory *d, uid_t uid)
{
	d->env.queue_uid = uid;
}

int
directory_fd(const struct directory *d)
{
	return domains_fd(d->domains);
}

const struct resolve_env *
directory_view(const struct directory *d)
{
	return &d->env;
}

void
directory_refresh(struct directory *d)
{
	if (d->config == NULL)
		return;
	d->env.now_ms = clock_mono_ms();
	if (d->senders != NULL)
		access_file_refresh(d->senders, d->env.now_ms);
	if (d->headers != NULL)
		header_files_refresh(d->headers, d->env.now_ms);
	domains_begin(d->domains);
}

static void
send_decision(struct wire_out *w, const struct policy_client *client, struct policy_answer *a)
{
	const struct verdict whole = a->verdict;

	if (policy_make_public(client, a))
		log_warnx("%s", whole.text);
	/* Whom a limit has stopped: smtpd's line has the rule alone. */
	if (a->limit)
		log_info("rule=%s text=\"%s\"", a->rule, LOG_QUOTED(span_str(whole.text)));
	directory_add_decision(w, a);
}

static int
get_client(struct directory *d, const struct wire_msg *m, struct policy_client *client)
{
	return directory_get_client(m, client) == 0
		   ? directory_notes_commands(&d->env, m, client)
		   : -1;
}

static int
answer_connect(struct directory *d, const struct wire_msg *m, struct wire_out *w)
{
	struct policy_client client;
	struct policy_answer a;

	if (get_client(d, m, &client) != 0)
		return -1;
	policy_connect(&d->env, &client, NULL, &a);
	if (a.verdict.kind == VERDICT_OK)
		policy_count_connection(&d->env, &client);
	send_decision(w, &client, &a);
	if (a.verdict.kind == VERDICT_OK)
		directory_add_wants(w, &d->env, &client, NULL);
	return 0;
}

static int
answer_mail(struct directory *d, const struct wire_msg *m, struct wire_out *w)
{
	struct policy_answer a = {.rule = "bad-address"};
	struct policy_client client;
	struct facts known = {.n = 0};
	struct address from;
	int r = -1;

	if (get_client(d, m, &client) == 0 && facts_from_wire(&known, m) == 0)
		r = directory_get_address(m, "from", ADDRESS_ALLOW_EMPTY, &from, &a.verdict);
	client.facts = &known;
	if (r == 0)
		policy_mail(&d->env, &client, &from, NULL, &a);
	if (r >= 0)
		send_decision(w, &client, &a);
	if (r >= 0 && d->headers != NULL)
		wire_add_str(w, "header-rules", header_files_version(d->headers));
	if (r == 0 && a.verdict.kind == VERDICT_OK)
		directory_add_wants(w, &d->env, &client, &from);
	facts_release(&known);
	return r < 0 ? -1 : 0;
}

/* The header checks in force, as text: who asks makes rules of it with the code that has found them good. */
static int
answer_header_rules(struct directory *d, const struct wire_msg *m, struct wire_out *w)
{
	struct verdict v;

	(void)m;
	if (d->headers != NULL) {
		header_files_answer(d->headers, w);
	} else {
		verdict_set(&v, VERDICT_PERMANENT, 0, "5.1.1",
		    "no header checks are configured (header-checks, mime-header-checks)");
		wire_add_verdict(w, &v);
	}
	return 0;
}

/* Can mail go to this address of ours, whoever sends it? */
static int
answer_redirect(struct directory *d, const struct wire_msg *m, struct wire_out *w)
{
	struct resolution r = {.v = NULL};
	struct address a;
	int got = directory_get_address(m, "rcpt", 0, &a, &r.verdict);

	if (got < 0)
		return -1;
	if (got == 0)
		resolve(&d->env, &a, 0, NULL, &r);
	wire_add_verdict(w, &r.verdict);
	wire_add_str(w, "rule", "header-checks");
	resolution_release(&r);
	return 0;
}

/* As many as smtpd collects (smtpd/author_scan.h); more make no sense. */
#define AUTHORS_MAX 100

/* "From anna@example.org": 0, or -1. */
static int
get_author(struct span text, struct policy_author *author)
{
	const char *why;

	author->field = span_cut(&text, ' ');
	return address_parse(text, ADDRESS_UTF8, &author->address, &why);
}

static int
answer_author(struct directory *d, const struct wire_msg *m, struct wire_out *w)
{
	struct policy_author *authors = xcalloc(AUTHORS_MAX, sizeof *authors);
	struct policy_answer a = {.rule = "-"};
	struct policy_client client;
	struct span unclear = {NULL, 0};
	size_t n = 0;
	int r = directory_get_client(m, &client);

	for (size_t i = 0; i < m->nfields && r == 0; i++)
		if (span_is(m->fields[i].name, "author"))
			r = n < AUTHORS_MAX ? get_author(m->fields[i].value, &authors[n++])
					    : -1;
	wire_get(m, "unclear", &unclear);
	if (r == 0) {
		policy_author(&d->env, &client, authors, n, unclear, NULL, &a);
		directory_add_decision(w, &a);
	}
	free(authors);
	return r;
}

static int
answer_rcpt(struct directory *d, const struct wire_msg *m, struct wire_out *w)
{
	struct policy_answer a = {.rule = "bad-address"};
	struct policy_client client;
	struct facts known = {.n = 0};
	struct address from, rcpt;
	int r = -1;

	if (get_client(d, m, &client) == 0 && facts_from_wire(&known, m) == 0)
		r = directory_get_address(m, "from", ADDRESS_ALLOW_EMPTY, &from, &a.verdict);
	if (r == 0)
		r = directory_get_address(m, "rcpt", ADDRESS_POSTMASTER, &rcpt, &a.verdict);
	client.facts = &known;
	if (r == 0)
		policy_rcpt(&d->env, &client, &from, &rcpt, NULL, &a);
	if (r >= 0)
		send_decision(w, &client, &a);
	facts_release(&known);
	return r < 0 ? -1 : 0;
}

static int
answer_resolve(struct directory *d, const struct wire_msg *m, struct wire_out *w)
{
	struct resolution r = {.v = NULL};
	struct address a;
	int got = directory_get_address(m, "address", ADDRESS_POSTMASTER, &a, &r.verdict);

	if (got < 0)
		return -1;
	if (got == 0)
		resolve(&d->env, &a, wire_is_yes(m, "final") ? RESOLVE_FINAL : 0, NULL, &r);
	directory_add_targets(w, &r);
	resolution_release(&r);
	return 0;
}

static int
answer_mailbox(struct directory *d, const struct wire_msg *m, struct wire_out *w)
{
	struct mailbox box = {.user = NULL};
	struct address a;
	struct verdict v;
	int got = directory_get_address(m, "address", 0, &a, &v);

	if (got < 0)
		return -1;
	if (got == 0)
		resolve_mailbox(&d->env, &a, &v, &box);
	wire_add_verdict(w, &v);
	if (v.kind == VERDICT_OK) {
		wire_add_str(w, "user", box.user);
		wire_add_str(w, "domain", box.domain);
		wire_add_u64(w, "uid", box.ids.uid);
		wire_add_u64(w, "gid", box.ids.gid);
		wire_add_str(w, "directory", box.directory);
		wire_add_str(w, "home", box.home);
		wire_add_str(w, "maildir", box.maildir);
		if (box.quota > 0)
			wire_add_u64(w, "quota", box.quota);
		if (box.quota > 0 && box.over_quota_refuses)
			wire_add_str(w, "over-quota", "refuse");
	}
	mailbox_release(&box);
	return 0;
}

/* A domain whose text cannot be used has none: a report goes out in any case. */
static void
find_bounce_text(
    struct directory *d, const struct address *sender, enum bounce_text which, struct buf *text)
{
	struct config_errors errors = {.n = 0};
	struct domain *domain;
	struct buf why;

	buf_init(&why, 1024);
	if (!sender->literal && address_domain(sender).len > 0 &&
	    domains_find(d->domains, address_domain(sender), &domain, &why) == LOOKUP_FOUND &&
	    bounce_text_read(domain, which, text, &errors) == LOOKUP_UNKNOWN)
		for (size_t i = 0; i < errors.n; i++)
			log_warnx("%s", errors.v[i].text);
	config_errors_release(&errors);
	buf_release(&why);
}

static int
answer_bounce_text(struct directory *d, const struct wire_msg *m, struct wire_out *w)
{
	enum bounce_text which;
	struct address sender;
	struct span kind;
	struct verdict v;
	struct buf text;
	int got = directory_get_address(m, "address", 0, &sender, &v);

	if (got < 0 || wire_get(m, "kind", &kind) != 0 || bounce_text_parse(kind, &which) != 0)
		return -1;
	buf_init(&text, BOUNCE_TEXT_MAX);
	if (got == 0) {
		verdict_set_text(&v, VERDICT_OK, 250, "2.0.0", "Ok");
		find_bounce_text(d, &sender, which, &text);
	}
	wire_add_verdict(w, &v);
	if (text.len > 0)
		wire_add(w, "template", buf_span(&text));
	buf_release(&text);
	return 0;
}

static int
answer_explain(struct directory *d, const struct wire_msg *m, struct wire_out *w)
{
	return explain_answer(&d->env, m, w);
}

static int
answer_status(struct directory *d, const struct wire_msg *m, struct wire_out *w)
{
	(void)m;
	wire_add_u64(w, "domains-loaded", domains_loaded(d->domains));
	wire_add_u64(w, "questions", d->questions);
	wire_add_u64(w, "uptime", (clock_mono_ms() - d->started) / 1000);
	return 0;
}

static int
answer_certificate(struct directory *d, const struct wire_msg *m, struct wire_out *w)
{
	certificate_answer(d->config, d->domains, d->env.self.uid, m, w);
	return 0;
}

/* Which mechanisms of AUTH, besides those by password, are for users of the server the client wanted to talk to? */
static int
answer_mechanisms(struct directory *d, const struct wire_msg *m, struct wire_out *w)
{
	char home[DOMAIN_MAX + 1];
	struct span server;

	if (wire_get(m, "server", &server) != 0)
		return -1;
	account_home(&d->env, server, home);
	wire_add_verdict(
	    w, &(struct verdict){.kind = VERDICT_OK, .code = 250, .status = "2.0.0"});
	wire_add_str(w, "scram", account_all_scram(&d->env, home) ? "yes" : "no");
	return 0;
}

typedef int answer_fn(struct directory *d, const struct wire_msg *m, struct wire_out *w);

/* Who may ask what: a question that is not here closes the connection of who asked it. */
static const struct {
	const char *socket_name, *verb;
	answer_fn *answer;
} questions[] = {
    {"smtpd/directory", "rcpt", answer_rcpt},
    {"smtpd/directory", "mail", answer_mail},
    {"smtpd/directory", "connect", answer_connect},
    {"smtpd/directory", "mechanisms", answer_mechanisms},
    {"smtpd/directory", "header-rules", answer_header_rules},
    {"smtpd/directory", "redirect", answer_redirect},
    {"smtpd/directory", "author", answer_author},
    {"queue/directory", "resolve", answer_resolve},
    {"queue/directory", "bounce-text", answer_bounce_text},
    {"local/directory", "mailbox", answer_mailbox},
    {"keys/directory", "certificate", answer_certificate},
    {"control/directory", "explain", answer_explain},
    {"control/directory", "header-rules", answer_header_rules},
    {"control/directory", "status", answer_status},
};

int
directory_answer(
    struct directory *d, const char *socket_name, const struct wire_msg *m, struct wire_out *w)
{
	if (m->id == 0 || d->config == NULL)
		return -1;
	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
		if (!span_is(m->verb, questions[i].verb) ||
		    strcmp(socket_name, questions[i].socket_name) != 0)
			continue;
		d->questions++;
		return questions[i].answer(d, m, w);
	}
	return -1;
}

int
directory_note(struct directory *d, const char *socket_name, const struct wire_msg *m)
{
	if (d->config == NULL || strcmp(socket_name, "smtpd/directory") != 0)
		return -1;
	return directory_notes_take(&d->env, m);
}
