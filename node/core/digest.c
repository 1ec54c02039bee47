/* The state's digest at the same places on every node: who differs from the others stops; some become entries. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/digest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/log.h"

/* So long a member that differs from the leader waits for what the others say: perhaps it is the leader that errs. */
#define PATIENCE_NS UINT64_C(2000000000)

void digest_applied(struct core *c, raft_index index, uint64_t size_before)
{
	uint64_t each = c->o.settings->state_digest_entries, size = tree_size(c->tree);
	bool becomes_entry = each > 0 && size / each > size_before / each && state_feature(c->state, FEATURE_RECORDS);

	if (!c->writer || (index % DIGEST_INTERVAL != 0 && !becomes_entry))
		return;
	c->digests.due = index;
	c->digests.due_size = becomes_entry ? size : 0;
}

void digest_take(struct core *c)
{
	raft_index due = c->digests.due;

	if (!due)
		return;
	c->digests.due = 0;
	c->digests.awaited = due;
	c->digests.awaited_size = c->digests.due_size;
	apply_take_state(c, due, false);
}

/*
 * A record that was damaged in the file, and then written anew, has taken the sum with it: that is no other history,
 * and the next start gets the state of another member.
 */
static void check_damage(struct core *c)
{
	if (store_view_renew(c->view) || store_view_check_state(c->view) != CS_ERR_DAMAGED)
		return;
	log_error("stopping at once: the stored state is damaged: it cannot be mended in service, the next start does");
	_exit(EXIT_CRASH);
}

/*
 * Ours and that of the ledger are of the same entries. Who of the two errs the exchange with the others tells, and
 * stops them; that the ledger has a false one stays true whoever it was, and nobody is to cosign it.
 */
static void compare_entry(struct core *c)
{
	struct digests *d = &c->digests;

	if (d->entry.size == 0 || d->entry.size != d->size || hash_equal(&d->entry.digest, &d->ours))
		return;
	check_damage(c);
	if (!d->bad)
		log_error("the state of %" PRIu64 " entries has another digest here than entry %" PRIu64
		          " says: this node cosigns nothing more",
		          d->size, d->entry.index);
	d->bad = true;
}

_Noreturn static void halt(struct core *c, const char *whom)
{
	char why[160];

	check_damage(c);
	snprintf(why, sizeof why, "the state at raft index %llu has another digest here than on %s", c->digests.index,
	         whom);
	core_halt(c->o.settings->data_path, why);
}

static bool votes(struct core *c, uint64_t id)
{
	const struct member *m = members_find(c, id);

	return m && m->role == ROSTER_VOTER;
}

/* Voters, this node aside, that told this digest of our index. */
static unsigned tellers(struct core *c, const struct hash *digest)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MEMBERS_MAX; i++) {
		const struct digest_heard *h = &c->digests.heard[i];
		n += h->id && h->index == c->digests.index && hash_equal(&h->digest, digest) && votes(c, h->id);
	}
	return n;
}

/*
 * A majority that agrees on another state than ours is right. Where there is none, who differs from its leader for a
 * while stops, unless a majority is with it (consensus.md: a node that differs stops; if two differ from the leader,
 * the leader does).
 */
static void compare(struct core *c)
{
	struct digests *d = &c->digests;
	bool differs = false;
	const char *address;
	raft_id leader;

	raft_leader(&c->raft, &leader, &address);
	for (unsigned i = 0; i < MEMBERS_MAX; i++) {
		const struct digest_heard *h = &d->heard[i];
		if (!h->id || h->index != d->index || hash_equal(&h->digest, &d->ours))
			continue;
		if (2 * tellers(c, &h->digest) > c->members.voters)
			halt(c, "a majority of the members");
		differs |= h->id == leader && 2 * (tellers(c, &d->ours) + 1) <= c->members.voters;
	}
	if (!differs)
		d->differs_ns = 0;
	else if (!d->differs_ns)
		d->differs_ns = clock_mono_ns();
}

void digest_stored(struct core *c)
{
	struct digests *d = &c->digests;
	struct frame f = {.type = FRAME_CHUNK, .chunk = {.kind = CATCHUP_DIGEST, .bytes = d->ours.b, .len = HASH_SIZE}};
	struct hash digest;

	if (!d->awaited || !ledger_writer_state_digest(c->writer, d->awaited, &digest))
		return;
	d->index = f.chunk.from = d->awaited;
	d->size = d->awaited_size;
	d->ours = digest;
	d->awaited = 0;
	d->differs_ns = 0;
	for (unsigned i = 0; i < c->members.n; i++)
		if (c->members.list[i].id != c->id)
			peers_send(c, c->members.list[i].id, &f);
	compare(c);
	compare_entry(c);
}

void digest_told(struct core *c, uint64_t from, const struct frame_chunk *ch)
{
	struct digest_heard *h = NULL;

	if (ch->len != HASH_SIZE || ch->from == 0)
		return;
	for (unsigned i = 0; i < MEMBERS_MAX; i++) {
		struct digest_heard *k = &c->digests.heard[i];
		if (k->id == from || (!h && !members_find(c, k->id)))
			h = k;
	}
	if (!h)
		return;
	h->id = from;
	h->index = ch->from;
	memcpy(h->digest.b, ch->bytes, HASH_SIZE);
	if (h->index == c->digests.index)
		compare(c);
}

void digest_beat(struct core *c)
{
	if (!c->digests.differs_ns)
		return;
	compare(c); /* The leader may be another by now. */
	if (c->digests.differs_ns && clock_mono_ns() - c->digests.differs_ns >= PATIENCE_NS)
		halt(c, "its leader");
}

/* --- those that become entries --- */

bool digest_due(struct core *c)
{
	return c->digests.size > state_digested(c->state) && state_feature(c->state, FEATURE_RECORDS) &&
	       c->room.level < SPACE_LOW;
}

void digest_add(struct core *c, struct batch_writer *w)
{
	static const uint8_t no_facts[1] = {0x90}, zero_seed[SEED_SIZE], zero_id[WIRE_REQUEST_ID_SIZE];
	const struct state_digest d = {.size = c->digests.size, .digest = c->digests.ours};
	uint8_t payload[64], *at;
	struct command cmd = {.type = COMMAND_STATE_DIGEST,
	                      .seed = zero_seed,
	                      .request_id = zero_id,
	                      .payload = payload,
	                      .facts = no_facts,
	                      .facts_len = sizeof no_facts};
	size_t room = batch_room(w, &at), len = 0;
	int err = state_digest_encode(&d, payload, sizeof payload, &cmd.payload_len);

	if (!err)
		err = command_encode(&cmd, at, room, &len);
	assert(!err); /* A batch that has but few commands yet has room for it. */
	batch_add(w, len);
}

void digest_entry(struct core *c, const struct decide_out *out)
{
	struct entry e;
	struct state_digest d = {0};
	struct reader r;
	int err = entry_decode(&e, out->leaf, out->leaf_len);

	assert(err == 0); /* It was made just now. */
	reader_init(&r, e.public_, e.public_len);
	reader_array_exact(&r, 3);
	reader_uint(&r, UINT64_MAX, &d.size);
	reader_bin_exact(&r, d.digest.b, HASH_SIZE);
	assert(r.err == 0);
	c->digests.entry.size = d.size;
	c->digests.entry.index = out->index;
	c->digests.entry.digest = d.digest;
	compare_entry(c);
}
