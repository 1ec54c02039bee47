/* A past event as a request: strings within a request's bounds, attributes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/event.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/hash.h"

/* --- strings --- */

/* How many bytes the character at s has, of len that are there; 0: it is no UTF-8, or NUL. */
static size_t character(const char *s, size_t len)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	return c && n <= len && utf8_valid(s, n) ? n : 0;
}

void past_keep_part(const char *s, size_t len, char *ret, size_t cap)
{
	char mark[1 + 16 + 1] = "#";
	size_t at = 0, n;
	struct hash h;

	for (size_t i = 0, cut = len < cap ? cap - 1 : cap - sizeof mark; i < len; i += n ? n : 1) {
		n = character(s + i, len - i);
		if (at + (n ? n : 1) > cut)
			break;
		memcpy(ret + at, n ? s + i : "?", n ? n : 1);
		at += n ? n : 1;
	}
	ret[at] = 0;
	if (len < cap)
		return;
	hash_bytes(&h, s, len);
	sodium_bin2hex(mark + 1, sizeof mark - 1, h.b, 8);
	memcpy(ret + at, mark, sizeof mark);
}

void past_keep(const char *s, char *ret, size_t cap)
{
	past_keep_part(s, strlen(s), ret, cap);
}

/* --- attributes --- */

static struct past_attribute *add(struct past_event *e, const char *name, enum cs_type type)
{
	struct past_attribute *a = &e->attributes[e->n_attributes];

	if (e->n_attributes == PAST_ATTRIBUTES_MAX)
		return NULL;
	past_keep(name, a->name, sizeof a->name);
	for (unsigned i = 0; i < e->n_attributes; i++)
		if (!strcmp(e->attributes[i].name, a->name))
			return NULL;
	e->n_attributes++;
	a->type = type;
	a->integer = 0;
	*a->string = 0;
	return a;
}

void past_add_part(struct past_event *e, const char *name, const char *s, size_t len)
{
	struct past_attribute *a = len ? add(e, name, CS_STRING) : NULL;

	if (a)
		past_keep_part(s, len, a->string, sizeof a->string);
}

void past_add_text(struct past_event *e, const char *name, const char *s)
{
	if (s)
		past_add_part(e, name, s, strlen(s));
}

void past_add_integer(struct past_event *e, const char *name, int64_t v)
{
	struct past_attribute *a = add(e, name, CS_INTEGER);

	if (a)
		a->integer = v;
}

void past_add_boolean(struct past_event *e, const char *name, bool v)
{
	struct past_attribute *a = add(e, name, CS_BOOLEAN);

	if (a)
		a->integer = v;
}

bool past_address(const char *text, char ret[64])
{
	unsigned char a[sizeof(struct in6_addr)];
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	return inet_pton(family, text, a) == 1 && inet_ntop(family, a, ret, 64);
}

void past_add_source(struct past_event *e, const char *source)
{
	char address[64];

	if (source && past_address(source, address))
		past_add_text(e, "ip", address);
	else
		past_add_text(e, "via", source);
}
