/* This node's own keys as the ledger has them: who signs, what is answered by, new ones made; its signer's record. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/log.h"

#define RECORD_FILE   "signed"
#define SYNC_NS       (1000 * NS_PER_MS) /* How old what the record lacks on the disk may be; the log has it. */
#define HAND_OVER_NS  (1000 * NS_PER_MS)
#define PATH_MAX_HERE 4200

/* --- what is in force --- */

static enum key_kind kind_of(unsigned place)
{
	return place == KEY_PLACE_LOG ? KEY_LOG : place == KEY_PLACE_COSIGNER ? KEY_COSIGNER : KEY_CHANNEL;
}

static const uint8_t *key_of(const struct roster_node *n, unsigned place)
{
	return place == KEY_PLACE_LOG ? n->log_pub : place == KEY_PLACE_COSIGNER ? n->cosigner_pub : n->channel_pub;
}

static struct signer_key signer_key(const struct core *c, unsigned place, const uint8_t *pub)
{
	return (struct signer_key){pub, keyring_secret(c->o.keyring, kind_of(place), pub)};
}

static void follow_signer(struct core *c, const struct roster_node *own, unsigned place)
{
	enum signer_place at = place == KEY_PLACE_LOG ? SIGNER_LOG : SIGNER_COSIGNER;
	const struct key_replaced *before = keys_before(c->state, place, c->id);
	struct signer_key now = signer_key(c, place, key_of(own, place)), old = {0};

	if (before)
		old = signer_key(c, place, before->pub);
	if (signer_use(c->o.signer, at, &now, before ? before->index + 1 : 0, before && old.seed ? &old : NULL,
	               before ? before->until : 0))
		core_fatal(c, "the signer cannot take a key");
	keyring_in_force(c->o.keyring, kind_of(place), now.pub);
}

static void follow_channel(struct core *c, const struct roster_node *own)
{
	const struct key_replaced *before = keys_overlap(c->state, KEY_PLACE_NODE, c->id);
	struct channel_keys keys;

	keyring_in_force(c->o.keyring, KEY_CHANNEL, own->channel_pub);
	keyring_channel(c->o.keyring, own->channel_pub, before ? before->pub : NULL, true, &keys);
	if (keys.n > 0 && c->link)
		link_set_keys(c->link, &keys);
	keyring_channel(c->o.keyring, own->channel_pub, before ? before->pub : NULL, false, &keys);
	if (keys.n > 0 && c->front)
		front_set_keys(c->front, &keys);
	sodium_memzero(&keys, sizeof keys);
}

/* What was replaced and signs no larger size any more. */
static void drop_over(struct core *c)
{
	for (unsigned i = 0; i < keys_replaced_count(c->state); i++) {
		const struct key_replaced *k = keys_replaced(c->state, i);
		if (k->id == c->id && (k->place == KEY_PLACE_LOG || k->place == KEY_PLACE_COSIGNER) &&
		    k->until < tree_size(c->tree))
			keyring_drop(c->o.keyring, kind_of(k->place), k->pub);
	}
}

void keys_follow(struct core *c)
{
	const struct roster_node *own = roster_find(state_roster(c->state), c->id);

	if (!c->o.keyring || !own)
		return;
	follow_signer(c, own, KEY_PLACE_LOG);
	follow_signer(c, own, KEY_PLACE_COSIGNER);
	follow_channel(c, own);
	if (c->tree)
		drop_over(c);
}

/* --- the record of what was signed --- */

/* A node that is new has signed nothing; one of before there were records begins with its log's word. */
static bool record_begins(const struct core *c)
{
	static const char *const marks[] = {"fresh", MEMBERS_JOIN_FILE};
	char path[PATH_MAX_HERE];

	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", c->o.settings->data_path, marks[i]);
		if (access(path, F_OK) == 0)
			return true;
	}
	return !state_feature(c->state, FEATURE_RECORDS);
}

int keys_open(struct core *c)
{
	char path[PATH_MAX_HERE], text[256] = "";

	if (!c->o.keyring)
		return 0;
	keys_follow(c);
	snprintf(path, sizeof path, "%s/" RECORD_FILE, c->o.settings->data_path);
	int err = signer_record_open(c->o.signer, path, record_begins(c), text);
	if (err)
		log_error("%s", text);
	else if (keys_health(c))
		log_error("%s: it does not know what this node's keys have signed, so they sign no more: %s", path,
		          "give the node new ones: countersign key rotate NODE --log --cosigner");
	return err;
}

void keys_reached(struct core *c)
{
	uint64_t size = c->o.keyring ? signer_recorded_size(c->o.signer) : 0;
	char why[200];

	if (size <= c->size_at_start)
		return;
	snprintf(why, sizeof why,
	         "this node has signed size %" PRIu64 ", but its log and ledger reach only %" PRIu64
	         ": its disk went back",
	         size, c->size_at_start);
	core_halt(c->o.settings->data_path, why);
}

const char *keys_health(const struct core *c)
{
	if (signer_ready(c->o.signer, SIGNER_LOG) && signer_ready(c->o.signer, SIGNER_COSIGNER))
		return NULL;
	return "its signer's record is lost: rotate its keys"; /* Within wire_status.health. */
}

static void sync_record(uv_work_t *work)
{
	const struct core *c = work->data;

	if (signer_sync(c->o.signer))
		core_fatal(NULL, "the signer's record cannot be synced");
}

static void synced(uv_work_t *work, int status)
{
	struct core *c = work->data;

	(void)status;
	c->keys.out = false;
}

