/* The ledger's entries: canonical leaf bytes, private fields as salted commitments, bodies. See FORMAT.md. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_ENTRY_H
#define LEDGER_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/bytes.h"
#include "ledger/format.h"
#include "ledger/hash.h"

#define SEED_SIZE 32

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
 * Salts of fields: the ChaCha20 keystream (RFC 8439, block counter from 0) of the command's seed as key and
 * u64be(index) and four zero bytes as nonce; kind k has the bytes from 16 * k on. One call for all of an entry's salts
 * costs what one keyed BLAKE2b of a field costs. The seed never leaves the command; bodies keep salts only.
 */
void field_salts(uint8_t *ret, size_t len, const uint8_t seed[SEED_SIZE], uint64_t index);

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
	uint64_t time_ms;       /* POSIX milliseconds; never less than the entry before. */
	struct hash prev;       /* Leaf hash of the entry before; 32 zero bytes at index 0. */
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

#define FIELD_SALTED_MAX 31 /* Kinds that this version can write; 512 bytes of salts. */

/*
 * Builds leaf and body together. Call entry_builder_init, then writer calls on public_ (one canonical array), then
 * entry_builder_field for each private field in ascending order of kind, then entry_builder_finish.
 */
struct entry_builder {
	struct writer public_;
	struct writer body; /* Values and salts; its array header is put in front at the end. */
	uint64_t index;
	unsigned kind;
	uint64_t time_ms;
	struct hash prev;
	uint8_t salts[FIELD_SALTED_MAX + 1][SALT_SIZE]; /* By kind. */
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
/* The same of what a writer made: it must be one value, and is not read again byte by byte. */
void entry_builder_written(struct entry_builder *b, unsigned kind, const struct writer *value);
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
