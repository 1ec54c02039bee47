/* Writes .tlog-proof texts and JSON bundles. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/bundle.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/note.h"

_Static_assert(sizeof FORMAT_PROOF_HEAD + 32 + LIMIT_PROOF_HASHES_MAX * 45 + LIMIT_NOTE_SIZE_MAX <
                       FORMAT_PROOF_SIZE_MAX,
               "the largest proof fits the verifier's bound");

#define HASH_BASE64_SIZE 45 /* 44 characters and a NUL. */

/* Appends to buf at *len; false: no room. Always leaves room for a NUL. */
static bool text_add(char *buf, size_t cap, size_t *len, const void *text, size_t n)
{
	if (n >= cap - *len)
		return false;
	memcpy(buf + *len, text, n);
	*len += n;
	return true;
}

int bundle_proof_text(uint64_t index, const struct hash *proof, unsigned n, const char *note, size_t note_len,
                      char *buf, size_t cap, size_t *ret_len)
{
	char line[HASH_BASE64_SIZE + 32];
	size_t len = 0;

	if (n > LIMIT_PROOF_HASHES_MAX || cap == 0)
		return CS_ERR_INVALID;
	int head = snprintf(line, sizeof line, "%s\nindex %" PRIu64 "\n", FORMAT_PROOF_HEAD, index);
	assert(head > 0 && (size_t)head < sizeof line);
	if (!text_add(buf, cap, &len, line, (size_t)head))
		return CS_ERR_TOO_LARGE;
	for (unsigned i = 0; i < n; i++) {
		sodium_bin2base64(line, sizeof line, proof[i].b, sizeof proof[i].b, sodium_base64_VARIANT_ORIGINAL);
		if (!text_add(buf, cap, &len, line, strlen(line)) || !text_add(buf, cap, &len, "\n", 1))
			return CS_ERR_TOO_LARGE;
	}
	if (!text_add(buf, cap, &len, "\n", 1) || !text_add(buf, cap, &len, note, note_len))
		return CS_ERR_TOO_LARGE;
	buf[len] = '\0';
	*ret_len = len;
	return CS_OK;
}

/* A JSON string of standard base64, or NULL (out of memory). */
static json_t *json_base64(const void *bytes, size_t len)
{
	size_t cap = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);
	char *text = malloc(cap);
	json_t *ret = NULL;

	if (text) {
		sodium_bin2base64(text, cap, bytes, len, sodium_base64_VARIANT_ORIGINAL);
		ret = json_string(text);
		sodium_memzero(text, cap); /* Salts and private values pass through here. */
	}
	free(text);
	return ret;
}

/*
 * NULL: out of memory. jansson 2.14 makes room as it writes, and where there is none it can lose a key and go on: so
 * all of it is made before. Released with free().
 */
static char *json_text(const json_t *doc, size_t *ret_len)
{
	size_t size = json_dumpb(doc, NULL, 0, JSON_COMPACT);
	char *text = size > 0 ? malloc(size + 1) : NULL;

	if (text && json_dumpb(doc, text, size, JSON_COMPACT) != size) {
		free(text);
		text = NULL;
	}
	if (text)
		text[size] = '\0';
	*ret_len = size;
	return text;
}

static int fields_check(const struct entry *e, const struct field *fields, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(field_kind_text(fields[i].kind), "unknown") == 0 ||
		    (i > 0 && fields[i].kind <= fields[i - 1].kind))
			return CS_ERR_INVALID;
	return body_check(e, fields, n) ? CS_ERR_INVALID : CS_OK;
}

static int field_json(const struct field *f, json_t **ret)
{
	char text[FORMAT_FIELD_TEXT_SIZE_MAX + 1];
	int err = bundle_field_text(f->kind, f->value, f->value_len, text, sizeof text);

	if (err)
		return err;
	json_t *field = json_object();
	/* Each "_new" call takes its value over, also when it fails. */
	if (!field || json_object_set_new(field, "kind", json_string(field_kind_text(f->kind))) ||
	    json_object_set_new(field, "salt", json_base64(f->salt, sizeof f->salt)) ||
	    json_object_set_new(field, "value", json_base64(f->value, f->value_len)) ||
	    json_object_set_new(field, "text", json_string(text))) {
		json_decref(field);
		return CS_ERR_NOMEM;
	}
	*ret = field;
	return CS_OK;
}

