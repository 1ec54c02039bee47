/* The state's records in a backup, each sealed under the key of whom it tells of. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/state.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/backup/seal.h"
#include "client/tool/backup/subject.h"
#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/multiset.h"
#include "node/decide/state_records.h"

/* --- writing --- */

struct writing {
	struct backupkeys *keys;
	struct backupout *out;
	struct seal_context context;
	struct multiset sum;
	bool histories;  /* The second pass. */
	uint8_t *owners; /* Of subjects by slot, 32 bytes each: a history's record does not say whose it is. */
	size_t n_owners;
	uint8_t plain[RECORD_KEY_SIZE + BACKUPSTATE_RECORD_MAX];
	uint8_t sealed[RECORD_KEY_SIZE + BACKUPSTATE_RECORD_MAX + SEAL_OVERHEAD];
};

static bool ends_with_origin(uint8_t kind)
{
	return kind == RECORD_CHALLENGE || kind == RECORD_DEFERRED || kind == RECORD_ANSWERS;
}

static int note_owner(struct writing *w, uint64_t slot, const uint8_t subject[32])
{
	if (slot >= w->n_owners) {
		size_t n = w->n_owners ? w->n_owners : 1024;

		while (n <= slot)
			n *= 2;
		uint8_t *more = n > UINT32_MAX ? NULL : realloc(w->owners, n * 32);
		if (!more)
			return CS_ERR_NOMEM;
		memset(more + w->n_owners * 32, 0, (n - w->n_owners) * 32);
		w->owners = more;
		w->n_owners = n;
	}
	memcpy(w->owners + slot * 32, subject, 32);
	return 0;
}

static int write_record(struct writing *w, const uint8_t *key, const void *value, size_t len, const uint8_t subject[32])
{
	const struct backupkey *k = backupkeys_of(w->keys, subject);

	if (!k)
		return CS_ERR_NOMEM;
	memcpy(w->plain, key, RECORD_KEY_SIZE);
	memcpy(w->plain + RECORD_KEY_SIZE, value, len);
	size_t n = seal_write(w->sealed, k, &w->context, w->plain, RECORD_KEY_SIZE + len);
	backupout_write(w->out, w->sealed, n);
	return w->out->err ? CS_ERR_IO : 0;
}

static int take(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct writing *w = ctx;
	const uint8_t *k = key;
	uint8_t subject[32] = {0};
	int err = 0;

	if (key_len != RECORD_KEY_SIZE || value_len > BACKUPSTATE_RECORD_MAX)
		return CS_ERR_DAMAGED;
	uint64_t slot = get_u64be(k + 1);
	if (!w->histories)
		multiset_add(&w->sum, k[0], value, value_len);
	if (ends_with_origin(k[0]) || (k[0] == RECORD_HISTORY) != w->histories)
		return 0;
	if (k[0] == RECORD_HISTORY && slot < w->n_owners)
		memcpy(subject, w->owners + slot * 32, 32);
	else
		subject_of_record(k[0], value, value_len, subject);
	if (k[0] == RECORD_SUBJECT)
		err = note_owner(w, slot, subject);
	return err ? err : write_record(w, k, value, value_len, subject);
}

static int check_digest(const struct backupsource *s, const struct writing *w)
{
	struct hash stored, found;
	int err = store_view_state_digest(s->view, &stored);

	if (err == CS_ERR_NOT_FOUND)
		return 0; /* Written by a version that kept none. */
	multiset_digest(&w->sum, &found);
	return err ? err : hash_equal(&stored, &found) ? 0 : CS_ERR_DAMAGED;
}

int backupstate_write(const struct backupsource *s, struct backupkeys *keys, struct backupout *out)
{
	struct writing *w = calloc(1, sizeof *w);
	int err;

	if (!w)
		return CS_ERR_NOMEM;
	w->keys = keys;
	w->out = out;
	seal_context(&w->context, BACKUPSTATE_PURPOSE, s->checkpoint.origin, s->state_index);
	backupout_write(out, BACKUPSTATE_MAGIC, sizeof BACKUPSTATE_MAGIC - 1);
	err = store_view_each_state(s->view, take, w);
	if (!err)
		err = check_digest(s, w);
	w->histories = true;
	if (!err)
		err = store_view_each_state(s->view, take, w);
	free(w->owners);
	sodium_memzero(w, sizeof *w);
	free(w);
	return err;
}

/* --- reading --- */

struct reading {
	struct seal_context context;
	uint8_t sealed[RECORD_KEY_SIZE + BACKUPSTATE_RECORD_MAX + SEAL_OVERHEAD];
	uint8_t plain[RECORD_KEY_SIZE + BACKUPSTATE_RECORD_MAX];
};

/* The next piece's bytes; 0: the file's end. */
static int next_piece(FILE *f, struct reading *r, size_t *ret_len)
{
	size_t head = BACKUPKEYS_ID_SIZE + 4, n = fread(r->sealed, 1, head, f), len;

	*ret_len = 0;
	if (n == 0)
		return ferror(f) ? CS_ERR_IO : 0;
	if (n != head)
		return ferror(f) ? CS_ERR_IO : CS_ERR_MALFORMED;
	len = get_u32be(r->sealed + BACKUPKEYS_ID_SIZE);
	if (len > sizeof r->sealed - head)
		return CS_ERR_MALFORMED;
	if (fread(r->sealed + head, 1, len, f) != len)
		return ferror(f) ? CS_ERR_IO : CS_ERR_MALFORMED;
	*ret_len = head + len;
	return 0;
}

static int open_piece(struct reading *r, size_t len, const struct backupkeys *keys, backupstate_record_fn record,
                      void *ctx, uint64_t *gone)
{
	const uint8_t *p = r->sealed;
	size_t n = 0;

	switch (seal_read(&p, r->sealed + len, keys, &r->context, r->plain, sizeof r->plain, &n)) {
	case SEAL_KEY_GONE:
		(*gone)++;
		return 0;
	case SEAL_BAD:
		return CS_ERR_MALFORMED;
	case SEAL_OPENED:
		break;
	}
	if (n < RECORD_KEY_SIZE)
		return CS_ERR_MALFORMED;
	return record(ctx, r->plain, RECORD_KEY_SIZE, r->plain + RECORD_KEY_SIZE, n - RECORD_KEY_SIZE);
}

int backupstate_read(FILE *f, const char *origin, uint64_t state_index, const struct backupkeys *keys,
                     backupstate_record_fn record, void *ctx, uint64_t *ret_gone)
{
	struct reading *r = malloc(sizeof *r);
	char magic[sizeof BACKUPSTATE_MAGIC - 1];
	size_t len = 1;
	int err = r ? 0 : CS_ERR_NOMEM;

	*ret_gone = 0;
	if (!err &&
	    (fread(magic, 1, sizeof magic, f) != sizeof magic || memcmp(magic, BACKUPSTATE_MAGIC, sizeof magic)))
		err = ferror(f) ? CS_ERR_IO : CS_ERR_MALFORMED;
	if (!err)
		seal_context(&r->context, BACKUPSTATE_PURPOSE, origin, state_index);
	while (!err && len > 0) {
		err = next_piece(f, r, &len);
		if (!err && len > 0)
			err = open_piece(r, len, keys, record, ctx, ret_gone);
	}
	if (r)
		sodium_memzero(r, sizeof *r);
	free(r);
	return err;
}
