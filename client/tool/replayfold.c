/* Replay's second level: every signal again from history, by the very code that nodes run; entries byte for byte. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/replay.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"
#include "node/evidence/verify.h"

/* --- the spans --- */

static struct replay_span *span(struct replay *r, bool played, const char *why)
{
	struct replay_span *last = r->n_spans ? &r->spans[r->n_spans - 1] : NULL;

	if (!last || (last->played != played && r->n_spans < REPLAY_SPANS_MAX)) {
		last = &r->spans[r->n_spans++];
		*last = (struct replay_span){.first = r->entry.e.index, .end = r->entry.e.index, .played = played};
		snprintf(last->why, sizeof last->why, "%s", why);
	}
	return last;
}

static void drop_state(struct replay *r)
{
	state_free(r->s);
	r->s = NULL;
	replaystate_close(&r->records);
}

/* History breaks off here. */
static int break_off(struct replay *r, const char *format, const char *detail)
{
	char why[REPLAY_WHY_SIZE];

	snprintf(why, sizeof why, format, detail);
	span(r, false, why)->end = r->entry.e.index + 1;
	drop_state(r);
	return 0;
}

/* --- where it begins --- */

static int read_given(struct replay *r)
{
	int err = replaystate_read(&r->given, r->state_path, &r->given_head);

	if (err == CS_ERR_IO)
		return tool_fail(EXIT_LOCAL, r->command, "%s: %s", r->state_path, strerror(errno));
	if (err == CS_ERR_MALFORMED)
		return tool_fail(EXIT_USAGE, r->command, "%s: no state of `countersign replay --save-state`",
		                 r->state_path);
	if (err)
		return tool_fail(err == CS_ERR_NOMEM ? EXIT_LOCAL : REPLAY_UNDECIDED, r->command, "%s: %s",
		                 r->state_path, err_text(err));
	if (r->given_head.size == 0 || r->given_head.size > r->ledger.size)
		return tool_fail(REPLAY_UNDECIDED, r->command,
		                 "%s: it is of %" PRIu64 " entries, the ledger has %" PRIu64, r->state_path,
		                 r->given_head.size, r->ledger.size);
	return 0;
}

int replayfold_open(struct replay *r)
{
	int code = r->state_path ? read_given(r) : 0;

	if (code)
		return code;
	evidence_init();
	r->exact = true;
	r->c = calloc(1, sizeof *r->c);
	r->out = calloc(1, sizeof *r->out);
	/* Who wants the end only, and has a state on the way there, need not have the beginning played. */
	bool from_genesis = !r->state_path || r->from < r->given_head.size;
	int err = !r->c || !r->out ? CS_ERR_NOMEM : from_genesis ? state_new(NULL, &r->s) : 0;
	if (err)
		return tool_fail(EXIT_LOCAL, r->command, "%s", err_text(err));
	r->c->ledger = &r->ledger;
	return 0;
}

void replayfold_close(struct replay *r)
{
	drop_state(r);
	replaystate_close(&r->given);
	state_free(r->stored);
	free(r->c);
	free(r->out);
}

/* --- the state that was given --- */

static int genesis_payload(struct replay *r, const uint8_t **ret, size_t *ret_len)
{
	struct replay_entry *first = &r->c->earlier;
	int err = replayledger_entry(&r->ledger, 0, first);

	*ret = first->e.public_;
	*ret_len = first->e.public_len;
	return err;
}

static int differs_plainly(struct replay *r, const char *what, const char *ours, const char *ledger)
{
	r->difference = replaydiff_plain(2, r->entry.e.index, entry_kind_text(r->entry.e.kind), what, ours, ledger);
	return r->difference ? 0 : tool_fail(EXIT_LOCAL, r->command, "out of memory");
}

static void digest_text(char ret[2 * HASH_SIZE + 1], const struct hash *h)
{
	for (unsigned i = 0; i < HASH_SIZE; i++)
		snprintf(ret + 2 * i, 3, "%02x", h->b[i]);
}

/* Both know the state before the entry at hand. */
static int compare_given(struct replay *r)
{
	char ours[2 * HASH_SIZE + 1], theirs[2 * HASH_SIZE + 1];
	struct hash h;

	if (!r->exact)
		return 0;
	int err = state_take_dirty(r->s, replaystate_put, &r->records);
	if (err)
		return tool_fail(EXIT_LOCAL, r->command, "%s", err_text(err));
	multiset_digest(&r->records.sum, &h);
	digest_text(ours, &h);
	multiset_digest(&r->given.sum, &h);
	digest_text(theirs, &h);
	return strcmp(ours, theirs) == 0 ? 0 : differs_plainly(r, "state in the file that was given", ours, theirs);
}

