/* Where the cluster's ledger stands by proof: an inclusion proof shows the whole tree up to its entry. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_AUDITPROOF_H
#define CLIENT_TOOL_AUDITPROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "client/countersign.h"
#include "client/tool/auditstate.h"
#include "ledger/verify.h"

/*
 * The proof of entry i under a checkpoint has, to its left, the roots of exactly the full subtrees that make up the
 * first i leaves (RFC 9162 2.1.3.1). So it shows the tree of i + 1 leaves too, and that this is how the checkpoint's
 * tree begins: a consistency proof.
 */
struct auditproof {
	uint64_t index;
	struct hash leaf;        /* Of the entry. */
	struct verify_fold fold; /* Of the first index + 1 leaves, but for times. */
	struct hash root;        /* Of those. */
	uint64_t size;           /* The checkpoint's. */
	struct hash size_root;
	char note[LIMIT_NOTE_SIZE_MAX + 1];
	size_t note_len;
	struct verify_result *result; /* Of the verifier; owned. */
};

/*
 * Takes a bundle of cs_prove apart. The verifier has checked it first: result->outcome. False: it is not such a bundle,
 * or does not hold.
 */
bool auditproof_read(struct auditproof *ret, const struct verify_policy *policy, const char *bundle, uint64_t index);
void auditproof_close(struct auditproof *p);

enum auditproof_ask {
	AUDITPROOF_GOT,     /* Under a quorum's cosignatures. */
	AUDITPROOF_MISSING, /* The ledger has no such entry. */
	AUDITPROOF_FALSE,   /* An alarm; text says why. */
	AUDITPROOF_CLAIM,   /* Only the leader's claim, or the policy does not know the keys. */
	AUDITPROOF_FAILED,  /* Nobody answered; code. */
};
struct auditsource {
	const char *command;
	cs_client *client;
	const struct verify_policy *policy;
	unsigned wait_ms;
};
/* ret: to be closed in each case. text: TOOL-sized, of what is wrong. ret_code: the library's. */
enum auditproof_ask auditproof_ask(const struct auditsource *source, uint64_t index, struct auditproof *ret,
                                   char text[256], int *ret_code);

/* Where two histories part: entries before low are the same, one of low to high - 1 is the first that is not. */
struct auditrange {
	uint64_t low, high;
};
/* The subtrees that trees of this size are made of, of two folds that both have them; false: they are the same. */
bool auditproof_part(const struct verify_fold *a, const struct verify_fold *b, uint64_t size, struct auditrange *ret);
/*
 * What the state has seen, and the cluster does not show any more: p is its proof of the last entry seen. Earlier
 * visits narrow the range, by a proof each.
 */
void auditproof_narrow(const struct auditsource *source, const struct auditstate *s, const struct auditproof *p,
                       struct auditrange *ret);

#endif
