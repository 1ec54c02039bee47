/* Erasures and backups: keys of erased subjects are destroyed, bundles written anew, old copies are lost. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/tool/backup/bodies.h"
#include "client/tool/backup/folder.h"
#include "client/tool/backup/list.h"
#include "client/tool/backup/manifest.h"
#include "client/tool/backup/shown.h"
#include "client/tool/exportfile.h"
#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "node/decide/decide.h"

#define ORIGIN    "acme-0123456789abcdef"
#define N         600 /* Two full bundles and a partial one. */
#define ERASED    1   /* The subject: user u1. */
#define SUBJECTS  3
#define CUT_ENTRY 5 /* Of user u2: loses its action alone. */

static char top[] = "/tmp/countersign-test-erase-XXXXXX";
static char ledger[128], save[128], copy[128], keys_path[128];
static struct hash last_leaf;
static uint8_t log_sk[64];
static struct note_key log_key;
static struct keyfile signer;

static int setup(void **state)
{
	uint8_t pub[32];

	(void)state;
	if (sodium_init() < 0 || !mkdtemp(top))
		return -1;
	snprintf(ledger, sizeof ledger, "%s/ledger", top);
	snprintf(save, sizeof save, "%s/save", top);
	snprintf(copy, sizeof copy, "%s/copy", top);
	snprintf(keys_path, sizeof keys_path, "%s/keys", top);
	crypto_sign_keypair(pub, log_sk);
	keyfile_random(&signer, "gateway", 1u << KEY_SIGN);
	return mkdir(ledger, 0700) || note_key_init(&log_key, ORIGIN, NOTE_KEY_ED25519, pub);
}

static int teardown(void **state)
{
	char command[160];

	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", top);
	return system(command);
}

/* --- the node's store --- */

static void subject_text(uint64_t index, char ret[8])
{
	snprintf(ret, 8, "u%u", (unsigned)(index % SUBJECTS));
}

static void field(struct entry_builder *b, unsigned kind, const char *first, const char *second)
{
	uint8_t bytes[64];
	struct writer w;

	writer_init(&w, bytes, sizeof bytes);
	if (second)
		writer_array(&w, 2);
	writer_cstr(&w, first);
	if (second)
		writer_cstr(&w, second);
	entry_builder_field(b, kind, bytes, w.len);
}

static void append(struct store *s, uint64_t index, unsigned kind)
{
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
	static struct entry_builder b;
	uint8_t seed[SEED_SIZE] = {0};
	struct store_entry e = {.leaf = leaf, .body = body};
	size_t leaf_len, body_len;
	char id[8];

	put_u64be(seed, index + 1);
	entry_builder_init(&b, index, kind, 1700000000000 + index, &last_leaf, seed);
	subject_text(index, id);
	if (kind == 24) {
		writer_array(&b.public_, 9);
		writer_uint(&b.public_, 1);
		for (unsigned i = 0; i < 4; i++)
			writer_uint(&b.public_, i == 1 ? index : 0);
		writer_array(&b.public_, 0);
		writer_nil(&b.public_);
		writer_uint(&b.public_, 1);
		writer_nil(&b.public_);
	} else if (kind == 25) {
		writer_array(&b.public_, 4);
		writer_uint(&b.public_, 1);
		writer_uint(&b.public_, index - 1);
		writer_uint(&b.public_, 200);
		writer_uint(&b.public_, 0);
	} else {
		writer_array(&b.public_, 0);
		field(&b, FIELD_SUBJECT, "user", id);
		field(&b, FIELD_ACTION, "read", NULL);
	}
	assert_int_equal(entry_builder_finish(&b, leaf, &leaf_len, body, &body_len), 0);
	hash_leaf(&e.leaf_hash, leaf, leaf_len);
	last_leaf = e.leaf_hash;
	e.leaf_len = (uint32_t)leaf_len;
	e.body_len = (uint32_t)body_len;
	assert_int_equal(store_append(s, index, &e, 1), 0);
}

static void grow(uint64_t from, uint64_t to, bool erased)
{
	struct store_options o = {.create = true, .map_size = 1 << 26};
	struct store *s;

	assert_int_equal(store_open(ledger, &o, &s), 0);
	assert_int_equal(store_begin(s), 0);
	for (uint64_t i = from; i < to; i++)
		append(s, i, i == 0 ? ENTRY_GENESIS : !erased ? ENTRY_DECISION : i == from ? 24 : 25);
	assert_int_equal(store_applied(s, to, 1), 0);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(store_write_state(s, NULL, 0, to, 1), 0);
	store_close(s);
}