static int take_given(struct replay *r)
{
	const uint8_t *payload;
	struct state_head head;
	size_t len;
	int err = genesis_payload(r, &payload, &len);

	if (!err)
		err = replaystate_load(&r->given, payload, len, &r->s);
	if (err)
		return tool_fail(REPLAY_UNDECIDED, r->command, "%s: %s", r->state_path,
		                 err == CS_ERR_DAMAGED ? "its records do not make up a state" : err_text(err));
	state_head(r->s, &head);
	if (head.size != r->given_head.size || !hash_equal(&head.last_leaf, &r->last)) {
		drop_state(r);
		return tool_fail(REPLAY_UNDECIDED, r->command,
		                 "%s: it is not of this ledger: another entry %" PRIu64 " came before", r->state_path,
		                 r->entry.e.index - 1);
	}
	r->records = r->given;
	memset(&r->given, 0, sizeof r->given);
	r->from_state = r->exact = true;
	const struct replay_digest *d = replayledger_digest(&r->ledger, head.size);
	struct hash ours;
	multiset_digest(&r->records.sum, &ours);
	if (!d)
		return 0; /* One further on will tell. */
	if (hash_equal(&d->digest, &ours)) {
		r->proven_by = d->index;
		return 0;
	}
	char a[2 * HASH_SIZE + 1], b[2 * HASH_SIZE + 1];
	digest_text(a, &ours);
	digest_text(b, &d->digest);
	return differs_plainly(r, "state in the file that was given", a, b);
}

/* --- what is in no entry --- */

/* Sealed secrets are in the state of whoever has a store of the time. */
static bool sealed(void *ctx, struct text name, const struct hash *h, const uint8_t **ret, size_t *ret_len)
{
	struct replay *r = ctx;
	struct replaystate all = {0};
	const uint8_t *payload;
	struct hash found;
	size_t len;

	if (!r->stored && !replaystate_of_store(&all, r->ledger.view) && !genesis_payload(r, &payload, &len) &&
	    replaystate_load(&all, payload, len, &r->stored))
		r->stored = NULL;
	replaystate_close(&all);
	const struct credential *c = r->stored ? state_credential_by_name(r->stored, name.s, name.len) : NULL;
	if (!c || !c->data)
		return false;
	hash_bytes(&found, c->data, c->data_len);
	*ret = c->data;
	*ret_len = c->data_len;
	return hash_equal(&found, h);
}

/* --- entry by entry --- */

/* 0: the entry came out again, byte for byte; or r->difference is set. */
static int decide_entry(struct replay *r)
{
	const struct replay_entry *e = &r->entry;
	struct decide_out *o = r->out;

	decide_again(r->s, e->e.time_ms, r->c->bytes, r->c->len, &r->c->recall, o);
	if (o->outcome == DECIDE_REFUSED && o->err == CS_ERR_NOMEM)
		return tool_fail(EXIT_LOCAL, r->command, "out of memory");
	if (o->outcome != DECIDE_ENTRY)
		r->difference = replaydiff_entry(
		        e, NULL, o->outcome == DECIDE_REPEAT ? "the request was answered before" : o->text);
	else if (o->leaf_len != e->leaf_len || memcmp(o->leaf, e->leaf, e->leaf_len) != 0)
		r->difference = replaydiff_entry(e, o, NULL);
	else
		return 0;
	return r->difference ? 0 : tool_fail(EXIT_LOCAL, r->command, "out of memory");
}

static int save(struct replay *r)
{
	struct state_head head;

	state_head(r->s, &head);
	int err = replaystate_save(&r->records, &head, r->save_path);
	if (err)
		return tool_fail(EXIT_LOCAL, r->command, "%s: %s", r->save_path, strerror(err));
	r->saved = true;
	r->saved_size = head.size;
	return 0;
}

/* The last one up to where it ends: that state is what the next replay resumes from. */
static bool is_last(const struct replay *r, const struct replay_digest *d)
{
	const struct replay_digest *next = replayledger_digest_after(&r->ledger, d->size + 1);

	return !next || next->size > r->to;
}

