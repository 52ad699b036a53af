/* supervisor_tell: what postriderd tells the processes it has started. See supervisor_tell.h. */
#include "common/supervisor_tell.h"

#include <stdlib.h>
#include <string.h>

#include "common/sandbox.h"
#include "common/wire.h"
#include "common/xalloc.h"

void
supervisor_tell_settings(struct child *c, const struct supervisor_options *o,
    const struct supervisor_plan *p, const struct supervisor_setup *u)
{
	const struct process_row *row = child_row(c);
	bool root = sandbox_is_root();
	char *dir = root ? process_row_root(row, p->spool) : xstrdup("/");
	char *sockets = process_row_sockets(row, p->spool, root);
	const struct process_ids *ids = process_ids_find(p->ids, row->name);
	struct wire_out w;
	size_t n;
	const struct process_row *rows = process_table(&n);

	wire_out_init(&w, "settings", 0);
	wire_add_str(&w, "process", row->name);
	wire_add_u64(&w, "worker", child_worker(c));
	wire_add_u64(&w, "uid", ids->uid);
	wire_add_u64(&w, "gid", ids->gid);
	wire_add_str(&w, "root", dir);
	wire_add_str(&w, "sockets", sockets);
	for (size_t i = 0; i < n; i++) {
		char *name = xasprintf("uid-%s", rows[i].name);

		wire_add_u64(&w, name, p->ids[i].uid);
		free(name);
	}
	if (row->secret)
		wire_add(&w, "secret", span_make(u->secret, sizeof u->secret));
	o->ops->add_settings(row, &w, o->arg);
	child_send_settings(c, &w);
	wire_out_release(&w);
	free(dir);
	free(sockets);
}

void
supervisor_tell_listener(struct child *c, const struct listener *l, bool added)
{
	struct wire_out w;

	if (strcmp(l->served_by, child_row(c)->name) != 0)
		return;
	wire_out_init(&w, added ? "listener" : "unlisten", 0);
	wire_add_str(&w, "name", l->name);
	if (added) {
		wire_add_str(&w, "kind", l->tcp ? "tcp" : "unix");
		wire_add_str(&w, "role", l->role);
		wire_add_str(&w, "tls", l->tls);
	}
	child_send(c, &w, added ? listener_fd(l, child_worker(c)) : -1);
	wire_out_release(&w);
}

void
supervisor_tell_all_listeners(struct child *c, const struct listeners *l)
{
	for (size_t i = 0; l != NULL && i < l->n; i++)
		supervisor_tell_listener(c, &l->v[i], true);
}
