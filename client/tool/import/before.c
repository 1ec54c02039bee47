/* Which events of these files the ledger has already: an import that is tried again does nothing twice. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/before.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/tool/tool.h"
#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/format.h"

#define PAGE_ENTRIES  256  /* As many as one page of the library holds. */
#define BEHIND_MS     5000 /* A node that lags is given so long to have an entry. */
#define LEADER_TRIES  100  /* Of finding who leads, */
#define LEADER_MS     100  /* so long after one another. */
#define SOURCE_TEXT   256  /* Of format and file. */
#define SOURCE_VALUES 5

struct before {
	const struct events *events;
	unsigned n;       /* Files, in the order of their hashes. */
	unsigned *sorted; /* Their numbers. */
	uint8_t **bits;   /* By file: a bit for each position; NULL: the ledger has none of it. */
};

/* --- files by hash --- */

static int by_hash(const void *a, const void *b, void *files)
{
	const struct events_file *f = files;

	return memcmp(f[*(const unsigned *)a].hash, f[*(const unsigned *)b].hash, sizeof f->hash);
}

/* The file of this hash that is read, -1: none. */
static int file_of(const struct before *b, const uint8_t hash[32])
{
	unsigned low = 0, high = b->n;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		int order = memcmp(hash, b->events->files[b->sorted[middle]].hash, 32);

		if (!order)
			return (int)b->sorted[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

static struct before *new_before(const struct events *e)
{
	struct before *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->events = e;
	b->sorted = calloc(e->n_files + 1, sizeof *b->sorted);
	b->bits = calloc(e->n_files + 1, sizeof *b->bits);
	if (!b->sorted || !b->bits) {
		before_close(b);
		return NULL;
	}
	for (unsigned i = 0; i < e->n_files; i++)
		if (e->files[i].records && !e->files[i].same)
			b->sorted[b->n++] = i;
	qsort_r(b->sorted, b->n, sizeof *b->sorted, by_hash, e->files);
	return b;
}

/* --- entries --- */

static int mark(struct before *b, const uint8_t hash[32], uint64_t position)
{
	int file = file_of(b, hash);
	uint64_t records = file < 0 ? 0 : b->events->files[file].records;

	if (position >= records)
		return 0;
	if (!b->bits[file])
		b->bits[file] = calloc(1, (size_t)(records / 8 + 1));
	if (!b->bits[file])
		return CS_E_NOMEM;
	b->bits[file][position / 8] |= (uint8_t)(1u << position % 8);
	return 0;
}

/* The source field: [format, file, file's hash, position, time]. */
static int take_source(struct before *b, const struct field *source)
{
	uint8_t hash[32] = {0};
	uint64_t position = 0;
	const char *text;
	struct reader r;
	size_t len;

	reader_init(&r, source->value, source->value_len);
	reader_array_exact(&r, SOURCE_VALUES);
	reader_str(&r, SOURCE_TEXT, &text, &len);
	reader_str(&r, SOURCE_TEXT, &text, &len);
	reader_bin_exact(&r, hash, sizeof hash);
	reader_uint(&r, UINT64_MAX, &position);
	return r.err ? CS_E_MALFORMED : mark(b, hash, position);
}

static int take_entry(struct before *b, const struct cs_entry *e, uint64_t index)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	const struct field *source;
	struct entry entry;
	unsigned n = 0;
	int err = entry_decode(&entry, e->leaf, e->leaf_size);

	if (err)
		return err;
	if (entry.index != index)
		return CS_E_REFUTED;
	if (entry.kind != ENTRY_IMPORTED)
		return 0;
	if (!e->body)
		return CS_E_NOT_PERMITTED;
	err = body_decode(fields, &n, e->body, e->body_size);
	if (!err)
		err = body_check(&entry, fields, n);
	source = err ? NULL : body_find(fields, n, FIELD_SOURCE);
	return source ? take_source(b, source) : err;
}

static int take_page(struct before *b, const cs_page *page, uint64_t first)
{
	int err = 0;

	for (size_t i = 0; i < page->n && !err; i++)
		err = take_entry(b, &page->entries[i], first + i);
	return err;
}

/* --- the ledger --- */

/* What a node says of itself. */
static int status_of(cs_client *client, uint64_t node, json_t **ret)
{
	char *text = NULL;
	int err = cs_status(client, node, &text);

	*ret = err ? NULL : json_loads(text, 0, NULL);
	free(text);
	return err;
}

static uint64_t number(const json_t *status, const char *name)
{
	json_int_t v = json_integer_value(json_object_get(status, name));

	return v > 0 ? (uint64_t)v : 0;
}

/*
 * The entries that the leader has: others may lag, and what was imported a moment ago would be missing from the search.
 * Whoever is asked names the leader; the leader says that it is.
 */
static int leaders_size(cs_client *client, uint64_t *ret)
{
	const struct timespec pause = {.tv_nsec = LEADER_MS * 1000000L};

	for (unsigned i = 0; i < LEADER_TRIES; i++) {
		json_t *one, *leader = NULL;
		int err = status_of(client, 0, &one);
		const char *role;

		if (!err && number(one, "leader_id"))
			err = status_of(client, number(one, "leader_id"), &leader);
		role = json_string_value(json_object_get(leader, "role"));
		bool leads = role && !strcmp(role, "leader");
		*ret = number(leader, "size");
		json_decref(one);
		json_decref(leader);
		if (leads || err == CS_E_UNAUTHENTICATED)
			return err;
		nanosleep(&pause, NULL);
	}
	return CS_E_NO_QUORUM;
}

static int search(cs_client *client, struct before *b, void (*progress)(uint64_t index, uint64_t size))
{
	uint64_t first = 0, size = 0;
	int err = leaders_size(client, &size);

	if (err)
		return err;
	for (;;) {
		bool behind = first < size;
		cs_page *page = NULL;
		size_t n;

		err = cs_entries(client, first, PAGE_ENTRIES, behind ? BEHIND_MS : 0, &page);
		if (err)
			return err;
		n = page->n;
		size = page->size > size ? page->size : size;
		err = take_page(b, page, first);
		cs_page_free(page);
		if (err)
			return err;
		first += n;
		if (progress)
			progress(first, size);
		/* What has come while nobody was waiting for it (that we read is an entry, too) is asked for again. */
		if (!n && (behind || first >= size))
			return first < size ? CS_E_NOT_READY : 0;
	}
}

int before_search(const char *command, cs_client *client, const struct events *e,
                  void (*progress)(uint64_t index, uint64_t size), struct before **ret)
{
	struct before *b = new_before(e);
	int err = b ? search(client, b, progress) : CS_E_NOMEM;

	if (!err) {
		*ret = b;
		return 0;
	}
	before_close(b);
	if (err == CS_E_NOT_PERMITTED)
		return tool_fail(
		        EXIT_REFUSED, command,
		        "what was imported before cannot be seen: the key needs the role audit beside import, or "
		        "--again imports without looking");
	return tool_failed_call(command, "looking for what was imported before", err);
}

bool before_has(const struct before *b, unsigned file, uint64_t position)
{
	return b && b->bits[file] && b->bits[file][position / 8] & 1u << position % 8;
}

void before_close(struct before *b)
{
	if (!b)
		return;
	for (unsigned i = 0; b->bits && i < b->events->n_files; i++)
		free(b->bits[i]);
	free(b->bits);
	free(b->sorted);
	free(b);
}
