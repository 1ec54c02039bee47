/* What `countersign watch` has seen, in numbers: rate, verdicts, alerts, what is waiting; and the line that says so. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/watchcount.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ledger/bytes.h"
#include "node/decide/policy_form.h"

#define REFERS_TO                                                                                                      \
	6 /* Behind the six public fields of a decision: the index of the entry that is carried on (FORMAT.md). */

static void open_remove(struct watchopen *o, unsigned i)
{
	o->n--;
	memmove(o->rows + i, o->rows + i + 1, (o->n - i) * sizeof *o->rows);
}

static void open_add(struct watchopen *o, uint64_t index, uint64_t expiry_ms)
{
	if (o->n == WATCHCOUNT_OPEN_MAX) {
		open_remove(o, 0);
		o->cut = true;
	}
	o->rows[o->n].index = index;
	o->rows[o->n++].expiry_ms = expiry_ms;
}

static void open_end(struct watchopen *o, uint64_t index)
{
	for (unsigned i = 0; i < o->n; i++)
		if (o->rows[i].index == index) {
			open_remove(o, i);
			return;
		}
}

static void open_expire(struct watchopen *o, uint64_t now_ms)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < o->n; i++)
		if (!o->rows[i].expiry_ms || o->rows[i].expiry_ms >= now_ms)
			o->rows[kept++] = o->rows[i];
	o->n = kept;
}

/* [nonce, expiry in ms, level, [method…]]; who may not see it knows how long the longest one is open. */
static uint64_t challenge_expiry(const struct entryview *v)
{
	const struct field *f = body_find(v->fields, v->n_fields, FIELD_CHALLENGE);
	const uint8_t *skipped;
	uint64_t expiry_ms = 0;
	struct reader r;
	size_t len;

	if (!f)
		return v->entry.time_ms + POLICY_CHALLENGE_MS_MAX;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 4);
	reader_skip(&r, &skipped, &len);
	reader_uint(&r, UINT64_MAX, &expiry_ms);
	return r.err ? v->entry.time_ms : expiry_ms;
}

static void follow_open(struct watchcount *c, const struct entryview *v)
{
	uint64_t before = 0;

	if (!v->verdict || v->entry.kind == ENTRY_IMPORTED)
		return;
	if (v->entry.kind != ENTRY_DECISION && entryview_number(v, REFERS_TO, &before)) {
		open_end(&c->challenges, before);
		if (v->verdict != CS_DEFER)
			open_end(&c->deferred, before);
	}
	if (v->verdict == CS_STEP_UP)
		open_add(&c->challenges, v->entry.index, challenge_expiry(v));
	if (v->verdict == CS_DEFER && v->entry.kind == ENTRY_DECISION)
		open_add(&c->deferred, v->entry.index, 0);
}

void watchcount_init(struct watchcount *c, uint64_t clock_ms)
{
	memset(c, 0, sizeof *c);
	c->start_s = clock_ms / 1000;
}

void watchcount_add(struct watchcount *c, const struct entryview *v, bool alert, uint64_t clock_ms)
{
	uint64_t second = clock_ms / 1000;
	size_t slot = second % WATCHCOUNT_RATE_S;

	if (c->rate[slot].second != second)
		c->rate[slot].n = 0;
	c->rate[slot].second = second;
	c->rate[slot].n++;
	c->seen++;
	c->alerts += alert;
	c->verdicts[v->verdict]++;
	follow_open(c, v);
}

void watchcount_waits(struct watchcount *c, uint64_t index)
{
	open_add(&c->deferred, index, 0);
}

/* Entries a second, in tenths. */
static uint64_t rate_tenths(const struct watchcount *c, uint64_t clock_ms)
{
	uint64_t second = clock_ms / 1000, passed = second - c->start_s + 1, n = 0;

	for (unsigned i = 0; i < WATCHCOUNT_RATE_S; i++)
		if (c->rate[i].second + WATCHCOUNT_RATE_S > second)
			n += c->rate[i].n;
	return 10 * n / (passed < WATCHCOUNT_RATE_S ? passed : WATCHCOUNT_RATE_S);
}

void watchcount_text(struct watchcount *c, uint64_t clock_ms, uint64_t now_ms, char ret[WATCHCOUNT_TEXT_SIZE])
{
	uint64_t tenths = rate_tenths(c, clock_ms);
	size_t n;

	open_expire(&c->challenges, now_ms);
	open_expire(&c->deferred, now_ms);
	n = (size_t)snprintf(ret, WATCHCOUNT_TEXT_SIZE, "%" PRIu64 ".%" PRIu64 "/s", tenths / 10, tenths % 10);
	for (int verdict = CS_ALLOW; verdict <= CS_DENY; verdict++)
		n += (size_t)snprintf(ret + n, WATCHCOUNT_TEXT_SIZE - n, "  %s %" PRIu64, cs_verdict_text(verdict),
		                      c->verdicts[verdict]);
	snprintf(ret + n, WATCHCOUNT_TEXT_SIZE - n, "  waiting %u%s  challenges %u%s  alerts %" PRIu64, c->deferred.n,
	         c->deferred.cut ? "+" : "", c->challenges.n, c->challenges.cut ? "+" : "", c->alerts);
}
