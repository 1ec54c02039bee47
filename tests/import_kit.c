/* What tests of imports share: a log's text as a file, read into events that lie in an array. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/import_kit.h"

#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void import_kit_open(struct import_kit *k)
{
	const char *tmp = getenv("TMPDIR");

	memset(k, 0, sizeof *k);
	snprintf(k->folder, sizeof k->folder, "%s/test_import.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	assert(mkdtemp(k->folder));
}

static void forget(struct import_kit *k)
{
	for (unsigned i = 0; i < k->n; i++)
		free(k->list[i]);
	k->n = 0;
	events_close(&k->events);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void import_kit_close(struct import_kit *k)
{
	forget(k);
	nftw(k->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void import_kit_put(struct import_kit *k, const char *name, const void *bytes, size_t size)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", k->folder, name);
	f = fopen(path, "w");
	assert(f);

	size_t done = fwrite(bytes, 1, size, f);
	int err = fclose(f);
	assert(done == size && !err);
}

void import_kit_read(struct import_kit *k, const char *name)
{
	char path[512], *paths[] = {path};
	struct event *e;
	int code;

	forget(k);
	snprintf(path, sizeof path, "%s%s%s", k->folder, name ? "/" : "", name ? name : "");
	code = events_read("test", paths, 1, &k->how, &k->events);
	assert(code == 0);
	while (sorter_take(k->events.sorter, &e) == 0 && e) {
		assert(k->n < KIT_EVENTS_MAX);
		k->list[k->n++] = e;
	}
}

void import_kit_text(struct import_kit *k, const char *format, const char *text)
{
	k->how.format = format ? format_named(format) : NULL;
	assert(!format || k->how.format);
	import_kit_put(k, "log", text, strlen(text));
	import_kit_read(k, "log");
}

const char *import_kit_attribute(const struct import_kit *k, unsigned i, const char *name)
{
	static char number[32];
	const struct cs_request *r = &k->list[i]->request;

	for (size_t a = 0; a < r->n_attributes; a++) {
		if (strcmp(r->attributes[a].name, name) != 0)
			continue;
		snprintf(number, sizeof number, "%lld", (long long)r->attributes[a].integer);
		return r->attributes[a].type == CS_STRING ? r->attributes[a].string : number;
	}
	return "(none)";
}

uint64_t import_kit_failed(const struct import_kit *k, const char *reason)
{
	for (unsigned i = 0; i < k->events.n_failed; i++)
		if (!strcmp(k->events.failed[i].reason, reason))
			return k->events.failed[i].n;
	return 0;
}

const char *import_kit_words(const struct import_kit *k, unsigned i)
{
	static char text[1024];
	const struct cs_request *r = &k->list[i]->request;

	assert(i < k->n);
	snprintf(text, sizeof text, "%s:%s %s %s:%s", r->subject_type, r->subject_id, r->action, r->resource_type,
	         r->resource_id);
	return text;
}
