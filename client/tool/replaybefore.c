/* The ledgers that a restored one carries on: each is played first, and its state carried over the border. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/replay.h"
#include "client/tool/tool.h"
#include "client/tool/verifywhole.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/state_records.h"

static int no_memory(const struct replay *r)
{
	return tool_fail(EXIT_LOCAL, r->command, "out of memory");
}

/* --- which is which --- */

/* The genesis of the ledger. Its texts lie in r->entry. */
static int genesis_of(struct replay *r, struct genesis *ret)
{
	int err = replayledger_entry(&r->ledger, 0, &r->entry);

	if (!err)
		err = genesis_decode(ret, r->entry.e.public_, r->entry.e.public_len);
	return err ? tool_fail(REPLAY_UNDECIDED, r->command, "%s: its genesis cannot be read: %s", r->folder,
	                       err_text(err))
	           : 0;
}

/* *ret NULL: it is another ledger's. */
static int open_if_before(struct replay *r, const struct predecessor *p, const char *path, struct replay **ret)
{
	struct replay *b = calloc(1, sizeof *b);
	struct genesis g;
	int code = b ? 0 : no_memory(r);

	*ret = NULL;
	if (!code && !verifywhole_store(path, b->folder))
		code = tool_fail(
		        EXIT_USAGE, r->command,
		        "--before %s: no ledger of a node is there (data.mdb); an export has no private fields", path);
	if (!code) {
		b->command = r->command;
		code = replayledger_open(r->command, b->folder, &b->ledger);
	}
	if (!code)
		code = genesis_of(b, &g);
	if (!code && text_compare(g.origin, p->origin) == 0) {
		*ret = b;
		return 0;
	}
	if (b)
		replayledger_close(&b->ledger);
	free(b);
	return code;
}

static int find_path(struct replay *r, const struct predecessor *p, struct replay **ret)
{
	struct replay_befores *all = r->befores;
	int code = 0;

	*ret = NULL;
	for (unsigned i = 0; i < all->paths->n && !code && !*ret; i++) {
		code = open_if_before(r, p, all->paths->items[i], ret);
		if (*ret)
			all->used |= UINT32_C(1) << i;
	}
	return code;
}

/* The state in the file is one of this ledger's. */
static bool state_is_of(struct replay *r, const char *path)
{
	struct state_head head;

	return replaystate_head(path, &head) == 0 && head.size > 0 && head.size <= r->ledger.size &&
	       replayledger_entry(&r->ledger, head.size - 1, &r->entry) == 0 &&
	       hash_equal(&r->entry.hash, &head.last_leaf);
}

static int play_before(struct replay *r, const struct predecessor *p, struct replay *b)
{
	struct replay_befores *all = r->befores;

	b->befores = all;
	b->level = r->level;
	b->carried_on = true;
	b->to = p->size;
	b->keep_size = p->state_size;
	memcpy(b->root.b, p->root, HASH_SIZE);
	if (b->ledger.size < p->size)
		return tool_fail(REPLAY_UNDECIDED, r->command,
		                 "%s: it has %" PRIu64 " entries, of %" PRIu64 " that %s carries on", b->folder,
		                 b->ledger.size, p->size, r->folder);
	if (tree_new(&(struct tree_tiles){0}, &b->tree))
		return no_memory(r);
	if (all->state && !all->state_taken && state_is_of(b, all->state)) {
		b->state_path = all->state;
		all->state_taken = true;
	}
	return replay_play(b);
}

/* Before the oldest of them is played: all are known by now. */
static int all_used(const struct replay *r)
{
	const struct replay_befores *all = r->befores;

	for (unsigned i = 0; i < all->paths->n; i++)
		if (!(all->used >> i & 1))
			return tool_fail(
			        EXIT_USAGE, r->command,
			        "--before %s: no ledger here carries it on, by the origin that its genesis names",
			        all->paths->items[i]);
	return 0;
}

int replaybefore_play(struct replay *r)
{
	struct genesis g;
	int code = r->befores->paths->n ? genesis_of(r, &g) : 0;

	if (!code && r->befores->paths->n && g.restored)
		code = find_path(r, &g.predecessor, &r->before);
	if (code)
		return code;
	return r->before ? play_before(r, &g.predecessor, r->before) : all_used(r);
}

