/* What the client believes: checkpoints signed by a log key of its trust policy, and no two of one size that differ. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "ledger/errors.h"
#include "node/wire/textfile.h"

int trust_open(struct trust *t, const char *path, char *ret_text)
{
	char reason[TEXTFILE_ERROR_SIZE];
	size_t len;

	pthread_mutex_init(&t->lock, NULL);
	char *text = malloc(VERIFY_POLICY_SIZE_MAX);
	t->scratch = malloc(sizeof(*t->scratch));
	char *bytes = malloc((size_t)CHECKPOINTS_KEPT * LIMIT_NOTE_SIZE_MAX);
	t->kept[0].bytes = bytes;
	if (text == NULL || t->scratch == NULL || bytes == NULL) {
		free(text);
		return CS_ERR_NOMEM;
	}
	for (unsigned i = 1; i < CHECKPOINTS_KEPT; i++)
		t->kept[i].bytes = bytes + (size_t)i * LIMIT_NOTE_SIZE_MAX;
	int err = textfile_read(path, false, text, VERIFY_POLICY_SIZE_MAX, &len, ret_text);
	if (err == CS_OK) {
		err = verify_policy_parse(text, len, &t->policy, reason, sizeof(reason));
		if (err < 0)
			textfile_error(ret_text, "%s: %s", path, err == CS_ERR_NOMEM ? err_text(err) : reason);
	}
	if (err == CS_OK && (t->text = strndup(text, len)) == NULL)
		err = CS_ERR_NOMEM;
	free(text);
	return err;
}

void trust_close(struct trust *t)
{
	if (t->scratch == NULL && t->kept[0].bytes == NULL)
		return;
	verify_policy_free(t->policy);
	free(t->text);
	free(t->scratch);
	free(t->kept[0].bytes);
	pthread_mutex_destroy(&t->lock);
}

/*
 * Two roots of one size, both signed: somebody shows different ledgers to different people, or to us at different
 * times. Caller holds the lock.
 */
static int split_view_check(const struct trust *t, uint64_t size, const struct hash *root, char *text)
{
	bool split = t->has_largest && t->largest_size == size && !hash_equal(&t->largest_root, root);

	for (unsigned i = 0; i < CHECKPOINTS_KEPT; i++)
		split = split || (t->kept[i].len > 0 && t->kept[i].size == size && !hash_equal(&t->kept[i].root, root));
	if (!split)
		return CS_OK;
	snprintf(text, TEXT_SIZE,
	         "ALARM: two signed checkpoints of size %llu have different roots: the ledger was forked or rewritten; "
	         "keep "
	         "this checkpoint and tell your auditors",
	         (unsigned long long)size);
	return CS_ERR_REFUTED;
}

/* Checks signatures. Caller holds the lock, so that the other replies of the batch wait, and then find it kept. */
static int note_check(struct trust *t, const char *origin, const char *note, size_t len, char *text)
{
	struct verify_result *v = t->scratch;

	verify_checkpoint(t->policy, note, len, v);
	if (v->outcome == VERIFY_REFUTED || !v->has_checkpoint) {
		snprintf(text, TEXT_SIZE, "ALARM: the reply's checkpoint does not hold: %.400s", v->reason);
		return CS_ERR_REFUTED;
	}
	/* A leader that is new to us is vouched for by the quorum of those that are not. */
	if (v->n_log_signatures == 0 && !v->quorum_reached) {
		snprintf(text, TEXT_SIZE,
		         "ALARM: no log key of the trust policy has signed the reply's checkpoint; if the nodes' keys "
		         "have "
		         "changed, this policy must follow: countersign trust update");
		return CS_ERR_REFUTED;
	}
	if (strcmp(v->origin, origin) != 0) {
		snprintf(text, TEXT_SIZE, "ALARM: the reply's checkpoint is of another ledger: %.128s", v->origin);
		return CS_ERR_REFUTED;
	}
	return CS_OK;
}

int trust_checkpoint(struct trust *t, const char *origin, const char *note, size_t len, uint64_t *ret_size,
                     struct hash *ret_root, bool *ret_quorum, char *text)
{
	struct hash root;
	int err = CS_OK;

	if (len == 0 || len > LIMIT_NOTE_SIZE_MAX) {
		snprintf(text, TEXT_SIZE, "ALARM: the reply has no checkpoint, or one that is too long");
		return CS_ERR_REFUTED;
	}
	pthread_mutex_lock(&t->lock);
	const struct trusted_note *known = NULL;
	for (unsigned i = 0; i < CHECKPOINTS_KEPT && known == NULL; i++)
		if (t->kept[i].len == len && memcmp(t->kept[i].bytes, note, len) == 0)
			known = &t->kept[i];
	if (known == NULL) {
		err = note_check(t, origin, note, len, text);
		memcpy(root.b, t->scratch->root, HASH_SIZE);
		if (err == CS_OK)
			err = split_view_check(t, t->scratch->size, &root, text);
		if (err == CS_OK) {
			struct trusted_note *k = &t->kept[t->next];
			t->next = (t->next + 1) % CHECKPOINTS_KEPT;
			memcpy(k->bytes, note, len);
			k->len = len;
			k->size = t->scratch->size;
			k->root = root;
			k->quorum = t->scratch->quorum_reached;
			known = k;
			if (!t->has_largest || k->size > t->largest_size) {
				t->has_largest = true;
				t->largest_size = k->size;
				t->largest_root = root;
			}
		}
	}
	if (err == CS_OK) {
		*ret_size = known->size;
		*ret_root = known->root;
		if (ret_quorum != NULL)
			*ret_quorum = known->quorum;
	}
	pthread_mutex_unlock(&t->lock);
	return err;
}

unsigned trust_needs(struct trust *t, const char *origin, bool whole, uint32_t ret_ids[WIRE_WITNESSES_MAX],
                     unsigned *ret_n)
{
	unsigned need = 0;

	*ret_n = 0;
	pthread_mutex_lock(&t->lock);
	if (t->policy != NULL)
		need = verify_policy_outside(t->policy, origin, ret_ids, WIRE_WITNESSES_MAX, ret_n);
	if (t->policy != NULL && need == 0 && whole)
		need = verify_policy_threshold(t->policy, ret_ids, WIRE_WITNESSES_MAX, ret_n);
	pthread_mutex_unlock(&t->lock);
	return need > WIRE_WITNESSES_MAX ? WIRE_WITNESSES_MAX : need;
}
