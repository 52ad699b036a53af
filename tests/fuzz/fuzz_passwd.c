/*
 * fuzz_passwd: any octets as a domain's passwd. Whatever comes out is a sorted
 * table of names that can stand in an address and homes that stay below the
 * domain, none of them root's; each is found by its name.
 */
#include "conf/domain_conf.h"
#include "conf/fold.h"
#include "conf/passwd.h"
#include "tests/fuzz/must.h"

static void
check_home(struct span home)
{
	MUST(home.len > 0 && home.len <= FOLD_PATH_MAX && home.p[0] != '/');
	while (home.p != NULL) {
		struct span name = span_cut(&home, '/');

		MUST(name.len > 0 && !span_is(name, "..") && !span_is(name, "."));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors = {.v = NULL};
	struct passwd_file f;
	int r = passwd_parse(
	    &f, span_make(data, size), "etc/passwd", span_str("/virtual/a.test"), &errors);

	MUST(r == 0 || (f.nusers == 0 && errors.n > 0));
	MUST(errors.n <= CONFIG_ERRORS_MAX + 1);
	MUST((passwd_first(&f) == NULL) == (f.nusers == 0));
	for (size_t i = 0; i < f.nusers; i++) {
		const struct passwd_user *u = &f.users[i];

		MUST(fold_is_name(passwd_name(&f, u)));
		MUST(passwd_find(&f, passwd_name(&f, u)) == u);
		MUST(passwd_first(&f)->line <= u->line);
		MUST(!u->has_uid || u->uid != 0);
		MUST(!u->has_gid || u->gid != 0);
		MUST(u->quota_kib == PASSWD_NO_QUOTA ||
		     (f.has_quota && u->quota_kib <= DOMAIN_QUOTA_MAX / 1024));
		check_home(passwd_home(&f, u));
	}
	passwd_release(&f);
	config_errors_release(&errors);
	return 0;
}
