/* access_forms: an address as the access table may know it. See access_forms.h. Called by conf/access_table. */
#include "conf/access_forms.h"

#include <string.h>

#include "common/local_part.h"
#include "conf/fold.h"

static void
add(struct access_forms *forms, struct span canonical)
{
	struct access_form *f = &forms->v[forms->n++];

	f->len = fold_name(canonical, f->text);
}

/* What is no local part, or too long to be one, no line can be about. */
static void
add_plain(struct access_forms *forms, struct span plain)
{
	char canonical[LOCAL_PART_MAX];
	size_t len;

	if (local_part_format(plain, canonical, &len, NULL) == 0)
		add(forms, span_make(canonical, len));
}

void
access_forms_of(const struct address *a, const char *separators, struct access_forms *forms)
{
	char local[LOCAL_PART_MAX + 2];
	size_t len = address_local_unquoted(a, local), at = strcspn(local, separators);

	forms->n = 0;
	add(forms, address_local(a));
	if (at == 0 || at >= len)
		return;
	local[at + 1] = '*';
	add_plain(forms, span_make(local, at + 2));
	add_plain(forms, span_make(local, at));
}
