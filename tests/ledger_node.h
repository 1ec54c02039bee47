/* A cluster of one in this process, without Raft and disk: front, decide, tree, signed checkpoints, in memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LEDGER_NODE_H
#define TESTS_LEDGER_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/note.h"
#include "ledger/tree.h"
#include "node/decide/decide.h"
#include "node/wire/keyfile.h"
#include "tests/echo_node.h"

/* What a reply is falsified in; each must be refuted by the client. */
enum lie {
	LIE_NONE,
	LIE_LEAF,      /* A bit of the leaf. */
	LIE_BODY,      /* A private value. */
	LIE_PROOF,     /* A hash of the proof. */
	LIE_SIGNATURE, /* The checkpoint's signature. */
	LIE_UNSIGNED,  /* A checkpoint without any. */
	LIE_KEY,       /* Signed by a key that is not in the trust policy. */
	LIE_ORIGIN,    /* Signed, for another ledger. */
	LIE_FORK,      /* Signed, of the same size as the last, with another root. */
	LIE_OLD_ENTRY, /* The entry of an earlier request, with its proof. */
	LIE_KIND       /* Entry 0. */
};

#define ENTRY_CAP 512 /* A loop over faults makes one in each round. */

struct ledger_node {
	struct echo_node node;
	struct state *state;
	struct tree *tree;
	struct decide_out *out;
	struct note_key log_key, other_key, other_origin_key;
	uint8_t log_sk[64], other_sk[64];
	uint64_t time_ms;
	enum lie lie;
	bool lost_reply; /* The next decision is made and its reply is not sent, but an error that says try again. */
	unsigned n_entries;
	struct {
		uint8_t leaf[4096], body[4096];
		size_t leaf_len, body_len;
	} entries[ENTRY_CAP];
	uint8_t *reply;
};

/*
 * Starts the node with a genesis whose one administrator has these keys (channel and sign), and writes the cluster file
 * and the trust policy into folder.
 */
int ledger_node_start(struct ledger_node *n, const char *folder, const struct keyfile *admin);
void ledger_node_stop(struct ledger_node *n);

#endif
