/* A ledger made by the real decide, put into a store: as it came, or altered and chained anew. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/replay_kit.h"

#include <lmdb.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/store.h"

static struct replay_made *recording, passing;

static void replay_passing(void);

static void add(struct replay_made *m, const void *leaf, size_t leaf_len, const void *body, size_t body_len)
{
	struct made_entry *e = &m->e[m->n++];

	assert_true(m->n <= REPLAY_ENTRIES_MAX);
	e->leaf = malloc(leaf_len);
	e->body = malloc(body_len + 1);
	assert_true(e->leaf != NULL && e->body != NULL);
	memcpy(e->leaf, leaf, leaf_len);
	memcpy(e->body, body, body_len);
	e->leaf_len = leaf_len;
	e->body_len = body_len;
}

void __real_decide(struct state *s, uint64_t time_ms, const void *command, size_t len, struct decide_out *out);
void __wrap_decide(struct state *s, uint64_t time_ms, const void *command, size_t len, struct decide_out *out);
void __wrap_decide(struct state *s, uint64_t time_ms, const void *command, size_t len, struct decide_out *out)
{
	__real_decide(s, time_ms, command, len, out);
	if (recording == &passing && out->outcome == DECIDE_ENTRY && out->index == 0)
		replay_passing();
	/* Some tests have two states do the same. */
	if (recording != NULL && out->outcome == DECIDE_ENTRY && out->index == recording->n)
		add(recording, out->leaf, out->leaf_len, out->body, out->body_len);
}

void replay_record(struct replay_made *into)
{
	recording = into;
}

void replay_made_free(struct replay_made *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		free(m->e[i].leaf);
		free(m->e[i].body);
	}
	m->n = 0;
}

/* --- made anew --- */

/* With this index and entry before, and altered where the alteration is about it. */
static void again(const struct made_entry *from, uint64_t index, const struct hash *prev,
                  const struct replay_alteration *a, struct replay_made *ret)
{
	static struct entry_builder b;
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
	static const uint8_t no_seed[SEED_SIZE];
	struct field f[LIMIT_FIELD_COUNT_MAX];
	struct entry e;
	size_t leaf_len, body_len;
	unsigned n;

	assert_int_equal(entry_decode(&e, from->leaf, from->leaf_len), 0);
	assert_int_equal(body_decode(f, &n, from->body, from->body_len), 0);
	entry_builder_init(&b, index, e.kind, e.time_ms, prev, no_seed);
	if (a != NULL && a->public_ != NULL)
		writer_raw(&b.public_, a->public_, a->public_len);
	else
		writer_raw(&b.public_, e.public_, e.public_len);
	for (unsigned i = 0; i < n; i++) {
		bool altered = a != NULL && a->field == f[i].kind;
		memcpy(b.salts[f[i].kind], f[i].salt, SALT_SIZE);
		entry_builder_field(&b, f[i].kind, altered ? a->value : f[i].value,
		                    altered ? a->value_len : f[i].value_len);
	}
	assert_int_equal(entry_builder_finish(&b, leaf, &leaf_len, body, &body_len), 0);
	add(ret, leaf, leaf_len, body, body_len);
}

static void last_leaf(const struct replay_made *m, struct hash *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (m->n > 0)
		hash_leaf(ret, m->e[m->n - 1].leaf, m->e[m->n - 1].leaf_len);
}

void replay_alter(const struct replay_made *m, const struct replay_alteration *a, struct replay_made *ret)
{
	struct hash prev;

	ret->n = 0;
	for (unsigned i = 0; i < m->n; i++) {
		last_leaf(ret, &prev);
		again(&m->e[i], i, &prev, i == a->index ? a : NULL, ret);
	}
}

void replay_graft(const struct replay_made *m, uint64_t index, const struct made_entry *other, struct replay_made *ret)
{
	struct hash prev;

	ret->n = 0;
	for (unsigned i = 0; i < index; i++) {
		last_leaf(ret, &prev);
		again(&m->e[i], i, &prev, NULL, ret);
	}
	last_leaf(ret, &prev);
	again(other, index, &prev, NULL, ret);
}

size_t replay_with_element(const uint8_t *array, size_t len, unsigned i, const void *bytes, size_t bytes_len,
                           uint8_t *ret, size_t cap)
{
	const uint8_t *element;
	size_t element_len;
	struct reader r;
	struct writer w;
	uint32_t n;

	reader_init(&r, array, len);
	writer_init(&w, ret, cap);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	writer_array(&w, n);
	assert_true(i < n);
	for (unsigned k = 0; k < n; k++) {
		reader_skip(&r, &element, &element_len);
		if (k == i)
			writer_raw(&w, bytes, bytes_len);
		else
			writer_raw(&w, element, element_len);
	}
	assert_int_equal(reader_end(&r), 0);
	assert_int_equal(w.err, 0);
	return w.len;
}

