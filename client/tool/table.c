/* Tables for people: columns as wide as their widest cell. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/text.h"

void table_init(struct table *t, unsigned n_columns, const char *const *heads, uint32_t right)
{
	*t = (struct table){.n_columns = n_columns, .heads = heads, .right = right};
}

static bool grow(struct table *t)
{
	unsigned cap = t->cap ? t->cap * 2 : 64;
	struct table_cell *cells;

	if (t->n_cells < t->cap)
		return true;
	cells = realloc(t->cells, cap * sizeof *cells);
	if (!cells)
		return false;
	t->cells = cells;
	t->cap = cap;
	return true;
}

void table_cell(struct table *t, enum text_tint tint, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0 || !grow(t)) {
		if (n >= 0)
			free(text);
		t->failed = true;
		return;
	}
	t->cells[t->n_cells++] = (struct table_cell){text, tint};
}

/* Columns on the screen: UTF-8 characters, counted by their first bytes. */
static int width(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void print_cell(const struct table *t, FILE *f, unsigned column, int column_width, const char *text,
                       enum text_tint tint)
{
	int pad = column_width - width(text);
	bool right = t->right >> column & 1, last = column + 1 == t->n_columns;

	fprintf(f, "%s%*s%s%s%s%*s", column ? "  " : "", right ? pad : 0, "", tint ? text_on(f, tint) : "", text,
	        tint ? text_off(f) : "", right || last ? 0 : pad, "");
	if (last)
		fputc('\n', f);
}

void table_print(const struct table *t, FILE *f)
{
	int widths[TABLE_COLUMNS_MAX];

	for (unsigned c = 0; c < t->n_columns; c++) {
		widths[c] = width(t->heads[c]);
		for (unsigned i = c; i < t->n_cells; i += t->n_columns)
			if (width(t->cells[i].text) > widths[c])
				widths[c] = width(t->cells[i].text);
	}
	for (unsigned c = 0; c < t->n_columns; c++)
		print_cell(t, f, c, widths[c], t->heads[c], TINT_BOLD);
	for (unsigned i = 0; i < t->n_cells - t->n_cells % t->n_columns; i++)
		print_cell(t, f, i % t->n_columns, widths[i % t->n_columns], t->cells[i].text, t->cells[i].tint);
	if (t->failed)
		fprintf(f, "(out of memory: the table is incomplete)\n");
}

void table_close(struct table *t)
{
	for (unsigned i = 0; i < t->n_cells; i++)
		free(t->cells[i].text);
	free(t->cells);
	*t = (struct table){0};
}
