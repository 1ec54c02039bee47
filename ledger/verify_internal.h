/* What the verifier's files share among themselves. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_VERIFY_INTERNAL_H
#define LEDGER_VERIFY_INTERNAL_H

#include "ledger/verify.h"

#define VERIFY_KEY_ED25519     0x01 /* signed-note's types. */
#define VERIFY_KEY_COSIGNATURE 0x04

#define VERIFY_COSIGNATURE_SIZE (8 + 64) /* tlog-cosignature: u64 time and an Ed25519 signature. */

/* Bytes of somebody else's, not NUL-terminated. */
struct verify_slice {
	const uint8_t *p;
	size_t len;
};

struct verify_key {
	char name[LIMIT_KEY_NAME_SIZE_MAX + 1];
	uint8_t id[4]; /* signed-note: first bytes of SHA-256(name || 0A || type || pub). */
	uint8_t pub[32];
	/* Good for checkpoints of these sizes alone, both included. */
	uint64_t since, until;
};

/* A key whose place another took: what it signed within its sizes counts with a proof of consistency. */
struct verify_retired {
	struct verify_key key;
	int name; /* Of names: the witness's whose key it was; -1: a log's. */
};

/* A witness or a group; a name is defined before it is a member, so one pass in order evaluates the quorum. */
struct verify_name {
	char name[LIMIT_KEY_NAME_SIZE_MAX + 1];
	bool is_group;
	int parent;            /* The group it is a member of, or -1. */
	unsigned need;         /* Of a group: members that must have cosigned. */
	struct verify_key key; /* Of a witness. */
	bool presumed;         /* Counts as having cosigned (verify_policy_presume_outside). */
};

struct verify_policy {
	struct verify_key logs[VERIFY_POLICY_LOGS_MAX];
	unsigned n_logs;
	struct verify_name names[VERIFY_POLICY_NAMES_MAX];
	unsigned n_names;
	int quorum; /* Of names, or -1: none. */
	struct verify_retired retired[VERIFY_POLICY_RETIRED_MAX];
	unsigned n_retired;
};

/* --- verify_text.c: results, and the little encodings --- */

