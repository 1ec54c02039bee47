/* A cluster of one in this process, without Raft and disk: front, decide, tree, signed checkpoints, in memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/ledger_node.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "node/decide/policy.h"
#include "node/wire/messages.h"

#define ORIGIN "test-0123456789abcdef"

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void add_principal(void *ctx, const struct principal *p)
{
	struct {
		struct front_principal p[16];
		unsigned n;
	} *all = ctx;

	if (!p->has_channel || p->removed || all->n == 16)
		return;
	all->p[all->n].id = p->id;
	all->p[all->n].roles = p->roles;
	memcpy(all->p[all->n++].channel_pub, p->channel_pub, 32);
}

static void publish_principals(struct ledger_node *n)
{
	struct {
		struct front_principal p[16];
		unsigned n;
	} all = {.n = 0};

	state_each_principal(n->state, add_principal, &all);
	front_set_principals(n->node.front, all.p, all.n);
}

static int apply(struct ledger_node *n, const struct command *c)
{
	static uint8_t bytes[1 << 17];
	size_t len;

	int err = command_encode(c, bytes, sizeof(bytes), &len);
	if (err < 0)
		return err;
	decide(n->state, n->time_ms, bytes, len, n->out);
	if (n->out->outcome == DECIDE_REFUSED)
		return n->out->err;
	if (n->out->outcome == DECIDE_REPEAT)
		return 0;
	assert(n->n_entries < ENTRY_CAP && n->out->leaf_len <= sizeof(n->entries[0].leaf) &&
	       n->out->body_len <= sizeof(n->entries[0].body));
	memcpy(n->entries[n->n_entries].leaf, n->out->leaf, n->out->leaf_len);
	n->entries[n->n_entries].leaf_len = n->out->leaf_len;
	memcpy(n->entries[n->n_entries].body, n->out->body, n->out->body_len);
	n->entries[n->n_entries++].body_len = n->out->body_len;
	return tree_append(n->tree, &n->out->leaf_hash);
}

/* The signed note for the whole tree, or what the lie makes of it. */
static size_t checkpoint_make(struct ledger_node *n, char *note, size_t cap)
{
	struct checkpoint c = {.size = tree_size(n->tree)};
	const struct note_key *key = n->lie == LIE_KEY      ? &n->other_key
	                             : n->lie == LIE_ORIGIN ? &n->other_origin_key
	                                                    : &n->log_key;
	char text[256];
	size_t text_len, len;

	snprintf(c.origin, sizeof(c.origin), "%s", n->lie == LIE_ORIGIN ? "other-0123456789abcdef" : ORIGIN);
	tree_root(n->tree, &c.root);
	if (n->lie == LIE_FORK)
		c.root.b[0] ^= 1;
	checkpoint_format(&c, text, sizeof(text), &text_len);
	len = (size_t)snprintf(note, cap, "%s\n", text);
	if (n->lie == LIE_UNSIGNED) {
		uint8_t junk[64] = {1};
		struct note_key stranger;
		note_key_init(&stranger, "stranger", NOTE_KEY_ED25519, junk);
		note_sign(&stranger, n->log_sk, text, text_len, note, cap, &len);
		return len;
	}
	note_sign(key, n->lie == LIE_ORIGIN ? n->other_sk : n->log_sk, text, text_len, note, cap, &len);
	if (n->lie == LIE_SIGNATURE)
		note[len - 8] = note[len - 8] == 'A' ? 'B' : 'A';
	return len;
}

