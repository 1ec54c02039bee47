/* A store as a node makes it: private fields that open their commitments, a state, records of the node's own. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STORE_REAL_H
#define TESTS_STORE_REAL_H

#include "ledger/scrub.h"
#include "ledger/store_internal.h"
#include "tests/store_kit.h"

/* Of the first 16 entries, and of each 16th: FIELD_SUBJECT, FIELD_ACTION, FIELD_TEXT. The others have none. */
#define STORE_REAL_FIELDS 3

/* LIMIT_ENTRY_SIZE_MAX and LIMIT_BODY_SIZE_MAX bytes of room. */
void store_real_make(uint64_t index, const struct hash *prev, uint8_t *leaf, size_t *leaf_len, uint8_t *body,
                     size_t *body_len);
/* That many more in the open transaction, from the committed size on. */
int store_real_append(struct store *s, unsigned n);
/* The same as a batch of its own, with one more of Raft's indexes, and a state and a record of the node's that change.
 */
int store_real_commit(struct store *s, unsigned n);
int store_real_state(struct store *s);
/* A signed checkpoint; LIMIT_NOTE_SIZE_MAX bytes of room; returns its length. */
#define STORE_REAL_ORIGIN "example-00112233aabbccdd"
size_t store_real_note(const char *origin, uint64_t size, const struct hash *root, char *note);

/* What the scrubber finds in the folder's file. text, if not NULL: the first of it. */
#define STORE_REAL_TEXT 160
unsigned store_real_scrub(char text[STORE_REAL_TEXT]);

/* --- the file as LMDB alone sees it --- */

/* The record "copy", with the hash that belongs to these bytes. */
void store_real_copy_put(uint8_t copy[META_COPY_SIZE]);
void store_real_damage(const char *db, const void *key, size_t key_len, size_t at, uint8_t bits);
/* value NULL: the record goes. */
void store_real_put(const char *db, const void *key, size_t key_len, const void *value, size_t len);
/* The record's bytes, at most cap of them; returns its length. */
size_t store_real_get(const char *db, const void *key, size_t key_len, void *buf, size_t cap);

#endif
