/*
 * confile: configuration files through libconfuse. See confile.h. The scan has
 * told where each value stands; here libconfuse parses what the scan left, and
 * each value is handed over with its line.
 */
#include "conf/confile.h"

#include <confuse.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/xalloc.h"
#include "conf/confile_scan.h"

/*
 * libconfuse's error function has no argument of ours: the text is left in the comment of
 * the section it concerns, which cfg_free frees.
 */
static void __attribute__((format(printf, 2, 0)))
keep_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	struct buf b;

	buf_init(&b, 4096);
	if (buf_vaddf(&b, fmt, ap) != 0)
		buf_add_str(&b, "an error too long to show");
	free(cfg->comment);
	cfg->comment = buf_take(&b);
}

/* The table of libconfuse for keys; the caller frees it with free_options. */
static cfg_opt_t *
make_options(const struct confile_key *keys, size_t n)
{
	cfg_opt_t *opts = xcalloc(n + 1, sizeof *opts);

	for (size_t i = 0; i < n; i++) {
		cfg_opt_t value = CFG_STR(keys[i].name, NULL, CFGF_NODEFAULT);
		cfg_opt_t list = CFG_STR_LIST(keys[i].name, NULL, CFGF_NODEFAULT);
		cfg_opt_t section = CFG_SEC(keys[i].name, NULL, CFGF_NODEFAULT);

		switch (keys[i].shape) {
		case CONFILE_DOMAIN: /* the scan has blanked those out */
		case CONFILE_VALUE:
			opts[i] = value;
			break;
		case CONFILE_LIST:
			opts[i] = list;
			break;
		case CONFILE_TITLED:
			section.flags |= CFGF_MULTI | CFGF_TITLE;
			/* FALLTHROUGH */
		case CONFILE_SECTION:
			section.subopts = make_options(keys[i].keys, keys[i].nkeys);
			opts[i] = section;
			break;
		}
	}
	opts[n] = (cfg_opt_t)CFG_END();
	return opts;
}

static void
free_options(cfg_opt_t *opts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(opts[i].subopts); /* sections do not nest */
	free(opts);
}

/* The value at a place, NULL if libconfuse did not come that far. */
static const char *
value_at(cfg_t *cfg, const struct confile_place *p)
{
	if (p->section != NULL) {
		if (p->instance >= cfg_size(cfg, p->section->name))
			return NULL;
		cfg = cfg_getnsec(cfg, p->section->name, p->instance);
		if (p->key == NULL)
			return cfg_title(cfg) != NULL ? cfg_title(cfg) : "";
	}
	if (p->index >= cfg_size(cfg, p->key->name))
		return NULL;
	return cfg_getnstr(cfg, p->key->name, p->index);
}

/* What libconfuse complained about, at the top or in a section. */
static const char *
error_of(cfg_t *cfg)
{
	if (cfg->comment != NULL)
		return cfg->comment;
	for (unsigned i = 0; i < cfg_num(cfg); i++) {
		cfg_opt_t *opt = cfg_getnopt(cfg, i);

		for (unsigned j = 0; opt->type == CFGT_SEC && j < cfg_opt_size(opt); j++) {
			cfg_t *section = cfg_opt_getnsec(opt, j);

			if (section != NULL && section->comment != NULL)
				return section->comment;
		}
	}
	return "cannot be parsed";
}

void
confile_parse(struct span text, const char *path, const struct confile_key *keys, size_t nkeys,
    struct config_errors *errors, confile_fn *fn, void *arg)
{
	struct config_errors mine = {.v = NULL};
	struct config_errors *to = errors != NULL ? errors : &mine;
	size_t before = to->n + to->dropped;
	struct confile_scan scan;
	cfg_opt_t *opts;
	cfg_t *cfg;

	confile_scan(&scan, text, path, keys, nkeys, to);
	opts = make_options(keys, nkeys);
	cfg = cfg_init(opts, CFGF_NONE);
	if (cfg == NULL)
		abort(); /* out of memory */
	cfg_set_error_function(cfg, keep_error);
	/* What the scan complained about may well stop libconfuse again: said once is enough. */
	if (cfg_parse_buf(cfg, scan.text) != CFG_SUCCESS && to->n + to->dropped == before)
		config_errors_add(to, path, (unsigned)cfg->line, "%s", error_of(cfg));
	for (size_t i = 0; i < scan.nplaces; i++) {
		struct confile_item item = {.section = scan.places[i].section,
		    .key = scan.places[i].key,
		    .value = value_at(cfg, &scan.places[i]),
		    .line = scan.places[i].line};

		if (item.value != NULL)
			fn(&item, arg);
	}
	cfg_free(cfg);
	free_options(opts, nkeys);
	confile_scan_release(&scan);
	config_errors_release(&mine);
}