static uint64_t heir(struct core *c)
{
	for (unsigned i = 0; i < c->members.n; i++) {
		const struct member *m = &c->members.list[i];
		if (m->id != c->id && m->role == ROSTER_VOTER && change_whole(c, m->id))
			return m->id;
	}
	return 0;
}

void keys_beat(struct core *c)
{
	uint64_t now = clock_mono_ns(), size = tree_size(c->tree), to;

	if (!c->o.keyring)
		return;
	if (!c->keys.out && size != c->keys.synced_size && now - c->keys.synced_ns >= SYNC_NS) {
		c->keys.synced_size = size;
		c->keys.synced_ns = now;
		c->keys.work.data = c;
		c->keys.out = uv_queue_work(&c->loop, &c->keys.work, sync_record, synced) == 0;
	}
	/* Whoever leads signs each reply. */
	if (signer_ready(c->o.signer, SIGNER_LOG) || !core_leads(c) || now - c->keys.handed_ns < HAND_OVER_NS ||
	    !(to = heir(c)))
		return;
	c->keys.handed_ns = now;
	log_warning("handing over, for this node's log key does not sign to=%" PRIu64, to);
	guard_hand_over(c->guard, to);
}

bool keys_refuse(struct core *c, struct job *j)
{
	if (signer_ready(c->o.signer, SIGNER_LOG) || j->request.type == WIRE_KEY)
		return false;
	job_error(j, CS_ERR_NOT_READY, "this node's signer's record is lost: rotate its keys (countersign key rotate)",
	          NULL, c->o.settings->election_timeout_ms);
	return true;
}

/* --- new ones --- */

/* [[place…]] -> [node id, [[place, public half bin32]…]]: keys of this node that wait for their order. */
void keys_prepare(struct core *c, struct job *j)
{
	uint64_t places[3] = {0};
	char text[256] = "";
	struct reader r;
	struct writer w;
	uint32_t n = 0;
	int err = 0;

	reader_init(&r, j->request.body, j->request.body_len);
	reader_array_exact(&r, 1);
	reader_array(&r, 3, &n);
	for (uint32_t i = 0; i < n; i++)
		reader_uint(&r, KEY_PLACE_NODE, &places[i]);
	if (reader_end(&r) != 0 || n == 0) {
		job_error(j, CS_ERR_MALFORMED, "key prepare: [[place…]] of 1 to 3 is wanted", NULL, 0);
		return;
	}
	if (!c->o.keyring) {
		job_error(j, CS_ERR_NOT_PERMITTED, "this node keeps no keys of its own", NULL, 0);
		return;
	}
	writer_init(&w, c->reply, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 2);
	writer_uint(&w, c->id);
	writer_array(&w, n);
	for (uint32_t i = 0; i < n && !err; i++) {
		uint8_t pub[32];
		err = places[i] == 0 ? CS_ERR_MALFORMED
		                     : keyring_prepare(c->o.keyring, kind_of((unsigned)places[i]), pub, text);
		if (!err && places[i] != KEY_PLACE_NODE)
			err = signer_record_begin(c->o.signer, pub);
		writer_array(&w, 2);
		writer_uint(&w, places[i]);
		writer_bin(&w, pub, sizeof pub);
	}
	if (!err)
		keys_follow(c); /* It answers by a next channel key at once: the others may know of it first. */
	if (err)
		job_error(j, err, text, NULL, 0);
	else
		job_reply(j, c->reply, w.len);
}

/* --- what is told --- */

static void write_key(const struct core *c, struct writer *w, const struct roster_node *n, unsigned place)
{
	const struct key_replaced *before = keys_before(c->state, place, n->id);

	writer_array(w, 6);
	writer_uint(w, n->id);
	writer_uint(w, place);
	writer_bin(w, key_of(n, place), 32);
	writer_uint(w, before ? before->index : n->added);
	if (before)
		writer_bin(w, before->pub, 32);
	else
		writer_nil(w);
	writer_uint(w, before ? before->until : 0);
}

/*
 * [node id, size, [[node, place, key, index of the entry that brought it, the key before or nil, the last size that
 * this one is good for]…] of the members, log key signs, cosigner key signs]: as this node has applied it.
 */
void keys_read(struct core *c, struct job *j)
{
	const struct roster *r = state_roster(c->state);
	struct reader reader;
	struct writer w;

	reader_init(&reader, j->request.body, j->request.body_len);
	reader_array_exact(&reader, 0);
	if (reader_end(&reader) != 0) {
		job_error(j, reader.err, NULL, NULL, 0);
		return;
	}
	writer_init(&w, c->reply, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 5);
	writer_uint(&w, c->id);
	writer_uint(&w, tree_size(c->tree));
	writer_array(&w, r->n * KEY_PLACE_NODE);
	for (unsigned i = 0; i < r->n; i++)
		for (unsigned place = KEY_PLACE_LOG; place <= KEY_PLACE_NODE; place++)
			write_key(c, &w, &r->nodes[i], place);
	writer_bool(&w, signer_ready(c->o.signer, SIGNER_LOG));
	writer_bool(&w, signer_ready(c->o.signer, SIGNER_COSIGNER));
	job_reply(j, c->reply, w.len);
}

unsigned keys_channel(const struct core *c, struct evidence_key *ret, unsigned max)
{
	unsigned n = 0;

	while (c->o.keyring && n < max && keyring_channel_at(c->o.keyring, n, &ret[n].pub, &ret[n].secret))
		n++;
	return n;
}
