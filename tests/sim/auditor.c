/* The simulated auditor: proofs, pages of entries, searches, histories; from any node, of anything, erased or not. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <string.h>

#include "ledger/proof.h"
#include "node/decide/search.h"
#include "tests/sim/checks.h"
#include "tests/sim/client_internal.h"
#include "tests/sim/os.h"
#include "tests/sim/records.h"
#include "tests/sim/swarm.h"

#define WAIT_MS      500
#define PAGE         8
#define PAUSE_NS_MIN (20 * OS_MS)
#define PAUSE_NS_MAX (400 * OS_MS)
#define ROOM_NS      (4 * OS_S) /* So long after a disk was full nodes may still think that notes find no room. */

uint64_t auditor_pause_ns(void)
{
	return os_between(PAUSE_NS_MIN, PAUSE_NS_MAX);
}

static void ask_proof(struct client *c, struct writer *w)
{
	c->about = (unsigned)os_below(client_highest() + 1);
	writer_array(w, 2);
	writer_uint(w, c->about);
	writer_uint(w, WAIT_MS);
}

static void ask_entries(struct writer *w)
{
	writer_array(w, 3);
	writer_uint(w, os_below(client_highest() + 1));
	writer_uint(w, PAGE);
	writer_uint(w, WAIT_MS);
}

static void ask_search(struct client *c, bool people)
{
	static const char *const whom[] = {"user:ada-0", "user:ada-1", "user:ada-2"};
	struct search q = {.newest_first = true, .hits_max = PAGE, .n = people};

	q.by[0] = (struct read_lookup){FIELD_SUBJECT, client_text(whom[os_below(3)])};
	if (search_encode(&q, c->request.body, sizeof c->request.body, &c->request.body_len))
		os_fail(0, "the simulator made a bad search");
}

static void ask_history(struct client *c)
{
	struct history_order o = {.whose = HISTORY_SUBJECT, .type = client_text("user"), .id = client_text("ada-1")};

	if (history_order_encode(&o, c->request.body, sizeof c->request.body, &c->request.body_len))
		os_fail(0, "the simulator made a bad question for a history");
}

/* Of any node: whom it asked last does not matter. */
void auditor_next(struct client *c)
{
	static const unsigned types[] = {WIRE_PROVE, WIRE_PROVE, WIRE_ENTRIES, WIRE_SEARCH, WIRE_SEARCH, WIRE_HISTORY};
	unsigned type = types[os_below(sizeof types / sizeof *types)];
	struct writer w;

	if (!swarm.reads)
		return;
	client_begin(c, type);
	c->node = 1 + (unsigned)os_below(cluster.n);
	writer_init(&w, c->request.body, sizeof c->request.body);
	if (type == WIRE_PROVE)
		ask_proof(c, &w);
	else if (type == WIRE_ENTRIES)
		ask_entries(&w);
	c->request.body_len = w.len;
	if (type == WIRE_SEARCH)
		ask_search(c, os_chance(700000));
	else if (type == WIRE_HISTORY)
		ask_history(c);
	client_ask(c);
}

/* --- answers --- */

bool auditor_asks(unsigned wire_type)
{
	return wire_type == WIRE_PROVE || wire_type == WIRE_ENTRIES || wire_type == WIRE_SEARCH;
}

/* Nodes short of room show without a note (node/readlog.h): so may those that have heard of it. */
static bool room(void)
{
	for (unsigned i = 1; i <= cluster.n; i++)
		if (cluster.nodes[i].full_ns && os_now < cluster.nodes[i].full_ns + ROOM_NS)
			return false;
	return true;
}

static void was_read(unsigned node, unsigned what, uint64_t index, uint64_t fields)
{
	/* Whoever gave it may have ended since. */
	if (fields && room())
		records_read(node, what, index, fields, checks_size());
}

/* Bits of the fields that it opens; what it says of itself fits. */
static uint64_t check_pair(unsigned node, const uint8_t *leaf, size_t leaf_len, const uint8_t *body, size_t body_len,
                           struct entry *ret)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	uint64_t bits = 0;
	unsigned n = 0;

	if (entry_decode(ret, leaf, leaf_len))
		os_fail(node, "the auditor got an entry that cannot be read");
	if (!body_len)
		return 0;
	if (body_decode(fields, &n, body, body_len) || body_check(ret, fields, n))
		os_fail(node, "the auditor got private fields of entry %" PRIu64 " that are not the leaf's",
		        ret->index);
	for (unsigned i = 0; i < n; i++)
		bits |= UINT64_C(1) << fields[i].kind;
	return ret->kind == ENTRY_READ ? 0 : bits;
}