static void reply_proved(struct ledger_node *n, struct job *j, uint64_t index)
{
	struct wire_proved p;
	uint8_t leaf[4096], body[4096];
	char note[2048];
	size_t len;

	if (n->lie == LIE_OLD_ENTRY)
		index = index - 1;
	if (n->lie == LIE_KIND)
		index = 0;
	memcpy(leaf, n->entries[index].leaf, n->entries[index].leaf_len);
	memcpy(body, n->entries[index].body, n->entries[index].body_len);
	p.leaf = leaf;
	p.leaf_len = n->entries[index].leaf_len;
	p.body = body;
	p.body_len = n->entries[index].body_len;
	int err = tree_inclusion(n->tree, index, tree_size(n->tree), p.proof, &p.n_proof);
	assert(err == 0);
	if (n->lie == LIE_LEAF)
		leaf[p.leaf_len - 1] ^= 1; /* Of a commitment: the leaf is still well-formed. */
	if (n->lie == LIE_BODY)
		body[p.body_len - 1] ^= 1; /* The chain's count. */
	if (n->lie == LIE_PROOF)
		p.proof[0].b[31] ^= 1;
	p.checkpoint = note;
	p.checkpoint_len = checkpoint_make(n, note, sizeof(note));
	err = wire_proved_encode(&p, n->reply, WIRE_REPLY_SIZE_MAX, &len);
	assert(err == 0);
	job_reply(j, n->reply, len);
}

/* --- readers --- */

static void reply_pages(struct ledger_node *n, struct job *j, uint64_t first, uint64_t count)
{
	struct writer w;
	uint64_t left = first < n->n_entries ? n->n_entries - first : 0;

	writer_init(&w, n->reply, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 2);
	writer_uint(&w, n->n_entries);
	writer_array(&w, (uint32_t)(count = count < left ? count : left));
	for (uint64_t i = first; i < first + count; i++) {
		writer_array(&w, 2);
		writer_bin(&w, n->entries[i].leaf, n->entries[i].leaf_len);
		if ((j->roles & ROLE_AUDIT) != 0)
			writer_bin(&w, n->entries[i].body, n->entries[i].body_len);
		else
			writer_nil(&w);
	}
	job_reply(j, n->reply, w.len);
}

static void reply_proof(struct ledger_node *n, struct job *j, uint64_t index)
{
	struct hash proof[LIMIT_PROOF_HASHES_MAX];
	unsigned n_proof;
	struct writer w;
	char note[2048];

	if (index >= n->n_entries) {
		job_error(j, CS_ERR_NOT_FOUND, NULL, NULL, 0);
		return;
	}
	int err = tree_inclusion(n->tree, index, tree_size(n->tree), proof, &n_proof);
	assert(err == 0);
	if (n->lie == LIE_PROOF)
		proof[0].b[31] ^= 1;
	size_t len = checkpoint_make(n, note, sizeof(note));
	writer_init(&w, n->reply, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 5);
	writer_bool(&w, false);
	writer_bin(&w, n->entries[index].leaf, n->entries[index].leaf_len);
	writer_bin(&w, n->entries[index].body, n->entries[index].body_len);
	writer_array(&w, n_proof);
	for (unsigned i = 0; i < n_proof; i++)
		writer_bin(&w, proof[i].b, HASH_SIZE);
	writer_str(&w, note, len);
	job_reply(j, n->reply, w.len);
}

static void reply_note(struct ledger_node *n, struct job *j)
{
	struct writer w;
	char note[2048];

	size_t len = checkpoint_make(n, note, sizeof(note));
	writer_init(&w, n->reply, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 2);
	writer_bool(&w, false);
	writer_str(&w, note, len);
	job_reply(j, n->reply, w.len);
}

static void reply_status(struct ledger_node *n, struct job *j)
{
	struct wire_status s = {.node_id = 1, .leader_id = 1, .size = n->n_entries, .role = "leader", .health = "ok"};
	size_t len;

	int err = wire_status_encode(&s, n->reply, WIRE_REPLY_SIZE_MAX, &len);
	assert(err == 0);
	job_reply(j, n->reply, len);
}

static void read_answer(struct ledger_node *n, struct job *j)
{
	struct reader r;
	uint64_t v[3] = {0};
	uint32_t n_values = 0;

	reader_init(&r, j->request.body, j->request.body_len);
	reader_array(&r, 3, &n_values);
	for (uint32_t i = 0; i < n_values; i++)
		reader_uint(&r, UINT64_MAX, &v[i]);
	if (reader_end(&r) < 0)
		job_error(j, CS_ERR_MALFORMED, NULL, NULL, 0);
	else if (j->request.type == WIRE_ENTRIES)
		reply_pages(n, j, v[0], v[1]);
	else if (j->request.type == WIRE_PROVE)
		reply_proof(n, j, v[0]);
	else if (j->request.type == WIRE_CHECKPOINT)
		reply_note(n, j);
	else if (j->request.type == WIRE_STATUS)
		reply_status(n, j);
	else
		job_error(j, CS_ERR_MALFORMED, NULL, NULL, 0); /* As of a type that the node does not know. */
}

