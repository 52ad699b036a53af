/*
 * cmd_table: aligned columns. See cmd_table.h. Called by cmd_*.c. Invariant: rows are
 * whole when it is printed; a last row with cells missing is not shown.
 */
#include "queue/cmd_table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/utf8.h"
#include "common/xalloc.h"

#define CELL_MAX    4096
#define COLUMNS_MAX 16

struct cmd_table {
	size_t columns;
	bool right[COLUMNS_MAX];
	char **cells;
	size_t ncells, cap;
};

/* Columns on a terminal, taking one for each character. */
static size_t
width_of(const char *text)
{
	struct span s = span_str(text);
	size_t n = 0;

	while (s.len > 0) {
		size_t len = utf8_char(s, NULL);

		s = span_skip(s, len > 0 ? len : 1);
		n++;
	}
	return n;
}

void
cmd_table_add(struct cmd_table *t, struct span text)
{
	struct buf cell;

	if (t->ncells == t->cap) {
		t->cap = t->cap > 0 ? t->cap * 2 : 64;
		t->cells = xreallocarray(t->cells, t->cap, sizeof *t->cells);
	}
	buf_init(&cell, 4 * CELL_MAX);
	log_escape(&cell, span_first(text, CELL_MAX));
	t->cells[t->ncells++] = buf_take(&cell);
}

void
cmd_table_addf(struct cmd_table *t, const char *fmt, ...)
{
	struct buf text;
	va_list ap;

	buf_init(&text, CELL_MAX);
	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	cmd_table_add(t, buf_span(&text));
	buf_release(&text);
}

struct cmd_table *
cmd_table_new(const char *titles)
{
	struct cmd_table *t = xcalloc(1, sizeof *t);
	struct span rest = span_str(titles);

	while (rest.p != NULL && t->columns < COLUMNS_MAX) {
		struct span title = span_cut(&rest, '|');

		t->right[t->columns] = span_starts_with(title, ">");
		cmd_table_add(t, span_skip(title, t->right[t->columns]));
		t->columns++;
	}
	return t;
}

void
cmd_table_free(struct cmd_table **tp)
{
	struct cmd_table *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	for (size_t i = 0; i < t->ncells; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}

/* Blanks are owed until something follows them: no line ends with one. */
static void
print_row(const struct cmd_table *t, size_t first, const size_t *widths, FILE *out)
{
	int owed = 0;

	for (size_t i = 0; i < t->columns; i++) {
		const char *cell = t->cells[first + i];
		int pad = (int)(widths[i] - width_of(cell));

		if (t->right[i])
			owed += pad;
		if (cell[0] != '\0') {
			fprintf(out, "%*s%s", owed, "", cell);
			owed = 0;
		}
		owed += t->right[i] ? 2 : pad + 2;
	}
	fputc('\n', out);
}

void
cmd_table_print(const struct cmd_table *t, FILE *out)
{
	size_t widths[COLUMNS_MAX] = {0}, rows = t->ncells / t->columns;

	if (rows < 2)
		return;
	for (size_t i = 0; i < rows * t->columns; i++) {
		size_t w = width_of(t->cells[i]);

		if (w > widths[i % t->columns])
			widths[i % t->columns] = w;
	}
	for (size_t row = 0; row < rows; row++)
		print_row(t, row * t->columns, widths, out);
}
