/* The offline verifier: checks bundles, proofs and checkpoints against a trust policy, and trusts nothing else. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_VERIFY_H
#define LEDGER_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/format.h"

/*
 * The files verify*.c share nothing with those that make entries, trees, notes and bundles but the constants of
 * ledger/format.h, and SHA-256's block function (verify_hash.c says why). Everything here is a pure function of its
 * arguments: no files, no clock, no network, no globals. Call sodium_init once in the process before.
 */

/* Numbers are the exit status of the tool. */
enum verify_outcome {
	VERIFY_VERIFIED = 0,  /* All of it was checked and held, a quorum of cosignatures included. */
	VERIFY_REFUTED = 1,   /* Something was shown to be false or malformed. */
	VERIFY_UNDECIDED = 2, /* Nothing was shown false, but something that is needed could not be shown. */
};

enum verify_mark {
	VERIFY_MARK_HELD,      /* Was checked and holds. */
	VERIFY_MARK_BAD,       /* Was checked and does not hold. */
	VERIFY_MARK_UNCHECKED, /* Is there, or is missing, and was not checked. */
};

/* Two texts of a line: a key's name and what it is said of. */
#define VERIFY_TEXT_SIZE_MAX (LIMIT_KEY_NAME_SIZE_MAX + 192)
/* Lines of one result: each field, each signature line, supporting entries, and a dozen more. */
#define VERIFY_LINES_MAX (LIMIT_FIELD_COUNT_MAX + VERIFY_SIGNATURES_MAX + 24)
/* Signature lines that are looked at: 7 nodes sign and cosign, and as many witnesses as a quorum could want. */
#define VERIFY_SIGNATURES_MAX 64
#define VERIFY_HASH_SIZE      32

struct verify_line {
	enum verify_mark mark;
	char text[VERIFY_TEXT_SIZE_MAX];
};

/* About 50 KiB; owned by the caller, holds no pointers. Texts are NUL-terminated UTF-8, free of control characters. */
struct verify_result {
	enum verify_outcome outcome;
	char reason[VERIFY_TEXT_SIZE_MAX]; /* One sentence: why the outcome is what it is. */
	unsigned n_lines;
	struct verify_line lines[VERIFY_LINES_MAX]; /* What was checked, in order. */

	bool has_checkpoint; /* The three below were read; they are worth what the outcome says. */
	char origin[LIMIT_ORIGIN_SIZE_MAX + 1];
	uint64_t size;
	uint8_t root[VERIFY_HASH_SIZE];
	unsigned n_log_signatures; /* That verified, by keys of the policy for this origin. */
	unsigned n_cosignatures;   /* That verified, by witnesses of the policy. */
	bool quorum_reached;       /* By them; false where the policy asks for none. */
	/*
	 * It would be verified if keys that were retired counted for the sizes that they were good for: it is, once it
	 * is shown that a ledger under current keys has grown from it.
	 */
	bool retired_reached;
	bool retired_misused; /* A retired key has signed a size that it was not good for any more. */

	bool proven; /* Of a bundle: each of its entries is in the tree of its checkpoint, whatever that one is worth.
	              */

	bool has_bad_index; /* Refuted, and the fault lies at this entry. */
	uint64_t bad_index;
	char expected[80],
	        found[80]; /* Hexadecimal hashes or decimal numbers; empty where the fault is of another kind. */
};

/* --- the trust policy (C2SP tlog-policy) --- */

