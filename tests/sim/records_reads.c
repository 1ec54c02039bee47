/* The log of readers: whatever private the auditor was given stands in it, and stood in it before. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "node/decide/command_reads.h"
#include "tests/sim/client_internal.h"
#include "tests/sim/os.h"
#include "tests/sim/records_internal.h"

#define READINGS_MAX 16384

/* What the auditor was given, in order. */
static struct reading {
	unsigned node, what;
	uint64_t index, fields, size; /* Entries there were at most when it was given. */
} readings[READINGS_MAX];
static unsigned n_readings;

/* Rows of the ledger that name it. */
struct readers {
	unsigned node, n;
	char name[32];
	struct row {
		unsigned what, node;
		uint64_t at, first, last, fields;
	} rows[READINGS_MAX];
};

void records_read(unsigned node, unsigned what, uint64_t index, uint64_t fields, uint64_t size)
{
	if (n_readings == READINGS_MAX)
		os_fail(node, "the auditor reads more than the simulator remembers");
	readings[n_readings++] = (struct reading){node, what, index, fields, size};
}

struct readers *readers_new(unsigned node)
{
	struct readers *l = calloc(1, sizeof *l);

	if (!l)
		os_fail(node, "out of memory");
	l->node = node;
	snprintf(l->name, sizeof l->name, "client-%u", client_last());
	return l;
}

/* [reader's id, its name, what, first, last, reads, entries, fields] */
static void take_row(struct readers *l, struct reader *r, uint64_t at, unsigned node)
{
	uint64_t id, what = 0, reads, entries;
	struct row row = {.at = at, .node = node};
	const char *name = "";
	size_t len = 0;

	reader_array_exact(r, 8);
	reader_uint(r, UINT64_MAX, &id);
	reader_str(r, 64, &name, &len);
	reader_uint(r, READ_HISTORY, &what);
	reader_uint(r, UINT64_MAX, &row.first);
	reader_uint(r, UINT64_MAX, &row.last);
	reader_uint(r, UINT64_MAX, &reads);
	reader_uint(r, UINT64_MAX, &entries);
	reader_uint(r, UINT64_MAX, &row.fields);
	row.what = (unsigned)what;
	if (r->err || len != strlen(l->name) || memcmp(name, l->name, len) != 0)
		return;
	if (l->n == READINGS_MAX)
		os_fail(l->node, "the log of readers is longer than the simulator remembers");
	l->rows[l->n++] = row;
}

/* [node, [row…]] */
void readers_entry(struct readers *l, const struct entry *e)
{
	const char *node = "";
	size_t len = 0;
	struct reader r;
	uint32_t n = 0;

	if (e->kind != ENTRY_READ)
		return;
	reader_init(&r, e->public_, e->public_len);
	reader_array_exact(&r, 2);
	reader_str(&r, 64, &node, &len);
	reader_array(&r, READ_ROWS_MAX, &n);
	for (uint32_t i = 0; i < n; i++)
		take_row(l, &r, e->index, len ? (unsigned)(node[len - 1] - '0') : 0);
	if (reader_end(&r))
		os_fail(l->node, "entry %" PRIu64 " of the log of readers cannot be read", e->index);
}

/* A proof is named each time; who goes on reading was named when it began (node/readlog.h). */
static bool logged(const struct readers *l, const struct reading *g)
{
	for (unsigned i = 0; i < l->n; i++) {
		const struct row *w = &l->rows[i];
		if (w->what != g->what || w->node != g->node || w->at >= g->size)
			continue;
		if (g->what != READ_PROOF ||
		    (w->first <= g->index && g->index <= w->last && (w->fields & g->fields) == g->fields))
			return true;
	}
	return false;
}

void readers_end(struct readers *l)
{
	for (unsigned i = 0; i < n_readings; i++)
		if (!logged(l, &readings[i]))
			os_fail(readings[i].node,
			        "private fields (%" PRIx64 ") were read there, in way %u, of entry %" PRIu64
			        ", before the ledger of %" PRIu64 " entries said so",
			        readings[i].fields, readings[i].what, readings[i].index, readings[i].size);
	free(l);
}