static void body_read(struct reader *r, const uint8_t **ret, size_t *ret_len)
{
	*ret_len = 0;
	if (!reader_nil(r))
		reader_bin(r, LIMIT_BODY_SIZE_MAX, ret, ret_len);
}

/* [quorum, leaf, body or nil, [hash…], checkpoint] */
static void check_proof(const struct client *c, unsigned node, const uint8_t *bytes, size_t len)
{
	const uint8_t *leaf = NULL, *body = NULL, *hash;
	struct hash proof[LIMIT_PROOF_HASHES_MAX], leaf_hash;
	size_t leaf_len = 0, body_len = 0, text_len = 0, hash_len;
	const char *text = NULL;
	bool quorum = false;
	struct checkpoint cp;
	struct reader r;
	struct entry e;
	struct note note;
	uint32_t n = 0;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 5);
	reader_bool(&r, &quorum);
	reader_bin(&r, LIMIT_ENTRY_SIZE_MAX, &leaf, &leaf_len);
	body_read(&r, &body, &body_len);
	reader_array(&r, LIMIT_PROOF_HASHES_MAX, &n);
	for (uint32_t i = 0; i < n; i++)
		if (reader_bin(&r, HASH_SIZE, &hash, &hash_len) == 0)
			memcpy(proof[i].b, hash, HASH_SIZE);
	reader_str(&r, LIMIT_NOTE_SIZE_MAX, &text, &text_len);
	if (reader_end(&r) || note_parse(&note, text, text_len) || checkpoint_parse(&cp, note.text, note.text_len))
		os_fail(node, "the auditor got a proof that cannot be read");
	uint64_t fields = check_pair(node, leaf, leaf_len, body, body_len, &e);
	hash_leaf(&leaf_hash, leaf, leaf_len);
	checks_root(node, cp.size, &cp.root, "proved");
	if (e.index != c->about || proof_inclusion_check(e.index, cp.size, &leaf_hash, proof, n, &cp.root))
		os_fail(node, "a proof of entry %u does not hold at size %" PRIu64, c->about, cp.size);
	if (quorum)
		records_cosigned(node, cp.size, &note);
	was_read(node, READ_PROOF, e.index, fields);
}

/* Of entries [size, [[leaf, body or nil (, erased)]…]]; of a search the next one or nil comes before these. */
static void check_page(const struct client *c, unsigned node, const uint8_t *bytes, size_t len)
{
	const uint8_t *leaf = NULL, *body = NULL, *skipped;
	bool search = c->now.type == WIRE_SEARCH;
	size_t leaf_len, body_len, skipped_len;
	uint64_t size = 0, fields = 0;
	uint32_t n = 0, parts = 0;
	struct reader r;
	struct entry e;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, search ? 3 : 2);
	reader_uint(&r, UINT64_MAX, &size);
	if (search)
		reader_skip(&r, &skipped, &skipped_len);
	reader_array(&r, SEARCH_HITS_MAX, &n);
	for (uint32_t i = 0; i < n && !r.err; i++) {
		reader_array(&r, 3, &parts);
		reader_bin(&r, LIMIT_ENTRY_SIZE_MAX, &leaf, &leaf_len);
		body_read(&r, &body, &body_len);
		if (parts == 3)
			reader_skip(&r, &skipped, &skipped_len);
		if (!r.err)
			fields |= check_pair(node, leaf, leaf_len, body, body_len, &e);
	}
	if (reader_end(&r))
		os_fail(node, "the auditor got a page that cannot be read");
	was_read(node, search ? READ_SEARCH : READ_ENTRIES, 0, fields);
}

void auditor_answered(const struct client *c, unsigned node, const uint8_t *body, size_t len)
{
	os_trace(0, "read", body, len);
	if (c->now.type == WIRE_PROVE)
		check_proof(c, node, body, len);
	else
		check_page(c, node, body, len);
}
