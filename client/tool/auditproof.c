/* Where the cluster's ledger stands by proof: an inclusion proof shows the whole tree up to its entry. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/auditproof.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/entry.h"
#include "ledger/note.h"

/* The hashes of the proof's text; the verifier has held their number against index and size. */
static bool read_hashes(const char *text, struct hash *ret, unsigned *ret_n)
{
	const char *line = strchr(text, '\n'); /* Behind the format's name, then the index. */
	size_t len;

	*ret_n = 0;
	line = line ? strchr(line + 1, '\n') : NULL;
	for (line = line ? line + 1 : NULL; line && *line && *line != '\n'; (*ret_n)++) {
		const char *end = strchr(line, '\n');

		if (!end || *ret_n == LIMIT_PROOF_HASHES_MAX ||
		    base64_decode(line, (size_t)(end - line), ret[*ret_n].b, HASH_SIZE, &len) || len != HASH_SIZE)
			return false;
		line = end + 1;
	}
	return line && *line == '\n';
}

/* Those to the left stand where the index has a bit; the entry then joins them as an append would. */
static void fold(struct auditproof *p, const struct hash *hashes, unsigned n)
{
	uint64_t fn = p->index, sn = p->size - 1;
	struct hash h = p->leaf;
	unsigned level = 0;

	for (unsigned i = 0; i < n; i++) {
		if ((fn & 1) || fn == sn) {
			for (; !(fn & 1) && fn; level++, fn >>= 1)
				sn >>= 1;
			memcpy(p->fold.frontier[level], hashes[i].b, HASH_SIZE);
		}
		fn >>= 1;
		sn >>= 1;
		level++;
	}
	for (level = 0; p->index >> level & 1; level++) {
		struct hash left;

		memcpy(left.b, p->fold.frontier[level], HASH_SIZE);
		hash_node(&h, &left, &h);
	}
	memcpy(p->fold.frontier[level], h.b, HASH_SIZE);
	memcpy(p->fold.last_leaf, p->leaf.b, HASH_SIZE);
	p->fold.size = p->index + 1;
	verify_fold_root(&p->fold, p->root.b);
}

static bool read_entry(json_t *root, struct auditproof *p)
{
	const char *s = json_string_value(json_object_get(root, "entry"));
	size_t cap = s ? strlen(s) / 4 * 3 + 3 : 0, len = 0;
	uint8_t *leaf = s ? malloc(cap) : NULL;
	struct entry e;
	bool ok = leaf && !base64_decode(s, strlen(s), leaf, cap, &len) && !entry_decode(&e, leaf, len) &&
	          e.index == p->index;

	if (ok)
		hash_leaf(&p->leaf, leaf, len);
	free(leaf);
	return ok;
}

static bool read_note(const char *proof, struct auditproof *p)
{
	const char *note = strstr(proof, "\n\n");
	size_t len = note ? strlen(note + 2) : 0;

	if (!note || len > LIMIT_NOTE_SIZE_MAX)
		return false;
	memcpy(p->note, note + 2, len + 1);
	p->note_len = len;
	return true;
}

bool auditproof_read(struct auditproof *ret, const struct verify_policy *policy, const char *bundle, uint64_t index)
{
	struct hash hashes[LIMIT_PROOF_HASHES_MAX];
	unsigned n = 0;
	json_t *root;
	bool ok;

	memset(ret, 0, sizeof *ret);
	ret->index = index;
	ret->result = malloc(sizeof *ret->result);
	if (!ret->result)
		return false;
	verify_bundle(policy, bundle, strlen(bundle), ret->result);
	if (ret->result->outcome == VERIFY_REFUTED || !ret->result->proven)
		return false;
	ret->size = ret->result->size;
	memcpy(ret->size_root.b, ret->result->root, HASH_SIZE);
	root = json_loads(bundle, JSON_REJECT_DUPLICATES, NULL);
	const char *proof = json_string_value(json_object_get(root, "proof"));
	ok = proof && index < ret->size && read_entry(root, ret) && read_hashes(proof, hashes, &n) &&
	     read_note(proof, ret);
	if (ok)
		fold(ret, hashes, n);
	json_decref(root);
	return ok;
}

void auditproof_close(struct auditproof *p)
{
	free(p->result);
	p->result = NULL;
}

enum auditproof_ask auditproof_ask(const struct auditsource *source, uint64_t index, struct auditproof *ret,
                                   char text[256], int *ret_code)
{
	char *bundle = NULL;
	bool quorum, ok;

	memset(ret, 0, sizeof *ret);
	*ret_code = cs_prove_fields(source->client, index, source->wait_ms, 0, &bundle, &quorum);
	if (*ret_code) {
		snprintf(text, 256, "%.250s", cs_last_error());
		return *ret_code == CS_E_REFUTED     ? AUDITPROOF_FALSE
		       : *ret_code == CS_E_NOT_FOUND ? AUDITPROOF_MISSING
		                                     : AUDITPROOF_FAILED;
	}
	ok = auditproof_read(ret, source->policy, bundle, index);
	free(bundle);
	if (!ok) {
		snprintf(text, 256, "the proof of entry %" PRIu64 " does not hold: %.190s", index,
		         ret->result ? ret->result->reason : "out of memory");
		return AUDITPROOF_FALSE;
	}
	if (ret->result->outcome == VERIFY_VERIFIED)
		return AUDITPROOF_GOT;
	snprintf(text, 256, "%.250s", ret->result->reason);
	return AUDITPROOF_CLAIM;
}

bool auditproof_part(const struct verify_fold *a, const struct verify_fold *b, uint64_t size, struct auditrange *ret)
{
	uint64_t start = 0;

	for (unsigned level = AUDITSTATE_LEVELS; level-- > 0;) {
		if (!(size >> level & 1))
			continue;
		if (memcmp(a->frontier[level], b->frontier[level], HASH_SIZE) != 0) {
			*ret = (struct auditrange){start, start + ((uint64_t)1 << level)};
			return true;
		}
		start += (uint64_t)1 << level;
	}
	return false;
}

/* The cluster's tree had this root at this size. 1 yes, 0 no, -1: it did not say. */
static int had_root(const struct auditsource *source, uint64_t size, const struct hash *root)
{
	struct auditproof p;
	char text[256];
	int code, same = -1;

	if (auditproof_ask(source, size - 1, &p, text, &code) == AUDITPROOF_GOT)
		same = hash_equal(&p.root, root);
	auditproof_close(&p);
	return same;
}

void auditproof_narrow(const struct auditsource *source, const struct auditstate *s, const struct auditproof *p,
                       struct auditrange *ret)
{
	unsigned low = 0, high = s->n_visits;

	*ret = (struct auditrange){0, s->fold.size};
	auditproof_part(&s->fold, &p->fold, s->fold.size, ret);
	while (low < high) {
		unsigned at = low + (high - low) / 2;
		const struct auditvisit *v = &s->visits[at];
		int same = had_root(source, v->size, &v->root);

		if (same < 0)
			return;
		if (same)
			low = at + 1;
		else
			high = at;
		if (same && v->size > ret->low)
			ret->low = v->size;
		if (!same && v->size < ret->high)
			ret->high = v->size;
	}
}