static json_t *json_of(const void *bytes, size_t len)
{
	static char text[2 * LIMIT_BODY_SIZE_MAX];

	sodium_bin2base64(text, sizeof(text), bytes, len, sodium_base64_VARIANT_ORIGINAL);
	return json_string(text);
}

/* --- in a store --- */

void replay_store(const struct replay_made *m, const char *folder)
{
	static struct store_entry list[REPLAY_ENTRIES_MAX];
	struct store *s;

	for (unsigned i = 0; i < m->n; i++) {
		list[i] = (struct store_entry){.leaf = m->e[i].leaf,
		                               .body = m->e[i].body,
		                               .leaf_len = (uint32_t)m->e[i].leaf_len,
		                               .body_len = (uint32_t)m->e[i].body_len};
		hash_leaf(&list[i].leaf_hash, m->e[i].leaf, m->e[i].leaf_len);
	}
	assert_int_equal(store_open(folder, &(struct store_options){.map_size = 1 << 26, .create = true}, &s), 0);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_append(s, 0, list, m->n), 0);
	assert_int_equal(store_applied(s, 1, 1), 0);
	assert_int_equal(store_commit(s), 0);
	store_close(s);
}

void replay_erase(const char *folder, uint64_t index)
{
	uint8_t bytes[8];
	MDB_val key = {sizeof(bytes), bytes};
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	put_u64be(bytes, index);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
	assert_int_equal(mdb_env_set_mapsize(env, 1 << 26), 0);
	assert_int_equal(mdb_env_open(env, folder, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "bodies", 0, &dbi), 0);
	assert_int_equal(mdb_del(txn, dbi, &key, NULL), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

json_t *replay_entry_json(const struct replay_made *m, uint64_t index, unsigned hidden)
{
	struct field f[LIMIT_FIELD_COUNT_MAX];
	json_t *fields = json_array();
	unsigned n;

	assert_true(index < m->n);
	assert_int_equal(body_decode(f, &n, m->e[index].body, m->e[index].body_len), 0);
	for (unsigned i = 0; i < n; i++)
		if (f[i].kind != hidden)
			json_array_append_new(fields, json_pack("{s:s, s:o}", "kind", field_kind_text(f[i].kind),
			                                        "value", json_of(f[i].value, f[i].value_len)));
	return json_pack("{s:o, s:o}", "entry", json_of(m->e[index].leaf, m->e[index].leaf_len), "fields", fields);
}

const struct replay_made *replay_passed(void)
{
	return &passing;
}

static const char *tool(void)
{
	const char *t = getenv("COUNTERSIGN");

	return t != NULL ? t : "./countersign";
}

int replay_tool(const char *arguments, json_t **ret)
{
	static char said[1 << 20];
	char command[4096];
	size_t n = 0, got;
	FILE *f;

	snprintf(command, sizeof(command), "%s replay %s --json 2>&1", tool(), arguments);
	f = popen(command, "r");
	assert_non_null(f);
	while (n < sizeof(said) - 1 && (got = fread(said + n, 1, sizeof(said) - 1 - n, f)) > 0)
		n += got;
	said[n] = 0;
	int status = pclose(f);
	assert_true(WIFEXITED(status));
	*ret = json_loads(said, 0, NULL);
	if (*ret == NULL) /* A message: a test that fails shows it. */
		*ret = json_pack("{s:s}", "said", said);
	return WEXITSTATUS(status);
}

/* --- ledgers that come by --- */

static void replay_passing(void)
{
	char folder[200], command[256];
	json_t *o;

	if (passing.n == 0)
		return;
	snprintf(folder, sizeof(folder), "%s/countersign-passing.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(folder));
	replay_store(&passing, folder);
	int code = replay_tool(folder, &o);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	assert_int_equal(system(command), 0);
	replay_made_free(&passing);
	if (code != 0)
		fail_msg("replay: exit code %d: %s", code, o != NULL ? json_dumps(o, JSON_INDENT(1)) : "");
	json_decref(o);
}

int replay_setup(void **state)
{
	(void)state;
	if (access(tool(), X_OK) == 0)
		replay_record(&passing);
	return 0;
}

int replay_teardown(void **state)
{
	(void)state;
	replay_passing();
	replay_record(NULL);
	return 0;
}