void replaybefore_close(struct replay *r)
{
	carry_free(r->carry);
	tree_free(r->tree);
	if (!r->before)
		return;
	replay_close(r->before);
	free(r->before);
}

/* --- while it is played --- */

int replaybefore_leaf(struct replay *r)
{
	return r->tree && tree_append(r->tree, &r->entry.hash) ? no_memory(r) : 0;
}

static void hash_text(char ret[2 * HASH_SIZE + 1], const struct hash *h)
{
	for (unsigned i = 0; i < HASH_SIZE; i++)
		snprintf(ret + 2 * i, 3, "%02x", h->b[i]);
}

/* Its leaves are those whose root the next genesis names. */
int replaybefore_end(struct replay *r)
{
	char ours[2 * HASH_SIZE + 1], theirs[2 * HASH_SIZE + 1];
	struct hash root;

	if (!r->tree || r->difference)
		return 0;
	tree_root(r->tree, &root);
	r->root_holds = hash_equal(&root, &r->root);
	if (r->root_holds)
		return 0;
	hash_text(ours, &root);
	hash_text(theirs, &r->root);
	r->difference =
	        replaydiff_plain(0, r->entry.e.index, entry_kind_text(r->entry.e.kind), "root up to it", ours, theirs);
	return r->difference ? 0 : no_memory(r);
}

struct carrying {
	struct carry *carry;
	bool histories; /* They come behind their subjects (node/decide/state_carry.h). */
};

static int carry_one(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct carrying *c = ctx;

	if ((*(const uint8_t *)key == RECORD_HISTORY) != c->histories)
		return 0;
	return carry_record(c->carry, key, key_len, value, value_len);
}

int replaybefore_keep(struct replay *r)
{
	struct carrying c = {0};
	int err;

	if (!r->carried_on || !r->keep_size || r->carry || !r->s || !r->exact)
		return 0;
	err = state_take_dirty(r->s, replaystate_put, &r->records);
	if (!err)
		err = carry_new(NULL, &c.carry);
	r->carry = c.carry;
	for (unsigned pass = 0; pass < 2 && !err; pass++) {
		c.histories = pass > 0;
		err = replaystate_each(&r->records, carry_one, &c);
	}
	if (!err)
		err = carry_end(c.carry, &r->carried);
	return err ? tool_fail(EXIT_LOCAL, r->command, "%s: its state cannot be carried over: %s", r->folder,
	                       err_text(err))
	           : 0;
}

/* --- over the border --- */

const char *replaybefore_obstacle(const struct replay *r)
{
	const struct replay *b = r->before;

	if (!b)
		return "it carries on another ledger, whose state is not in this one (--before LEDGER)";
	if (!b->carry)
		return "the state of the ledger that it carries on could not be made again";
	return NULL;
}

/* The genesis says so itself, whoever wrote it: what else it says must fit the state. */
static int differs(struct replay *r, const char *what, const char *ours)
{
	r->difference = replaydiff_plain(2, 0, entry_kind_text(r->entry.e.kind), what, ours, "as the genesis says");
	return r->difference ? 0 : no_memory(r);
}

int replaybefore_found(struct replay *r, const char **ret_obstacle)
{
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX];
	struct replay *b = r->before;
	struct genesis g;
	struct state *s;
	struct hash hash;
	char text[160];
	size_t len;
	int err = genesis_decode(&g, r->entry.e.public_, r->entry.e.public_len);

	*ret_obstacle = NULL;
	if (!err)
		err = genesis_leaf(r->entry.e.public_, r->entry.e.public_len, leaf, sizeof leaf, &len, &hash);
	if (err == CS_ERR_NOMEM)
		return no_memory(r);
	if (err || !hash_equal(&hash, &r->entry.hash))
		return differs(r, "genesis", "another leaf, by what it says");
	if (memcmp(g.predecessor.digest, b->carried.b, HASH_SIZE) != 0) {
		*ret_obstacle = "the state that it was founded with is not the one that the ledger before leads to: a "
		                "restore leaves out people who were erased";
		return 0;
	}
	err = carry_found(b->carry, &g, &r->entry.hash, &s, text);
	if (err == CS_ERR_INVALID || err == CS_ERR_TOO_LARGE)
		return differs(r, "genesis", text);
	if (err)
		return tool_fail(EXIT_LOCAL, r->command, "%s", err_text(err));
	state_free(r->s);
	r->s = s;
	replaystate_close(&r->records);
	return 0;
}