/* As the node does: bodies of the subject's entries go, and of one of somebody else's a field. */
static void erase(void)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	uint8_t key_bytes[8], cut[256];
	MDB_val key = {8, key_bytes}, value;
	struct writer w;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	unsigned n;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 16), 0);
	assert_int_equal(mdb_env_set_mapsize(env, 1 << 26), 0);
	assert_int_equal(mdb_env_open(env, ledger, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "bodies", 0, &dbi), 0);
	for (uint64_t i = 0; i < N; i++) {
		put_u64be(key_bytes, i);
		if (i % SUBJECTS == ERASED)
			assert_int_equal(mdb_del(txn, dbi, &key, NULL), 0);
	}
	put_u64be(key_bytes, CUT_ENTRY);
	assert_int_equal(mdb_get(txn, dbi, &key, &value), 0);
	assert_int_equal(body_decode(fields, &n, value.mv_data, value.mv_size), 0);
	assert_int_equal(n, 2);
	writer_init(&w, cut, sizeof cut);
	writer_array(&w, 1);
	writer_array(&w, 3);
	writer_uint(&w, fields[0].kind);
	writer_bin(&w, fields[0].salt, SALT_SIZE);
	writer_bin(&w, fields[0].value, fields[0].value_len);
	value = (MDB_val){w.len, cut};
	assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

/* --- backups of it --- */

static void moment(struct backupsource *s, struct store *store)
{
	struct store_head head;
	size_t len;

	memset(s, 0, sizeof *s);
	s->path = ledger;
	s->store = store;
	assert_int_equal(store_view_open(store, &s->view), 0);
	store_view_head(s->view, &head);
	memcpy(s->checkpoint.origin, ORIGIN, sizeof ORIGIN);
	s->checkpoint.size = s->state_size = s->state_index = head.size;
	s->state_term = 1;
	s->checkpoint.root = head.root;
	assert_int_equal(checkpoint_format(&s->checkpoint, s->note, sizeof s->note, &s->note_len), 0);
	len = s->note_len;
	s->note[s->note_len++] = '\n';
	assert_int_equal(note_sign(&log_key, log_sk, s->note, len, s->note, sizeof s->note, &s->note_len), 0);
}

static void backup(int erased)
{
	struct store_options o = {.read_only = true};
	struct backupfolder *f;
	struct backupsource s;
	struct backupkeys *keys;
	struct store *store;
	char why[BACKUPKEYS_WHY_SIZE];

	assert_int_equal(store_open(ledger, &o, &store), 0);
	moment(&s, store);
	assert_int_equal(backupkeys_open(keys_path, true, &keys, why), 0);
	assert_int_equal(backupfolder_open(save, keys, &f, why, sizeof why), 0);
	assert_int_equal(backupfolder_again(f, &s), erased);
	assert_int_equal(backupfolder_start(f, &s), 0);
	for (uint64_t i = backupfolder_begin(f); i < s.checkpoint.size; i++) {
		const void *leaf, *body = NULL;
		size_t leaf_len, body_len = 0;

		assert_int_equal(store_view_entry(s.view, i, &leaf, &leaf_len), 0);
		if (store_view_body(s.view, i, &body, &body_len))
			body = NULL;
		assert_int_equal(backupfolder_append(f, i, leaf, leaf_len, body, body_len), 0);
	}
	assert_int_equal(backupfolder_finish(f, &s, &signer), 0);
	backupfolder_close(f);
	backupkeys_close(keys);
	store_view_close(s.view);
	store_close(store);
}

/* How the bodies of the backup in that folder look now. */
struct seen {
	unsigned bodies, erased, gone, cut;
};

static void good(void *ctx, const char *path)
{
	(void)ctx, (void)path;
}

