/* Signature lines of checkpoints: put together within the bounds of a note, and held against a member's keys. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/checkpoint_lines.h"

#include <string.h>

#include "ledger/errors.h"

static unsigned count_lines(const char *text, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

/* What follows the text's three lines and the blank one. */
unsigned lines_signatures(const struct board_note *n)
{
	unsigned lines = count_lines(n->text, n->len);

	return lines > 4 ? lines - 4 : 0;
}

struct gathering {
	char *buf;
	size_t cap, len;
	unsigned n; /* Signature lines. */
};

static bool gather(struct gathering *g, const char *text, size_t len)
{
	unsigned n = count_lines(text, len);

	if (len > g->cap - g->len)
		return false;
	if (g->n + n > LIMIT_NOTE_SIGNATURES_MAX)
		return true; /* Left out: readers need not accept more (signed-note). */
	memcpy(g->buf + g->len, text, len);
	g->len += len;
	g->n += n;
	return true;
}

/*
 * First what each member's current cosigner key has signed; then the further lines: of a log key that strangers go by,
 * and of keys that are being replaced.
 */
size_t lines_whole(const struct core *c, char *buf, size_t cap)
{
	struct gathering g = {.buf = buf, .cap = cap, .len = c->announced.len, .n = lines_signatures(&c->announced)};
	bool fits = g.len <= cap;

	if (fits)
		memcpy(buf, c->announced.text, g.len);
	for (unsigned i = 0; i < c->n_lines && fits; i++)
		fits = gather(&g, c->lines[i].text, c->lines[i].first);
	for (unsigned i = 0; i < c->n_lines && fits; i++) {
		const char *end = c->lines[i].text + c->lines[i].len;
		for (const char *at = c->lines[i].text + c->lines[i].first, *next; at < end && fits; at = next) {
			next = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
			fits = gather(&g, at, (size_t)(next - at));
		}
	}
	return fits ? g.len : 0;
}

bool lines_either(const struct note *n, const struct note_key keys[2])
{
	bool good = false;

	for (unsigned i = 0; i < 2; i++) {
		int err = keys[i].type ? note_verify(n, &keys[i], NULL) : CS_ERR_NOT_FOUND;
		if (err && err != CS_ERR_NOT_FOUND)
			return false;
		good |= err == 0;
	}
	return good;
}

static bool is_by(const struct note_signature *s, const struct note_key *k)
{
	return k->type && s->id == k->id && s->name_len == strlen(k->name) &&
	       memcmp(s->name, k->name, s->name_len) == 0;
}

bool lines_only_by(const struct note *n, unsigned from, const struct note_key log[2], const struct note_key cosigner[2])
{
	bool any = false, bad = false;

	for (unsigned i = from; i < n->n_signatures; i++) {
		bool log_line = is_by(&n->signatures[i], &log[0]) || is_by(&n->signatures[i], &log[1]);
		any |= log_line;
		bad |= !log_line && !is_by(&n->signatures[i], &cosigner[0]) && !is_by(&n->signatures[i], &cosigner[1]);
	}
	return !bad && (!any || lines_either(n, log));
}
