/* The ledger's entries: canonical leaf bytes, private fields as salted commitments, bodies. See FORMAT.md. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_ENTRY_H
#define LEDGER_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/bytes.h"
#include "ledger/hash.h"
#include "ledger/limits.h"

#define ENTRY_VERSION 1
#define SALT_SIZE 16
#define SEED_SIZE 32

/* Kinds of entries; numbers are for ever. X(name, number, text) */
#define ENTRY_KIND_LIST(X)                                                                                     \
	X(ENTRY_GENESIS, 1, "genesis")                                                                         \
	X(ENTRY_DECISION, 2, "decision")                                                                       \
	X(ENTRY_ANSWER, 3, "challenge answer")                                                                 \
	X(ENTRY_POLICY_SET, 4, "policy set")                                                                   \
	X(ENTRY_ENROLLED, 5, "principal enrolled")                                                             \
	X(ENTRY_REMOVED, 6, "principal removed")                                                               \
	X(ENTRY_IMPORTED, 7, "imported")                                                                       \
	X(ENTRY_TICK, 8, "time tick")

/* Kinds of private fields; numbers are for ever. */
#define FIELD_KIND_LIST(X)                                                                                     \
	X(FIELD_BLIND, 1, "blind")             /* bin 32: what the request digest is blinded with */           \
	X(FIELD_SUBJECT, 2, "subject")         /* [type, id] */                                                \
	X(FIELD_ACTOR, 3, "actor")             /* [type, id] */                                                \
	X(FIELD_ACTION, 4, "action")           /* str */                                                       \
	X(FIELD_RESOURCE, 5, "resource")       /* [type, id] */                                                \
	X(FIELD_CONTEXT, 6, "context")         /* [[name, value]…] sorted, what no other field holds */        \
	X(FIELD_DEVICE, 7, "device")           /* str */                                                       \
	X(FIELD_ADDRESS, 8, "address")         /* str */                                                       \
	X(FIELD_LOCATION, 9, "location")       /* [region or nil, country or nil] */                           \
	X(FIELD_SIGNALS, 10, "signals")        /* [[signal id, value, weight]…] */                             \
	X(FIELD_REASONS, 11, "reasons")        /* [[for the user, for the administrator]…] */                  \
	X(FIELD_EVIDENCE, 12, "evidence")      /* per method */                                                \
	X(FIELD_CLIENT, 13, "client")          /* [principal's name, request id bin 16] */                     \
	X(FIELD_CHALLENGE, 14, "challenge")    /* [nonce bin 32, expiry ms, level, [method…]] */               \
	X(FIELD_SOURCE, 15, "source")          /* of an import: [format, file, file's hash, position, time] */ \
	X(FIELD_SUBJECT_CHAIN, 16, "subject chain") /* [previous index or nil, count before this] */           \
	X(FIELD_ACTOR_CHAIN, 17, "actor chain")                                                                \
	X(FIELD_TEXT, 18, "text")              /* str: free text of administrators */

enum entry_kind {
#define ENTRY_KIND_ENUM(name, number, text) name = number,
	ENTRY_KIND_LIST(ENTRY_KIND_ENUM)
#undef ENTRY_KIND_ENUM
};
enum field_kind {
#define FIELD_KIND_ENUM(name, number, text) name = number,
	FIELD_KIND_LIST(FIELD_KIND_ENUM)
#undef FIELD_KIND_ENUM
};

const char *entry_kind_text(unsigned kind); /* "unknown" for others. */
const char *field_kind_text(unsigned kind);

/* commitment = SHA-256("countersign/field/v1\0" || kind (1 byte) || salt16 || canonical value). */
void field_commit(struct hash *ret, unsigned kind, const uint8_t salt[SALT_SIZE], const void *value, size_t len);
/*
 * Salt of a field: BLAKE2b-128 keyed with the command's seed, over u64be(index) || kind. The seed never leaves the
 * command; bodies keep salts only.
 */
void field_salt(uint8_t ret[SALT_SIZE], const uint8_t seed[SEED_SIZE], uint64_t index, unsigned kind);

/* A private field, opened: its salt and canonical msgpack value. */
struct field {
	unsigned kind;
	uint8_t salt[SALT_SIZE];
	const uint8_t *value;
	size_t value_len;
};

/*
 * Leaf bytes: [version, index, kind, time_ms, prev bin32, public array, [[field kind, commitment bin32]…]].
 * Fields in ascending order of kind, each at most once. Body bytes: [[field kind, salt bin16, value as bin]…], the
 * same order.
 */
struct entry {
	uint64_t index;
	unsigned kind;
	uint64_t time_ms;      /* POSIX milliseconds; never less than the entry before. */
	struct hash prev;      /* Leaf hash of the entry before; 32 zero bytes at index 0. */
	const uint8_t *public_; /* Canonical msgpack array of the kind's public fields (FORMAT.md). */
	size_t public_len;
	unsigned n_fields;
	struct {
		unsigned kind;
		struct hash commitment;
	} fields[LIMIT_FIELD_COUNT_MAX];
};

/* Takes leaf bytes apart, refusing every non-canonical encoding, unknown version, field order. Points into bytes. */
int entry_decode(struct entry *ret, const void *bytes, size_t len);

/*
 * Builds leaf and body together. Call entry_builder_init, then writer calls on public_ (one canonical array), then
 * entry_builder_field for each private field in ascending order of kind, then entry_builder_finish.
 */
struct entry_builder {
	struct writer public_;
	struct writer body;   /* Values and salts; its array header is put in front at the end. */
	uint64_t index;
	unsigned kind;
	uint64_t time_ms;
	struct hash prev;
	const uint8_t *seed;  /* SEED_SIZE bytes, borrowed. */
	unsigned n_fields;
	struct {
		unsigned kind;
		struct hash commitment;
	} fields[LIMIT_FIELD_COUNT_MAX];
	uint8_t public_buf[LIMIT_ENTRY_SIZE_MAX];
	uint8_t body_buf[LIMIT_BODY_SIZE_MAX];
	int err;
};

void entry_builder_init(struct entry_builder *b, uint64_t index, unsigned kind, uint64_t time_ms,
			const struct hash *prev, const uint8_t seed[SEED_SIZE]);
/* value: canonical msgpack of the kind's shape. */
void entry_builder_field(struct entry_builder *b, unsigned kind, const void *value, size_t len);
/* Writes leaf bytes and body bytes into the caller's buffers (LIMIT_ENTRY_SIZE_MAX, LIMIT_BODY_SIZE_MAX). */
int entry_builder_finish(struct entry_builder *b, uint8_t *leaf, size_t *ret_leaf_len, uint8_t *body,
			 size_t *ret_body_len);

/* Takes a body apart; at most LIMIT_FIELD_COUNT_MAX fields. Points into bytes. */
int body_decode(struct field ret[LIMIT_FIELD_COUNT_MAX], unsigned *ret_n, const void *bytes, size_t len);
/* 0 if every field of the body opens the commitment of its kind in the entry, CS_ERR_REFUTED otherwise. */
int body_check(const struct entry *e, const struct field *fields, unsigned n);
/* The field of this kind, or NULL. */
const struct field *body_find(const struct field *fields, unsigned n, unsigned kind);

#endif