static const unsigned command_of[] = {
        [WIRE_DECIDE] = COMMAND_DECIDE, [WIRE_IMPORT] = COMMAND_IMPORT, [WIRE_ANSWER] = COMMAND_ANSWER,
        [WIRE_ENROLL] = COMMAND_ENROLL, [WIRE_REMOVE] = COMMAND_REMOVE, [WIRE_POLICY_SET] = COMMAND_POLICY_SET,
};

static void answer(void *ctx, struct job *j)
{
	struct ledger_node *n = ctx;
	uint8_t seed[32], facts[64];
	size_t facts_len;
	char text[160];

	if (j->request.type > WIRE_POLICY_SET || command_of[j->request.type] == 0) {
		read_answer(n, j);
		return;
	}
	uint64_t now = now_ms();
	n->time_ms = now > n->time_ms ? now : n->time_ms;
	struct command c = {.type = command_of[j->request.type],
	                    .principal = j->principal,
	                    .seed = seed,
	                    .request_id = j->request.id,
	                    .payload = j->request.body,
	                    .payload_len = j->request.body_len,
	                    .facts = facts};
	randombytes_buf(seed, sizeof(seed));
	int err = decide_prepare(n->state, n->time_ms, c.type, c.principal, c.request_id, c.payload, c.payload_len,
	                         facts, sizeof(facts), &facts_len, text);
	struct evidence e;
	if (err == 0 && c.type == COMMAND_ANSWER &&
	    decide_evidence(n->state, n->time_ms, COMMAND_ANSWER, c.principal, c.request_id, c.payload, c.payload_len,
	                    &e, text) == 0) {
		if (e.method != 0)
			evidence_verify_ed25519(&e);
		err = evidence_facts(&e, facts, sizeof(facts), &facts_len);
	}
	c.facts_len = facts_len;
	if (err < 0) {
		job_error(j, err, text, NULL, 0);
		return;
	}
	err = apply(n, &c);
	if (err < 0) {
		job_error(j, err, n->out->text, NULL, 0);
		return;
	}
	if (n->out->principals_changed)
		publish_principals(n);
	if (n->lost_reply) {
		n->lost_reply = false;
		job_error(j, CS_ERR_TIMEOUT, NULL, NULL, 0);
		return;
	}
	reply_proved(n, j, n->out->index);
}

static int genesis_apply(struct ledger_node *n, const struct keyfile *admin, struct hash *ret_leaf)
{
	static uint8_t compiled[POLICY_COMPILED_SIZE_MAX], payload[65536];
	uint8_t admin_channel[32], admin_sign[32], key[32] = {7}, id[16] = {0}, seed[32] = {0}, facts[] = {0x90};
	struct policy_error pe;
	struct genesis g = {.origin = {ORIGIN, strlen(ORIGIN)}, .governance = {"one", 3}, .n_admins = 1, .n_nodes = 1};
	size_t len;

	const char *yaml = policy_default_yaml();
	g.policy_source = (const uint8_t *)yaml;
	g.policy_source_len = strlen(yaml);
	int err = policy_compile(yaml, strlen(yaml), compiled, sizeof(compiled), &g.policy_compiled_len, &pe);
	if (err < 0)
		return err;
	g.policy_compiled = compiled;
	keyfile_public(admin, KEY_CHANNEL, admin_channel, NULL);
	keyfile_public(admin, KEY_SIGN, admin_sign, NULL);
	g.time_ms = n->time_ms = now_ms();
	g.admins[0].name = (struct text){admin->name, strlen(admin->name)};
	g.admins[0].channel_pub = admin_channel;
	g.admins[0].sign_pub = admin_sign;
	g.nodes[0].id = 1;
	g.nodes[0].url = (struct text){"tcp://127.0.0.1:1", 17};
	g.nodes[0].log_pub = n->log_key.pub;
	g.nodes[0].cosigner_pub = key;
	g.nodes[0].channel_pub = n->node.keys.pub;
	err = genesis_encode(&g, payload, sizeof(payload), &len);
	if (err < 0)
		return err;
	const struct command c = {.type = COMMAND_GENESIS,
	                          .seed = seed,
	                          .request_id = id,
	                          .payload = payload,
	                          .payload_len = len,
	                          .facts = facts,
	                          .facts_len = 1};
	static uint8_t bytes[1 << 17];
	err = command_encode(&c, bytes, sizeof(bytes), &len);
	if (err < 0)
		return err;
	decide(n->state, n->time_ms, bytes, len, n->out);
	if (n->out->outcome != DECIDE_ENTRY)
		return n->out->err;
	*ret_leaf = n->out->leaf_hash;
	/* Only its size on the tree matters here; it is never shown but as a lie. */
	n->entries[0].leaf_len = n->out->leaf_len < sizeof(n->entries[0].leaf) ? n->out->leaf_len : 0;
	memcpy(n->entries[0].leaf, n->out->leaf, n->entries[0].leaf_len);
	n->entries[0].body_len = n->out->body_len;
	memcpy(n->entries[0].body, n->out->body, n->out->body_len);
	n->n_entries = 1;
	return tree_append(n->tree, &n->out->leaf_hash);
}