void verify_result_init(struct verify_result *r);
void verify_say(struct verify_result *r, enum verify_mark mark, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* Both end a verification: they set outcome and reason and return false. A refutation is never taken back. */
bool verify_refute(struct verify_result *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool verify_undecided(struct verify_result *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void verify_bad_number(struct verify_result *r, uint64_t expected, uint64_t found);
void verify_bad_hash(struct verify_result *r, const uint8_t *expected, const uint8_t *found);

bool verify_slice_is(struct verify_slice s, const char *text);
bool verify_slice_begins(struct verify_slice s, const char *text);
/* Cuts the first line off *rest, without its newline; false if there is no newline. */
bool verify_line_take(struct verify_slice *rest, struct verify_slice *ret_line);
bool verify_utf8(struct verify_slice s);                   /* RFC 3629; NUL is refused. */
bool verify_controls(struct verify_slice s);               /* Is no text, or could make a terminal lie. */
bool verify_decimal(struct verify_slice s, uint64_t *ret); /* No sign, no leading zeros. */
/* RFC 4648 4, canonical: padded, unused bits zero. */
bool verify_base64(struct verify_slice s, uint8_t *out, size_t cap, size_t *ret_len);
bool verify_base64_exact(struct verify_slice s, uint8_t *out, size_t len);

/* --- verify_leaf.c --- */

struct verify_leaf {
	uint64_t index, kind, time_ms;
	uint8_t prev[VERIFY_HASH_SIZE];
	struct verify_slice public_; /* Its array of public fields, canonical. */
	unsigned n_fields;
	struct {
		unsigned kind;
		uint8_t commitment[VERIFY_HASH_SIZE];
	} fields[LIMIT_FIELD_COUNT_MAX];
};

/* Takes a canonical leaf apart; false: it is none, and *ret_why says why. */
bool verify_leaf_parse(struct verify_slice bytes, struct verify_leaf *ret, const char **ret_why);
bool verify_value_canonical(struct verify_slice value); /* Exactly one canonical msgpack value. */
const char *verify_entry_kind_name(uint64_t kind);      /* "unknown kind" for others. */
const char *verify_field_kind_name(unsigned kind);
unsigned verify_field_kind_of(const char *name); /* 0: no such name. */

/*
 * A body (FORMAT.md: Private fields) against its leaf: each field opens the commitment of its kind. *ret_missing: so
 * many of the leaf's commitments have no field. False: *ret_why says why.
 */
bool verify_body_check(const struct verify_leaf *leaf, struct verify_slice body, unsigned *ret_missing,
                       const char **ret_why);

/* What a chain's field says: the entry before this one of the same person, and how many there are before it. */
struct verify_link {
	bool has_previous;
	uint64_t previous, count; /* Count 0 with a previous one: that erased those before (FORMAT.md, Chains). */
};
bool verify_link_parse(struct verify_slice value, struct verify_link *ret);
/* Public fields of "history requested". */
bool verify_history_parse(const struct verify_leaf *leaf, uint64_t *ret_whose, bool *ret_nobody_forgotten);
/* [type, id], or a str alone, as "type:id" or as it is. Cut at cap. */
bool verify_person_text(struct verify_slice value, char *buf, size_t cap);
/* The approver's name in a field `approval`, as a value of its own; false: nobody approved there. */
bool verify_approver_parse(struct verify_slice value, struct verify_slice *ret);

/* --- verify_bundle.c: what bundles have in common --- */

struct json_t;
#define VERIFY_SCRATCH_SIZE LIMIT_BODY_SIZE_MAX
/*
 * Each disclosed field opens its commitment; `opened` (or NULL) is told of each, its value lies in scratch. quiet:
 * nothing is said of what holds, or is not disclosed.
 */
struct verify_fields {
	struct json_t *fields; /* The bundle's array. */
	uint8_t *scratch;
	bool quiet;
	void (*opened)(void *ctx, unsigned kind, struct verify_slice value);
	void *ctx;
};
bool verify_fields_check(const struct verify_fields *f, const struct verify_leaf *leaf, struct verify_result *r);
bool verify_json_is(const struct json_t *value, int type); /* Is there, and of this JSON_... */
/* Exactly the members named, of which the last n_optional may be missing. */
bool verify_members_are(struct json_t *object, const char *const *names, size_t n, size_t n_optional);
bool verify_string_get(struct json_t *object, const char *name, struct verify_slice *ret);

/* --- verify_hash.c --- */

void verify_leaf_hash(struct verify_slice entry, uint8_t ret[VERIFY_HASH_SIZE]);
void verify_node_hash(const uint8_t *left, const uint8_t *right, uint8_t ret[VERIFY_HASH_SIZE]);
void verify_empty_root(uint8_t ret[VERIFY_HASH_SIZE]);
/* FORMAT.md: SHA-256(domain with its NUL || kind || salt || value). */
void verify_commitment(unsigned kind, const uint8_t salt[SALT_SIZE], struct verify_slice value,
                       uint8_t ret[VERIFY_HASH_SIZE]);

/* --- verify_tree.c --- */

bool verify_audit_bad(struct verify_audit *a, const char *why); /* Refutes at the entry that comes next. */
/* An entry of which only the hash is at hand: none but such may come before it. */
void verify_audit_hash(struct verify_audit *a, const uint8_t *leaf_hash);

/* --- verify_note.c --- */

/*
 * Checks a checkpoint's syntax and every signature line of a known key, and fills in what the result says of it. False:
 * refuted, or too large for us. verify_conclude is what decides between verified and undecided, once all else held.
 */
bool verify_note(const struct verify_policy *p, struct verify_slice note, struct verify_result *r);
void verify_conclude(struct verify_result *r);

/* --- verify_proof.c --- */

/* Checks a whole tlog-proof of this leaf hash at this index (NULL: any), its checkpoint included. */
bool verify_proof(const struct verify_policy *p, struct verify_slice proof, const uint8_t *leaf_hash,
                  const uint64_t *index, struct verify_result *r);
/* Checks that the bytes are a leaf of ours, and says so. */
bool verify_entry_leaf(struct verify_slice entry, struct verify_leaf *ret, struct verify_result *r);

#endif
