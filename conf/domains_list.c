/* domains_list: the names of the hosted domains. See domains_list.h. */
#include "conf/domains_list.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/xalloc.h"

int
domains_judge_name(struct span name, char canonical[DOMAIN_MAX + 1])
{
	size_t len;

	if (name.len == 0 || name.p[0] == '.' ||
	    domain_canonical(name, true, canonical, &len, NULL) != 0)
		return 1;
	return span_eq(name, span_make(canonical, len)) ? 0 : -1;
}

int
domains_list(const char *root, domains_entry_fn *fn, void *arg)
{
	DIR *dir = opendir(root);
	struct dirent *e;

	if (dir == NULL)
		return -1;
	while ((e = readdir(dir)) != NULL) {
		char canonical[DOMAIN_MAX + 1], *problem = NULL;
		struct stat st;
		int verdict = domains_judge_name(span_str(e->d_name), canonical);

		if (verdict > 0 ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !(S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode)))
			continue;
		if (verdict < 0)
			problem = xasprintf(
			    "no mail is taken for this name, expected its canonical form %s",
			    canonical);
		fn(e->d_name, problem, arg);
		free(problem);
	}
	closedir(dir);
	return 0;
}