/*
 * Lines "log <vkey> [url]" (several keys may have one origin: each node has its own), "witness <name> <vkey> [url]",
 * "group <name> all|any|<k> <member>...", one "quorum <name>|none"; '#' comments. Log keys are Ed25519 (type 01),
 * witness keys cosignature/v1 (type 04); another type, or a key twice, is an error. At most VERIFY_POLICY_LOGS_MAX logs
 * and VERIFY_POLICY_NAMES_MAX witnesses and groups.
 *
 * Keys are good for ranges of tree size. tlog-policy has no word for that, so it is said in comments, which others pass
 * over: "#countersign: since <vkey> <size>" (a key above counts for checkpoints of that size on), and
 * "#countersign: retired log <vkey> <since> <until>", "#countersign: retired witness <name> <vkey> <since> <until>" (a
 * key that no line above has, good for these sizes; the witness's name is defined above). Who does not know them knows
 * no retired keys at all. At most VERIFY_POLICY_RETIRED_MAX retired ones.
 */
#define VERIFY_POLICY_LOGS_MAX    64          /* The specification asks for at least 32 of each kind. */
#define VERIFY_POLICY_NAMES_MAX   128         /* Witnesses and groups together. */
#define VERIFY_POLICY_RETIRED_MAX 64          /* Of keys that were replaced, the newest. */
#define VERIFY_POLICY_SIZE_MAX    (256 << 10) /* That many lines of the longest keys and URLs in use. */
struct verify_policy;

/*
 * Copies what it needs out of text. On CS_ERR_MALFORMED or CS_ERR_TOO_LARGE reason (of reason_size bytes) says which
 * line and why. CS_ERR_NOMEM. Free with verify_policy_free.
 */
int verify_policy_parse(const char *text, size_t len, struct verify_policy **ret, char *reason, size_t reason_size);
void verify_policy_free(struct verify_policy *p); /* NULL is fine. */

/*
 * Witnesses from outside: those whose key's name is not that of a member of the ledger (origin/node-N). ret_ids gets
 * the key ids, as big-endian numbers, of those that the quorum asks for, at most cap; *ret_n how many. Returns how many
 * of them a quorum takes at least, if all members have cosigned; 0: it needs none.
 */
unsigned verify_policy_outside(const struct verify_policy *p, const char *origin, uint32_t *ret_ids, unsigned cap,
                               unsigned *ret_n);
/*
 * Where the quorum is so many of certain keys, members' and witnesses' alike, and no group of groups: how many; ret_ids
 * gets their key ids as above. 0: it is made up otherwise, or of more keys than cap.
 */
unsigned verify_policy_threshold(const struct verify_policy *p, uint32_t *ret_ids, unsigned cap, unsigned *ret_n);
/*
 * For who is such a witness: from now on all of them count as if they had cosigned, and the members alone are what the
 * quorum waits for. One that waited for itself, or for others who wait for it, would never cosign.
 */
void verify_policy_presume_outside(struct verify_policy *p, const char *origin);

/* --- what can be verified; each fills *ret whole --- */

/*
 * A checkpoint (signed note). Held against: syntax; every line of a known key (one bad one refutes); a log key of the
 * policy under the checkpoint's origin; the quorum. Lines of unknown keys are ignored and counted. Without a log
 * signature of a known key, or without the quorum ("the leader's claim only"; also when the policy says "quorum none"),
 * the outcome is VERIFY_UNDECIDED. So it is where it takes retired keys to reach them (retired_reached).
 */
void verify_checkpoint(const struct verify_policy *p, const void *note, size_t len, struct verify_result *ret);

/* How an entry's bytes are looked at. */
enum verify_entry {
	VERIFY_ENTRY_COUNTERSIGN, /* Must be a canonical leaf of ours, with the proof's index in it. */
	VERIFY_ENTRY_OPAQUE,      /* Any bytes: the proof covers them, but nothing in them is looked at. */
};

/* A .tlog-proof file and the entry that it is about. */
void verify_tlog_proof(const struct verify_policy *p, const void *proof, size_t proof_len, const void *entry,
                       size_t entry_len, enum verify_entry how, struct verify_result *ret);

/*
 * A bundle (ledger/bundle.h): the proof inside it, and each disclosed field against its commitment in the entry; so too
 * each entry that supports the first. What their fields mean is not looked at.
 */
void verify_bundle(const struct verify_policy *p, const void *json, size_t len, struct verify_result *ret);