/* Behind the entry at hand. */
static int look_at_digest(struct replay *r)
{
	const struct replay_digest *d = replayledger_digest(&r->ledger, r->entry.e.index + 1);
	char a[2 * HASH_SIZE + 1], b[2 * HASH_SIZE + 1];
	struct hash ours;

	if (!d)
		return 0;
	if (!r->exact) {
		r->n_digests_passed++;
		return 0;
	}
	int err = state_take_dirty(r->s, replaystate_put, &r->records);
	if (err)
		return tool_fail(EXIT_LOCAL, r->command, "%s", err_text(err));
	multiset_digest(&r->records.sum, &ours);
	if (!hash_equal(&ours, &d->digest)) {
		digest_text(a, &ours);
		digest_text(b, &d->digest);
		return differs_plainly(r, "state behind it", a, b);
	}
	r->n_digests++;
	if (r->from_state && !r->proven_by)
		r->proven_by = d->index;
	return r->save_path && is_last(r, d) ? save(r) : 0;
}

/* By which entry, if the store has kept that. */
static int erased(struct replay *r)
{
	char by[64] = "";
	struct store_erasure e;
	unsigned n = 0;

	if (store_view_erased(r->ledger.view, r->entry.e.index, &e, 1, &n) == 0 && n > 0)
		snprintf(by, sizeof by, ", by entry %" PRIu64, e.by);
	return break_off(r, "its private fields are erased%s", by);
}

/* Of a ledger that was restored: its state is that of another one, carried over (node/decide/state_carry.h). */
static bool carries_on(const struct replay *r)
{
	struct genesis g;

	return r->entry.e.kind == ENTRY_GENESIS && genesis_decode(&g, r->entry.e.public_, r->entry.e.public_len) == 0 &&
	       g.restored;
}

/* Its state is that of the ledger before, carried over. */
static int cross(struct replay *r)
{
	const char *obstacle = replaybefore_obstacle(r);
	int code = obstacle ? 0 : replaybefore_found(r, &obstacle);

	if (code || r->difference)
		return code;
	if (obstacle)
		return break_off(r, "%s", obstacle);
	int err = state_take_dirty(r->s, replaystate_put, &r->records);
	if (err)
		return tool_fail(EXIT_LOCAL, r->command, "%s", err_text(err));
	span(r, true, "")->end = r->entry.e.index + 1;
	return look_at_digest(r);
}

static int play(struct replay *r)
{
	int err;

	if (carries_on(r))
		return cross(r);
	if (r->entry.erased)
		return erased(r);
	r->c->sealed = sealed;
	r->c->sealed_ctx = r;
	err = replaycommand_make(r->c, r->s, &r->entry);
	if (err == CS_ERR_ERASED)
		return break_off(r, "what it rests on is erased: %s", r->c->why);
	if (err == CS_ERR_VERSION)
		return break_off(r, "%s", r->c->why);
	if (err == CS_ERR_NOMEM)
		return tool_fail(EXIT_LOCAL, r->command, "out of memory");
	r->exact &= !r->c->stands_in;
	if (err) {
		r->difference = replaydiff_entry(&r->entry, NULL, r->c->why);
		return r->difference ? 0 : tool_fail(EXIT_LOCAL, r->command, "out of memory");
	}
	int code = decide_entry(r);
	if (code || r->difference)
		return code;
	span(r, true, "")->end = r->entry.e.index + 1;
	return look_at_digest(r);
}

int replayfold_entry(struct replay *r)
{
	bool here = r->state_path && r->given_head.size == r->entry.e.index && r->given.n > 0;
	int code = here ? r->s ? compare_given(r) : take_given(r) : 0;

	if (!code && !r->difference && r->entry.e.index == r->keep_size)
		code = replaybefore_keep(r);
	if (code || r->difference)
		return code;
	if (r->s)
		return play(r);
	span(r, false, "before the state that was given")->end = r->entry.e.index + 1;
	return 0;
}

/* No digest lay on the way: the state where it ended is kept all the same; one of the next visit's will prove
 * it. */
int replayfold_end(struct replay *r)
{
	if (r->carried_on && r->keep_size == r->to && !r->difference)
		return replaybefore_keep(r);
	if (!r->save_path || r->saved || r->difference)
		return 0;
	if (!r->s || !r->exact)
		return tool_fail(REPLAY_UNDECIDED, r->command, "%s: not written: %s", r->save_path,
		                 r->s ? "a sealed secret is not at hand, so that the state is not whole"
		                      : "history could not be played to the end");
	int err = state_take_dirty(r->s, replaystate_put, &r->records);
	return err ? tool_fail(EXIT_LOCAL, r->command, "%s", err_text(err)) : save(r);
}