static int fields_json(const struct field *fields, unsigned n, json_t **ret)
{
	json_t *array = json_array();
	int err = array ? CS_OK : CS_ERR_NOMEM;

	for (unsigned i = 0; i < n && !err; i++) {
		json_t *field;

		err = field_json(&fields[i], &field);
		if (!err && json_array_append_new(array, field))
			err = CS_ERR_NOMEM;
	}
	if (err) {
		json_decref(array);
		return err;
	}
	*ret = array;
	return CS_OK;
}

/* What every form has of an entry: its index, and the disclosed fields that open its commitments. */
static int entry_json(const void *leaf, size_t leaf_len, const struct field *fields, unsigned n_fields,
                      uint64_t *ret_index, json_t **ret_fields)
{
	struct entry e;
	int err = entry_decode(&e, leaf, leaf_len);

	if (!err)
		err = fields_check(&e, fields, n_fields);
	if (!err && e.index > INT64_MAX)
		err = CS_ERR_TOO_LARGE; /* A JSON integer of jansson's. */
	if (err)
		return err;
	*ret_index = e.index;
	return fields_json(fields, n_fields, ret_fields);
}

int bundle_write(const void *leaf, size_t leaf_len, const struct field *fields, unsigned n_fields,
                 const char *proof_text, size_t proof_len, char **ret_json, size_t *ret_len)
{
	uint64_t index;
	json_t *array;
	int err = utf8_valid(proof_text, proof_len) ? entry_json(leaf, leaf_len, fields, n_fields, &index, &array)
	                                            : CS_ERR_MALFORMED;

	if (err)
		return err;
	json_t *doc = json_object();
	char *json = NULL;
	size_t len;
	if (doc && !json_object_set_new(doc, "format", json_string(FORMAT_BUNDLE)) &&
	    !json_object_set_new(doc, "index", json_integer((json_int_t)index)) &&
	    !json_object_set_new(doc, "entry", json_base64(leaf, leaf_len)) && !json_object_set(doc, "fields", array) &&
	    !json_object_set_new(doc, "proof", json_stringn(proof_text, proof_len)))
		json = json_text(doc, &len);
	json_decref(array);
	json_decref(doc);
	if (!json)
		return CS_ERR_NOMEM;
	if (len > FORMAT_BUNDLE_SIZE_MAX) {
		free(json);
		return CS_ERR_TOO_LARGE;
	}
	*ret_len = len;
	*ret_json = json;
	return CS_OK;
}

/* --- a history's lines --- */

int bundle_history_head(const char *whose, uint64_t entries, const char *note, size_t note_len, char **ret_json)
{
	if (!utf8_valid(note, note_len))
		return CS_ERR_MALFORMED;
	if (entries > INT64_MAX)
		return CS_ERR_TOO_LARGE;
	json_t *doc = json_object();
	size_t len;

	*ret_json = NULL;
	if (doc && !json_object_set_new(doc, "format", json_string(FORMAT_HISTORY)) &&
	    !json_object_set_new(doc, "whose", json_string(whose)) &&
	    !json_object_set_new(doc, "entries", json_integer((json_int_t)entries)) &&
	    !json_object_set_new(doc, "checkpoint", json_stringn(note, note_len)))
		*ret_json = json_text(doc, &len);
	json_decref(doc);
	return *ret_json ? CS_OK : CS_ERR_NOMEM;
}

static json_t *hashes_json(const struct hash *proof, unsigned n)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < n && array; i++)
		if (json_array_append_new(array, json_base64(proof[i].b, HASH_SIZE))) {
			json_decref(array);
			array = NULL;
		}
	return array;
}

int bundle_history_entry(const void *leaf, size_t leaf_len, const struct field *fields, unsigned n_fields,
                         const struct hash *proof, unsigned n, char **ret_json)
{
	uint64_t index;
	json_t *array;
	int err = entry_json(leaf, leaf_len, fields, n_fields, &index, &array);

	if (err)
		return err;
	json_t *doc = json_object();
	size_t len;

	*ret_json = NULL;
	if (doc && !json_object_set_new(doc, "index", json_integer((json_int_t)index)) &&
	    !json_object_set_new(doc, "entry", json_base64(leaf, leaf_len)) && !json_object_set(doc, "fields", array) &&
	    !json_object_set_new(doc, "hashes", hashes_json(proof, n)))
		*ret_json = json_text(doc, &len);
	json_decref(array);
	json_decref(doc);
	return *ret_json ? CS_OK : CS_ERR_NOMEM;
}
