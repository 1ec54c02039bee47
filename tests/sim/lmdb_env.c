/* The double of LMDB: environments, and what the simulator does to their files from outside. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "node/salvage.h"
#include "node/writer.h"
#include "tests/sim/drive.h"
#include "tests/sim/faults.h"
#include "tests/sim/lmdb_internal.h"
#include "tests/sim/memory.h"
#include "tests/sim/os.h"
#include "tests/sim/store_env.h"

bool env_applied_apart;

static MDB_env *open_envs;

/* --- from outside --- */

/* As with etcd 3.5: what says how far the ledger has come is newer than the ledger. */
static void keep_meta(struct version *to, const struct version *from)
{
	for (unsigned i = 1; i < from->n; i++)
		if (i < to->n && strcmp(from->names[i], "meta") == 0)
			to->roots[i] = from->roots[i];
}

static struct env **env_at(struct drive *d, const char *folder)
{
	struct inode *i = drive_find(d, NULL, folder);

	return i ? inode_env(i) : NULL;
}

struct env *env_of(struct drive *d)
{
	struct env **at = env_at(d, "ledger");

	return at ? *at : NULL;
}

static void cut(struct drive *d, struct env *e)
{
	struct version old;

	if (e->now.number == e->synced.number || os_chance(500000))
		return;
	old = e->now;
	e->now = e->synced;
	if (env_applied_apart)
		keep_meta(&e->now, &old);
	os_note(d->node, "the last commit of the store is undone");
}

/* A store that is being written anew beside it is begun again, whatever is left of it. */
void env_power_cut(struct drive *d)
{
	struct env *e = env_of(d);

	if (e)
		cut(d, e);
}

/* Versions are never changed, so that a copy of what points to them is enough. */
struct env *env_copy(struct drive *d)
{
	const struct env *e = env_of(d);
	struct env *copy = e ? memory_lasting(sizeof *copy) : NULL;

	if (copy)
		*copy = *e;
	return copy;
}

void env_put_back(struct drive *d, struct env *e)
{
	struct env **at = env_at(d, "ledger");

	if (at)
		*at = e;
}

bool env_holds(const struct env *e, const char *bytes, char ret_text[64])
{
	for (unsigned i = 1; e && i < e->now.n; i++) {
		const struct map_node *n = map_holding(e->now.roots[i], bytes, strlen(bytes));
		if (!n)
			continue;
		snprintf(ret_text, 64, "%s of %zu bytes, key %02x…%02x of %zu", e->now.names[i], n->value_len,
		         n->key[0], n->key[n->key_len - 1], n->key_len);
		return true;
	}
	return false;
}

static const struct map_node *meta(const struct env *e, const char *key)
{
	for (unsigned i = 1; e && i < e->synced.n; i++)
		if (strcmp(e->synced.names[i], "meta") == 0)
			return map_find(e->synced.roots[i], key, strlen(key));
	return NULL;
}

/* ledger/FORMAT.md: size, applied Raft index, … What came by catch-up has not been in the log. */
uint64_t env_applied(const struct env *e)
{
	const struct map_node *head = meta(e, "head"), *fetched = meta(e, WRITER_META_FETCHED);
	uint64_t applied = head && head->value_len >= 16 ? get_u64be(head->value + 8) : 0;

	return fetched && fetched->value_len == 8 && applied <= get_u64be(fetched->value) ? 0 : applied;
}

void mdb_process_ended(struct process *p)
{
	for (MDB_env **at = &open_envs; *at;)
		if ((*at)->process == p)
			*at = (*at)->next;
		else
			at = &(*at)->next;
}

/* --- environment --- */

int mdb_env_create(MDB_env **ret)
{
	*ret = calloc(1, sizeof **ret);
	assert(*ret);
	(*ret)->process = os_process();
	return 0;
}

int mdb_env_set_maxdbs(MDB_env *e, MDB_dbi n)
{
	(void)e;
	assert(n < LMDB_DBS_MAX);
	return 0;
}

int mdb_env_set_maxreaders(MDB_env *e, unsigned n)
{
	(void)e, (void)n;
	return 0;
}

int mdb_env_set_mapsize(MDB_env *e, size_t size)
{
	e->map_size = size;
	return 0;
}

int mdb_env_open(MDB_env *e, const char *path, unsigned flags, mdb_mode_t mode)
{
	struct inode *folder, *i;

	(void)mode;
	assert(strncmp(path, "/sim/", 5) == 0 && path[6] == '/');
	e->disk = faults_drive((unsigned)(path[5] - '0'));
	folder = drive_find(e->disk, NULL, path + 7);
	if (!folder)
		return ENOENT;
	if (!drive_find(e->disk, folder, "data.mdb") && flags & MDB_RDONLY)
		return ENOENT;
	if (!drive_find(e->disk, folder, "data.mdb")) {
		/* LMDB's own file and name are taken for durable at once: they are made once in a node's life. */
		i = inode_new(false);
		inode_resize(i, LMDB_PAGE_SIZE);
		inode_synced(i);
		inode_link(folder, "data.mdb", i);
		inode_synced(folder);
		inode_synced(e->disk->root);
		*inode_env(folder) = NULL;
	}
	e->file = *inode_env(folder);
	if (!e->file) {
		*inode_env(folder) = e->file = memory_lasting_zeros(1, sizeof *e->file);
		e->file->now.n = e->file->synced.n = 1;
	}
	e->next = open_envs;
	open_envs = e;
	return 0;
}

void mdb_env_close(MDB_env *e)
{
	for (MDB_env **at = &open_envs; *at; at = &(*at)->next)
		if (*at == e) {
			*at = e->next;
			break;
		}
	free(e);
}

int mdb_reader_check(MDB_env *e, int *ret)
{
	(void)e;
	*ret = 0;
	return 0;
}

int mdb_env_info(MDB_env *e, MDB_envinfo *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->me_mapsize = e->map_size;
	ret->me_last_pgno = 1;
	return 0;
}

int mdb_env_stat(MDB_env *e, MDB_stat *ret)
{
	(void)e;
	memset(ret, 0, sizeof *ret);
	ret->ms_psize = LMDB_PAGE_SIZE;
	return 0;
}

/* Nothing here depends on how commits are synced. */
int mdb_env_set_flags(MDB_env *e, unsigned flags, int on)
{
	(void)e, (void)flags, (void)on;
	return 0;
}

int mdb_env_sync(MDB_env *e, int force)
{
	(void)force;
	if (faults_sync(e->disk))
		return EIO;
	faults_sleep_store(e->disk);
	e->file->synced = e->file->now;
	return 0;
}

/* --- node/salvage.h: the double's file has no pages, and nothing of it is damaged --- */

int salvage_store(const char *data_path, uint64_t map_size, struct salvaged *ret)
{
	(void)data_path, (void)map_size, (void)ret;
	return 0;
}

void salvage_suspect(const char *data_path)
{
	(void)data_path;
}

void salvage_trust(const char *data_path)
{
	(void)data_path;
}
