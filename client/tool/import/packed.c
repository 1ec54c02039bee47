/* Past events as bytes: how they wait in memory and in a temporary file until their turn. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/packed.h"

#include <stdlib.h>
#include <string.h>

#include "client/tool/import/sorter.h"

/* In the order of the bytes. */
#define AT_TIME       4
#define AT_POSITION   12
#define AT_FILE       20
#define AT_ATTRIBUTES 24
#define AT_ACTOR      25

static uint8_t *put(uint8_t *to, const char *s)
{
	return (uint8_t *)stpcpy((char *)to, s) + 1;
}

static uint8_t *put_attribute(uint8_t *to, const struct past_attribute *a)
{
	*to++ = (uint8_t)a->type;
	to = put(to, a->name);
	if (a->type == CS_STRING)
		return put(to, a->string);
	memcpy(to, &a->integer, sizeof a->integer);
	return to + sizeof a->integer;
}

size_t packed_write(const struct past_event *e, unsigned file, uint64_t position, uint8_t *ret)
{
	uint8_t *to = ret + PACKED_HEAD_SIZE;
	uint32_t size, file32 = file;

	to = put(to, e->subject_type);
	to = put(to, e->subject_id);
	to = put(to, e->actor_type);
	to = put(to, e->actor_id);
	to = put(to, e->action);
	to = put(to, e->resource_type);
	to = put(to, e->resource_id);
	for (unsigned i = 0; i < e->n_attributes; i++)
		to = put_attribute(to, &e->attributes[i]);
	size = (uint32_t)(to - ret);
	memcpy(ret, &size, sizeof size);
	memcpy(ret + AT_TIME, &e->time_ms, sizeof e->time_ms);
	memcpy(ret + AT_POSITION, &position, sizeof position);
	memcpy(ret + AT_FILE, &file32, sizeof file32);
	ret[AT_ATTRIBUTES] = (uint8_t)e->n_attributes;
	ret[AT_ACTOR] = *e->actor_id != 0;
	return size;
}

size_t packed_size(const uint8_t *bytes)
{
	uint32_t size;

	memcpy(&size, bytes, sizeof size);
	return size;
}

struct packed_key packed_key(const uint8_t *bytes)
{
	struct packed_key k;

	memcpy(&k.time_ms, bytes + AT_TIME, sizeof k.time_ms);
	memcpy(&k.position, bytes + AT_POSITION, sizeof k.position);
	memcpy(&k.file, bytes + AT_FILE, sizeof k.file);
	return k;
}

int packed_compare(const struct packed_key *a, const struct packed_key *b)
{
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	return a->position < b->position ? -1 : a->position > b->position;
}

static const char *take(const char **at)
{
	const char *s = *at;

	*at = s + strlen(s) + 1;
	return s;
}

static void take_attribute(const char **at, struct cs_attribute *ret)
{
	ret->type = (enum cs_type) * (*at)++;
	ret->name = take(at);
	if (ret->type == CS_STRING) {
		ret->string = take(at);
		return;
	}
	memcpy(&ret->integer, *at, sizeof ret->integer);
	*at += sizeof ret->integer;
}

struct event *packed_read(const uint8_t *bytes)
{
	size_t n = bytes[AT_ATTRIBUTES], strings = packed_size(bytes) - PACKED_HEAD_SIZE;
	struct event *e = calloc(1, sizeof *e + n * sizeof(struct cs_attribute) + strings);
	struct packed_key key = packed_key(bytes);
	struct cs_attribute *a;
	const char *at;

	if (!e)
		return NULL;
	a = (struct cs_attribute *)(e + 1);
	at = memcpy(a + n, bytes + PACKED_HEAD_SIZE, strings);
	e->time_ms = key.time_ms;
	e->position = key.position;
	e->file = key.file;
	e->request.subject_type = take(&at);
	e->request.subject_id = take(&at);
	e->request.actor_type = take(&at);
	e->request.actor_id = take(&at);
	if (!bytes[AT_ACTOR])
		e->request.actor_type = e->request.actor_id = NULL;
	e->request.action = take(&at);
	e->request.resource_type = take(&at);
	e->request.resource_id = take(&at);
	for (size_t i = 0; i < n; i++)
		take_attribute(&at, &a[i]);
	e->request.n_attributes = n;
	e->request.attributes = a;
	return e;
}
