/* Ledgers damaged on every node, in different places, at rest and in service: named, refused, repaired, whole again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "tests/cluster.h"
#include "tests/history.h"

#define NODES 3
#define PAGE  4096

static struct cluster cluster;
static uint8_t flip_mask = 0x30; /* Two bits: one would be turned back without the others. */

static void decide(cs_client *client, unsigned n)
{
	struct cs_request r = {
	        .subject_type = "user", .action = "read", .resource_type = "repo", .resource_id = "main"};
	char subject[32];

	for (unsigned i = 0; i < n; i++) {
		uint64_t asked_ns = history_now_ns();
		cs_result *result;
		snprintf(subject, sizeof subject, "u%u", i % 7);
		r.subject_id = subject;
		cs_request_id(r.id);
		if (cs_decide(client, &r, &result))
			history_fail(cs_last_error());
		history_add(r.id, result->index, asked_ns);
		cs_result_free(result);
	}
}

/* --- places in a node's data.mdb --- */

static void path_of(unsigned node, const char *name, char ret[400])
{
	snprintf(ret, 400, "%s/c/node-%u/data/ledger/%s", cluster.dir, node, name);
}

static const uint8_t *mapped_at(const char *path)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[1024];
	void *begin = NULL;

	while (f && fgets(line, sizeof line, f))
		if (strstr(line, path) && sscanf(line, "%p-", &begin) == 1)
			break;
	if (f)
		fclose(f);
	return begin;
}

/* Where a record's value is; key NULL: the last one's. Of a node at work it is where it was a moment ago. */
static off_t place(unsigned node, const char *db, const void *key, size_t len, size_t *ret_len)
{
	MDB_val k = {.mv_size = len, .mv_data = (void *)(uintptr_t)key}, v;
	MDB_cursor *cursor;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	char dir[400], path[400];

	path_of(node, "", dir);
	path_of(node, "data.mdb", path);
	if (mdb_env_create(&env) || mdb_env_set_maxdbs(env, 8) || mdb_env_open(env, dir, MDB_RDONLY, 0600) ||
	    mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) || mdb_dbi_open(txn, db, 0, &dbi) ||
	    mdb_cursor_open(txn, dbi, &cursor) || mdb_cursor_get(cursor, &k, &v, key ? MDB_SET : MDB_LAST))
		history_fail(path);
	off_t at = (const uint8_t *)v.mv_data - mapped_at(path);
	*ret_len = v.mv_size;
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return at;
}

static void write_at(unsigned node, off_t at, bool zero)
{
	char path[400];
	uint8_t b;

	path_of(node, "data.mdb", path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || pread(fd, &b, 1, at) != 1)
		history_fail(path);
	b = zero ? 0 : b ^ flip_mask;
	if (pwrite(fd, &b, 1, at) != 1)
		history_fail(path);
	close(fd);
}

static void flip(unsigned node, const char *db, const void *key, size_t len, size_t byte)
{
	size_t size;
	off_t at = place(node, db, key, len, &size);

	write_at(node, at + (off_t)(byte < size ? byte : size - 1), false);
}

static void flip_index(unsigned node, const char *db, uint64_t index, size_t byte)
{
	uint8_t key[8];

	put_u64be(key, index);
	flip(node, db, key, sizeof key, byte);
}

static void flip_tile(unsigned node, unsigned level, uint64_t n, size_t byte)
{
	uint8_t key[9] = {(uint8_t)level};

	put_u64be(key + 1, n);
	flip(node, "tiles", key, sizeof key, byte);
}

/* --- what is expected --- */

static void expect(unsigned node, const char *words, unsigned before)
{
	if (cluster_in_log(&cluster, node, words) <= before) {
		fprintf(stderr, "node %u did not say: %s\n", node, words);
		abort();
	}
}

/* All passes end, and nothing is damaged any more. */
static void scrub(void)
{
	cluster_run("cluster scrub %s/c", cluster.dir);
}

/* The stores themselves, read by the verifier, which trusts nobody. */
static void verify_stores(void)
{
	for (unsigned n = 1; n <= NODES; n++)
		cluster_run("verify %s/c/node-%u/data/ledger --bodies --trust %s/c/trust.policy", cluster.dir, n,
		            cluster.dir);
}

static void check(cs_client *client, const char *what)
{
	decide(client, 5);
	history_check(client, cluster_converge(client));
	fprintf(stderr, "%s\n", what);
}

/* Until every node has in its file what it has decided. */
static uint64_t stored(cs_client *client)
{
	const struct timespec nap = {.tv_nsec = 20000000};
	uint64_t size = cluster_converge(client);

	for (unsigned n = 1; n <= NODES; n++)
		while (cluster_status(client, n, "stored_size") < (long long)size)
			nanosleep(&nap, NULL);
	return size;
}

static void down(void)
{
	cluster_run("cluster down %s/c", cluster.dir);
}

static void up(void)
{
	cluster_run("cluster up %s/c", cluster.dir);
}

/* --- the tests --- */

