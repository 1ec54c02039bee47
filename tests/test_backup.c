/* Parts of backup and restore: keys, seals, manifests, and the state carried over to a new origin. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/tool/backup/bodies.h"
#include "client/tool/backup/keys.h"
#include "client/tool/backup/manifest.h"
#include "client/tool/backup/seal.h"
#include "client/tool/backup/subject.h"
#include "ledger/errors.h"
#include "ledger/limits.h"
#include "node/decide/signals.h"
#include "node/decide/state.h"
#include "node/decide/state_carry.h"
#include "tests/decide_kit.h"

static char folder[] = "/tmp/countersign-test-backup-XXXXXX";
static char path[128], why[BACKUPKEYS_WHY_SIZE];

static int setup(void **state)
{
	(void)state;
	if (sodium_init() < 0 || !mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/keys", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

/* --- keys --- */

static void subject_make(uint8_t ret[32], unsigned i)
{
	memset(ret, 0, 32);
	memcpy(ret, &i, sizeof i);
	crypto_generichash(ret, 32, ret, 32, NULL, 0);
}

static off_t file_size(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void flip(off_t at)
{
	int fd = open(path, O_RDWR);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void keys_last(void **state)
{
	enum { N = 3000 };
	static uint8_t ids[N][BACKUPKEYS_ID_SIZE], keys[N][32];
	uint8_t subject[32];
	struct backupkeys *k;

	(void)state;
	unlink(path);
	assert_int_equal(backupkeys_open(path, false, &k, why), CS_ERR_NOT_FOUND);
	assert_int_equal(backupkeys_open(path, true, &k, why), 0);
	for (unsigned i = 0; i < N; i++) {
		subject_make(subject, i);
		const struct backupkey *one = backupkeys_of(k, subject);
		assert_non_null(one);
		memcpy(ids[i], one->id, sizeof ids[i]);
		memcpy(keys[i], one->key, sizeof keys[i]);
		assert_ptr_equal(backupkeys_of(k, subject), one);
		if (i % 700 == 0)
			assert_int_equal(backupkeys_sync(k), 0);
	}
	assert_int_equal(backupkeys_sync(k), 0);
	/* Nobody else at the same time. */
	struct backupkeys *second;
	assert_int_equal(backupkeys_open(path, true, &second, why), CS_ERR_EXISTS);
	assert_int_equal(backupkeys_destroy(k, ids[5]), 0);
	backupkeys_close(k);

	assert_int_equal(backupkeys_open(path, false, &k, why), 0);
	assert_int_equal(backupkeys_count(k), N - 1);
	for (unsigned i = 0; i < N; i++) {
		const struct backupkey *one = backupkeys_find(k, ids[i]);
		if (i == 5)
			assert_null(one);
		else
			assert_memory_equal(one->key, keys[i], 32);
	}
	backupkeys_close(k);
	/* The key's bytes are nowhere in the file. */
	static uint8_t bytes[1 << 20];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, bytes, sizeof bytes);
	close(fd);
	assert_int_equal(n, file_size());
	assert_null(memmem(bytes, (size_t)n, keys[5], 32));
	assert_non_null(memmem(bytes, (size_t)n, keys[6], 32));
}

static void keys_damaged(void **state)
{
	uint8_t subject[32];
	struct backupkeys *k;
	off_t size;

	(void)state;
	unlink(path);
	assert_int_equal(backupkeys_open(path, true, &k, why), 0);
	for (unsigned i = 0; i < 3; i++) {
		subject_make(subject, i);
		assert_non_null(backupkeys_of(k, subject));
	}
	assert_int_equal(backupkeys_sync(k), 0);
	backupkeys_close(k);
	size = file_size();
	/* Cut off by a crash: the last one was never there. */
	assert_int_equal(truncate(path, size - 3), 0);
	assert_int_equal(backupkeys_open(path, true, &k, why), 0);
	assert_int_equal(backupkeys_count(k), 2);
	assert_non_null(backupkeys_of(k, subject));
	assert_int_equal(backupkeys_sync(k), 0);
	backupkeys_close(k);
	assert_int_equal(file_size(), size);
	/* A key in the middle: said, and not taken for one that is gone. */
	flip(size - 100);
	assert_int_equal(backupkeys_open(path, false, &k, why), CS_ERR_DAMAGED);
	assert_non_null(strstr(why, "a key in it is damaged"));
	flip(size - 100);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(backupkeys_open(path, false, &k, why), CS_ERR_NOT_PERMITTED);
	assert_int_equal(chmod(path, 0600), 0);
	flip(0);
	assert_int_equal(backupkeys_open(path, true, &k, why), CS_ERR_DAMAGED);
	flip(0);
	/* Its beginning was cut off: begun anew. Anybody else's file is left alone. */
	assert_int_equal(truncate(path, 10), 0);
	assert_int_equal(backupkeys_open(path, true, &k, why), 0);
	backupkeys_close(k);
	int fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "hello", 5), 5);
	close(fd);
	assert_int_equal(backupkeys_open(path, true, &k, why), CS_ERR_DAMAGED);
	assert_int_equal(file_size(), 5);
}

