/* Writes what is handed to people: .tlog-proof files, the one-file JSON bundle, and readable renderings of fields. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_BUNDLE_H
#define LEDGER_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/entry.h"
#include "ledger/hash.h"

/* Written here, read by ledger/verify.h only. See FORMAT.md, Bundle. */

/*
 * The text of a .tlog-proof (c2sp.org/tlog-proof@v1): index, hashes (leaf's sibling first), and the checkpoint's note
 * of note_len bytes as it is. buf of cap bytes gets it, NUL-terminated; FORMAT_PROOF_SIZE_MAX is always enough.
 * CS_ERR_TOO_LARGE, CS_ERR_INVALID (more than LIMIT_PROOF_HASHES_MAX hashes).
 */
int bundle_proof_text(uint64_t index, const struct hash *proof, unsigned n, const char *note, size_t note_len,
                      char *buf, size_t cap, size_t *ret_len);

/*
 * The bundle: the leaf's bytes, those of its fields that are disclosed (ascending kinds, as body_decode gives them;
 * nothing is disclosed that is not in the list), and the proof's text as bundle_proof_text or the wire gave it.
 * *ret_json: NUL-terminated, one line, to be released with free(). CS_ERR_MALFORMED (the leaf, or a field's value),
 * CS_ERR_INVALID (a field of no known kind, out of order, or that does not open the leaf's commitment),
 * CS_ERR_TOO_LARGE, CS_ERR_NOMEM.
 */
int bundle_write(const void *leaf, size_t leaf_len, const struct field *fields, unsigned n_fields,
                 const char *proof_text, size_t proof_len, char **ret_json, size_t *ret_len);

/*
 * The lines of a history (FORMAT.md, History), without their newlines, to be released with free(): the first, for a
 * checkpoint's note under which all entries are proven; then one for each entry, newest first. Errors as bundle_write.
 */
int bundle_history_head(const char *whose, uint64_t entries, const char *note, size_t note_len, char **ret_json);
int bundle_history_entry(const void *leaf, size_t leaf_len, const struct field *fields, unsigned n_fields,
                         const struct hash *proof, unsigned n, char **ret_json);

/*
 * A short readable text of a field's canonical value, for eyes and never for programs: UTF-8, NUL-terminated, controls
 * escaped, cut with "…" at cap (FORMAT_FIELD_TEXT_SIZE_MAX + 1 is what bundles use). kind shapes it: [type, id] becomes
 * "type id", names and values become "name=value". CS_ERR_MALFORMED: not one canonical value. CS_ERR_INVALID: cap
 * under 8.
 */
int bundle_field_text(unsigned kind, const void *value, size_t len, char *buf, size_t cap);

#endif
