/*
 * cmd_check: postrider check: is the configuration right, and everything that the
 * domain directories say? The same code that the daemon believes reads them here.
 * Every problem is a line file:line: text on standard output.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/address.h"
#include "conf/bounce_text.h"
#include "conf/domain.h"
#include "conf/domains_list.h"
#include "queue/cmd_verbs.h"

struct check {
	struct config_errors errors;
	const char *root;
	int rootfd;
	size_t domains, aliases;
};

static void
check_bounce_texts(struct check *k, const struct domain *d)
{
	struct buf text;

	buf_init(&text, BOUNCE_TEXT_MAX);
	(void)bounce_text_read(d, BOUNCE_TEXT_FAILED, &text, &k->errors);
	(void)bounce_text_read(d, BOUNCE_TEXT_DELAYED, &text, &k->errors);
	buf_release(&text);
}

static void
check_domain(struct check *k, const char *name)
{
	struct domain *d = domain_new(k->root, span_str(name));
	int watchfd = -1;

	enum lookup l = domain_refresh(d, k->rootfd, &k->errors, &watchfd);

	if (l == LOOKUP_UNKNOWN)
		config_errors_add(
		    &k->errors, d->path, 0, "cannot be looked at: %s", strerror(errno));
	else if (l == LOOKUP_FOUND)
		check_bounce_texts(k, d);
	if (watchfd >= 0)
		close(watchfd);
	domain_free(&d);
	k->domains++;
}

static void
on_entry(const char *name, const char *problem, void *arg)
{
	struct check *k = arg;
	char target[2];

	if (problem != NULL)
		config_errors_add(&k->errors, k->root, 0, "%s: %s", name, problem);
	else if (readlinkat(k->rootfd, name, target, sizeof target) >= 0)
		k->aliases++; /* what it leads to is checked under its own name */
	else
		check_domain(k, name);
}

static void
check_domains(struct check *k, const struct config *c)
{
	k->root = c->domains;
	k->rootfd = open(c->domains, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (k->rootfd < 0 || domains_list(c->domains, on_entry, k) != 0)
		config_errors_add(&k->errors, c->domains, 0, "%s", strerror(errno));
	if (k->rootfd >= 0)
		close(k->rootfd);
}

static int
print(const struct cmd_context *ctx, const struct check *k)
{
	json_t *json, *problems;

	if (ctx->json) {
		json = json_object();
		problems = json_array();
		for (size_t i = 0; i < k->errors.n; i++)
			json_array_append_new(
			    problems, cmd_json_string(span_str(k->errors.v[i].text)));
		json_object_set_new(json, "problems", problems);
		json_object_set_new(json, "domains", json_integer((json_int_t)k->domains));
		json_object_set_new(json, "aliases", json_integer((json_int_t)k->aliases));
		return cmd_print_json(json);
	}
	for (size_t i = 0; i < k->errors.n; i++) {
		cmd_print_span(span_str(k->errors.v[i].text));
		putchar('\n');
	}
	if (k->errors.n == 0)
		printf("%s: no problems; domains: %zu, aliases of domains: %zu\n",
		    cmd_config_path(ctx), k->domains, k->aliases);
	return 0;
}

int
cmd_check(struct cmd_context *ctx, char **argv)
{
	struct check k = {.rootfd = -1};
	struct config *c;
	struct cmd_args args;
	int r = cmd_parse(ctx, argv, NULL, 0, 0, 0, &args);

	if (r != CMD_GO_ON)
		return r;
	c = config_load(cmd_config_path(ctx), &k.errors);
	if (c != NULL)
		check_domains(&k, c);
	config_errors_finish(&k.errors, k.errors.n);
	r = print(ctx, &k);
	if (r == 0 && k.errors.n > 0)
		r = EX_CONFIG;
	config_errors_release(&k.errors);
	config_free(&c);
	return r;
}