/* --- seals --- */

static void seals(void **state)
{
	static const char text[] = "what only ada may be known by";
	uint8_t sealed[2][sizeof text + SEAL_OVERHEAD], opened[sizeof text], subject[32];
	struct seal_context here, there;
	struct backupkeys *k;
	const uint8_t *p;
	size_t n, len;

	(void)state;
	unlink(path);
	assert_int_equal(backupkeys_open(path, true, &k, why), 0);
	subject_make(subject, 1);
	struct backupkey key = *backupkeys_of(k, subject);
	seal_context(&here, BODIES_PURPOSE, "acme-1", 7);
	seal_context(&there, BODIES_PURPOSE, "acme-1", 8);
	n = seal_write(sealed[0], &key, &here, text, sizeof text);
	assert_int_equal(n, sizeof sealed[0]);
	/* The same again is the same bytes; anything else has another nonce. */
	assert_int_equal(seal_write(sealed[1], &key, &here, text, sizeof text), n);
	assert_memory_equal(sealed[0], sealed[1], n);
	seal_write(sealed[1], &key, &there, text, sizeof text);
	assert_memory_not_equal(sealed[0] + 20, sealed[1] + 20, 24);

	p = sealed[0];
	assert_int_equal(seal_read(&p, sealed[0] + n, k, &here, opened, sizeof opened, &len), SEAL_OPENED);
	assert_int_equal(len, sizeof text);
	assert_memory_equal(opened, text, len);
	assert_ptr_equal(p, sealed[0] + n);
	p = sealed[0];
	assert_int_equal(seal_read(&p, sealed[0] + n, k, &there, opened, sizeof opened, &len), SEAL_BAD);
	p = sealed[0];
	assert_int_equal(seal_read(&p, sealed[0] + n, k, &here, opened, sizeof opened - 1, &len), SEAL_BAD);
	for (size_t cut = 0; cut < n; cut++) {
		p = sealed[0];
		assert_int_equal(seal_read(&p, sealed[0] + cut, k, &here, opened, sizeof opened, &len), SEAL_BAD);
	}
	for (size_t bit = 0; bit < 8 * n; bit++) {
		sealed[0][bit / 8] ^= (uint8_t)(1u << bit % 8);
		p = sealed[0];
		assert_int_not_equal(seal_read(&p, sealed[0] + n, k, &here, opened, sizeof opened, &len), SEAL_OPENED);
		sealed[0][bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(backupkeys_destroy(k, key.id), 0);
	p = sealed[0];
	assert_int_equal(seal_read(&p, sealed[0] + n, k, &here, opened, sizeof opened, &len), SEAL_KEY_GONE);
	backupkeys_close(k);
}

static void manifests(void **state)
{
	struct manifest m = {.generation = 3,
	                     .origin = "acme-0123456789abcdef",
	                     .size = 1000,
	                     .state_size = 990,
	                     .state_index = 77,
	                     .state_term = 2,
	                     .made_ms = 1700000000000},
	                back;
	char text[MANIFEST_SIZE_MAX];
	struct keyfile key = {0};
	uint8_t pub[32];
	size_t len;

	(void)state;
	assert_int_equal(manifest_encode(&m, &key, text, &len), CS_ERR_INVALID);
	keyfile_random(&key, "gateway", 1u << KEY_SIGN);
	assert_int_equal(keyfile_public(&key, KEY_SIGN, pub, NULL), 0);
	for (unsigned i = 0; i < MANIFEST_N; i++) {
		memset(&m.files[i].hash, (int)i + 1, sizeof m.files[i].hash);
		m.files[i].len = 100 + i;
	}
	assert_int_equal(manifest_encode(&m, &key, text, &len), 0);
	assert_int_equal(manifest_decode(&back, text, len), 0);
	assert_int_equal(back.state_size, 990);
	assert_int_equal(back.files[2].len, 102);
	assert_string_equal(back.signer, "gateway");
	assert_true(manifest_signed_by(&back, pub));
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(manifest_decode(&back, text, cut), CS_ERR_MALFORMED);
	/* Every byte counts. */
	for (size_t i = 0; i < len; i++) {
		text[i] ^= 1;
		assert_false(manifest_decode(&back, text, len) == 0 && manifest_signed_by(&back, pub));
		text[i] ^= 1;
	}
	keyfile_wipe(&key);
}

/* --- the state, carried over --- */

struct records {
	unsigned n;
	struct {
		uint8_t key[9];
		uint8_t *value;
		size_t len;
	} list[4096];
};

static int gather(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct records *r = ctx;

	assert_int_equal(key_len, sizeof r->list[0].key);
	if (!value)
		return 0;
	assert_true(r->n < sizeof r->list / sizeof r->list[0]);
	memcpy(r->list[r->n].key, key, key_len);
	r->list[r->n].value = malloc(value_len + 1);
	memcpy(r->list[r->n].value, value, value_len);
	r->list[r->n++].len = value_len;
	return 0;
}

static struct records *records_of(struct state *s)
{
	struct records *r = calloc(1, sizeof *r);

	assert_non_null(r);
	assert_int_equal(state_take_dirty(s, gather, r), 0);
	return r;
}

static void records_free(struct records *r)
{
	for (unsigned i = 0; i < r->n; i++)
		free(r->list[i].value);
	free(r);
}

/* Features first, histories last, as a backup has them; without the records of whom is left out. */
static struct carry *carry_of(const struct records *r, const uint8_t *left_out, int *ret_err, struct hash *ret_digest)
{
	static const uint8_t nobody[32];
	struct carry *c;
	uint8_t subject[32];

	assert_int_equal(carry_new(NULL, &c), 0);
	for (unsigned pass = 0; pass < 3; pass++)
		for (unsigned i = 0; i < r->n; i++) {
			uint8_t kind = r->list[i].key[0];

			if (pass != (kind == 'F' ? 0u : kind == 'S' ? 2u : 1u))
				continue;
			subject_of_record(kind, r->list[i].value, r->list[i].len, subject);
			if (left_out && memcmp(subject, nobody, 32) != 0 && !memcmp(subject, left_out, 32))
				continue;
			assert_int_equal(carry_record(c, r->list[i].key, 9, r->list[i].value, r->list[i].len), 0);
		}
	*ret_err = carry_end(c, ret_digest);
	return c;
}

static struct state *found(struct kit *k, struct carry *c, const struct hash *digest, int *ret_err)
{
	static uint8_t payload[LIMIT_ENTRY_SIZE_MAX], leaf[LIMIT_ENTRY_SIZE_MAX], keys[3][32];
	static const uint8_t root[32] = {1};
	struct state *s = NULL;
	struct state_head head;
	struct genesis old, g;
	struct hash hash;
	size_t len, leaf_len;
	char text[160];

	state_head(carry_state(c), &head);
	assert_int_equal(genesis_decode(&old, k->genesis, k->genesis_len), 0);
	g = old;
	g.origin = (struct text){"kit.example-fedcba9876543210", 28};
	g.time_ms = head.time_ms + 1000;
	g.restored = true;
	g.predecessor = (struct predecessor){.origin = {KIT_ORIGIN, strlen(KIT_ORIGIN)},
	                                     .size = head.size + 3,
	                                     .state_size = head.size,
	                                     .root = root,
	                                     .digest = digest->b};
	randombytes_buf(keys, sizeof keys);
	g.n_nodes = 1;
	g.nodes[0].log_pub = keys[0];
	g.nodes[0].cosigner_pub = keys[1];
	g.nodes[0].channel_pub = keys[2];
	assert_int_equal(genesis_encode(&g, payload, sizeof payload, &len), 0);
	assert_int_equal(genesis_leaf(payload, len, leaf, sizeof leaf, &leaf_len, &hash), 0);
	assert_int_equal(genesis_decode(&g, payload, len), 0);
	*ret_err = carry_found(c, &g, &hash, &s, text);
	return s;
}

static void live(struct kit *k)
{
	kit_new(k, NULL, NULL);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(kit_ask_for(k, "bob", "read", "bob-laptop", "198.51.100.7"), DECIDE_ENTRY);
		k->now_ms += KIT_HOUR_MS;
		assert_int_equal(kit_ask_for(k, "ada", "read", "ada-laptop", "198.51.100.8"), DECIDE_ENTRY);
		if (k->out->verdict == VERDICT_STEP_UP)
			kit_answer(k, KIT_GATEWAY, k->out->index, "ada-key", k->device_sk);
	}
	/* An open challenge, too. */
	assert_int_equal(kit_ask_for(k, "eve", "delete", "eve-phone", "203.0.113.1"), DECIDE_ENTRY);
}

static void carried(void **state)
{
	static struct kit k;
	struct hash first, again;
	struct records *r;
	struct carry *c;
	struct state *s, *copy;
	int64_t value;
	int err;

	(void)state;
	live(&k);
	uint64_t size = k.out->index + 1;
	r = records_of(k.s);
	c = carry_of(r, NULL, &err, &first);
	assert_int_equal(err, 0);
	carry_free(c);
	/* The digest is the state's, not the records' order or places'. */
	for (unsigned i = 0; i < r->n / 2; i++) {
		typeof(r->list[0]) t = r->list[i];
		r->list[i] = r->list[r->n - 1 - i];
		r->list[r->n - 1 - i] = t;
	}
	c = carry_of(r, NULL, &err, &again);
	assert_int_equal(err, 0);
	assert_memory_equal(&first, &again, sizeof first);

	s = found(&k, c, &again, &err);
	assert_int_equal(err, 0);
	carry_free(c);
	struct state_head head;
	state_head(s, &head);
	assert_int_equal(head.size, 1);
	assert_string_equal(state_origin(s), "kit.example-fedcba9876543210");
	assert_int_equal(s->n_challenges, 0);
	assert_int_equal(s->n_answers, 0);
	assert_non_null(state_principal_by_name(s, "root", 4));
	assert_int_equal(state_principal_by_name(s, "root", 4)->version, STATE_EARLIER);
	/* Its records are a state that loads. */
	copy = kit_reload(s, NULL);
	state_free(s);
	s = copy;
	/* Decisions go on; habits are remembered, chains reach back into the ledger before. */
	struct state *old = k.s;
	k.s = s;
	k.now_ms = head.time_ms + 60000;
	uint64_t before = size;
	assert_int_equal(kit_ask_for(&k, "ada", "read", "ada-laptop", "198.51.100.8"), DECIDE_ENTRY);
	assert_int_equal(k.out->index, 1);
	assert_false(kit_signal(&k, SIGNAL_NEW_DEVICE, &value));
	struct field f;
	struct reader reader;
	uint64_t previous = 0, count = 0;
	assert_true(kit_field(&k, FIELD_SUBJECT_CHAIN, &f));
	reader_init(&reader, f.value, f.value_len);
	reader_array_exact(&reader, 2);
	reader_uint(&reader, UINT64_MAX, &previous);
	reader_uint(&reader, UINT64_MAX, &count);
	assert_int_equal(reader_end(&reader), 0);
	assert_true(previous >= STATE_EARLIER && previous - STATE_EARLIER < before);
	assert_true(count >= 5); /* And answers. */
	assert_int_equal(kit_ask_for(&k, "ada", "read", "adas-other-laptop", "198.51.100.8"), DECIDE_ENTRY);
	assert_true(kit_signal(&k, SIGNAL_NEW_DEVICE, &value));
	/* A request id of before the restore is refused, whether it was answered then or not. */
	uint8_t id[16] = {0};
	put_u64be(id, (head.time_ms - 5) << 16);
	struct request q;
	static uint8_t payload[70000];
	size_t len;
	kit_request(&q, "bob", "read", "bob-laptop", "198.51.100.7");
	assert_int_equal(request_encode(&q, payload, sizeof payload, &len), 0);
	assert_int_equal(kit_apply(&k, COMMAND_DECIDE, KIT_GATEWAY, id, payload, len, NULL, 0), DECIDE_REFUSED);
	assert_int_equal(k.out->err, CS_ERR_EXPIRED);

	state_free(s);
	k.s = old;
	kit_free(&k);
	records_free(r);
}

/* Somebody whose key is gone is as if they had never been there; everybody else is whole. */
static void carried_without(void **state)
{
	static struct kit k;
	struct hash all, rest;
	struct records *r;
	struct carry *c;
	uint8_t bob[32];
	int err;

	(void)state;
	live(&k);
	r = records_of(k.s);
	c = carry_of(r, NULL, &err, &all);
	assert_int_equal(err, 0);
	unsigned n = carry_state(c)->n_subjects;
	carry_free(c);
	subject_key(bob, (struct text){"user", 4}, (struct text){"bob", 3});
	c = carry_of(r, bob, &err, &rest);
	assert_int_equal(err, 0);
	assert_int_equal(carry_state(c)->n_subjects, n - 1);
	assert_null(subject_find(carry_state(c), bob));
	assert_memory_not_equal(&all, &rest, sizeof all);
	carry_free(c);
	records_free(r);
	kit_free(&k);
}

/* A genesis that does not fit what it carries on is refused, and so is one that comes through a log. */
static void refused(void **state)
{
	static struct kit k;
	struct hash digest, other = {{9}};
	struct records *r;
	struct carry *c;
	struct state *s;
	int err;

	(void)state;
	live(&k);
	r = records_of(k.s);
	c = carry_of(r, NULL, &err, &digest);
	assert_int_equal(err, 0);
	s = found(&k, c, &other, &err);
	assert_null(s);
	assert_int_equal(err, CS_ERR_INVALID);
	s = found(&k, c, &digest, &err);
	assert_int_equal(err, 0);
	state_free(s);
	carry_free(c);
	records_free(r);

	static uint8_t payload[LIMIT_ENTRY_SIZE_MAX];
	struct genesis g;
	size_t len;
	assert_int_equal(genesis_decode(&g, k.genesis, k.genesis_len), 0);
	assert_false(g.restored);
	g.restored = true;
	g.predecessor = (struct predecessor){
	        .origin = {"old-1", 5}, .size = 9, .state_size = 9, .root = digest.b, .digest = digest.b};
	assert_int_equal(genesis_encode(&g, payload, sizeof payload, &len), 0);
	struct state *fresh, *kept = k.s;
	assert_int_equal(state_new(NULL, &fresh), 0);
	k.s = fresh;
	assert_int_equal(kit_apply(&k, COMMAND_GENESIS, 0, NULL, payload, len, NULL, 0), DECIDE_REFUSED);
	assert_int_equal(k.out->err, CS_ERR_NOT_READY);
	state_free(fresh);
	k.s = kept;
	/* Its own origin, no state at all, more state than entries. */
	g.predecessor.origin = g.origin;
	assert_int_equal(genesis_encode(&g, payload, sizeof payload, &len), CS_ERR_INVALID);
	g.predecessor.origin = (struct text){"old-1", 5};
	g.predecessor.state_size = 0;
	assert_int_equal(genesis_encode(&g, payload, sizeof payload, &len), CS_ERR_INVALID);
	g.predecessor.state_size = 10;
	assert_int_equal(genesis_encode(&g, payload, sizeof payload, &len), CS_ERR_INVALID);
	kit_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(keys_last), cmocka_unit_test(keys_damaged), cmocka_unit_test(seals),
	        cmocka_unit_test(manifests), cmocka_unit_test(carried),      cmocka_unit_test(carried_without),
	        cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