static int files_write(struct ledger_node *n, const char *folder, const char *url, const struct hash *genesis)
{
	struct cluster_file c = {.origin = ORIGIN, .genesis = *genesis, .n_nodes = 1};
	char path[256], vkey[512], other[512];

	snprintf(c.trust_path, sizeof(c.trust_path), "%s/trust", folder);
	FILE *f = fopen(c.trust_path, "w");
	if (f == NULL)
		return -1;
	note_key_format(&n->log_key, vkey, sizeof(vkey));
	note_key_format(&n->other_origin_key, other, sizeof(other)); /* Trusted, for its own ledger. */
	fprintf(f, "log %s\nlog %s\nquorum none\n", vkey, other);
	fclose(f);
	c.nodes[0].id = 1;
	snprintf(c.nodes[0].url, sizeof(c.nodes[0].url), "%s", url);
	memcpy(c.nodes[0].channel_pub, n->node.keys.pub, 32);
	snprintf(path, sizeof(path), "%s/cluster", folder);
	return cluster_file_write(path, &c, NULL);
}

int ledger_node_start(struct ledger_node *n, const char *folder, const struct keyfile *admin)
{
	struct state_limits limits = {
	        .subjects_max = 64, .principals_max = 16, .challenges_max = 64, .requests_max = 256};
	struct hash genesis;
	uint8_t pub[32], other_pub[32] = {3};
	char url[128];

	memset(n, 0, sizeof(*n));
	crypto_sign_keypair(pub, n->log_sk);
	note_key_init(&n->log_key, ORIGIN, NOTE_KEY_ED25519, pub);
	note_key_init(&n->other_key, ORIGIN, NOTE_KEY_ED25519, other_pub);
	crypto_sign_keypair(pub, n->other_sk);
	note_key_init(&n->other_origin_key, "other-0123456789abcdef", NOTE_KEY_ED25519, pub);
	n->out = malloc(sizeof(*n->out));
	n->reply = malloc(WIRE_REPLY_SIZE_MAX);
	snprintf(url, sizeof(url), "ipc://%s/node", folder);
	if (state_new(&limits, &n->state) < 0 || tree_new(&(struct tree_tiles){0}, &n->tree) < 0 ||
	    echo_node_start(&n->node, 1, ORIGIN, url, &(struct front_options){.handshakes_per_s = 10000}, answer, n) <
	            0)
		return -1;
	int err = genesis_apply(n, admin, &genesis);
	if (err < 0)
		return err;
	publish_principals(n);
	return files_write(n, folder, url, &genesis);
}

void ledger_node_stop(struct ledger_node *n)
{
	echo_node_stop(&n->node);
	state_free(n->state);
	tree_free(n->tree);
	free(n->out);
	free(n->reply);
}