/* --- one person's history (FORMAT.md, History): a line of JSON at a time --- */

#define VERIFY_LINE_SIZE_MAX FORMAT_BUNDLE_SIZE_MAX /* Of one line, without its newline. */

/*
 * Held against: each entry by its proof under the one checkpoint; each disclosed field; the first is "history
 * requested"; each is of that same person, and the one, with the count, that the entry before it in the file names;
 * the last is the first of its chain. An entry left out, added or changed refutes. Where a link was erased what is
 * older cannot be shown: VERIFY_UNDECIDED.
 */
struct verify_history;
/* result is filled by the end, and may be looked at from then on. CS_ERR_NOMEM. */
int verify_history_begin(const struct verify_policy *p, struct verify_result *result, struct verify_history **ret);
/* Without its newline. False: the result is final, nothing more is needed. */
bool verify_history_line(struct verify_history *h, const char *line, size_t len);
/* All lines have come. Frees it. NULL is fine. */
void verify_history_end(struct verify_history *h);

/* --- the tree's arithmetic (RFC 9162 2.1.3.2, 2.1.4.2); hashes of VERIFY_HASH_SIZE bytes, one after the other --- */

bool verify_tree_inclusion(uint64_t index, uint64_t size, const uint8_t *leaf_hash, const uint8_t *proof, size_t n,
                           const uint8_t *root);
/* Old size 0 proves nothing: false. */
bool verify_tree_consistency(uint64_t old_size, uint64_t new_size, const uint8_t *old_root, const uint8_t *new_root,
                             const uint8_t *proof, size_t n);

#define VERIFY_TILE_HEIGHT 8 /* C2SP tlog-tiles: a tile's hashes are the roots of subtrees of 256^L leaves. */
#define VERIFY_TILE_WIDTH  (1 << VERIFY_TILE_HEIGHT)
#define VERIFY_TILE_LEVELS 8 /* 256^8 leaves. */

/* The entries of a ledger so far, folded: all that the next one is held against, and their tree. Holds no pointers. */
struct verify_fold {
	uint64_t size;                          /* Entries taken in. */
	uint64_t time_ms;                       /* Of the last one. */
	uint8_t last_leaf[VERIFY_HASH_SIZE];    /* Its leaf hash. */
	uint8_t frontier[64][VERIFY_HASH_SIZE]; /* [l]: root of the full subtree of 2^l leaves, where bit l of size is
	                                           set. */
};
void verify_fold_root(const struct verify_fold *f, uint8_t ret[VERIFY_HASH_SIZE]); /* Over the entries so far. */

/*
 * A whole ledger, entry by entry, against a checkpoint: each leaf canonical, its index, its chain to the one before,
 * times never going back, and the root over all of them. Names the first bad index.
 */
struct verify_audit {
	struct verify_result *result; /* Borrowed until the end. */
	bool stopped;                 /* The result is final. */
	struct verify_fold fold; /* Empty after the begin; who goes on from an earlier visit puts that one's here. */
	uint64_t skipped;        /* Of its entries the first so many: hashes only. */
	/* NULL, or told of each full subtree of 2^height leaves that an entry completes, height a multiple of 8. */
	void (*subtree)(void *ctx, unsigned height, const uint8_t *hash);
	void *subtree_ctx;
};

/* Checks the checkpoint first. Entries then come in order from index 0. result is filled by the end. */
void verify_audit_begin(struct verify_audit *a, const struct verify_policy *p, const void *checkpoint, size_t len,
                        struct verify_result *result);
/*
 * tile_hash: this entry's hash as the level-0 tile has it, or NULL. With it a bad entry is named exactly; without, a
 * break of the chain lies at the entry named or at the one before. False: refuted, nothing more is needed.
 */
bool verify_audit_entry(struct verify_audit *a, const void *entry, size_t len, const uint8_t *tile_hash);
void verify_audit_end(struct verify_audit *a);

#endif