static void read_bodies(const char *folder, struct seen *ret)
{
	static uint8_t bundle[1 << 20], body[LIMIT_BODY_SIZE_MAX];
	char why[BACKUPKEYS_WHY_SIZE], text[MANIFEST_SIZE_MAX], name[BACKUPOUT_NAME_SIZE], path[TILEPATH_SIZE];
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct bodiesmap map = {0};
	struct backupkeys *keys;
	struct manifest m;
	int fd = open(folder, O_RDONLY | O_DIRECTORY), err;
	size_t len;
	unsigned n;

	memset(ret, 0, sizeof *ret);
	assert_true(fd >= 0);
	assert_int_equal(backupkeys_open(keys_path, false, &keys, why), 0);
	assert_int_equal(exportfile_read(fd, MANIFEST_NAME, (uint8_t *)text, sizeof text, &len), 0);
	assert_int_equal(manifest_decode(&m, text, len), 0);
	manifest_file_name(MANIFEST_FILES, m.generation, name);
	assert_int_equal(backuplist_check(fd, name, good, NULL, path, &err), LIST_GOOD);
	assert_int_equal(bodiesmap_load(&map, fd, name, m.size), 0);
	for (uint64_t i = 0; i < m.size; i++) {
		static const uint8_t *p, *end;

		if (i % TREE_TILE_WIDTH == 0) {
			uint64_t left = m.size - i, bundle_n = i / TREE_TILE_WIDTH;

			bodies_path(bundle_n, left < TREE_TILE_WIDTH ? (unsigned)left : TREE_TILE_WIDTH,
			            bodiesmap_generation(&map, bundle_n), path);
			assert_int_equal(exportfile_read(fd, path, bundle, sizeof bundle, &len), 0);
			p = bundle;
			end = bundle + len;
		}
		switch (bodies_next(&p, end, keys, ORIGIN, i, body, &len)) {
		case BODIES_BODY:
			ret->bodies++;
			assert_int_equal(body_decode(fields, &n, body, len), 0);
			ret->cut += !body_find(fields, n, FIELD_ACTION);
			break;
		case BODIES_ERASED:
			ret->erased++;
			break;
		case BODIES_KEY_GONE:
			assert_int_equal(i % SUBJECTS, ERASED);
			ret->gone++;
			break;
		case BODIES_NONE:
			break;
		case BODIES_BAD:
			fail();
		}
	}
	bodiesmap_free(&map);
	backupkeys_close(keys);
	close(fd);
}

static void erased(void **state)
{
	char command[300];
	struct seen seen;

	(void)state;
	grow(0, N, false);
	backup(0);
	read_bodies(save, &seen);
	assert_int_equal(seen.bodies, N);
	assert_int_equal(seen.cut, 0);
	snprintf(command, sizeof command, "cp -a '%s' '%s'", save, copy);
	assert_int_equal(system(command), 0);

	grow(N, N + 2, true);
	erase();
	backup(1);
	read_bodies(save, &seen);
	assert_int_equal(seen.erased, N / SUBJECTS);
	assert_int_equal(seen.gone, 0);
	assert_int_equal(seen.bodies, N - N / SUBJECTS);
	assert_int_equal(seen.cut, 1);
	/* The copy that somebody has put aside has the subject's bodies no more, and everybody else's. */
	read_bodies(copy, &seen);
	assert_int_equal(seen.gone, N / SUBJECTS);
	assert_int_equal(seen.bodies, N - N / SUBJECTS);
	assert_int_equal(seen.erased, 0);

	/* Who comes back gets a new key, which is not destroyed by looking again. */
	grow(N + 2, N + 20, false);
	backup(0);
	read_bodies(save, &seen);
	assert_int_equal(seen.bodies, N - N / SUBJECTS + 18);
	grow(N + 20, N + 22, true);
	backup(1);
	read_bodies(save, &seen);
	assert_int_equal(seen.bodies, N - N / SUBJECTS + 18);
	assert_int_equal(seen.gone, 0);
}

/* A newer export tells how many were erased since: whom, no entry says. */
static void erasures_are_seen(void **state)
{
	struct shown s = {.there = true, .path = save, .checkpoint = {.size = N + 22}};
	uint64_t n;

	(void)state;
	s.folder = open(save, O_RDONLY | O_DIRECTORY);
	assert_true(s.folder >= 0);
	assert_int_equal(shown_erasures(&s, 0, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(shown_erasures(&s, N + 1, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(shown_erasures(&s, N + 21, &n), 0);
	assert_int_equal(n, 0);
	s.checkpoint.size = N + 23;
	assert_int_equal(shown_erasures(&s, 0, &n), CS_ERR_IO);
	shown_close(&s);
	s.path = save;
	s.folder = -1;
	assert_int_equal(shown_erasures(&s, 0, &n), CS_ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(erased), cmocka_unit_test(erasures_are_seen)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
