/*
 * fuzz_header_rules: any text is a file of rules or a list of errors, and any message has a fate. The input up to
 * the first empty line is the rules, the rest the message.
 */
#include "conf/header_check.h"

#include <string.h>

#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_hit(const struct header_hit *h, void *arg)
{
	unsigned *hits = arg;

	MUST(h->text.len <= HEADER_PREPEND_FIELD_MAX);
	MUST(h->text.len == 0 || memchr(h->text.p, '\n', h->text.len) == NULL);
	(*hits)++;
}

static void
on_trouble(const char *text, void *arg)
{
	(void)arg;
	MUST(text[0] != '\0');
}

static void
check(struct header_set *set, struct span content)
{
	static const struct header_check_ops ops = {.on_hit = on_hit, .on_trouble = on_trouble};
	unsigned hits = 0;
	struct header_check *c = header_check_new(set, &ops, &hits);

	set->time = 20000;
	header_check_feed(c, content);
	header_check_finish(c);
	MUST(hits < HEADER_HITS_MAX);
	MUST(hits > 0 || (c->fate == HEADER_PASSED && c->hold == NULL && c->redirect == NULL));
	MUST(c->prepend.len <= HEADER_PREPEND_MAX);
	MUST(c->prepend.len == 0 || c->prepend.p[c->prepend.len - 1] == '\n');
	MUST(c->redirect == NULL || strchr(c->redirect, '@') != NULL);
	header_check_free(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = span_make(data, size);
	const char *gap = size > 0 ? memmem(data, size, "\n\n", 2) : NULL;
	struct span text = gap != NULL ? span_first(all, (size_t)(gap + 1 - all.p)) : all;
	struct config_errors errors = {0};
	struct header_set *set = header_set_new(
	    &(struct header_text){"r", text}, &(struct header_text){NULL, {NULL, 0}}, &errors);

	MUST((set == NULL) == (errors.n > 0));
	if (set != NULL)
		check(set, gap != NULL ? span_skip(all, (size_t)(gap + 2 - all.p)) : all);
	header_set_unref(&set);
	config_errors_release(&errors);
	return 0;
}