/* While all serve: an entry, private fields, tiles, a checkpoint; each node other ones. */
static void in_service(cs_client *client)
{
	for (unsigned n = 1; n <= NODES; n++) {
		flip_index(n, "entries", 10 + n, 20 * n);
		flip_index(n, "entries", 40 + n, 3);
		flip_index(n, "bodies", 20 + n, 30 + n);
		flip_tile(n, 0, 0, 32 * n + 5);
	}
	flip(1, "checkpoints", NULL, 0, 70);
	/* Whoever asks a node for a damaged entry is told so, or has it once it is repaired: never other bytes. */
	scrub();
	for (unsigned n = 1; n <= NODES; n++) {
		char words[64];
		snprintf(words, sizeof words, "repaired, with what node .*: entry %u ", 10 + n);
		expect(n, words, 0);
		snprintf(words, sizeof words, "repaired, with what node .*: private fields of entry %u ", 20 + n);
		expect(n, words, 0);
		expect(n, "repaired, with what else is stored here: tile 0/0", 0);
	}
	expect(1, "is repaired.*: checkpoint", 0);
	check(client, "in service, on all: repaired");
}

static unsigned refusals(void)
{
	unsigned n = 0;

	for (unsigned node = 1; node <= NODES; node++)
		n += cluster_in_log(&cluster, node,
		                    "entry 60 in ledger/data.mdb is not as it was stored, and is given to nobody");
	return n;
}

/* Nobody has it whole: it is refused in words, its neighbour is given; once one node has it, all have. */
static void nobody_has_it(cs_client *client)
{
	stored(client);
	for (unsigned n = 1; n <= NODES; n++)
		flip_index(n, "entries", 60, 11);
	if (cluster_try("show 60 --cluster %s --key %s --timeout-ms 1500", cluster.cluster_file, cluster.gateway_key) ==
	    0)
		history_fail("a damaged entry is shown");
	cluster_run("show 61 --cluster %s --key %s", cluster.cluster_file, cluster.gateway_key);
	if (refusals() == 0)
		history_fail("a damaged entry is not refused in words");
	flip_index(2, "entries", 60, 11);
	cluster_run("show 60 --cluster %s --key %s --timeout-ms 15000", cluster.cluster_file, cluster.gateway_key);
	scrub();
	check(client, "refused as long as nobody has it");
}

/* The last entry, the tree's edge, the records about the ledger, a bit of the state: what a start looks at. */
static void at_rest(cs_client *client)
{
	uint64_t size = stored(client);

	down();
	flip_mask = 0x10;
	flip(1, "entries", NULL, 0, 12); /* Whatever came last: readings are entries, too. */
	flip_tile(2, 0, size / 256, 7);
	flip(3, "state", NULL, 0, 9);
	flip(3, "meta", "head", 4, 20);
	flip(1, "meta", "sum", 3, 100);
	flip(2, "meta", "format", 6, 13);
	flip_index(3, "entries", size - 2, 30);
	flip_index(3, "bodies", size - 3, 30);
	up();
	expect(1, "the last entry is not as it was stored", 0);
	expect(2, "tiles of the tree were damaged: repaired", 0);
	expect(3, "a bit of the state was another: repaired", 0);
	for (unsigned n = 1; n <= NODES; n++)
		expect(n, "the records about the ledger were damaged: repaired by their copy", 0);
	scrub();
	expect(3, "repaired, with what else is stored here: entry", 0);
	expect(3, "repaired, with what else is stored here: private fields", 0);
	check(client, "at rest, on all, where a start looks: repaired");
}

/* More than a bit of the state on one node, and the whole file of another: from the others, before Raft starts. */
static void lost(cs_client *client)
{
	char path[400];

	stored(client);
	down();
	flip(1, "state", NULL, 0, 3);
	flip(1, "state", NULL, 0, 11);
	path_of(2, "data.mdb", path);
	cluster_shell("dd if=/dev/zero of='%s' bs=4096 count=2 conv=notrunc status=none", path);
	up();
	expect(1, "the state is damaged: another", 0);
	expect(1, "the state is here again", 0);
	expect(2, "it is put aside", 0);
	expect(2, "the state is here again", 0);
	scrub();
	check(client, "the state of one, all of another: fetched");
}

/* What LMDB itself needs: a page of entries, of private fields, a meta page; each node another. */
static void structure(cs_client *client)
{
	size_t len;
	uint8_t key[8];

	down();
	put_u64be(key, 30);
	off_t entries = place(1, "entries", key, sizeof key, &len), bodies = place(2, "bodies", key, sizeof key, &len);
	write_at(1, entries - entries % PAGE + 10, false); /* The page's kind. */
	write_at(2, bodies - bodies % PAGE + 13, false);   /* Where its free room begins. */
	write_at(3, PAGE + 17, true);                      /* The magic of a meta page. */
	for (unsigned n = 1; n <= NODES; n++) {
		char path[400];
		path_of(n, "suspect", path);
		close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)); /* As after a run that met it. */
	}
	up();
	for (unsigned n = 1; n <= NODES; n++)
		expect(n, "was built anew from what of it can be read", 0);
	scrub();
	check(client, "the structure, on all: built anew, and filled by the others");
}

int main(void)
{
	cs_client *client;

	/* Long tiles, too: more than 256 entries. */
	cluster_create(&cluster, "scrub_mib_per_s: 64");
	client = cluster_client(&cluster);
	decide(client, 290);
	stored(client);
	in_service(client);
	nobody_has_it(client);
	at_rest(client);
	structure(client);
	lost(client);
	cs_close(client);
	down();
	verify_stores();
	cluster_destroy(&cluster);
	return 0;
}
